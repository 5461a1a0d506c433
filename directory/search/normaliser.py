"""One folding of text for the index and for what people type, in ten languages and five scripts.

It refuses to know which language a text is in: people mix them, and write names without their
marks. What two spellings of one word have in common is kept, the rest is folded away:

    fold("Đường dây nóng")  -> "duong day nong"      fold("كراچي") -> "کراچی"
    words("ที่พักพิง women")  -> one unspaced run, one word
    index_text("收容所")      -> "收容 容所 所"

Folding is idempotent, and a word of the text, folded, is always a word of the folded text. Vowel
signs of Indic scripts and Thai (general category M) are letters here: dropped, they would make
different words equal. Han, Thai, Lao, Khmer and Burmese are written without spaces; a run of
them is cut into overlapping pairs, so that any part of a run can be found as a phrase.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

# A query longer than this is cut: nobody types it, and every word costs a look into the index.
MAX_QUERY: Final = 200

_LATIN_MARKS: Final = re.compile("[\u0300-\u036f]")
# Letters that have no decomposition but are typed as their plain neighbour.
_LATIN: Final = {"đ": "d", "ð": "d", "ø": "o", "ł": "l", "ı": "i", "æ": "ae", "œ": "oe", "ŋ": "n"}
# Arabic forms of letters that Urdu keyboards and Arabic ones encode differently, then alef and
# waw with their marks, which are left out as often as they are written.
_ARABIC: Final = {
    **dict.fromkeys("يىئېےۓ", "ی"),
    **dict.fromkeys("كڪ", "ک"),
    **dict.fromkeys("هھۀۂةەۃ", "ہ"),
    **dict.fromkeys("أإآٱ", "ا"),
    "ؤ": "و",
    "ں": "ن",
}
# Short vowels, Quranic signs and the lengthening stroke: never needed to find a word.
_ARABIC_MARKS: Final = re.compile("[\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06ed]")
# Joiners, direction marks, soft hyphens: invisible, and typed or not by the keyboard's whim.
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
# Older texts write the Bangla khanda ta as ta, hasanta and a joiner.
_KHANDA_TA: Final = "\u09a4\u09cd\u200d"
_TABLE: Final = str.maketrans(_LATIN | _ARABIC)
# Folding one thing may bring forth another (a ligature, a mark set free); it ends after a few.
_ROUNDS: Final = 6

_UNSPACED: Final = (
    "\u0e00-\u0e7f"  # Thai
    "\u0e80-\u0eff"  # Lao
    "\u1000-\u109f"  # Burmese
    "\u1780-\u17ff"  # Khmer
    "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
_RUNS: Final = re.compile(f"([{_UNSPACED}]+)")


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a folded text; `unspaced` if it is a run of a script written without spaces."""

    text: str
    unspaced: bool = False


def fold(text: str) -> str:
    """What is kept of a text: letters, vowel signs and digits in one form, one space between."""
    for _ in range(_ROUNDS):
        folded = _fold_once(text)
        # What is left of ASCII has nothing more to fold.
        if folded == text or folded.isascii():
            return folded
        text = folded
    return text


def words(text: str) -> tuple[Word, ...]:
    """The words of a text in their order; a change of script ends an unspaced run."""
    found: list[Word] = []
    for chunk in fold(text).split():
        for part in _RUNS.split(chunk):
            if part:
                found.append(Word(part, unspaced=bool(_RUNS.match(part))))
    return tuple(found)


def pairs(run: str) -> tuple[str, ...]:
    """The overlapping pairs of an unspaced run; a run of one character is itself."""
    return tuple(run[i : i + 2] for i in range(len(run) - 1)) or (run,)


def index_text(text: str) -> str:
    """A text as the index holds it: words, and runs as pairs with the last character after them.

    The last character stands alone too, because a search for one character looks for pairs that
    begin with it.
    """
    return " ".join(part for word in words(text) for part in _index_parts(word))


def name_key(text: str) -> str:
    """What the spellings of one transliterated name have in common; "" for other scripts.

    Latin only: doubled letters count once, and the pairs that keyboards and habits exchange are
    one (`Tenagganitha`, `Tenaganita`). Both sides of a search use it, so it need not be right
    about sounds, only the same.
    """
    if not text.isascii():
        return ""
    for pattern, replacement in _SOUNDS:
        text = pattern.sub(replacement, text)
    return text


_SOUNDS: Final = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"ph", "f"),
        (r"([bdgkt])h", r"\1"),
        (r"ee|ie|y", "i"),
        (r"oo|ou", "u"),
        (r"w", "v"),
        (r"q|c(?!h)", "k"),
        (r"z", "j"),
        (r"(.)\1+", r"\1"),
    )
)


def _fold_once(text: str) -> str:
    text = unicodedata.normalize("NFKC", text.replace(_KHANDA_TA, "\u09ce")).casefold()
    text = _INVISIBLE.sub("", text).translate(_TABLE)
    text = _ARABIC_MARKS.sub("", _plain_latin(text))
    return " ".join(unicodedata.normalize("NFKC", text).translate(_KEPT).split())


def _plain_latin(text: str) -> str:
    """Without the marks that Latin letters carry; only those, for elsewhere a mark is a letter."""
    if text.isascii():
        return text
    return _LATIN_MARKS.sub("", unicodedata.normalize("NFD", text))


class _Kept(dict[int, str]):
    """What becomes of each character: itself if it is a letter, a vowel sign or a digit (as
    ASCII), else a space. Filled as characters are met.
    """

    def __missing__(self, point: int) -> str:
        character = chr(point)
        category = unicodedata.category(character)
        if category == "Nd":
            kept = str(unicodedata.decimal(character))
        else:
            kept = character if category[0] in "LMN" else " "
        self[point] = kept
        return kept


_KEPT: Final = _Kept()


def _index_parts(word: Word) -> tuple[str, ...]:
    if not word.unspaced:
        return (word.text,)
    return (*pairs(word.text), word.text[-1]) if len(word.text) > 1 else (word.text,)
