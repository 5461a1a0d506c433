"""The mirror: fetch what is new in the directory's log, verify it, keep it, answer from it.

    mirror = Mirror(engine=engine, root=root, directory_url=url, clock=clock)
    mirror.sync()                      # DirectoryUnreachable, HardStop
    mirror.register.recipients(...)    # a snapshot: later leaves do not change it

Only leaves that an accepted checkpoint covers count, and only they are kept, with it, in one
transaction. A synchronisation that is broken off goes on where it was as long as the object lives;
after a restart it begins again at the newest accepted checkpoint, and `load_copy` is for whoever
cannot fetch a whole log over a slow line. One object may be shared by threads, and several
processes may keep one database. It never reads the computer's clock but through `clock`, which
gives whole Unix seconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import httpx
from sqlalchemy import Engine

from broker.mirror.copies import read_copy, write_copy
from broker.mirror.forks import Fork
from broker.mirror.freshness import Freshness, age_by_clock, freshness
from broker.mirror.judging import Seen, seen_in
from broker.mirror.keeper import Keeper, SyncReport
from broker.mirror.source import LeafSource
from broker.mirror.stops import CopyRefused, DirectoryUnreachable, HardStop
from broker.mirror.store import Store
from contracts.errors import Malformed
from contracts.quorum import Accepted
from contracts.register import Register
from contracts.root import RootFile

# While the directory is away, requests of people must not each wait for it in turn.
_RETRY_SECONDS: Final = 15


class Mirror:
    """A verified copy of one network's log, kept in the owner's database."""

    def __init__(
        self,
        *,
        engine: Engine,
        root: RootFile,
        directory_url: str,
        clock: Callable[[], int],
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Make or open the tables and verify again what they hold.

        Raises `HardStop` only where they belong to another network. A stop kept from before does
        not hinder opening: `stopped` tells of it, and `register` and `sync` raise it.
        """
        self._store = Store(engine)
        self._source = LeafSource(directory_url, transport)
        self._clock = clock
        self._lock = threading.RLock()
        # When the directory was asked last without avail, and what came of it.
        self._tried: tuple[int, str] | None = None
        self._store.open(root)
        with self._lock:
            self._keeper = Keeper(self._store, root)
            self._keeper.load()

    @property
    def register(self) -> Register:
        """The register as last verified. Raises `HardStop` while one stands."""
        self._keeper.refuse_if_stopped()
        return self._keeper.held.view.register

    @property
    def root(self) -> RootFile:
        """The root file in force: the program's, or a later one out of the log."""
        return self._keeper.held.root

    @property
    def checkpoint(self) -> Accepted | None:
        """The newest checkpoint that was accepted; none before any."""
        return self._keeper.held.accepted

    @property
    def size(self) -> int:
        """How many leaves of the log are known."""
        return self._keeper.held.view.size

    @property
    def time(self) -> int:
        """The witnesses' time of the newest checkpoint, Unix seconds: never lowered; 0 before any.

        In a network without witnesses: when the directory last answered, by this computer's clock.
        """
        held = self._keeper.held
        return held.synced_at or 0 if held.root.demonstration else held.time

    @property
    def synced_at(self) -> int | None:
        """When the directory's newest answer was accepted, by this computer's clock, or none yet.

        It may have been a checkpoint that was old already: see `age`.
        """
        return self._keeper.held.synced_at

    @property
    def stopped(self) -> HardStop | None:
        """The hard stop that stands, with its sentence, or none."""
        stop = self._keeper.held.stop
        return None if stop is None else HardStop(stop)

    @property
    def fork(self) -> Fork | None:
        """The newest evidence of a fork; it stays when the stop is resolved."""
        return self._store.fork()

    def now(self) -> int:
        """The time to judge by: this computer's, unless the witnesses know it to be later."""
        return max(self._clock(), self.time)

    def age(self, now: int) -> int | None:
        """How old the copy is in seconds, or none where that cannot be told: there is none, or
        this computer's clock was put back.
        """
        return self._keeper.held.age(now)

    def level(self, now: int) -> Freshness:
        """What the copy may be used for at its age."""
        return freshness(self.age(now))

    def fresh(self, now: int) -> bool:
        """Whether the copy may be sealed with: at most 24 hours old."""
        return self.level(now) is Freshness.FRESH

    def root_at(self, size: int) -> bytes:
        """The log's root when it had so many leaves. Raises `Refused` beyond what is known."""
        return self._keeper.held.view.tree.root(size)

    def ensure_fresh(self, max_age_seconds: int) -> None:
        """Synchronise if the last time was longer ago, by this process or another.

        Where the directory gives nothing usable, that is passed over as long as the copy is at
        most 24 hours old, and it is asked again only 15 seconds later. Raises
        `DirectoryUnreachable` when the copy is older, and `HardStop`.
        """
        now = self._clock()
        if self._usable(max_age_seconds, now):
            return
        # While another thread is at it, what is fresh enough is answered from.
        if not self._lock.acquire(
            blocking=self._keeper.held.stop is not None or not self.fresh(now)
        ):
            return
        try:
            self._catch_up(max_age_seconds, now)
        finally:
            self._lock.release()

    def sync(self) -> SyncReport:
        """Fetch, verify and keep what the directory's newest checkpoint covers.

        One that is older than ours, and fits it, changes nothing. Raises `DirectoryUnreachable`
        (try again later) or `HardStop` (kept until `resolve`).
        """
        with self._lock:
            now = self._clock()
            self._tried = (now, "unreachable")
            self._keeper.load()
            self._keeper.refuse_if_stopped()
            try:
                note = self._source.checkpoint()
                report = self._keeper.judge(note, self._source.leaves, now=now, answered=True)
            except DirectoryUnreachable as error:
                # The pause counts from here: a directory that answers nothing has been waited
                # for longer than the pause is.
                self._tried = (self._clock(), error.code)
                raise
            helped = report.synced_at == now and self.fresh(now)
            self._tried = None if helped else (now, "old_checkpoint")
            return report

    def look(self) -> None:
        """`sync`, unless another thread is at it: nobody waits for its turn.

        For what strangers can ask for before anything of theirs was checked. Raises as `sync`,
        and `DirectoryUnreachable` within 15 seconds of the last failure.
        """
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._refuse_if_just_tried(self._clock())
            self.sync()
        finally:
            self._lock.release()

    def check_dir(self, size: int, root: bytes, sig: bytes) -> Seen:
        """What to make of the checkpoint that an envelope names in its `dir`.

        Raises `HardStop`, with `fork` as evidence, where the log has signed another past.
        """
        seen = seen_in(self._keeper.held, size=size, root=root, signature=sig)
        if seen is Seen.FORKED:
            with self._lock:
                raise self._keeper.forked(size, root, sig, now=self._clock())
        return seen

    def load_copy(self, data: bytes) -> SyncReport:
        """Take a first copy that `export_copy` wrote elsewhere, checked like any answer.

        Raises `CopyRefused`, or `HardStop` where it proves that the log has forked.
        """
        with self._lock:
            self._keeper.load()
            self._keeper.refuse_if_stopped()
            try:
                return self._keeper.copied(read_copy(data), now=self._clock())
            except Malformed:
                raise CopyRefused("damaged_copy") from None
            except DirectoryUnreachable as error:
                raise CopyRefused(error.code) from None

    def export_copy(self) -> bytes:
        """What is known, as one file for `load_copy` elsewhere. Raises `CopyRefused`."""
        with self._lock:
            self._keeper.load()
            self._keeper.refuse_if_stopped()
            held = self._keeper.held
            if held.accepted is None:
                raise CopyRefused("nothing_to_copy")
            batches = self._store.leaves(0, held.view.size)
            return write_copy(held.note, (leaf for batch in batches for leaf in batch))

    def resolve(self) -> None:
        """Take a hard stop away, after a person has found out what is true.

        What was kept stays as it is: a second root key still has no effect, and a log that still
        contradicts it stops the mirror again.
        """
        with self._lock:
            self._store.resolve()
            self._keeper.load(anew=True)

    def close(self) -> None:
        """Close the connections to the directory; the engine is its owner's."""
        self._source.close()

    def _asked_within(self, seconds: int, now: int) -> bool:
        ago = age_by_clock(self._keeper.held.synced_at, now)
        return ago is not None and ago <= seconds

    def _usable(self, seconds: int, now: int) -> bool:
        """Without a stop and asked lately; a stop may have been resolved by another process."""
        return (
            self._keeper.held.stop is None and self._asked_within(seconds, now) and self.fresh(now)
        )

    def _catch_up(self, max_age_seconds: int, now: int) -> None:
        self._keeper.load()
        self._keeper.refuse_if_stopped()
        if self._usable(max_age_seconds, now):
            return
        try:
            self._refuse_if_just_tried(now)
            self.sync()
        except DirectoryUnreachable:
            if not self.fresh(now):
                raise
        if not self.fresh(now):
            raise DirectoryUnreachable("old_checkpoint")

    def _refuse_if_just_tried(self, now: int) -> None:
        if self._tried is not None and 0 <= now - self._tried[0] < _RETRY_SECONDS:
            raise DirectoryUnreachable(self._tried[1])
