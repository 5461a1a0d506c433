"""Fictional bodies marked DEMO, for the demonstration, for tests and as a partner's first template.

They are data beside the schemas, and a test holds them valid. Nobody real is described.
"""

import json
from dataclasses import replace
from importlib.resources import files
from typing import Final

from contracts.bodies import Note, ReferralRequested, Return, Service
from contracts.encoding import JsonObject
from contracts.identifiers import OrgId
from contracts.messages import read_body
from contracts.times import Day, utc_text

_DAY: Final = 24 * 3600


def example_body(message_type: str) -> JsonObject:
    """The example of a message type's body as JSON; `receipt` has one too."""
    file = files("contracts") / "schemas" / "examples" / f"{message_type}.json"
    body: JsonObject = json.loads(file.read_text(encoding="utf-8"))
    return body


def example_request(
    *,
    recipient: OrgId,
    service_id: str,
    now: int,
    text: str = "DEMO. A fictional referral; nobody is described here.",
) -> ReferralRequested:
    """The example, addressed: consent names `recipient`, was given a day ago, holds for 30 days."""
    body = read_body("referral.requested", example_body("referral.requested"))
    if not isinstance(body, ReferralRequested):
        raise TypeError("the example of a request is not a request")
    if body.consent is None:
        raise TypeError("the example of a request has no consent")
    consent = replace(
        body.consent,
        recipients=(recipient,),
        obtained_at=utc_text(now - _DAY),
        expires_at=utc_text(now + 30 * _DAY),
    )
    return replace(
        body,
        return_=_assessed(body.return_, now),
        to=Service(service_id),
        consent=consent,
        reply_by=utc_text(now + 3 * _DAY),
        note=Note(text=text, language="eng"),
    )


def _assessed(wish: Return | None, now: int) -> Return | None:
    """The wish with its risk assessment a week ago: before the consent, as it must be."""
    if wish is None or wish.risk_assessment is None:
        return wish
    day = Day(utc_text(now - 7 * _DAY)[:10])
    return replace(wish, risk_assessment=replace(wish.risk_assessment, date=day))
