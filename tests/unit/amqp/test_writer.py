"""From the mailbox queue to the mailbox table: committed first, shown once, never to nobody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from broker.amqp import Outcome
from broker.hub import models
from broker.hub.boxes import BOX_SETTLES_SECONDS, Boxes
from broker.hub.models import CopyState
from broker.hub.store import Box
from broker.hub.writer import STRANGE_KEY_PAUSE_SECONDS, STRANGE_KEY_TRIES, Writer
from contracts.notice import read_notice
from contracts.sealing import Sealed
from tests.unit.amqp.fakes import FakeLane, FakeLoop, FakePublisher, delivery, inside
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
        self.boxes = Boxes(self.hub.engine)
        self.writer: Any = inside(Writer)(
            self.loop,
            acceptance=self.hub.acceptance,
            known=self.hub.known,
            store=self.hub.store,
            boxes=self.boxes,
            clock=self.network.clock,
        )
        self._deliver: Callable[[object], None] = self.writer.source.lane._deliver
        self.writer.source.lane = self.lane
        self.publisher = FakePublisher()
        self.writer.copies.publisher = self.publisher

    def deliver(self, body: bytes) -> None:
        self.tag += 1
        self._deliver(delivery(self.tag, body))

    def give_box(self, desk: Desk) -> str:
        """Let this desk consume at RabbitMQ; its token."""
        now = self.network.clock()
        made = self.boxes.issue(Box(desk.org, desk.key_id), until=now + 60, now=now)
        self.network.clock.now += BOX_SETTLES_SECONDS
        return made.token

    def answer(self, outcome: Outcome) -> None:
        """Let the broker answer the oldest unconfirmed copy."""
        _, settle = self.publisher.waiting.pop(0)
        settle(outcome)
        self.loop.settle()

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


# -- devices that hold a box ----------------------------------------------------------------------


def states(rig: Rig, desk: Desk) -> list[str]:
    rows = models.copy.c
    with rig.hub.engine.connect() as connection:
        return list(connection.scalars(select(rows.state).where(rows.device == desk.key_id)))


def test_a_device_with_a_box_has_its_copy_there_and_the_others_in_the_table(rig: Rig) -> None:
    first, second = rig.receiver.desks
    token = rig.give_box(first)
    sealed = rig.sender.desk.seal(to=rig.receiver)
    rig.deliver(sealed.body)
    rig.loop.settle()
    assert rig.publisher.keys == [token]
    assert rig.lane.acknowledged == []
    assert states(rig, first) == []
    rig.answer(Outcome.CONFIRMED)
    assert rig.lane.acknowledged == [1]
    assert states(rig, first) == [CopyState.BOXED]
    assert rig.fetch(first) == []
    assert rig.fetch(second) == [sealed.eid]


def test_a_redelivery_puts_no_second_copy_into_a_box(rig: Rig) -> None:
    rig.give_box(rig.receiver.desk)
    sealed = rig.sender.desk.seal(to=rig.receiver)
    rig.deliver(sealed.body)
    rig.loop.settle()
    rig.answer(Outcome.CONFIRMED)
    rig.deliver(sealed.body)
    rig.loop.settle()
    assert rig.publisher.waiting == []
    assert rig.lane.acknowledged == [1, 2]


def test_a_box_that_is_full_gives_its_device_a_row_and_holds_up_nobody(rig: Rig) -> None:
    rig.give_box(rig.receiver.desk)
    sealed = rig.sender.desk.seal(to=rig.receiver)
    rig.deliver(sealed.body)
    rig.loop.settle()
    rig.answer(Outcome.REFUSED)
    assert rig.lane.acknowledged == [1]
    assert rig.fetch(rig.receiver.desk) == [sealed.eid]


def test_a_copy_whose_confirm_was_lost_is_published_again_before_anything_is_acknowledged(
    rig: Rig,
) -> None:
    rig.give_box(rig.receiver.desk)
    rig.deliver(rig.sender.desk.seal(to=rig.receiver).body)
    rig.loop.settle()
    rig.publisher.usable = False
    rig.answer(Outcome.LOST)
    assert rig.lane.acknowledged == []
    rig.publisher.usable = True
    rig.writer.copies._publish_parked()
    rig.loop.settle()
    rig.answer(Outcome.CONFIRMED)
    assert rig.lane.acknowledged == [1]
    assert states(rig, rig.receiver.desk) == [CopyState.BOXED]


def test_of_two_boxes_the_one_confirmed_before_a_loss_gets_no_second_copy(rig: Rig) -> None:
    for desk in rig.receiver.desks:
        rig.give_box(desk)
    rig.deliver(rig.sender.desk.seal(to=rig.receiver).body)
    rig.loop.settle()
    rig.answer(Outcome.CONFIRMED)
    rig.answer(Outcome.LOST)
    assert rig.lane.acknowledged == []
    assert len(rig.publisher.waiting) == 1
    rig.answer(Outcome.CONFIRMED)
    assert rig.lane.acknowledged == [1]
    assert [states(rig, desk) for desk in rig.receiver.desks] == [[CopyState.BOXED]] * 2


def test_a_device_that_has_left_its_box_gets_rows_again(rig: Rig) -> None:
    desk = rig.receiver.desk
    token = rig.give_box(desk)
    assert rig.boxes.leave(token, now=rig.network.clock())
    sealed = rig.sender.desk.seal(to=rig.receiver)
    rig.deliver(sealed.body)
    rig.loop.settle()
    assert rig.publisher.waiting == []
    assert rig.fetch(desk) == [sealed.eid]


def test_a_box_that_was_made_just_now_is_not_trusted_with_a_copy_yet(rig: Rig) -> None:
    desk = rig.receiver.desk
    rig.give_box(desk)
    rig.network.clock.now -= 1
    sealed = rig.sender.desk.seal(to=rig.receiver)
    rig.deliver(sealed.body)
    rig.loop.settle()
    assert rig.publisher.waiting == []
    assert rig.fetch(desk) == [sealed.eid]
