"""The two documents for partners, as tests read them: OpenAPI of the hub's HTTPS side, AsyncAPI of
its queue side. Their schemas are judged by the independent `jsonschema`, not by our own validator.

faults(OPENAPI, "#/components/schemas/Notice", value)      # [] where the value is valid
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

import jsonschema
from referencing import Registry
from referencing.jsonschema import DRAFT202012

CONTRACTS: Final = Path(__file__).parents[3] / "contracts"
OPENAPI: Final = "openapi.json"
ASYNCAPI: Final = "asyncapi.json"


@cache
def document(name: str) -> dict[str, Any]:
    """One of the two. Shared by all tests: not to be changed."""
    found: dict[str, Any] = json.loads((CONTRACTS / name).read_bytes())
    return found


def faults(name: str, pointer: str, value: object) -> list[str]:
    """Which keywords of the schema at `pointer` in the document the value breaks."""
    return [f"{error.json_path} {error.validator}" for error in _judge(name, pointer)(value)]


def resolved(name: str, value: dict[str, Any]) -> dict[str, Any]:
    """The object itself, or what its `$ref` into the same document names."""
    if "$ref" not in value:
        return value
    found: Any = document(name)
    for part in value["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return resolved(name, found)


def nodes(value: object) -> Iterator[dict[str, Any]]:
    """Every object within."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from nodes(inner)


def escaped(name: str) -> str:
    """A name as a part of a JSON Pointer in a URI fragment."""
    return name.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")


@cache
def _judge(name: str, pointer: str) -> Any:
    address = f"urn:documents:{name}"
    resource = DRAFT202012.create_resource(document(name))
    registry: Registry[Any] = Registry().with_resource(address, resource)
    schema = {"$ref": f"{address}{pointer}"}
    return _Validator(schema, registry=registry).iter_errors


def _pattern(_validator: object, pattern: str, value: object, _schema: object) -> Iterator[Any]:
    """JSON Schema means ECMA-262, whose `$` is the end; Python's stands before a line feed too."""
    if isinstance(value, str) and not re.search(f"{pattern.removesuffix('$')}\\Z", value):
        yield jsonschema.ValidationError("another form")


_Validator: Final = cast(Any, jsonschema.validators).extend(
    jsonschema.Draft202012Validator, {"pattern": _pattern}
)
