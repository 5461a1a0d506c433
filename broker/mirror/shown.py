"""How a copy of the log stands, in words and as JSON, and what taking a hard stop away means.

For the commands of desks and hubs, which tell people the same and only name other commands. Reads
a mirror, asks no directory and changes nothing.

    log_json(mirror, now=now), log_text(mirror, now=now)      # now: this computer's clock
    resolving(mirror.stopped)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from broker.mirror.forks import Fork
from broker.mirror.freshness import Freshness
from broker.mirror.mirror import Mirror
from broker.mirror.stops import HardStop
from contracts.encoding import JsonInput
from contracts.times import utc_text

_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Resolving:
    """What taking a hard stop away does, and who must have been phoned before."""

    title: str
    effects: tuple[str, ...]
    undo: str
    phone: str

    @property
    def text(self) -> str:
        """For a terminal."""
        lines = (*self.effects, self.undo, self.phone)
        return "\n".join([self.title, *(f"  - {line}" for line in lines)])


def log_json(mirror: Mirror, *, now: int) -> dict[str, JsonInput]:
    """The copy, for programs."""
    accepted, stop, root = mirror.checkpoint, mirror.stopped, mirror.root
    signed: dict[str, JsonInput] | None = None
    if accepted is not None:
        signed = {
            "size": accepted.checkpoint.size,
            "root": accepted.checkpoint.root.hex(),
            "witnesses": len(accepted.cosignatures),
            "witnesses_needed": root.k,
        }
    return {
        "size": mirror.size,
        "checkpoint": signed,
        "time": utc_text(mirror.time) if mirror.time else None,
        "age_seconds": mirror.age(now),
        "level": mirror.level(now).name.lower(),
        "root_version": root.version,
        "root_hash": root.hash,
        "stop": None if stop is None else {"code": stop.code, "org": stop.org, "text": str(stop)},
        "evidence": mirror.fork is not None,
    }


def log_text(mirror: Mirror, *, now: int) -> str:
    """The copy, for people."""
    root, stop = mirror.root, mirror.stopped
    lines = [
        *([f"STOPPED: {stop}"] if stop is not None else []),
        f"Network {root.net}, root file version {root.version}: {root.hash}",
        f"Statements, verified: {mirror.size}",
        *_checkpoint(mirror),
        age_text(mirror, now=now),
    ]
    if mirror.fork is not None:
        lines.append("Evidence of a fork is kept here.")
    return "\n".join(lines)


def age_text(mirror: Mirror, *, now: int) -> str:
    """How old the copy is, and what that means."""
    age, level = mirror.age(now), _LEVELS[mirror.level(now)]
    return f"Age: {'unknown' if age is None else _duration(age)}. {level}"


def fork_text(fork: Fork) -> str:
    """What evidence that holds proves."""
    return (
        "This proves that the log has forked: with its own key it has signed two pasts that differ "
        f"within the first {fork.size} statements, one in a checkpoint of {fork.ours.size} "
        f"statements, the other in one of {fork.theirs.size}. Both cannot be true, whoever handed "
        "this over."
    )


def fork_json(fork: Fork) -> dict[str, JsonInput]:
    """The same for programs."""
    pasts = {"ours": fork.ours, "theirs": fork.theirs}
    return {
        "size": fork.size,
        "seen_at": utc_text(fork.seen_at),
        **{name: {"size": one.size, "root": one.root.hex()} for name, one in pasts.items()},
    }


def resolving(stop: HardStop) -> Resolving:
    """What happens if this stop is taken away."""
    return Resolving(
        title=f"Take the hard stop away ({stop.code.replace('_', ' ')}): {stop}",
        effects=(
            "The directory's log is read again from where this computer's copy ends, and what "
            "waits goes on.",
            "What was verified stays as it is: no second root key gets an effect, and evidence of "
            "a fork is kept.",
        ),
        undo="A log that still contradicts what was seen here stops this computer again.",
        phone=_PHONED[stop.code].format(org=stop.org or "the organisation"),
    )


_THEM: Final = (
    "Do not go on before {org} has been called on a number known before and has said what it "
    "changed, and the coordinators who vouched for it know."
)
_COORDINATORS: Final = (
    "Do not go on before coordinators of two countries have been phoned, have seen the evidence, "
    "and have said which past is true."
)
# Every stop that is kept, and who can know what is true.
_PHONED: Final[Mapping[str, str]] = {
    "root_changed": _THEM,
    "pin_broken": _THEM,
    "forked": _COORDINATORS,
    "root_lowered": "Do not go on before a coordinator has been phoned and has said which version "
    "of the root file is in force.",
    "malformed_log": "Do not go on before the network's operator and a coordinator have been "
    "phoned and have said what the log holds.",
    "unknown_rules": "Install a newer version of the program instead: it takes this stop away by "
    "itself.",
}

_LEVELS: Final[Mapping[Freshness, str]] = {
    Freshness.FRESH: "Fresh: at most a day old.",
    Freshness.PINNED_ONLY: "Over a day old: a freeze could have been missed.",
    Freshness.STALE: "Too old to go by: over a week, or since when cannot be told.",
}


def _checkpoint(mirror: Mirror) -> Iterable[str]:
    accepted, root = mirror.checkpoint, mirror.root
    if accepted is None:
        yield "Checkpoint: none yet; nothing has been fetched and verified."
        return
    signed = accepted.checkpoint
    yield f"Checkpoint: {signed.size} statements, {signed.root.hex()}"
    if root.demonstration:
        yield "No witnesses guard this network's log."
    else:
        yield f"Signed by {len(accepted.cosignatures)} witnesses; {root.k} are needed."
        yield f"The witnesses' time: {utc_text(mirror.time)}"


def _duration(seconds: int) -> str:
    if seconds < 2 * 3600:
        return f"{seconds // 60} minutes"
    return f"{seconds // 3600} hours" if seconds < 2 * _DAY else f"{seconds // _DAY} days"
