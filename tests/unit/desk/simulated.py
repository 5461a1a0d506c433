"""A whole network in memory: log, hub, directory and desks that are real but for their sockets.

The hub checks with the code of the real one, keeps copies per device and forgets when told to; a
test may take a server away, lose an answer, or hand a desk any bytes. One clock for all.

    world = World(tmp_path)
    ours, theirs = world.organisation("my"), world.organisation("bd")
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    world.settle(ours, theirs)
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from nacl.utils import random

from broker.desk.archive import Archive, new_archive_key
from broker.desk.client import HubRefused, Lease, Unreachable
from broker.desk.courier import Round, tick
from broker.desk.enrolment import Newcomer, first_statements, new_org_id
from broker.desk.errors import DeskError
from broker.desk.keyfile import LEAST_MEM, Cost, Wrapping, write_key_file
from broker.desk.keyring import (
    FILE_NAME,
    KeyRingFile,
    keys_folder,
    new_ring,
    published_weeks,
    render_ring,
)
from broker.desk.records import Case, Entry
from broker.desk.store import FILE_NAME as DATABASE
from broker.desk.store import Store, open_store
from broker.desk.unlocking import Desk
from broker.desk.weeks import READS
from broker.mirror import DirectoryUnreachable, Freshness, Seen, freshness
from broker.service.database import open_engine
from contracts import entries as signed_entries
from contracts.contents import Role
from contracts.drafting import device_statement, keys_statement, listing_statement
from contracts.encoding import JsonObject
from contracts.entries import EntryService, entry_hash, render_entry
from contracts.envelope import check_for_hub, parse_envelope
from contracts.errors import Refused
from contracts.examples import example_request
from contracts.identifiers import Eid, KeyId, Mid, OrgId, Ref
from contracts.log import Leaf
from contracts.messages import render_body
from contracts.notice import Notice, NoticeStatus, sign_notice
from contracts.quorum import Accepted
from contracts.record_ids import service_id
from contracts.register import Register
from contracts.root import Hub, RootFile, parse_root
from contracts.routing import RouteState, RouteTable
from contracts.signing import SigningKey
from contracts.statements import Statement
from contracts.times import monday
from tests.vouching import Vouchers, demo_root

NET: Final = "demo.tests"
ROOT: Final = parse_root(demo_root(net=NET))
DAY: Final = 86_400
START: Final = monday(1_795_200_000) + 2 * DAY  # a Wednesday: minutes never cross a key week
SERVICE: Final = "11111111-1111-4111-8111-111111111111"
CANARY: Final = "canary-7f3a-tamarind"
FAST: Final = Cost(mem=LEAST_MEM)
AT_ONCE: Final = 20  # envelopes that a mailbox hands out in one answer


class Clock:
    """The world's time; stands still until moved."""

    def __init__(self, now: int = START) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def pass_(self, seconds: int) -> None:
        self.now += seconds


@dataclass
class DirectoryLog:
    """The directory's log: leaves, and whether it answers."""

    clock: Clock
    leaves: list[Leaf] = field(default_factory=list)
    register: Register = field(default_factory=lambda: Register(ROOT))
    reachable: bool = True

    def add(self, statement: Statement) -> int:
        leaf = Leaf(statement, self.clock())
        self.register.apply(leaf)
        self.leaves.append(leaf)
        return len(self.leaves) - 1


class LogCopy:
    """One desk's copy of the log, as old as its last synchronisation."""

    def __init__(self, log: DirectoryLog, root: RootFile = ROOT) -> None:
        self._log = log
        self._size = 0
        self.register = Register(root)
        self.root = root
        self.checkpoint: Accepted | None = None
        self.synced_at: int | None = None
        self.syncs = 0

    @property
    def time(self) -> int:
        return self.synced_at or 0

    def age(self, now: int) -> int | None:
        return None if self.synced_at is None else now - self.synced_at

    def level(self, now: int) -> Freshness:
        return freshness(self.age(now))

    def check_dir(self, size: int, root: bytes, sig: bytes) -> Seen:
        assert (size, len(root), len(sig)) >= (1, 32, 64)
        return Seen.CONSISTENT

    def sync(self) -> None:
        if not self._log.reachable:
            raise DirectoryUnreachable
        for leaf in self._log.leaves[self._size :]:
            self.register.apply(leaf)
        self._size = len(self._log.leaves)
        self.synced_at = self._log.clock()
        self.syncs += 1

    def ensure_fresh(self, max_age_seconds: int) -> None:
        age = None if self.synced_at is None else self._log.clock() - self.synced_at
        if age is not None and age <= max_age_seconds:
            return
        try:
            self.sync()
        except DirectoryUnreachable:
            if age is None or age > DAY:
                raise


@dataclass
class Directory:
    """The directory's doors besides its log."""

    log: DirectoryLog
    services: list[Mapping[str, Any]] = field(default_factory=list)
    entries: dict[str, bytes] = field(default_factory=dict)
    asked: list[Mapping[str, str]] = field(default_factory=list)
    lose_answers: bool = False

    def search(self, parameters: Mapping[str, str]) -> Mapping[str, Any]:
        if not self.log.reachable:
            raise Unreachable
        self.asked.append(parameters)
        return {"total_items": len(self.services), "contents": self.services}

    def entry(self, name: str) -> bytes | None:
        if not self.log.reachable:
            raise Unreachable
        return self.entries.get(name)

    def publish(self, statement: Statement) -> int:
        if not self.log.reachable:
            raise Unreachable
        try:
            index = self.log.add(statement)
        except Refused as refused:
            raise HubRefused(refused.code, refused.field) from None
        if self.lose_answers:
            raise Unreachable
        return index

    def close(self) -> None: ...


@dataclass
class Copy:
    """One device's copy of one envelope in the hub."""

    device: KeyId
    eid: Eid
    body: bytes
    leased: bool = False
    attempts: int = 0


@dataclass
class SimulatedHub:
    """The hub's memory. `taken` is every body ever handed in, in order."""

    log: DirectoryLog
    routes: RouteTable
    key: SigningKey
    clock: Clock
    reachable: bool = True
    lose_answers: bool = False
    forge_notices: bool = False
    keys_changed: int = 0  # how many of the next envelopes are refused so
    copies: list[Copy] = field(default_factory=list)
    accepted: dict[tuple[OrgId, Mid], tuple[Eid, bytes]] = field(default_factory=dict)
    later: dict[Mid, tuple[NoticeStatus, str]] = field(default_factory=dict)
    taken: list[bytes] = field(default_factory=list)

    def accept(self, body: bytes, *, org: OrgId, device: KeyId) -> bytes:
        self.taken.append(body)
        register, now = self.log.register, self.clock()
        if self.keys_changed:
            self.keys_changed -= 1
            raise HubRefused("keys_changed", "keys")
        try:
            envelope = check_for_hub(
                body, org=org, device=device, register=register, routes=self.routes, now=now
            )
        except Refused as refused:
            raise HubRefused(refused.code, refused.field) from None
        header = envelope.header
        known = self.accepted.get((org, header.mid))
        if known is not None:
            if known[0] != envelope.eid:
                raise HubRefused("duplicate_conflict", "mid")
            return known[1]
        notice = self.notice(org, header.mid, envelope.eid, "accepted", None)
        self.accepted[org, header.mid] = (envelope.eid, notice)
        for key in header.keys:
            owner = register.owner_of_key(key)
            if owner is not None:
                self.copies.append(Copy(owner.device, envelope.eid, body))
        return notice

    def notice(
        self, org: OrgId, mid: Mid, eid: Eid, status: NoticeStatus, code: str | None
    ) -> bytes:
        key = SigningKey.generate() if self.forge_notices else self.key
        return sign_notice(Notice(key.key_id, org, mid, eid, status, code, self.clock()), key)

    def forget_everything(self) -> None:
        """A hub put back from an empty backup."""
        self.accepted.clear()
        self.copies.clear()


class Door:
    """One device's way into the simulated hub."""

    def __init__(self, hub: SimulatedHub, org: OrgId, device: KeyId) -> None:
        self._hub, self._org, self._device = hub, org, device

    def check(self) -> None:
        self._refuse_if_away()

    def submit(self, body: bytes) -> bytes:
        self._refuse_if_away()
        answer = self._hub.accept(body, org=self._org, device=self._device)
        if self._hub.lose_answers:
            raise Unreachable
        return answer

    def notice(self, mid: Mid) -> bytes | None:
        self._refuse_if_away()
        known = self._hub.accepted.get((self._org, mid))
        if known is None or mid not in self._hub.later:
            return None if known is None else known[1]
        status, code = self._hub.later[mid]
        return self._hub.notice(self._org, mid, known[0], status, code)

    def lease(self) -> tuple[Lease, ...]:
        self._refuse_if_away()
        mine = [one for one in self._hub.copies if one.device == self._device and not one.leased]
        for one in mine[:AT_ONCE]:
            one.leased = True
            one.attempts += 1
        return tuple(
            Lease(f"{self._hub.copies.index(one)}", one.eid, one.attempts, one.body)
            for one in mine[:AT_ONCE]
        )

    def settle(self, *, acknowledge: Iterable[str] = (), give_back: Iterable[str] = ()) -> None:
        self._refuse_if_away()
        done = {self._hub.copies[int(lease)].eid for lease in acknowledge}
        for lease in give_back:
            self._hub.copies[int(lease)].leased = False
        self._hub.copies[:] = [
            one for one in self._hub.copies if not (one.eid in done and one.device == self._device)
        ]

    def close(self) -> None: ...

    def _refuse_if_away(self) -> None:
        if not self._hub.reachable:
            raise Unreachable


@dataclass
class Organisation:
    """What exists of an organisation beside its desks: the stick."""

    org: OrgId
    root_key: SigningKey


class World:
    """One network; desks live in folders below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.log = DirectoryLog(self.clock)
        hub_key, log_key = SigningKey.generate(), SigningKey.generate()
        facts = Hub.of(url="http://127.0.0.1:1", key=hub_key.public)
        self.root: RootFile = parse_root(demo_root(net=NET, hubs=[facts], log=log_key.public))
        self.routes = RouteTable.of({("my", "bd"): RouteState.SIGNED})
        self.hub = SimulatedHub(self.log, self.routes, hub_key, self.clock)
        self.directory = Directory(self.log)
        self.sticks: dict[OrgId, SigningKey] = {}
        self.vouchers = Vouchers(NET)

    def organisation(self, country: str) -> Desk:
        """An admitted organisation with one desk."""
        org, root_key = new_org_id(country), SigningKey.generate()
        desk = self.desk_for(org)
        newcomer = Newcomer(country, "ngo")
        now = self.clock()
        statements = first_statements(root_key, desk.ring, newcomer, now=now)
        for statement in self.vouchers.admitted(*statements, iat=now):
            self.log.add(statement)
        self.sticks[org] = root_key
        desk.log.sync()
        return desk

    def list_service(self, desk: Desk, *populations: str, name: str = "Shelter") -> str:
        """Let an organisation sign its entry, and the directory show it; the service's id."""
        service = EntryService(
            "shelter", name, ("shelter",), ("eng",), "BD", False, populations=populations
        )
        entry = signed_entries.Entry(desk.org, "ngo", f"{name} DEMO", "", (service,), demo=True)
        data = render_entry(entry)
        self.directory.entries[entry_hash(data)] = data
        heading = self.log.register.next_heading(desk.org, iat=self.clock())
        self.log.add(listing_statement(heading, desk.ring.signing, entry=entry_hash(data)))
        self.directory.services.append(shown_service(desk.org, name))
        return service_id(desk.org, service.key)

    def second_desk(self, first: Desk, *, reads: tuple[str, ...] = READS) -> Desk:
        """Another computer of the same organisation, and the versions that it reads."""
        desk, now = self.desk_for(first.org), self.clock()
        device = device_statement(
            self.log.register.next_heading(first.org, iat=now),
            root=self.sticks[first.org],
            device=desk.ring.signing,
            role=Role.CASEWORKER,
            nbf=now - DAY,
            naf=now + 300 * DAY,
            admin=first.ring.signing,
        )
        self.log.add(device)
        weeks = published_weeks(desk.ring, now=now)
        heading = self.log.register.next_heading(first.org, iat=now)
        self.log.add(keys_statement(heading, device=desk.ring.signing, keys=weeks, reads=reads))
        desk.log.sync()
        return desk

    def desk_for(self, org: OrgId) -> Desk:
        """A desk with keys that nobody has heard of."""
        home = self.folder / f"{org}-{random(4).hex()}"
        home.mkdir(mode=0o700)
        keys_folder(home)
        (home / DATABASE).write_bytes(_empty_database())
        ring = new_ring(net=NET, org=org, now=self.clock())
        wrapping = Wrapping(FAST, random(16), random(32))  # a passphrase's key, without its cost
        (home / FILE_NAME).parent.mkdir(mode=0o700, exist_ok=True)
        write_key_file(home / FILE_NAME, render_ring(ring), wrapping, new=True)
        return self.opened(home, KeyRingFile(home / FILE_NAME, wrapping, ring))

    def opened(self, home: Path, keys: KeyRingFile) -> Desk:
        """A process of the desk in `home`."""
        ring = keys.ring
        return Desk(
            home=home,
            root=self.root,
            keys=keys,
            store=Store(open_engine(f"sqlite:///{home / DATABASE}"), Archive(ring.archive_key)),
            log=LogCopy(self.log, self.root),
            hub=Door(self.hub, ring.org, ring.device),
            directory=self.directory,
            routes=self.routes,
            clock=self.clock,
        )

    def again(self, desk: Desk) -> Desk:
        """The same desk after its process was killed and started again."""
        return self.opened(desk.home, desk.keys.twin())

    def request(self, to: Desk | OrgId, text: str = CANARY) -> JsonObject:
        """The fictional referral, with consent for exactly this organisation."""
        recipient = to if isinstance(to, str) else to.org
        body = example_request(
            recipient=OrgId(recipient), service_id=SERVICE, now=self.clock(), text=text
        )
        return dict(render_body(body))  # type: ignore[arg-type]  # written by us, so JSON

    def settle(self, *desks: Desk) -> None:
        """Let the desks run until nobody has anything left to do."""
        for _ in range(10):
            if not any([busy(tick(desk)) for desk in desks]):
                return
        raise DeskError("busy")


def shown_service(org: str, name: str) -> dict[str, Any]:
    """What the directory answers for the service of this organisation."""
    identifiers = [{"identifier_scheme": "rujukan", "identifier": org}]
    organisation = {"name": f"{name} DEMO", "organization_identifiers": identifiers}
    return {"id": service_id(org, "shelter"), "name": name, "organization": organisation}


@cache
def _empty_database() -> bytes:
    """A desk's database as the migrations make it: making each anew would take the most time."""
    with tempfile.TemporaryDirectory() as folder:
        open_store(Path(folder), Archive(new_archive_key())).close()
        return (Path(folder) / DATABASE).read_bytes()


def busy(done: Round) -> bool:
    """Whether a round did anything."""
    return bool(done.delivered.accepted or done.received.entries or done.received.receipts)


def cases(desk: Desk) -> tuple[Case, ...]:
    """All cases of a desk, oldest first."""
    with desk.store.reading() as rows:
        return tuple(sorted(rows.cases(), key=lambda case: (case.began, case.ref)))


def only_case(desk: Desk) -> Case:
    """The one case of a desk."""
    (case,) = cases(desk)
    return case


def case_of(desk: Desk, ref: Ref) -> Case:
    """The case with this reference."""
    (case,) = (one for one in cases(desk) if one.ref == ref)
    return case


def entries(desk: Desk) -> tuple[Entry, ...]:
    """The entries of the one case of a desk."""
    with desk.store.reading() as rows:
        return rows.entries(only_case(desk).row)


def mid_of(body: bytes) -> Mid:
    """The number of an envelope."""
    return parse_envelope(body).header.mid
