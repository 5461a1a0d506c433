"""Every committed vector, and that the committed script still makes exactly these bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
import referencing

from contracts import lifecycle
from contracts.fold import Place
from contracts.messages import BODIES
from contracts.vectors import make
from tests.unit.contracts import vector_files
from tests.unit.contracts.vector_files import VectorFile

SCHEMAS: Final = Path(__file__).parents[3] / "contracts" / "schemas"
# What a message can break; what only describes or leads to another part is no rule.
RULES: Final = frozenset(
    (
        "type", "enum", "const", "pattern", "minLength", "maxLength", "minItems", "maxItems",
        "uniqueItems", "minimum", "maximum", "required", "additionalProperties", "not", "anyOf",
        "oneOf", "then", "else", "contains", "dependentRequired", "unevaluatedProperties",
        "unevaluatedItems", "propertyNames", "multipleOf", "minProperties", "maxProperties",
        "dependentSchemas", "prefixItems", "exclusiveMinimum", "exclusiveMaximum", "minContains",
        "maxContains", "patternProperties",
    )
)  # fmt: skip


@pytest.mark.parametrize("path", vector_files.paths(), ids=lambda path: path.stem)
def test_the_code_says_what_the_vector_expects(path: Path) -> None:
    vector = vector_files.read(path)
    assert vector_files.outcome(vector) == vector.expect


def test_a_vector_lies_in_the_folder_of_its_outcome() -> None:
    for path in vector_files.paths():
        accepted = vector_files.read(path).expect in ("ok", "not-for-this-device")
        assert path.parent.name == ("accept" if accepted else "reject"), path.stem


def test_the_script_makes_the_committed_bytes_again(tmp_path: Path) -> None:
    make.write(tmp_path)
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.txt")}
    committed = {
        path.relative_to(vector_files.FOLDER): path.read_bytes() for path in vector_files.paths()
    }
    assert made.keys() == committed.keys()
    assert [path for path, data in made.items() if data != committed[path]] == []
    assert len(made) == len(make.vectors())


def test_every_kind_of_refusal_has_a_vector() -> None:
    seen = {vector_files.read(path).expect for path in vector_files.paths()}
    assert seen >= {
        "ok", "not-for-this-device", "malformed", "too-large", "device-not-certified",
        "bad-signature", "version-unsupported", "not-for-me", "time", "contract-unknown",
        "undecryptable", "not-your-device", "no-route", "unknown-recipient", "keys-changed",
        "expired", "from-the-future", "schema", "consent",
    }  # fmt: skip


@pytest.mark.parametrize(
    "line", ["kind: new", "expect: ok", "now", ""], ids=["unknown", "twice", "no value", "empty"]
)
def test_an_unknown_header_line_stops_the_runner(line: str) -> None:
    data = f"expect: ok\n{line}\nnow: 1\n".encode() + b"\n\nbody"
    with pytest.raises(vector_files.UnknownHeader):
        vector_files.parse(data if line else b"expect: ok")


@cache
def documents() -> dict[str, Any]:
    """Every schema of a published major by its `$id`."""
    found = [json.loads(path.read_text()) for path in SCHEMAS.glob("*/[1-9]*/*.json")]
    return {document["$id"]: document for document in found}


@cache
def judge(identifier: str) -> jsonschema.Draft202012Validator:
    """A validator that shares no code with the one that ships, nor with the vectors' maker."""
    resources = [
        (name, referencing.Resource.from_contents(document))
        for name, document in documents().items()
    ]
    registry: referencing.Registry[Any] = referencing.Registry().with_resources(resources)
    return jsonschema.Draft202012Validator(documents()[identifier], registry=registry)


def schema_of(vector: VectorFile, message: Any) -> str:
    """The schema that a message vector is about, by its own words."""
    if vector.text("check") == "receipt":
        return "urn:rujukan:receipt:1:receipt"
    return f"urn:rujukan:case-referral:1:{message['type']}"


@cache
def plain_vectors() -> dict[str, VectorFile]:
    """The vectors of messages and receipts, without those whose strict form alone is at fault."""
    found = {path.stem: vector_files.read(path) for path in vector_files.paths()}
    return {
        name: vector
        for name, vector in found.items()
        if vector.text("check") in ("message", "receipt") and not name.startswith("message-form-")
    }


def test_an_independent_validator_takes_what_a_vector_refuses_or_the_other_way_round() -> None:
    for name, vector in plain_vectors().items():
        message = json.loads(vector.body)
        if vector.expect != "version-unsupported":
            valid = judge(schema_of(vector, message)).is_valid(message)
            assert valid == (vector.expect == "ok"), name


def test_a_vector_with_more_than_one_fault_or_with_another_than_it_names() -> None:
    compared = 0
    for name, vector in plain_vectors().items():
        if vector.expect != "schema":
            continue
        message = json.loads(vector.body)
        errors = list(judge(schema_of(vector, message)).iter_errors(message))
        assert {field_of(error, message) for error in errors} == {vector.facts["field"]}, name
        rule = vector.facts.get("rule")
        assert rule is None or any(rule in rules_of(error) for error in errors), name
        compared += 1
    assert compared > 300


def field_of(error: Any, message: Any) -> str:
    """Where an error lies; for a missing member, that member."""
    place = [str(part) for part in error.absolute_path]
    rule = error.validator_value
    if error.validator is None:  # this library tells of a forbidden member where it stands
        holder = message
        for part in error.absolute_path:
            holder = holder[part]
        place += (name for name, value in holder.items() if value is error.instance)
    elif error.validator == "required":
        place += (name for name in rule if f"'{name}' is" in error.message)
    elif error.validator == "dependentRequired":
        needed = {name for one in rule if one in error.instance for name in rule[one]}
        place += needed - error.instance.keys()
    return "".join(f"/{part}" for part in place)


def rules_of(error: Any) -> set[str]:
    """The broken rule, and the conditions that led to it."""
    leads = {str(part) for part in error.absolute_schema_path} & {"then", "else"}
    return leads | {"false" if error.validator is None else error.validator}


@pytest.mark.parametrize("name", [*sorted(BODIES), "receipt"])
def test_a_rule_of_a_message_type_without_a_vector(name: str) -> None:
    family = "receipt" if name == "receipt" else "case-referral"
    about = [
        vector
        for vector in plain_vectors().values()
        if vector.text("contract") == f"{family}/1" and type_of(vector) == name
    ]
    outcomes = {vector.expect for vector in about}
    assert outcomes >= {"ok", "schema"} | ({"version-unsupported"} if name in BODIES else set())
    rules = {vector.facts["rule"] for vector in about if "rule" in vector.facts}
    wanted = set(rules_in(documents()[f"urn:rujukan:{family}:1:{name}"]))
    # Another constant at type or version is another version: so it is answered.
    assert rules >= wanted - {"const"}


def type_of(vector: VectorFile) -> str:
    """The message type that a vector names, even where the rest is broken."""
    if vector.text("check") == "receipt":
        return "receipt"
    return str(json.loads(vector.body).get("type"))


def test_the_one_constant_that_is_no_version_is_not_tried() -> None:
    """Consent to onward sharing can only be false; nothing else may be a constant unseen."""
    rules = {(type_of(v), v.facts.get("rule")) for v in plain_vectors().values()}
    assert {(name, "const") for name in ("referral.requested", "consent.updated")} <= rules


def test_a_receipts_code_without_a_vector() -> None:
    said = {
        json.loads(vector.body).get("code")
        for vector in plain_vectors().values()
        if vector.text("check") == "receipt" and vector.expect == "ok"
    }
    assert said >= set(documents()["urn:rujukan:receipt:1:receipt"]["properties"]["code"]["enum"])


def test_a_state_or_a_void_code_without_a_course() -> None:
    courses = [
        one for path in vector_files.paths() if "state" in (one := vector_files.read(path)).facts
    ]
    assert {vector.facts["state"] for vector in courses} == set(lifecycle.ALL)
    assert {vector.facts["lead"] for vector in courses} == set(lifecycle.Side)
    places = [place.split(" ")[2:] for vector in courses for place in vector.lists["place"]]
    codes = {"illegal_transition", "wrong_author", *lifecycle.Need}
    # Whoever is asked to erase may always confirm; while another still has to, nothing moves.
    codes.remove(lifecycle.Need.LAST_OWED)
    assert {place[1] for place in places if place[0] == "void"} == codes
    assert {place[0] for place in places} == set(Place)


def rules_in(schema: Any, home: Any = None, seen: frozenset[int] = frozenset()) -> Iterator[str]:
    """Every rule that stands in a schema or in what it refers to; conditions are no rules."""
    home = schema if home is None else home
    if schema is False:
        yield "false"
    if not isinstance(schema, dict) or id(schema) in seen:
        return
    seen |= {id(schema)}
    yield from schema.keys() & RULES
    if "$ref" in schema:
        document, _, pointer = schema["$ref"].partition("#/$defs/")
        there = documents()[document] if document else home
        yield from rules_in(there["$defs"][pointer], there, seen)
    for part in (*schema.get("properties", {}).values(), *schema.get("allOf", ())):
        yield from rules_in(part, home, seen)
    for keyword in ("items", "then", "else"):
        yield from rules_in(schema.get(keyword), home, seen)
