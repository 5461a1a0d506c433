"""Which codes a typed word may mean: the labels of the taxonomies, of countries and of languages.

Every label in every interface language counts, whatever language the searcher reads: a Bangla
speaker in Penang types আশ্রয়কেন্দ্র and is shown a Malay shelter. Pure; made once per process.

    Labels.load().codes(Word("shelter"))  -> {("service", "shelter")}
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeAlias, TypeVar

from directory import taxonomies
from directory.search.normaliser import Word, fold, words
from directory.search.spelling import within_one

# A facet and a code in it, such as ("service", "shelter") or ("country", "my").
Code: TypeAlias = tuple[str, str]
_K = TypeVar("_K")

# Fewer letters than this are a whole word, not the beginning of one.
SHORTEST_PREFIX: Final = 3
# Below this a one-letter difference makes another word more often than a slip.
SHORTEST_TYPO: Final = 4
_FACETS: Final = {
    "service": "service",
    "population": "population",
    "organisation_kind": "organisation_kind",
    "availability": "availability",
}
# Words that carry no meaning of their own in a search, folded. Only those of languages that put
# spaces round them; they are left out where something else was typed too.
_STOP_WORDS: Final = """
a an and at by for from help in is me my near need of on or s service services the to with
cho va tai o di ke dari untuk dan yang dengan pada bagi
জন্য এবং ও এর থেকে میں کے کی کا کو سے اور لیے සඳහා සහ හා மற்றும்
"""
STOP_WORDS: Final = frozenset(fold(_STOP_WORDS).split())


@dataclass(frozen=True, slots=True)
class Labels:
    """All labels, folded: by word, by whole label, and as unspaced runs."""

    _by_word: Mapping[str, frozenset[Code]]
    _sorted: tuple[str, ...]
    _whole: Mapping[tuple[str, ...], frozenset[Code]]
    _runs: Mapping[str, frozenset[Code]]

    @staticmethod
    @cache
    def load() -> "Labels":
        """The labels of all taxonomies, countries and spoken languages."""
        return _gather(_all_labels())

    def codes(self, word: Word) -> frozenset[Code]:
        """The codes one of whose labels has this word, or a word that begins with it."""
        if word.unspaced:
            return self._in_runs(word.text)
        if len(word.text) < SHORTEST_PREFIX:
            return self._by_word.get(word.text, frozenset())
        return _united(self._by_word[known] for known in self._beginning_with(word.text))

    def whole(self, span: tuple[str, ...]) -> frozenset[Code]:
        """The codes one of whose labels is exactly these words."""
        return self._whole.get(span, frozenset())

    def codes_nearly(self, word: Word) -> frozenset[Code]:
        """The codes one of whose labels has a Latin word with one letter different."""
        if word.unspaced or not word.text.isascii() or len(word.text) < SHORTEST_TYPO:
            return frozenset()
        near = (known for known in self._sorted if within_one(word.text, known))
        return _united(self._by_word[known] for known in near if len(known) >= SHORTEST_TYPO)

    def _beginning_with(self, prefix: str) -> Iterable[str]:
        for known in self._sorted[bisect_left(self._sorted, prefix) :]:
            if not known.startswith(prefix):
                return
            yield known

    def _in_runs(self, text: str) -> frozenset[Code]:
        exact = self._runs.get(text)
        if exact is not None:
            return exact
        return _united(codes for run, codes in self._runs.items() if text in run)


def _all_labels() -> Iterable[tuple[Code, str]]:
    for name, facet in _FACETS.items():
        for code in taxonomies.CODES[name]:
            for word in taxonomies.words_for(name, code):
                yield (facet, code), word
    for language in taxonomies.INTERFACE_LANGUAGES:
        for country in taxonomies.countries():
            yield ("country", country.lower()), taxonomies.country_name(country, language)
        for spoken in taxonomies.SPOKEN_LANGUAGES:
            yield ("language", spoken), taxonomies.language_name(spoken, language)


def _gather(labels: Iterable[tuple[Code, str]]) -> Labels:
    by_word: dict[str, set[Code]] = {}
    whole: dict[tuple[str, ...], set[Code]] = {}
    runs: dict[str, set[Code]] = {}
    for code, text in labels:
        parts = words(text)
        whole.setdefault(tuple(part.text for part in parts), set()).add(code)
        for part in parts:
            target = runs if part.unspaced else by_word
            if part.text not in STOP_WORDS:
                target.setdefault(part.text, set()).add(code)
    return Labels(_frozen(by_word), tuple(sorted(by_word)), _frozen(whole), _frozen(runs))


def _frozen(sets: dict[_K, set[Code]]) -> dict[_K, frozenset[Code]]:
    return {key: frozenset(codes) for key, codes in sets.items()}


def _united(sets: Iterable[frozenset[Code]]) -> frozenset[Code]:
    return frozenset().union(*sets)
