"""`rujukan-directory`: the operator's commands.

Each prints for people, or with --json for programs; 0 is done, 1 refused, 2 wrong usage. Settings
come from the environment (docs/settings.md), never a secret from an argument.
"""

import os
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import click
from sqlalchemy import Engine

from broker.service.commands import Commands, emit, fail, json_option
from broker.service.database import migrate, open_engine
from broker.service.logs import configure_logging
from broker.service.settings import NotUsable, read_settings, web_url
from broker.service.web import run_web
from contracts.encoding import b64decode
from contracts.root import Hub, RootFile, demonstration_root, parse_root
from contracts.signing import PUBLIC_KEY_SIZE
from directory.app import create_app
from directory.imports import MAX_FILE, read_listings
from directory.logkey import log_key
from directory.search.current import Search
from directory.settings import DirectorySettings
from directory.statements import MAX_ADMISSION, StatementLog, read_admission
from directory.store import Report, store_listings

_THREADS: Final = 8
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group(cls=Commands)
def main() -> None:
    """Run the shared directory: who helps, where, and how to reach them."""


@main.command()
def serve() -> None:
    """Serve the pages, the HSDS interface and the statement log until stopped."""
    settings = _settings()
    configure_logging("directory", settings.log_level)
    migrate(open_engine(settings.database_url), "directory")
    run_web(
        lambda: create_app(settings),
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        threads=_THREADS,
    )


@main.command("import")
@click.argument("file", type=_FILE)
@click.option("--dry-run", is_flag=True, help="Check and count, and store nothing.")
@json_option
def import_listings(file: Path, *, dry_run: bool, as_json: bool) -> None:
    """Import listings from a CSV FILE: all of it, or nothing and every reason."""
    settings = _settings()
    root, engine = _opened(settings)
    now = int(time.time())
    today = datetime.fromtimestamp(now, UTC).date()
    data = _content(file, MAX_FILE)
    listings = read_listings(data, today=today, demonstration=root.demonstration)
    store = partial(store_listings, engine, listings, now=now, dry_run=dry_run)
    report = store() if dry_run else Search(engine, settings.index_file).renew_after(store)
    emit(as_json, _report_json(report, dry_run=dry_run), _report_text(report, dry_run=dry_run))


@main.command("import-org")
@click.argument("file", type=_FILE)
@json_option
def import_org(file: Path, *, as_json: bool) -> None:
    """Admit an organisation by its admission FILE: all its statements, or none."""
    root, engine = _opened(_settings())
    statements = read_admission(_content(file, MAX_ADMISSION))
    log = StatementLog(engine, net=root.net, clock=lambda: int(time.time()))
    appended = log.append_all(statements)
    new = sum(one.new for one in appended)
    value = {"statements": len(appended), "new": new, "indexes": [one.index for one in appended]}
    emit(as_json, value, f"{new} of {len(appended)} statements are new in the log.")


@main.command("root-file")
@click.option("--net", required=True, help='The network\'s name; begins with "demo.".')
@click.option("--hub-url", required=True, help="Where the hub is reached.")
@click.option("--hub-key", required=True, help="The hub's public key, as `rujukan-hub key` says.")
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--log-key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The log's secret key; made if it is not there. Default: log.key beside the root file.",
)
@json_option
def root_file(
    *, net: str, hub_url: str, hub_key: str, out: Path, log_key_file: Path | None, as_json: bool
) -> None:
    """Write version 1 of the root file of a demonstration network."""
    if out.exists():
        fail(f"{out} is there already and was left as it is. Whoever runs the network moves it.")
    hub = Hub.of(url=_hub_url(hub_url), key=b64decode(hub_key, field="key", size=PUBLIC_KEY_SIZE))
    key = log_key(log_key_file or out.with_name("log.key"))
    data = demonstration_root(net=net, hubs=[hub], log=key.public)
    root = parse_root(data)
    out.write_bytes(data)
    value = {"net": root.net, "hash": root.hash, "hub": hub.id, "file": str(out)}
    text = f"Wrote {out}: network {root.net}, hub {hub.id}.\nIts hash is {root.hash}."
    emit(as_json, value, text)


def _settings() -> DirectorySettings:
    return read_settings(DirectorySettings, os.environ)


def _opened(settings: DirectorySettings) -> tuple[RootFile, Engine]:
    configure_logging("directory", settings.log_level)
    root = parse_root(settings.root_file.read_bytes())
    engine = open_engine(settings.database_url)
    migrate(engine, "directory")
    return root, engine


def _content(file: Path, limit: int) -> bytes:
    if file.stat().st_size > limit:
        fail(f"{file} is larger than {limit} bytes and was not read. Nothing was imported.")
    return file.read_bytes()


def _hub_url(value: str) -> str:
    try:
        return web_url(value)
    except NotUsable as rule:
        fail(f"--hub-url {rule}.")


def _report_json(report: Report, *, dry_run: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "organisations": {
            "added": report.organisations_added,
            "changed": report.organisations_changed,
        },
        "services": {
            "added": report.services_added,
            "changed": report.services_changed,
            "unchanged": report.services_unchanged,
        },
    }


def _report_text(report: Report, *, dry_run: bool) -> str:
    done = "Would be" if dry_run else "Done:"
    return (
        f"{done} {report.organisations_added} organisations added,"
        f" {report.organisations_changed} changed; {report.services_added} services added,"
        f" {report.services_changed} changed, {report.services_unchanged} as they were."
    )
