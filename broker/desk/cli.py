"""`rujukan`: the desk on the command line, for people and, with --json, for programs.

Exit codes: 0 done, 1 refused or failed (the sentence says who must do what), 2 wrong usage. No
secret and no word of a case is ever an argument: the passphrase comes from a prompt or a file,
messages from a file or standard input. Every command that touches the network first sends and
fetches what is due, so that nothing waits for a command of its own.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import click

from broker.desk import shown
from broker.desk.cases import find_case, view
from broker.desk.consumer import HandedOver, hand_over
from broker.desk.courier import Round, tick
from broker.desk.enrolment import Newcomer, Passphrases, enrol
from broker.desk.errors import DeskError
from broker.desk.finding import Wanted, find
from broker.desk.passphrases import ask_terminal, choose_passphrase, read_passphrase
from broker.desk.sending import Sent, answer, send_referral
from broker.desk.settings import DeskSettings
from broker.desk.standing import look
from broker.desk.unlocking import Desk, local_time, read_root, unlock
from broker.desk.web.command import desk as desk_command
from broker.service.commands import Commands, emit, json_option
from broker.service.logs import configure_logging
from broker.service.settings import read_settings
from contracts.codes import DECLINE_REASONS, NEXT_STEPS, ORG_KINDS, STAFF_ROLES
from contracts.encoding import JsonInput, JsonObject, parse_object
from contracts.envelope import MAX_MESSAGE
from contracts.errors import ContractError
from contracts.examples import example_body, example_request
from contracts.identifiers import parse_org_id
from contracts.lifecycle import Event
from contracts.messages import render_body
from contracts.root import RootFile

POLL_SECONDS: Final = 5.0
NO_SERVICE: Final = "00000000-0000-4000-8000-000000000000"
_EVENTS: Final = {verb: event for event, verb in shown.VERBS.items()}


@click.group(cls=Commands)
def main() -> None:
    """Find an organisation, send it a sealed referral, receive and answer others'."""
    os.umask(0o077)  # whatever a desk writes is its owner's alone


main.add_command(desk_command)


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
    settings = _settings()
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
    _say(root, as_json, value, text)


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
    with _unlocked() as desk:
        found = find(desk, Wanted(text, country, service, language, page))
        services: list[JsonInput] = [shown.found_json(one) for one in found.found]
        value: dict[str, JsonInput] = {"total": found.total, "services": services}
        _say(desk.root, as_json, value, shown.found_text(found))


@main.command()
@click.option("--to", "to", default=None, help="The organisation's id, as `find` shows it.")
@click.option("--service", default=None, help="The service's id, as `find` shows it.")
@click.option("--example", is_flag=True, help="Print a complete fictional body to edit, and stop.")
@click.argument("file", type=click.File("rb"), required=False)
@json_option
def send(
    *, to: str | None, service: str | None, example: bool, file: IO[bytes] | None, as_json: bool
) -> None:
    """Send a referral; FILE (or -) holds the JSON body of referral.requested."""
    if example:
        click.echo(_example(to, service))
        return
    if to is None or file is None:
        raise click.UsageError("Give --to ORGANISATION and a FILE, or --example.")
    body = _read_body(file)
    with _unlocked() as desk:
        sent = send_referral(desk, to=to, body=body, service=service)
        round_ = tick(desk, eager=True)
        _say_sent(desk, sent, round_, as_json=as_json)


@main.command()
@json_option
def inbox(*, as_json: bool) -> None:
    """List the cases, what changed last first; nothing of what was written."""
    with _unlocked() as desk:
        round_ = tick(desk, eager=True)
        with desk.store.reading() as rows:
            cases = sorted(rows.cases(), key=lambda case: -case.changed)
        listed: list[JsonInput] = [shown.case_json(case) for case in cases]
        value: dict[str, JsonInput] = {"cases": listed, "troubles": shown.troubles_json(round_)}
        _say(desk.root, as_json, value, shown.inbox_text(cases))
        _warn(round_)


@main.command()
@click.argument("ref")
@click.option("--note", is_flag=True, help="Open the notes too.")
@json_option
def show(*, ref: str, note: bool, as_json: bool) -> None:
    """Show one case; REF is the six characters that both desks show."""
    with _unlocked() as desk, desk.store.reading() as rows:
        seen = view(rows, find_case(rows.cases(), ref))
        messages = {
            entry.row: parse_object(rows.message(entry.row), limit=MAX_MESSAGE)
            for entry in seen.entries
        }
        entries: list[JsonInput] = [
            shown.entry_json(entry, messages[entry.row], note=note) for entry in seen.entries
        ]
        answers = [shown.VERBS[event] for event in seen.answers]
        value = {**shown.case_json(seen.case), "entries": entries, "answers": answers}
        _say(desk.root, as_json, value, shown.case_text(seen, messages, note=note))


@main.command("answer")
@click.argument("ref")
@click.argument("what", type=click.Choice(list(_EVENTS)))
@click.option("--role", type=click.Choice(STAFF_ROLES), default=None, help="Who of you answers.")
@click.option("--reason", type=click.Choice(DECLINE_REASONS), default=None, help="Why you decline.")
@click.option("--next-step", type=click.Choice(NEXT_STEPS), default=None, help="What they can do.")
@click.option("--body", type=click.File("rb"), default=None, help="The whole body as JSON instead.")
@json_option
def answer_command(
    *,
    ref: str,
    what: str,
    role: str | None,
    reason: str | None,
    next_step: str | None,
    body: IO[bytes] | None,
    as_json: bool,
) -> None:
    """Acknowledge, accept or decline a referral.

    acknowledge and accept need --role, decline needs --reason and --next-step, or any of them a
    whole --body.
    """
    event = _EVENTS[what]
    _require_answer(event, role=role, reason=reason, next_step=next_step, body=body)
    given = _read_body(body) if body is not None else {}
    given |= _given(event, role=role, reason=reason, next_step=next_step)
    with _unlocked() as desk:
        with desk.store.reading() as rows:
            case = find_case(rows.cases(), ref)
        sent = answer(desk, case, event, given)
        round_ = tick(desk, eager=True)
        _say_sent(desk, sent, round_, as_json=as_json)


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
    with _unlocked() as desk:
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
    with _unlocked() as desk:
        round_ = tick(desk, eager=True)
        standing = look(desk)
        value = {**shown.standing_json(standing), "troubles": shown.troubles_json(round_)}
        _say(desk.root, as_json, value, shown.standing_text(standing))
        _warn(round_)


def _settings() -> DeskSettings:
    settings = read_settings(DeskSettings, os.environ)
    configure_logging("desk", settings.log_level)
    return settings


@contextmanager
def _unlocked() -> Iterator[Desk]:
    settings = _settings()
    passphrase = read_passphrase(settings.passphrase_file, ask=ask_terminal, prompt="Passphrase")
    with unlock(settings, passphrase) as desk:
        yield desk


def _chosen_passphrases(settings: DeskSettings) -> Passphrases:
    """With a prompt, the stick gets its own passphrase; a file serves for both."""
    file = settings.passphrase_file
    desk = choose_passphrase(file, ask=ask_terminal, prompt="Passphrase for this desk")
    if file is not None:
        return Passphrases(desk, desk)
    return Passphrases(
        desk, choose_passphrase(None, ask=ask_terminal, prompt="Passphrase for the stick")
    )


def _read_body(file: IO[bytes]) -> JsonObject:
    try:
        return parse_object(file.read(MAX_MESSAGE + 1), limit=MAX_MESSAGE)
    except ContractError:
        raise DeskError("not_json") from None


def _example(to: str | None, service: str | None) -> str:
    body: Mapping[str, JsonInput] = example_body("referral.requested")
    if to is not None:
        body = render_body(
            example_request(
                recipient=parse_org_id(to), service_id=service or NO_SERVICE, now=local_time()
            )
        )
    return _pretty(body)


def _pretty(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _given(
    event: Event, *, role: str | None, reason: str | None, next_step: str | None
) -> JsonObject:
    """The body that the options spell out."""
    role_member = "by_role" if event is Event.ACKNOWLEDGED else "focal_role"
    named = {
        role_member: role if event is not Event.DECLINED else None,
        "reason": reason,
        "next_step": next_step,
    }
    return {name: value for name, value in named.items() if value is not None}


def _require_answer(
    event: Event,
    *,
    role: str | None,
    reason: str | None,
    next_step: str | None,
    body: IO[bytes] | None,
) -> None:
    declines = event is Event.DECLINED
    if body is None and declines and (reason is None or next_step is None):
        raise click.UsageError("Say why and what they can do: --reason and --next-step.")
    if body is None and not declines and role is None:
        raise click.UsageError("Say who of you answers: --role.")


def _say(root: RootFile, as_json: bool, value: Mapping[str, JsonInput], text: str) -> None:
    shown_value, shown_text = shown.labelled(root, value, text)
    emit(as_json, shown_value, shown_text)


def _say_sent(desk: Desk, sent: Sent, round_: Round, *, as_json: bool) -> None:
    with desk.store.reading() as rows:
        case = rows.case(sent.case.row)
        waiting = any(
            entry.own and entry.sending.value == "kept" for entry in rows.entries(case.row)
        )
    value: dict[str, JsonInput] = {
        **shown.case_json(case),
        "sent": list(sent.types),
        "kept": waiting,
        "troubles": shown.troubles_json(round_),
    }
    how = "kept here, and sent as soon as the hub can be reached" if waiting else "sent"
    text = f"{case.spoken}: {' and '.join(sent.types)} {how}. The case is {case.state.value}."
    _say(desk.root, as_json, value, text)
    _warn(round_)


def _say_received(desk: Desk, round_: Round, handed: HandedOver, *, as_json: bool) -> None:
    with desk.store.reading() as rows:
        for entry in round_.received.entries:
            case = rows.case(entry.case_row)
            value: dict[str, Any] = {**shown.case_json(case), "received": entry.type}
            _say(desk.root, as_json, value, f"{case.spoken} from {case.peer}: {entry.type}")
    if handed.handled and not as_json:
        click.echo(f"The command has taken over {handed.handled}.")
    if handed.failed:
        click.echo(str(DeskError("not_handed_over", count=handed.failed)), err=True)
    _warn(round_)


def _warn(round_: Round) -> None:
    for trouble in round_.troubles:
        click.echo(str(trouble), err=True)


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    return stop


if __name__ == "__main__":
    sys.exit(main())
