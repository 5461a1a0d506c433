"""Freezing a device of ours from an admin desk; the command line and the page both call it.

device = our_device(desk.log.register, desk.org, "3f9c")
freeze_device(desk, device.key_id, since=since)
"""

from __future__ import annotations

from typing import Final

from broker.desk.client import Unreachable
from broker.desk.errors import DeskError
from broker.desk.publishing import publish
from broker.desk.unlocking import Desk
from contracts.contents import Role
from contracts.drafting import freeze_statement
from contracts.identifiers import KeyId, OrgId
from contracts.register import Register
from contracts.standing import Device, StopKind
from contracts.statements import Statement

# Enough of an id to be told apart by eye; fewer would name a device by accident.
LEAST_TYPED: Final = 4


def our_device(register: Register, org: OrgId, beginning: str) -> Device:
    """The device of an organisation whose id begins so. Raises `DeskError("no_such_device")`."""
    organisation = register.organisation(org)
    devices = () if organisation is None else organisation.devices
    typed = beginning.strip().lower()
    found = [one for one in devices if one.key_id.startswith(typed)]
    if len(found) != 1 or len(typed) < LEAST_TYPED:
        raise DeskError("no_such_device", device=typed)
    return found[0]


def check_admin(desk: Desk) -> None:
    """Whether this desk may freeze a device. Raises `DeskError("not_an_admin")`."""
    own = desk.log.register.device(desk.org, desk.ring.device)
    if own is None or own.role is not Role.ADMIN or not own.in_force(desk.clock()):
        raise DeskError("not_an_admin")


def freeze_device(desk: Desk, device: KeyId, *, since: int) -> None:
    """Freeze it, for good; nothing where it is frozen already. Raises `DeskError`."""
    check_admin(desk)

    def frozen(register: Register) -> Statement | None:
        known = register.device(desk.org, device)
        if known is None:
            raise DeskError("no_such_device", device=device)
        if known.stopped is not None and known.stopped.kind is StopKind.FROZEN:
            return None
        heading = register.next_heading(desk.org, iat=desk.clock())
        return freeze_statement(heading, desk.ring.signing, suspected_since=since, device=device)

    try:
        publish(desk, frozen)
    except Unreachable:
        raise DeskError("directory_unreachable") from None
