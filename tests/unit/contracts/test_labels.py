"""Labels: every code has one in every language, and none of them confuses, blames or leaks."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.codes import LISTS, UNSAID
from contracts.fold import JourneyStands, Place
from contracts.labels import label, labels, languages, reviewed
from contracts.lifecycle import MOVES, Side, State
from contracts.messages import BODIES

TEN: Final = ("bn", "en", "id", "ms", "si", "ta", "th", "ur", "vi", "zh")
ALL_LISTS: Final[Mapping[str, tuple[str, ...]]] = {
    **LISTS,
    "state": tuple(State),
    "side": tuple(Side),
    "move": tuple(map(str, MOVES)),
    "message_types": tuple(BODIES),
    "place": tuple(Place),
    "journey": tuple(JourneyStands),
}
PAIRS: Final = tuple((name, code) for name, codes in ALL_LISTS.items() for code in codes)
LONGEST: Final = 80  # a line on a small screen; Latin scripts stay below 60

# Words that Malay and Indonesian share with English.
LIKE_ENGLISH: Final = {
    "ms": {"Halal", "Hindu", "Hospital", "Sikh", "Vegan", "Vegetarian", "Visa"},
    "id": {"Bus", "Halal", "Hindu", "Sikh", "Vegan", "Vegetarian", "Visa"},
}
OTHER_SCRIPT: Final = ("bn", "si", "ta", "th", "ur", "zh")
# The field's own short names, and names of things, which stand in Latin letters everywhere.
LATIN_EVERYWHERE: Final = frozenset({"TIP", "SOM", "SMS", "Rujukan"})
# Trafficking's own word: in the label of `tip`, and never in one about smuggling.
TRAFFICKING: Final = {
    "bn": "পাচার",
    "en": "traffick",
    "id": "perdagangan",
    "ms": "pemerdagangan",
    "si": "වෙළඳාම",
    "ta": "வியாபார",
    "th": "ค้ามนุษย์",
    "ur": "تجارت",
    "vi": "mua bán",
    "zh": "贩运",
}
# What the network does not call people: marked by what was done to them, or by a law they broke.
AVOIDED: Final = {
    "bn": ("ভুক্তভোগী", "অবৈধ"),
    "en": ("victim", "illegal"),
    "id": ("korban", "ilegal"),
    "ms": ("mangsa", "haram"),
    "si": ("වින්දිත", "නීති විරෝධී"),
    "ta": ("சட்டவிரோத",),
    "th": ("เหยื่อ", "ผิดกฎหมาย"),
    "ur": ("غیر قانونی",),
    "vi": ("nạn nhân", "bất hợp pháp", "trái phép"),
    "zh": ("受害", "非法"),
}
INVISIBLE_BUT_NEEDED: Final = "\u200c\u200d"  # joiners: Sinhala, Bangla and Urdu are wrong without


@cache
def table(language: str) -> Mapping[str, Any]:
    """A language's file as it is, without any falling back."""
    file = files("contracts") / "labels" / f"{language}.json"
    found: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def written(language: str) -> Iterator[tuple[str, str, str]]:
    """Every list, code and label that the file has."""
    for name, entries in table(language)["lists"].items():
        for code, text in entries.items():
            yield name, code, text


def test_all_ten_languages_have_a_table_and_no_other_file_is_there() -> None:
    assert languages() == TEN


@pytest.mark.parametrize("language", TEN)
def test_no_list_no_code_and_no_order_is_lost(language: str) -> None:
    found = table(language)
    assert set(found) == {"language", "reviewed", "lists"}
    assert found["language"] == language
    assert {name: tuple(entries) for name, entries in found["lists"].items()} == ALL_LISTS
    assert tuple(found["lists"]) == tuple(ALL_LISTS)


@pytest.mark.parametrize("language", TEN)
def test_nobody_is_shown_an_empty_endless_or_broken_label(language: str) -> None:
    for name, code, text in written(language):
        assert text, (name, code)
        assert text == text.strip(), (name, code)
        assert len(text) <= LONGEST, (name, code)
        assert unicodedata.normalize("NFC", text) == text, (name, code)
        assert not re.search(r"[_<>{}%]|TODO|\bXX|\s\s", text), (name, code)
        assert not [sign for sign in text if _hidden(sign)], (name, code)


@pytest.mark.parametrize("language", TEN)
def test_two_codes_of_a_list_never_look_the_same(language: str) -> None:
    for name, entries in table(language)["lists"].items():
        texts = [text.casefold() for text in entries.values()]
        assert sorted(set(texts)) == sorted(texts), name


@pytest.mark.parametrize("language", [one for one in TEN if one != "en"])
def test_nothing_is_left_in_english(language: str) -> None:
    for name, code, text in written(language):
        if text == table("en")["lists"][name][code]:
            assert text in LIKE_ENGLISH.get(language, ()), (name, code)


@pytest.mark.parametrize("language", OTHER_SCRIPT)
def test_no_latin_word_is_left_in_another_script(language: str) -> None:
    for name, code, text in written(language):
        assert set(re.findall("[A-Za-z]+", text)) <= LATIN_EVERYWHERE, (name, code)


@pytest.mark.parametrize("language", TEN)
def test_trafficking_and_smuggling_are_two_things_in_every_language(language: str) -> None:
    concerns = labels("concerns", language)
    assert len({concerns["tip"].casefold(), concerns["som"].casefold()}) == 2
    word = TRAFFICKING[language]
    assert word in concerns["tip"].casefold()
    assert word in concerns["both"].casefold() or "TIP" in concerns["both"]
    for text in (concerns["som"], label("populations", "smuggled_migrants", language)):
        assert word not in text.casefold()


@pytest.mark.parametrize("language", TEN)
def test_nobody_is_called_a_victim_or_illegal(language: str) -> None:
    for name, code, text in written(language):
        assert not [word for word in AVOIDED[language] if word in text.casefold()], (name, code)


@given(st.sampled_from(PAIRS), st.sampled_from(TEN))
def test_label_and_labels_say_what_the_file_says(pair: tuple[str, str], language: str) -> None:
    name, code = pair
    assert label(name, code, language) == table(language)["lists"][name][code]
    assert labels(name, language)[code] == label(name, code, language)


@given(st.sampled_from(tuple(ALL_LISTS)), st.sampled_from(UNSAID), st.sampled_from(TEN))
def test_an_unsaid_answer_has_its_label_beside_every_list(
    name: str, code: str, language: str
) -> None:
    if code not in ALL_LISTS[name]:
        assert label(name, code, language) == label("unsaid", code, language)


@given(st.sampled_from(tuple(ALL_LISTS)), st.sampled_from((*TEN, "xx", "../codes", "")))
def test_a_code_from_a_newer_partner_shows_itself(name: str, language: str) -> None:
    assert label(name, "of_a_newer_version", language) == "of a newer version"


@given(st.sampled_from(PAIRS), st.sampled_from(("xx", "../codes", "", "EN")))
def test_a_language_without_a_table_reads_english(pair: tuple[str, str], language: str) -> None:
    assert label(*pair, language) == label(*pair, "en")
    assert not reviewed(language)


def test_a_list_that_does_not_exist_is_our_mistake_and_is_told() -> None:
    with pytest.raises(KeyError):
        label("no_such_list", "yes", "en")
    with pytest.raises(KeyError):
        labels("no_such_list", "en")


def test_no_reader_can_change_the_labels_of_another() -> None:
    with pytest.raises(TypeError):
        labels("yes_no", "en")["yes"] = "No"  # type: ignore[index]  # that is the point


@pytest.mark.parametrize("language", TEN)
def test_no_table_says_that_it_was_reviewed_before_anybody_did(language: str) -> None:
    assert table(language)["reviewed"] is False
    assert not reviewed(language)


def _hidden(sign: str) -> bool:
    """Controls, direction marks, private and unassigned signs."""
    return unicodedata.category(sign).startswith("C") and sign not in INVISIBLE_BUT_NEEDED
