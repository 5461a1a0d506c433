"""No return by default, and nothing to a state that the person fears.

Trafficking Protocol, article 8 (2): with due regard for safety, and preferably voluntary; Refugee
Convention, article 33. `safety` asks these rules with the others; a wish is never assumed here.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from contracts.bodies import Consent, ReferralRequested
from contracts.codes import UNSAID
from contracts.consent import Permission
from contracts.findings import Finding, Receiver, Rule, Weight, listed, may_be_state
from contracts.identifiers import country_of
from contracts.times import unix_seconds, utc_text

CLAIMS: Final = frozenset({"wishes", "pending", "recognised"})
_NO_COUNTRY: Final = frozenset({*UNSAID, "stateless"})
# The latest that a day can still have been going on somewhere, after its moment in UTC.
_FURTHEST_EAST: Final = int(timedelta(hours=14).total_seconds())


def no_return_by_default(request: ReferralRequested, *, receiver: Receiver) -> Iterator[Finding]:
    """A return is the person's own wish, after a risk assessment, or it is not asked for here.

    A wish is recorded with a consent, so no legal basis stands in for it. Reintegration alone may
    serve somebody who is back already; what a pair of countries asks for then is the corridor
    check's. Where the state is feared or protection is sought, nothing goes to a body of it.
    """
    if _asks_for_return(request):
        yield from _of_return(request)
    if _is_of_feared_state(request, receiver):
        yield Finding(Rule.NO_RETURN_BY_DEFAULT, "feared_state", "to")


def wished(request: ReferralRequested) -> bool:
    """Whether the person said that they want to go back."""
    return request.return_ is not None and request.return_.own_wish == "yes"


def fears_state(request: ReferralRequested) -> bool:
    """Whether "the state" is among what the person fears on return."""
    return request.return_ is not None and "state" in listed(request.return_.fear_of)


def purposes_of(permission: Permission | None) -> tuple[str, ...]:
    """What a consent is for; a legal basis names a code and no purposes."""
    return permission.purposes if isinstance(permission, Consent) else ()


def _asks_for_return(request: ReferralRequested) -> bool:
    return "repatriation" in request.needs or "plan_return" in purposes_of(request.consent)


def _of_return(request: ReferralRequested) -> Iterator[Finding]:
    wish, consent, rule = request.return_, request.consent, Rule.NO_RETURN_BY_DEFAULT
    if wish is None or not wished(request):
        yield Finding(rule, "return_without_own_wish", "own_wish")
    elif wish.risk_assessment is None:
        yield Finding(rule, "return_without_risk", "risk_assessment")
    elif consent is None:
        yield Finding(rule, "return_on_a_basis", "basis")
    elif _last_day(consent) < wish.risk_assessment.date:
        yield Finding(rule, "wish_before_risk", "risk_assessment")
    elif wish.alternatives_explained != "yes":
        field = "alternatives_explained"
        yield Finding(rule, "alternatives_not_explained", field, Weight.ASK)


def _last_day(consent: Consent) -> str:
    """The latest day on which the consent can have been given: nobody said in which zone."""
    return utc_text(unix_seconds(consent.obtained_at) + _FURTHEST_EAST)[:10]


def _claims_protection(request: ReferralRequested) -> bool:
    return request.return_ is not None and request.return_.protection_claim in CLAIMS


def _is_of_feared_state(request: ReferralRequested, receiver: Receiver) -> bool:
    """Whether it is a body of a state from which the person must be kept.

    A mission belongs to a state other than the one it stands in, so any mission counts. A claim
    is made against the own state, so bodies of the country in which it is made do not count; who
    says "the state" may mean either. Without a nationality, told or held, it can be any.
    """
    fears, claims = fears_state(request), _claims_protection(request)
    if not may_be_state(receiver.kind) or not (fears or claims):
        return False
    now, wants = request.where.now.country, request.where.wants.country
    of, nationality = country_of(receiver.org), request.person.nationality
    if receiver.kind == "mission" or of == nationality:
        return True
    asked_there = not fears and of == now
    return not asked_there and (of == wants or nationality in _NO_COUNTRY)
