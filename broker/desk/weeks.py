"""Keeping the desk's mailbox open: new weeks' keys are published, old weeks' secrets deleted.

A secret is on disk before its public half leaves this computer, so that a crash between the two
loses nothing: the next round finds the keys unpublished and publishes the same ones. Where
witnesses say how late it is, their time alone decides which weeks are published and which secrets
go: a computer whose clock is a year off keeps its mailbox.

    report = tend_keys(desk)
"""

from __future__ import annotations

from dataclasses import dataclass

from broker.desk.errors import DeskError
from broker.desk.keyring import (
    LEAST_WEEKS_AHEAD,
    KeyRing,
    forgotten,
    published_weeks,
    topped_up,
)
from broker.desk.publishing import publish
from broker.desk.unlocking import Desk, surely_past
from broker.service.logs import logger
from contracts.drafting import keys_statement
from contracts.messages import CONTRACT, VERSION
from contracts.register import Device, Register
from contracts.statements import Statement
from contracts.times import WEEK, monday

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
    now = week_time(desk)
    device = _own_device(desk)
    if device is None or not device.in_window(now) or device.silenced(now):
        return Tended(0)
    if weeks_ahead(device, now=now) >= LEAST_WEEKS_AHEAD:
        return Tended(weeks_ahead(device, now=now))
    ring = desk.keys.change(lambda ring: topped_up(ring, now=now))
    return _publish(desk, ring, now=now)


def week_time(desk: Desk) -> int:
    """Which week it is, Unix seconds: by the witnesses, and without any by this computer.

    A day-old time of the witnesses is good enough for thirteen weeks, and no clock of ours, ahead
    or behind, replaces the weeks that others seal to by ones that they do not.
    """
    return desk.log.time if desk.log.root.k and desk.log.time else desk.clock()


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


def _publish(desk: Desk, ring: KeyRing, *, now: int) -> Tended:
    def next_in_chain(register: Register) -> Statement | None:
        known = register.device(ring.org, ring.device)
        if known is None or weeks_ahead(known, now=now) >= LEAST_WEEKS_AHEAD:
            return None  # a run of this very desk that lost its answer was heard
        return next_keys(ring, register, now=now)

    try:
        published = publish(desk, next_in_chain)
    except DeskError as refused:
        _log.warning("keys_not_published", code=refused.code)
        published = False
    known = _own_device(desk)
    ahead = 0 if known is None else weeks_ahead(known, now=now)
    if published:
        _log.info("keys_published", count=len(ring.weeks))
    return Tended(ahead, published=published)


def _own_device(desk: Desk) -> Device | None:
    return desk.log.register.device(desk.org, desk.ring.device)
