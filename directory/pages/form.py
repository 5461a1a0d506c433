"""The search form: what it asks for, and what it offers to choose from.

A filter that is not understood is said and left out, never guessed at. Every filter always offers
all that the directory has, so that nobody has to undo one choice to make another.

    query, problems = read_form(request.form)
    offered = choices(query, found=search.find(query), all_of_them=search.find(Query()), ...)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from broker.service.language import gettext as _
from directory import taxonomies
from directory.pages.entries import code_label
from directory.search.query import Query, Results

FILTERS: Final = ("country", "service", "language", "population")
PER_PAGE: Final = 20
MAX_TEXT: Final = 200
# Five digits are deeper than any reader goes, and bound the work of one request.
_MAX_PAGE_DIGITS: Final = 5


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a filter. `count`: how many services there would be; None: not counted."""

    code: str
    label: str
    count: int | None


def read_form(given: Mapping[str, str]) -> tuple[Query, list[str]]:
    """What is asked for, and a sentence for each part that was not understood."""
    chosen = {name: given[name].strip() for name in FILTERS if given.get(name, "").strip()}
    if "country" in chosen:
        chosen["country"] = chosen["country"].lower()
    known = {name: code for name, code in chosen.items() if _is_known(name, code)}
    query = Query(
        text=given.get("search", "").strip()[:MAX_TEXT],
        country=known.get("country"),
        service=known.get("service"),
        language=known.get("language"),
        population=known.get("population"),
        page=_page(given.get("page", "")),
        per_page=PER_PAGE,
    )
    if known == chosen:
        return query, []
    return query, [_("One of the filters was not understood and was left out.")]


def choices(
    query: Query, *, found: Results, all_of_them: Results, language: str
) -> dict[str, list[Choice]]:
    """The options of each filter, in the order of what a reader of `language` sees."""
    return {name: _choices(name, query, found, all_of_them, language) for name in FILTERS}


def parameters(query: Query) -> dict[str, str]:
    """What the form has to send again to ask for another page of the same."""
    given = {"search": query.text, **{name: getattr(query, name) for name in FILTERS}}
    return {name: value for name, value in given.items() if value}


def _choices(
    facet: str, query: Query, found: Results, all_of_them: Results, language: str
) -> list[Choice]:
    chosen: str | None = getattr(query, facet)
    codes = {*all_of_them.facets.get(facet, {}), *([chosen] if chosen else [])}
    # Of a filter already in use only the chosen option was counted, and the heading says that.
    counts = found.facets.get(facet, {})
    offered = (
        Choice(code, code_label(facet, code, language), None if chosen else counts.get(code, 0))
        for code in codes
    )
    return sorted(offered, key=lambda choice: choice.label.casefold())


def _page(text: str) -> int:
    small = text.isascii() and text.isdigit() and len(text) <= _MAX_PAGE_DIGITS
    return max(1, int(text)) if small else 1


def _is_known(facet: str, code: str) -> bool:
    if facet == "country":
        return taxonomies.is_country(code.upper())
    if facet == "language":
        return code in taxonomies.SPOKEN_LANGUAGES
    return code in taxonomies.CODES[facet]
