"""Checks an instance against the published JSON Schemas; the one file that imports jsonschema_rs.

It refuses to know values. The library's errors hold the whole instance, and an undeclared member
name can carry a name or a number as well as a value can; so every error becomes a `Problem`, whose
path ends before the first name that no schema declares, and the library's object is dropped.

    problems = validate("case-referral/1/referral.requested", message)
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import islice
from typing import Any, Final

import jsonschema_rs

from contracts.encoding import JsonObject, JsonValue
from contracts.errors import ContractError, Malformed

# A form has fewer fields than this; what is beyond helps nobody and costs time.
MAX_PROBLEMS: Final = 50


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One broken rule. All three parts come from the schema alone.

    `schema_path` and `instance_path` are JSON Pointers (RFC 6901) without a leading "#";
    `instance_path` may be shorter than the true place; for a missing member it names the member.
    `keyword` is the JSON Schema keyword.
    """

    instance_path: str
    keyword: str
    schema_path: str


class UnknownSchema(ContractError):
    """No schema of this name is published by this version. Whoever wrote the message is newer."""

    meaning = "This version of Rujukan does not know the schema"


def validate(schema: str, instance: JsonValue) -> tuple[Problem, ...]:
    """Every broken rule, sorted and without repeats; empty where the instance is valid.

    `schema` is a path below `schemas/` without its ending, optionally with a fragment:
    `case-referral/1/referral.requested#/$defs/body`. Raises `UnknownSchema`, and
    `Malformed` for what is no JSON value.
    """
    found = _found(_validator(schema), instance)
    if found is None:
        raise Malformed("not_json")
    return tuple(sorted(found))


def problem_of(error: jsonschema_rs.ValidationError) -> Problem:
    """What may be told of one of the library's errors."""
    place = list(_until_undeclared(error.instance_path))
    if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.Required):
        place.append(error.kind.property)
    return Problem(
        instance_path=_pointer(place),
        keyword=error.kind.name,
        schema_path=_pointer(error.schema_path),
    )


def schema_names() -> tuple[str, ...]:
    """The names of all published schemas, sorted."""
    return tuple(sorted(_documents()))


def schema_document(name: str) -> JsonObject:
    """A fresh copy of one schema, for whoever publishes or compares it. Raises `UnknownSchema`."""
    text = _documents().get(name)
    if text is None:
        raise UnknownSchema("unknown_schema")
    document: JsonObject = json.loads(text)
    return document


def _found(validator: jsonschema_rs.Validator, instance: JsonValue) -> set[Problem] | None:
    """The problems, or None for no JSON value: the library's exception, which quotes it, ends here.

    Nothing is raised from within the `except`, so that not even `__context__` keeps the value.
    """
    try:
        return {
            problem_of(error) for error in islice(validator.iter_errors(instance), MAX_PROBLEMS)
        }
    except (TypeError, ValueError):
        return None


@cache
def _documents() -> dict[str, str]:
    root = files("contracts") / "schemas"
    return {
        path.removesuffix(".json"): file.read_text(encoding="utf-8")
        for path, file in _json_files(root, "")
        if not path.startswith("examples/")
    }


def _json_files(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _json_files(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".json"):
            yield f"{prefix}{entry.name}", entry


@cache
def _validator(name: str) -> jsonschema_rs.Draft202012Validator:
    path, _, fragment = name.partition("#")
    identifier = schema_document(path)["$id"]
    # Offline: a reference to anything outside the wheel is a fault of ours, not a download.
    return jsonschema_rs.Draft202012Validator(
        {"$ref": f"{identifier}#{fragment}" if fragment else f"{identifier}"},
        registry=_registry(),
        offline=True,
        pattern_options=jsonschema_rs.RegexOptions(),
    )


@cache
def _registry() -> jsonschema_rs.Registry:
    resources = [
        (f"{document['$id']}", document) for document in map(schema_document, schema_names())
    ]
    return jsonschema_rs.Registry(resources)


@cache
def _declared_names() -> frozenset[str]:
    return frozenset(
        name for document in map(schema_document, schema_names()) for name in _names(document)
    )


def _names(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for value in schema.values():
            yield from _names(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _names(value)


def _until_undeclared(path: list[str | int]) -> Iterator[str | int]:
    for part in path:
        if isinstance(part, str) and part not in _declared_names():
            return
        yield part


def _pointer(parts: list[str | int]) -> str:
    # A declared name has neither "~" nor "/", but a pattern's name in a schema path can.
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in parts)
    return "".join(f"/{part}" for part in escaped)
