"""Taking over what a checkpoint covers: fetched, folded, judged, and kept in one transaction.

The mirror's inner part: it knows the store and, as a function, whoever hands out leaves; no lock,
no clock and no rule about how old is too old. `held` is what is known at the moment. It is never
changed, only exchanged, so that readers need no lock.

    keeper.load()                                        # what the database holds, verified again
    report = keeper.judge(note, source.leaves, now=now, answered=True)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final, TypeAlias

from broker.mirror.copies import LogCopy
from broker.mirror.fold import Growth, RefusedLeaf, View, grow, missing
from broker.mirror.forks import Fork, Past, note_of
from broker.mirror.judging import Held, accept, check_signed, claim, fork_in, fork_with
from broker.mirror.stops import CopyRefused, DirectoryUnreachable, HardStop, Stop
from broker.mirror.store import Overtaken, State, Store, Taken
from contracts.checkpoints import Checkpoint
from contracts.log import leaf_hash
from contracts.quorum import Accepted
from contracts.register import Register
from contracts.root import RootFile
from contracts.tree import Tree

# Some leaves from one number to before another; none where there are no more.
Leaves: TypeAlias = Callable[[int, int], tuple[bytes, ...]]

# A million statements are about 800 MB: no log of this network, but a disk being filled.
_MAX_LEAVES: Final = 1_000_000
# What is held in memory before any signature over it was checked: over 200,000 honest leaves.
_MAX_UNCHECKED: Final = 256 * 1024 * 1024
# Other processes that keep storing newer checkpoints while this one judges.
_TURNS: Final = 5


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a synchronisation brought: leaves added, the log's size, statements without effect."""

    added: int
    size: int
    refused: tuple[RefusedLeaf, ...]
    synced_at: int | None


@dataclass(slots=True)
class _Download:
    """Leaves from number `base` on that no accepted checkpoint covers yet.

    `tree` has them and all before them.
    """

    base: int
    tree: Tree
    leaves: list[bytes]
    octets: int = 0

    def add(self, leaves: tuple[bytes, ...]) -> None:
        self.leaves += leaves
        for leaf in leaves:
            self.tree.append(leaf_hash(leaf))
            self.octets += len(leaf)


class Keeper:
    """What is held of one log. For one thread at a time, but for reading `held`."""

    def __init__(self, store: Store, root: RootFile) -> None:
        self._store = store
        self._root = root
        self._download: _Download | None = None
        # Exchanged in one step, never half-way: others read it without a lock.
        self.held = Held(self._nothing())

    def load(self, *, anew: bool = False) -> None:
        """Take over what the database holds beyond our view, verified like anything else.

        `anew`: all of it, because a person has changed what it means.
        """
        state, held = self._store.state(), self.held
        if anew:
            held = Held(self._nothing())
        if state.note != held.note:
            held = self._followed(held.view, state)
            state = self._store.state()  # with the stop that was met on the way
        self.held = _adopted(held, state)

    def refuse_if_stopped(self) -> None:
        """Raises the `HardStop` that stands."""
        stop = self.held.stop
        if stop is not None:
            raise HardStop(stop)

    def judge(self, note: bytes, leaves: Leaves, *, now: int, answered: bool) -> SyncReport:
        """Take over a checkpoint's note and what it covers, if it may be believed.

        `answered`: it comes from the directory, now. Raises `DirectoryUnreachable`, `HardStop`.
        """
        for _ in range(_TURNS):
            try:
                return self._judge(note, leaves, now, answered=answered)
            except Overtaken:
                self.load()
                self.refuse_if_stopped()
        raise DirectoryUnreachable

    def copied(self, copy: LogCopy, *, now: int) -> SyncReport:
        """`judge` for a file. Raises `CopyRefused("not_newer")` besides."""
        size = self.held.view.size
        self._download = None
        try:
            report = self.judge(copy.note, lambda a, b: copy.leaves[a:b], now=now, answered=False)
        finally:
            self._download = None
        if not report.added and self.held.view.size == size:
            raise CopyRefused("not_newer")
        return report

    def forked(self, size: int, root: bytes, signature: bytes, *, now: int) -> HardStop:
        """Keep the evidence that the log has signed another root at a size that we know."""
        held = self.held
        note = note_of(held.root.log, Checkpoint(held.root.net, size, root), signature)
        ours = Past.of(held.view.tree, held.note, at=size)
        return self._halted(Stop("forked"), Fork(size, ours, Past(note, size, root), now))

    def _nothing(self) -> View:
        return View(Register(self._root), pins=self._store.pins())

    def _followed(self, view: View, state: State) -> Held:
        """On to the stored checkpoint; from the beginning where that does not lead there."""
        found = self._replayed(view, state)
        if found is None and view.size:
            found = self._replayed(self._nothing(), state)
        if found is not None:
            return found
        try:
            known = claim(state.note, self._root.net)
        except DirectoryUnreachable:  # it has rotted too
            known = None
        return Held(self._nothing(), known=known, note=state.note)

    def _replayed(self, view: View, state: State) -> Held | None:
        """What the stored leaves lead to, or none where the stored copy is damaged."""
        stored = tuple(chain.from_iterable(self._store.leaves(view.size, state.size)))
        growth = grow(view, stored)
        if growth.stop is not None:
            if growth.stop.code != "malformed_log":  # such a leaf was never taken: it has rotted
                self._halted(growth.stop)
            return None
        try:
            accepted = accept(state.note, growth.view.register.root)
        except DirectoryUnreachable:
            return None
        tree, signed = growth.view.tree, accepted.checkpoint
        if (tree.size, tree.root()) != (signed.size, signed.root):
            return None
        wrong = _unled(growth.view, state.root_version)
        if wrong is not None:
            self._halted(wrong)
            return None
        return Held(growth.view, accepted, signed, state.note)

    def _judge(self, note: bytes, leaves: Leaves, now: int, *, answered: bool) -> SyncReport:
        held = self.held
        claimed = claim(note, held.root.net)
        if claimed.size > _MAX_LEAVES:
            raise DirectoryUnreachable("oversized")
        if claimed.size <= held.view.size:
            return self._compare(note, now, answered=answered)
        if claimed.size < held.reach:
            return self._unchanged()
        download = self._fetch(leaves, claimed.size)
        if download.tree.root() != claimed.root:
            raise self._misfit(note, claimed, leaves, now)
        growth = grow(held.view, download.leaves, tree=download.tree)
        accepted = self._accept(note, growth, download.tree, now)
        taken = _taken(accepted, now, answered=answered, root=growth.view.register.root)
        return self._keep(
            replace(
                taken,
                first=held.view.size,
                leaves=download.leaves,
                refused=growth.refused,
                pins=growth.moved,
                alarm=growth.alarm,
            ),
            Held(growth.view, accepted, accepted.checkpoint, note),
        )

    def _compare(self, note: bytes, now: int, *, answered: bool) -> SyncReport:
        """A checkpoint of leaves that are known: a fork, an old one, or the same again."""
        held = self.held
        signed = check_signed(note, held.root)
        fork = fork_with(held, note, signed, now=now)
        if fork is not None:
            raise self._halted(Stop("forked"), fork)
        if signed.size < held.reach:
            return self._unchanged()
        accepted = accept(note, held.root)
        if held.accepted is not None and (accepted.time or 0) <= (held.accepted.time or 0):
            accepted = held.accepted
        taken = _taken(accepted, now, answered=answered, root=held.root)
        now_held = replace(held, accepted=accepted, known=accepted.checkpoint, note=accepted.note)
        return self._keep(replace(taken, first=held.view.size), now_held)

    def _accept(self, note: bytes, growth: Growth, tree: Tree, now: int) -> Accepted:
        """The checkpoint at the end of a growth, by the root file in force there."""
        held, root = self.held, growth.view.register.root
        # First: an alarm over leaves that the log never signed is one that anybody could raise.
        check_signed(note, root)
        fork = fork_in(held, note, tree=tree, now=now)
        if fork is not None:
            raise self._halted(Stop("forked"), fork)
        if growth.stop is not None:
            raise self._halted(growth.stop)
        accepted = accept(note, root)
        wrong = _unled(growth.view, held.root_version)
        if wrong is not None:
            raise self._halted(wrong)
        return accepted

    def _fetch(self, leaves: Leaves, size: int) -> _Download:
        """The leaves from our last one up to this size; what an earlier try fetched is used."""
        view, download = self.held.view, self._download
        if download is None or download.base != view.size or download.tree.size > size:
            download = self._download = _Download(view.size, view.tree.copy(), [])
        while download.tree.size < size:
            download.add(_some(leaves, download.tree.size, size))
            if download.octets > _MAX_UNCHECKED:
                self._download = None
                raise DirectoryUnreachable("oversized")
        return download

    def _misfit(
        self, note: bytes, claimed: Checkpoint, leaves: Leaves, now: int
    ) -> HardStop | DirectoryUnreachable:
        """Leaves that do not lead from ours to the checkpoint are wrong leaves, or another past.

        Only the log's beginning can tell, so it is read again; nothing of it is kept.
        """
        held, tree = self.held, Tree()
        self._download = None
        while held.reach and tree.size < claimed.size:
            for leaf in _some(leaves, tree.size, claimed.size):
                tree.append(leaf_hash(leaf))
        if tree.root() == claimed.root:
            check_signed(note, held.root)
            fork = fork_in(held, note, tree=tree, now=now)
            if fork is not None:
                return self._halted(Stop("forked"), fork)
        return DirectoryUnreachable("bad_checkpoint")

    def _keep(self, taken: Taken, held: Held) -> SyncReport:
        try:
            state = self._store.take(self.held.note, taken)
        except HardStop as error:
            self.held = replace(self.held, stop=error.stop)
            raise
        added = held.view.size - self.held.view.size
        self.held, self._download = _adopted(held, state), None
        self.refuse_if_stopped()
        return SyncReport(added, held.view.size, tuple(taken.refused), state.synced_at)

    def _unchanged(self) -> SyncReport:
        return SyncReport(0, self.held.view.size, (), self.held.synced_at)

    def _halted(self, stop: Stop, fork: Fork | None = None) -> HardStop:
        first = self._store.stop(stop, fork)
        self.held = replace(self.held, stop=first)
        return HardStop(first)


def _adopted(held: Held, state: State) -> Held:
    """With the row's times and stop. A copy that is damaged has never been synchronised."""
    return replace(
        held,
        time=state.time,
        time_seen_at=state.time_seen_at,
        synced_at=None if held.accepted is None else state.synced_at,
        root_version=state.root_version,
        stop=state.stop,
    )


def _taken(accepted: Accepted, now: int, *, answered: bool, root: RootFile) -> Taken:
    """What is to be kept of a checkpoint without new leaves."""
    return Taken(
        note=accepted.note,
        size=accepted.checkpoint.size,
        time=accepted.time,
        now=now,
        answered=answered,
        first=accepted.checkpoint.size,
        root_version=root.version,
    )


def _unled(view: View, root_version: int) -> Stop | None:
    """A complete log leads to all that was pinned, and to the root file that was followed."""
    if view.register.root.version < root_version:
        return Stop("root_lowered")
    return missing(view)


def _some(leaves: Leaves, start: int, end: int) -> tuple[bytes, ...]:
    found = leaves(start, end)
    if not found:
        raise DirectoryUnreachable("withheld")
    return found
