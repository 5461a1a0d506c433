"""Whether the hub can carry envelopes now, for its operator and for load balancers.

Anybody may ask, so it answers in words and ages alone: no counts, names or addresses, from which
a stranger could read how busy the network is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from broker.hub.known import MirrorContradicted, MirrorTooOld
from broker.hub.parts import Hub
from broker.hub.store import Waiting
from contracts.encoding import JsonInput

RELAY: Final = "relay"  # the name under which the relay process says that it works
# The relay says so every few seconds; after this it is taken to be away.
SILENT_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Health:
    """What the hub says of itself; `carries` is False where it would answer 503."""

    carries: bool
    report: dict[str, JsonInput]


def health(hub: Hub, *, now: int) -> Health:
    """The health at `now`. Never raises for a part that is away: that is what it reports."""
    queue = _queue(hub, now)
    database = "away" if queue == "unknown" else "ok"
    directory = _directory(hub, now)
    carries = database == "ok" and directory == "ok"
    well = carries and queue in ("ok", "not_used")
    report: dict[str, JsonInput] = {
        "status": "ok" if well else "degraded" if carries else "down",
        "database": database,
        "queue": queue,
        "directory": directory,
        "directory_age_seconds": hub.known.age(now=now),
    }
    return Health(carries=carries, report=report)


def _queue(hub: Hub, now: int) -> str:
    """From what the relay writes into the database: a process that serves has no connection."""
    try:
        waiting, beat = hub.store.waiting(), hub.store.last_beat(RELAY)
    except SQLAlchemyError:
        return "unknown"
    if not hub.uses_queue:
        return "not_used"
    return queue_state(waiting, beat, now=now)


def queue_state(waiting: Waiting, beat: int | None, *, now: int) -> str:
    """`ok`, or `away`: the relay is silent, or what is accepted does not reach the queue."""
    silent = beat is None or now - beat > SILENT_SECONDS
    stuck = waiting.oldest is not None and now - waiting.oldest > SILENT_SECONDS
    return "away" if silent or stuck else "ok"


def _directory(hub: Hub, now: int) -> str:
    try:
        hub.known.current(now=now)
    except MirrorTooOld:
        return "too_old"
    except MirrorContradicted:
        return "contradicts"
    except SQLAlchemyError:
        return "unknown"
    return "ok"
