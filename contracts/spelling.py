"""One spelling for what reads the same, so that a net for texts is not slipped through by accident.

    plain("০১৭ ①②")  →  "017 12"
    words("Nguyễn Thị")  →  (Word("nguyen", capital=True), Word("thi", capital=True))

Compatibility forms, case, accents, Arabic vowel signs and letter variants, the digits of every
script, and characters that show nothing. It refuses to know what a text means: a name written in
another script, or with look-alike letters of one, stays another word.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

# Scripts that write words without spaces between them.
_RUN_ON: Final = ("CJK", "THAI", "LAO", "KHMER", "MYANMAR", "HIRAGANA", "KATAKANA", "HANGUL")
_SYLLABIC: Final = ("CJK", "HANGUL")
# Scripts of languages that put an ending on a name: Bangla, Tamil, Sinhala and their kin.
_INFLECTED: Final = (
    "BENGALI",
    "TAMIL",
    "SINHALA",
    "DEVANAGARI",
    "GUJARATI",
    "GURMUKHI",
    "KANNADA",
    "MALAYALAM",
    "ORIYA",
    "TELUGU",
)
# Accents of Latin, Greek and Cyrillic, enclosing keycaps, vowel signs of Arabic and Hebrew,
# variation selectors. Never the marks of Indic or Thai script, which are vowels.
_ACCENTS: Final = re.compile(
    "[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f"
    "\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff"
    "\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f\U000e0100-\U000e01ef]"
)
# Fillers and joiners show nothing, and a soft hyphen or a direction mark hides inside a number.
_SHOWS_NOTHING: Final = re.compile(
    "[\u00ad\u034f\u0600-\u0605\u0640\u061c\u06dd\u070f\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb"
    "\U000e0000-\U000e01ef]"
)
# No normalisation form joins these: keyboards differ, the name does not.
_SAME: Final = str.maketrans(
    {
        "đ": "d",
        "ı": "i",
        "ł": "l",
        "ø": "o",
        "\u064a": "\u06cc",  # Arabic yeh, Urdu yeh
        "\u0649": "\u06cc",
        "\u0643": "\u06a9",  # kaf
        "\u0647": "\u06c1",  # heh
        "\u0629": "\u06c1",
        "\u06be": "\u06c1",
        "\u06c3": "\u06c1",
        "\u06d5": "\u06c1",
    }
)
_RUN_OF_LETTERS: Final = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True, repr=False)
class Word:
    """A run of letters in its plain spelling, and whether it was written with a capital."""

    text: str
    capital: bool

    def __repr__(self) -> str:
        return "<Word>"


def visible(text: str) -> str:
    """The text without characters that show nothing, in compatibility form, case as written."""
    return unicodedata.normalize("NFKC", _shown(text))


def plain(text: str) -> str:
    """The text in its one spelling."""
    if text.isascii():
        return text.casefold()
    apart = _ACCENTS.sub("", unicodedata.normalize("NFKD", _shown(text)))
    folded = apart.casefold().translate(_SAME)
    if not folded.isascii():
        folded = "".join(map(_ascii_digit, unicodedata.normalize("NFC", folded)))
    return folded


def words(text: str) -> tuple[Word, ...]:
    """The words of a text in order."""
    runs = _letters(visible(text)).split()
    spelt = {run: Word(plain(run), run[0].isupper()) for run in set(runs)}
    return tuple(spelt[run] for run in runs if spelt[run].text)


def runs_on(word: str) -> bool:
    """Whether the word's script writes words without spaces."""
    return _script(word, _RUN_ON)


def is_syllabic(word: str) -> bool:
    """Whether one character is a whole syllable, so that two are already a name."""
    return _script(word, _SYLLABIC)


def takes_endings(word: str) -> bool:
    """Whether names in this script carry endings."""
    return _script(word, _INFLECTED)


def is_cased(word: str) -> bool:
    """Whether the word's script has capitals."""
    return word[0].upper() != word[0]


def stem(word: str) -> str:
    """The word without a final vowel killer, which an ending would replace."""
    return word[:-1] if unicodedata.combining(word[-1]) == _VIRAMA else word


_VIRAMA: Final = 9  # the canonical combining class of all of them


def _shown(text: str) -> str:
    # Whole sayings in one character, "peace be upon him": no names, and eighteen letters each.
    return _SHOWS_NOTHING.sub("", text).replace("\ufdfa", " ").replace("\ufdfb", " ")


def _letters(text: str) -> str:
    """Letters with their marks: in Indic and Thai scripts most vowels are marks, not letters."""
    if text.isascii():
        return " ".join(_RUN_OF_LETTERS.findall(text))
    return "".join(letter if unicodedata.category(letter)[0] in "LM" else " " for letter in text)


def _ascii_digit(letter: str) -> str:
    value = unicodedata.digit(letter, None)
    return letter if value is None else str(value)


def _script(word: str, scripts: tuple[str, ...]) -> bool:
    return unicodedata.name(word[0], "").startswith(scripts)
