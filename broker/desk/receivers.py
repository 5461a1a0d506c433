"""What is known of the service a referral goes to: its kind from the log, the rest as listed.

The kind comes from the verified log and is believed. Whom a service takes comes from the
directory's listing, which is asked for only where the answer decides something: the question
tells the directory which service somebody is about to write to. Where nothing is listed, nothing
is assumed.

    receiver = receiver_of(desk, org, service_id, ask_listing=True)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from broker.desk.client import HubRefused, Unreachable
from broker.desk.finding import org_of_listing
from broker.desk.unlocking import Desk
from broker.service.failures import Failure
from contracts.identifiers import OrgId
from contracts.safety import Receiver

CHILDREN: Final = frozenset({"girls", "boys", "unaccompanied_children"})


def receiver_of(desk: Desk, org: OrgId, service_id: str, *, ask_listing: bool) -> Receiver:
    """The facts for the safety rules. No listing, or no answer: not known."""
    known = desk.log.register.organisation(org)
    kind = "" if known is None else known.kind
    if not ask_listing:
        return Receiver(org, kind)
    return Receiver(org, kind, takes_children=_takes_children(desk, org, service_id))


def _takes_children(desk: Desk, org: OrgId, service_id: str) -> bool | None:
    try:
        listing = desk.directory.service(service_id)
    except (HubRefused, Unreachable, Failure):
        return None
    if org_of_listing(listing) != org:
        return None  # whom somebody else's service takes says nothing of this receiver
    # A listing without populations says "everybody", which nobody has weighed for a child.
    populations = set(_populations(listing))
    return None if not populations else bool(populations & CHILDREN)


def _populations(listing: Mapping[str, Any]) -> Iterator[str]:
    attributes = listing.get("attributes")
    for one in attributes if isinstance(attributes, list) else []:
        term = one.get("taxonomy_term") if isinstance(one, dict) else None
        if isinstance(term, dict) and one.get("link_type") == "population":
            yield str(term.get("code", ""))
