"""`rujukan-hub`: what the operator of a hub runs.

`key` once, then `serve` and, with RabbitMQ, `declare` once and `relay` beside it; `status` and
`dead-letters` to look, `log` after a hard stop. Shows ids, counts and ages, and nothing of a case:
there is nothing of a case to show.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import partial
from typing import Final

import click

from broker.hub.health import health
from broker.hub.keyfile import read_or_make_key
from broker.hub.log_commands import COMMANDS as LOG_COMMANDS
from broker.hub.parts import Hub, open_hub
from broker.hub.queue_commands import COMMANDS
from broker.hub.settings import HubKeySettings, HubSettings
from broker.service.commands import Commands, emit, json_option
from broker.service.logs import configure_logging
from broker.service.settings import read_settings
from contracts.encoding import b64encode

THREADS: Final = 8
_SHOWN: Final = 50


@click.group(cls=Commands)
def main() -> None:
    """Run a hub: accept sealed referrals, keep them until they are fetched, know nothing more."""


@main.command()
def serve() -> None:
    """Serve the gateway until SIGTERM."""
    # Only here: the relay and the other commands start in half the time without Flask.
    from broker.hub.app import serving_app
    from broker.service.web import run_web

    settings = read_settings(HubSettings, os.environ)
    configure_logging("hub", settings.log_level)
    _open_once(settings)
    run_web(
        partial(serving_app, settings),
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        threads=THREADS,
    )


@main.command()
@json_option
def key(*, as_json: bool) -> None:
    """Show this hub's id and public key for the root file; make the key where there is none."""
    made = read_or_make_key(read_settings(HubKeySettings, os.environ).hub_key_file)
    public = b64encode(made.public)
    emit(as_json, {"id": made.key_id, "key": public}, f"Hub {made.key_id}\nKey {public}")


@main.command()
@json_option
def status(*, as_json: bool) -> None:
    """Whether the hub can carry envelopes now, and how many wait. Exit code 1 if it cannot."""
    hub = open_hub(_settings())
    found = health(hub, now=hub.clock())
    waiting = hub.store.waiting()
    report = found.report | {"waiting_for_queue": waiting.outbox, "waiting_copies": waiting.copies}
    words = [
        f"{name.replace('_', ' ')}: {value}" for name, value in report.items() if value is not None
    ]
    emit(as_json, report, "\n".join(words))
    if not found.carries:
        click.echo("The hub carries nothing now. What it has accepted is kept.", err=True)
        click.get_current_context().exit(1)


@main.command("dead-letters")
@json_option
def dead_letters(*, as_json: bool) -> None:
    """What could not be carried to its end, counted by reason, and the newest of it."""
    hub = open_hub(_settings())
    counts, letters = hub.store.dead_letter_counts(), hub.store.dead_letters(limit=_SHOWN)
    value = {
        "counts": dict(counts),
        "newest": [
            {
                "at": one.at,
                "reason": one.reason,
                "from": one.sender,
                "mid": one.mid,
                "to": one.to,
                "eid": one.eid,
                "size": one.size,
            }
            for one in letters
        ],
    }
    lines = [f"{count:6}  {reason}" for reason, count in counts.items()]
    lines += [f"{_time(one.at)}  {one.reason}  message {one.mid}" for one in letters]
    emit(as_json, value, "\n".join(lines) or "No dead letters.")


for _command in (*COMMANDS, *LOG_COMMANDS):
    main.add_command(_command)


def _settings() -> HubSettings:
    settings = read_settings(HubSettings, os.environ)
    configure_logging("hub-command", settings.log_level)
    return settings


def _open_once(settings: HubSettings) -> Hub:
    """Fail in a sentence before gunicorn starts, with what each worker would fail with.

    No connection of it crosses the fork: the pool is emptied.
    """
    hub = open_hub(settings)
    hub.engine.dispose()
    return hub


def _time(at: int) -> str:
    return datetime.fromtimestamp(at, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")
