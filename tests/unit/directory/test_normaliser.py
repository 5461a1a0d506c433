"""Folding text: the index and the searcher must fold alike, whatever either writes."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.search.normaliser import fold, index_text, name_key, pairs, words

# Letters, vowel signs and digits of all ten languages' scripts, with what surrounds them.
SCRIPTS = st.one_of(
    *(
        st.text(
            st.characters(min_codepoint=low, max_codepoint=high),
            max_size=12,
        )
        for low, high in (
            (0x20, 0x24F),  # Latin, Vietnamese
            (0x300, 0x36F),  # combining marks
            (0x600, 0x6FF),  # Arabic, Urdu
            (0x980, 0x9FF),  # Bangla
            (0xB80, 0xBFF),  # Tamil
            (0xD80, 0xDFF),  # Sinhala
            (0xE00, 0xE7F),  # Thai
            (0x4E00, 0x4F00),  # Han
            (0x1EA0, 0x1EF9),  # Vietnamese, composed
            (0xFB50, 0xFEFC),  # Arabic presentation forms
        )
    )
)
TEXTS = st.one_of(st.text(), st.lists(SCRIPTS, max_size=5).map(" ".join), SCRIPTS)


@given(TEXTS)
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(TEXTS)
def test_the_composed_and_the_decomposed_spelling_are_one(text: str) -> None:
    composed = fold(unicodedata.normalize("NFC", text))
    assert fold(unicodedata.normalize("NFD", text)) == composed


@given(TEXTS, TEXTS)
def test_a_words_neighbours_do_not_change_it(left: str, right: str) -> None:
    assert words(f"{left} \n {right}") == words(left) + words(right)


@given(TEXTS)
def test_every_word_searched_is_a_word_indexed(text: str) -> None:
    indexed = index_text(text).split()
    for word in words(text):
        assert set(pairs(word.text) if word.unspaced else (word.text,)) <= set(indexed)


@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x4E20), min_size=1, max_size=9))
def test_any_part_of_an_unspaced_run_is_a_phrase_of_its_pairs(run: str) -> None:
    indexed = f" {index_text(run)} "
    for start in range(len(run)):
        for end in range(start + 2, len(run) + 1):
            assert f" {' '.join(pairs(run[start:end]))} " in indexed
        assert any(pair.startswith(run[start]) for pair in indexed.split())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Đường dây nóng", "duong day nong"),
        ("HỒ CHÍ MINH", "Ho Chi Minh"),
        ("كراچي", "کراچی"),
        ("عِلاج", "علاج"),
        ("پناہ گاہ", "پناه گاه"),
        ("۰۳۰۰", "0300"),
        ("০১৭", "017"),
        ("๑๓๐๐", "1300"),
        ("１３００", "1300"),
        ("\u09af\u09bc", "\u09df"),  # ya and nukta, composed and not
        ("\u09a1\u09bc", "\u09dc"),
        ("সত্\u200d", "সৎ"),
        ("ශ්\u200dරී", "ශ්රී"),
        ("Straße", "STRASSE"),
    ],
)
def test_spellings_of_one_word_are_one(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("কি", "কী"),
        ("தல", "தலை"),
        ("ගම", "ගමු"),
        ("ป่า", "ปา"),
        ("ড", "ড়"),
    ],
)
def test_a_vowel_sign_is_a_letter_and_makes_another_word(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@pytest.mark.parametrize(
    "spelling", ["Tenaganita", "tenagganita", "Tenaganitha", "tenaganittaa"[:-1], "TENAGANITA"]
)
def test_a_name_spelled_by_ear_has_the_same_key(spelling: str) -> None:
    assert name_key(fold(spelling)) == name_key("tenaganita")


def test_a_name_in_another_script_has_no_latin_key() -> None:
    assert name_key("শাপলা") == ""
