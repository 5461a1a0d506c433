"""`rujukan-directory`: the operator's commands.

Each prints for people, or with --json for programs; 0 is done, 1 refused, 2 wrong usage. Settings
come from the environment (docs/settings.md), never a secret from an argument.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import click
from sqlalchemy import Engine

from broker.service.commands import Commands, emit, fail, json_option
from broker.service.database import migrate, open_engine
from broker.service.logs import configure_logging
from broker.service.root_changes import root_changes
from broker.service.settings import NotUsable, read_settings, web_url
from broker.service.web import run_web
from contracts.encoding import b64decode
from contracts.entries import render_entries
from contracts.root import MAX_LISTED, Hub, RootFile, parse_root
from contracts.signing import PUBLIC_KEY_SIZE
from contracts.statements import MAX_CARRIED
from directory.app import serving_app
from directory.blobs import listed_bytes
from directory.imports import MAX_FILE, read_listings
from directory.logbook import Logbook, open_logbook
from directory.logkey import log_key
from directory.preparing import Prepared, prepare
from directory.publicfiles import MAX_PUBLIC, read_coordinator, read_witness
from directory.rootfile import Wishes, first_root, read_before, root_after
from directory.rounds import end_turns
from directory.settings import DirectorySettings
from directory.statements import MAX_ADMISSION, read_admission
from directory.witness.commands import COMMANDS

_THREADS: Final = 8
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group(cls=Commands)
def main() -> None:
    """Run the shared directory: who helps, where, and how to reach them."""


@main.command()
def serve() -> None:
    """Serve pages, HSDS interface and statement log, and have the log witnessed, until stopped."""
    settings = _settings()
    root, engine = _opened(settings)
    # What is wrong with the key or its folder is said here and not by each worker.
    _logbook(settings, root, engine).gate.mark.check_writable()
    end_turns(engine)
    engine.dispose()
    run_web(
        lambda: serving_app(settings),
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        threads=_THREADS,
    )


@main.command("import")
@click.argument("file", type=_FILE)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the entries here, for a coordinator to sign.",
)
@json_option
def import_listings(file: Path, *, out: Path | None, as_json: bool) -> None:
    """Check a CSV FILE of listings and prepare its entries: all of it, or every reason.

    Nothing is shown before a coordinator has signed: `rujukan coordinator list`.
    """
    settings = _settings()
    root, engine = _opened(settings)
    register = _logbook(settings, root, engine).log.register()
    today = datetime.fromtimestamp(time.time(), UTC).date()
    demonstration = register.root.demonstration
    listings = read_listings(_content(file, MAX_FILE), today=today, demonstration=demonstration)
    prepared = prepare(listings, register=register, shown=partial(listed_bytes, engine))
    if out is not None:
        _write_new(out, render_entries(prepared.entries))
    emit(as_json, _prepared_json(prepared, out), _prepared_text(prepared, out))


@main.command("import-org")
@click.argument("file", type=_FILE)
@json_option
def import_org(file: Path, *, as_json: bool) -> None:
    """Take the statements of an admission FILE into the log: all of them, or none.

    What the log takes from an operator is what it takes from anybody, in any number: an
    organisation needs two coordinators' word here too. Where the network has witnesses, they are
    asked first whether the log is whole.
    """
    settings = _settings()
    root, engine = _opened(settings)
    statements = read_admission(_content(file, MAX_ADMISSION))
    logbook = _logbook(settings, root, engine)
    logbook.open()
    appended = logbook.log.append_all(statements)
    logbook.publication.refresh()
    logbook.advance()
    new = sum(one.new for one in appended)
    value = {"statements": len(appended), "new": new, "indexes": [one.index for one in appended]}
    emit(as_json, value, f"{new} of {len(appended)} statements are new in the log.")


@main.command("root-file")
@click.option(
    "--after",
    type=_FILE,
    help="The version before: write the next one. What is not given stays; lists are replaced.",
)
@click.option("--net", help="The network's name.")
@click.option("--hub-url", help="Where the hub is reached.")
@click.option("--hub-key", help="The hub's public key, as `rujukan-hub key` says.")
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--coordinator",
    "coordinators",
    multiple=True,
    type=_FILE,
    help="A coordinator's public file, as `rujukan coordinator init` writes it. One for each.",
)
@click.option(
    "--witness",
    "witnesses",
    multiple=True,
    type=_FILE,
    help="A witness's public file, as `rujukan-directory witness-key` writes it. One for each.",
)
@click.option(
    "--k",
    type=click.IntRange(0, MAX_LISTED),
    help="How many witnesses must sign: more than half of them; 0, the first version's default,"
    " only for demonstrations.",
)
@click.option(
    "--log-key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The log's secret key; made if it is not there. Default: log.key beside the root file.",
)
@json_option
def root_file(
    *,
    after: Path | None,
    net: str | None,
    hub_url: str | None,
    hub_key: str | None,
    out: Path,
    coordinators: Sequence[Path],
    witnesses: Sequence[Path],
    k: int | None,
    log_key_file: Path | None,
    as_json: bool,
) -> None:
    """Write version 1 of a network's root file, or with --after the version that follows another.

    Without two coordinators of two countries nobody can be admitted to the network. A later version
    counts once most coordinators have signed it: `rujukan coordinator root`.
    """
    if out.exists():
        fail(f"{out} is there already and was left as it is. Whoever runs the network moves it.")
    wishes = Wishes(
        hubs=_hubs(hub_url, hub_key),
        coordinators=tuple(read_coordinator(_content(one, MAX_PUBLIC)) for one in coordinators),
        witnesses=tuple(read_witness(_content(one, MAX_PUBLIC)) for one in witnesses),
        k=k,
    )
    if after is not None:
        before = read_before(_content(after, MAX_CARRIED))
        _write_next(before, wishes, out, net=net, log_key_file=log_key_file, as_json=as_json)
        return
    if net is None or not wishes.hubs:
        raise click.UsageError("Version 1 needs --net, --hub-url and --hub-key.")
    log = log_key(log_key_file or out.with_name("log.key")).public
    data = first_root(net, replace(wishes, log=log))
    root = parse_root(data)
    out.write_bytes(data)
    text = (
        f"Wrote {out}: network {root.net}, hub {root.hubs[0].id}, {len(root.coordinators)}"
        f" coordinators, {root.k} of {len(root.witnesses)} witnesses.\nIts hash is {root.hash}."
    )
    emit(as_json, {**_root_json(root, out), "hub": root.hubs[0].id}, text)


for _command in COMMANDS:
    main.add_command(_command)


def _settings() -> DirectorySettings:
    return read_settings(DirectorySettings, os.environ)


def _opened(settings: DirectorySettings) -> tuple[RootFile, Engine]:
    configure_logging("directory", settings.log_level)
    root = parse_root(settings.root_file.read_bytes())
    engine = open_engine(settings.database_url)
    migrate(engine, "directory")
    return root, engine


def _logbook(settings: DirectorySettings, root: RootFile, engine: Engine) -> Logbook:
    return open_logbook(engine, root=root, key_file=settings.log_key_file, clock=_clock)


def _clock() -> int:
    return int(time.time())


def _content(file: Path, limit: int) -> bytes:
    if file.stat().st_size > limit:
        fail(f"{file} is larger than {limit} bytes and was not read. Nothing was done.")
    return file.read_bytes()


def _write_next(
    before: RootFile,
    wishes: Wishes,
    out: Path,
    *,
    net: str | None,
    log_key_file: Path | None,
    as_json: bool,
) -> None:
    if net not in (None, before.net):
        fail(f"A later version stays in its network, {before.net}. Nothing was written.")
    if log_key_file is not None:
        wishes = replace(wishes, log=log_key(log_key_file).public)
    data = root_after(before, wishes)
    root = read_before(data)
    _write_new(out, data)
    changes = root_changes(before, root)
    lines = [
        f"Wrote {out}: version {root.version} of the network {root.net}. What changes:",
        *(f"  - {change}" for change in changes),
        f"Its hash, to be compared by phone: {root.hash}",
        f"{before.majority} of the {len(before.coordinators)} coordinators of version"
        f" {before.version} must sign; one of them begins: rujukan coordinator root {out.name}",
    ]
    emit(as_json, {**_root_json(root, out), "changes": changes}, "\n".join(lines))


def _root_json(root: RootFile, out: Path) -> dict[str, object]:
    return {"net": root.net, "version": root.version, "hash": root.hash, "file": str(out)}


def _hubs(url: str | None, key: str | None) -> tuple[Hub, ...]:
    if url is None and key is None:
        return ()
    if url is None or key is None:
        raise click.UsageError("A hub is given by both --hub-url and --hub-key.")
    return (Hub.of(url=_hub_url(url), key=b64decode(key, field="key", size=PUBLIC_KEY_SIZE)),)


def _hub_url(value: str) -> str:
    try:
        return web_url(value)
    except NotUsable as rule:
        fail(f"--hub-url {rule}.")


def _write_new(file: Path, data: bytes) -> None:
    try:
        with file.open("xb") as opened:
            opened.write(data)
    except FileExistsError:
        fail(f"{file} is there already and was left as it is. Name another file.")


def _prepared_json(prepared: Prepared, out: Path | None) -> dict[str, object]:
    return {
        "organisations": asdict(prepared.organisations),
        "services": asdict(prepared.services),
        "entries": len(prepared.entries),
        "file": None if out is None else str(out),
    }


def _prepared_text(prepared: Prepared, out: Path | None) -> str:
    what = ("organisations", prepared.organisations), ("services", prepared.services)
    counts = "; ".join(
        f"{name}: {count.added} to add, {count.changed} to change,"
        f" {count.removed} to take out, {count.unchanged} as they are"
        for name, count in what
    )
    following = (
        "Add --out entries.json to write the entries."
        if out is None
        else f"Hand {out} to a coordinator, who signs it: rujukan coordinator list {out.name}"
    )
    return f"{counts}.\nNothing has changed yet. {following}"
