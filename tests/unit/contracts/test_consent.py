"""A request reaches only whom the person named, only while the consent holds."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.bodies import ReferralRequested
from contracts.codes import CONSENT_FIELDS
from contracts.consent import CLOCK_SKEW, check_consent, fields_told
from contracts.errors import Refused
from contracts.examples import example_request
from contracts.identifiers import OrgId
from contracts.times import utc_text

NOW = 1_795_249_800
NAMED = OrgId("bd-0123456789abcdef")
OTHER = OrgId("bd-fedcba9876543210")
REQUEST = example_request(
    recipient=NAMED, service_id="00000000-0000-5000-8000-000000000001", now=NOW
)


def with_consent(**changes: object) -> ReferralRequested:
    return replace(REQUEST, consent=replace(REQUEST.consent, **changes))  # type: ignore[arg-type]  # members by name


def refused(request: ReferralRequested, *, recipient: OrgId = NAMED, now: int = NOW) -> Refused:
    with pytest.raises(Refused) as caught:
        check_consent(request, recipient=recipient, now=now)
    assert caught.value.code == "consent"
    return caught.value


def test_a_consent_that_covers_the_request_passes() -> None:
    check_consent(REQUEST, recipient=NAMED, now=NOW)


def test_a_request_sent_to_somebody_the_person_did_not_name() -> None:
    assert refused(REQUEST, recipient=OTHER).field == "recipients"


@pytest.mark.parametrize("recipients", [(), (NAMED, OTHER), (NAMED, NAMED)])
def test_a_consent_for_nobody_or_for_two(recipients: tuple[str, ...]) -> None:
    assert refused(with_consent(recipients=recipients)).field == "recipients"


@given(st.integers(0, 10**8))
def test_a_consent_that_has_expired(later: int) -> None:
    request = with_consent(expires_at=utc_text(NOW))
    assert refused(request, now=NOW + later).field == "expires_at"
    check_consent(request, recipient=NAMED, now=NOW - 1)


def test_a_consent_obtained_in_the_future() -> None:
    request = with_consent(obtained_at=utc_text(NOW + CLOCK_SKEW + 1))
    assert refused(request).field == "obtained_at"
    check_consent(request, recipient=NAMED, now=NOW + 1)


def test_a_consent_that_ended_before_it_began() -> None:
    request = with_consent(
        obtained_at=utc_text(NOW + CLOCK_SKEW), expires_at=utc_text(NOW + CLOCK_SKEW)
    )
    assert refused(request).field == "expires_at"


@given(st.sets(st.sampled_from(CONSENT_FIELDS)))
def test_a_request_that_tells_more_than_was_consented_to(fields: set[str]) -> None:
    request = with_consent(fields=tuple(sorted(fields)))
    if fields_told(request) <= fields:
        check_consent(request, recipient=NAMED, now=NOW)
    else:
        assert refused(request).field == "fields"


@pytest.mark.parametrize("told", ["note", "return", "legal"])
def test_a_field_told_under_no_consent(told: str) -> None:
    fields = tuple(field for field in REQUEST.consent.fields if field != told)
    assert refused(with_consent(fields=fields)).field == "fields"
    silent = replace(REQUEST, **{"return_" if told == "return" else told: None})  # type: ignore[arg-type]  # members by name
    check_consent(
        replace(silent, consent=replace(REQUEST.consent, fields=fields)), recipient=NAMED, now=NOW
    )


def test_a_disclosed_part_that_consent_has_no_word_for() -> None:
    assert fields_told(REQUEST) <= set(CONSENT_FIELDS)
