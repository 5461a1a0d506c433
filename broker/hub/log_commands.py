"""`rujukan-hub log`, `log-evidence` and `log-resolve`: the hub's verified copy of the log.

A hub whose directory contradicts itself carries nothing until a person has looked into it. The
evidence is the same file as a desk's: `rujukan log check-evidence` says what it proves.

    for command in COMMANDS: main.add_command(command)
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from broker.hub.parts import open_mirror, system_clock
from broker.hub.settings import HubSettings
from broker.mirror import Mirror
from broker.mirror.shown import Resolving, fork_json, log_json, log_text, resolving
from broker.service.commands import emit, fail, json_option
from broker.service.database import open_engine
from broker.service.files import write_private
from broker.service.logs import configure_logging
from broker.service.settings import read_settings
from contracts.root import parse_root


@click.command()
@json_option
def log(*, as_json: bool) -> None:
    """How the hub's copy of the log stands, and the hard stop if one does; asks no directory."""
    with _opened() as mirror:
        now = system_clock()
        text = log_text(mirror, now=now)
        if mirror.fork is not None:
            text += "\n  `rujukan-hub log-evidence FILE` writes it for the coordinators."
        if mirror.stopped is not None:
            text += "\nOnce people have found out what is true: `rujukan-hub log-resolve`."
        emit(as_json, log_json(mirror, now=now), text)


@click.command("log-evidence")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def log_evidence(file: Path, *, as_json: bool) -> None:
    """Write the evidence that the log has forked to FILE, to be handed to coordinators."""
    with _opened() as mirror:
        fork = mirror.fork
        if fork is None:
            fail("No evidence of a forked log is kept here. Nothing was written.")
        try:
            write_private(file, fork.render())
        except OSError:
            fail(f"{file} is there already or cannot be written. Nothing was; name another file.")
        text = (
            f"Wrote {file}. Hand it to coordinators of two countries, whom you phone at numbers "
            f"that you knew before; they run `rujukan log check-evidence {file.name}`."
        )
        emit(as_json, {"file": str(file), **fork_json(fork)}, text)


@click.command("log-resolve")
@click.option("--yes", is_flag=True, help="For programs, with --json: do it without asking.")
@json_option
def log_resolve(*, yes: bool, as_json: bool) -> None:
    """Take a hard stop away, after people have found out what is true."""
    if yes and not as_json:
        raise click.UsageError("--yes is for programs, with --json: a person is asked.")
    with _opened() as mirror:
        stop = mirror.stopped
        if stop is None:
            fail("No hard stop stands at this hub. Nothing was changed.")
        _agree(resolving(stop), yes=yes, as_json=as_json)
        mirror.resolve()
        text = "Taken away. The hub reads the log again and goes on by itself, or stops once more."
        emit(as_json, {"resolved": stop.code, "org": stop.org}, text)


COMMANDS: Final = (log, log_evidence, log_resolve)


def _agree(told: Resolving, *, yes: bool, as_json: bool) -> None:
    if yes:
        return
    if as_json:
        fail("A program says that it is sure with --yes. Nothing was done.")
    click.echo(told.text)
    answer = click.prompt("Type yes to go on", default="no", show_default=False)
    if answer.strip().casefold() != "yes":
        fail("You did not type yes, so nothing was done.")


@contextmanager
def _opened() -> Iterator[Mirror]:
    settings = read_settings(HubSettings, os.environ)
    configure_logging("hub-command", settings.log_level)
    engine = open_engine(settings.database_url)
    root = parse_root(settings.root_file.read_bytes())
    mirror = open_mirror(settings, engine, root)
    try:
        yield mirror
    finally:
        mirror.close()
        engine.dispose()
