"""A referral leaves although something was missing that one of the two countries asks for."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.ages import is_minor
from contracts.bodies import Guardian, ReferralRequested, Return
from contracts.codes import AGE_BANDS, FEARS, ORG_KINDS, SERVICES, STAFF_ROLES, STATE_KINDS, Unsaid
from contracts.examples import example_request
from contracts.identifiers import OrgId
from contracts.routing import RouteState, RouteTable
from countries.corridor import Corridor, Requirement, Weight, check, outstanding
from countries.facts import Confidence
from countries.law import law_profile
from countries.packs import COUNTRIES
from countries.requirements import WORDINGS

PLAIN = Corridor(
    ours="my",
    theirs="bd",
    receiver_kind="ngo",
    age_band="25_34",
    languages=("ben",),
    ground="consent",
    free_to_leave="yes",
)
CORRIDORS = st.builds(
    Corridor,
    ours=st.sampled_from(COUNTRIES),
    theirs=st.sampled_from(COUNTRIES),
    receiver_kind=st.sampled_from(ORG_KINDS),
    age_band=st.sampled_from(AGE_BANDS),
    languages=st.lists(st.sampled_from(["ben", "tam", "msa", "tha", "mya"])).map(tuple),
    nationality=st.sampled_from([*COUNTRIES, "mm", "not_asked"]),
    interpreter_needed=st.sampled_from(["yes", "no", "not_asked"]),
    told=st.frozensets(st.sampled_from(["return", "guardian", "legal"])),
    needs=st.lists(st.sampled_from(SERVICES)).map(tuple),
    guardian_status=st.sampled_from(["none", "suspected_in_harm", "not_asked", "unknown"]),
    best_interest=st.sampled_from(["assessed", "in_progress", "not_begun", "not_asked"]),
    own_wish=st.sampled_from(["yes", "no", "not_asked"]),
    risk_assessed=st.booleans(),
    fear_of=st.lists(st.sampled_from(FEARS), unique=True).map(tuple),
    protection_claim=st.sampled_from(["none", "pending", "not_asked"]),
    ground=st.sampled_from(["consent", "legal_duty", "vital_interest", ""]),
    free_to_leave=st.sampled_from(["yes", "no", "unsure", "not_asked"]),
)


REQUEST: ReferralRequested = example_request(
    recipient=OrgId("bd-0123456789abcdef"), service_id="x", now=1_800_000_000
)


def codes(found: tuple[Requirement, ...]) -> set[str]:
    return {item.code for item in found if not item.met}


def blocking(corridor: Corridor, **given: Any) -> set[str]:
    return codes(outstanding(check(corridor, **given)))


@given(CORRIDORS)
def test_a_requirement_that_tells_nobody_what_to_do(corridor: Corridor) -> None:
    for item in check(corridor):
        assert item.who in STAFF_ROLES
        assert item.sentence.endswith(".")
        assert item.source.confidence in Confidence
        assert item.source.title or item.source.country
        assert item.source.country in {*COUNTRIES, None}


@given(CORRIDORS)
def test_a_requirement_stands_twice(corridor: Corridor) -> None:
    found = [(item.code, item.source) for item in check(corridor)]
    assert len(found) == len(set(found))


@settings(max_examples=300)
@given(CORRIDORS)
def test_a_minor_is_sent_without_a_guardians_word_or_a_best_interest(corridor: Corridor) -> None:
    profiles = [law_profile(corridor.ours), law_profile(corridor.theirs)]
    asked = {item.code for item in check(corridor)}
    minor = {"guardian_status", "best_interest", "child_competent_receiver"}
    assert (minor <= asked) == (not minor.isdisjoint(asked))
    assert (minor <= asked) == is_minor(corridor.age_band, profiles)


@settings(max_examples=300)
@given(CORRIDORS)
def test_a_frightened_person_is_handed_to_the_state(corridor: Corridor) -> None:
    found = check(corridor)
    if "state" not in corridor.fear_of and corridor.protection_claim != "pending":
        assert "asylum_advice_first" not in {item.code for item in found}
        return
    assert found[0].code == "asylum_advice_first"
    assert not found[0].met
    if corridor.receiver_kind in STATE_KINDS and corridor.nationality in {
        corridor.theirs,
        "not_asked",
    }:
        everything = frozenset(WORDINGS)
        assert "no_feared_state_body" in blocking(corridor, confirmed=everything)


@given(CORRIDORS)
def test_somebody_confirms_away_what_the_referral_must_show(corridor: Corridor) -> None:
    for item in check(corridor, confirmed=frozenset(WORDINGS)):
        assert item.met or not item.confirmable
        assert not item.confirmable or item.code not in {"route_open", "own_wish_to_return"}


@given(CORRIDORS)
def test_a_duty_known_from_memory_stops_a_referral(corridor: Corridor) -> None:
    for item in check(corridor):
        if item.code in {"transfer_dossier", "localisation_notice"}:
            assert item.weight is Weight.LOOK_AT or item.source.confidence is not Confidence.C


@given(CORRIDORS, st.sampled_from(COUNTRIES))
def test_within_one_country_a_border_is_seen(corridor: Corridor, country: str) -> None:
    found = {item.code for item in check(replace(corridor, ours=country, theirs=country))}
    assert not found & {"route_open", "transfer_dossier", "localisation_notice"}


def test_data_leave_vietnam_without_a_dossier() -> None:
    out = replace(PLAIN, ours="vn", theirs="my")
    assert "transfer_dossier" in blocking(out)
    assert "transfer_dossier" not in blocking(out, confirmed={"transfer_dossier"})
    into = check(replace(PLAIN, ours="my", theirs="vn"))
    (dossier,) = [item for item in into if item.code == "transfer_dossier"]
    assert dossier.weight is Weight.LOOK_AT
    assert (dossier.source.title, dossier.source.country) == ("Law 91/2025/QH15", "vn")


@pytest.mark.parametrize(
    ("country", "code"),
    [
        ("bd", "localisation_notice"),
        ("vn", "recorded_hotline"),
        ("vn", "silence_is_not_consent"),
        ("pk", "complaint_passed_to_police"),
        ("pk", "no_data_law"),
    ],
)
def test_a_countrys_own_warning_is_not_given(country: str, code: str) -> None:
    (item,) = [each for each in check(replace(PLAIN, theirs=country)) if each.code == code]
    assert item.source.country == country
    assert item.source.to_be_confirmed
    assert code not in {each.code for each in check(replace(PLAIN, theirs="th"))}


@pytest.mark.parametrize(
    ("state", "kind", "stopped"),
    [
        (RouteState.SIGNED, "enforcement", False),
        (RouteState.PROPOSED, "ngo", False),
        (RouteState.PROPOSED, "mission", True),
        (RouteState.SUSPENDED, "ngo", True),
        (RouteState.CLOSED, "ngo", True),
    ],
)
def test_a_route_that_is_not_open(state: RouteState, kind: str, stopped: bool) -> None:
    routes = RouteTable.of({("my", "bd"): state})
    corridor = replace(PLAIN, receiver_kind=kind)
    assert ("route_open" in blocking(corridor, routes=routes)) == stopped


def test_a_return_that_nobody_wished_for() -> None:
    home = replace(PLAIN, needs=("repatriation",))
    assert "own_wish_to_return" in blocking(home)
    assert "own_wish_to_return" in blocking(replace(home, own_wish="yes"))
    assert "own_wish_to_return" in blocking(replace(home, own_wish="undecided", risk_assessed=True))
    assert "own_wish_to_return" not in blocking(replace(home, own_wish="yes", risk_assessed=True))


def test_a_guardian_who_did_harm_is_told() -> None:
    child = replace(PLAIN, age_band="12_15", best_interest="assessed")
    suspected = check(replace(child, guardian_status="suspected_in_harm"))
    assert "guardian_not_told" in codes(suspected)
    assert "guardian_status" not in codes(suspected)  # an answer, though a bad one
    assert "guardian_not_told" not in codes(check(replace(child, guardian_status="none")))


def test_a_best_interest_that_is_only_begun() -> None:
    for begun, weight in [("in_progress", Weight.LOOK_AT), ("not_begun", Weight.BLOCKING)]:
        found = check(replace(PLAIN, age_band="12_15", best_interest=begun))
        (item,) = [each for each in found if each.code == "best_interest"]
        assert (item.weight, item.met) == (weight, False)


def test_consent_in_custody_passes_for_free() -> None:
    for said in ("no", "unsure", "not_asked"):
        assert "given_in_custody" in codes(check(replace(PLAIN, free_to_leave=said)))
    assert "given_in_custody" not in codes(check(PLAIN))


def test_a_young_child_counts_as_over_14_in_china() -> None:
    for band, asked in [
        ("0_11", True),
        ("12_15", True),
        ("believed_minor", True),
        ("16_17", False),
    ]:
        found = {item.code for item in check(replace(PLAIN, theirs="cn", age_band=band))}
        assert ("under_14_sensitive" in found) == asked


def test_a_thai_of_nineteen_far_from_home() -> None:
    found = check(replace(PLAIN, age_band="18_19", nationality="th"))
    (item,) = [each for each in found if each.code == "may_be_under_majority"]
    assert item.weight is Weight.LOOK_AT
    assert item.source.title == "Civil and Commercial Code, s. 19"


def test_nobody_speaks_the_persons_language() -> None:
    assert "interpreter" not in codes(check(PLAIN))
    assert "interpreter" in codes(check(replace(PLAIN, languages=("mya",))))
    assert "interpreter" in codes(check(replace(PLAIN, interpreter_needed="yes")))
    assert "working_language" in codes(check(PLAIN))
    assert "working_language" not in codes(check(replace(PLAIN, theirs="lk")))


def test_a_corridor_prints_a_person() -> None:
    assert repr(PLAIN) == str(PLAIN) == "<Corridor>"


@given(CORRIDORS)
def test_a_partner_of_another_country_breaks_the_check(corridor: Corridor) -> None:
    assert check(replace(corridor, ours="sg"))
    assert check(replace(corridor, theirs="sg"))


def of(request: ReferralRequested) -> Corridor:
    return Corridor.of(request, ours="my", theirs="bd", receiver_kind="ngo")


def test_something_the_referral_says_is_not_seen() -> None:
    corridor = of(REQUEST)
    assert (corridor.age_band, corridor.languages, corridor.nationality) == (
        "20_24",
        ("ben",),
        "bd",
    )
    assert (corridor.own_wish, corridor.risk_assessed, corridor.fear_of) == (
        "yes",
        True,
        ("recruiter",),
    )
    assert (corridor.ground, corridor.free_to_leave) == ("consent", "yes")
    assert "return" in corridor.told
    assert codes(check(corridor)) == {
        "route_open",
        "localisation_notice",
        "interpreter",
        "working_language",
    }


def test_what_was_not_asked_counts_as_an_answer() -> None:
    unasked = replace(
        REQUEST,
        guardian=Guardian(status=Unsaid.NOT_ASKED),
        return_=Return(own_wish=Unsaid.DECLINED_TO_SAY, fear_of=Unsaid.UNKNOWN),
        person=replace(REQUEST.person, age_band="16_17", nationality=Unsaid.UNKNOWN),
        consent=None,
    )
    found = blocking(of(unasked))
    assert found == {
        "consent_or_basis",
        "own_wish_to_return",
        "guardian_status",
        "best_interest",
        "child_competent_receiver",
    }


def test_a_referral_without_its_parts() -> None:
    bare = replace(REQUEST, guardian=None, return_=None)
    assert of(bare).fear_of == ()
    assert "own_wish_to_return" in blocking(of(bare))  # its needs tell of a return
