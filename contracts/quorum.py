"""Which checkpoints may be believed: the log's signature, and enough witnesses of many countries.

One rule for mirrors, hubs, desks and directories alike, over the bytes as they came. More than
half of the witnesses must have signed, so that two forks of the log would need one witness to sign
both. How many, who they are and where they sit stands in the root file and nowhere else: no
setting changes it. This file does not know which checkpoint was accepted before.

    accepted = accept_checkpoint(data, root)
    accepted.checkpoint, accepted.time
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from contracts.checkpoints import (
    Checkpoint,
    Cosignature,
    cosignatures,
    log_signature,
    verify_log,
)
from contracts.errors import Refused
from contracts.notes import parse_note
from contracts.root import RootFile


@dataclass(frozen=True, slots=True)
class Accepted:
    """A checkpoint that may be believed, and why: `cosignatures` are those that counted, the newest
    first. `time`: k witnesses say that it is at least so late; none where k is 0.
    """

    note: bytes
    checkpoint: Checkpoint
    log_signature: bytes
    cosignatures: tuple[Cosignature, ...]
    time: int | None


def accept_checkpoint(data: bytes, root: RootFile) -> Accepted:
    """The checkpoint in these bytes, if this root file lets it be believed.

    Raises `Malformed`, `BadSignature`, or `Refused` with `other_net` or `too_few_witnesses`.
    """
    note = parse_note(data)
    checkpoint = verify_log(note, root.log)
    counted = _counted(cosignatures(note, (one.key for one in root.witnesses)), root)
    if len(counted) < root.k:
        raise Refused("too_few_witnesses", "checkpoint")
    return Accepted(
        note=data,
        checkpoint=checkpoint,
        log_signature=log_signature(note, root.log),
        cosignatures=counted,
        # The k-th newest: with fewer than k witnesses lying, one honest clock has reached it.
        time=counted[root.k - 1].at if root.k else None,
    )


def _counted(found: Iterable[Cosignature], root: RootFile) -> tuple[Cosignature, ...]:
    """At most one for a country, its newest; the newest first."""
    country = {one.key: one.country for one in root.witnesses}
    by_country: dict[str, Cosignature] = {}
    for one in sorted(found, key=lambda one: one.at):
        by_country[country[one.witness]] = one
    return tuple(sorted(by_country.values(), key=lambda one: -one.at))
