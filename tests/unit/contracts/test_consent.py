"""A request reaches only whom the person named, only while the consent holds."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.bodies import Basis, Consent, ConsentUpdated, ReferralRequested
from contracts.codes import CONSENT_FIELDS
from contracts.consent import CLOCK_SKEW, check_consent, check_release, fields_told, permission_of
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
assert REQUEST.consent is not None
CONSENT: Consent = REQUEST.consent
BASIS = Basis(
    ground="vital_interest",
    code="life_at_risk",
    recipients=(NAMED,),
    fields=CONSENT.fields,
    decided_by="duty_officer",
    decided_at=utc_text(NOW - 60),
    expires_at=utc_text(NOW + 60),
    alone_on_shift="yes",
)


def with_consent(**changes: object) -> ReferralRequested:
    return replace(REQUEST, consent=replace(CONSENT, **changes))  # type: ignore[arg-type]  # members by name


def with_basis(**changes: object) -> ReferralRequested:
    return replace(REQUEST, consent=None, basis=replace(BASIS, **changes))  # type: ignore[arg-type]  # members by name


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
    fields = tuple(field for field in CONSENT.fields if field != told)
    assert refused(with_consent(fields=fields)).field == "fields"
    silent = replace(REQUEST, **{"return_" if told == "return" else told: None})  # type: ignore[arg-type]  # members by name
    check_consent(
        replace(silent, consent=replace(CONSENT, fields=fields)), recipient=NAMED, now=NOW
    )


def test_a_disclosed_part_that_consent_has_no_word_for() -> None:
    assert fields_told(REQUEST) <= set(CONSENT_FIELDS)


def test_a_basis_that_covers_the_request_passes() -> None:
    check_consent(with_basis(), recipient=NAMED, now=NOW)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"recipients": (OTHER,)}, "recipients"),
        ({"recipients": (NAMED, OTHER)}, "recipients"),
        ({"fields": ("where", "person", "safety")}, "fields"),
        ({"expires_at": utc_text(NOW)}, "expires_at"),
        ({"decided_at": utc_text(NOW + CLOCK_SKEW + 1)}, "decided_at"),
        ({"decided_at": utc_text(NOW + 60)}, "expires_at"),
    ],
)
def test_a_basis_that_reaches_further_than_a_consent_would(
    change: dict[str, object], field: str
) -> None:
    assert refused(with_basis(**change)).field == field


def test_consent_overridden_by_a_basis_beside_it() -> None:
    assert refused(replace(REQUEST, basis=BASIS)).field == "consent"
    assert refused(replace(REQUEST, consent=None)).field == "consent"


@pytest.mark.parametrize("permission", [CONSENT, BASIS])
def test_an_update_is_read_like_a_request(permission: Consent | Basis) -> None:
    kind = "basis" if isinstance(permission, Basis) else "consent"
    update = ConsentUpdated(**{kind: permission})  # type: ignore[arg-type]  # members by name
    assert permission_of(update) is permission


@pytest.mark.parametrize("told", ["identity", "journey"])
def test_a_later_message_that_no_consent_covers(told: str) -> None:
    permission = replace(CONSENT, fields=tuple(word for word in CONSENT.fields if word != told))
    check_release(CONSENT, fields={told}, recipient=NAMED, now=NOW)
    with pytest.raises(Refused) as caught:
        check_release(permission, fields={told}, recipient=NAMED, now=NOW)
    assert caught.value.field == "fields"
