"""The schemas are closed and bounded, say what the code says, and their errors tell no value."""

import re
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any, get_args, get_type_hints

import jsonschema
import jsonschema_rs
import pytest
import referencing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import codes
from contracts.bodies import MaybeDay, Receipt
from contracts.encoding import JsonObject, dump_json
from contracts.errors import ContractError, Malformed, Rejected
from contracts.examples import example_body
from contracts.messages import APART, BODIES, IN_A_CASE, parse_message, read_body
from contracts.schema import (
    Problem,
    UnknownSchema,
    problem_of,
    schema_document,
    schema_names,
    validate,
)
from contracts.shapes import json_name
from contracts.times import Day, Utc
from tests.unit.contracts.generated import (
    DOCUMENTS,
    body_schema,
    message_schema,
    messages,
    near_misses,
    resolve,
    spoilt,
)

CANARY = "zq7canary7qz"
REGISTRY: referencing.Registry[Any] = referencing.Registry().with_resources(
    (identifier, referencing.Resource.from_contents(document))
    for identifier, document in DOCUMENTS.items()
)
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def example_message(message_type: str) -> JsonObject:
    """The example's body with the shortest head."""
    message: JsonObject = {"type": message_type, "v": "1.0", "id": "a" * 32}
    if message_type in IN_A_CASE:
        message |= {"referral_ref": "b" * 32, "after": ["c" * 32]}
    return message | {"at": "2026-11-21T08:30:00Z", "body": example_body(message_type)}


@cache
def second(message_type: str) -> jsonschema.Draft202012Validator:
    """A validator by other people in another language."""
    return jsonschema.Draft202012Validator(message_schema(message_type), registry=REGISTRY)


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
                assert part["maxItems"] <= 50, (identifier, part)
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


def test_a_control_character_that_the_schema_lets_pass() -> None:
    """What only our own check refuses, a partner who has only the schemas would send."""
    for identifier, document in DOCUMENTS.items():
        for part in subschemas(document):
            if part.get("type") == "string" and part["minLength"] != part["maxLength"]:
                assert "\x00" in part["not"]["pattern"], (identifier, part)


def test_a_code_that_stands_in_one_of_schema_and_code_only() -> None:
    used = {
        tuple(code for code in part["enum"] if code not in codes.UNSAID)
        for document in DOCUMENTS.values()
        for part in subschemas(document)
        if "enum" in part
    } - {()}
    lists = {codes.LISTS[name] for name in codes.LISTS.keys() - {"unsaid"}}
    assert used <= lists
    assert lists - used == {codes.POPULATIONS}  # of the directory


def test_a_list_that_repeats_a_code_or_has_none() -> None:
    for name, listed in codes.LISTS.items():
        assert len(set(listed)) == len(listed) > 0, name
        assert all(re.fullmatch("[a-z0-9_]{1,40}", code) for code in listed), name
        assert name == "unsaid" or not set(listed) & set(codes.UNSAID), name


def test_a_type_of_message_that_has_no_schema_or_no_type() -> None:
    named = {name.removeprefix("case-referral/1/") for name in schema_names()}
    assert named - {"terms", "receipt/1/receipt"} == BODIES.keys() == IN_A_CASE | APART
    assert {"message.problem"} == IN_A_CASE & APART


@pytest.mark.parametrize("message_type", sorted(BODIES))
def test_a_message_whose_head_names_a_case_it_cannot_have(message_type: str) -> None:
    schema = message_schema(message_type)
    optional = {"resend_of"} | ({"referral_ref", "after"} if message_type in APART else set())
    every = {"type", "v", "id", "referral_ref", "after", "at", "resend_of", "body"}
    assert schema["properties"].keys() == every - ({"referral_ref", "after"} - IN[message_type])
    assert set(schema["required"]) == every - optional
    assert schema["properties"]["type"] == {"const": message_type}
    assert schema["properties"]["v"] == {"const": "1.0"}


IN = {name: {"referral_ref", "after"} if name in IN_A_CASE else set() for name in BODIES}


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
    members = {json_name(spec): (spec, hints[spec.name]) for spec in fields(kind)}
    assert members.keys() == schema["properties"].keys(), kind
    for name, (spec, hint) in members.items():
        member = schema["properties"][name]
        assert _can_be_left_out(spec) != (name in schema.get("required", ())), (kind, name)
        _compare_member(spec, hint, member, document)


def _compare_member(spec: Field[Any], hint: Any, member: Any, document: dict[str, Any]) -> None:
    named = member.get("$ref", "").rpartition("/")[2]
    member, home = resolve(member, document)
    kinds = {hint, *_flat_args(hint)}
    assert (spec.default == "not_asked") <= _accepts("not_asked", member), spec.name
    assert (tuple in _origins(hint)) == ("array" in member.get("type", ())), spec.name
    if home["$id"] != "urn:rujukan:receipt:1:receipt":  # published before there were terms
        assert (Utc in kinds) == (named == "time"), spec.name
        assert (hint == MaybeDay) == (named == "maybe_date"), spec.name
        assert (Day in kinds) == (named in ("date", "maybe_date")), spec.name
    inner = [found for found in kinds if is_dataclass(found)]
    item, home = resolve(member.get("items", member), home)
    assert bool(inner) == (item.get("type") == "object"), spec.name
    if inner:
        _compare(inner[0], item, home)


def _accepts(word: str, member: dict[str, Any]) -> bool:
    return jsonschema.Draft202012Validator(member, registry=REGISTRY).is_valid(word)


def _can_be_left_out(spec: Field[Any]) -> bool:
    """Whether the type has a default; a receipt's version is a constant."""
    return spec.name != "v" and not (spec.default is MISSING and spec.default_factory is MISSING)


def _origins(hint: Any) -> set[Any]:
    return {getattr(found, "__origin__", None) for found in (hint, *_flat_args(hint))}


def _flat_args(hint: Any) -> Iterator[Any]:
    for argument in get_args(hint):
        yield argument
        yield from _flat_args(argument)


def test_consent_covers_something_that_no_message_tells() -> None:
    of_a_request = body_schema("referral.requested")[0]["properties"].keys()
    later = {name.partition(".")[0] for name in BODIES}
    assert set(codes.CONSENT_FIELDS) <= of_a_request | later


@pytest.mark.parametrize("message_type", sorted(BODIES.keys() - {"identity.released"}))
def test_a_member_for_a_name_or_a_contact_outside_of_the_identity(message_type: str) -> None:
    names = set(_member_names(*body_schema(message_type)))
    forbidden = {"name", "full", "phone", "email", "address", "district", "city", "passport"}
    assert not names & forbidden


def test_a_member_or_a_code_for_an_offence_or_an_illegal_status() -> None:
    """Non-punishment: what there is no word for cannot be told."""
    of_persons = codes.LISTS.keys() - {"problem_codes", "receipt_codes"}
    words = {code for name in of_persons for code in codes.LISTS[name]}
    members = {name for found in BODIES for name in _member_names(*body_schema(found))}
    forbidden = "offen[cs]e|illegal|crime|criminal|undocumented|irregular|recruited|story"
    assert not re.search(forbidden, " ".join(sorted(words | members)))


def test_one_code_for_trafficking_and_smuggling() -> None:
    words = {word for codes_ in codes.LISTS.values() for code in codes_ for word in code.split("_")}
    assert not words & {"tipsom", "trafficking", "smuggling"}
    assert codes.CONCERNS == ("tip", "som", "both", "undetermined")


def _member_names(schema: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    schema, document = resolve(schema, document)
    for name, member in schema.get("properties", {}).items():
        yield name
        yield from _member_names(member, document)
    if "items" in schema:
        yield from _member_names(schema["items"], document)


@pytest.mark.parametrize("message_type", sorted(BODIES))
def test_an_example_that_is_not_valid(message_type: str) -> None:
    assert validate(f"case-referral/1/{message_type}", example_message(message_type)) == ()
    assert "DEMO" in f"{example_body(message_type)}" or not _has_text(message_type)


def _has_text(message_type: str) -> bool:
    return "text" in set(_member_names(*body_schema(message_type))) & _names_in(
        example_body(message_type)
    )


def _names_in(value: Any) -> set[str]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set(value if isinstance(value, dict) else ()).union(*map(_names_in, inner))


def test_the_example_of_a_receipt_that_is_not_valid() -> None:
    assert validate("receipt/1/receipt", example_body("receipt")) == ()


def test_a_schema_nobody_published() -> None:
    with pytest.raises(UnknownSchema) as caught:
        validate(f"case-referral/9/{CANARY}", {})
    assert CANARY not in f"{caught.value}{caught.value!r}"


@pytest.mark.parametrize("message_type", sorted(BODIES))
@given(data=st.data())
@settings(relaxed, max_examples=12)
def test_a_valid_message_that_is_refused(message_type: str, data: st.DataObject) -> None:
    message = data.draw(messages(message_type))
    assert validate(f"case-referral/1/{message_type}", message) == ()
    assert second(message_type).is_valid(message)


def test_too_few_near_misses() -> None:
    counted = sum(1 for name in BODIES for _ in near_misses(example_message(name), CANARY))
    assert counted >= 10_000


@pytest.mark.parametrize("message_type", sorted(BODIES))
def test_an_independent_validator_judges_a_near_miss_otherwise(message_type: str) -> None:
    """Each place of the example, changed in each way: more than 10,000 over all types."""
    for message in near_misses(example_message(message_type), CANARY):
        problems = validate(f"case-referral/1/{message_type}", message)
        assert bool(problems) == (not second(message_type).is_valid(message)), message
        _tells_the_schema_alone(problems)


@pytest.mark.parametrize("message_type", sorted(BODIES))
@given(data=st.data())
@settings(relaxed, max_examples=12)
def test_an_independent_validator_judges_otherwise(message_type: str, data: st.DataObject) -> None:
    message = data.draw(spoilt(messages(message_type), CANARY))
    problems = validate(f"case-referral/1/{message_type}", message)
    assert bool(problems) == (not second(message_type).is_valid(message))
    _tells_the_schema_alone(problems)


@pytest.mark.parametrize("message_type", sorted(BODIES))
@given(data=st.data())
@settings(relaxed, max_examples=12)
def test_a_canary_in_a_problem_or_an_error(message_type: str, data: st.DataObject) -> None:
    message = data.draw(spoilt(messages(message_type), CANARY))
    body = message.get("body") if isinstance(message.get("body"), dict) else {CANARY: CANARY}
    for failing in (
        lambda: read_body(message_type, body),
        lambda: parse_message(dump_json(message)),
    ):
        assert CANARY not in "".join(_all_that_is_said(_raised_by(failing)))


def _tells_the_schema_alone(problems: tuple[Problem, ...]) -> None:
    """Not only no canary: every word of a problem is one of the schema's own."""
    for problem in problems:
        assert CANARY not in repr(problem)
        parts = {*problem.instance_path.split("/")[1:], *problem.schema_path.split("/")[1:]}
        assert {part for part in parts if not part.isdigit()} <= WORDS, problem
        assert problem.keyword in WORDS | {"falseSchema"}


def _words(schema: Any) -> Iterator[str]:
    inner = schema.values() if isinstance(schema, dict) else schema
    for value in inner if isinstance(schema, dict | list) else ():
        yield from _words(value)
    if isinstance(schema, dict):
        yield from schema


WORDS = {word for document in DOCUMENTS.values() for word in _words(document)}


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
    (problem,) = validate("case-referral/1/referral.requested#/$defs/body", body)
    assert problem.instance_path == ""
    assert problem.keyword == "additionalProperties"


def test_a_path_that_goes_on_after_an_undeclared_name() -> None:
    """Closed schemas never let the library get there; should one be opened, this still holds."""
    open_schema = {"additionalProperties": {"additionalProperties": {"type": "integer"}}}
    (error,) = jsonschema_rs.iter_errors(open_schema, {"body": {CANARY: "x"}})
    assert CANARY in error.instance_path
    assert problem_of(error).instance_path == "/body"


def test_a_canary_in_the_name_of_a_message_type() -> None:
    message = dump_json(example_message("org.event") | {"type": CANARY})
    with pytest.raises(Rejected) as caught:
        parse_message(message)
    assert caught.value.code == "version_unsupported"
    assert CANARY not in "".join(_all_that_is_said(caught.value))


def test_a_problem_that_does_not_say_which_member_is_missing() -> None:
    body = example_body("referral.declined")
    del body["next_step"]
    (problem,) = validate("case-referral/1/referral.declined#/$defs/body", body)
    assert (problem.instance_path, problem.keyword) == ("/next_step", "required")


def test_what_is_no_json_leaves_a_value_in_the_exception() -> None:
    for value in ({CANARY}, object(), f"\ud800{CANARY}"):
        with pytest.raises(Malformed) as caught:
            validate("receipt/1/receipt", {"v": value})  # type: ignore[dict-item]  # on purpose
        assert caught.value.__context__ is None
        assert CANARY not in f"{caught.value!r}"
