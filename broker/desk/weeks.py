"""Keeping the desk's mailbox open: new weeks' keys are published, old weeks' secrets deleted.

A secret is on disk before its public half leaves this computer, so that a crash between the two
loses nothing: the next round finds the keys unpublished and publishes the same ones. The place in
the organisation's chain is always the verified log's, never remembered here, so no number is ever
used twice.

    report = tend_keys(desk)
"""

from __future__ import annotations

from dataclasses import dataclass

from broker.desk.client import HubRefused
from broker.desk.keyring import (
    LEAST_WEEKS_AHEAD,
    KeyRing,
    forgotten,
    published_weeks,
    topped_up,
)
from broker.desk.unlocking import Desk, surely_past
from broker.service.logs import logger
from contracts.messages import CONTRACT, VERSION
from contracts.register import Device, Register
from contracts.statements import WEEK, Statement, keys_statement, monday

# The contract minors this version understands, as a `keys` statement lists them.
READS = (f"{CONTRACT.split('/')[0]}/{VERSION}", "receipt/1.0")

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Tended:
    """`ahead`: weeks published beyond this one; `published`: whether this round added some."""

    ahead: int
    published: bool = False


def forget_old_weeks(desk: Desk, *, now: int) -> None:
    """Delete the secrets of weeks that ended 21 days ago; needs no network."""
    past = surely_past(desk.log, now=now)
    desk.keys.change(lambda ring: forgotten(ring, now=past))


def tend_keys(desk: Desk) -> Tended:
    """Publish new weeks where fewer than ten are left.

    Raises `DirectoryUnreachable`, `HardStop`, `Unreachable`; a refusal by the directory is logged
    and tried again next time.
    """
    now = desk.clock()
    device = desk.log.register.device(desk.org, desk.ring.device)
    if device is None or weeks_ahead(device, now=now) >= LEAST_WEEKS_AHEAD:
        return Tended(0 if device is None else weeks_ahead(device, now=now))
    desk.log.sync()  # the newest place in our chain: a colleague's desk may have published
    ring = desk.keys.change(lambda ring: topped_up(ring, now=now))
    return _publish(desk, ring, device, now=now)


def weeks_ahead(device: Device, *, now: int) -> int:
    """How many weeks after this one have a published key, without a gap; -1 if not even this."""
    published = {key.nbf for key in device.keys}
    ahead = -1
    while monday(now) + WEEK * (ahead + 1) in published:
        ahead += 1
    return ahead


def next_keys(ring: KeyRing, register: Register, *, now: int) -> Statement:
    """The statement that publishes the ring's weeks, next in the organisation's chain."""
    heading = register.next_heading(ring.org, iat=now)
    keys = published_weeks(ring, now=now)
    return keys_statement(heading, device=ring.signing, keys=keys, reads=READS)


def _publish(desk: Desk, ring: KeyRing, device: Device, *, now: int) -> Tended:
    statement = next_keys(ring, desk.log.register, now=now)
    try:
        desk.directory.publish(statement)
    except HubRefused as refused:  # such as 409: another desk of ours was faster
        _log.warning("keys_not_published", code=refused.code, field=refused.field)
        return Tended(weeks_ahead(device, now=now))
    desk.log.sync()
    known = desk.log.register.device(desk.org, ring.device)
    _log.info("keys_published", count=len(ring.weeks))
    return Tended(weeks_ahead(known or device, now=now), published=True)
