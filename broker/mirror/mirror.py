"""The mirror: fetch what is new in the directory's log, verify it, keep it, answer from it.

    mirror = Mirror(engine=engine, root=root, directory_url=url, clock=clock)
    mirror.sync()                      # DirectoryUnreachable, HardStop
    mirror.register.recipients(...)    # a snapshot: later leaves do not change it

One object may be shared by threads, and several processes may keep one database. It never reads
the computer's clock but through `clock`, which gives whole Unix seconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import httpx
from sqlalchemy import Engine

from broker.mirror.fold import RefusedLeaf, View, grow, missing, newer_pins
from broker.mirror.source import LeafSource
from broker.mirror.stops import DirectoryUnreachable, HardStop, Stop
from broker.mirror.store import Store
from contracts.register import Register
from contracts.root import RootFile

# Older knowledge is not sealed to: a freeze could have been held back that long.
FRESH_SECONDS: Final = 24 * 3600
# A clock that was put back leaves a synchronisation in the future; beyond this it does not count.
_CLOCK_TOLERANCE: Final = 300
# While the directory is away, requests of people must not each wait for it in turn.
_RETRY_SECONDS: Final = 15
# A million statements are about 800 MB: no log of this network, but a disk being filled.
_MAX_LEAVES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a synchronisation brought: leaves added, the log's size, statements without effect."""

    added: int
    size: int
    refused: tuple[RefusedLeaf, ...]
    synced_at: int


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
        self._stop: Stop | None = None
        self._synced_at: int | None = None
        self._tried_at: int | None = None
        self._store.open(root.net)
        self._view = View(Register(root.net), pins=self._store.pins())
        with self._lock:
            self._load()

    @property
    def register(self) -> Register:
        """The register as last verified. Raises `HardStop` while one stands."""
        self._refuse_if_stopped()
        return self._view.register

    @property
    def size(self) -> int:
        """How many leaves of the log are known."""
        return self._view.size

    @property
    def stopped(self) -> HardStop | None:
        """The hard stop that stands, with its sentence, or none."""
        stop = self._stop
        return None if stop is None else HardStop(stop)

    @property
    def synced_at(self) -> int | None:
        """When the last complete synchronisation began, Unix seconds, or none yet."""
        return self._synced_at

    def fresh(self, now: int) -> bool:
        """Whether the copy may be sealed with: at most 24 hours old."""
        return self._younger_than(FRESH_SECONDS, now)

    def ensure_fresh(self, max_age_seconds: int) -> None:
        """Synchronise if the last time was longer ago, by this process or another.

        Where the directory does not answer, that is passed over as long as the copy is at most 24
        hours old, and it is asked again only 15 seconds later. Raises `DirectoryUnreachable` when
        the copy is older, and `HardStop`.
        """
        now = self._clock()
        if self._usable(max_age_seconds, now):
            return
        # While another thread is at it, what is fresh enough is answered from.
        if not self._lock.acquire(blocking=not self._usable(FRESH_SECONDS, now)):
            return
        try:
            self._catch_up(max_age_seconds, now)
        finally:
            self._lock.release()

    def sync(self) -> SyncReport:
        """Fetch, verify and keep every leaf that is new.

        All that precedes a fault is kept. Raises `DirectoryUnreachable` (try again later) or
        `HardStop` (kept until `resolve`).
        """
        with self._lock:
            now = self._clock()
            self._tried_at = now
            self._load()
            self._refuse_if_stopped()
            try:
                return self._sync(now)
            except DirectoryUnreachable:
                # The pause counts from here: a directory that answers nothing has been waited
                # for longer than the pause is.
                self._tried_at = self._clock()
                raise

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

    def resolve(self) -> None:
        """Take a hard stop away, after a person has found out what is true.

        What was kept stays as it is: a second root key still has no effect, and a log that still
        contradicts it stops the mirror again.
        """
        with self._lock:
            self._store.resolve()
            self._stop = None
            self._load()

    def close(self) -> None:
        """Close the connections to the directory; the engine is its owner's."""
        self._source.close()

    def _refuse_if_stopped(self) -> None:
        stop = self._stop
        if stop is not None:
            raise HardStop(stop)

    def _younger_than(self, seconds: int, now: int) -> bool:
        synced_at = self._synced_at
        return synced_at is not None and -_CLOCK_TOLERANCE <= now - synced_at <= seconds

    def _usable(self, seconds: int, now: int) -> bool:
        """Without a stop and young enough; a stop may have been resolved by another process."""
        return self._stop is None and self._younger_than(seconds, now)

    def _catch_up(self, max_age_seconds: int, now: int) -> None:
        self._load()
        self._refuse_if_stopped()
        if self._younger_than(max_age_seconds, now):
            return
        try:
            self._refuse_if_just_tried(now)
            self.sync()
        except DirectoryUnreachable:
            if not self.fresh(now):
                raise

    def _refuse_if_just_tried(self, now: int) -> None:
        if self._tried_at is not None and 0 <= now - self._tried_at < _RETRY_SECONDS:
            raise DirectoryUnreachable

    def _load(self) -> None:
        """Take over what the database holds beyond our view, verified like anything else."""
        state = self._store.state()
        growth = grow(self._view, self._store.leaves(self._view.size), replayed=True)
        self._stop = state.stop
        if growth.stop is not None:
            self._halt(growth.stop)
        self._view = growth.view
        # A copy that has lost leaves is as good as none until it is complete again.
        self._synced_at = None if missing(self._view) else state.synced_at

    def _sync(self, now: int) -> SyncReport:
        size, refused = self._view.size, list[RefusedLeaf]()
        while leaves := self._fetch():
            refused += self._keep(leaves)
        lost = missing(self._view)
        if lost is not None:
            self._halt(lost)
            raise HardStop(lost)
        self._store.synced(now)
        self._synced_at, self._tried_at = now, None
        return SyncReport(self._view.size - size, self._view.size, tuple(refused), now)

    def _fetch(self) -> tuple[bytes, ...]:
        """The next leaves, checked to follow the last one known."""
        view = self._view
        if view.size >= _MAX_LEAVES:
            raise DirectoryUnreachable("oversized")
        if not view.size:
            return self._source.leaves(0)
        last, *new = self._source.leaves(view.size - 1) or (None,)
        if last != view.last:
            stop = Stop("shortened" if last is None else "forked")
            self._halt(stop)
            raise HardStop(stop)
        return tuple(new)

    def _keep(self, leaves: tuple[bytes, ...]) -> tuple[RefusedLeaf, ...]:
        growth = grow(self._view, leaves)
        pins = newer_pins(self._view.pins, growth.view.register)
        try:
            self._store.append(growth.leaves, pins, growth.stop)
        except HardStop as error:
            self._stop = error.stop
            raise
        self._view = growth.view
        return growth.refused

    def _halt(self, stop: Stop) -> None:
        self._store.stop(stop)
        self._stop = stop
