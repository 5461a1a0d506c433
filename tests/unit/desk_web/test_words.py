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
    REQUEST,
    Field,
    Kind,
    all_fields,
)
from broker.desk.web.members import MEMBERS
from broker.desk.web.pages import LANGUAGES
from broker.desk.web.sentences import OURS, TERMINAL
from broker.desk.web.sheets import UNSHOWN
from contracts.codes import LISTS, Unsaid
from contracts.messages import BODIES
from contracts.schema import schema_document
from countries.requirements import WORDINGS

FORMS = {
    "referral.requested": REQUEST,
    "referral.acknowledged": ACKNOWLEDGE,
    "referral.accepted": ACCEPT,
    "referral.declined": DECLINE,
}
TERMS: Mapping[str, Any] = schema_document("case-referral/1/terms")
ASKED = [(message, one) for message, form in FORMS.items() for one in all_fields(form)]
WITHOUT_TABLE = {"country", "language", "nationality"}


SHOWN = [(message, one) for message, members in MEMBERS.items() for one in members.values()]


@pytest.mark.parametrize(("message", "one"), ASKED, ids=lambda value: getattr(value, "name", value))
def test_a_field_asks_as_the_schema_wants_to_be_answered(message: str, one: Field) -> None:
    rule = _rule(message, one.name)
    if one.table and one.table not in WITHOUT_TABLE:
        unsaid = {word.value for word in Unsaid}
        assert one.unsaid == bool(_codes(rule) & unsaid) or one.kind is Kind.MANY
    assert ("array" in _types(rule)) == (one.kind in (Kind.MANY, Kind.FEW, Kind.TICK))


def test_a_members_list_of_codes_is_exactly_the_schemas() -> None:
    unsaid = {word.value for word in Unsaid}
    for message, one in SHOWN:
        codes = _codes(_rule(message, one.name)) - unsaid
        if one.table and one.table not in WITHOUT_TABLE | {"country"}:
            assert codes == set(LISTS[one.table]) or _is_bool(message, one), (message, one.name)
        else:
            assert codes <= {"stateless"}, (message, one.name)


def test_every_member_of_every_message_has_a_label_and_no_label_is_of_nothing() -> None:
    assert set(MEMBERS) == set(BODIES)
    for message, members in MEMBERS.items():
        names = {name for name in _leaves(_body(message), "") if not name.startswith("note.")}
        assert names - set(members) <= UNSHOWN, message
        assert {name for name in members if not name.startswith("note.")} <= names, message


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
    return found | spoken | {wording.sentence for wording in WORDINGS.values()}


def _strings(string: object) -> tuple[str, ...]:
    return tuple(map(str, string)) if isinstance(string, tuple | list) else (str(string),)


def _open_words(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)s|\{\w+\}", text))


def _body(message: str) -> Mapping[str, Any]:
    document: Mapping[str, Any] = schema_document(f"case-referral/1/{message}")
    return _resolved(document["$defs"]["body"])


def _rule(message: str, name: str) -> Mapping[str, Any]:
    rule = _body(message)
    for step in name.split("."):
        inner = rule if "properties" in rule else _resolved(rule["items"])
        rule = _resolved(inner["properties"][step])
    return rule


def _is_bool(message: str, one: Field) -> bool:
    return "const" in _rule(message, one.name)


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
