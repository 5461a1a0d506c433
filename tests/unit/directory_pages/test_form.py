"""What the search form makes of what is sent to it, whatever that is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from broker.service.language import install_languages
from directory.pages.form import FILTERS, MAX_TEXT, choices, parameters, read_form
from directory.search.query import Query, Results
from directory.taxonomies import INTERFACE_LANGUAGES
from tests.unit.directory_pages.test_catalogues import TRANSLATIONS

KNOWN = {"country": "my", "service": "shelter", "language": "ben", "population": "women"}


@pytest.fixture(autouse=True)
def context() -> Iterator[None]:
    # The sentences are translated, which needs an application.
    app = Flask(__name__)
    install_languages(app, languages=INTERFACE_LANGUAGES, translations=TRANSLATIONS)
    with app.test_request_context():
        yield


def test_known_filters_are_asked_for() -> None:
    query, problems = read_form({"search": " পানি ", **KNOWN, "page": "3"})
    assert problems == []
    assert (query.text, query.page, query.per_page) == ("পানি", 3, 20)
    assert parameters_of(query) == KNOWN
    assert parameters(query) == {"search": "পানি", **KNOWN}


def test_a_country_in_capitals_is_the_same_country() -> None:
    assert read_form({"country": "MY"})[0].country == "my"


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("value", ["zz-nothing", "'; DROP TABLE service; --", "\0", "x" * 9999])
def test_an_unknown_filter_is_said_and_left_out(name: str, value: str) -> None:
    query, problems = read_form({**KNOWN, name: value})
    assert getattr(query, name) is None
    assert len(problems) == 1
    assert value not in problems[0]


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_filter_is_no_filter(name: str, value: str) -> None:
    assert read_form({name: value}) == (Query(per_page=20), [])


@pytest.mark.parametrize(
    ("page", "read"),
    [("2", 2), ("0", 1), ("-1", 1), ("", 1), ("1e9", 1), ("٣", 1), ("²", 1), ("00000199999999", 1)],
)
def test_a_page_is_a_small_positive_number_or_the_first(page: str, read: int) -> None:
    assert read_form({"page": page})[0].page == read


@given(st.dictionaries(st.sampled_from([*FILTERS, "search", "page", "other"]), st.text()))
def test_whatever_is_sent_gives_a_bounded_query(sent: dict[str, str]) -> None:
    query, _problems = read_form(sent)
    assert len(query.text) <= MAX_TEXT
    assert 1 <= query.page < 100_000
    again, problems = read_form(parameters(query))
    assert (again, problems) == (replace(query, page=1), [])


def parameters_of(query: Query) -> dict[str, str | None]:
    return {name: getattr(query, name) for name in FILTERS}


def test_a_filter_in_use_still_offers_everything_else() -> None:
    everything = Results(9, (), {"country": {"my": 5, "bd": 4}, "service": {"shelter": 2}})
    found = Results(5, (), {"country": {"my": 5}, "service": {"shelter": 1}})
    offered = choices(Query(country="my"), found=found, all_of_them=everything, language="en")
    assert [(one.code, one.count) for one in offered["country"]] == [("bd", None), ("my", None)]
    assert [(one.label, one.count) for one in offered["service"]] == [("Shelter", 1)]


def test_a_choice_that_would_find_nothing_says_so() -> None:
    everything = Results(9, (), MappingProxyType({"service": {"shelter": 2}}))
    offered = choices(
        Query(text="x"), found=Results(0, (), {}), all_of_them=everything, language="en"
    )
    assert offered["service"][0].count == 0
