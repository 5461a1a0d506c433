"""The acceptance as the relay uses it: check, publish, remember; in that order and repeatable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from broker.hub.acceptance import Accepted, Conflict, boxes_of
from broker.hub.parts import Hub
from broker.hub.store import Box, DeadLetter, parse_box
from contracts.drafting import route_statement
from contracts.envelope import parse_envelope
from contracts.errors import Malformed, Refused
from contracts.notice import read_notice
from contracts.routing import RouteState
from tests.unit.hub.hubs import knock, make_hub, sqlite
from tests.unit.hub.network import Network, Organisation
from tests.vouching import COORDINATORS


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def shelter(network: Network) -> Organisation:
    return network.organisation("my", devices=3)


@pytest.fixture
def clinic(network: Network) -> Organisation:
    return network.organisation("bd", devices=2)


@pytest.fixture
def hub(network: Network, tmp_path: Path) -> Iterator[Hub]:
    made = make_hub(network, sqlite(tmp_path), queue=True)
    yield made
    made.engine.dispose()


def test_there_is_a_box_for_every_named_device_but_the_sending_one(
    hub: Hub, network: Network, shelter: Organisation, clinic: Organisation
) -> None:
    desk, sealed = shelter.desk, shelter.desk.seal(to=clinic)
    checked = hub.acceptance.check(
        sealed.body, org=desk.org, device=desk.key_id, now=network.clock()
    )
    others = (*clinic.desks, *shelter.desks[1:])
    assert set(checked.boxes) == {Box(one.org, one.key_id) for one in others}
    assert list(checked.boxes) == sorted(checked.boxes)


def test_an_envelope_for_no_device_of_its_receiver_has_no_boxes(
    network: Network, shelter: Organisation, clinic: Organisation
) -> None:
    header = parse_envelope(shelter.desk.seal(to=shelter).body).header
    with pytest.raises(Refused) as refused:
        boxes_of(replace(header, to=clinic.id), network.register)
    assert refused.value.code == "keys_changed"


def test_checking_and_looking_up_write_nothing(
    hub: Hub, network: Network, shelter: Organisation, clinic: Organisation
) -> None:
    desk, sealed = shelter.desk, shelter.desk.seal(to=clinic)
    for _ in range(2):
        checked = hub.acceptance.check(
            sealed.body, org=desk.org, device=desk.key_id, now=network.clock()
        )
        assert hub.acceptance.known(checked) is None
    assert hub.store.newest_notice(desk.org, sealed.mid) is None


def test_a_redelivery_after_a_crash_before_remembering_is_carried_again(
    hub: Hub, network: Network, shelter: Organisation, clinic: Organisation
) -> None:
    desk, sealed = shelter.desk, shelter.desk.seal(to=clinic)

    def take() -> tuple[Accepted | Conflict, ...]:
        checked = hub.acceptance.check(
            sealed.body, org=desk.org, device=desk.key_id, now=network.clock()
        )
        assert hub.acceptance.known(checked) is None  # so it is published (again)
        return hub.acceptance.remember([checked, checked])

    first, second = take()
    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    assert (first.new, second.new, second.notice) == (True, False, first.notice)


def test_a_batch_with_a_conflict_keeps_the_rest(
    hub: Hub, network: Network, shelter: Organisation, clinic: Organisation
) -> None:
    desk = shelter.desk
    one, two = desk.seal(to=clinic), desk.seal(to=clinic)
    other = desk.seal(to=clinic, mid=one.mid)
    batch = [
        hub.acceptance.check(it.body, org=desk.org, device=desk.key_id, now=network.clock())
        for it in (one, other, two)
    ]
    answers = hub.acceptance.remember(batch)
    assert [isinstance(answer, Conflict) for answer in answers] == [False, True, False]
    assert hub.store.newest_notice(desk.org, two.mid) is not None


def test_a_bad_repetition_does_not_hide_that_the_first_was_accepted(
    hub: Hub, network: Network, shelter: Organisation, clinic: Organisation
) -> None:
    sealed = shelter.desk.seal(to=clinic)
    accepted = knock(hub, shelter.desk).submit(sealed.body).data
    hub.acceptance.refuse(
        sender=shelter.id, mid=sealed.mid, eid=sealed.eid, code="expired", now=network.clock()
    )
    assert hub.store.newest_notice(shelter.id, sealed.mid) == accepted


def test_a_refusal_over_the_queue_waits_for_its_sender(
    hub: Hub, network: Network, shelter: Organisation, clinic: Organisation
) -> None:
    sealed = shelter.desk.seal(to=clinic)
    hub.acceptance.refuse(
        sender=shelter.id, mid=sealed.mid, eid=sealed.eid, code="no_route", now=network.clock()
    )
    answer = knock(hub, shelter.desk).notice(sealed.mid)
    notice = read_notice(answer.data, hub_key=hub.key.public)
    assert (notice.status, notice.code, notice.eid) == ("refused", "no_route", sealed.eid)


def test_what_was_never_accepted_cannot_become_undeliverable(
    hub: Hub, network: Network, shelter: Organisation, clinic: Organisation
) -> None:
    sealed = shelter.desk.seal(to=clinic)
    letter = DeadLetter(
        sealed.eid, shelter.id, sealed.mid, clinic.id, 10, "expired", network.clock()
    )
    assert hub.acceptance.undeliverable(letter, code="expired") is None
    assert hub.store.dead_letters(limit=10) == ()
    knock(hub, shelter.desk).submit(sealed.body)
    assert hub.acceptance.undeliverable(letter, code="expired") is not None
    assert hub.acceptance.undeliverable(letter, code="expired") is None
    assert len(hub.store.dead_letters(limit=10)) == 1


@pytest.mark.parametrize(
    "text", ["", ".", "my-0123456789abcdef", "a.b", "my-0123456789abcdef." * 2]
)
def test_what_is_no_box_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse_box(text)


def test_nothing_prints_a_body(
    hub: Hub, network: Network, shelter: Organisation, clinic: Organisation
) -> None:
    desk, sealed = shelter.desk, shelter.desk.seal(to=clinic)
    checked = hub.acceptance.check(
        sealed.body, org=desk.org, device=desk.key_id, now=network.clock()
    )
    knock(hub, desk).submit(sealed.body)
    [(_, delivery)] = hub.store.outbox(limit=1)
    piece = sealed.body[300:340].decode()
    assert piece not in repr(checked) + repr(delivery) + repr(hub.acceptance.known(checked))


def test_a_route_that_two_coordinators_close_is_closed_here_too(
    hub: Hub, network: Network, shelter: Organisation, clinic: Organisation
) -> None:
    my, bd = COORDINATORS[:2]
    sealed = shelter.desk.seal(to=clinic)
    device, now = shelter.desk.key_id, network.clock()
    hub.acceptance.check(sealed.body, org=shelter.id, device=device, now=now)
    closed = network.vouchers.sign(
        my,
        iat=now,
        make=lambda heading, key: route_statement(
            heading, key, bd.key, pair=("my", "bd"), mou=RouteState.CLOSED, contracts=[]
        ),
    )
    network.append(closed)
    network.clock.now += 60
    sealed = shelter.desk.seal(to=clinic)
    with pytest.raises(Refused) as caught:
        hub.acceptance.check(sealed.body, org=shelter.id, device=device, now=network.clock())
    assert caught.value.code == "no_route"
