"""What the desk's commands print: one JSON value and one text for each kind of answer.

Lists carry no narrative: who, which service, how urgent, where it stands. A message is shown only
by `show`, and its note only when it is asked for by itself. Where the network is a demonstration,
every output says so. Nothing here decides or reads anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from broker.desk.cases import CaseView
from broker.desk.courier import Round
from broker.desk.errors import sentence
from broker.desk.finding import Found, Page
from broker.desk.records import Case, Entry, Place, Sending
from broker.desk.standing import Outstanding, Standing
from contracts.encoding import JsonInput, JsonObject, JsonValue
from contracts.lifecycle import Event, Side
from contracts.root import RootFile
from contracts.times import utc_text

Shown = dict[str, JsonInput]

VERBS: Mapping[Event, str] = {
    Event.ACKNOWLEDGED: "acknowledge",
    Event.ACCEPTED: "accept",
    Event.DECLINED: "decline",
}
_ANSWERS: Mapping[Event, str] = {
    Event.ACKNOWLEDGED: "acknowledge --role ROLE",
    Event.ACCEPTED: "accept --role ROLE",
    Event.DECLINED: "decline --reason REASON --next-step STEP",
}
WITHHELD = "(a note; `show --note` opens it)"


def labelled(root: RootFile, value: Mapping[str, JsonInput], text: str) -> tuple[Shown, str]:
    """The same, saying which network it is, and in every output when that is no real one."""
    facts: Shown = {"network": root.net, "demo": root.demonstration}
    if root.demonstration:
        text = f"DEMO network {root.net}: nothing here is real.\n{text}"
    return {**facts, **value}, text


def case_json(case: Case) -> Shown:
    """A case as lists give it to programs."""
    return {
        "reference": case.spoken,
        "referral_ref": case.ref,
        "peer": case.peer,
        "side": case.side.value,
        "state": case.state.value,
        "urgency": case.urgency,
        "service_id": case.service,
        "needs": list(case.needs),
        "began": utc_text(case.began),
        "changed": utc_text(case.changed),
        "why": sentence(case.why) if case.why else None,
    }


def case_line(case: Case) -> str:
    """A case as one line."""
    way = "to  " if case.side is Side.REFERRER else "from"
    needs = ", ".join(case.needs)
    return f"{case.spoken}  {case.state:<12}  {way} {case.peer}  {case.urgency:<13}  {needs}"


def inbox_text(cases: Iterable[Case]) -> str:
    """All cases, newest change first."""
    lines = [case_line(case) for case in cases]
    return "\n".join(lines) or "No case yet."


def entry_json(entry: Entry, message: JsonObject, *, note: bool) -> Shown:
    """One event with what was said."""
    return {
        "type": entry.type,
        "by": "us" if entry.own else "them",
        "at": entry.at,
        "sending": entry.sending.value,
        "place": entry.place.value,
        "why": sentence(entry.code) if entry.code else None,
        "message": message if note else without_note(message),
    }


def case_text(view: CaseView, messages: Mapping[str, JsonObject], *, note: bool) -> str:
    """A case with its messages, for a person."""
    case = view.case
    lines = [case_line(case), f"whole reference {case.ref}, service {case.service}"]
    if case.why:
        lines.append(sentence(case.why))
    for entry in view.entries:
        who = "we" if entry.own else "they"
        lines += ["", f"{entry.at}  {entry.type}, said {who} ({_way(entry)})"]
        message = messages[entry.row] if note else without_note(messages[entry.row])
        lines += _indented(message.get("body"), 1)
    if view.answers:
        lines += ["", "You can answer:"]
        lines += [f"  rujukan answer {case.spoken} {_ANSWERS[event]}" for event in view.answers]
    return "\n".join(lines)


def without_note(message: JsonObject) -> JsonObject:
    """The message with its free text closed."""
    body = message.get("body")
    if not isinstance(body, dict) or "note" not in body:
        return message
    return message | {"body": body | {"note": WITHHELD}}


def found_json(found: Found) -> Shown:
    """One service of a search."""
    return {
        "service_id": found.service_id,
        "name": found.name,
        "organisation": found.organisation,
        "org": found.org,
        "can_receive": found.can_receive,
    }


def found_text(page: Page) -> str:
    """A page of services."""
    lines = [f"{page.total} found"]
    for one in page.found:
        how = (
            f"can receive; send --to {one.org} --service {one.service_id}"
            if one.can_receive
            else "cannot receive yet; phone them (the directory's page has the number)"
        )
        lines += ["", f"{one.name} ({one.organisation})", f"  {how}"]
    return "\n".join(lines)


def standing_json(standing: Standing) -> Shown:
    """The desk's standing."""
    return {
        "outstanding": [_outstanding_json(one) for one in standing.outstanding],
        "hub_reachable": standing.hub_reachable,
        "mirror_age_seconds": standing.mirror_age,
        "key_weeks_ahead": standing.weeks_ahead,
        "to_hand_over": standing.to_hand_over,
        "alarms": standing.alarms,
        "unreadable": standing.unreadable,
    }


def standing_text(standing: Standing) -> str:
    """The desk's standing, what must be done first."""
    lines = [_outstanding_text(one) for one in standing.outstanding] or ["Nothing is outstanding."]
    lines.append("")
    lines.append("The hub answers." if standing.hub_reachable else sentence("hub_unreachable"))
    lines.append(_age_text(standing.mirror_age))
    if standing.weeks_ahead is None:
        lines.append(sentence("not_admitted"))
    else:
        lines.append(f"Keys are published for {max(0, standing.weeks_ahead)} weeks ahead.")
    if standing.to_hand_over:
        lines.append(f"{standing.to_hand_over} received messages wait for `consume --exec`.")
    if standing.alarms:
        lines.append(f"ALARM: {standing.alarms} envelopes under a known number with other content.")
    if standing.unreadable:
        lines.append(f"{standing.unreadable} envelopes could not be opened; their senders know.")
    return "\n".join(lines)


def troubles_json(round_: Round) -> list[JsonInput]:
    """What could not be done now."""
    return [str(trouble) for trouble in round_.troubles]


def moment(seconds: int) -> str:
    """A time for people."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


_KINDS: Mapping[str, str] = {
    "not_sent": "is kept here and not yet accepted by the hub",
    "not_stored": "was sent, but their desk has not confirmed it: phone them",
    "answer_us": "waits for your answer",
    "answer_them": "has had no answer in time: phone them",
    "failed": "did not arrive",
}


def _outstanding_json(one: Outstanding) -> Shown:
    why = one.why or None
    return {**case_json(one.case), "kind": one.kind, "overdue": one.overdue, "reason": why}


def _outstanding_text(one: Outstanding) -> str:
    late = "OVERDUE  " if one.overdue else "         "
    why = f": {one.why}" if one.why else ""
    return f"{late}{one.case.spoken} ({one.case.peer}) {_KINDS[one.kind]}{why}"


def _age_text(age: int | None) -> str:
    if age is None:
        return "The directory's log has never been read."
    return f"The directory's log was read {age // 60} minutes ago."


_SENDING: Mapping[Sending, str] = {
    Sending.KEPT: "kept, not yet sent",
    Sending.ACCEPTED: "the hub has it",
    Sending.STORED: "their desk has it",
    Sending.FAILED: "failed",
    Sending.EXPIRED: "not delivered in time",
    Sending.SUPERSEDED: "sealed again",
    Sending.RECEIVED: "received",
}


def _way(entry: Entry) -> str:
    way = _SENDING[entry.sending]
    if entry.place is Place.WAITING:
        return f"{way}; waits for an earlier message"
    return f"{way}; without effect" if entry.place is Place.VOID else way


def _indented(value: JsonValue, depth: int) -> list[str]:
    """JSON as an outline; what people wrote cannot leave its line or rewrite the screen."""
    if isinstance(value, dict):
        lines = []
        for name, inner in value.items():
            plain = not isinstance(inner, dict | list)
            head = f"{'  ' * depth}{name}:"
            lines += [f"{head} {_plain(inner)}"] if plain else [head, *_indented(inner, depth + 1)]
        return lines
    if isinstance(value, list):
        return [line for item in value for line in _indented(item, depth)]
    return [f"{'  ' * depth}{_plain(value)}"]


def _plain(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "".join(letter if letter.isprintable() else " " for letter in str(value))
