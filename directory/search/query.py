"""A search: what was typed, what it may mean, which services that leaves, best first.

Every word must fit, in one of the ways a word can: the beginning of a word in a name, a place or
the description; a taxonomy's, country's or language's label in any of the ten languages; a name
written another way; and, where none of these finds anything, one letter wrong. Words that fit
nothing anywhere are set aside and reported. Which way it fitted is the reason shown with a hit.

The query goes nowhere but through here: it is not logged, not counted, not kept.

    results = find(index, Query(text="tempat perlindungan", country="my"))
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from directory.search.index import JOINED, Index, bitset, rows_of
from directory.search.labels import SHORTEST_PREFIX, SHORTEST_TYPO, STOP_WORDS, Code, Labels
from directory.search.normaliser import MAX_QUERY, Word, name_key, pairs, words

MAX_PER_PAGE: Final = 100
# More words than this are not looked up.
MAX_WORDS: Final = 12
# Ranking looks at each candidate; beyond this many the freshest of the best are enough.
RANKED: Final = 1000
# The shortest part of an unspaced run taken for a word: two Han characters, four Thai ones.
_SHORTEST_HAN: Final = 2
_SHORTEST_OTHER: Final = 4
_LONGEST_PART: Final = 16
# Of an unspaced run this much is cut into parts, each by many looks; a long sentence fits. What a
# visitor types may be folded into many times as much.
_LONGEST_RUN: Final = 64
# Words of inflected scripts are found with up to two characters of ending cut off.
_SHORTEST_STEM: Final = 4
_LONGEST_ENDING: Final = 2

_WEIGHTS: Final = {"name": 10, "organisation": 9, "place": 6, "about": 3, "sound": 5}
_WHOLE_LABEL: Final = 12
_LABEL: Final = 8
_NEARLY: Final = 2


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for; filters are codes and all of them must hold. Pages count from 1.

    `country` is ISO 3166-1 alpha-2 in lower case, `language` ISO 639-3. `organisation_id` is a
    published UUID, `modified_after` a Unix time, inclusive. `codes` are further (facet, code).
    """

    text: str = field(default="", repr=False)
    country: str | None = None
    service: str | None = None
    language: str | None = None
    population: str | None = None
    page: int = 1
    per_page: int = 20
    availability: str | None = None
    organisation_kind: str | None = None
    organisation_id: str | None = None
    modified_after: int | None = None
    codes: tuple[Code, ...] = ()


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a service was found: the field that fitted, the code in it if it has one.

    `kind` is one of `name, organisation, place, about, sound` (a name spelled another way), or
    a facet, whose `code` fitted; "listed" where nothing was typed. `nearly`: not as typed.
    """

    kind: str
    code: str = ""
    nearly: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """One service found; a higher score fits better."""

    service_id: str
    score: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Results:
    """One page of hits, the number of all, and per facet how many of all have each code.

    `set_aside` are the typed words, folded, that fit nothing in the whole directory.
    """

    total: int
    hits: tuple[Hit, ...]
    facets: Mapping[str, Mapping[str, int]]
    set_aside: tuple[str, ...] = field(default=(), repr=False)


def find(index: Index, query: Query) -> Results:
    """The page of services that `query` asks for."""
    allowed: int = _filtered(index, query)
    typed = _typed(index, query.text)
    fits = [fit for fit in _all_fits(index, typed) if fit.rows]
    covered = {i for fit in fits for i in range(fit.start, fit.end)}
    rows = allowed & _reached(index, typed, fits, covered)
    hits = _page(index, query, rows, fits)
    aside = tuple(word.text for i, word in enumerate(typed) if i not in covered)
    return Results(rows.bit_count(), hits, index.counts(rows), aside)


@dataclass(frozen=True, slots=True)
class _Fit:
    """The words from `start` to before `end` fit these rows, in one way."""

    start: int
    end: int
    rows: int
    weight: int
    reason: Reason

    def places(self) -> Iterator[tuple[int, str]]:
        """What it counts for: each word once a text field, and once whatever label fitted."""
        kind = "label" if self.reason.code else self.reason.kind
        return ((i, kind) for i in range(self.start, self.end))


def _filtered(index: Index, query: Query) -> int:
    rows = index.everything
    for facet in _FILTERS:
        wanted: str | None = getattr(query, facet)
        if wanted is not None:
            rows &= index.code_rows(facet, wanted)
    for facet, code in query.codes:
        rows &= index.code_rows(facet, code)
    if query.organisation_id is not None:
        rows &= index.organisation_rows(query.organisation_id)
    if query.modified_after is not None:
        rows &= index.modified_rows(query.modified_after)
    return rows


_FILTERS: Final = (
    "country",
    "service",
    "language",
    "population",
    "availability",
    "organisation_kind",
)


def _typed(index: Index, text: str) -> tuple[Word, ...]:
    """The words to look for: unspaced runs cut into known parts, empty words left out."""
    found = tuple(
        part
        for word in words(text[:MAX_QUERY])
        for part in (_parts(index, word.text) if word.unspaced else (word,))
    )
    meaning = tuple(word for word in found if word.text not in STOP_WORDS)
    return (meaning or found)[:MAX_WORDS]


def _parts(index: Index, run: str) -> tuple[Word, ...]:
    """A run cut from the left into the longest parts that anything knows.

    What is left between them (particles, endings) is dropped, unless it is most of the run: then
    nobody knows this run, and it stays whole.
    """
    run = run[:_LONGEST_RUN]
    shortest = _SHORTEST_HAN if run[0] >= "\u3005" else _SHORTEST_OTHER
    found, i = [], 0
    while i < len(run):
        ends = range(min(len(run), i + _LONGEST_PART), i + shortest - 1, -1)
        end = next((end for end in ends if _is_known(index, run[i:end])), None)
        if end is not None:
            found.append(run[i:end])
        i = end or i + 1
    if 2 * sum(map(len, found)) < len(run):
        found = [run]
    return tuple(Word(part, unspaced=True) for part in found)


def _is_known(index: Index, part: str) -> bool:
    return bool(Labels.load().codes(Word(part, unspaced=True))) or index.has_text(_phrase(part))


def _all_fits(index: Index, typed: tuple[Word, ...]) -> Iterator[_Fit]:
    for start, word in enumerate(typed):
        fits = [fit for fit in _fits(index, start, word) if fit.rows]
        spans = [fit for fit in _span_fits(index, typed, start) if fit.rows]
        yield from fits
        yield from spans
        if not fits and not spans:
            yield from _near_fits(index, start, word)


def _fits(index: Index, start: int, word: Word) -> Iterator[_Fit]:
    """One word as it was typed."""
    expression = _phrase(word.text) if word.unspaced else _beginning(word.text)
    for name, weight in _WEIGHTS.items():
        if name != "sound":
            rows = index.text_rows(name, expression)
            yield _Fit(start, start + 1, rows, weight, Reason(name))
    for code in Labels.load().codes(word):
        yield _code_fit(index, start, start + 1, code, _LABEL)


def _span_fits(index: Index, typed: tuple[Word, ...], start: int) -> Iterator[_Fit]:
    """Neighbouring words that are one label, or one name written as several words."""
    labels = Labels.load()
    for end in range(start + 1, len(typed) + 1):
        span = tuple(word.text for word in typed[start:end])
        for code in labels.whole(span):
            yield _code_fit(index, start, end, code, _WHOLE_LABEL)
        key = name_key("".join(span))
        if len(key) >= SHORTEST_TYPO and end - start <= JOINED:
            rows = index.text_rows("sound", _exactly(key))
            yield _Fit(start, end, rows, _WEIGHTS["sound"], Reason("sound"))


def _near_fits(index: Index, start: int, word: Word) -> Iterator[_Fit]:
    """One word that fits nothing as it was typed."""
    for code in Labels.load().codes_nearly(word):
        yield _code_fit(index, start, start + 1, code, _NEARLY, nearly=True)
    for other in _other_forms(index, word):
        for name in _WEIGHTS:
            rows = index.text_rows(name, other)
            yield _Fit(start, start + 1, rows, _NEARLY, Reason(name, nearly=True))


def _other_forms(index: Index, word: Word) -> Iterator[str]:
    text = word.text
    if word.unspaced or len(text) < SHORTEST_TYPO:
        return
    if text.isascii():
        yield from map(_exactly, index.near(text))
        return
    for cut in range(1, _LONGEST_ENDING + 1):
        if len(text) - cut >= _SHORTEST_STEM:
            yield _beginning(text[:-cut])


def _code_fit(
    index: Index, start: int, end: int, code: Code, weight: int, *, nearly: bool = False
) -> _Fit:
    return _Fit(start, end, index.code_rows(*code), weight, Reason(*code, nearly=nearly))


def _reached(index: Index, typed: tuple[Word, ...], fits: list[_Fit], covered: set[int]) -> int:
    """The rows that fit all words, first to last; words that fit nothing anywhere are skipped."""
    if typed and not covered:
        return 0
    reached = [index.everything] + [0] * len(typed)
    for i in range(len(typed)):
        if i not in covered:
            reached[i + 1] |= reached[i]
        for fit in fits:
            if fit.start == i:
                reached[fit.end] |= reached[i] & fit.rows
    return reached[-1]


def _page(index: Index, query: Query, rows: int, fits: list[_Fit]) -> tuple[Hit, ...]:
    begin = (query.page - 1) * query.per_page
    end = begin + query.per_page
    ranked = _ranked(index, rows, fits)
    rest = rows & ~bitset((row for row, _, _ in ranked), index.size)
    page = ranked[begin:end]
    missing = (query.per_page - len(page)) if begin <= end else 0
    skip = max(0, begin - len(ranked))
    page += [(row, 0, Reason("listed")) for row in islice(rows_of(rest), skip, skip + missing)]
    ids = index.service_ids([row for row, _, _ in page])
    return tuple(Hit(i, score, why) for i, (_, score, why) in zip(ids, page, strict=True))


def _ranked(index: Index, rows: int, fits: list[_Fit]) -> list[tuple[int, int, Reason]]:
    """The best `RANKED` rows with score and reason, best first; equal ones in the order of rows."""
    if not fits:
        return []
    candidates = bitset(islice(rows_of(_strongest(rows, fits)), RANKED), index.size)
    scores: dict[int, int] = dict.fromkeys(rows_of(candidates), 0)
    reasons: dict[int, Reason] = {}
    counted: dict[tuple[int, str], int] = {}
    for fit in sorted(fits, key=lambda fit: -fit.weight):
        for row in rows_of(fit.rows & candidates):
            reasons.setdefault(row, fit.reason)
        for place in fit.places():
            fresh = fit.rows & candidates & ~counted.get(place, 0)
            counted[place] = counted.get(place, 0) | fresh
            for row in rows_of(fresh):
                scores[row] += fit.weight
    return sorted(((r, s, reasons[r]) for r, s in scores.items()), key=lambda x: (-x[1], x[0]))


def _strongest(rows: int, fits: list[_Fit]) -> int:
    """Where there are too many to rank, those that a strong fit points to, if there are any."""
    if rows.bit_count() <= RANKED:
        return rows
    best = max(fit.weight for fit in fits)
    strong = rows & _union(fit.rows for fit in fits if fit.weight == best)
    return strong or rows


def _union(sets: Iterator[int]) -> int:
    union = 0
    for rows in sets:
        union |= rows
    return union


def _exactly(text: str) -> str:
    return f'"{text}"'


def _beginning(text: str) -> str:
    return f'"{text}" *' if len(text) >= SHORTEST_PREFIX else _exactly(text)


def _phrase(run: str) -> str:
    """The pairs of a run one after the other; a single character is the beginning of a pair."""
    return _exactly(" ".join(pairs(run))) if len(run) > 1 else f'"{run}" *'
