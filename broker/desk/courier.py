"""One round of a desk's errands; the command line and the web desk's background loop both call it.

Old secrets are deleted, keys kept published, mail fetched, what is due sent. What the world does
not allow now (no connection, a server away) is reported and tried again in the next round; it is
never an error, since nothing is lost. A hard stop of the log is: then nothing is sent or fetched.

    round_ = tick(desk, eager=True)      # eager: somebody looks on, so no back-off
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from broker.desk.answering import ask_for_missing
from broker.desk.cases import end_with_consent
from broker.desk.client import Unreachable
from broker.desk.errors import DeskError
from broker.desk.joining import join, unfinished
from broker.desk.outbox import Delivered, deliver
from broker.desk.receiving import Received, receive
from broker.desk.unlocking import SYNC_EVERY, Desk, surely_past
from broker.desk.weeks import forget_old_weeks, tend_keys
from broker.mirror import DirectoryUnreachable, Freshness, HardStop
from broker.service.failures import Failure

# Rounds within a round: what was sealed again, or came after a full batch, goes at once.
MOST_ROUNDS: Final = 20


@dataclass(frozen=True, slots=True)
class Round:
    """What one round did. `troubles` print as sentences; each has a `code` for translation."""

    delivered: Delivered = field(default_factory=Delivered)
    received: Received = field(default_factory=Received)
    troubles: tuple[Failure, ...] = ()


def tick(desk: Desk, *, eager: bool = False) -> Round:
    """Do what can be done now. Raises only for faults of our own; safe in several processes."""
    now = desk.clock()
    trouble = _follow(desk)  # first: the log tells how late it surely is
    forget_old_weeks(desk, now=now)
    with desk.store.writing() as rows:
        rows.sweep(surely_past(desk.log, now=now))
        end_with_consent(rows, now=now)
    if isinstance(trouble, HardStop) or _not_in(trouble):
        return Round(troubles=_some(trouble))
    first = deliver(desk, eager=eager, warnings=True)  # no flood of mail delays a withdrawal
    received, hindrance = _fetch(desk)
    if isinstance(hindrance, HardStop):  # a letter has brought the fork to light
        return Round(first, received, _some(hindrance, first.trouble))
    _ask_for_missing(desk)
    delivered = _deliver(desk, eager=eager)
    troubles = _some(trouble, hindrance, first.trouble, delivered.trouble)
    return Round(_sum(first, delivered), received, troubles)


def _follow(desk: Desk) -> Failure | None:
    """Look at the log, and keep our own keys in it published."""
    try:
        desk.log.ensure_fresh(SYNC_EVERY)
        if desk.log.register.organisation(desk.org) is None:
            desk.log.sync()  # we wait to be vouched for: that may have been a moment ago
        if unfinished(desk, desk.log.register):
            join(desk)
        tend_keys(desk)
    except Unreachable:
        return DeskError("directory_unreachable")
    except DirectoryUnreachable as trouble:
        return _old(desk) or trouble
    except Failure as trouble:
        return trouble
    return None


def _old(desk: Desk) -> DeskError | None:
    """The warning with which a desk goes on writing to whom it knows."""
    now = desk.clock()
    age = desk.log.age(now)
    if age is None or desk.log.level(now) is not Freshness.PINNED_ONLY:
        return None
    return DeskError("old_mirror", hours=age // 3600)


def _fetch(desk: Desk) -> tuple[Received, Failure | None]:
    try:
        return receive(desk), None
    except Unreachable:
        return Received(), DeskError("hub_unreachable")
    except Failure as trouble:  # the directory too old, a hard stop, a hub that is not ours
        return Received(), trouble


def _ask_for_missing(desk: Desk) -> None:
    now = desk.clock()
    with desk.store.writing() as rows:
        for case in rows.cases():
            ask_for_missing(rows, desk, case, now=now)


def _deliver(desk: Desk, *, eager: bool) -> Delivered:
    total = latest = deliver(desk, eager=eager)
    for _ in range(MOST_ROUNDS):
        if not latest.acted:
            break
        latest = deliver(desk)
        total = _sum(total, latest)
    return total


def _sum(one: Delivered, other: Delivered) -> Delivered:
    return Delivered(
        accepted=one.accepted + other.accepted,
        failed=one.failed + other.failed,
        waiting=other.waiting,
        trouble=other.trouble,
    )


def _not_in(trouble: Failure | None) -> bool:
    """Whether the network does not know us yet, so that no server would listen."""
    return isinstance(trouble, DeskError) and trouble.code in ("not_admitted", "not_witnessed_yet")


def _some(*troubles: Failure | None) -> tuple[Failure, ...]:
    """Each once: two servers may be away for the same reason."""
    return tuple({str(one): one for one in troubles if one is not None}.values())
