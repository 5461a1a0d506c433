"""Whether this desk may write to an organisation today: who is who, the route, the versions.

    register = register_with(desk, org, now=now)
    check_ourselves(register, desk, now=now)
    check_recipient(register, desk.routes, ours=desk.org, to=org, now=now)

Every refusal comes before anything is sealed. What a message says is not known here.
"""

from __future__ import annotations

import contextlib
from typing import Final

from broker.desk.errors import DeskError
from broker.desk.unlocking import FRESH_FOR, Desk
from broker.desk.weeks import READS
from broker.mirror import DirectoryUnreachable
from contracts.errors import ContractError, Refused
from contracts.identifiers import OrgId, country_of, parse_org_id
from contracts.register import Register
from contracts.routing import RouteState, RouteTable
from contracts.versions import version_for

# Before sealing, the log is asked unless that was this many seconds ago: a colleague's new desk
# should get its copy too.
NEWS: Final = 10


def fresh_register(desk: Desk) -> Register:
    """Who is who as of today. Raises `DeskError("stale_mirror")` and `HardStop`."""
    try:
        desk.log.ensure_fresh(NEWS)
    except DirectoryUnreachable:
        raise DeskError("stale_mirror", hours=FRESH_FOR // 3600) from None
    return desk.log.register


def register_with(desk: Desk, to: OrgId, *, now: int) -> Register:
    """The same, after one more look where `to` seems unable to receive: it may have just joined."""
    register = fresh_register(desk)
    if register.can_receive(to, now):
        return register
    with contextlib.suppress(DirectoryUnreachable):
        desk.log.sync()
    return desk.log.register


def check_ourselves(register: Register, desk: Desk, *, now: int) -> None:
    """Whether this desk may sign today, so that a refusal comes here and not from the hub."""
    if register.organisation(desk.org) is None:
        raise DeskError("not_admitted")
    devices = register.usable_devices(desk.org, now)
    if all(device.key_id != desk.ring.device for device in devices):
        raise DeskError("device_not_in_force")


def check_recipient(
    register: Register, routes: RouteTable, *, ours: OrgId, to: OrgId, now: int
) -> None:
    """Whether a new referral may go there. Raises `DeskError` with the reason."""
    if to == ours:
        raise DeskError("ourselves", org=to)
    us, them = register.organisation(ours), register.organisation(to)
    if them is None:
        raise DeskError("unknown_organisation", org=to)
    countries = {"ours": country_of(ours), "theirs": country_of(to)}
    state = routes.state(country_of(ours), country_of(to))
    if state is RouteState.SUSPENDED:
        raise DeskError("route_suspended", **countries)
    kinds = [them.kind, *([] if us is None else [us.kind])]
    if not routes.open_to(country_of(ours), country_of(to), kinds=kinds):
        code = "route_not_for_state" if state is RouteState.PROPOSED else "no_route"
        raise DeskError(code, **countries)
    check_can_read(register, to=to, now=now)


def check_can_read(register: Register, *, to: OrgId, now: int) -> None:
    """Whether a desk of theirs has keys today, and all that have can read what we write."""
    devices = [device for device in register.usable_devices(to, now) if device.key_for(now)]
    if not devices:
        raise DeskError("cannot_receive_yet", org=to)
    try:
        version_for([device.reads for device in devices], READS)
    except Refused:
        raise DeskError("version_unsupported", org=to) from None


def parse_org(text: str) -> OrgId:
    """An organisation's id as somebody typed it."""
    try:
        return parse_org_id(text)
    except ContractError:
        raise DeskError("not_an_organisation_id") from None
