"""A message as a page shows it: label and words, line by line, in the form's own order.

What a form of ours does not ask is shown too, under its own label or, where it is newer than this
program, under its name in the agreement: nothing that was received is hidden. Notes are left out;
they are opened by their own click, and so is every message that may name somebody (`OPENED`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from broker.desk.web import moments
from broker.desk.web.fields import Field, Kind
from broker.desk.web.labels import label
from broker.desk.web.members import MEMBERS
from broker.service.language import gettext as _
from contracts.codes import Unsaid
from contracts.encoding import JsonObject, JsonValue

# Messages that tell who the person is and where; nothing of them stands on a case's page.
OPENED: Final = frozenset({"identity.released", "journey.planned", "journey.changed"})
# Numbers for machines, and what the code of a problem says already.
UNSHOWN: Final = frozenset({"consent.id", "problem.type", "problem.title", "problem.status"})
_BETWEEN: Final = " · "
_UNSAID: Final = frozenset(Unsaid)


@dataclass(frozen=True, slots=True)
class Line:
    """One answer. `values` may be what somebody typed; templates isolate it."""

    label: str
    values: tuple[str, ...] = field(repr=False)


def sheet(message_type: str, body: JsonObject) -> tuple[Line, ...]:
    """The lines of a message's body."""
    known = MEMBERS.get(message_type, {})
    found: dict[str, list[str]] = {}
    for name, word in _words(known, body, ""):
        if name not in UNSHOWN and not name.startswith("note."):
            found.setdefault(name, []).append(word)
    names = sorted(found, key=lambda name: _place(known, name))
    return tuple(Line(_label(known, name), tuple(found[name])) for name in names)


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


def _words(known: Mapping[str, Field], value: JsonValue, name: str) -> Iterator[tuple[str, str]]:
    """Members with their words; each object of a list is one word of the list's own name."""
    if isinstance(value, dict):
        for inner, below in _with_zone(value).items():
            yield from _words(known, below, f"{name}.{inner}" if name else inner)
    elif isinstance(value, list):
        for below in value:
            if isinstance(below, dict):
                yield name, _BETWEEN.join(_item(known, below, name))
            else:
                yield from _words(known, below, name)
    else:
        yield name, _word(known.get(name), value)


def _with_zone(value: JsonObject) -> JsonObject:
    """The same with its time told in its own zone: whoever stands at a gate has another clock."""
    at, zone = value.get("at"), value.get("zone")
    if not isinstance(at, str) or not isinstance(zone, str):
        return value
    told: JsonObject = {"at": moments.utc_moment_in(at, zone)}
    return {name: below for name, below in (value | told).items() if name != "zone"}


def _item(known: Mapping[str, Field], value: JsonObject, name: str) -> Iterator[str]:
    said = [pair for pair in _words(known, value, name) if pair[0] not in UNSHOWN]
    for member, word in sorted(said, key=lambda pair: _place(known, pair[0])):
        own, whole = _label(known, member), _label(known, name)
        yield word if own == whole else f"{own}: {word}"


def _nearest(known: Mapping[str, Field], name: str) -> str:
    """The member of this name, else the first one below it."""
    below = (one for one in known if one.startswith(f"{name}."))
    return name if name in known else next(below, name)


def _place(known: Mapping[str, Field], name: str) -> int:
    nearest = _nearest(known, name)
    return list(known).index(nearest) if nearest in known else len(known)


def _label(known: Mapping[str, Field], name: str) -> str:
    one = known.get(_nearest(known, name))
    return _plain(name) if one is None else str(one.label)


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _word(one: Field | None, value: JsonValue) -> str:
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    text = str(value)
    if one is None or one.kind in (Kind.LINE, Kind.LINES):
        return text
    if text in _UNSAID:
        return label("unsaid", text)
    if one.kind in (Kind.MOMENT, Kind.UNTIL):
        return moments.utc_moment(text)
    if one.kind is Kind.DAY:
        return moments.day(text)
    return label(one.table, text) if one.table else text
