"""JSON Schema's rules a further time, for making vectors: what a value breaks, and where.

Only what the published schemas use; an unknown keyword is an error, so that none is passed over.
Nothing here is imported from the code under test, and nothing here judges a message that came
from anybody: it tells the maker of a vector whether a change made exactly one fault.

    look = Rules(documents).look("urn:rujukan:case-referral:1:referral.declined", message)
    look.faults  →  (Fault(("body", "next_step"), ("required",)),)
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Place = tuple[str | int, ...]
Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Fault:
    """`place` is the broken value, for a missing member that member; `trail` the keywords down to
    the one that is broken, without those that only lead from part to part.
    """

    place: Place
    trail: tuple[str, ...]


@dataclass
class Look:
    """All faults, and which schema was asked about which place, in the order of asking."""

    faults: list[Fault] = field(default_factory=list)
    asked: list[tuple[Place, Schema, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Rules:
    """The schemas by `$id`."""

    documents: Mapping[str, Schema]

    def look(self, identifier: str, value: object) -> Look:
        """Everything about `value` under one schema."""
        look = Look()
        self._schema(self.documents[identifier], value, (), (), identifier, look)
        return look

    def resolved(self, schema: Any, home: str) -> tuple[Any, str]:
        """The schema that a `$ref` leads to, and whose document that is."""
        while isinstance(schema, Mapping) and "$ref" in schema:
            document, _, pointer = schema["$ref"].partition("#")
            home = document or home
            schema = self.documents[home]
            for part in pointer.split("/")[1:]:
                schema = schema[part]
        return schema, home

    def _schema(
        self,
        schema: Any,
        value: object,
        place: Place,
        trail: tuple[str, ...],
        home: str,
        look: Look,
    ) -> None:
        if isinstance(schema, bool):
            if not schema:
                look.faults.append(Fault(place, (*trail, "false")))
            return
        look.asked.append((place, schema, home))
        for keyword, rule in schema.items():
            inner = (value, place, trail, home, look)
            if keyword in _SIMPLE:
                if not _SIMPLE[keyword](rule, value):
                    look.faults.append(Fault(place, (*trail, keyword)))
            elif keyword in _MEMBERS:
                look.faults.extend(
                    Fault((*place, *missing), (*trail, keyword))
                    for missing in _MEMBERS[keyword](rule, value, schema)
                )
            elif keyword in _PARTS:
                _PARTS[keyword](self, schema, inner)
            elif keyword not in _SILENT:
                raise ValueError(keyword)

    def holds(self, schema: Any, value: object, home: str) -> bool:
        """Whether such a part takes the value."""
        return not self.part(schema, value, home).faults

    def part(self, schema: Any, value: object, home: str) -> Look:
        """Everything about a value under a part of a schema, found in the document `home`."""
        look = Look()
        self._schema(schema, value, (), (), home, look)
        return look

    def _ref(self, schema: Schema, inner: Inner) -> None:
        value, place, trail, home, look = inner
        target, there = self.resolved({"$ref": schema["$ref"]}, home)
        self._schema(target, value, place, trail, there, look)

    def _properties(self, schema: Schema, inner: Inner) -> None:
        value, place, trail, home, look = inner
        if isinstance(value, dict):
            for name, member in schema["properties"].items():
                if name in value:
                    self._schema(member, value[name], (*place, name), trail, home, look)

    def _items(self, schema: Schema, inner: Inner) -> None:
        value, place, trail, home, look = inner
        if isinstance(value, list):
            for number, item in enumerate(value):
                self._schema(schema["items"], item, (*place, number), trail, home, look)

    def _if(self, schema: Schema, inner: Inner) -> None:
        value, place, trail, home, look = inner
        branch = "then" if self.holds(schema["if"], value, home) else "else"
        if branch in schema:
            self._schema(schema[branch], value, place, (*trail, branch), home, look)

    def _all_of(self, schema: Schema, inner: Inner) -> None:
        value, place, trail, home, look = inner
        for part in schema["allOf"]:
            self._schema(part, value, place, trail, home, look)

    def _any_of(self, schema: Schema, inner: Inner) -> None:
        self._counted(schema, inner, "anyOf", lambda count: count >= 1)

    def _one_of(self, schema: Schema, inner: Inner) -> None:
        self._counted(schema, inner, "oneOf", lambda count: count == 1)

    def _not(self, schema: Schema, inner: Inner) -> None:
        self._counted({"not": [schema["not"]]}, inner, "not", lambda count: count == 0)

    def _contains(self, schema: Schema, inner: Inner) -> None:
        value, place, trail, home, look = inner
        if isinstance(value, list):
            found = any(self.holds(schema["contains"], item, home) for item in value)
            if not found:
                look.faults.append(Fault(place, (*trail, "contains")))

    def _counted(
        self, schema: Schema, inner: Inner, keyword: str, enough: Callable[[int], bool]
    ) -> None:
        value, place, trail, home, look = inner
        if not enough(sum(self.holds(part, value, home) for part in schema[keyword])):
            look.faults.append(Fault(place, (*trail, keyword)))


Inner = tuple[Any, Place, tuple[str, ...], str, Look]


def same(one: object, other: object) -> bool:
    """JSON's equality of codes and constants: true is not 1."""
    return type(one) is type(other) and one == other


def _is_kind(kinds: Any, value: object) -> bool:
    wanted = [kinds] if isinstance(kinds, str) else kinds
    return any(type(value) is _KINDS[kind] for kind in wanted)


def _missing(rule: Any, value: Any, _schema: Schema) -> list[Place]:
    return [(name,) for name in rule if name not in value] if isinstance(value, dict) else []


def _undeclared(_rule: Any, value: Any, schema: Schema) -> list[Place]:
    declared = schema.get("properties", {}).keys()
    return [()] if isinstance(value, dict) and value.keys() - declared else []


def _missing_beside(rule: Any, value: Any, _schema: Schema) -> list[Place]:
    present = [name for name in rule if isinstance(value, dict) and name in value]
    return [(name,) for one in present for name in rule[one] if name not in value]


def _distinct(rule: Any, value: Any) -> bool:
    if not rule or not isinstance(value, list):
        return True
    return len({json.dumps(item, sort_keys=True) for item in value}) == len(value)


def _sized(
    kind: type[str] | type[list[Any]], holds: Callable[[int, int], bool]
) -> Callable[[Any, Any], bool]:
    return lambda rule, value: not isinstance(value, kind) or holds(len(value), rule)


_KINDS: Final = {
    "object": dict, "array": list, "string": str, "integer": int, "boolean": bool,
    "null": type(None),
}  # fmt: skip
_SIMPLE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "type": _is_kind,
    "enum": lambda rule, value: any(same(one, value) for one in rule),
    "const": same,
    "pattern": lambda rule, value: not isinstance(value, str) or bool(re.search(rule, value)),
    "minLength": _sized(str, lambda size, rule: size >= rule),
    "maxLength": _sized(str, lambda size, rule: size <= rule),
    "minItems": _sized(list, lambda size, rule: size >= rule),
    "maxItems": _sized(list, lambda size, rule: size <= rule),
    "uniqueItems": _distinct,
    "minimum": lambda rule, value: type(value) is not int or value >= rule,
    "maximum": lambda rule, value: type(value) is not int or value <= rule,
}
_MEMBERS: Final[Mapping[str, Callable[[Any, Any, Schema], list[Place]]]] = {
    "required": _missing,
    "additionalProperties": _undeclared,  # always false in the published schemas
    "dependentRequired": _missing_beside,
}
_PARTS: Final[Mapping[str, Callable[[Rules, Schema, Inner], None]]] = {
    "$ref": Rules._ref,
    "properties": Rules._properties,
    "items": Rules._items,
    "if": Rules._if,
    "allOf": Rules._all_of,
    "anyOf": Rules._any_of,
    "oneOf": Rules._one_of,
    "not": Rules._not,
    "contains": Rules._contains,
}
_SILENT: Final = frozenset(
    ("$schema", "$id", "$defs", "$comment", "title", "description", "default", "then", "else")
)
