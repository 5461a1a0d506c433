"""A message as a page shows it: label and words, line by line, in the form's own order.

What a form of ours does not ask is shown too, under its own label or, where it is newer than this
program, under its name in the agreement: nothing that was received is hidden. Notes are left out;
they are opened by their own click.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from broker.desk.web import moments
from broker.desk.web.fields import (
    ACCEPT,
    ACKNOWLEDGE,
    DECLINE,
    ONLY_SHOWN,
    REQUEST,
    Field,
    Kind,
    all_fields,
)
from broker.desk.web.labels import label
from broker.service.language import gettext as _
from contracts.encoding import JsonObject, JsonValue

_KNOWN: Final = {
    one.name: one for one in all_fields((*REQUEST, *ACKNOWLEDGE, *ACCEPT, *DECLINE)) + ONLY_SHOWN
}
_ORDER: Final = {name: place for place, name in enumerate(_KNOWN)}
# Numbers for machines.
_UNSHOWN: Final = frozenset({"consent.id"})


@dataclass(frozen=True, slots=True)
class Line:
    """One answer. `values` may be what somebody typed; templates isolate it."""

    label: str
    values: tuple[str, ...] = field(repr=False)


def sheet(body: JsonObject) -> tuple[Line, ...]:
    """The lines of a message's body."""
    found: dict[str, list[str]] = {}
    for name, value in _leaves(body, ""):
        if name not in _UNSHOWN and not name.startswith("note."):
            found.setdefault(name, []).append(_word(name, value))
    names = sorted(found, key=lambda name: _ORDER.get(name, len(_ORDER)))
    return tuple(Line(_label(name), tuple(found[name])) for name in names)


def flags(body: JsonObject) -> tuple[str, ...]:
    """What a reader is warned of before anything else."""
    handling = body.get("handling")
    given = handling.get("content_flags") if isinstance(handling, dict) else None
    codes = given if isinstance(given, list) else []
    return tuple(label("content_flags", code) for code in codes if isinstance(code, str))


def note_of(body: JsonObject) -> tuple[str, str] | None:
    """A message's note and the BCP 47-able code of its language, or none."""
    note = body.get("note")
    if not isinstance(note, dict):
        return None
    return str(note.get("text", "")), str(note.get("language", ""))


def _leaves(value: JsonValue, name: str) -> Iterator[tuple[str, JsonValue]]:
    if isinstance(value, dict):
        for inner, below in value.items():
            yield from _leaves(below, f"{name}.{inner}" if name else inner)
    elif isinstance(value, list):
        for below in value:
            yield from _leaves(below, name)
    else:
        yield name, value


def _label(name: str) -> str:
    one = _KNOWN.get(name)
    return name.replace("_", " ") if one is None else str(one.label)


def _word(name: str, value: JsonValue) -> str:
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    one = _KNOWN.get(name)
    return str(value) if one is None else _said(one, str(value))


def _said(one: Field, value: str) -> str:
    if one.kind in (Kind.MOMENT, Kind.UNTIL):
        return moments.utc_moment(value)
    if one.kind is Kind.DAY:
        return moments.day(value)
    if one.table == "nationality" and value != "stateless":
        return label("country", value)
    return label(one.table, value) if one.table else value
