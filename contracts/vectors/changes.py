"""Changes a good message at one place: what a maker of vectors tries, one after the other.

It reads the published schemas, to know what may stand where, and knows nothing of vectors.

    for message, faults in edits(identifier, good): ...
    grown(identifier, good, additions)
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from contracts.vectors.draft import CONTRACT, compact
from contracts.vectors.rules import Fault, Look, Place, Rules, Schema

SCHEMAS: Final = Path(__file__).parents[1] / "schemas"
RECEIPTS: Final = "receipt/1"
# Values that fit the patterns of the published words; the first that fits is taken.
_TEXTS: Final = (
    "unknown", "2026-11-28T02:30:00Z", "2026-11-28", "09:00", "Asia/Kuala_Lumpur", "my", "ben",
    "MY-14", "bd-1021324354657687", "00000000-0000-5000-8000-000000000001", "0" * 31 + "1",
    "0" * 63 + "1", "urn:rujukan:problem:schema", "DEMO",
)  # fmt: skip
_WRONG_WORD: Final = "no_such_code"


@cache
def rules() -> Rules:
    """The published schemas of messages and receipts."""
    paths = [path for folder in (CONTRACT, RECEIPTS) for path in (SCHEMAS / folder).glob("*.json")]
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(paths)]
    return Rules({document["$id"]: document for document in documents})


def edits(identifier: str, good: dict[str, Any]) -> Iterator[tuple[dict[str, Any], list[Fault]]]:
    """Messages that differ from a good one at one place, the body's before the frame's.

    With each comes what the changed part's own schema says to it.
    """
    asked = rules().look(identifier, good).asked
    seen: set[tuple[Place, bytes]] = set()
    for place, schema, home in sorted(asked, key=lambda one: one[0][:1] != ("body",)):
        for value in () if "$ref" in schema else _other_values(schema, home, _at(good, place)):
            if (place, compact(value)) not in seen and (place or isinstance(value, dict)):
                seen.add((place, compact(value)))
                yield _changed(good, place, value), rules().part(schema, value, home).faults


def _other_values(schema: Schema, home: str, value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from (without(value, name) for name in value)
        for name, member in schema.get("properties", {}).items():
            if name not in value and (made := _sample(member, home)) is not None:
                yield value | {name: made}
        yield value | {"x": 1}
    elif isinstance(value, list):
        yield []
        yield [*value, *value[:1]]
        yield [*value, *_more_items(schema, home, value)]
    elif isinstance(value, str):
        yield from schema.get("enum", ())
        yield from (_WRONG_WORD, "~" + value[1:], "\x01" + value[1:], value + "\x01", "")
        yield (value * 4001)[: schema.get("maxLength", 0) + 1]
    elif isinstance(value, bool):
        yield not value
    else:
        yield from (schema.get("minimum", 1) - 1, schema.get("maximum", 0) + 1)
    yield 7 if not isinstance(value, int) or isinstance(value, bool) else "7"


def _more_items(schema: Schema, home: str, value: list[Any]) -> Iterable[Any]:
    """So many further items, all different where they can be, that there are too many."""
    count = schema.get("maxItems", 0) + 1 - len(value)
    item, _home = rules().resolved(schema.get("items", {}), home)
    words = [word for word in item.get("enum", ()) if word not in value]
    if words:
        further: list[Any] = words * (count // len(words) + 1)
        return further[:count]
    numbered = (f"{number:x}".rjust(32, "0") for number in range(16, 16 + count))
    return list(numbered) if "32" in str(item.get("maxLength")) else value[:1] * max(count, 0)


def grown(identifier: str, good: dict[str, Any], changes: Any) -> dict[str, Any]:
    """The message after every change that leaves it valid, one at a time, until none is left."""
    known = copy.deepcopy(good)
    tried: set[tuple[Place, str]] = set()
    while True:
        look = rules().look(identifier, known)
        following = next((one for one in changes(look, known) if one[0] not in tried), None)
        if following is None:
            return known
        tried.add(following[0])
        if not rules().look(identifier, following[1]).faults:
            known = following[1]


def additions(look: Look, known: dict[str, Any]) -> Iterator[tuple[tuple[Place, str], Any]]:
    for place, schema, home in look.asked:
        value = _at(known, place)
        for name, member in schema.get("properties", {}).items():
            made = _sample(member, home) if isinstance(value, dict) and name not in value else None
            if made is not None:
                beside = {
                    other: _sample(schema["properties"][other], home)
                    for other in schema.get("dependentRequired", {}).get(name, ())
                }
                yield (place, name), _changed(known, place, value | {name: made} | beside)


def removals(look: Look, known: dict[str, Any]) -> Iterator[tuple[tuple[Place, str], Any]]:
    for place, _schema, _home in look.asked:
        value = _at(known, place)
        for name in value if isinstance(value, dict) else ():
            yield (place, name), _changed(known, place, without(value, name))


def _at(value: Any, place: Place) -> Any:
    for part in place:
        value = value[part]
    return value


def _changed(value: Any, place: Place, made: Any) -> Any:
    if not place:
        return made
    twin = copy.copy(value)
    twin[place[0]] = _changed(value[place[0]], place[1:], made)
    return twin


def _sample(schema: Any, home: str) -> Any:
    """A value that the schema takes, as small as can be; None where none is found."""
    schema, home = rules().resolved(schema, home)
    if not isinstance(schema, dict):
        return None
    kind = schema.get("type", ())
    made: Iterable[Any] = _TEXTS
    if "const" in schema or "enum" in schema:
        made = [schema["const"]] if "const" in schema else schema["enum"]
    elif kind == "object":
        made = _objects(schema, home)
    elif "array" in kind:
        made = [[_sample(schema["items"], home)]]
    elif kind in ("integer", "boolean"):
        made = [schema.get("minimum", 1), True]
    return next((value for value in made if rules().holds(schema, value, home)), None)


def _objects(schema: Schema, home: str) -> Iterator[dict[str, Any]]:
    """What must be there; with one more member each; with all."""
    members = {name: _sample(member, home) for name, member in schema["properties"].items()}
    least = {name: members[name] for name in schema.get("required", ())}
    yield least
    yield from (least | {name: value} for name, value in members.items())
    yield members


def without(value: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: one for key, one in value.items() if key != name}
