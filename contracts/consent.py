"""Whether a request's consent covers sending it: one release, one receiving organisation, in time.

Pure: the request, the organisation and the time come in, nothing or `Refused` comes out. The
sender asks before sealing and the receiver asks again, because a request that reaches somebody
whom the person did not name is a disclosure without consent, whoever made the mistake. There is
no way to override it here.
"""

from typing import Final

from contracts.bodies import Consent, ReferralRequested
from contracts.errors import Refused
from contracts.identifiers import OrgId
from contracts.times import unix_seconds

CLOCK_SKEW: Final = 300  # seconds by which two honest desks' clocks may differ

# What every request tells, whatever else it tells.
_ALWAYS_TOLD: Final = frozenset({"where", "person", "safety", "needs"})
_TOLD_IF_PRESENT: Final = (
    "guardian",
    "representative",
    "return_",
    "support_at_interview",
    "concern",
    "preferences",
    "legal",
    "note",
)


def check_consent(request: ReferralRequested, *, recipient: OrgId, now: int) -> None:
    """Raise `Refused("consent", field)` unless the consent covers this request, now, to them.

    `recipient` is the organisation in the envelope's verified `to`; `now` is in Unix seconds.
    """
    consent = request.consent
    if consent.recipients != (recipient,):
        raise Refused("consent", "recipients")
    _check_times(consent, now)
    if not fields_told(request) <= set(consent.fields):
        raise Refused("consent", "fields")


def fields_told(request: ReferralRequested) -> frozenset[str]:
    """The consent fields that this request discloses."""
    optional = {name.rstrip("_") for name in _TOLD_IF_PRESENT if getattr(request, name) is not None}
    return _ALWAYS_TOLD | optional


def _check_times(consent: Consent, now: int) -> None:
    obtained = unix_seconds(consent.obtained_at, field="obtained_at")
    expires = unix_seconds(consent.expires_at, field="expires_at")
    if obtained > now + CLOCK_SKEW:
        raise Refused("consent", "obtained_at")
    if not obtained < expires or expires <= now:
        raise Refused("consent", "expires_at")
