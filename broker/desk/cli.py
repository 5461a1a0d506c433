"""`rujukan`: the desk on the command line, for people and, with --json, for programs.

Exit codes: 0 done, 1 refused or failed (the sentence says who must do what), 2 wrong usage. No
secret and no word of a case is ever an argument: the passphrase comes from a prompt or a file,
messages from a file or standard input. Every command that touches the network first sends and
fetches what is due, so that nothing waits for a command of its own.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Final

import click

from broker.desk import shown, terminal
from broker.desk.cli_cases import answer_command, send, show
from broker.desk.consumer import HandedOver, hand_over
from broker.desk.courier import Round, tick
from broker.desk.enrolment import Newcomer, Passphrases, enrol
from broker.desk.errors import DeskError
from broker.desk.finding import Wanted, find
from broker.desk.passphrases import ask_terminal, choose_passphrase
from broker.desk.settings import DeskSettings
from broker.desk.standing import look
from broker.desk.unlocking import Desk, local_time, read_root
from broker.desk.web.command import desk as desk_command
from broker.service.commands import Commands, json_option
from contracts.codes import ORG_KINDS
from contracts.encoding import JsonInput

POLL_SECONDS: Final = 5.0


@click.group(cls=Commands)
def main() -> None:
    """Find an organisation, send it a sealed referral, receive and answer others'."""
    os.umask(0o077)  # whatever a desk writes is its owner's alone


for _command in (desk_command, send, show, answer_command):
    main.add_command(_command)


@main.command()
@click.option("--country", required=True, help="Two letters, such as my.")
@click.option("--kind", required=True, type=click.Choice(ORG_KINDS), help="What you are.")
@click.option(
    "--root-key-file",
    required=True,
    type=click.Path(path_type=Path),
    help="On a stick kept offline.",
)
@click.option(
    "--admission-file", type=click.Path(path_type=Path), help="For the directory's operator."
)
@json_option
def init(
    *, country: str, kind: str, root_key_file: Path, admission_file: Path | None, as_json: bool
) -> None:
    """Make this desk's keys, and the file by which the network admits your organisation."""
    settings = terminal.settings()
    root = read_root(settings.root_file)
    admission = admission_file or Path("admission.json")
    if root_key_file.absolute().is_relative_to(settings.home):
        click.echo(
            "Warning: the root key file is meant for a stick kept offline, and this is the desk's "
            "own folder. Whoever takes this computer could then speak for your organisation. Move "
            "it away.",
            err=True,
        )
    made = enrol(
        settings.home,
        root,
        Newcomer(country, kind),
        _chosen_passphrases(settings),
        root_key_file=root_key_file,
        admission_file=admission,
        now=local_time(),
    )
    value: dict[str, JsonInput] = {
        "org": made.org,
        "device": made.device,
        "fingerprint": made.fingerprint,
        "root_hash": made.root_hash,
        "root_key_file": str(root_key_file),
        "admission_file": str(admission),
    }
    text = (
        f"Your organisation's id: {made.org}\n"
        f"Fingerprint, to compare by phone: {made.fingerprint}\n"
        f"Root file, to compare with what was published: {made.root_hash}\n"
        f"Hand {admission} to the operator of the directory.\n"
        f"Put {root_key_file} on a stick kept offline. Leave {settings.home} out of backups of "
        "other people's: it holds your keys."
    )
    terminal.say(root, as_json, value, text)


@main.command("find")
@click.argument("text", default="")
@click.option("--country", default="", help="ISO 3166-1, two letters.")
@click.option("--service", default="", help="A service code, such as shelter.")
@click.option("--language", default="", help="ISO 639-3, three letters.")
@click.option("--page", default=1, type=click.IntRange(1))
@json_option
def find_command(
    *, text: str, country: str, service: str, language: str, page: int, as_json: bool
) -> None:
    """Look for a service in the directory.

    Other users of this computer can see a command's words while it runs: give - as TEXT and write
    the words to standard input where they could tell about somebody.
    """
    if text == "-":
        text = sys.stdin.readline().strip()
    with terminal.unlocked() as desk:
        found = find(desk, Wanted(text, country, service, language, page))
        services: list[JsonInput] = [shown.found_json(one) for one in found.found]
        value: dict[str, JsonInput] = {"total": found.total, "services": services}
        terminal.say(desk.root, as_json, value, shown.found_text(found))


@main.command()
@json_option
def inbox(*, as_json: bool) -> None:
    """List the cases, what changed last first; nothing of what was written."""
    with terminal.unlocked() as desk:
        round_ = tick(desk, eager=True)
        with desk.store.reading() as rows:
            cases = sorted(rows.cases(), key=lambda case: -case.changed)
            apart = rows.apart()
        listed: list[JsonInput] = [shown.case_json(case) for case in cases]
        others: list[JsonInput] = [shown.apart_json(entry) for entry in apart]
        value: dict[str, JsonInput] = {
            "cases": listed,
            "apart": others,
            "troubles": shown.troubles_json(round_),
        }
        terminal.say(desk.root, as_json, value, shown.inbox_text(cases, apart))
        terminal.warn(round_)


@main.command()
@click.option("--exec", "command", default=None, help="Hand each message to this command's stdin.")
@click.option("--once", is_flag=True, help="One round, then stop.")
@json_option
def consume(*, command: str | None, once: bool, as_json: bool) -> None:
    """Receive as it comes; with --exec, hand each message over as one line of JSON."""
    words = shlex.split(command) if command is not None else []
    if command is not None and not words:
        raise click.UsageError("--exec needs a command.")
    stop = _stop_on_signals()
    with terminal.unlocked() as desk:
        while True:
            round_ = tick(desk)
            handed = hand_over(desk, words) if words else HandedOver()
            _say_received(desk, round_, handed, as_json=as_json)
            if once or stop.wait(POLL_SECONDS):
                break
    if once and handed.failed:
        raise DeskError("not_handed_over", count=handed.failed)


@main.command()
@json_option
def status(*, as_json: bool) -> None:
    """What is outstanding, and whether the machinery works."""
    with terminal.unlocked() as desk:
        round_ = tick(desk, eager=True)
        standing = look(desk)
        value = {**shown.standing_json(standing), "troubles": shown.troubles_json(round_)}
        terminal.say(desk.root, as_json, value, shown.standing_text(standing))
        terminal.warn(round_)


def _chosen_passphrases(settings: DeskSettings) -> Passphrases:
    """With a prompt, the stick gets its own passphrase; a file serves for both."""
    file = settings.passphrase_file
    desk = choose_passphrase(file, ask=ask_terminal, prompt="Passphrase for this desk")
    if file is not None:
        return Passphrases(desk, desk)
    return Passphrases(
        desk, choose_passphrase(None, ask=ask_terminal, prompt="Passphrase for the stick")
    )


def _say_received(desk: Desk, round_: Round, handed: HandedOver, *, as_json: bool) -> None:
    with desk.store.reading() as rows:
        for entry in round_.received.entries:
            if not entry.case_row:
                terminal.say(desk.root, as_json, shown.apart_json(entry), shown.apart_line(entry))
                continue
            case = rows.case(entry.case_row)
            value: dict[str, Any] = {**shown.case_json(case), "received": entry.type}
            terminal.say(desk.root, as_json, value, f"{case.spoken} from {case.peer}: {entry.type}")
    if handed.handled and not as_json:
        click.echo(f"The command has taken over {handed.handled}.")
    if handed.failed:
        click.echo(str(DeskError("not_handed_over", count=handed.failed)), err=True)
    terminal.warn(round_)


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    return stop


if __name__ == "__main__":
    sys.exit(main())
