"""Each field, code and sentence of the desk has its place in the agreement and each language."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from broker.desk.errors import SENTENCES
from broker.desk.web.app import TRANSLATIONS
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
from broker.desk.web.labels import TABLES
from broker.desk.web.pages import LANGUAGES
from broker.desk.web.sentences import OURS, TERMINAL
from contracts.codes import ORG_KINDS, Unsaid
from contracts.schema import schema_document

MESSAGES = {
    "referral.requested": REQUEST,
    "referral.acknowledged": ACKNOWLEDGE,
    "referral.accepted": ACCEPT,
    "referral.declined": DECLINE,
}
TERMS: Mapping[str, Any] = schema_document("case-referral/0/terms")
ASKED = [(message, one) for message, form in MESSAGES.items() for one in all_fields(form)]
WITHOUT_TABLE = {"country", "language", "nationality"}


@pytest.mark.parametrize(("message", "one"), ASKED, ids=lambda value: getattr(value, "name", value))
def test_a_field_asks_what_the_schema_knows_with_exactly_its_codes(
    message: str, one: Field
) -> None:
    rule = _rule(message, one.name)
    codes = _codes(rule)
    if one.table and one.table not in WITHOUT_TABLE:
        unsaid = {word.value for word in Unsaid}
        assert set(TABLES[one.table]) == codes - unsaid
        assert one.unsaid == bool(codes & unsaid) or one.kind is Kind.MANY
    assert ("array" in _types(rule)) == (one.kind in (Kind.MANY, Kind.FEW, Kind.TICK))


def test_every_member_of_every_message_has_a_label() -> None:
    known = {one.name for _, one in ASKED} | {one.name for one in ONLY_SHOWN}
    for message in MESSAGES:
        names = set(_leaves(_body(message), ""))
        assert {name for name in names if name not in known} <= {"consent.id"}, message


def test_the_table_of_kinds_of_organisation_is_the_agreements() -> None:
    assert set(TABLES["org_kind"]) == set(ORG_KINDS)


@pytest.mark.parametrize("tag", [tag for tag in LANGUAGES if tag != "en"])
def test_a_catalogue_is_complete_has_nothing_stale_and_says_that_nobody_reviewed_it(
    tag: str,
) -> None:
    path = TRANSLATIONS / tag / "LC_MESSAGES" / "messages.po"
    text = path.read_text(encoding="utf-8")
    assert "Review: unreviewed" in text.partition("msgid")[0]
    with path.open("rb") as file:
        catalogue: Catalog = read_po(file, locale=tag)
    entries = {entry.id: entry.string for entry in catalogue if entry.id}
    assert set(entries) == _said()
    assert all(all(_strings(string)) for string in entries.values())


@pytest.mark.parametrize("tag", [tag for tag in LANGUAGES if tag != "en"])
def test_a_translation_keeps_the_words_that_are_filled_in(tag: str) -> None:
    with (TRANSLATIONS / tag / "LC_MESSAGES" / "messages.po").open("rb") as file:
        for entry in read_po(file, locale=tag):
            for string in _strings(entry.string):
                source = entry.id if isinstance(entry.id, str) else entry.id[0]
                assert _open_words(string) == _open_words(source) or not entry.id


def _said() -> set[object]:
    """Every text that pages and refusals can show."""
    web = Path(TRANSLATIONS).parent / "web"
    found: set[object] = {
        message
        for _, _, message, _, _ in extract_from_dir(
            str(web),
            [("**.py", "python"), ("**/templates/**.html", "jinja2")],
            keywords={"_": None, "_l": None, "gettext": None, "ngettext": (1, 2)},
        )
    }
    spoken = {text for code, text in SENTENCES.items() if code not in {*OURS, *TERMINAL}}
    return found | spoken


def _strings(string: object) -> tuple[str, ...]:
    return tuple(map(str, string)) if isinstance(string, tuple | list) else (str(string),)


def _open_words(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)s|\{\w+\}", text))


def _body(message: str) -> Mapping[str, Any]:
    document: Mapping[str, Any] = schema_document(f"case-referral/0/{message}")
    return _resolved(document["$defs"]["body"])


def _rule(message: str, name: str) -> Mapping[str, Any]:
    rule = _body(message)
    for step in name.split("."):
        rule = _resolved(rule["properties"][step])
    return rule


def _leaves(rule: Mapping[str, Any], name: str) -> Iterator[str]:
    rule = _resolved(rule)
    inner = _resolved(rule.get("items", {})) if "array" in _types(rule) else rule
    if "properties" not in inner:
        yield name
        return
    for member, below in inner["properties"].items():
        yield from _leaves(below, f"{name}.{member}" if name else member)


def _resolved(rule: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in rule:
        rule = TERMS["$defs"][rule["$ref"].rpartition("/")[2]]
    return rule


def _types(rule: Mapping[str, Any]) -> tuple[str, ...]:
    kinds = rule.get("type", ())
    return (kinds,) if isinstance(kinds, str) else tuple(kinds)


def _codes(rule: Mapping[str, Any]) -> set[str]:
    items = _resolved(rule.get("items", {}))
    unsaid = _resolved(rule["then"]).get("enum", []) if "then" in rule else []
    return {*rule.get("enum", []), *items.get("enum", []), *unsaid}
