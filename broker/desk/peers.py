"""Whether this desk may write to an organisation today: who is who, the route, the versions.

    register = register_with(desk, org, now=now)
    check_ourselves(register, desk, now=now)
    check_recipient(register, desk.routes, ours=desk.org, to=org, now=now)

Every refusal comes before anything is sealed. How old our knowledge may be depends on whom we
write to: a freeze could have been held back from us as long as that. What a message says is not
known here, only whether it is of a kind that can but make somebody safer.
"""

from __future__ import annotations

import contextlib
from enum import StrEnum, unique
from typing import Final

from broker.desk.errors import DeskError
from broker.desk.store import Rows
from broker.desk.unlocking import Desk
from broker.desk.weeks import READS
from broker.mirror import DirectoryUnreachable, Freshness
from broker.mirror.freshness import FRESH_SECONDS, PINNED_SECONDS
from contracts.errors import ContractError, Refused
from contracts.fingerprint import fingerprint
from contracts.identifiers import OrgId, country_of, parse_org_id
from contracts.register import Register
from contracts.routing import RouteState, RouteTable
from contracts.times import DAY
from contracts.versions import version_for

# Before sealing, the log is asked unless that was this many seconds ago: a colleague's new desk
# should get its copy too.
NEWS: Final = 10
# A telephone call stands for the log as long as this.
CHECKED_FOR: Final = 7 * DAY
# What can only make somebody safer, and must not wait for a directory to come back.
SAFER: Final = frozenset(
    {"contact.safety_alert", "consent.withdrawn", "erasure.requested", "journey.not_met"}
)


@unique
class Known(StrEnum):
    """How well this desk knows an organisation, without asking the directory."""

    STRANGER = "stranger"
    PINNED = "pinned"  # there is a case between us, or somebody has once compared its digits
    CHECKED = "checked"  # its digits were compared by phone within seven days


def known_as(rows: Rows, desk: Desk, org: OrgId, *, now: int) -> Known:
    """How well we know an organisation. A call about another root key than today's is none."""
    organisation = desk.log.register.organisation(org)
    if organisation is None:
        return Known.STRANGER
    call, digits = rows.checked(org), fingerprint(org, root=organisation.root_at(now))
    if call is not None and call.digits == digits:
        return Known.CHECKED if 0 <= now - call.at <= CHECKED_FOR else Known.PINNED
    ours = org == desk.org or any(case.peer == org for case in rows.cases())
    return Known.PINNED if ours else Known.STRANGER


def fresh_register(desk: Desk, to: OrgId | None = None, *, safer: bool = False) -> Register:
    """Who is who, as new as writing to `to` (to ourselves by default) asks for.

    At most 24 hours old; up to seven days for whom we know, longer for whom we have phoned within
    seven days, and at any age to whom we know for what can only make somebody safer (`safer`).
    Raises `DeskError("stale_mirror" | "stale_mirror_pinned")` and `HardStop`.
    """
    try:
        desk.log.ensure_fresh(NEWS)
    except DirectoryUnreachable:
        _check_old(desk, desk.org if to is None else to, safer=safer)
    return desk.log.register


def _check_old(desk: Desk, to: OrgId, *, safer: bool) -> None:
    now = desk.clock()
    with desk.store.reading() as rows:
        known = known_as(rows, desk, to, now=now)
    if known is Known.CHECKED or (safer and known is Known.PINNED):
        return
    if desk.log.level(now) is Freshness.STALE:
        raise DeskError("stale_mirror_pinned", days=PINNED_SECONDS // DAY)
    if known is Known.STRANGER:
        raise DeskError("stale_mirror", hours=FRESH_SECONDS // 3600)


def register_with(desk: Desk, to: OrgId, *, now: int, safer: bool = False) -> Register:
    """The same, after one more look where `to` seems unable to receive: it may have just joined."""
    register = fresh_register(desk, to, safer=safer)
    if register.can_receive(to, now):
        return register
    with contextlib.suppress(DirectoryUnreachable):
        desk.log.sync()
    return desk.log.register


def check_ourselves(register: Register, desk: Desk, *, now: int) -> None:
    """Whether this desk may sign today, so that a refusal comes here and not from the hub."""
    ours = register.organisation(desk.org)
    if ours is None:
        raise DeskError("not_admitted")
    if ours.frozen(now):
        raise DeskError("we_are_frozen")
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
    if them.vouched_until <= now:
        raise DeskError("no_longer_vouched_for", org=to)
    check_can_read(register, to=to, now=now)


def check_can_read(register: Register, *, to: OrgId, now: int) -> None:
    """Whether a desk of theirs has keys today, and all that have can read what we write."""
    them = register.organisation(to)
    if them is not None and them.frozen(now):
        raise DeskError("they_are_frozen", org=to)
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
