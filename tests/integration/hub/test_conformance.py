"""What a sender and a receiver see of a hub is the same whatever it stands on.

Every test runs on each database, without a queue and with RabbitMQ and the real relay.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, select

from broker.hub import models
from broker.hub.mailbox import LEASE_SECONDS, MAX_ATTEMPTS, Mailbox
from broker.hub.parts import Hub
from broker.hub.store import Box, Limits
from contracts.encoding import b64decode
from contracts.identifiers import Mid
from contracts.notice import read_notice
from contracts.sealing import Sealed
from tests.integration.hub.backends import KINDS, Backend, backend
from tests.unit.hub.hubs import knock, said
from tests.unit.hub.network import DAY, Organisation


@pytest.fixture(params=KINDS)
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    with backend(request.param, request, tmp_path) as made:
        yield made


@pytest.fixture
def shelter(stand: Backend) -> Organisation:
    return stand.network.organisation("my", devices=2)


@pytest.fixture
def clinic(stand: Backend) -> Organisation:
    return stand.network.organisation("bd", devices=2)


def delivered(stand: Backend, hub: Hub, sealed: Sealed, *, by: Organisation) -> Sealed:
    """Submitted, and its three copies lie in their boxes."""
    knock(hub, by.desk).submit(sealed.body)
    with stand.relay():
        stand.wait_for_copies(hub, sealed.eid, 3)
    return sealed


def test_an_envelope_reaches_every_desk_of_the_receiver_and_the_sender_s_others(
    stand: Backend, shelter: Organisation, clinic: Organisation
) -> None:
    hub = stand.hub()
    sender = knock(hub, shelter.desk)
    sealed = shelter.desk.seal(b"{}", to=clinic)
    answer = sender.submit(sealed.body)
    assert answer.status_code == 202
    notice = read_notice(answer.data, hub_key=stand.network.hub_key.public)
    assert (notice.status, notice.eid, notice.mid) == ("accepted", sealed.eid, sealed.mid)
    with stand.relay():
        stand.wait_for_copies(hub, sealed.eid, 3)
    for desk in (*clinic.desks, shelter.desks[1]):
        [item] = knock(hub, desk).lease()
        assert b64decode(item["envelope"], field="envelope") == sealed.body
        assert (item["eid"], item["attempt"]) == (sealed.eid, 1)
    assert sender.lease() == []


def test_two_desks_of_one_organisation_the_first_fetches_and_is_switched_off(
    stand: Backend, shelter: Organisation, clinic: Organisation
) -> None:
    hub = stand.hub()
    delivered(stand, hub, shelter.desk.seal(b"{}", to=clinic), by=shelter)
    first, second = (knock(hub, desk) for desk in clinic.desks)
    assert len(first.lease()) == 1  # and nothing is heard of it again
    [item] = second.lease()
    assert second.settle([item["lease"]])["acknowledged"] == 1


def test_the_same_bytes_again_get_the_stored_answer_and_make_no_second_copy(
    stand: Backend, shelter: Organisation, clinic: Organisation
) -> None:
    hub, again = stand.hub(), stand.hub()
    sealed = shelter.desk.seal(b"{}", to=clinic)
    sender = knock(hub, shelter.desk)
    with stand.relay():
        first = sender.submit(sealed.body)
        stand.wait_for_copies(hub, sealed.eid, 3)
        stand.network.clock.now += 60
        # Another process of the same hub, and another login.
        second = knock(again, shelter.desk).submit(sealed.body)
        assert (second.status_code, second.data) == (202, first.data)
        receiver = knock(hub, clinic.desk)
        [item] = receiver.lease()
        receiver.settle([item["lease"]])
        third = sender.submit(sealed.body)
        assert (third.status_code, third.data) == (202, first.data)
        assert hub.store.waiting().outbox == 0
    assert receiver.lease() == []
    assert sender.notice(sealed.mid).data == first.data


def test_other_bytes_under_the_same_id_are_a_conflict_and_change_nothing(
    stand: Backend, shelter: Organisation, clinic: Organisation
) -> None:
    hub = stand.hub()
    sender = knock(hub, shelter.desk)
    sealed = shelter.desk.seal(b"{}", to=clinic)
    other = shelter.desk.seal(b"{}", to=clinic, mid=sealed.mid)
    first = sender.submit(sealed.body)
    answer = sender.submit(other.body)
    assert (answer.status_code, said(answer)["code"]) == (409, "duplicate_conflict")
    with stand.relay():
        stand.wait_for_copies(hub, sealed.eid, 3)
    assert stand.copies(hub, other.eid) == 0
    assert sender.notice(sealed.mid).data == first.data


def test_of_two_processes_that_get_one_id_at_once_one_accepts(
    stand: Backend, shelter: Organisation, clinic: Organisation
) -> None:
    callers = [knock(stand.hub(), shelter.desk) for _ in range(2)]
    for _ in range(5):
        one = shelter.desk.seal(b"{}", to=clinic)
        other = shelter.desk.seal(b"{}", to=clinic, mid=one.mid)
        with ThreadPoolExecutor(2) as pool:
            answers = list(
                pool.map(
                    lambda it: it[0].submit(it[1].body), zip(callers, (one, other), strict=True)
                )
            )
        assert sorted(answer.status_code for answer in answers) == [202, 409]


def test_an_expired_lease_comes_again_counted_and_the_old_one_means_nothing(
    stand: Backend, shelter: Organisation, clinic: Organisation
) -> None:
    hub = stand.hub()
    delivered(stand, hub, shelter.desk.seal(b"{}", to=clinic), by=shelter)
    receiver = knock(hub, clinic.desk)
    [first] = receiver.lease()
    assert receiver.lease() == []
    stand.network.clock.now += LEASE_SECONDS
    [second] = receiver.lease()
    assert second["attempt"] == 2
    assert receiver.settle([first["lease"]]) == {"acknowledged": 0, "given_back": 0}
    assert receiver.settle([second["lease"]])["acknowledged"] == 1


def test_what_is_given_back_comes_again_uncounted(
    stand: Backend, shelter: Organisation, clinic: Organisation
) -> None:
    hub = stand.hub()
    delivered(stand, hub, shelter.desk.seal(b"{}", to=clinic), by=shelter)
    receiver = knock(hub, clinic.desk)
    for _ in range(MAX_ATTEMPTS + 5):
        [item] = receiver.lease()
        assert item["attempt"] == 1
        assert receiver.settle(give_back=[item["lease"]])["given_back"] == 1


def test_what_is_fetched_in_vain_too_often_is_a_dead_letter_and_the_sender_is_told(
    stand: Backend, shelter: Organisation
) -> None:
    hub = stand.hub()
    receiving = stand.network.organisation("bd")
    sender = knock(hub, shelter.desk)
    sealed = shelter.desk.seal(b"{}", to=receiving)
    sender.submit(sealed.body)
    with stand.relay():
        stand.wait_for_copies(hub, sealed.eid, 2)
    box = Box(receiving.id, receiving.desk.key_id)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        [leased] = hub.mailbox.lease(box, most=1, now=stand.network.clock())
        assert leased.attempt == attempt
        stand.network.clock.now += LEASE_SECONDS
    assert hub.mailbox.lease(box, most=1, now=stand.network.clock()) == ()
    hub.sweeper.sweep(now=stand.network.clock())
    assert dict(hub.store.dead_letter_counts()) == {"attempts": 1, "no_device": 1}
    notice = read_notice(sender_notice(hub, shelter, sealed.mid), hub_key=hub.key.public)
    assert (notice.status, notice.code) == ("undeliverable", "no_device")


def test_an_expired_envelope_is_not_given_out_and_the_sender_is_told_once(
    stand: Backend, shelter: Organisation, clinic: Organisation
) -> None:
    hub = stand.hub()
    sealed = delivered(stand, hub, shelter.desk.seal(b"{}", to=clinic, lifetime=DAY), by=shelter)
    stand.network.clock.now += DAY
    assert knock(hub, clinic.desk).lease() == []
    swept = hub.sweeper.sweep(now=stand.network.clock())
    assert (swept.undeliverable, swept.bodies) == (1, 1)
    assert hub.sweeper.sweep(now=stand.network.clock()).undeliverable == 0
    notice = read_notice(sender_notice(hub, shelter, sealed.mid), hub_key=hub.key.public)
    assert (notice.status, notice.code) == ("undeliverable", "expired")
    assert dict(hub.store.dead_letter_counts()) == {"expired": 1}


def test_a_delivered_envelope_ends_without_a_word(
    stand: Backend, shelter: Organisation, clinic: Organisation
) -> None:
    hub = stand.hub()
    sender = knock(hub, shelter.desk)
    sealed = shelter.desk.seal(b"{}", to=clinic, lifetime=DAY)
    first = sender.submit(sealed.body)
    with stand.relay():
        stand.wait_for_copies(hub, sealed.eid, 3)
    receiver = knock(hub, clinic.desk)
    [item] = receiver.lease()
    receiver.settle([item["lease"]])
    stand.network.clock.now += DAY
    assert hub.sweeper.sweep(now=stand.network.clock()).undeliverable == 0
    assert sender_notice(hub, shelter, sealed.mid) == first.data
    assert hub.store.dead_letter_counts() == {}


def test_a_lease_of_another_device_or_organisation_is_ignored(
    stand: Backend, shelter: Organisation, clinic: Organisation
) -> None:
    hub = stand.hub()
    stranger = knock(hub, stand.network.organisation("bd").desk)
    delivered(stand, hub, shelter.desk.seal(b"{}", to=clinic), by=shelter)
    first, second = (knock(hub, desk) for desk in clinic.desks)
    [item] = first.lease()
    assert stranger.lease() == []
    for thief in (second, stranger):
        assert thief.settle([item["lease"]]) == {"acknowledged": 0, "given_back": 0}
        assert thief.settle(give_back=[item["lease"]]) == {"acknowledged": 0, "given_back": 0}
    assert first.settle([item["lease"]])["acknowledged"] == 1


def test_nobody_reads_another_organisation_s_notices(
    stand: Backend, shelter: Organisation, clinic: Organisation
) -> None:
    hub = stand.hub()
    sealed = shelter.desk.seal(b"{}", to=clinic)
    knock(hub, shelter.desk).submit(sealed.body)
    assert knock(hub, clinic.desk).notice(sealed.mid).status_code == 404
    assert knock(hub, shelter.desks[1]).notice(sealed.mid).status_code == 200


def test_the_bytes_go_with_the_last_acknowledgement(
    stand: Backend, shelter: Organisation, clinic: Organisation
) -> None:
    hub = stand.hub()
    delivered(stand, hub, shelter.desk.seal(b"{}", to=clinic), by=shelter)
    callers = [knock(hub, desk) for desk in (*clinic.desks, shelter.desks[1])]
    leases = [caller.lease()[0]["lease"] for caller in callers]
    for caller, lease in zip(callers, leases, strict=True):
        assert bodies(hub) == 1
        assert caller.settle([lease])["acknowledged"] == 1
    assert bodies(hub) == 0


def test_a_full_box_is_said_and_nothing_is_half_accepted(
    stand: Backend, shelter: Organisation
) -> None:
    hub = stand.hub(limits=Limits(box_envelopes=2))
    receiving = stand.network.organisation("bd")
    sender, receiver = knock(hub, shelter.desk), knock(hub, receiving.desk)
    with stand.relay():
        for _ in range(2):
            sealed = shelter.desk.seal(b"{}", to=receiving)
            assert sender.submit(sealed.body).status_code == 202
            stand.wait_for_copies(hub, sealed.eid, 2)
        third = shelter.desk.seal(b"{}", to=receiving)
        answer = sender.submit(third.body)
        assert (answer.status_code, said(answer)["code"]) == (507, "box_full")
        assert int(answer.headers["Retry-After"]) > 0
        assert sender.notice(third.mid).status_code == 404
        other = knock(hub, shelter.desks[1])
        for caller in (receiver, other):
            caller.settle([item["lease"] for item in caller.lease()])
        assert sender.submit(third.body).status_code == 202
        stand.wait_for_copies(hub, third.eid, 2)


def test_too_many_a_minute_are_put_off_and_the_next_minute_goes_on(
    stand: Backend, shelter: Organisation, clinic: Organisation
) -> None:
    stand.network.clock.now += 60 - stand.network.clock.now % 60
    callers = [knock(stand.hub(a_minute=3), shelter.desk) for _ in range(2)]
    sealed = [shelter.desk.seal(b"{}", to=clinic) for _ in range(4)]
    answers = [callers[n % 2].submit(one.body) for n, one in enumerate(sealed)]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert int(answers[3].headers["Retry-After"]) == 60
    assert callers[0].notice(sealed[3].mid).status_code == 404
    stand.network.clock.now += 60
    assert callers[1].submit(sealed[3].body).status_code == 202


def test_a_database_that_is_away_is_said_and_nothing_is_half_accepted(
    stand: Backend, shelter: Organisation, clinic: Organisation
) -> None:
    hub = stand.hub()
    sender = knock(hub, shelter.desk)
    hub.engine.dispose()
    stand.breaks()
    answer = sender.submit(shelter.desk.seal(b"{}", to=clinic).body)
    assert (answer.status_code, said(answer)["code"]) == (503, "database_away")
    assert int(answer.headers["Retry-After"]) > 0
    health = sender.client.get("/healthz")
    assert (health.status_code, said(health)["database"]) == (503, "away")


def test_many_fetches_of_one_device_at_once_never_give_one_copy_twice(
    stand: Backend, shelter: Organisation
) -> None:
    hub = stand.hub(a_minute=100_000)
    receiving = stand.network.organisation("bd")
    sender = knock(hub, shelter.desk)
    sealed = [shelter.desk.seal(b"{}", to=receiving) for _ in range(30)]
    for one in sealed:
        assert sender.submit(one.body).status_code == 202
    with stand.relay():
        for one in sealed:
            stand.wait_for_copies(hub, one.eid, 2)
    box, now = Box(receiving.id, receiving.desk.key_id), stand.network.clock()

    def fetch(_: int) -> list[str]:
        mailbox = Mailbox(hub.engine)
        return [leased.eid for _ in range(4) for leased in mailbox.lease(box, most=3, now=now)]

    with ThreadPoolExecutor(4) as pool:
        got = [eid for some in pool.map(fetch, range(4)) for eid in some]
    assert len(got) == len(set(got))
    assert set(got) <= {one.eid for one in sealed}
    rest = hub.mailbox.lease(box, most=100, now=now)
    assert {*got, *(leased.eid for leased in rest)} == {one.eid for one in sealed}


def test_with_the_relay_away_what_was_accepted_is_delivered_when_it_comes_back(
    stand: Backend, shelter: Organisation, clinic: Organisation
) -> None:
    hub = stand.hub(limits=Limits(outbox_envelopes=2))
    sender = knock(hub, shelter.desk)
    sealed = [shelter.desk.seal(b"{}", to=clinic) for _ in range(3)]
    statuses = [sender.submit(one.body).status_code for one in sealed]
    if stand.queue is None:
        assert statuses == [202, 202, 202]
        return
    assert statuses == [202, 202, 503]
    assert said(sender.client.get("/healthz"))["queue"] == "away"
    with stand.relay():
        for one in sealed[:2]:
            stand.wait_for_copies(hub, one.eid, 3)
        assert sender.submit(sealed[2].body).status_code == 202
        stand.wait_for_copies(hub, sealed[2].eid, 3)
        assert said(sender.client.get("/healthz"))["queue"] == "ok"


def sender_notice(hub: Hub, shelter: Organisation, mid: Mid) -> bytes:
    answer = knock(hub, shelter.desk).notice(mid)
    assert answer.status_code == 200
    return bytes(answer.data)


def bodies(hub: Hub) -> int:
    with hub.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(models.envelope)).scalar_one()
