"""How one case is shown on the command line: its messages, what may be said, what is missing.

A note opens only when it is asked for by itself, and so do names, contacts and the places of a
journey. Nothing here decides or reads anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from broker.desk.cases import CaseView
from broker.desk.errors import field_words, sentence
from broker.desk.records import Case, Entry
from broker.desk.shown import Shown, apart_line, case_line, moment, way
from contracts.encoding import JsonObject, JsonValue
from contracts.fold import JourneyStands, Place
from contracts.lifecycle import Move
from contracts.safety import Finding
from contracts.timers import Due
from contracts.times import utc_text
from countries.corridor import Requirement

# Short words for what is said most, by the table's own.
VERBS: Mapping[str, str] = {
    "acknowledge": "referral.acknowledged",
    "accept": "referral.accepted",
    "decline": "referral.declined",
}
_OPTIONS: Mapping[str, str] = {
    "referral.acknowledged": "acknowledge --role ROLE",
    "referral.accepted": "accept --role ROLE",
    "referral.declined": "decline --reason REASON --next-step STEP",
}
_CLOSED_WHOLE = frozenset({"identity.released", "journey.planned", "journey.changed"})
_FREE_TEXT = frozenset({"note", "text"})
WITHHELD_WHOLE = "(names, contacts or places; `show --note` opens them)"
WITHHELD = "(a note; `show --note` opens it)"


def apart_text(entry: Entry, message: JsonObject, *, note: bool) -> str:
    """A message that belongs to no case, for a person."""
    shown = message if note else without_note(message)
    return "\n".join([apart_line(entry), *_indented(shown.get("body"), 1)])


def entry_json(entry: Entry, message: JsonObject, *, note: bool) -> Shown:
    """One event with what was said."""
    return {
        "id": entry.id,
        "type": entry.type,
        "by": "us" if entry.own else "them",
        "at": entry.at,
        "sending": entry.sending.value,
        "place": entry.place.value,
        "rule": entry.code or None,
        "why": _why(entry) or None,
        "message": message if note else without_note(message),
    }


def course_json(view: CaseView) -> Shown:
    """What the fold says of a case besides its state."""
    course = view.course
    return {
        "identity_released": course.identity_released,
        "lead_offered": course.lead_offered,
        "journey": course.journey.value,
        "contact_stopped": course.contact_stopped,
        "erasure_owed_by": sorted(side.value for side in course.owed),
        "legal_hold_by": sorted(side.value for side in course.held),
        "moves": [str(move) for move in view.moves],
    }


def case_text(
    view: CaseView,
    messages: Mapping[str, JsonObject],
    *,
    note: bool,
    marks: Iterable[Finding] = (),
    dues: Iterable[Due] = (),
) -> str:
    """A case with its messages, for a person."""
    case = view.case
    lines = [case_line(case), f"whole reference {case.ref}, service {case.service}"]
    lines += [f"The lead has the {case.lead.value}. The consent ends {utc_text(case.until)}."]
    lines += [sentence(case.why)] if case.why else []
    lines += list(_course_lines(view))
    lines += [remark(mark) for mark in marks]
    lines += [_due_text(due, case) for due in dues]
    for entry in view.entries:
        who = "we" if entry.own else "they"
        lines += ["", f"{entry.at}  {entry.type}, said {who} ({way(entry)})"]
        lines += [f"  {_why(entry)}"] if _why(entry) else []
        message = messages[entry.row] if note else without_note(messages[entry.row])
        lines += _indented(message.get("body"), 1)
    if view.moves:
        lines += ["", "You can say:"]
        lines += [f"  rujukan answer {case.spoken} {_command(move)}" for move in view.moves]
    return "\n".join(lines)


def remark(finding: Finding) -> str:
    """A safety rule's sentence."""
    return sentence(finding.code, field=field_words(finding.field))


def finding_json(finding: Finding) -> Shown:
    """A safety rule that is not kept, or that both desks show."""
    return {
        "code": finding.code,
        "rule": finding.rule.value,
        "field": finding.field,
        "weight": finding.weight.value,
        "sentence": remark(finding),
    }


def requirement_json(item: Requirement) -> Shown:
    """What the two countries ask for."""
    return {
        "code": item.code,
        "who": item.who,
        "weight": item.weight.value,
        "met": item.met,
        "confirmable": item.confirmable,
        "sentence": item.sentence,
        "source": item.source.title,
        "country": item.source.country,
        "confidence": item.source.confidence.value,
    }


def checked_text(found: Iterable[Finding], asked: Iterable[Requirement]) -> str:
    """What stands in the way and what to think of, for a person."""
    lines = [f"{one.weight.value.upper():<8} {remark(one)}" for one in found]
    lines += [_requirement_text(item) for item in asked]
    return "\n".join(lines) or "Nothing stands in the way."


def _requirement_text(item: Requirement) -> str:
    met = "there" if item.met else ("MISSING" if item.weight.value == "blocking" else "look at")
    law = item.source.title or "no law named"
    unsure = ", to be confirmed by the coordinator" if item.source.to_be_confirmed else ""
    return f"{met:<8} {item.code}: {item.sentence} ({law}{unsure})"


def _course_lines(view: CaseView) -> Iterable[str]:
    course = view.course
    if course.contact_stopped:
        yield "STOP: somebody has warned that contact is not safe. Contact nobody by those means."
    if course.journey is not JourneyStands.NONE:
        yield f"Journey: {course.journey.value.replace('_', ' ')}."
    for side in sorted(course.owed):
        held = " and names a legal hold" if side in course.held else ""
        yield f"The {side.value} has to confirm the erasure{held}."


def _command(move: Move) -> str:
    if move.type in _OPTIONS:
        return _OPTIONS[move.type]
    word = f" ({move.word.replace('_', ' ')})" if move.word else ""
    return f"{move.type} --body FILE{word}"


def without_note(message: JsonObject) -> JsonObject:
    """The message with its free text closed, and with names, contacts and places closed too."""
    body = message.get("body")
    if not isinstance(body, dict):
        return message
    if message.get("type") in _CLOSED_WHOLE:
        return message | {"body": {"closed": WITHHELD_WHOLE}}
    return message | {"body": _closed(body)}


def _closed(value: JsonValue) -> JsonValue:
    """Without what people wrote: notes, and free text, which is always a member `text`."""
    if isinstance(value, list):
        return [_closed(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: WITHHELD if name in _FREE_TEXT else _closed(inner) for name, inner in value.items()
    }


def due_json(due: Due, *, now: int) -> Shown:
    """One thing awaited."""
    return {
        "stage": due.stage.value,
        "by": due.by.value,
        "at": utc_text(due.at),
        "level": due.level(now).name.lower(),
    }


def _due_text(due: Due, case: Case) -> str:
    who = "you" if due.by is case.side else "them"
    return f"Due from {who}: {due.stage.value.replace('_', ' ')} by {moment(due.at)}."


def _why(entry: Entry) -> str:
    if entry.place is Place.VOID:
        return sentence("void")
    return sentence(entry.code) if entry.code else ""


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
