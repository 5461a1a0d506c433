"""From the mailbox queue to the mailbox table: committed first, shown once, never to nobody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from broker.hub.store import Box
from broker.hub.writer import STRANGE_KEY_PAUSE_SECONDS, STRANGE_KEY_TRIES, Writer
from contracts.notice import read_notice
from contracts.sealing import Sealed
from tests.unit.amqp.fakes import FakeLane, FakeLoop, delivery, inside
from tests.unit.hub.hubs import Directory, make_hub, sqlite
from tests.unit.hub.network import Desk, Network, new_mid


class Rig:
    """A writer on a real database, with the broker's end in the test's hands."""

    def __init__(self, folder: Path) -> None:
        self.network = Network()
        self.sender = self.network.organisation("my")
        self.receiver = self.network.organisation("bd", devices=2)
        self.directory = Directory(self.network)
        self.hub = make_hub(self.network, sqlite(folder), directory=self.directory, queue=True)
        self.loop, self.lane, self.tag = FakeLoop(), FakeLane(), 0
        self.writer: Any = inside(Writer)(
            self.loop,
            acceptance=self.hub.acceptance,
            known=self.hub.known,
            store=self.hub.store,
            clock=self.network.clock,
        )
        self._deliver: Callable[[object], None] = self.writer.source.lane._deliver
        self.writer.source.lane = self.lane

    def deliver(self, body: bytes) -> None:
        self.tag += 1
        self._deliver(delivery(self.tag, body))

    def accept(self, sealed: Sealed) -> None:
        desk = self.sender.desk
        now = self.network.clock()
        checked = self.hub.acceptance.check(sealed.body, org=desk.org, device=desk.key_id, now=now)
        self.hub.acceptance.remember([checked])

    def fetch(self, desk: Desk) -> list[str]:
        """Lease and acknowledge all that waits for this desk."""
        box = Box(desk.org, desk.key_id)
        items = self.hub.mailbox.lease(box, most=100, now=self.network.clock())
        self.hub.mailbox.settle(box, acknowledge=[it.lease for it in items], give_back=[])
        return [item.eid for item in items]

    def reasons(self) -> list[str]:
        return [letter.reason for letter in self.hub.store.dead_letters(limit=10)]


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_every_device_is_shown_it_once_however_often_the_queue_gives_it(rig: Rig) -> None:
    sealed = rig.sender.desk.seal(to=rig.receiver)
    for _ in range(2):
        rig.deliver(sealed.body)
    rig.loop.settle()
    first, second = rig.receiver.desks
    assert rig.fetch(first) == [sealed.eid]
    rig.deliver(sealed.body)
    rig.loop.settle()
    assert rig.fetch(first) == []
    assert rig.fetch(second) == [sealed.eid]
    assert rig.lane.acknowledged == [2, 3]


def test_nothing_is_acknowledged_before_its_rows_are_committed(rig: Rig) -> None:
    rig.directory.reachable = False
    rig.deliver(rig.sender.desk.seal(to=rig.receiver).body)
    for _ in range(3):
        rig.loop.turn()
    assert rig.lane.acknowledged == []
    assert len(rig.loop.pauses) == 3


def test_of_two_envelopes_under_one_mid_one_is_shown_and_one_is_for_a_person(rig: Rig) -> None:
    mid = new_mid()
    pair = [rig.sender.desk.seal(to=rig.receiver, mid=mid) for _ in range(2)]
    for sealed in pair:
        rig.deliver(sealed.body)
    rig.loop.settle()
    assert rig.fetch(rig.receiver.desk) == [pair[0].eid]
    assert rig.reasons() == ["duplicate_conflict"]
    assert rig.lane.acknowledged == [2]


def test_a_key_nobody_knows_yet_is_waited_for(rig: Rig) -> None:
    rig.hub.known.current(now=rig.network.clock())
    late = rig.receiver.add_desk()
    sealed = rig.sender.desk.seal(to=rig.receiver)
    rig.deliver(sealed.body)
    rig.loop.turn()
    assert rig.loop.pauses == [STRANGE_KEY_PAUSE_SECONDS]
    assert rig.lane.acknowledged == []
    rig.network.clock.now += 10
    rig.loop.settle()
    assert rig.fetch(late) == [sealed.eid]
    assert rig.lane.acknowledged == [1]


def test_a_key_nobody_ever_learns_of_keeps_nothing_from_the_others(rig: Rig) -> None:
    rig.hub.known.current(now=rig.network.clock())
    rig.receiver.add_desk()
    sealed = rig.sender.desk.seal(to=rig.receiver)
    rig.deliver(sealed.body)
    rig.loop.settle()
    assert rig.loop.pauses == [STRANGE_KEY_PAUSE_SECONDS] * STRANGE_KEY_TRIES
    assert rig.fetch(rig.receiver.desk) == [sealed.eid]


def unreachable(rig: Rig, sealed: Sealed) -> tuple[str, str | None]:
    """What the sender is told after this one could not be placed."""
    rig.accept(sealed)
    rig.network.clock.now += 4 * 24 * 3600
    rig.deliver(sealed.body)
    rig.loop.settle()
    notice = rig.hub.store.newest_notice(rig.sender.id, sealed.mid)
    assert notice is not None
    said = read_notice(notice, hub_key=rig.network.hub_key.public)
    return said.status, said.code


def test_an_expired_one_is_told_to_its_sender_and_shown_to_nobody(rig: Rig) -> None:
    sealed = rig.sender.desk.seal(to=rig.receiver)
    assert unreachable(rig, sealed) == ("undeliverable", "expired")
    assert rig.reasons() == ["expired"]
    assert rig.fetch(rig.receiver.desk) == []
    rig.deliver(sealed.body)
    rig.loop.settle()
    assert rig.reasons() == ["expired"]


def test_bytes_that_are_no_envelope_end_in_dead_letters(rig: Rig) -> None:
    rig.deliver(b"{}")
    rig.loop.settle()
    assert rig.reasons() == ["malformed"]
    assert rig.lane.acknowledged == [1]


def test_one_for_an_organisation_nobody_knows_ends_in_dead_letters(rig: Rig) -> None:
    stranger = Network().organisation("my", devices=2)
    rig.deliver(stranger.desk.seal(to=stranger).body)
    rig.loop.settle()
    assert rig.reasons() == ["keys_changed"]
    assert rig.lane.acknowledged == [1]
