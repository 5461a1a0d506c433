"""The eight packs load, claim nothing that nobody knows, and a bad pack tells all its faults."""

import copy
import json
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.codes import DAYS
from contracts.routing import RouteState
from countries.facts import Confidence, Fact
from countries.names import INTERFACE_LANGUAGES, country_name, language_name
from countries.packs import COUNTRIES, load_packs, read_packs
from countries.reading import BadCountryData

PACKS = load_packs()
TEXTS = {
    country: (files("countries") / country / "pack.json").read_bytes() for country in COUNTRIES
}


def facts() -> list[Fact[Any]]:
    return [
        fact
        for pack in PACKS.values()
        for group in (
            pack.languages,
            pack.laws,
            pack.ages,
            pack.authorities,
            pack.hotlines,
            pack.data_protection,
            pack.transfer,
            pack.consent_form,
            (pack.office_zone, pack.weekly_days_off),
            pack.routes,
        )
        for fact in group
        if fact is not None
    ]


def read_with(changed: dict[str, Any]) -> BadCountryData:
    texts = TEXTS | {country: json.dumps(pack).encode() for country, pack in changed.items()}
    with pytest.raises(BadCountryData) as caught:
        read_packs(texts)
    return caught.value


def pack_json(country: str) -> Any:
    return json.loads(TEXTS[country])


def test_a_country_without_a_pack_or_a_list_of_sources() -> None:
    assert set(PACKS) == set(COUNTRIES)
    for country in COUNTRIES:
        sources = (files("countries") / country / "SOURCES.md").read_text(encoding="utf-8")
        assert "To be confirmed by the coordinator" in sources


def test_a_country_that_somebody_reads_about_without_its_name() -> None:
    for pack in PACKS.values():
        assert tuple(pack.names) == INTERFACE_LANGUAGES
        assert all(name and name != pack.country.upper() for name in pack.names.values())
    assert PACKS["bd"].names["bn"] == "বাংলাদেশ"
    assert PACKS["pk"].names["ur"] == "پاکستان"


def test_a_language_without_a_name_or_a_tag() -> None:
    for pack in PACKS.values():
        for fact in pack.languages:
            assert fact.value.bcp47 in INTERFACE_LANGUAGES
            for tag in INTERFACE_LANGUAGES:
                assert language_name(fact.value.iso639_3, tag) != fact.value.iso639_3


def test_a_country_or_a_language_that_nobody_knows_keeps_its_code() -> None:
    assert country_name("zz", "en")
    assert country_name("qq", "en") == "QQ"
    assert language_name("qqq", "en") == "qqq"


def test_a_time_zone_that_is_none() -> None:
    for pack in PACKS.values():
        assert pack.time_zones
        assert all(ZoneInfo(zone) for zone in pack.time_zones)


def test_a_fact_that_claims_a_check_nobody_made() -> None:
    for fact in facts():
        assert fact.source
        assert fact.verified_on is None
        assert fact.to_be_confirmed == (fact.confidence is not Confidence.A)


def test_a_hotline_that_is_shown_as_sure() -> None:
    hotlines = [fact for pack in PACKS.values() for fact in pack.hotlines]
    assert all(fact.to_be_confirmed for fact in hotlines)
    assert {country for country, pack in PACKS.items() if pack.hotlines} == set(COUNTRIES)


def test_a_caller_who_is_not_warned() -> None:
    assert PACKS["vn"].hotlines[0].value.warnings == ("calls_recorded_by_decree",)
    assert PACKS["pk"].hotlines[0].value.warnings == ("complaints_passed_to_police",)


def test_a_number_that_is_changed_for_the_reader() -> None:
    dialled = {
        fact.value.number: fact.value.dial for pack in PACKS.values() for fact in pack.hotlines
    }
    assert dialled["03-8000 8000"] == "+60380008000"
    assert dialled["08111-129-129"] == "+628111129129"
    assert dialled["111-247-786"] == "111247786"
    assert dialled["16135"] == "16135"


def test_trafficking_and_smuggling_are_one() -> None:
    for pack in PACKS.values():
        topics = [topic for law in pack.laws for topic in law.value.topics]
        assert "tip" in topics
        assert set(topics) <= {"tip", "som"}


def test_a_route_that_is_open_before_anybody_signed() -> None:
    routes = {
        (pack.country, fact.value.to): fact.value.state
        for pack in PACKS.values()
        for fact in pack.routes
    }
    others = set(COUNTRIES) - {"my"}
    assert routes.keys() == {("my", o) for o in others} | {(o, "my") for o in others}
    assert set(routes.values()) == {RouteState.PROPOSED}


def _places(value: Any, path: str) -> list[tuple[Any, Any, str]]:
    pairs = (
        [(name, f"{path}.{name}") for name in value]
        if isinstance(value, dict)
        else [(index, f"{path}[{index}]") for index in range(len(value))]
    )
    found = []
    for key, place in pairs:
        found.append((value, key, place))
        if isinstance(value[key], dict | list):
            found += _places(value[key], place)
    return found


WRONG: st.SearchStrategy[Any] = st.sampled_from(
    [5, True, [], {}, "", "\x07", "zz", ["zz"], [["zz"]], "x" * 600, [5], None]
)


@pytest.mark.parametrize("country", COUNTRIES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_wrong_member_goes_unnoticed(country: str, data: st.DataObject) -> None:
    pack = pack_json(country)
    holder, key, path = data.draw(st.sampled_from(_places(pack, "$")))
    wrong = data.draw(WRONG)
    if _is_legal(path, wrong):
        return
    holder[key] = wrong
    error = read_with({country: pack})
    for fault in error.faults:
        assert fault.file in {f"{other}/pack.json" for other in COUNTRIES}
        assert fault.path.startswith("$")
        assert fault.what
        assert fault.remedy
    assert any(
        fault.file == f"{country}/pack.json"
        and (fault.path.startswith(path) or fault.path == path.rpartition("[")[0])
        for fault in error.faults
    )


def _is_legal(path: str, wrong: Any) -> bool:
    """What may stand there all the same: any text where text is asked, null where it may miss."""
    name = path.rpartition(".")[2]
    if wrong == "zz":
        return name in {"source", "title", "note", "name", "law"}
    if wrong is None:
        optional = {"verified_on", "note", "name", "serves", "warnings", "always_open"}
        return name in optional or (name == "law" and path.startswith("$.ages"))
    if wrong == 5:
        return name == "age"
    if wrong is True:
        return name == "always_open"
    return wrong == [] and name in {"serves", "warnings", "transfer", "consent_form"}


@pytest.mark.parametrize("country", COUNTRIES)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_member_nobody_declared(country: str, data: st.DataObject) -> None:
    pack = pack_json(country)
    places = [*_places(pack, "$"), ({"$": pack}, "$", "$")]
    objects = [(h[k], path) for h, k, path in places if isinstance(h[k], dict)]
    holder, path = data.draw(st.sampled_from(objects))
    holder["surprise"] = 1
    (fault,) = read_with({country: pack}).faults
    assert fault.path == f"{path}.surprise"
    assert fault.remedy.startswith("Use only: ")


def test_one_fault_hides_another() -> None:
    bangladesh, pakistan = pack_json("bd"), pack_json("pk")
    del bangladesh["laws"][0]["value"]["title"]
    bangladesh["hotlines"][1]["confidence"] = "D"
    pakistan["hotlines"][0]["verified_on"] = "20261121"
    pakistan["routes"][0]["value"]["state"] = "signed"
    found = {
        (fault.file, fault.path) for fault in read_with(dict(bd=bangladesh, pk=pakistan)).faults
    }
    assert found == {
        ("bd/pack.json", "$.laws[0].value.title"),
        ("bd/pack.json", "$.hotlines[1].confidence"),
        ("pk/pack.json", "$.hotlines[0].verified_on"),
        ("pk/pack.json", "$.routes"),
        ("my/pack.json", "$.routes"),
    }


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b'{"country":"bd","country":"bd"}', b"\xff"])
def test_a_pack_that_is_no_json(text: bytes) -> None:
    with pytest.raises(BadCountryData) as caught:
        read_packs(TEXTS | {"bd": text})
    assert any(fault.file == "bd/pack.json" and fault.path == "$" for fault in caught.value.faults)
    assert "bd/pack.json: $: is not a strict JSON object" in str(caught.value)


def test_a_pack_filed_under_another_country() -> None:
    swapped = copy.deepcopy(pack_json("th"))
    assert any(fault.path == "$.country" for fault in read_with({"lk": swapped}).faults)


def _pack_with(country: str, section: str, *facts: dict[str, Any]) -> dict[str, Any]:
    pack: dict[str, Any] = pack_json(country)
    return pack | {section: list(facts)}


def _fact(**value: Any) -> dict[str, Any]:
    return {"value": value, "source": "test", "verified_on": None, "confidence": "C"}


@pytest.mark.parametrize(
    ("pack", "path"),
    [
        (
            _pack_with("th", "ages", *[_fact(about="majority", age=age) for age in (20, 18)]),
            "$.ages",
        ),
        (_pack_with("th", "ages", _fact(about="majority", age=0)), "$.ages[0].value.age"),
        (
            _pack_with("th", "data_protection", _fact(title="A law", state="none_enacted")),
            "$.data_protection[0].value.title",
        ),
        (
            _pack_with("th", "data_protection", _fact(state="in_force")),
            "$.data_protection[0].value.title",
        ),
        (pack_json("th") | {"office_zone": _fact(zone="Asia/Bangkok")}, "$.office_zone"),
        (
            pack_json("th") | {"weekly_days_off": _fact(weekdays=["mon", "fry"])},
            "$.weekly_days_off.value.weekdays",
        ),
        (
            pack_json("th") | {"weekly_days_off": _fact(weekdays=list(DAYS))},
            "$.weekly_days_off.value.weekdays",
        ),
    ],
)
def test_a_fact_that_contradicts_itself(pack: dict[str, Any], path: str) -> None:
    (fault,) = read_with({"th": pack}).faults
    assert (fault.file, fault.path) == ("th/pack.json", path)


def test_a_zone_of_another_country_counts_the_days() -> None:
    malaysia = pack_json("my") | {"office_zone": _fact(zone="Asia/Dhaka")}
    (fault,) = read_with({"my": malaysia}).faults
    assert fault.path == "$.office_zone.value.zone"


def test_a_country_whose_law_is_silent_is_given_an_age() -> None:
    assert PACKS["my"].transfer == PACKS["pk"].consent_form == ()
    assert {fact.value.about for fact in PACKS["vn"].ages} == {
        "child_below",
        "child_in_trafficking_below",
    }


def test_a_pack_that_is_changed_after_loading() -> None:
    with pytest.raises(TypeError):
        PACKS["my"].names["en"] = "elsewhere"  # type: ignore[index]  # on purpose
    with pytest.raises(AttributeError):
        PACKS["my"].hotlines[0].value.number = "1"  # type: ignore[misc]  # on purpose
