"""The mapping tables, against the official lists: every word decided, every code spelled as there.

HTCDS is read from its own files; without them these tests are skipped with their address.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from contracts.bodies import Basis, Consent
from contracts.codes import CONCERNS, KINDS, LISTS, STATUSES, UNSAID
from contracts.errors import Malformed
from contracts.lifecycle import ALL, TAKEN_UP, Side, State
from contracts.mappings import (
    PrimeroConsent,
    Table,
    bser_business_status,
    bser_status_of_word,
    bser_task_status,
    ers_state,
    htcds,
    htcds_country,
    htcds_in_survey_form,
    htcds_language,
    htcds_tables,
    primero_consent,
    primero_status,
    primero_transition,
    state_table,
)
from contracts.times import Utc

REPOSITORY = Path(__file__).parents[3]
FOLDER = REPOSITORY / "contracts" / "mappings"
STANDARD = Path(os.environ.get("HTCDS", REPOSITORY.parent / "shared" / "htcds-2.0"))
TABLES = htcds_tables()
FILES = {path.stem: json.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.json")}
# FHIR's own, written here a second time (hl7.org/fhir/valueset-task-status.html).
TASK_STATUS = {
    *("draft", "requested", "received", "accepted", "rejected", "ready", "cancelled"),
    *("in-progress", "on-hold", "failed", "completed", "entered-in-error"),
}
PRIMERO = {"in_progress", "accepted", "rejected", "done", "revoked"}


def rows(name: str) -> list[list[str]]:
    """An official file as it is: nothing stripped, `NA` (Namibia) no missing value."""
    path = STANDARD / name
    if not path.exists():
        pytest.skip(f"the official HTCDS lists are not at {STANDARD}; set HTCDS")
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


@pytest.fixture(scope="module")
def picklists() -> dict[str, set[str]]:
    """The values of each field of the standard, with whatever spaces they have."""
    return {row[6]: set(row[9].split("\n")) for row in rows("fields-Field_Standards.csv") if row[9]}


@pytest.fixture(scope="module")
def choices() -> dict[str, set[str]]:
    """The values of each list of the survey form."""
    found: dict[str, set[str]] = {}
    for name, value, _label in rows("xlsform-choices.csv")[1:]:
        found.setdefault(name, set()).add(value)
    return found


# HTCDS


def test_a_list_that_nobody_decided_about() -> None:
    without = [name for group in FILES["htcds"]["lists_without_a_table"] for name in group["lists"]]
    assert len(without) == len(set(without))
    mapped = {table.list for table in TABLES.values()}
    assert not mapped & set(without)
    assert mapped | set(without) == set(LISTS)


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_a_word_that_nobody_decided_about(table: Table) -> None:
    decided = [*table.codes, *table.none]
    assert len(decided) == len(set(decided))
    assert set(decided) - set(UNSAID) == set(LISTS[table.list])
    assert all(reason.strip() for reason in table.none.values())


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_a_code_that_is_not_written_as_in_the_standard(
    table: Table, picklists: dict[str, set[str]]
) -> None:
    assert set(table.codes.values()) <= picklists[table.field]
    assert "" not in table.codes.values()


def test_a_deprecated_field() -> None:
    status = {row[6]: row[1] for row in rows("fields-Field_Standards.csv")}
    assert {status[table.field] for table in TABLES.values()} == {"DRAFT"}


def test_trafficking_and_smuggling_become_one_code() -> None:
    for table, word, about in product(TABLES, ("tip", "som", "both", "undetermined"), CONCERNS):
        if word in TABLES[table].none or word in TABLES[table].codes:
            assert htcds(table, word, about=about) is None
    assert TABLES["concerns"].codes == {}
    assert len(set(TABLES["concerns"].none)) == len(CONCERNS)


@pytest.mark.parametrize("about", ["", *(concern for concern in CONCERNS if concern != "tip")])
def test_a_smuggled_person_who_is_counted_as_trafficked(about: str) -> None:
    for name, table in TABLES.items():
        if table.field.startswith("vic_"):
            for word in table.codes:
                assert htcds(name, word, about=about) is None


def test_a_decision_on_trafficking() -> None:
    assert htcds("decision_statuses", "recognised", about="tip") == "ActualVictimOfTrafficking"
    assert htcds("decision_statuses", "pending", about="tip") is None


@pytest.mark.parametrize("word", UNSAID)
def test_a_gender_not_said_that_becomes_one(word: str) -> None:
    assert htcds("genders", word) == "NonSpecifiedUnknown"


def test_two_genders_that_become_one() -> None:
    said = {word: code for word, code in TABLES["genders"].codes.items() if word not in UNSAID}
    assert len(set(said.values())) == len(said) == len(LISTS["genders"])


@pytest.mark.parametrize(
    ("table", "word"), [("genders", "Feminine"), ("genders", "woman "), ("nobody", "woman")]
)
def test_a_word_of_nobodys_list(table: str, word: str) -> None:
    with pytest.raises(Malformed) as caught:
        htcds(table, word)
    assert word not in str(caught.value)


def test_a_country_that_the_list_does_not_have(choices: dict[str, set[str]]) -> None:
    assert len(choices["citizenship"]) == 249
    assert {"NA"} < choices["citizenship"]
    for country in (*choices["citizenship"], "my", "bd", "id", "cn", "lk", "th", "vn", "pk"):
        assert htcds_country(country.lower()) in choices["citizenship"]


def test_a_language_without_a_code() -> None:
    assert htcds_language("ben") == "ben"
    assert htcds_language("rhg") is None
    codes = FILES["htcds"]["languages"]["codes"]
    assert all(len(code) == 3 and code.isalpha() for code in (*codes, *codes.values()))


def test_the_survey_form_spells_what_the_standard_spells_otherwise(
    picklists: dict[str, set[str]], choices: dict[str, set[str]]
) -> None:
    """The one with a space at its end is there in the survey form, and only there."""
    theirs = {row[1] for row in rows("xlsform-survey.csv")[1:]}
    fields = {row[6] for row in rows("fields-Field_Standards.csv")}
    ours = FILES["htcds"]["survey_form"]["names"]
    assert htcds_in_survey_form("DebtBondage") == "DebtBondage "
    assert "DebtBondage " in choices["methodsofcontrol"]
    assert "DebtBondage" not in choices["methodsofcontrol"]
    assert "DebtBondage" in picklists["vic_MethodsOfControl"]
    for standard, form in ours.items():
        assert standard in fields | picklists["vic_MethodsOfControl"]
        assert form in theirs | choices["methodsofcontrol"]
    plain = {name.replace("_", "") for name in fields - theirs}
    assert {name for name in theirs - fields if name.replace("_", "") in plain} <= set(
        ours.values()
    )


def test_a_code_of_the_survey_form_that_would_not_be_found(
    picklists: dict[str, set[str]], choices: dict[str, set[str]]
) -> None:
    selects = {row[1]: row[0].split()[1] for row in rows("xlsform-survey.csv") if " " in row[0]}
    for field, listed in selects.items():
        standard = next((f for f in picklists if htcds_in_survey_form(f) == field), None)
        if standard is None or listed == "citizenship":
            continue
        codes = {htcds_in_survey_form(code) for code in picklists[standard]}
        assert codes == choices[listed], field


# States

STATE_TABLES = [
    ("bser", "task_status"),
    ("bser", "business_status"),
    ("bser", "ers_state"),
    ("primero", "Referral"),
    ("primero", "Transfer"),
]


@pytest.mark.parametrize(("file", "name"), STATE_TABLES)
def test_a_state_that_nobody_decided_about(file: str, name: str) -> None:
    table = state_table(file, name)
    decided = [*table.codes, *table.none]
    assert sorted(decided) == sorted(State)
    assert all(reason.strip() for reason in table.none.values())


@pytest.mark.parametrize(("file", "name"), STATE_TABLES)
def test_a_state_that_their_list_does_not_have(file: str, name: str) -> None:
    official = FILES[file].get("official") or FILES[file][name]["official"]
    assert set(state_table(file, name).codes.values()) <= set(official)


def test_the_official_lists_are_theirs() -> None:
    assert set(FILES["bser"]["task_status"]["official"]) == TASK_STATUS
    assert set(FILES["primero"]["official"]) == PRIMERO


def test_a_word_of_a_status_that_nobody_decided_about() -> None:
    table = state_table("bser", "business_status_of_words")
    assert {*table.codes, *table.none} == set(STATUSES)
    assert set(table.codes.values()) <= set(FILES["bser"]["business_status"]["official"])
    assert bser_status_of_word("unattended") == "5.1.2"


ENDINGS: list[tuple[State, set[str | None]]] = [
    (State.DECLINED, {"rejected", "4.0", "REJECTED"}),
    (State.WITHDRAWN, {"cancelled", "6.0", "revoked", None}),
    (State.ERASED, {None}),
    (State.DRAFT, {"draft", None}),
]


@pytest.mark.parametrize(("state", "expected"), ENDINGS)
def test_an_ending_that_reads_as_another(state: State, expected: set[str | None]) -> None:
    said = {
        bser_task_status(state),
        bser_business_status(state),
        ers_state(state),
        *(primero_status(state, kind=k, lead=lead) for k, lead in product(KINDS, Side)),
    }
    assert said <= expected


@pytest.mark.parametrize("translate", [bser_task_status, bser_business_status, ers_state])
@pytest.mark.parametrize("state", sorted(set(State) - {State.DECLINED}))
def test_something_that_reads_as_a_refusal(
    translate: Callable[[State], str | None], state: State
) -> None:
    assert translate(state) not in ("rejected", "4.0", "REJECTED")


# Primero


def test_a_lead_that_passes_is_a_transfer() -> None:
    assert {kind: primero_transition(kind) for kind in KINDS} == {
        "service": "Referral",
        "lead": "Transfer",
    }
    with pytest.raises(Malformed):
        primero_transition("both")


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lead", Side)
def test_a_status_that_primero_does_not_have(state: State, kind: str, lead: Side) -> None:
    assert primero_status(state, kind=kind, lead=lead) in PRIMERO | {None}


@pytest.mark.parametrize("state", ALL)
def test_a_record_that_changes_its_owner_before_the_lead_is_taken(state: State) -> None:
    """There, accepting a transfer makes the receiver the record's owner."""
    assert primero_status(state, kind="lead", lead=Side.REFERRER) != "accepted"
    expected = "accepted" if state in TAKEN_UP else None
    if expected:
        assert primero_status(state, kind="lead", lead=Side.RECEIVER) == expected
        assert primero_status(state, kind="service", lead=Side.REFERRER) == expected


CONSENT = Consent(
    id="0" * 32,
    version=1,
    recipients=("bd-0000000000000000",),
    fields=("where",),
    purposes=("assess",),
    method="verbal",
    language="ben",
    obtained_by="caseworker",
    obtained_at=Utc("2026-11-20T08:00:00Z"),
    expires_at=Utc("2026-12-20T08:00:00Z"),
    free_to_leave="yes",
    onward_sharing=False,
)
BASIS = Basis(
    ground="vital_interest",
    code="life_at_risk",
    recipients=("bd-0000000000000000",),
    fields=("where",),
    decided_by="caseworker",
    decided_at=Utc("2026-11-20T08:00:00Z"),
    expires_at=Utc("2026-11-25T08:00:00Z"),
)


@pytest.mark.parametrize(
    "changed",
    [{}, {"second_person": "coordinator"}, {"ground": "legal_duty"}, {"alone_on_shift": "yes"}],
)
def test_an_overridden_consent_is_sent_as_consent(changed: dict[str, Any]) -> None:
    assert primero_consent(replace(BASIS, **changed)) == PrimeroConsent(
        given=False, overridden=True
    )


def test_a_consent_is_sent_as_overridden() -> None:
    assert primero_consent(CONSENT) == PrimeroConsent(given=True, overridden=False)


def test_nothing_is_sent_as_either() -> None:
    assert primero_consent(None) == PrimeroConsent(given=False, overridden=False)


# The files


@pytest.mark.parametrize("name", FILES)
def test_a_table_without_its_source(name: str) -> None:
    source = FILES[name]["source"]
    assert source.keys() >= {"name", "by", "read", "changed"}
    assert set(FILES) == {"htcds", "bser", "primero"}


def test_htcds_without_its_licence() -> None:
    assert "CC BY 4.0" in FILES["htcds"]["source"]["licence"]
    assert "endorses" in FILES["htcds"]["source"]["changed"]
