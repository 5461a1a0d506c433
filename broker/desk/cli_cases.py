"""The desk's commands that say something: `send`, `show` and `answer`.

No word of a case is ever an argument: bodies come from a file or standard input. Each sends and
fetches what is due; the sentence at the end says what became of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Final

import click

from broker.desk import shown, shown_cases, terminal
from broker.desk.cases import find_case, view
from broker.desk.courier import Round, tick
from broker.desk.errors import DeskError
from broker.desk.peers import parse_org, register_with
from broker.desk.records import Case, Sending
from broker.desk.saying import marks_of, say, send_again, tell_colleagues, write
from broker.desk.sending import (
    Sent,
    corridor_of,
    findings,
    read_request,
    read_typed,
    send_referral,
    with_service,
)
from broker.desk.standing import due_in
from broker.desk.store import Rows
from broker.desk.unlocking import Desk, local_time
from broker.service.commands import json_option
from contracts.bodies import IdentityReleased
from contracts.codes import DECLINE_REASONS, NEXT_STEPS, STAFF_ROLES
from contracts.encoding import JsonInput, JsonObject, parse_object
from contracts.envelope import MAX_MESSAGE
from contracts.errors import ContractError
from contracts.examples import example_body, example_request
from contracts.identifiers import parse_org_id
from contracts.lifecycle import EVENT_TYPES
from contracts.messages import APART, BODIES, render_body

NO_SERVICE: Final = "00000000-0000-4000-8000-000000000000"
REQUEST: Final = "referral.requested"
# What one desk of an organisation tells the others, by the verb that says it.
_AMONG_US: Final = {"claim": "claimed", "release": "released", "hand-over": "reassigned"}
AGAIN: Final = "again"
_WHAT: Final = (*shown_cases.VERBS, *sorted(EVENT_TYPES), *_AMONG_US, AGAIN)
_SENT: Final = (REQUEST, *sorted(APART - {"org.event"}))


@click.command()
@click.option("--to", "to", default=None, help="The organisation's id, as `find` shows it.")
@click.option("--service", default=None, help="The service's id, as `find` shows it.")
@click.option(
    "--type",
    "message_type",
    type=click.Choice(_SENT),
    default=REQUEST,
    show_default=True,
    help="What is sent: a referral, or a message apart from any case.",
)
@click.option("--example", is_flag=True, help="Print a complete fictional body to edit, and stop.")
@click.option(
    "--check", "only_check", is_flag=True, help="Say what stands in the way, and send nothing."
)
@click.option(
    "--confirm",
    "confirmed",
    multiple=True,
    metavar="CODE",
    help="What the two countries ask for and you have seen to; --check lists the codes.",
)
@click.option(
    "--identity",
    type=click.File("rb"),
    default=None,
    help="The identity.released body kept for later: no note may repeat a word of it.",
)
@click.argument("file", type=click.File("rb"), required=False)
@json_option
def send(
    *,
    to: str | None,
    service: str | None,
    message_type: str,
    example: bool,
    only_check: bool,
    confirmed: tuple[str, ...],
    identity: IO[bytes] | None,
    file: IO[bytes] | None,
    as_json: bool,
) -> None:
    """Send a referral, or a message apart from any; FILE (or -) holds its body as JSON."""
    if example:
        click.echo(_example(message_type, to, service))
        return
    if to is None or file is None:
        raise click.UsageError("Give --to ORGANISATION and a FILE, or --example.")
    body, draft = _read_body(file), _read_identity(identity)
    with terminal.unlocked() as desk:
        if only_check:
            _say_checked(desk, to, with_service(body, service), draft, confirmed, as_json=as_json)
            return
        if message_type == REQUEST:
            sent = send_referral(
                desk, to=to, body=body, service=service, identity=draft, confirmed=confirmed
            )
        else:
            sent = write(desk, to=to, message_type=message_type, body=body)
        round_ = tick(desk, eager=True)
        _say_sent(desk, sent, round_, as_json=as_json)


@click.command()
@click.argument("ref")
@click.option("--note", is_flag=True, help="Open the notes, and names and contacts, too.")
@json_option
def show(*, ref: str, note: bool, as_json: bool) -> None:
    """Show one case, or one message apart from any.

    REF is the six characters that both desks show, or the message's number from `inbox`.
    """
    with terminal.unlocked() as desk, desk.store.reading() as rows:
        apart = next((entry for entry in rows.apart() if entry.id == ref.lower()), None)
        if apart is not None:
            message = parse_object(rows.message(apart.row), limit=MAX_MESSAGE)
            text = shown_cases.apart_text(apart, message, note=note)
            terminal.say(
                desk.root, as_json, shown_cases.entry_json(apart, message, note=note), text
            )
            return
        _show_case(desk, rows, find_case(rows.cases(), ref), note=note, as_json=as_json)


@click.command("answer")
@click.argument("ref")
@click.argument("what", type=click.Choice(_WHAT), metavar="WHAT")
@click.option("--role", type=click.Choice(STAFF_ROLES), default=None, help="Who of you answers.")
@click.option("--reason", type=click.Choice(DECLINE_REASONS), default=None, help="Why you decline.")
@click.option("--next-step", type=click.Choice(NEXT_STEPS), default=None, help="What they can do.")
@click.option("--body", type=click.File("rb"), default=None, help="The whole body as JSON (or -).")
@click.option("--example", is_flag=True, help="Print a complete fictional body to edit, and stop.")
@click.option(
    "--identity",
    type=click.File("rb"),
    default=None,
    help="The identity.released body kept for later: no note may repeat a word of it.",
)
@click.option("--device", default=None, help="hand-over: the colleague's desk.")
@click.option("--message", default=None, help="again: the message's number, as `show` gives it.")
@json_option
def answer_command(
    *,
    ref: str,
    what: str,
    role: str | None,
    reason: str | None,
    next_step: str | None,
    body: IO[bytes] | None,
    example: bool,
    identity: IO[bytes] | None,
    device: str | None,
    message: str | None,
    as_json: bool,
) -> None:
    """Say something in a case. `show` lists what may be said now.

    WHAT is acknowledge, accept or decline (with --role, or --reason and --next-step), or any type
    of message with its --body, such as identity.released or consent.withdrawn. Among your own
    desks: claim, release, hand-over. After you have telephoned: again seals one message anew.
    """
    message_type = shown_cases.VERBS.get(what, what)
    if example and message_type in BODIES:
        click.echo(_example(message_type, None, None))
        return
    draft = _read_identity(identity)
    given = _answer_body(what, role=role, reason=reason, next_step=next_step, body=body)
    with terminal.unlocked() as desk:
        with desk.store.reading() as rows:
            case = find_case(rows.cases(), ref)
        if what in _AMONG_US:
            sent = tell_colleagues(desk, case, _AMONG_US[what], role=role, to_device=device)
        elif what == AGAIN:
            sent = send_again(desk, case, message or "")
        else:
            sent = say(desk, case, message_type, given, identity=draft)
        round_ = tick(desk, eager=True)
        _say_sent(desk, sent, round_, as_json=as_json)


def _read_body(file: IO[bytes]) -> JsonObject:
    try:
        return parse_object(file.read(MAX_MESSAGE + 1), limit=MAX_MESSAGE)
    except ContractError:
        raise DeskError("not_json") from None


def _read_identity(file: IO[bytes] | None) -> IdentityReleased | None:
    if file is None:
        return None
    body = read_typed("identity.released", _read_body(file))
    return body if isinstance(body, IdentityReleased) else None


def _example(message_type: str, to: str | None, service: str | None) -> str:
    body: Mapping[str, JsonInput] = example_body(message_type)
    if to is not None and message_type == REQUEST:
        body = render_body(
            example_request(
                recipient=parse_org_id(to), service_id=service or NO_SERVICE, now=local_time()
            )
        )
    return _pretty(body)


def _pretty(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _answer_body(
    what: str,
    *,
    role: str | None,
    reason: str | None,
    next_step: str | None,
    body: IO[bytes] | None,
) -> JsonObject:
    """The body from a file with what the options spell out laid over it."""
    given = _read_body(body) if body is not None else {}
    if what in shown_cases.VERBS:
        _require_answer(what, role=role, reason=reason, next_step=next_step, body=body)
        return given | _given(what, role=role, reason=reason, next_step=next_step)
    if what not in (*_AMONG_US, AGAIN) and body is None:
        raise click.UsageError("Give the message's --body FILE; --example prints one to edit.")
    return given


def _given(what: str, *, role: str | None, reason: str | None, next_step: str | None) -> JsonObject:
    """The body that the options spell out."""
    declines = what == "decline"
    role_member = "by_role" if what == "acknowledge" else "focal_role"
    named = {
        role_member: None if declines else role,
        "reason": reason,
        "next_step": next_step,
    }
    return {name: value for name, value in named.items() if value is not None}


def _require_answer(
    what: str,
    *,
    role: str | None,
    reason: str | None,
    next_step: str | None,
    body: IO[bytes] | None,
) -> None:
    declines = what == "decline"
    if body is None and declines and (reason is None or next_step is None):
        raise click.UsageError("Say why and what they can do: --reason and --next-step.")
    if body is None and not declines and role is None:
        raise click.UsageError("Say who of you answers: --role.")


def _show_case(desk: Desk, rows: Rows, case: Case, *, note: bool, as_json: bool) -> None:
    now = desk.clock()
    seen = view(rows, case, now=now)
    messages = {
        entry.row: parse_object(rows.message(entry.row), limit=MAX_MESSAGE)
        for entry in seen.entries
    }
    marks = marks_of(rows, desk, case)
    awaited = due_in(desk, case, seen.entries, now=now)
    entries: list[JsonInput] = [
        shown_cases.entry_json(entry, messages[entry.row], note=note) for entry in seen.entries
    ]
    value: dict[str, JsonInput] = {
        **shown.case_json(seen.case),
        **shown_cases.course_json(seen),
        "entries": entries,
        "marks": [mark.code for mark in marks],
        "dues": [shown_cases.due_json(due, now=now) for due in awaited],
    }
    text = shown_cases.case_text(seen, messages, note=note, marks=marks, dues=awaited)
    terminal.say(desk.root, as_json, value, text)


def _say_checked(
    desk: Desk,
    to: str,
    body: JsonObject,
    identity: IdentityReleased | None,
    confirmed: tuple[str, ...],
    *,
    as_json: bool,
) -> None:
    """What stands in the way of a referral, and what to think of; nothing is kept."""
    recipient, now = parse_org(to), desk.clock()
    register_with(desk, recipient, now=now)
    request = read_request(body)
    found = findings(desk, request, to=recipient, identity=identity, now=now)
    asked = corridor_of(desk, request, to=recipient, confirmed=confirmed)
    value: dict[str, JsonInput] = {
        "findings": [shown_cases.finding_json(one) for one in found],
        "requirements": [shown_cases.requirement_json(one) for one in asked],
    }
    terminal.say(desk.root, as_json, value, shown_cases.checked_text(found, asked))


def _say_sent(desk: Desk, sent: Sent, round_: Round, *, as_json: bool) -> None:
    value: dict[str, JsonInput] = {
        "sent": list(sent.types),
        "remarks": [shown_cases.finding_json(one) for one in sent.remarks],
        "troubles": shown.troubles_json(round_),
    }
    with desk.store.reading() as rows:
        case = None if sent.case is None else rows.case(sent.case.row)
        entries = rows.apart() if case is None else rows.entries(case.row)
    waiting = any(entry.own and entry.sending is Sending.KEPT for entry in entries)
    how = "kept here, and sent as soon as the hub can be reached" if waiting else "sent"
    what = f"{' and '.join(sent.types)} {how}."
    if case is not None:
        value |= shown.case_json(case)
        what = f"{case.spoken}: {what} The case is {case.state.value}."
    value["kept"] = waiting
    remarks = [shown_cases.remark(one) for one in sent.remarks]
    terminal.say(desk.root, as_json, value, "\n".join([what, *remarks]))
    terminal.warn(round_)
