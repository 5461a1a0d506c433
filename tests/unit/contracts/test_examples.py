"""The shipped examples are templates: whoever sends them one after the other meets no refusal."""

from __future__ import annotations

import pytest

from contracts.bodies import ConsentUpdated, ReferralRequested
from contracts.examples import example_body, example_request
from contracts.findings import Finding, Weight
from contracts.fold import Course
from contracts.identifiers import OrgId
from contracts.lifecycle import EVENT_TYPES, Side, State
from contracts.messages import read_body
from contracts.safety import check_said, permission_now

NOW = 1_796_385_600  # a day after the consent of the example that renews it
ORG = OrgId("bd-0123456789abcdef")
REQUEST: ReferralRequested = example_request(
    recipient=ORG, service_id="00000000-0000-5000-8000-000000000001", now=NOW
)
# What came of it is told only under the consent that the other example asks for.
AFTER_ANOTHER_CONSENT = ("referral.outcome",)


def said(message_type: str, by: Side) -> tuple[Finding, ...]:
    body = read_body(message_type, example_body(message_type))
    permission = permission_now(REQUEST, ())
    if message_type in AFTER_ANOTHER_CONSENT:
        updated = read_body("consent.updated", example_body("consent.updated"))
        assert isinstance(updated, ConsentUpdated)
        permission = updated.consent
    return check_said(
        body,
        by=by,
        request=REQUEST,
        permission=permission,
        course=Course(state=State.ACCEPTED, lead=Side.REFERRER, consent_until=NOW + 86400),
        peer_kind="ngo",
        receiver=ORG,
        now=NOW,
    )


@pytest.mark.parametrize("by", Side)
@pytest.mark.parametrize("message_type", sorted(EVENT_TYPES - {"referral.requested"}))
def test_no_example_of_a_case_is_refused_after_the_example_request(
    message_type: str, by: Side
) -> None:
    found = said(message_type, by)
    assert [one.code for one in found if one.weight is Weight.REFUSE] == []


def test_the_example_opens_no_direct_contact_that_somebody_could_copy_unasked() -> None:
    assert example_body("identity.released")["contact"] == {"mode": "via_referrer"}
    assert REQUEST.safety.contact_mode == "via_referrer"
