"""What was published stays; what is new breaks nothing; two sides find the version they share."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from contracts import versions
from contracts.__main__ import main
from contracts.errors import Refused
from contracts.versions import (
    Break,
    breaks,
    breaks_in_any,
    highest_common,
    published_before,
    published_now,
    version_for,
)

OURS: Final = ("case-referral/1.0", "case-referral/1.1", "case-referral/2.0", "receipt/1.0")

PERSON: Final[dict[str, Any]] = {
    "title": "A closed object, with one of everything",
    "type": "object",
    "additionalProperties": False,
    "required": ["kind", "count"],
    "properties": {
        "kind": {"enum": ["one", "two", "three"]},
        "count": {"type": "integer", "minimum": 1, "maximum": 9},
        "name": {"type": "string", "minLength": 2, "maxLength": 5, "pattern": "^[a-d]*$"},
        "list": {
            "type": "array", "minItems": 1, "maxItems": 3, "items": {"enum": ["x", "y", "z"]},
        },
        "sure": {"const": True},
        "inner": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"deep": {"type": "string", "maxLength": 3}},
        },
    },
    "if": {"properties": {"kind": {"const": "three"}}},
    "then": {"required": ["name"]},
}  # fmt: skip


# Published files


def test_a_published_schema_changed_or_stands_in_no_list() -> None:
    assert published_now() == published_before()


def test_a_draft_counts_as_published_or_a_major_does_not() -> None:
    found = published_now()
    assert "receipt/1/receipt.json" in found
    assert not [name for name in found if "/0/" in name or name.startswith("examples/")]
    on_disc = versions.SCHEMAS.glob("*/[1-9]*/*.json")
    assert found.keys() == {path.relative_to(versions.SCHEMAS).as_posix() for path in on_disc}


def test_one_changed_byte_or_one_more_file_is_not_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tally" / "1").mkdir(parents=True)
    schema = tmp_path / "tally" / "1" / "tally.json"
    schema.write_text("{}")
    monkeypatch.setattr(versions, "SCHEMAS", tmp_path)
    before = published_now()
    schema.write_text("{} ")
    assert published_now().keys() == before.keys()
    assert published_now() != before
    (tmp_path / "tally" / "1" / "more.json").write_text("{}")
    assert published_now().keys() != before.keys()


def test_the_command_prints_something_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["published"]) == 0
    assert json.loads(capsys.readouterr().out) == published_now()


# Comparing schemas

Change = Callable[[dict[str, Any]], object]
BREAKING: Final[dict[str, tuple[Change, str]]] = {
    "member removed": (lambda s: s["properties"].pop("name"), "removed"),
    "member required": (lambda s: s["required"].append("name"), "required"),
    "member not required": (lambda s: s["required"].remove("kind"), "required"),
    "code removed": (lambda s: s["properties"]["kind"]["enum"].pop(), "enum"),
    "code list taken off": (lambda s: s["properties"]["kind"].pop("enum"), "enum"),
    "code list put on": (lambda s: s["properties"]["name"].update(enum=["ab"]), "enum"),
    "text shorter": (lambda s: s["properties"]["name"].update(maxLength=4), "maxLength"),
    "text longer": (lambda s: s["properties"]["name"].update(minLength=3), "minLength"),
    "another pattern": (lambda s: s["properties"]["name"].update(pattern="^a"), "pattern"),
    "fewer items": (lambda s: s["properties"]["list"].update(maxItems=2), "maxItems"),
    "more items": (lambda s: s["properties"]["list"].update(minItems=2), "minItems"),
    "items distinct": (lambda s: s["properties"]["list"].update(uniqueItems=True), "uniqueItems"),
    "item code removed": (lambda s: s["properties"]["list"]["items"]["enum"].pop(), "enum"),
    "greater": (lambda s: s["properties"]["count"].update(minimum=2), "minimum"),
    "smaller": (lambda s: s["properties"]["count"].update(maximum=8), "maximum"),
    "another type": (lambda s: s["properties"]["count"].update(type="string"), "type"),
    "another constant": (lambda s: s["properties"]["sure"].update(const=False), "const"),
    "opened": (lambda s: s.pop("additionalProperties"), "additionalProperties"),
    "deep": (lambda s: s["properties"]["inner"]["properties"].pop("deep"), "removed"),
    "another condition": (
        lambda s: s["if"]["properties"]["kind"].update(const="two"), "if",
    ),
    "more in a condition": (lambda s: s["then"]["required"].append("list"), "then"),
    "a default": (lambda s: s["properties"]["kind"].update(default="one"), "default"),
    "a member in an open part": (lambda s: s.update(allOf=[{"properties": {"name": {}}}]), "allOf"),
    "a schema turned off": (lambda s: s["properties"].update(name=False), "schema"),
}  # fmt: skip
HARMLESS: Final[dict[str, Change]] = {
    "nothing": lambda _schema: None,
    "an optional member": lambda s: s["properties"].update(new={"type": "string"}),
    "a code": lambda s: s["properties"]["kind"]["enum"].append("four"),
    "a constant becomes a list": lambda s: s["properties"].update(sure={"enum": [True, False]}),
    "longer texts": lambda s: s["properties"]["name"].update(maxLength=50),
    "more items": lambda s: s["properties"]["list"].update(maxItems=30),
    "a description": lambda s: s.update(description="Better words."),
    "another order": lambda s: s["required"].reverse(),
    "a definition": lambda s: s.update({"$defs": {"word": {"type": "string"}}}),
    "a deep member": lambda s: s["properties"]["inner"]["properties"].update(new={"const": 1}),
}


@pytest.mark.parametrize("name", BREAKING)
def test_a_break_is_not_told(name: str) -> None:
    change, rule = BREAKING[name]
    new = copy.deepcopy(PERSON)
    change(new)
    assert [found.rule for found in breaks(PERSON, new)] == [rule]


@pytest.mark.parametrize("name", HARMLESS)
def test_a_harmless_change_is_called_a_break(name: str) -> None:
    new = copy.deepcopy(PERSON)
    HARMLESS[name](new)
    assert breaks(PERSON, new) == ()


def test_a_break_without_its_place() -> None:
    new = copy.deepcopy(PERSON)
    new["properties"]["inner"]["properties"]["deep"]["maxLength"] = 2
    assert breaks(PERSON, new) == (
        Break("/properties/inner/properties/deep/maxLength", "maxLength"),
    )


def test_a_message_type_that_was_taken_away() -> None:
    assert breaks_in_any({"a": PERSON, "b": PERSON}, {"b": PERSON, "c": PERSON}) == (
        Break("a", "removed"),
    )
    narrowed = copy.deepcopy(PERSON) | {"required": [*PERSON["required"], "name"]}
    assert breaks_in_any({"b": PERSON}, {"b": narrowed}) == (Break("b#/required", "required"),)


VALUES: Final = st.one_of(
    st.booleans(), st.integers(0, 12), st.text("abcdxyz", max_size=7),
    st.sampled_from(["one", "two", "three", "four", "x", "y", "z"]),
    st.lists(st.sampled_from(["x", "y", "z", "w"]), max_size=5),
    st.dictionaries(st.sampled_from(["deep", "new"]), st.text("ab", max_size=5), max_size=2),
)  # fmt: skip
PERSONS: Final = st.fixed_dictionaries(
    {"kind": st.sampled_from(["one", "two", "three"]), "count": st.integers(1, 9)},
    optional={
        "name": st.text("abcd", min_size=2, max_size=5), "sure": st.just(True),
        "list": st.lists(st.sampled_from(["x", "y", "z"]), min_size=1, max_size=3),
        "inner": st.fixed_dictionaries({}, optional={"deep": st.text("ab", max_size=3)}),
    },
)  # fmt: skip
KEYWORDS: Final = st.one_of(
    st.tuples(st.sampled_from(["maxLength", "minLength", "minItems", "maxItems", "minimum"]),
              st.integers(0, 12)),
    st.tuples(st.sampled_from(["enum"]), st.lists(VALUES, min_size=1, max_size=4)),
    st.tuples(st.sampled_from(["const"]), VALUES),
    st.tuples(st.sampled_from(["required"]),
              st.lists(st.sampled_from(["kind", "name", "deep"]), unique=True)),
    st.tuples(st.sampled_from(["type"]), st.sampled_from(["string", "object", "array"])),
    st.tuples(st.sampled_from(["additionalProperties", "uniqueItems"]), st.booleans()),
)  # fmt: skip
PLACES: Final = ((), ("properties", "kind"), ("properties", "count"), ("properties", "name"),
                 ("properties", "list"), ("properties", "list", "items"), ("properties", "inner"),
                 ("properties", "inner", "properties", "deep"), ("then",))  # fmt: skip


@settings(deadline=None, max_examples=400, suppress_health_check=list(HealthCheck))
@given(data=st.data(), person=PERSONS)
def test_a_change_without_a_break_refuses_what_was_valid(
    data: st.DataObject, person: dict[str, Any]
) -> None:
    assume(jsonschema.Draft202012Validator(PERSON).is_valid(person))
    new = copy.deepcopy(PERSON)
    part: Any = new
    for name in data.draw(st.sampled_from(PLACES)):
        part = part[name]
    keyword, value = data.draw(KEYWORDS)
    if data.draw(st.booleans()):
        part[keyword] = value
    else:
        part.pop(keyword, None)
    if not breaks(PERSON, new):
        assert jsonschema.Draft202012Validator(new).is_valid(person)


# Finding a version

MINORS: Final = st.lists(
    st.builds("{}/{}.{}".format, st.sampled_from(["case-referral", "receipt", "other"]),
              st.integers(1, 3), st.integers(0, 12)), max_size=8,
)  # fmt: skip


@given(reads=st.lists(MINORS, max_size=4), ours=MINORS)
def test_a_version_that_one_device_cannot_read(reads: list[list[str]], ours: list[str]) -> None:
    found = highest_common(reads, ours)
    everyone = [set(ours), *map(set, reads)]
    shared = {
        tuple(map(int, name.partition("/")[2].split(".")))
        for name in set.intersection(*everyone)
        if name.startswith("case-referral/")
    }
    if not reads or not shared:
        assert found is None
    else:
        assert found is not None
        assert all(found in names for names in everyone)
        assert tuple(map(int, found.partition("/")[2].split("."))) == max(shared)


@given(st.permutations([["case-referral/1.0"], ["case-referral/1.0", "case-referral/1.1"]]))
def test_the_order_of_the_devices_matters(reads: list[list[str]]) -> None:
    assert version_for(reads, OURS) == "case-referral/1.0"


def test_tenth_minor_is_below_the_ninth() -> None:
    both = ["case-referral/1.9", "case-referral/1.10"]
    assert highest_common([both], both) == "case-referral/1.10"


@pytest.mark.parametrize(
    "reads", [[], [[]], [["case-referral/3.0"]], [["case-referral/1.0"], ["receipt/1.0"]]]
)
def test_sending_what_nobody_can_read(reads: list[list[str]]) -> None:
    with pytest.raises(Refused) as caught:
        version_for(reads, OURS)
    assert caught.value.code == "version_unsupported"


@pytest.mark.parametrize(
    "name", ["case-referral/01.0", "case-referral/1.00", "case-referral/1", ""]
)
def test_a_second_spelling_of_a_version(name: str) -> None:
    assert highest_common([[name]], [name]) is None
