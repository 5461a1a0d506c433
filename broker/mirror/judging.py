"""What a checkpoint is worth, given what is known: pure decisions, values in and values out.

Nothing here fetches or keeps. A note that may not be followed is a `DirectoryUnreachable`: its
code says whether witnesses or the log's own signature are wanting; what was known stays.

    claimed = claim(note, net)                  # what it says, not yet believed
    accepted = accept(note, register.root)      # believed
    fork = fork_with(held, note, signed, now=now)   # or proof that the log has two pasts
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from broker.mirror.fold import View
from broker.mirror.forks import Fork, Past
from broker.mirror.freshness import age_by_clock, age_by_witnesses
from broker.mirror.stops import DirectoryUnreachable, Stop
from contracts.checkpoints import Checkpoint, check_dir_signature, parse_checkpoint, verify_log
from contracts.errors import ContractError, Refused
from contracts.notes import parse_note
from contracts.quorum import Accepted, accept_checkpoint
from contracts.root import RootFile
from contracts.signing import SIGNATURE_SIZE
from contracts.tree import EMPTY_ROOT, Tree

_NO_SIGNATURE: Final = bytes(SIGNATURE_SIZE)


@unique
class Seen(StrEnum):
    """What our log says of the checkpoint that an envelope names."""

    CONSISTENT = "consistent"
    # Larger than what is known here: synchronise once, then ask again.
    UNKNOWN = "unknown"
    # Not our log's, and not signed by it either: proof of nothing but the sender's fault.
    FAULT = "fault"
    # Not our log's, and signed by it: proof of a fork.
    FORKED = "forked"


@dataclass(frozen=True, slots=True)
class Held:
    """All that a mirror holds at one moment; never changed, only exchanged for another.

    `known` is the newest checkpoint accepted here. It covers the view exactly, but where the copy
    has lost leaves: the view is empty then. `time`: see `Mirror.time`; `time_seen_at` and
    `synced_at` are of this computer's clock.
    """

    view: View
    accepted: Accepted | None = None
    known: Checkpoint | None = None
    note: bytes = b""
    time: int = 0
    time_seen_at: int | None = None
    synced_at: int | None = None
    root_version: int = 0
    stop: Stop | None = None

    @property
    def root(self) -> RootFile:
        """The root file in force."""
        return self.view.register.root

    @property
    def reach(self) -> int:
        """Up to which size a checkpoint can be compared with what was accepted."""
        return self.view.size if self.known is None else max(self.view.size, self.known.size)

    def past(self, *, at: int) -> Past | None:
        """Our past at this size, or None where it is not known (any more)."""
        if at <= self.view.size:
            return Past.of(self.view.tree, self.note, at=at)
        if self.known is not None and self.known.size == at:
            return Past(self.note, at, self.known.root)
        return None

    def age(self, now: int) -> int | None:
        """How old the copy is in seconds, or None where that cannot be told."""
        if self.root.demonstration:
            return age_by_clock(self.synced_at, now)
        if self.accepted is None:
            return None
        return age_by_witnesses(self.time, first_seen=self.time_seen_at, now=now)


def claim(note: bytes, net: str) -> Checkpoint:
    """What a note says of its log; nobody's signature has been looked at."""
    try:
        claimed = parse_checkpoint(parse_note(note).text)
    except ContractError:
        raise DirectoryUnreachable("bad_checkpoint") from None
    if claimed.origin != net:
        raise DirectoryUnreachable("bad_checkpoint")
    return claimed


def check_signed(note: bytes, root: RootFile) -> Checkpoint:
    """The checkpoint of a note that at least the log itself has signed."""
    try:
        return verify_log(parse_note(note), root.log)
    except ContractError:
        raise DirectoryUnreachable("bad_checkpoint") from None


def accept(note: bytes, root: RootFile) -> Accepted:
    """The checkpoint, signed by the log and by as many witnesses as this root file asks for."""
    try:
        return accept_checkpoint(note, root)
    except Refused as error:
        few = error.code == "too_few_witnesses"
        raise DirectoryUnreachable("unwitnessed" if few else "bad_checkpoint") from None
    except ContractError:
        raise DirectoryUnreachable("bad_checkpoint") from None


def fork_in(held: Held, note: bytes, *, tree: Tree, now: int) -> Fork | None:
    """The evidence, if the past in which `tree` is what the note signs is not ours; else none.

    Both must reach as far as the smaller of them; the log's signature under the note has been
    checked.
    """
    size = min(tree.size, held.reach)
    ours = held.past(at=size)
    if ours is None or tree.root(size) == ours.root:
        return None
    return Fork(size, ours, Past.of(tree, note, at=size), now)


def fork_with(held: Held, note: bytes, signed: Checkpoint, *, now: int) -> Fork | None:
    """The same for a checkpoint no larger than what is known; its leaves are not at hand."""
    ours = held.past(at=signed.size)
    if ours is None or signed.root == ours.root:
        return None
    return Fork(signed.size, ours, Past(note, signed.size, signed.root), now)


def seen_in(held: Held, *, size: int, root: bytes, signature: bytes) -> Seen:
    """What our log says of the checkpoint that an envelope names in its `dir`."""
    if not size:
        unwitnessed = held.root.demonstration and held.accepted is None
        empty = (root, signature) == (EMPTY_ROOT, _NO_SIGNATURE)
        return Seen.CONSISTENT if unwitnessed and empty else Seen.FAULT
    if size > held.view.size:
        return Seen.UNKNOWN
    if held.view.tree.root(size) == root:
        return Seen.CONSISTENT
    try:
        check_dir_signature(held.root.net, size, root, signature, held.root.log)
    except ContractError:
        return Seen.FAULT
    return Seen.FORKED
