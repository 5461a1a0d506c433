"""An unlocked desk: its keys, its archive, its view of the network, and its two servers.

    with unlock(settings, passphrase) as desk:
        courier.tick(desk)

Everything the desk does takes a `Desk`; nothing else holds keys. Locking it again is `close()`:
the references to keys are dropped, and whoever still holds the object can do nothing with it.
The servers and the log are interfaces, so that a whole network can stand in a test's memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

from broker.desk.archive import Archive
from broker.desk.client import Clock, DirectoryClient, HubClient, Lease
from broker.desk.errors import DeskError
from broker.desk.keyring import KEPT_AFTER_WEEK, KeyRing, KeyRingFile, forgotten
from broker.desk.settings import DeskSettings
from broker.desk.store import Store, open_store
from broker.mirror import Freshness, HardStop, Mirror, Seen
from broker.service.database import migrate, open_engine
from contracts.envelope import MAX_LIFETIME
from contracts.identifiers import Mid, OrgId
from contracts.quorum import Accepted
from contracts.register import Register
from contracts.root import Hub, RootFile, parse_root
from contracts.routing import RouteTable
from contracts.statements import Statement
from countries.routes import load_routes

MIRROR_FILE: Final = "mirror.db"
# A desk that has not heard from the directory for a day cannot know whose keys still hold.
FRESH_FOR: Final = 86_400
# A running desk asks the directory this often; a sender's own attempt asks at once when it must.
SYNC_EVERY: Final = 300


class HubDoor(Protocol):
    """What the desk needs of a hub."""

    def check(self) -> None: ...
    def submit(self, body: bytes) -> bytes: ...
    def notice(self, mid: Mid) -> bytes | None: ...
    def lease(self) -> tuple[Lease, ...]: ...
    def settle(self, *, acknowledge: Iterable[str] = (), give_back: Iterable[str] = ()) -> None: ...
    def close(self) -> None: ...


class DirectoryDoor(Protocol):
    """What the desk needs of the directory, besides its log."""

    def search(self, parameters: Mapping[str, str]) -> Mapping[str, Any]: ...
    def entry(self, name: str) -> bytes | None: ...
    def publish(self, statement: Statement) -> int: ...
    def close(self) -> None: ...


class Log(Protocol):
    """What the desk needs of its verified copy of the directory's log."""

    @property
    def register(self) -> Register: ...
    @property
    def root(self) -> RootFile: ...
    @property
    def checkpoint(self) -> Accepted | None: ...
    @property
    def time(self) -> int: ...
    @property
    def synced_at(self) -> int | None: ...
    def age(self, now: int) -> int | None: ...
    def level(self, now: int) -> Freshness: ...
    def sync(self) -> object: ...
    def ensure_fresh(self, max_age_seconds: int) -> object: ...
    def check_dir(self, size: int, root: bytes, sig: bytes) -> Seen: ...


@dataclass(slots=True)
class Desk:
    """One unlocked desk. `root` is the file it was set up with, `hub_facts` the hub as the root
    file in force names it, `routes` what holds where the log has no word of two countries.
    """

    home: Path
    root: RootFile
    keys: KeyRingFile
    store: Store
    log: Log
    hub: HubDoor
    directory: DirectoryDoor
    routes: RouteTable
    clock: Clock
    close_log: Callable[[], None] = lambda: None

    @property
    def ring(self) -> KeyRing:
        """The keys as they are now."""
        return self.keys.ring

    @property
    def org(self) -> OrgId:
        """The organisation this desk belongs to."""
        return self.ring.org

    @property
    def hub_facts(self) -> Hub:
        """The hub's id, address and key; from the root file and nowhere else."""
        return self.log.root.hubs[0]

    def routes_in(self, register: Register) -> RouteTable:
        """Between which countries something may be begun."""
        return self.routes.overlaid(register.routes)

    @property
    def demonstration(self) -> bool:
        """Whether every output must say that this is no real network."""
        return self.root.demonstration

    def close(self) -> None:
        """Lock: close everything and drop the keys."""
        self.keys.lock()
        self.hub.close()
        self.directory.close()
        self.store.close()
        self.close_log()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()


def unlock(settings: DeskSettings, passphrase: bytes) -> Desk:
    """The desk in `settings.home`. Raises `DeskError` with a sentence; no network is needed."""
    root = read_root(settings.root_file)
    keys = KeyRingFile.unlock(settings.home, passphrase)
    if keys.ring.net != root.net:
        raise DeskError("other_network", net=keys.ring.net, other=root.net)
    log, close_log = open_log(settings, root)
    past = surely_past(log, now=local_time())
    ring = keys.change(lambda ring: forgotten(ring, now=past))
    return Desk(
        home=settings.home,
        root=root,
        keys=keys,
        store=open_store(settings.home, Archive(ring.archive_key)),
        log=log,
        close_log=close_log,
        hub=HubClient(log.root.hubs[0], org=ring.org, key=ring.signing, clock=local_time),
        directory=DirectoryClient(settings.directory_url),
        routes=load_routes(settings.routes_file),
        clock=local_time,
    )


def read_root(path: Path) -> RootFile:
    """The root file, checked. Raises `DeskError` and `contracts.root.RootRefused`."""
    try:
        root = parse_root(path.read_bytes())
    except OSError:
        raise DeskError("root_file_unreadable", path=str(path)) from None
    if not root.hubs:
        raise DeskError("no_hub")
    return root


def open_log(settings: DeskSettings, root: RootFile) -> tuple[Mirror, Callable[[], None]]:
    """This desk's own verified copy of the log, in its own file, and how to close it."""
    path = settings.home / MIRROR_FILE
    path.touch(mode=0o600, exist_ok=True)
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine, "broker.mirror")
    url = settings.directory_url
    mirror = Mirror(engine=engine, root=root, directory_url=url, clock=local_time)

    def close() -> None:
        mirror.close()
        engine.dispose()

    return mirror, close


def surely_past(log: Log, *, now: int) -> int:
    """Up to when things may be destroyed because their time is over, Unix seconds.

    The witnesses' time alone: a computer's clock that runs ahead would otherwise delete, for good,
    the secrets to which others are sealing. Without witnesses it is this computer's clock, but
    little more than the newest leaf of the log; the grace is what keeps every week from which an
    envelope can still be on its way.
    """
    try:
        if log.root.k:
            return log.time
        return min(now, log.register.time + KEPT_AFTER_WEEK - MAX_LIFETIME)
    except HardStop:
        return 0


def local_time() -> int:
    """Unix seconds by this computer's clock."""
    return int(time.time())
