"""Routes: closed unless somebody has written otherwise, and the same in both directions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import Malformed
from contracts.routing import RouteState, RouteTable

COUNTRY = st.sampled_from(["my", "bd", "cn", "id", "lk", "pk", "th", "vn"])
PAIR = st.tuples(COUNTRY, COUNTRY).filter(lambda pair: pair[0] < pair[1])
ROUTES = st.dictionaries(PAIR, st.sampled_from(RouteState))


@given(ROUTES, COUNTRY, COUNTRY)
def test_only_signed_and_suspended_routes_carry_across_a_border(
    routes: dict[tuple[str, str], RouteState], a: str, b: str
) -> None:
    table = RouteTable.of(routes)
    state = routes.get((min(a, b), max(a, b)), RouteState.CLOSED)
    expected = a == b or state in {RouteState.SIGNED, RouteState.SUSPENDED}
    assert table.carries(a, b) is expected


@given(ROUTES, COUNTRY, COUNTRY)
def test_a_route_has_no_direction(
    routes: dict[tuple[str, str], RouteState], a: str, b: str
) -> None:
    backwards = {(second, first): state for (first, second), state in routes.items()}
    assert RouteTable.of(routes) == RouteTable.of(backwards)
    assert RouteTable.of(routes).state(a, b) is RouteTable.of(routes).state(b, a)


@given(COUNTRY)
def test_the_same_country_is_open_even_in_an_empty_table(country: str) -> None:
    assert RouteTable().carries(country, country)


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
    assert not table.carries("my", "bd")
