"""`rujukan-directory witness…`: what a country's coordinator runs.

`witness-key` once, whose output goes to whoever writes the root file; then `witness`; and
`witness-stops` when a log has contradicted itself.
"""

from __future__ import annotations

import json
import os
import re
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import click

from broker.service.commands import emit, fail, json_option
from broker.service.database import open_engine
from broker.service.logs import configure_logging
from broker.service.settings import NotUsable, read_settings, web_url
from broker.service.web import run_web
from contracts.root import WITNESS_KEY, VerifierKey
from directory.witness.app import create_app
from directory.witness.keyfile import witness_key
from directory.witness.settings import (
    WitnessKeySettings,
    WitnessSettings,
    WitnessStoreSettings,
    read_logs,
    witness_name,
)
from directory.witness.store import Stop, Store

_THREADS: Final = 8
_COUNTRY: Final = re.compile(r"[a-z]{2}")


@click.command()
def witness() -> None:
    """Follow the logs of other directories and sign what was verified, until stopped."""
    settings = read_settings(WitnessSettings, os.environ)
    configure_logging("witness", settings.log_level)
    _open_once(settings)
    run_web(
        partial(create_app, settings),
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        threads=_THREADS,
    )


@click.command("witness-key")
@click.option("--name", required=True, help="The name it signs with, like a host's.")
@click.option("--country", required=True, help="Where it is run: two small letters.")
@click.option("--url", required=True, help="Where the witness will be reached.")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The public part, for whoever writes the root file.",
)
@json_option
def witness_key_command(*, name: str, country: str, url: str, out: Path, as_json: bool) -> None:
    """Write what a root file lists of this witness; make its key where there is none."""
    value = _public(name=name, country=country, url=url)
    if out.exists():
        fail(f"{out} is there already and was left as it is. Whoever runs the witness moves it.")
    key = witness_key(read_settings(WitnessKeySettings, os.environ).key_file)
    value["key"] = VerifierKey(name, WITNESS_KEY, key.public).render()
    out.write_text(json.dumps(value) + "\n", encoding="utf-8")
    emit(as_json, value, f"Wrote {out}: hand it to whoever writes the root file.\n{value['key']}")


@click.command("witness-stops")
@click.option("--resolve", metavar="NET", help="Take the stop of this log away.")
@json_option
def witness_stops(*, resolve: str | None, as_json: bool) -> None:
    """Show which logs have contradicted themselves, with both signed notes as evidence."""
    settings = read_settings(WitnessStoreSettings, os.environ)
    configure_logging("witness-command", settings.log_level)
    store = Store(open_engine(settings.database_url))
    store.open(())
    if resolve is not None and not store.resolve(resolve, at=int(time.time())):
        fail("No stop stands for a log of this name. Nothing was changed.")
    stops = store.stops()
    text = "\n\n".join(map(_stop_text, stops)) or "No log is stopped."
    emit(as_json, {"stops": list(map(_stop_json, stops))}, text)


COMMANDS: Final = (witness, witness_key_command, witness_stops)


def _open_once(settings: WitnessSettings) -> None:
    """Fail in a sentence before gunicorn starts, with what each worker would fail with.

    No connection of it crosses the fork: the pool is emptied.
    """
    engine = open_engine(settings.database_url)
    Store(engine).open(log.root.net for log in read_logs(settings.logs_file))
    witness_key(settings.key_file)
    engine.dispose()


def _public(*, name: str, country: str, url: str) -> dict[str, str]:
    if not _COUNTRY.fullmatch(country):
        fail("--country must be two small letters. Nothing was written.")
    for option, rule, value in (("--name", witness_name, name), ("--url", web_url, url)):
        try:
            rule(value)
        except NotUsable as broken:
            fail(f"{option} {broken}. Nothing was written.")
    return {"country": country, "url": web_url(url)}


def _stop_json(stop: Stop) -> dict[str, object]:
    return {
        "net": stop.net,
        "code": stop.code,
        "at": stop.at,
        "kept_note": None if stop.kept_note is None else stop.kept_note.decode("utf-8"),
        "other_note": stop.other_note.decode("utf-8"),
    }


def _stop_text(stop: Stop) -> str:
    at = datetime.fromtimestamp(stop.at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    signed = "Nothing." if stop.kept_note is None else stop.kept_note.decode("utf-8")
    return (
        f"{stop.net}: {stop.code.replace('_', ' ')}, {at}. Nothing more of this log is signed."
        f"\nSigned here last:\n{signed}\nAsked to sign, by the log's own signature:\n"
        f"{stop.other_note.decode('utf-8')}\nKeep both, and call the other coordinators."
    )
