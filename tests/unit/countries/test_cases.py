"""A country's own cases stop holding, or a wrong file of them passes for a right one."""

import json
from importlib.resources import files
from typing import Any

import pytest

from contracts.codes import AGE_BANDS
from countries import __main__ as command
from countries.cases import Outcome, run_cases, run_text
from countries.completeness import report, said
from countries.packs import COUNTRIES, load_packs
from countries.reading import BadCountryData

AGE = {"about": "age", "band": "16_17", "expect": "child"}


def run(*cases: Any, country: str = "th") -> tuple[Outcome, ...]:
    return run_text(json.dumps({"cases": list(cases)}).encode(), country)


@pytest.mark.parametrize("country", COUNTRIES)
def test_a_case_that_does_not_hold(country: str) -> None:
    outcomes = run_cases(country)
    assert [outcome for outcome in outcomes if not outcome.holds] == []
    assert {"age", "profile", "hotline", "corridor", "working_days", "divisions"} <= {
        outcome.about for outcome in outcomes
    }


@pytest.mark.parametrize(
    "case",
    [
        {"about": "age", "band": "18_19", "expect": "adult"},
        {"about": "profile", "child_below": 18, "majority": 18},
        {"about": "hotline", "number": "1300", "dial": "1301"},
        {"about": "hotline", "number": "1", "dial": "1"},
        {"about": "division", "code": "TH-10", "name": "Bangkok"},
        {"about": "divisions", "expect": 77},
        {"about": "working_days", "first": "2026-06-01", "last": "2026-06-07", "expect": 7},
        {
            "about": "corridor",
            "to": "my",
            "band": "25_34",
            "languages": "eng",
            "blocking": [],
            "look_at": [],
        },
    ],
)
def test_a_false_case_holds(case: dict[str, Any]) -> None:
    (outcome,) = run(case)
    assert not outcome.holds
    assert outcome.found


@pytest.mark.parametrize(
    ("case", "path"),
    [
        (AGE | {"band": "7"}, "$.cases[0].band"),
        (AGE | {"about": "weather"}, "$.cases[0].about"),
        (AGE | {"expect": "minor"}, "$.cases[0].expect"),
        (AGE | {"with": "sg"}, "$.cases[0].with"),
        (AGE | {"surprise": 1}, "$.cases[0].surprise"),
        ({"about": "profile", "majority": "18"}, "$.cases[0].majority"),
        ({"about": "divisions", "expect": 0}, "$.cases[0].expect"),
        (
            {"about": "working_days", "first": "2026-06-07", "last": "2026-06-01", "expect": 0},
            "$.cases[0].last",
        ),
        (
            {"about": "corridor", "to": "my", "band": "25_34", "languages": "English"},
            "$.cases[0].languages",
        ),
    ],
)
def test_a_case_with_a_fault_is_run(case: dict[str, Any], path: str) -> None:
    with pytest.raises(BadCountryData) as caught:
        run(case)
    assert path in [fault.path for fault in caught.value.faults]
    assert {fault.file for fault in caught.value.faults} == {"th/cases.json"}


def test_one_fault_hides_another() -> None:
    with pytest.raises(BadCountryData) as caught:
        run(AGE | {"band": "7"}, AGE, AGE | {"expect": ""})
    assert [fault.path for fault in caught.value.faults] == [
        "$.cases[0].band",
        "$.cases[2].expect",
    ]


@pytest.mark.parametrize("text", [b"", b"{}", b'{"cases": []}', b'{"cases": [1]}'])
def test_a_file_without_cases(text: bytes) -> None:
    with pytest.raises(BadCountryData):
        run_text(text, "th")


def test_no_country_says_what_the_ages_come_to() -> None:
    asked = {
        (country, case["band"])
        for country in COUNTRIES
        for case in json.loads((files("countries") / country / "cases.json").read_bytes())["cases"]
        if case["about"] == "age"
    }
    assert {(country, "16_17") for country in COUNTRIES} <= asked
    assert {(country, "18_19") for country in COUNTRIES} <= asked
    assert {band for _, band in asked} <= set(AGE_BANDS)


def test_a_fact_below_a_is_not_reported() -> None:
    for pack in load_packs().values():
        told = [(each.section, each.what) for each in report(pack, (), year=2026).unsure]
        for fact in (*pack.hotlines, *pack.ages, *pack.transfer, *pack.data_protection):
            assert fact.to_be_confirmed == (said(fact.value) in [what for _, what in told])
        assert "routes" not in {section for section, _ in told}  # the founding documents: A


def test_a_gap_is_not_reported() -> None:
    lacks = {code: report(pack, (), year=2026).missing for code, pack in load_packs().items()}
    assert "law on som" in lacks["lk"]
    assert "age majority" in lacks["vn"]
    assert "holidays of 2027" in lacks["lk"]
    assert "consent-form requirements" in lacks["my"]
    assert "consent-form requirements" not in lacks["pk"]  # no law is enacted: none is lacking


def test_check_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["check"]) == 0
    told = capsys.readouterr().out
    assert all(f"({country})\n" in told for country in COUNTRIES)
    assert "03-8000 8000 [B]" in told
    assert "FAILS" not in told


def test_check_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["check", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["countries"]
    assert [each["country"] for each in told] == list(COUNTRIES)
    assert all(each["holds"] and each["outcomes"] for each in told)


def test_check_passes_what_does_not_hold(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    false = Outcome("$.cases[0]", "age", "adult", "child")
    monkeypatch.setattr(command, "run_cases", lambda _country: (false,))
    assert command.main(["check"]) == 1
    assert "FAILS    $.cases[0] (age): expected adult, found child" in capsys.readouterr().out
    assert command.main(["check", "--json"]) == 1


def test_check_passes_a_file_with_faults(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "run_cases", lambda country: run_text(b"{}", country))
    assert command.main(["check"]) == 1
    assert capsys.readouterr().out.count("cases.json: $.cases: is missing") == len(COUNTRIES)
    assert command.main(["check", "--json"]) == 1
    assert len(json.loads(capsys.readouterr().out)["faults"]) == len(COUNTRIES)
