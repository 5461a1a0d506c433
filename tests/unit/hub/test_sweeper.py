"""How envelopes end that nobody fetched, and what the hub forgets when."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Table, func, select

from broker.hub import models
from broker.hub.mailbox import LEASE_SECONDS
from broker.hub.models import Outcome
from broker.hub.parts import Hub
from broker.hub.sweeper import (
    DEAD_LETTER_SECONDS,
    EVERY_SECONDS,
    NOTICE_SECONDS,
    TOMBSTONE_SECONDS,
    start_sweeping,
)
from contracts.notice import read_notice
from tests.services.processes import wait_until
from tests.unit.hub.hubs import knock, make_hub, sqlite
from tests.unit.hub.network import DAY, Network, Organisation


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def shelter(network: Network) -> Organisation:
    return network.organisation("my", devices=2)


@pytest.fixture
def clinic(network: Network) -> Organisation:
    return network.organisation("bd")


@pytest.fixture
def hub(network: Network, tmp_path: Path) -> Iterator[Hub]:
    made = make_hub(network, sqlite(tmp_path))
    yield made
    made.engine.dispose()


def test_the_sender_s_own_copy_does_not_count_as_delivered(
    network: Network, hub: Hub, shelter: Organisation, clinic: Organisation
) -> None:
    sender, colleague = (knock(hub, desk) for desk in shelter.desks)
    sealed = shelter.desk.seal(to=clinic, lifetime=DAY)
    sender.submit(sealed.body)
    colleague.settle([item["lease"] for item in colleague.lease()])
    network.clock.now += DAY
    assert hub.sweeper.sweep(now=network.clock()).undeliverable == 1


def test_a_colleague_s_desk_of_the_same_organisation_counts(
    network: Network, hub: Hub, shelter: Organisation
) -> None:
    sender, colleague = (knock(hub, desk) for desk in shelter.desks)
    sealed = shelter.desk.seal(to=shelter, lifetime=DAY)
    assert sender.submit(sealed.body).status_code == 202
    colleague.settle([item["lease"] for item in colleague.lease()])
    network.clock.now += DAY
    assert hub.sweeper.sweep(now=network.clock()).undeliverable == 0


def test_the_only_device_that_waits_is_gone_and_the_sender_hears_before_the_end(
    network: Network, hub: Hub, shelter: Organisation
) -> None:
    leaving = network.organisation("bd", devices=0)
    leaving.add_desk(days=1)
    sealed = shelter.desk.seal(to=leaving, lifetime=10 * DAY)
    knock(hub, shelter.desk).submit(sealed.body)
    network.clock.now += DAY
    assert hub.sweeper.sweep(now=network.clock()).undeliverable == 1
    answer = knock(hub, shelter.desk).notice(sealed.mid)
    notice = read_notice(answer.data, hub_key=hub.key.public)
    assert (notice.status, notice.code, notice.eid) == ("undeliverable", "no_device", sealed.eid)
    assert count(hub, models.envelope) == 1  # the shelter's other desk still waits for its copy


def test_a_sender_is_told_once_by_however_many_sweeps(
    network: Network, hub: Hub, shelter: Organisation, clinic: Organisation
) -> None:
    knock(hub, shelter.desk).submit(shelter.desk.seal(to=clinic, lifetime=DAY).body)
    network.clock.now += DAY
    told = [hub.sweeper.sweep(now=network.clock() + later).undeliverable for later in range(3)]
    assert told == [1, 0, 0]
    assert count(hub, models.notice) == count(hub, models.dead_letter) == 1


def test_everything_about_an_envelope_is_forgotten_in_its_time(
    network: Network, hub: Hub, shelter: Organisation, clinic: Organisation
) -> None:
    end = network.clock() + DAY
    knock(hub, shelter.desk).submit(shelter.desk.seal(to=clinic, lifetime=DAY).body)
    kept = [models.acceptance, models.copy, models.notice, models.dead_letter]
    for now, expected in (
        (end - 1, [1, 2, 0, 0]),
        (end, [1, 2, 1, 1]),
        (end + TOMBSTONE_SECONDS - 1, [1, 2, 1, 1]),
        (end + TOMBSTONE_SECONDS, [0, 0, 1, 1]),
        (end + NOTICE_SECONDS, [0, 0, 0, 1]),
        (end + DEAD_LETTER_SECONDS, [0, 0, 0, 0]),
    ):
        network.clock.now = now
        hub.sweeper.sweep(now=now)
        assert [count(hub, table) for table in kept] == expected
        assert count(hub, models.envelope) == int(now < end)


def test_an_acceptance_that_has_not_been_closed_is_never_forgotten(
    network: Network, hub: Hub, shelter: Organisation, clinic: Organisation
) -> None:
    sealed = shelter.desk.seal(to=clinic, lifetime=DAY)
    knock(hub, shelter.desk).submit(sealed.body)
    network.clock.now += 30 * DAY  # the hub was switched off meanwhile
    assert hub.sweeper.sweep(now=network.clock()).undeliverable == 1
    assert count(hub, models.notice) == 1


def test_logins_and_counts_are_forgotten(
    network: Network, hub: Hub, shelter: Organisation, clinic: Organisation
) -> None:
    caller = knock(hub, shelter.desk)
    caller.submit(shelter.desk.seal(to=clinic).body)
    tables = [models.session, models.login_nonce, models.request_count]
    assert [count(hub, table) for table in tables] == [1, 1, 1]
    network.clock.now += 900
    hub.sweeper.sweep(now=network.clock())
    assert [count(hub, table) for table in tables] == [0, 0, 0]


def test_a_loop_that_forgets_its_tokens_does_not_fill_the_table(
    hub: Hub, shelter: Organisation
) -> None:
    callers = [knock(hub, shelter.desk) for _ in range(20)]
    assert count(hub, models.session) == 8
    assert callers[-1].lease() == []


def test_a_sweep_that_was_killed_is_finished_by_the_next(
    network: Network, hub: Hub, shelter: Organisation, clinic: Organisation
) -> None:
    sealed = shelter.desk.seal(to=clinic, lifetime=DAY)
    knock(hub, shelter.desk).submit(sealed.body)
    network.clock.now += DAY
    hub.sweeper._bury_expired_copies(network.clock())  # and no further
    assert hub.sweeper.sweep(now=network.clock()).undeliverable == 1
    with hub.engine.connect() as connection:
        [outcome] = connection.execute(select(models.acceptance.c.outcome)).scalars()
    assert outcome == Outcome.UNDELIVERABLE


def test_of_several_processes_one_sweeps_a_minute(network: Network, hub: Hub) -> None:
    def due() -> list[bool]:
        return [hub.sweeper.sweep_if_due(now=network.clock()) is not None for _ in range(3)]

    assert due() == [True, False, False]
    network.clock.now += EVERY_SECONDS - 1
    assert due() == [False, False, False]
    network.clock.now += 1
    assert due() == [True, False, False]


def test_the_sweeping_thread_sweeps_and_stops(
    network: Network, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.hub.sweeper.EVERY_SECONDS", 0.02)
    stop = start_sweeping(hub.sweeper, network.clock)
    wait_until(lambda: hub.store.last_beat("sweep") is not None, "a sweep")
    stop.set()


def test_what_was_delivered_or_expired_is_off_the_disk(
    network: Network, hub: Hub, shelter: Organisation, clinic: Organisation, tmp_path: Path
) -> None:
    sender, receiver = knock(hub, shelter.desk), knock(hub, clinic.desk)
    colleague = knock(hub, shelter.desks[1])
    fetched = shelter.desk.seal(b"a" * 100, to=clinic, lifetime=DAY)
    expired = shelter.desk.seal(b"b" * 100, to=clinic, lifetime=DAY)
    sender.submit(fetched.body)
    for caller in (receiver, colleague):
        caller.settle([item["lease"] for item in caller.lease()])
    sender.submit(expired.body)
    # Control: both were on the disk, the first in the write-ahead log only.
    assert on_disk(tmp_path, fetched.body)
    assert on_disk(tmp_path, expired.body)
    hub.sweeper.sweep(now=network.clock())
    assert not on_disk(tmp_path, fetched.body)
    assert on_disk(tmp_path, expired.body)
    network.clock.now += DAY
    hub.sweeper.sweep(now=network.clock())
    assert not on_disk(tmp_path, expired.body)


def test_a_lease_under_way_is_not_swept(
    network: Network, hub: Hub, shelter: Organisation, clinic: Organisation
) -> None:
    receiver = knock(hub, clinic.desk)
    knock(hub, shelter.desk).submit(shelter.desk.seal(to=clinic).body)
    [item] = receiver.lease()
    network.clock.now += LEASE_SECONDS
    hub.sweeper.sweep(now=network.clock())
    assert receiver.settle([item["lease"]])["acknowledged"] == 1


def count(hub: Hub, table: Table) -> int:
    with hub.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def on_disk(folder: Path, body: bytes) -> bool:
    """Whether a piece of the ciphertext stands in any of the database's files."""
    middle = len(body) // 2
    piece = body[middle : middle + 60]
    return any(piece in file.read_bytes() for file in folder.glob("hub.sqlite*"))
