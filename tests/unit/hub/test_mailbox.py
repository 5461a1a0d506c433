"""The mailbox against a model of it: whatever a device does, nothing is lost, mixed up or late."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import func, select

from broker.hub import models
from broker.hub.mailbox import ANSWER_BYTES, LEASE_SECONDS, MAX_ATTEMPTS, Leased
from broker.hub.store import Box, Delivery
from contracts.identifiers import Eid
from tests.unit.hub.hubs import make_hub, sqlite
from tests.unit.hub.network import DAY, Network

HOUR = 3600


@dataclass(slots=True)
class ModelCopy:
    """What one device's copy should be like."""

    eid: Eid
    exp: int
    attempts: int = 0
    lease: str = ""
    leased_until: int = 0
    done: bool = False

    def free(self, now: int) -> bool:
        leased = bool(self.lease) and self.leased_until > now
        return not (self.done or leased) and self.exp > now and self.attempts < MAX_ATTEMPTS


@dataclass(slots=True)
class Model:
    """Both boxes, oldest copy first, and every lease ever given out."""

    boxes: dict[Box, list[ModelCopy]] = field(default_factory=dict)
    leases: list[tuple[Box, str]] = field(default_factory=list)

    def held(self, box: Box, lease: str) -> ModelCopy | None:
        copies = self.boxes[box]
        return next((one for one in copies if one.lease == lease and not one.done), None)


class Mailboxes(RuleBasedStateMachine):
    """Two devices of one organisation and a third of another, on one database."""

    @initialize()
    def begin(self) -> None:
        self.network = Network()
        clinic = self.network.organisation("bd", devices=2)
        other = self.network.organisation("bd")
        self.hub = make_hub(self.network, "sqlite://")
        self.hub.known.current(now=self.now)
        desks = (*clinic.desks, *other.desks)
        self.model = Model({Box(desk.org, desk.key_id): [] for desk in desks})
        self.delivered: list[Delivery] = []

    @property
    def now(self) -> int:
        return self.network.clock()

    @rule(which=st.sets(st.integers(0, 2), min_size=1), lifetime=st.integers(1, 9))
    def deliver(self, which: set[int], lifetime: int) -> None:
        boxes = [*self.model.boxes]
        delivery = Delivery(
            Eid(secrets.token_hex(32)),
            self.now + lifetime * HOUR,
            tuple(boxes[one] for one in sorted(which)),
            secrets.token_bytes(64),
        )
        self.hub.store.deliver([delivery])
        self.delivered.append(delivery)
        for box in delivery.boxes:
            self.model.boxes[box].append(ModelCopy(delivery.eid, delivery.exp))

    @precondition(lambda self: self.delivered)
    @rule(data=st.data())
    def deliver_again(self, data: st.DataObject) -> None:
        """The queue repeats itself: nothing may change, whatever became of the copies."""
        self.hub.store.deliver([data.draw(st.sampled_from(self.delivered))])

    @rule(which=st.sets(st.integers(0, 2), min_size=1), most=st.integers(1, 4))
    def fetch(self, which: set[int], most: int) -> None:
        for box in [[*self.model.boxes][one] for one in sorted(which)]:
            self._fetch(box, most)

    def _fetch(self, box: Box, most: int) -> None:
        got = self.hub.mailbox.lease(box, most=most, now=self.now)
        expected = [one for one in self.model.boxes[box] if one.free(self.now)][:most]
        assert [one.eid for one in got] == [one.eid for one in expected]
        for leased, copy in zip(got, expected, strict=True):
            self._leased(box, leased, copy)

    def _leased(self, box: Box, leased: Leased, copy: ModelCopy) -> None:
        copy.attempts += 1
        copy.lease, copy.leased_until = leased.lease, self.now + LEASE_SECONDS
        assert leased.attempt == copy.attempts
        [body] = [one.body for one in self.delivered if one.eid == leased.eid]
        assert leased.body == body
        self.model.leases.append((box, leased.lease))

    @precondition(lambda self: self.model.leases)
    @rule(data=st.data(), thief=st.sampled_from([None, None, None, 0, 1, 2]), keep=st.booleans())
    def settle(self, data: st.DataObject, thief: int | None, keep: bool) -> None:
        """A lease seen lately, by its owner or another: the owner's newest counts, no other."""
        owner, lease = data.draw(st.sampled_from(self.model.leases[-5:]))
        box = owner if thief is None else [*self.model.boxes][thief]
        copy = self.model.held(box, lease) if box == owner else None
        if keep:
            settled = self.hub.mailbox.settle(box, acknowledge=[lease, lease], give_back=[])
            assert (settled.acknowledged, settled.given_back) == (int(copy is not None), 0)
        else:
            settled = self.hub.mailbox.settle(box, acknowledge=[], give_back=[lease])
            assert (settled.acknowledged, settled.given_back) == (0, int(copy is not None))
        if copy is not None and keep:
            copy.done = True
        elif copy is not None:
            copy.lease, copy.attempts = "", copy.attempts - 1

    @rule(seconds=st.sampled_from([1, LEASE_SECONDS - 1, LEASE_SECONDS, LEASE_SECONDS, HOUR]))
    def wait(self, seconds: int) -> None:
        self.network.clock.now += seconds

    @rule()
    def sweep(self) -> None:
        self.hub.sweeper.sweep(now=self.now)
        for copies in self.model.boxes.values():
            for copy in copies:
                tired = copy.attempts >= MAX_ATTEMPTS and copy.leased_until <= self.now
                copy.done = copy.done or copy.exp <= self.now or (bool(copy.lease) and tired)

    @invariant()
    def bytes_are_there_exactly_while_somebody_may_want_them(self) -> None:
        if not hasattr(self, "model"):
            return
        wanted = {c.eid for copies in self.model.boxes.values() for c in copies if not c.done}
        with self.hub.engine.connect() as connection:
            there = set(connection.execute(select(models.envelope.c.eid)).scalars())
        assert there == wanted

    def teardown(self) -> None:
        if hasattr(self, "hub"):
            self.hub.engine.dispose()


TestMailboxes = Mailboxes.TestCase
TestMailboxes.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)


def test_one_answer_stays_within_its_bytes_and_still_moves_on(tmp_path: Path) -> None:
    network = Network()
    clinic = network.organisation("bd")
    hub = make_hub(network, sqlite(tmp_path))
    box = Box(clinic.id, clinic.desk.key_id)
    body = bytes(ANSWER_BYTES * 2 // 5)
    hub.store.deliver(
        [
            Delivery(Eid(secrets.token_hex(32)), network.clock() + DAY, (box,), body)
            for _ in range(5)
        ]
    )
    counts = []
    while leased := hub.mailbox.lease(box, most=100, now=network.clock()):
        counts.append(len(leased))
    assert counts == [2, 2, 1]
    hub.engine.dispose()


@pytest.mark.parametrize(
    "lease",
    ["", "0" * 48, "f" * 48, "g" * 48, "0" * 47, "é" * 48, "0" * 32 + "8" + "0" * 15, "0" * 4000],
)
def test_what_is_no_lease_is_ignored(tmp_path: Path, lease: str) -> None:
    network = Network()
    clinic = network.organisation("bd")
    hub = make_hub(network, sqlite(tmp_path))
    box = Box(clinic.id, clinic.desk.key_id)
    settled = hub.mailbox.settle(box, acknowledge=[lease], give_back=[lease])
    assert (settled.acknowledged, settled.given_back) == (0, 0)
    with hub.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(models.copy)).scalar() == 0
    hub.engine.dispose()
