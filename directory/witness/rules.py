"""What a witness may sign: decisions alone, from values and `now`.

The order of the questions is the specification's (c2sp.org/tlog-witness), then this network's own:
the witness has every leaf, computes the same root from them, and no leaf has a false time. It
fetches nothing, stores nothing, reads no clock.

    asked = read_asked(body)
    log_signature(asked, view.log)
    check_place(asked, kept, view)
    growth = grow(view, leaves)
    check_turn(kept, growth)
    last = last_time(kept, mark)
    check_growth(asked, last, growth, now)
    check_mark(growth, mark)
    cosignature_time(last, now)

A `Refusal` says by its code what is wrong; an alarm is one that no honest log can cause.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from contracts.checkpoints import AddCheckpoint, parse_add_checkpoint, verify_log
from contracts.errors import BadSignature, Malformed, Refused
from contracts.log import decode_leaf, leaf_hash
from contracts.notes import NoteSignature, parse_note, signatures_by
from contracts.register import Register, RulesUnknown
from contracts.root import RootFile, VerifierKey
from contracts.tree import EMPTY_ROOT, Tree, check_consistency

# Seconds a leaf's time may lie ahead of our clock, or before our last cosignature.
FALSE_TIME: Final = 600
# Seconds a leaf may wait in the directory before we sign no tree without it, and seconds between
# our clock and the directory's. Half of FALSE_TIME, so that an honest leaf always comes in time:
# otherwise whoever repeats the newest checkpoint to us while the directory is being repaired
# would move our last cosignature past a leaf that waits there, which then could never be signed.
PATIENCE: Final = 300
# Seconds for which a signature is given again as it is. Strangers may repeat the newest checkpoint
# at will: to fetch, sign and flush each time would leave no turn for the directory.
GIVEN_AGAIN: Final = 30
# What no honest log does, by its own signature. A bad proof is none: anybody may send one with a
# good checkpoint.
_ALARMS: Final = frozenset(
    {"other_root", "other_leaves", "other_past", "malformed_leaf", "time_fell", "time_behind"}
)


class Refusal(Exception):
    """The witness does not sign this. `code` is stable; the sentence for people is the view's.

    `size` is that of the tree signed last, where the asker has to know it.
    """

    def __init__(self, code: str, *, size: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.size = size

    @property
    def alarm(self) -> bool:
        """Whether the log itself did wrong, so that nothing more of it is signed."""
        return self.code in _ALARMS


@dataclass(frozen=True, slots=True)
class Kept:
    """What is remembered of a log: the tree signed last and when, Unix seconds, None before any."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    cosigned_at: int | None = None
    note: bytes | None = None
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """What the key signed last of a log, from beside the key: it outlives the database."""

    size: int
    root: bytes
    at: int


@dataclass(frozen=True, slots=True)
class View:
    """The log after the leaves of the tree signed last. Never changed, only grown from."""

    tree: Tree
    register: Register

    @classmethod
    def empty(cls, root: RootFile) -> View:
        """Before the first leaf, with the root file the witness was given."""
        return cls(Tree(), Register(root))

    @property
    def log(self) -> VerifierKey:
        """The key that signs the log's checkpoints now."""
        return self.register.root.log


@dataclass(frozen=True, slots=True)
class Growth:
    """A view after further leaves, grown from `base`; with a `fault`, its register ends before it.

    `first` and `last` are the times of the new leaves, None where there are none.
    """

    base: View
    view: View
    leaves: tuple[bytes, ...]
    first: int | None
    last: int | None
    fault: str | None


def read_asked(body: bytes) -> AddCheckpoint:
    """What this body asks, of the right form and not verified. Raises `Refusal("malformed")`."""
    try:
        return parse_add_checkpoint(body)
    except Malformed:
        raise Refusal("malformed") from None


def log_signature(asked: AddCheckpoint, *keys: VerifierKey) -> NoteSignature:
    """The signature by the first of these keys of the log that signed this checkpoint, verified.

    Raises `Refusal("not_signed")` where none did.
    """
    for log in keys:
        try:
            verify_log(asked.note, log)
        except (BadSignature, Malformed, Refused):
            continue
        return signatures_by(asked.note, log)[0]
    raise Refusal("not_signed")


def names_another_key(asked: AddCheckpoint, log: VerifierKey) -> bool:
    """Whether a signature claims to be by another key of this log: there may be a new root file."""
    return any(
        one.name == log.name and one.key_hash != log.key_hash for one in asked.note.signatures
    )


def check_place(asked: AddCheckpoint, kept: Kept, view: View) -> None:
    """Whether this checkpoint continues the tree signed last, as far as its proof says."""
    checkpoint = asked.checkpoint
    if kept.stopped:
        raise Refusal("stopped")
    if checkpoint.size <= kept.size and view.tree.root(checkpoint.size) != checkpoint.root:
        raise Refusal("other_root", size=kept.size)
    if asked.old != kept.size:
        raise Refusal("other_size", size=kept.size)
    try:
        check_consistency(asked.old, checkpoint.size, kept.root, checkpoint.root, asked.proof)
    except (Refused, Malformed):
        raise Refusal("bad_proof") from None


def signed_lately(
    asked: AddCheckpoint, kept: Kept, witness: VerifierKey, now: int
) -> NoteSignature | None:
    """The signature that was just given for this very tree, or none; its place has been checked."""
    lately = kept.cosigned_at is not None and 0 <= now - kept.cosigned_at < GIVEN_AGAIN
    if not lately or kept.note is None or asked.checkpoint.size != kept.size:
        return None
    own = signatures_by(parse_note(kept.note), witness)
    return own[0] if own else None


def grow(view: View, leaves: Sequence[bytes]) -> Growth:
    """The view after these further leaves; the one given stays as it is.

    A statement that breaks a rule has no effect and is no fault of the log's.
    """
    tree, register = view.tree.copy(), view.register.copy()
    times: list[int] = []
    fault: str | None = None
    for data in leaves:
        tree.append(leaf_hash(data))
        if fault is None:
            fault = _apply(register, data, times)
    first, last = (times[0], times[-1]) if times else (None, None)
    return Growth(view, View(tree, register), tuple(leaves), first, last, fault)


def check_turn(kept: Kept, growth: Growth) -> None:
    """Whether what is remembered, now locked, is still what was grown from."""
    if kept.stopped:
        raise Refusal("stopped")
    if kept.size != growth.base.tree.size:
        raise Refusal("other_size", size=kept.size)
    if kept.root != growth.base.tree.root():
        raise Refusal("damaged")


def check_growth(asked: AddCheckpoint, last: int, growth: Growth, now: int) -> None:
    """Whether the leaves make the very tree of the checkpoint, and none has a false time.

    `last` is the time of the last cosignature, 0 before any.
    """
    if growth.view.tree.size < asked.checkpoint.size:
        raise Refusal("leaves_missing")
    if growth.view.tree.root() != asked.checkpoint.root:
        raise Refusal("other_leaves")
    if growth.fault is not None:
        raise Refusal(growth.fault)
    if growth.last is not None and growth.last > now + FALSE_TIME:
        raise Refusal("time_ahead")
    if growth.first is not None and growth.first < last - FALSE_TIME:
        raise Refusal("time_behind")


def check_mark(growth: Growth, mark: Mark | None) -> None:
    """Whether the tree contains what the key has signed, also where the database forgot it."""
    if mark is None:
        return
    tree = growth.view.tree
    if tree.size < mark.size:
        raise Refusal("behind_mark")
    if tree.root(mark.size) != mark.root:
        raise Refusal("other_past")


def check_waiting(leaf: bytes | None, now: int) -> None:
    """Whether the leaf after the checkpoint's last, if there is one, may still wait for the next.

    Raises `Refusal("leaf_waiting")`: the directory asks again with a checkpoint that covers it.
    """
    if leaf is None:
        return
    try:
        t = decode_leaf(leaf).t
    except Malformed:
        return  # it is judged when a checkpoint covers it
    if t < now - PATIENCE:
        raise Refusal("leaf_waiting")


def check_clock(now: int, directory: int | None) -> None:
    """Whether our clock agrees with the directory's, where the directory told its own.

    A directory that lies about it gets no signature, which it could have without a lie.
    """
    if directory is not None and abs(now - directory) > PATIENCE:
        raise Refusal("clock_differs")


def last_time(kept: Kept, mark: Mark | None) -> int:
    """When the key last signed something of this log, as far as is known; 0 before anything."""
    return max(kept.cosigned_at or 0, 0 if mark is None else mark.at)


def cosignature_time(last: int, now: int) -> int:
    """The time to sign with: never before the last one. Raises `Refusal("clock_fell")`."""
    if now < last - FALSE_TIME:
        raise Refusal("clock_fell")
    return max(now, last)


def _apply(register: Register, data: bytes, times: list[int]) -> str | None:
    """Let a leaf take effect; what forbids to sign it, if anything does."""
    try:
        leaf = decode_leaf(data)
    except Malformed:
        return "malformed_leaf"
    times.append(leaf.t)
    try:
        register.apply(leaf)
    except Malformed:
        return "time_fell"
    except RulesUnknown:
        # The log's key may be among what we no longer understand.
        return "unknown_rules"
    except Refused:
        pass  # without effect, for everyone alike
    return None
