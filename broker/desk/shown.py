"""What the desk's commands print in lists: one JSON value and one text for each kind of answer.

Lists carry no narrative: who, which service, how urgent, where it stands. Where the network is a
demonstration, every output says so. Nothing here decides or reads anything; one case is shown by
`shown_cases`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from broker.desk.courier import Round
from broker.desk.errors import sentence
from broker.desk.finding import Found, Page
from broker.desk.records import Case, Entry, Sending
from broker.desk.standing import Outstanding, Standing
from contracts.encoding import JsonInput
from contracts.fold import Place
from contracts.lifecycle import Side
from contracts.root import RootFile
from contracts.timers import Level
from contracts.times import utc_text

Shown = dict[str, JsonInput]


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
        "lead": case.lead.value,
        "consent_until": utc_text(case.until),
        "began": utc_text(case.began),
        "changed": utc_text(case.changed),
        "why": sentence(case.why) if case.why else None,
    }


def case_line(case: Case) -> str:
    """A case as one line."""
    to = "to  " if case.side is Side.REFERRER else "from"
    needs = ", ".join(case.needs)
    return f"{case.spoken}  {case.state:<12}  {to} {case.peer}  {case.urgency:<13}  {needs}"


def inbox_text(cases: Iterable[Case], apart: Iterable[Entry]) -> str:
    """All cases, newest change first, then what belongs to no case."""
    lines = [case_line(case) for case in cases] or ["No case yet."]
    found = [apart_line(entry) for entry in apart]
    return "\n".join([*lines, "", "Apart from any case:", *found] if found else lines)


def apart_line(entry: Entry) -> str:
    """A message that belongs to no case as one line."""
    to = "to  " if entry.own else "from"
    return f"{entry.id}  {entry.at}  {to} {entry.peer}  {entry.type} ({way(entry)})"


def apart_json(entry: Entry) -> Shown:
    """A message that belongs to no case, without what it says."""
    return {
        "id": entry.id,
        "type": entry.type,
        "peer": entry.peer,
        "by": "us" if entry.own else "them",
        "at": entry.at,
        "sending": entry.sending.value,
    }


def found_json(found: Found) -> Shown:
    """One service of a search."""
    return {
        "service_id": found.service_id,
        "name": found.name,
        "organisation": found.organisation,
        "org": found.org,
        "can_receive": found.can_receive,
        "unconfirmed": found.unconfirmed,
    }


def found_text(page: Page) -> str:
    """A page of services."""
    lines = [f"{page.total} found"]
    if page.left_out:
        lines.append(
            f"{page.left_out} of them are not shown: what the directory says is not what was"
            " signed. Tell your coordinator."
        )
    for one in page.found:
        how = (
            f"can receive; send --to {one.org} --service {one.service_id}"
            if one.can_receive
            else "cannot receive yet; phone them (the directory's page has the number)"
        )
        lines += ["", f"{one.name} ({one.organisation})", f"  {how}"]
        if one.unconfirmed:
            lines.append("  entered by one coordinator, unconfirmed")
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
    "failed": "did not arrive",
    "frozen": "is with an organisation that was frozen: phone them on a number you know",
    "doubtful": "came from a computer that may have been in wrong hands: phone them and ask",
    "unknown_case": "is a warning about a case that this desk does not know: phone them",
    "gap": "waits for an earlier message that has not come: phone them",
    "ours_acknowledge": "waits for your first sign that somebody has seen it",
    "theirs_acknowledge": "has had no sign that anybody has seen it: phone them",
    "ours_decide": "waits for your decision",
    "theirs_decide": "has had no decision in time: phone them",
    "ours_inform": "waits for your answers to their questions",
    "theirs_inform": "has had no answers to your questions in time: phone them",
    "ours_serve": "was accepted and should have begun",
    "theirs_serve": "was accepted and has not begun in time: phone them",
    "ours_meet": "JOURNEY: say whether the person was met, and phone the other duty desk",
    "theirs_meet": "JOURNEY: nobody has said that the person was met. Phone both duty desks now",
    "ours_erase": "waits for you to confirm the erasure or name the legal hold",
    "theirs_erase": "has had no confirmation of the erasure: phone them",
    "ours_second_person": "was decided by one person alone: a second one must confirm it",
    "theirs_second_person": "was decided by one person alone and never confirmed: phone them",
}
# A second focal person and the alternatives help at these stages.
_ESCALATED = ("_acknowledge", "_decide", "_serve")
_LEVELS: Mapping[Level, str] = {
    Level.AWAITED: "         ",
    Level.REMIND: "OVERDUE  ",
    Level.SECOND_PERSON: "OVERDUE, tell your second focal person  ",
    Level.TELL_BOTH: "OVERDUE, tell the referrer with the alternatives already agreed  ",
}


def _outstanding_json(one: Outstanding) -> Shown:
    head = case_json(one.case) if one.case is not None else {"peer": one.peer}
    return {
        **head,
        "kind": one.kind,
        "type": one.type or None,
        "overdue": one.overdue,
        "due": None if one.at is None else utc_text(one.at),
        "level": one.level.name.lower(),
        "reason": one.why or None,
    }


def _level(one: Outstanding) -> Level:
    """How far a breach has gone; where nobody else can help, people are told to telephone."""
    if not one.overdue:
        return Level.AWAITED
    return one.level if one.kind.endswith(_ESCALATED) else Level.REMIND


def _outstanding_text(one: Outstanding) -> str:
    late = _LEVELS[_level(one)]
    name = one.case.spoken if one.case is not None else "(no case)"
    what = f" {one.type}" if one.type and one.type != "referral.requested" else ""
    due = "" if one.at is None or one.overdue else f", by {moment(one.at)}"
    why = f": {one.why}" if one.why else ""
    return f"{late}{name} ({one.peer}){what} {_KINDS[one.kind]}{due}{why}"


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
    Sending.GIVEN_UP: "taken back before it left",
    Sending.RECEIVED: "received",
}


def way(entry: Entry) -> str:
    """How far a message has come, in words."""
    said = _SENDING[entry.sending]
    if entry.place is Place.WAITING:
        return f"{said}; waits for an earlier message"
    return f"{said}; without effect" if entry.place is Place.VOID else said
