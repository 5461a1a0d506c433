"""What a receiver sees is the same whether its device asks over HTTPS or consumes by AMQPS.

Every test runs for both doors; the second on each database. What only a mailbox can show (leases,
their times) stands in `test_conformance`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from broker.hub import keeping
from broker.hub.mailbox import LEASE_SECONDS
from broker.hub.models import CopyState
from broker.hub.parts import Hub
from contracts.encoding import b64decode
from contracts.notice import Notice, read_notice
from contracts.sealing import Sealed
from tests.integration.hub.backends import Backend, backend
from tests.integration.hub.boxed import (
    Given,
    consuming,
    credentials,
    keeper_of,
    state_of,
    users_of,
    with_queue_users,
)
from tests.integration.hub.network import channel_to
from tests.services.processes import wait_until
from tests.services.rabbitmq import Vhost
from tests.unit.hub.hubs import knock, said
from tests.unit.hub.network import Desk, Organisation

LIFETIME = 15


class Door(Protocol):
    """How one device fetches."""

    def fetch(self, count: int) -> list[bytes]:
        """So many envelopes, acknowledged."""

    def fail(self) -> bool:
        """Be handed one and not take it; False where none comes any more."""

    def is_empty(self) -> bool:
        """Whether nothing waits."""


@dataclass
class ByHttps:
    """The mailbox."""

    hub: Hub
    desk: Desk

    def fetch(self, count: int) -> list[bytes]:
        caller = knock(self.hub, self.desk)
        items = caller.lease()
        assert len(items) == count
        caller.settle([item["lease"] for item in items])
        return [b64decode(item["envelope"], field="envelope") for item in items]

    def fail(self) -> bool:
        items = knock(self.hub, self.desk).lease()
        self.desk.network.clock.now += LEASE_SECONDS
        return bool(items)

    def is_empty(self) -> bool:
        return knock(self.hub, self.desk).lease() == []


@dataclass
class ByAmqps:
    """The device's own queue."""

    given: Given
    hub: Hub
    desk: Desk

    def fetch(self, count: int) -> list[bytes]:
        with consuming(self.given) as queue:
            queue.wait_for(count)
            bodies = [body for _, body in queue.got]
            queue.acknowledge()
            queue.pump()
        return bodies

    def fail(self) -> bool:
        """From the queue, and where that has given up, from the mailbox."""
        with channel_to(self.given.address) as channel:
            method = channel.basic_get(self.given.queue)[0]
            if method is not None:
                channel.basic_reject(method.delivery_tag or 0, requeue=True)
                return True
        if state_of(self.hub, self.desk) == [CopyState.BOXED]:
            return True  # on its way
        return ByHttps(self.hub, self.desk).fail()

    def is_empty(self) -> bool:
        with consuming(self.given) as queue:
            queue.pump(0.5)
            return queue.got == []


@dataclass
class Stage:
    """A backend, a hub and two organisations; the clinic's first device uses the door."""

    stand: Backend
    hub: Hub
    vhost: Vhost
    shelter: Organisation
    clinic: Organisation
    amqps: bool

    def door(self, desk: Desk) -> Door:
        if not self.amqps:
            return self.mailbox(desk)
        return ByAmqps(credentials(self.hub, desk), self.hub, desk)

    def mailbox(self, desk: Desk) -> Door:
        return ByHttps(self.hub, desk)

    def send(self, sealed: Sealed) -> bytes:
        answer = knock(self.hub, self.shelter.desk).submit(sealed.body)
        assert answer.status_code == 202, answer.text
        return bytes(answer.data)

    def seal(self, **more: int) -> Sealed:
        return self.shelter.desk.seal(b"{}", to=self.clinic, **more)  # type: ignore[arg-type]  # its numbers

    def notice(self, sealed: Sealed) -> Notice:
        found = self.hub.store.newest_notice(self.shelter.id, sealed.mid)
        assert found is not None
        return read_notice(found, hub_key=self.stand.network.hub_key.public)

    def close(self, seconds: int) -> None:
        """Let time pass, and everything that runs by itself run once."""
        self.stand.network.clock.now += seconds + keeping.COUNTERS_LAG_SECONDS
        now = self.stand.network.clock()
        if self.amqps:
            wait_until(
                lambda: not any(it.messages for it in users_of(self.hub).office.boxes().values()),
                "the counters",
            )
            keeper_of(self.hub, self.vhost).tidy(now=now)
        self.hub.sweeper.sweep(now=now)


@pytest.fixture(params=["sqlite-https", "sqlite-amqps", "postgres-amqps"])
def stage(request: pytest.FixtureRequest, tmp_path: Path, rabbitmq: Vhost) -> Iterator[Stage]:
    database, _, door = request.param.partition("-")
    with backend(f"{database}+rabbitmq", request, tmp_path) as stand:
        shelter, clinic = (stand.network.organisation(it, devices=2) for it in ("my", "bd"))
        hub = with_queue_users(stand, rabbitmq)
        yield Stage(stand, hub, rabbitmq, shelter, clinic, door == "amqps")


def test_every_desk_gets_its_own_copy_and_the_first_switched_off_takes_nothing_along(
    stage: Stage,
) -> None:
    first, second = (stage.door(desk) for desk in stage.clinic.desks)
    sealed = stage.seal()
    stage.send(sealed)
    with stage.stand.relay():
        stage.stand.wait_for_copies(stage.hub, sealed.eid, 3)
    assert first.fail()
    assert second.fetch(1) == [sealed.body]
    assert stage.mailbox(stage.shelter.desks[1]).fetch(1) == [sealed.body]
    assert first.fetch(1) == [sealed.body]


def test_the_same_bytes_again_get_the_stored_answer_and_make_no_second_copy(stage: Stage) -> None:
    door, sealed = stage.door(stage.clinic.desk), stage.seal()
    with stage.stand.relay():
        first = stage.send(sealed)
        stage.stand.wait_for_copies(stage.hub, sealed.eid, 3)
        assert stage.send(sealed) == first
        assert door.fetch(1) == [sealed.body]
        assert stage.send(sealed) == first
        assert stage.hub.store.waiting().outbox == 0
    assert door.is_empty()


def test_of_two_envelopes_under_one_id_only_the_first_is_delivered(stage: Stage) -> None:
    door, sealed = stage.door(stage.clinic.desk), stage.seal()
    other = stage.shelter.desk.seal(b"{}", to=stage.clinic, mid=sealed.mid)
    stage.send(sealed)
    answer = knock(stage.hub, stage.shelter.desk).submit(other.body)
    assert (answer.status_code, said(answer)["code"]) == (409, "duplicate_conflict")
    with stage.stand.relay():
        stage.stand.wait_for_copies(stage.hub, sealed.eid, 3)
    assert door.fetch(1) == [sealed.body]
    assert door.is_empty()


def test_nobody_else_sees_anything(stage: Stage) -> None:
    stranger = stage.door(stage.stand.network.organisation("bd").desk)
    sender = stage.door(stage.shelter.desk)
    door, sealed = stage.door(stage.clinic.desk), stage.seal()
    stage.send(sealed)
    with stage.stand.relay():
        stage.stand.wait_for_copies(stage.hub, sealed.eid, 3)
    assert stranger.is_empty()
    assert sender.is_empty()
    assert door.fetch(1) == [sealed.body]


def test_what_is_taken_in_vain_too_often_is_a_dead_letter_and_the_sender_is_told(
    stage: Stage,
) -> None:
    clinic = stage.stand.network.organisation("bd")
    door = stage.door(clinic.desk)
    sealed = stage.shelter.desk.seal(b"{}", to=clinic)
    stage.send(sealed)
    with stage.stand.relay():
        stage.stand.wait_for_copies(stage.hub, sealed.eid, 2)
        wait_until(lambda: not door.fail(), "it to be given up", seconds=60)
    stage.hub.sweeper.sweep(now=stage.stand.network.clock())
    assert dict(stage.hub.store.dead_letter_counts()) == {"attempts": 1, "no_device": 1}
    found = stage.notice(sealed)
    assert (found.status, found.code) == ("undeliverable", "no_device")


def test_an_expired_envelope_is_not_given_out_and_the_sender_is_told_once(stage: Stage) -> None:
    clinic = stage.stand.network.organisation("bd")
    door = stage.door(clinic.desk)
    sealed = stage.shelter.desk.seal(b"{}", to=clinic, lifetime=LIFETIME)
    stage.send(sealed)
    with stage.stand.relay():
        stage.stand.wait_for_copies(stage.hub, sealed.eid, 2)
        if stage.amqps:
            wait_until(
                lambda: state_of(stage.hub, clinic.desk) == [CopyState.DEAD],
                "the broker to let it go",
                seconds=LIFETIME + 30,
            )
        stage.close(LIFETIME)
        assert door.is_empty()
    found = stage.notice(sealed)
    assert (found.status, found.code) == ("undeliverable", "expired")
    assert dict(stage.hub.store.dead_letter_counts()) == {"expired": 1}
    stage.close(1)
    assert dict(stage.hub.store.dead_letter_counts()) == {"expired": 1}


def test_a_delivered_envelope_ends_without_a_word(stage: Stage) -> None:
    clinic = stage.stand.network.organisation("bd")
    door = stage.door(clinic.desk)
    sealed = stage.shelter.desk.seal(b"{}", to=clinic, lifetime=LIFETIME)
    first = stage.send(sealed)
    with stage.stand.relay():
        stage.stand.wait_for_copies(stage.hub, sealed.eid, 2)
        assert door.fetch(1) == [sealed.body]
        stage.close(LIFETIME)
    assert stage.hub.store.newest_notice(stage.shelter.id, sealed.mid) == first
    assert stage.hub.store.dead_letter_counts() == {}


def test_with_the_relay_away_what_was_accepted_is_delivered_when_it_comes_back(
    stage: Stage,
) -> None:
    door = stage.door(stage.clinic.desk)
    sealed = [stage.seal() for _ in range(20)]
    for one in sealed:
        stage.send(one)
    assert door.is_empty()
    with stage.stand.relay():
        for one in sealed:
            stage.stand.wait_for_copies(stage.hub, one.eid, 3)
    assert sorted(door.fetch(20)) == sorted(one.body for one in sealed)
