"""From what somebody typed to a message's body, and from a broken rule back to its input.

Nothing is filled in that was not said; the two exceptions are facts and no answers: a consent's
number, and that onward sharing is not part of it. Problems are sentences by field; no value is
repeated but in its own input.

    filled = read(fields, form)       filled.body, filled.problems
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from werkzeug.datastructures import MultiDict

from broker.desk.web.fields import Field, Kind
from broker.desk.web.moments import utc_of_last_second, utc_of_moment
from broker.service.language import gettext as _
from contracts.encoding import JsonObject, JsonValue
from contracts.errors import ContractError
from contracts.messages import problems_in_body, read_body

Form = MultiDict[str, str]

MOST_IN_FEW: Final = 3
# What no input can hold at all; shown above the form.
GENERAL: Final = ""


@dataclass(frozen=True, slots=True)
class Filled:
    """A form as it was read. `problems` are sentences by field name; empty: the body is legal."""

    body: JsonObject = field(repr=False)
    problems: Mapping[str, str]


def read(fields: Sequence[Field], form: Form, *, to: str = "") -> Filled:
    """The body that a form holds. `to`: whom a tick of consent names."""
    body: JsonObject = {}
    problems: dict[str, str] = {}
    for one in fields:
        value = _value(one, form, to=to)
        if value is None:
            if one.required:
                problems[one.name] = _missing(one)
            elif _typed(one, form):
                problems[one.name] = _wrong(one)
        else:
            _put(body, one.name, value)
    return Filled(body, problems)


def judged(message_type: str, fields: Sequence[Field], filled: Filled) -> Filled:
    """The same with what the agreement's schema says of it."""
    problems = dict(filled.problems)
    for problem in problems_in_body(message_type, filled.body):
        within = [one for one in fields if _below(problem.instance_path, one.pointer)]
        if any(one.name in problems for one in within):
            continue  # what is missing here, a field of its own has said already
        one = _field_at(problem.instance_path, fields) or next(iter(within), None)
        if one is None:
            problems.setdefault(GENERAL, _("Something in this form is not allowed."))
        elif one.name not in problems:
            problems[one.name] = _missing(one) if problem.keyword == "required" else _wrong(one)
    if not problems:
        problems |= _misread(message_type, fields, filled.body)
    return Filled(filled.body, problems)


def known(fields: Iterable[Field], form: Form) -> Form:
    """What `form` holds for these fields, and nothing else."""
    names = [one.name for one in fields]
    return MultiDict([(name, value) for name in names for value in form.getlist(name)])


def _misread(message_type: str, fields: Sequence[Field], body: JsonObject) -> dict[str, str]:
    """What a schema cannot see, such as the 31st of February."""
    try:
        read_body(message_type, body)
    except ContractError as error:
        one = _field_at("/" + error.field.lstrip("/").replace(".", "/"), fields)
        return {one.name: _wrong(one)} if one else {GENERAL: _("Something here is not allowed.")}
    return {}


def _value(one: Field, form: Form, *, to: str) -> JsonValue | None:
    given = [text.strip() for text in form.getlist(one.name) if text.strip()]
    if not given:
        return None
    if one.kind in (Kind.MANY, Kind.FEW):
        several: list[JsonValue] = [*dict.fromkeys(given)]
        return several if one.kind is Kind.MANY else several[:MOST_IN_FEW]
    if one.kind is Kind.TICK:
        return [to]
    if one.kind is Kind.MOMENT:
        return utc_of_moment(given[0])
    if one.kind is Kind.UNTIL:
        return utc_of_last_second(given[0])
    if one.kind is Kind.DAY:
        return given[0] if utc_of_last_second(given[0]) is not None else None
    # Browsers send line ends of their own; what was typed has one kind.
    return given[0].replace("\r\n", "\n").replace("\r", "\n")


def _typed(one: Field, form: Form) -> bool:
    return any(text.strip() for text in form.getlist(one.name))


def _put(body: JsonObject, name: str, value: JsonValue) -> None:
    *way, last = name.split(".")
    for step in way:
        inner = body.setdefault(step, {})
        if not isinstance(inner, dict):
            return
        body = inner
    body[last] = value


def _field_at(pointer: str, fields: Sequence[Field]) -> Field | None:
    found = [one for one in fields if _below(one.pointer, pointer)]
    if found:
        return max(found, key=lambda one: len(one.pointer))
    return None


def _below(upper: str, lower: str) -> bool:
    return lower == upper or lower.startswith(upper + "/")


def _missing(one: Field) -> str:
    if one.kind is Kind.TICK:
        return _("Tick this once the person has agreed to it.")
    if one.kind is Kind.MANY:
        return _("Tick at least one.")
    if one.kind in (Kind.ONE, Kind.FEW):
        return _("Choose one.")
    return _("Fill this in.")


def _wrong(one: Field) -> str:
    if one.name == "safety.channels":
        return _("Untick these, or choose direct contact: nothing is offered without agreement.")
    if one.name == "note.text":
        return _("The note is too long, or has characters that cannot be sent.")
    if one.kind in (Kind.DAY, Kind.UNTIL, Kind.MOMENT):
        return _("Give a day of the calendar, and a time where one is asked.")
    if one.kind is Kind.LINE:
        return _("This is not such a code. Correct it or leave it empty.")
    return _("This cannot be chosen here. Choose again.")
