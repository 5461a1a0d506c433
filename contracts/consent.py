"""Whether a consent or a legal basis covers sending: one release, one receiver, in time.

Pure: the request, the organisation and the time come in, nothing or `Refused` comes out. The
sender asks before sealing and the receiver asks again, because a request that reaches somebody
whom the person did not name is a disclosure without consent, whoever made the mistake. There is
no way to override it here: a legal duty or a vital interest is a `Basis`, with limits of its own.

    check_consent(request, recipient=org, now=now)
    check_release(permission, fields={"identity"}, recipient=org, now=now)
"""

from collections.abc import Set
from typing import Final, TypeAlias

from contracts.bodies import Basis, Consent, ConsentUpdated, ReferralRequested
from contracts.errors import Refused
from contracts.identifiers import OrgId
from contracts.times import Utc, unix_seconds

Permission: TypeAlias = Consent | Basis

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
    """Raise `Refused("consent", field)` unless the request's permission covers it, now, to them.

    `recipient` is the organisation in the envelope's verified `to`; `now` is in Unix seconds.
    """
    fields = fields_told(request)
    check_release(permission_of(request), fields=fields, recipient=recipient, now=now)


def check_release(permission: Permission, *, fields: Set[str], recipient: OrgId, now: int) -> None:
    """Raise `Refused("consent", field)` unless these fields may be told to them now.

    `fields` are words of `CONSENT_FIELDS`, those of messages after acceptance too.
    """
    if permission.recipients != (recipient,):
        raise Refused("consent", "recipients")
    _check_times(permission, now)
    if not fields <= set(permission.fields):
        raise Refused("consent", "fields")


def permission_of(body: ReferralRequested | ConsentUpdated) -> Permission:
    """The one consent or basis of a body; `Refused("consent", "consent")` for none or both."""
    given = [part for part in (body.consent, body.basis) if part is not None]
    if len(given) != 1:
        raise Refused("consent", "consent")
    return given[0]


def fields_told(request: ReferralRequested) -> frozenset[str]:
    """The consent fields that this request discloses."""
    optional = {name.rstrip("_") for name in _TOLD_IF_PRESENT if getattr(request, name) is not None}
    return _ALWAYS_TOLD | optional


def _check_times(permission: Permission, now: int) -> None:
    name, given_at = _beginning(permission)
    begins = unix_seconds(given_at, field=name)
    expires = unix_seconds(permission.expires_at, field="expires_at")
    if begins > now + CLOCK_SKEW:
        raise Refused("consent", name)
    if not begins < expires or expires <= now:
        raise Refused("consent", "expires_at")


def _beginning(permission: Permission) -> tuple[str, Utc]:
    if isinstance(permission, Basis):
        return "decided_at", permission.decided_at
    return "obtained_at", permission.obtained_at
