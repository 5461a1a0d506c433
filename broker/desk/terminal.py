"""What every command of the desk does at its beginning and at its end: unlock, say, warn.

    with terminal.unlocked() as desk:
        terminal.say(desk.root, as_json, value, text)

The passphrase comes from a prompt or a file, never from an argument. Knows no command.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import click

from broker.desk import shown
from broker.desk.courier import Round
from broker.desk.passphrases import ask_terminal, read_passphrase
from broker.desk.settings import DeskSettings
from broker.desk.unlocking import Desk, unlock
from broker.service.commands import emit
from broker.service.logs import configure_logging
from broker.service.settings import read_settings
from contracts.encoding import JsonInput
from contracts.root import RootFile


def settings() -> DeskSettings:
    """The desk's settings, with its log turned on."""
    found = read_settings(DeskSettings, os.environ)
    configure_logging("desk", found.log_level)
    return found


@contextmanager
def unlocked() -> Iterator[Desk]:
    """The desk, open while the command runs. Raises `DeskError`."""
    found = settings()
    passphrase = read_passphrase(found.passphrase_file, ask=ask_terminal, prompt="Passphrase")
    with unlock(found, passphrase) as desk:
        yield desk


def say(root: RootFile, as_json: bool, value: Mapping[str, JsonInput], text: str) -> None:
    """Print one answer, for people or for programs, saying which network it is."""
    shown_value, shown_text = shown.labelled(root, value, text)
    emit(as_json, shown_value, shown_text)


def warn(round_: Round) -> None:
    """Say what could not be done now."""
    for trouble in round_.troubles:
        click.echo(str(trouble), err=True)
