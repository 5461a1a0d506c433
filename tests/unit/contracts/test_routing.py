"""Routes: closed unless somebody has written otherwise, and the same in both directions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.codes import ORG_KINDS
from contracts.errors import Malformed
from contracts.routing import RouteState, RouteTable

COUNTRY = st.sampled_from(["my", "bd", "cn", "id", "lk", "pk", "th", "vn"])
PAIR = st.tuples(COUNTRY, COUNTRY).filter(lambda pair: pair[0] < pair[1])
ROUTES = st.dictionaries(PAIR, st.sampled_from(RouteState))


KINDS = st.lists(st.sampled_from(ORG_KINDS), min_size=2, max_size=2)
STATE_BODIES = {"welfare", "enforcement", "court", "mission"}


@given(ROUTES, COUNTRY, COUNTRY, KINDS)
def test_a_border_is_crossed_on_no_other_route_than_these(
    routes: dict[tuple[str, str], RouteState], a: str, b: str, kinds: list[str]
) -> None:
    table = RouteTable.of(routes)
    state = routes.get((min(a, b), max(a, b)), RouteState.CLOSED)
    civil = not STATE_BODIES & set(kinds)
    begins = a == b or state is RouteState.SIGNED or (state is RouteState.PROPOSED and civil)
    assert table.open_to(a, b, kinds=kinds) is begins
    assert table.carries(a, b, kinds=kinds) is (begins or state is RouteState.SUSPENDED)


def test_a_state_body_is_written_to_before_the_memorandum_is_signed() -> None:
    table = RouteTable.of({("bd", "my"): RouteState.PROPOSED})
    assert table.carries("my", "bd", kinds=["ngo", "ngo"])
    assert not table.carries("my", "bd", kinds=["ngo", "mission"])
    assert not table.carries("my", "bd", kinds=["welfare", "ngo"])


@given(ROUTES, COUNTRY, COUNTRY)
def test_a_route_has_no_direction(
    routes: dict[tuple[str, str], RouteState], a: str, b: str
) -> None:
    backwards = {(second, first): state for (first, second), state in routes.items()}
    assert RouteTable.of(routes) == RouteTable.of(backwards)
    assert RouteTable.of(routes).state(a, b) is RouteTable.of(routes).state(b, a)


@given(COUNTRY)
def test_the_same_country_is_open_even_in_an_empty_table(country: str) -> None:
    assert RouteTable().carries(country, country, kinds=["court", "mission"])


@pytest.mark.parametrize(
    ("routes", "code"),
    [
        ({("my", "my"): RouteState.CLOSED}, "same_country"),
        ({("my", "bd"): RouteState.SIGNED, ("bd", "my"): RouteState.CLOSED}, "pair_repeated"),
        ({("MY", "bd"): RouteState.SIGNED}, "not_a_country"),
        ({("my", "ban"): RouteState.SIGNED}, "not_a_country"),
    ],
)
def test_a_table_that_contradicts_itself_is_not_made(
    routes: dict[tuple[str, str], RouteState], code: str
) -> None:
    with pytest.raises(Malformed) as caught:
        RouteTable.of(routes)
    assert caught.value.code == code


def test_a_made_table_cannot_be_changed_through_the_values_it_was_made_of() -> None:
    routes = {("bd", "my"): RouteState.PROPOSED}
    table = RouteTable.of(routes)
    routes["bd", "my"] = RouteState.SIGNED
    assert not table.carries("my", "bd", kinds=["court", "ngo"])
