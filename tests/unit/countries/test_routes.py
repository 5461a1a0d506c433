"""Only signed routes carry; the packs sign none; a bad route file opens nothing."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.routing import RouteState
from countries.packs import COUNTRIES
from countries.reading import BadCountryData
from countries.routes import load_routes, read_routes

PAIRS = list(combinations(COUNTRIES, 2))


def faults_of(value: Any) -> list[str]:
    with pytest.raises(BadCountryData) as caught:
        read_routes(json.dumps(value).encode(), file="routes.json")
    return [fault.path for fault in caught.value.faults]


def entry(*pair: str, state: str = "signed") -> dict[str, Any]:
    return {"pair": list(pair), "state": state, "note": "DEMO"}


def test_a_border_that_is_open_by_default() -> None:
    table = load_routes()
    for a, b in PAIRS:
        assert table.state(a, b) is (RouteState.PROPOSED if "my" in (a, b) else RouteState.CLOSED)
        assert table.carries(a, b, kinds=["ngo", "ngo"]) is ("my" in (a, b))
        assert not table.carries(a, b, kinds=["ngo", "court"])
    assert all(table.carries(country, country, kinds=["court"]) for country in COUNTRIES)


def test_a_route_file_adds_to_the_packs_instead_of_replacing_them(tmp_path: Path) -> None:
    path = tmp_path / "routes.json"
    path.write_text(json.dumps({"demo": True, "routes": [entry("my", "bd")]}), encoding="utf-8")
    table = load_routes(path)
    assert table.carries("bd", "my", kinds=["ngo", "court"])
    assert table.state("my", "id") is RouteState.CLOSED


@given(st.dictionaries(st.sampled_from(PAIRS), st.sampled_from(RouteState)))
def test_a_state_that_is_read_as_another(states: dict[tuple[str, str], RouteState]) -> None:
    routes = [entry(*pair[::-1], state=state.value) for pair, state in states.items()]
    table = read_routes(json.dumps({"routes": routes}).encode(), file="routes.json")
    for a, b in PAIRS:
        assert table.state(a, b) is states.get((a, b), RouteState.CLOSED)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({}, "$.routes"),
        ({"routes": {}}, "$.routes"),
        ({"routes": ["my-bd"]}, "$.routes[0]"),
        ({"routes": [], "comment": ""}, "$.comment"),
        ({"routes": [], "demo": "yes"}, "$.demo"),
        ({"routes": [entry("my")]}, "$.routes[0].pair"),
        ({"routes": [entry("my", "my")]}, "$.routes[0].pair"),
        ({"routes": [entry("my", "MY")]}, "$.routes[0].pair"),
        ({"routes": [entry("my", "sg")]}, "$.routes[0].pair"),
        ({"routes": [entry("my", "bd", "id")]}, "$.routes[0].pair"),
        ({"routes": [entry("my", "bd", state="open")]}, "$.routes[0].state"),
        ({"routes": [entry("my", "bd"), entry("bd", "my")]}, "$.routes[1].pair"),
    ],
)
def test_a_route_file_with_a_fault(value: Any, path: str) -> None:
    assert faults_of(value) == [path]


def test_one_fault_hides_another() -> None:
    paths = faults_of({"demo": 1, "routes": [entry("my", "bd", state="x"), entry("my", "zz")]})
    assert paths == ["$.demo", "$.routes[0].state", "$.routes[1].pair"]


def test_a_route_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadCountryData, match="cannot be read"):
        load_routes(tmp_path / "missing.json")
    with pytest.raises(BadCountryData, match="cannot be read"):
        load_routes(tmp_path)
