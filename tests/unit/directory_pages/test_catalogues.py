"""Every sentence of the pages stands in every catalogue, and says there what it must."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Final

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import directory.pages
from directory.taxonomies import INTERFACE_LANGUAGES

FOLDER: Final = Path(directory.pages.__file__).parent
TRANSLATIONS: Final = FOLDER.parent / "translations"
TRANSLATED: Final = tuple(tag for tag in INTERFACE_LANGUAGES if tag != "en")
METHODS: Final = [("**.html", "jinja2.ext.babel_extract"), ("**.py", "python")]
OPTIONS: Final = {"**.html": {"encoding": "utf-8", "trimmed": "true", "silent": "false"}}
KEYWORDS: Final = {"_": None, "ngettext": (1, 2)}
# What a reader of any language must find unchanged: names of keys and of things.
KEPT: Final = ("Escape",)

Key = str | tuple[str, ...]


def _said() -> set[Key]:
    found = extract_from_dir(FOLDER, METHODS, OPTIONS, keywords=KEYWORDS)
    return {tuple(text) if isinstance(text, (list, tuple)) else text for _, _, text, _, _ in found}


def _catalogue(tag: str) -> Catalog:
    with (TRANSLATIONS / tag / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=tag, abort_invalid=True)


def _messages(tag: str) -> dict[Key, Message]:
    return {_key(one.id): one for one in _catalogue(tag) if one.id}


def _key(found: str | list[str] | tuple[str, ...]) -> Key:
    return found if isinstance(found, str) else tuple(found)


def _forms(text: str | list[str] | tuple[str, ...] | None) -> tuple[str, ...]:
    return (text or "",) if isinstance(text, str | None) else tuple(text)


def test_the_pages_say_something() -> None:
    said = _said()
    assert len(said) > 40
    assert ("%(num)d service found", "%(num)d services found") in said


def test_there_is_a_catalogue_for_every_language_and_no_other() -> None:
    assert {path.name for path in TRANSLATIONS.iterdir()} == set(TRANSLATED)


@pytest.mark.parametrize("tag", TRANSLATED)
def test_nothing_is_missing_and_nothing_is_obsolete(tag: str) -> None:
    said, known = _said(), _messages(tag)
    assert said - known.keys() == set(), "without a translation"
    assert known.keys() - said == set(), "translated, but nowhere said"
    assert not _catalogue(tag).obsolete
    empty = {key for key, one in known.items() if not all(map(str.strip, _forms(one.string)))}
    assert empty == set()
    assert not any(one.fuzzy for one in known.values())


@pytest.mark.parametrize("tag", TRANSLATED)
def test_placeholders_and_fixed_words_are_kept(tag: str) -> None:
    for key, one in _messages(tag).items():
        wanted = Counter(re.findall(r"%\(\w+\)[sd]", _forms(key)[0]))
        for form in _forms(one.string):
            assert Counter(re.findall(r"%\(\w+\)[sd]", form)) == wanted, key
            assert all(word in form for word in KEPT if word in _forms(key)[0]), key


@pytest.mark.parametrize("tag", TRANSLATED)
def test_no_translation_brings_markup_or_line_breaks(tag: str) -> None:
    for key, one in _messages(tag).items():
        assert not any(c in form for form in _forms(one.string) for c in "<>&\n"), key


@pytest.mark.parametrize("tag", TRANSLATED)
def test_a_catalogue_says_that_nobody_has_reviewed_it(tag: str) -> None:
    assert "Review: unreviewed" in _catalogue(tag).header_comment


@pytest.mark.parametrize("tag", TRANSLATED)
def test_a_translation_is_not_english(tag: str) -> None:
    same = [key for key, one in _messages(tag).items() if _forms(one.string) == _forms(key)]
    assert same == []
