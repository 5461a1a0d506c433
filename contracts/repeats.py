"""Whether a text repeats a value of the identity draft, so that who declines was told no name.

    repeats(text, identity, language="vie")

A name is looked for word by word, and as two of its words side by side; a number and an address
as a whole; a code word as it stands; a birthday in any order of day, month and year. What would
refuse every text is not looked for: a word of two letters on its own ("Li", "An", "Mo"), a short
word without its capital ("may", "rose"), the ordinary words of a place ("near the market"). Where
a whole text has no capitals they are not waited for. It is a net with holes, as every such net is:
a nickname that the draft does not have passes, and so does a name in another script.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from contracts.bodies import IdentityReleased
from contracts.spelling import (
    Word,
    is_cased,
    is_syllabic,
    plain,
    runs_on,
    stem,
    takes_endings,
    visible,
    words,
)

_SHORTEST: Final = 3  # letters of a word that is looked for on its own
_SURE: Final = 5  # letters from which a word counts without its capital
_SHORTEST_SYLLABIC: Final = 2
_SHORTEST_RUN_ON: Final = 4  # in Thai and its kin two or three letters stand in every text
_GIVEN: Final = 3  # characters of a Chinese or Korean name whose last two are the given name
_WINDOW: Final = 3  # characters of a place or name in such a script
_FEWEST_DIGITS: Final = 5
_ENOUGH_DIGITS: Final = 7  # of a telephone number's end, whatever the country's prefix
_FEWEST_LETTERS: Final = 8  # of an address without a digit
_SHORTEST_CODE: Final = 4
_BUDDHIST: Final = 543

# One syllable a word, and most of them ordinary words too: only the capital makes it a name.
_SYLLABLE_LANGUAGES: Final = frozenset({"vie"})
# What begins a description of a place or a person, or stands in many, and is no name.
_ORDINARY_TEXT: Final = """
    near next the and close opposite behind beside between before after above below under outside
    inside from with her his their she they this that there where one two first second house home
    room floor block street road lane village town city district market school shop mosque temple
    church station hospital police clinic factory river bridge corner east west north south
    kampung kampong jalan taman desa dekat belakang depan pasar sekolah masjid rumah lorong daerah
    agent boss uncle aunt auntie brother sister mother father husband wife friend neighbour madam
    """
_ORDINARY: Final = frozenset(_ORDINARY_TEXT.split())
_DIGITS: Final = re.compile(r"[0-9]+(?:[\s().\-/,:_*+|~\u2010-\u2015\u00b7]{1,4}[0-9]+)*")
_DAY: Final = re.compile(
    r"(?<![0-9])([0-9]{1,4}) ?[-./年] ?([0-9]{1,2}) ?[-./月] ?([0-9]{1,4})(?![0-9])"
)
_BIRTHDAY: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")


def repeats(text: str, identity: IdentityReleased, *, language: str = "") -> bool:
    """Whether any value of the draft stands in the text. `language` is ISO 639-3."""
    read = _Text.of(text, language=language)
    return (
        any(_has_name(read, words(name)) for name in _names(identity))
        or any(_has_named(read, value) for value in _described(identity))
        or any(_has_number(read, number) for number in _numbers(identity))
        or any(_has_phrase(read, said) for said in _code_words(identity))
        or _has_birthday(read, identity.date_of_birth)
    )


@dataclass(frozen=True, slots=True, repr=False)
class _Text:
    """A text in the forms that the questions need."""

    plain: str
    together: str
    order: tuple[str, ...]
    words: frozenset[str]
    capital: frozenset[str]
    capitals_tell: bool
    one_by_one: bool

    @classmethod
    def of(cls, text: str, *, language: str) -> "_Text":
        found, folded = words(text), plain(text)
        return cls(
            plain=folded,
            together="".join(letter for letter in folded if letter.isalnum()),
            order=tuple(word.text for word in found),
            words=frozenset(word.text for word in found),
            capital=frozenset(word.text for word in found if word.capital),
            capitals_tell=any(letter.isupper() for letter in visible(text)),
            one_by_one=language in _SYLLABLE_LANGUAGES,
        )


def _names(identity: IdentityReleased) -> Iterator[str]:
    yield identity.name.full
    if identity.name.known_as is not None:
        yield identity.name.known_as


def _described(identity: IdentityReleased) -> Iterator[str]:
    """Names among ordinary words: a place near something, somebody's uncle."""
    if identity.district is not None:
        yield identity.district.text
    yield from _channels(identity, "visit", "trusted_person")
    yield from (somebody.name for somebody in identity.do_not_contact)


def _numbers(identity: IdentityReleased) -> Iterator[str]:
    yield from _channels(identity, "call", "text_message", "messenger", "email")
    yield from (paper.number for paper in identity.documents if paper.number is not None)


def _code_words(identity: IdentityReleased) -> Iterator[str]:
    if identity.code_words is not None:
        yield identity.code_words.caller_says
        yield identity.code_words.person_answers


def _channels(identity: IdentityReleased, *kinds: str) -> Iterator[str]:
    channels = identity.contact.channels if identity.contact is not None else ()
    return (channel.value for channel in channels if channel.kind in kinds)


def _has_name(text: _Text, name: Sequence[Word]) -> bool:
    spaced = [word for word in name if not runs_on(word.text)]
    run_on = [word.text for word in name if runs_on(word.text)]
    return (
        any(_has_word(text, word.text) for word in spaced)
        or _side_by_side(text, [word.text for word in spaced])
        or _runs_in(text, run_on)
    )


def _has_word(text: _Text, word: str) -> bool:
    if len(word) < _SHORTEST:
        return False
    if takes_endings(word):
        begins = stem(word)
        return len(begins) >= _SHORTEST and any(other.startswith(begins) for other in text.words)
    if word not in text.words or not is_cased(word):
        return word in text.words
    sure = len(word) >= _SURE and not text.one_by_one
    return sure or not text.capitals_tell or word in text.capital


def _side_by_side(text: _Text, name: Sequence[str]) -> bool:
    """Two neighbours of the name, in either order: this finds "Li Na" and "Na Li"."""
    there = set(pairwise(text.order))
    return any({(one, two), (two, one)} & there for one, two in pairwise(name))


def _runs_in(text: _Text, name: Sequence[str]) -> bool:
    whole = "".join(name)
    if not whole:
        return False
    if is_syllabic(whole):
        wanted = [whole, whole[-2:]] if len(whole) == _GIVEN else [whole]
        return any(len(one) >= _SHORTEST_SYLLABIC and one in text.together for one in wanted)
    return any(
        one in text.plain if len(one) >= _SHORTEST_RUN_ON else one in text.words for one in name
    )


def _has_named(text: _Text, value: str) -> bool:
    named = [
        word
        for word in words(value)
        if not is_cased(word.text) or (word.capital and word.text not in _ORDINARY)
    ]
    syllabic = "".join(word.text for word in named if is_syllabic(word.text))
    windows = (syllabic[at : at + _WINDOW] for at in range(len(syllabic) - _WINDOW + 1))
    others = [word for word in named if not is_syllabic(word.text)]
    return _has_name(text, others) or any(window in text.together for window in windows)


def _has_number(text: _Text, value: str) -> bool:
    whole = "".join(letter for letter in plain(value) if letter.isalnum())
    digits = "".join(letter for letter in whole if letter.isdigit())
    if len(digits) >= _ENOUGH_DIGITS:
        written = "".join(letter for letter in text.plain if letter.isdigit())
        return digits[-_ENOUGH_DIGITS:] in written
    if len(digits) >= _FEWEST_DIGITS and any(digits in run for run in _runs(text.plain)):
        return True
    shortest = _FEWEST_DIGITS if digits else _FEWEST_LETTERS
    return len(whole) >= shortest and not whole.isdigit() and whole in text.together


def _runs(text: str) -> Iterator[str]:
    """The text's numbers, each without what stands between its digits."""
    return (re.sub("[^0-9]", "", found[0]) for found in _DIGITS.finditer(text))


def _has_phrase(text: _Text, said: str) -> bool:
    wanted = tuple(word.text for word in words(said))
    if sum(map(len, wanted)) < _SHORTEST_CODE and not runs_on("".join(wanted) or "-"):
        return False
    if any(runs_on(word) for word in wanted):
        whole = "".join(wanted)
        return len(whole) >= _SHORTEST_SYLLABIC and whole in text.together
    return f" {' '.join(wanted)} " in f" {' '.join(text.order)} "


def _has_birthday(text: _Text, birthday: str) -> bool:
    """A whole birthday only: a year or a month of somebody's life stands in many texts."""
    born = _BIRTHDAY.fullmatch(birthday)
    if born is None:
        return False
    year, month, day = map(int, born.groups())
    looked_for = {
        tuple(sorted((number, month, day))) for number in (year, year + _BUDDHIST, year % 100)
    }
    return any(
        tuple(sorted(map(int, found.groups()))) in looked_for for found in _DAY.finditer(text.plain)
    )
