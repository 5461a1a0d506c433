"""Each safety rule speaks when it is broken and is silent when it is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.bodies import (
    Basis,
    Body,
    ConsentUpdated,
    MeetingPlace,
    ReferralAccepted,
    ReferralOutcome,
    ReferralStatus,
)
from contracts.codes import (
    AGE_BANDS,
    CONSENT_FIELDS,
    FEEDBACK,
    LEGAL_BASES,
    MEETING_PLACES,
    ORG_KINDS,
    STATE_KINDS,
    Unsaid,
)
from contracts.country import LawProfile
from contracts.findings import Weight
from contracts.lifecycle import Side
from contracts.safety import custody, permission_now
from tests.unit.contracts.rules import (
    ACCEPTED,
    AFRAID,
    ALONE,
    BANGLADESH,
    CLAIMS,
    CONSENT,
    IDENTITY,
    JOURNEY,
    KEPT,
    MALAYSIA,
    MARK,
    MAY_SAY,
    ON_A_BASIS,
    PLAIN,
    REQUESTS,
    SAID,
    SHELTER,
    THAILAND,
    TWO,
    UPDATE,
    VIETNAM,
    Changes,
    changed,
    checked,
    codes,
    example,
    feedback,
    of,
    said,
)


def test_a_request_that_keeps_every_rule() -> None:
    assert checked() == ()


@pytest.mark.parametrize(("code", "weight", "changes", "more"), REQUESTS)
def test_a_request_that_breaks_one_rule(
    code: str, weight: Weight, changes: Changes, more: dict[str, Any]
) -> None:
    assert (code, weight) in {(one.code, one.weight) for one in checked(changes, **more)}


@pytest.mark.parametrize(("changes", "more"), [(one, two) for _, one, two in KEPT],
                         ids=[name for name, _, _ in KEPT])  # fmt: skip
def test_a_request_that_is_refused_although_it_keeps_the_rules(
    changes: Changes, more: dict[str, Any]
) -> None:
    to = more.get("receiver", SHELTER).org
    named = {"consent.recipients": (to,)} if changes.get("consent", True) else {}
    assert checked({**changes, **named}, **more) == ()


@given(
    st.sampled_from(ORG_KINDS),
    st.sampled_from(["my", "bd", "th", "vn"]),
    st.sampled_from(["my", "bd", "th"]),
    st.sampled_from(["my", "bd", "th", Unsaid.UNKNOWN, Unsaid.DECLINED_TO_SAY, "stateless"]),
    st.sampled_from([AFRAID, CLAIMS, AFRAID | CLAIMS]),
)
def test_something_goes_to_the_state_that_is_feared(
    kind: str, country: str, wants: str, nationality: str, fear: Changes
) -> None:
    told: Changes = {**fear, "where.wants.country": wants, "person.nationality": nationality}
    refused = "feared_state" in codes(checked(told, receiver=of(kind, country)))
    if kind not in STATE_KINDS:
        assert not refused
    elif kind == "mission" or country == nationality or (country == wants and wants != "my"):
        assert refused
    elif fear is not CLAIMS:
        assert refused == (country == wants or len(nationality) != 2)


@given(st.sampled_from(LEGAL_BASES), st.sampled_from([ALONE, TWO]), st.booleans())
def test_a_legal_basis_that_counts_as_a_consent(code: str, basis: Basis, wished: bool) -> None:
    told = ON_A_BASIS | {"basis": replace(basis, code=code), "needs": ("repatriation",)}
    wish = {"return_.own_wish": "yes" if wished else "no"}
    assert codes(checked({**told, **wish})) & {"return_on_a_basis", "return_without_own_wish"}


@given(st.sampled_from(AGE_BANDS), st.sets(st.sampled_from([MALAYSIA, VIETNAM, THAILAND])))
def test_one_country_more_that_protects_less(age_band: str, profiles: set[LawProfile]) -> None:
    told: Changes = {"person.age_band": age_band}
    fewer = codes(checked(told, profiles=tuple(profiles)))
    assert fewer <= codes(checked(told, profiles=(*profiles, BANGLADESH)))


# Further messages


@pytest.mark.parametrize(("code", "weight", "body", "request_", "more"), SAID)
def test_a_message_that_breaks_one_rule(
    code: str, weight: Weight, body: Body, request_: Changes, more: dict[str, Any]
) -> None:
    assert (code, weight) in {(one.code, one.weight) for one in said(body, request_, **more)}


@pytest.mark.parametrize(("body", "request_", "more"), [rest for _, *rest in MAY_SAY],
                         ids=[name for name, *_ in MAY_SAY])  # fmt: skip
def test_a_message_that_is_refused_although_it_keeps_the_rules(
    body: Body, request_: Changes, more: dict[str, Any]
) -> None:
    assert said(body, request_, **more) == ()


@given(
    st.sampled_from([ReferralStatus("started"), ReferralOutcome("provided", "yes"), ACCEPTED,
                     example("referral.info_provided")]),
    st.sampled_from(MEETING_PLACES),
    st.sampled_from(ORG_KINDS),
)  # fmt: skip
def test_a_wider_consent_to_feedback_that_allows_less(body: Body, place: str, kind: str) -> None:
    if isinstance(body, ReferralAccepted):
        body = replace(body, meeting_place=MeetingPlace(place))
    refused = [
        bool(said(body, feedback(word), by=Side.RECEIVER, peer_kind=kind)) for word in FEEDBACK
    ]
    assert refused == sorted(refused, reverse=True)


@given(st.sets(st.sampled_from(CONSENT_FIELDS)), st.sampled_from(CONSENT_FIELDS))
def test_a_consent_to_more_fields_that_allows_less(fields_: set[str], more: str) -> None:
    def found(words: set[str]) -> set[str]:
        told: Changes = {"consent.fields": tuple(sorted(words))}
        return codes(said(IDENTITY, told)) | codes(said(JOURNEY, told)) | codes(checked(told))

    assert found(fields_ | {more}) <= found(fields_)


def test_what_stands_is_the_latest_of_the_updates() -> None:
    newest = ConsentUpdated(basis=TWO)
    assert permission_now(PLAIN, ()) is CONSENT
    assert permission_now(PLAIN, (UPDATE, newest)) is TWO
    assert permission_now(PLAIN, (newest, UPDATE)) is UPDATE.consent
    assert permission_now(PLAIN, (UPDATE, ConsentUpdated())) is UPDATE.consent


def test_custody_is_marked_by_the_consent_that_stands_and_not_by_a_basis() -> None:
    held = changed(PLAIN, {"consent.free_to_leave": "no"})
    assert [one.weight for one in custody(held)] == [MARK]
    assert list(custody(replace(held, consent=None, basis=TWO))) == []
