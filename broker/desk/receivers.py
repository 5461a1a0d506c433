"""What is known of the service a referral goes to: its kind from the log, the rest as listed.

The kind comes from the verified log and is believed. Whom a service takes comes from the entry
that its organisation signed, which is asked for only where the answer decides something: the
question tells the directory which organisation somebody is about to write to. Where nothing is
signed, nothing is assumed.

    receiver = receiver_of(desk, org, service_id, ask_listing=True)
"""

from __future__ import annotations

from typing import Final

from broker.desk.client import Unreachable
from broker.desk.signed import Signed
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
        signed = Signed(desk.directory, desk.log.register).service(org, service_id)
    except (Unreachable, Failure):
        return None
    # An entry without populations says "everybody", which nobody has weighed for a child.
    populations = set() if signed is None else set(signed.service.populations)
    return None if not populations else bool(populations & CHILDREN)
