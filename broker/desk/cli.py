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
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import click

from broker.desk import shown, shown_keys, terminal
from broker.desk.cli_cases import answer_command, send, show
from broker.desk.cli_drafts import coordinator
from broker.desk.cli_keys import keys
from broker.desk.cli_listing import listing
from broker.desk.cli_log import log
from broker.desk.consumer import HandedOver, hand_over
from broker.desk.courier import Round, tick
from broker.desk.enrolment import Newcomer, Passphrases, enrol
from broker.desk.errors import DeskError
from broker.desk.finding import Wanted, find
from broker.desk.keyring import BACKUP_TAG, FOLDER
from broker.desk.keys_standing import keys_standing
from broker.desk.passphrases import ask_terminal, choose_passphrase
from broker.desk.queue import QueueReceiver, QueueSettings
from broker.desk.settings import DeskSettings
from broker.desk.standing import look
from broker.desk.unlocking import Desk, local_time, read_root
from broker.desk.web.command import desk as desk_command
from broker.service.commands import Commands, json_option
from broker.service.settings import read_settings
from contracts.codes import ORG_KINDS
from contracts.encoding import JsonInput

POLL_SECONDS: Final = 5.0


@click.group(cls=Commands)
def main() -> None:
    """Find an organisation, send it a sealed referral, receive and answer others'."""
    os.umask(0o077)  # whatever a desk writes is its owner's alone


for _command in (desk_command, send, show, answer_command, keys, listing, coordinator, log):
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
@click.option("--admission-file", type=click.Path(path_type=Path), help="For two coordinators.")
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
        f"Put {root_key_file} on a stick kept offline, and its text on paper: `rujukan keys "
        f"paper --key-file {root_key_file}`.\n"
        f"Your desk's keys lie in {settings.home / FOLDER}, which backups leave out "
        f"({BACKUP_TAG}); so that mail to deleted keys cannot be opened from an old backup. Never "
        "copy that folder.\n"
        f"Now send {admission} to two coordinators of different countries. They phone you at a "
        "number that they have from elsewhere: read them the fingerprint. `rujukan status` shows "
        "who has vouched; your desk then joins by itself."
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
        value: dict[str, JsonInput] = {
            "total": found.total,
            "left_out": found.left_out,
            "services": services,
        }
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
@click.option("--queue", "by_queue", is_flag=True, help="Stay connected to the hub's queue.")
@json_option
def consume(*, command: str | None, once: bool, by_queue: bool, as_json: bool) -> None:
    """Receive as it comes; with --exec, hand each message over as one line of JSON."""
    words = shlex.split(command) if command is not None else []
    if command is not None and not words:
        raise click.UsageError("--exec needs a command.")
    stop = _stop_on_signals()
    with terminal.unlocked() as desk, _queue_of(desk, wanted=by_queue) as queue:
        while True:
            round_ = tick(desk)
            if queue is not None:
                round_ = queue.joined(round_, seconds=POLL_SECONDS)
            handed = hand_over(desk, words) if words else HandedOver()
            _say_received(desk, round_, handed, as_json=as_json)
            # Connected, it has waited already.
            waited = queue is not None and queue.connected
            if once or stop.wait(0 if waited else POLL_SECONDS):
                break
    if once and handed.failed:
        raise DeskError("not_handed_over", count=handed.failed)


@main.command()
@json_option
def status(*, as_json: bool) -> None:
    """What is outstanding, and whether the machinery works."""
    with terminal.unlocked() as desk:
        round_ = tick(desk, eager=True)
        standing, keys_now = look(desk), keys_standing(desk)
        value = {
            **shown.standing_json(standing),
            **shown_keys.status_json(keys_now),
            "troubles": shown.troubles_json(round_),
        }
        first = shown_keys.status_text(keys_now)
        terminal.say(desk.root, as_json, value, f"{first}\n\n{shown.standing_text(standing)}")
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


@contextmanager
def _queue_of(desk: Desk, *, wanted: bool) -> Iterator[QueueReceiver | None]:
    if not wanted:
        yield None
        return
    with closing(QueueReceiver.of(desk, read_settings(QueueSettings, os.environ))) as queue:
        yield queue


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    return stop


if __name__ == "__main__":
    sys.exit(main())
