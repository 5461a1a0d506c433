"""The schemas are closed and bounded, say what the code says, and their errors tell no value."""

import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

import jsonschema
import jsonschema_rs
import pytest
import referencing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import codes
from contracts.bodies import Receipt
from contracts.encoding import dump_json
from contracts.errors import ContractError, Malformed, Rejected
from contracts.examples import example_body
from contracts.messages import BODIES, parse_message, read_body
from contracts.schema import UnknownSchema, problem_of, schema_document, schema_names, validate
from contracts.shapes import json_name
from tests.unit.contracts.generated import DOCUMENTS, bodies, body_schema, resolve, spoilt

CANARY = "zq7canary7qz"
REGISTRY: referencing.Registry[Any] = referencing.Registry().with_resources(
    (identifier, referencing.Resource.from_contents(document))
    for identifier, document in DOCUMENTS.items()
)
EVENT = {
    "v": "0.1",
    "id": "a" * 32,
    "referral_ref": "b" * 32,
    "after": [],
    "at": "2026-11-21T08:30:00Z",
}
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def subschemas(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema in a schema, conditions left out: they only narrow what stands beside them."""
    if isinstance(schema, dict):
        yield schema
        for keyword, value in schema.items():
            if keyword in ("properties", "$defs"):
                for member in value.values():
                    yield from subschemas(member)
            elif keyword == "items":
                yield from subschemas(value)


@pytest.mark.parametrize("name", schema_names())
def test_a_schema_that_is_not_a_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema_document(name))


def test_an_object_that_takes_undeclared_members() -> None:
    for identifier, document in DOCUMENTS.items():
        for part in subschemas(document):
            if part.get("type") == "object" or "properties" in part:
                assert part.get("additionalProperties") is False, (identifier, part)


def test_a_string_or_a_list_or_a_number_without_bounds() -> None:
    for identifier, document in DOCUMENTS.items():
        for part in subschemas(document):
            kinds = part.get("type", ())
            if "string" in kinds and "array" not in kinds:
                assert part["maxLength"] <= 4000, (identifier, part)
            if "array" in kinds:
                assert part["maxItems"] <= 32, (identifier, part)
            if "integer" in kinds:
                assert part["maximum"] <= 1000, (identifier, part)


def test_a_keyword_that_two_validators_judge_differently() -> None:
    for identifier, document in DOCUMENTS.items():
        for part in subschemas(document):
            assert "format" not in part, identifier
            pattern = part.get("pattern", "^$")
            assert not re.search(r"\\[dwsDWS]", pattern), (identifier, pattern)
            assert pattern.startswith("^"), (identifier, pattern)
            assert pattern.endswith("$"), (identifier, pattern)


def test_a_code_that_stands_in_one_of_schema_and_code_only() -> None:
    said = {word.value for word in codes.Unsaid}
    lists = [
        set(value) - said
        for name, value in vars(codes).items()
        if name.isupper() and isinstance(value, tuple)
    ]
    used = []
    for document in DOCUMENTS.values():
        for part in subschemas(document):
            if "enum" in part and set(part["enum"]) != said:
                assert set(part["enum"]) - said in lists, part["enum"]
                used.append(set(part["enum"]) - said)
    of_the_directory = [set(codes.POPULATIONS)]
    assert all(wanted in used for wanted in lists if wanted not in of_the_directory)


@pytest.mark.parametrize("message_type", sorted(BODIES))
def test_a_member_that_the_type_or_the_schema_forgot(message_type: str) -> None:
    schema, document = body_schema(message_type)
    _compare(BODIES[message_type], schema, document)


def test_a_member_of_the_receipt_that_one_side_forgot() -> None:
    document = DOCUMENTS["urn:rujukan:receipt:1:receipt"]
    _compare(Receipt, document, document)


def _compare(kind: Any, schema: dict[str, Any], document: dict[str, Any]) -> None:
    schema, document = resolve(schema, document)
    hints = get_type_hints(kind)
    members = {json_name(spec): hints[spec.name] for spec in fields(kind)}
    assert members.keys() == schema["properties"].keys()
    for name, hint in members.items():
        inner = [found for found in (hint, *_flat_args(hint)) if is_dataclass(found)]
        if inner:
            member, home = resolve(schema["properties"][name], document)
            _compare(inner[0], member.get("items", member), home)


def _flat_args(hint: Any) -> Iterator[Any]:
    for argument in get_args(hint):
        yield argument
        yield from _flat_args(argument)


def test_consent_covers_something_that_a_request_has_no_member_for() -> None:
    assert set(codes.CONSENT_FIELDS) <= body_schema("referral.requested")[0]["properties"].keys()


def test_a_word_for_a_name_or_a_contact_in_a_request() -> None:
    schema, document = body_schema("referral.requested")
    names = set(_member_names(schema, document))
    forbidden = {"name", "phone", "email", "address", "district", "city", "passport", "offence"}
    assert not names & forbidden


def _member_names(schema: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    schema, document = resolve(schema, document)
    for name, member in schema.get("properties", {}).items():
        yield name
        yield from _member_names(member, document)
    if "items" in schema:
        yield from _member_names(schema["items"], document)


@pytest.mark.parametrize("message_type", sorted(BODIES))
def test_an_example_that_is_not_valid(message_type: str) -> None:
    schema = f"case-referral/0/{message_type}#/$defs/body"
    assert validate(schema, example_body(message_type)) == ()


def test_the_example_of_a_receipt_that_is_not_valid() -> None:
    assert validate("receipt/1/receipt", example_body("receipt")) == ()


def test_a_schema_nobody_published() -> None:
    with pytest.raises(UnknownSchema) as caught:
        validate(f"case-referral/9/{CANARY}", {})
    assert CANARY not in f"{caught.value}{caught.value!r}"


@pytest.mark.parametrize("message_type", sorted(BODIES))
@given(data=st.data())
@settings(relaxed, max_examples=20)
def test_a_valid_body_that_is_refused(message_type: str, data: st.DataObject) -> None:
    body = data.draw(bodies(message_type))
    assert validate(f"case-referral/0/{message_type}#/$defs/body", body) == ()


@pytest.mark.parametrize("message_type", sorted(BODIES))
@given(data=st.data())
@settings(relaxed, max_examples=50)
def test_an_independent_validator_judges_otherwise(message_type: str, data: st.DataObject) -> None:
    body = data.draw(spoilt(bodies(message_type), CANARY))
    document = DOCUMENTS[f"urn:rujukan:case-referral:0:{message_type}"]
    second = jsonschema.Draft202012Validator(document, registry=REGISTRY)
    message = EVENT | {"type": message_type, "body": body}
    ours = validate(f"case-referral/0/{message_type}", message)
    assert bool(ours) == (not second.is_valid(message))


@pytest.mark.parametrize("message_type", sorted(BODIES))
@given(data=st.data())
@settings(relaxed, max_examples=50)
def test_a_canary_in_a_problem_or_an_error(message_type: str, data: st.DataObject) -> None:
    body = data.draw(spoilt(bodies(message_type), CANARY))
    problems = validate(f"case-referral/0/{message_type}#/$defs/body", body)
    assert CANARY not in repr(problems)
    message = dump_json(EVENT | {"type": message_type, "body": body})
    for failing in (lambda: read_body(message_type, body), lambda: parse_message(message)):
        assert CANARY not in "".join(_all_that_is_said(_raised_by(failing)))


def _raised_by(failing: Callable[[], object]) -> ContractError | None:
    try:
        failing()
    except ContractError as error:
        return error
    return None


def _all_that_is_said(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield f"{error}{error!r}{error.args}{vars(error)}"
        error = error.__cause__ or error.__context__


def test_a_canary_in_the_name_of_an_undeclared_member() -> None:
    body = example_body("referral.requested") | {CANARY: {CANARY: 1}}
    (problem,) = validate("case-referral/0/referral.requested#/$defs/body", body)
    assert problem.instance_path == ""
    assert problem.keyword == "additionalProperties"


def test_a_path_that_goes_on_after_an_undeclared_name() -> None:
    """Closed schemas never let the library get there; should one be opened, this still holds."""
    open_schema = {"additionalProperties": {"additionalProperties": {"type": "integer"}}}
    (error,) = jsonschema_rs.iter_errors(open_schema, {"body": {CANARY: "x"}})
    assert CANARY in error.instance_path
    assert problem_of(error).instance_path == "/body"


def test_a_canary_in_the_name_of_a_message_type() -> None:
    message = dump_json(EVENT | {"type": CANARY, "body": {}})
    with pytest.raises(Rejected) as caught:
        parse_message(message)
    assert caught.value.code == "version_unsupported"
    assert CANARY not in "".join(_all_that_is_said(caught.value))


def test_a_problem_that_does_not_say_which_member_is_missing() -> None:
    body = example_body("referral.declined")
    del body["next_step"]
    (problem,) = validate("case-referral/0/referral.declined#/$defs/body", body)
    assert (problem.instance_path, problem.keyword) == ("/next_step", "required")


def test_what_is_no_json_leaves_a_value_in_the_exception() -> None:
    for value in ({CANARY}, object(), f"\ud800{CANARY}"):
        with pytest.raises(Malformed) as caught:
            validate("receipt/1/receipt", {"v": value})  # type: ignore[dict-item]  # on purpose
        assert caught.value.__context__ is None
        assert CANARY not in f"{caught.value!r}"
