"""Devices on AMQPS at a hub as its operator runs it, and what a desk demands of the queue's TLS."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from broker import amqp
from broker.hub.boxes import BOX_SETTLES_SECONDS
from broker.hub.declare import declare
from tests.integration.hub.backends import Backend, backend
from tests.integration.hub.boxed import (
    Given,
    WallClock,
    consuming,
    credentials,
    freeze,
    may_log_in,
    with_queue_users,
)
from tests.integration.hub.served import PROGRAM, Client, directory, environ, serve
from tests.integration.hub.tls import NAME, Authority, make_authority, tls_door
from tests.services.ports import LOOPBACK
from tests.services.processes import start, wait_until
from tests.services.rabbitmq import Vhost
from tests.unit.hub.hubs import knock, sqlite
from tests.unit.hub.network import NET, Network


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    with backend("sqlite+rabbitmq", request, tmp_path) as made:
        yield made


def address(given: Given, port: int, name: str = NAME) -> str:
    return amqp.with_login(
        f"amqps://{name}:{port}", vhost=given.vhost, user=given.user, password=given.password
    )


def test_a_desk_consumes_through_tls_that_it_has_verified(
    stand: Backend, rabbitmq: Vhost, authority: Authority
) -> None:
    shelter, clinic = stand.network.organisation("my"), stand.network.organisation("bd")
    hub = with_queue_users(stand, rabbitmq)
    given, sealed = credentials(hub, clinic.desk), shelter.desk.seal(to=clinic)
    knock(hub, shelter.desk).submit(sealed.body)
    got: list[bytes] = []
    answers = iter([amqp.Handled.HOLD, amqp.Handled.AGAIN, amqp.Handled.DONE])

    def take(delivery: amqp.Delivery) -> amqp.Handled:
        got.append(delivery.body)
        return next(answers)

    with stand.relay(), tls_door(authority, rabbitmq.node.port) as port:
        wanted, ca = address(given, port), authority.certificate
        with closing(amqp.Inbox(wanted, given.queue, prefetch=5, ca_file=ca)) as inbox:

            def taken() -> bool:
                inbox.pump(0.5, take)
                return len(got) == 3

            wait_until(taken, "it to be taken")
    assert got == [sealed.body] * 3
    with consuming(given) as queue:
        queue.pump(0.5)
        assert queue.got == []


def test_an_authority_nobody_named_and_another_name_are_not_believed(
    stand: Backend, rabbitmq: Vhost, authority: Authority, tmp_path: Path
) -> None:
    clinic = stand.network.organisation("bd")
    given = credentials(with_queue_users(stand, rabbitmq), clinic.desk)
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    with tls_door(authority, rabbitmq.node.port) as port:
        for wanted, ca in (
            (address(given, port), None),
            (address(given, port, LOOPBACK), authority.certificate),
            (address(given, port), empty),
        ):
            with pytest.raises(amqp.QueueUnavailable) as refused:
                amqp.Inbox(wanted, given.queue, prefetch=5, ca_file=ca)
            assert given.password not in str(refused.value)


def test_a_frozen_organisation_is_put_out_within_a_minute_by_the_hub_s_own_processes(
    rabbitmq: Vhost, tmp_path: Path
) -> None:
    network = Network(now=int(time.time()) - 60)
    network.clock = WallClock()
    shelter, clinic = network.organisation("my"), network.organisation("bd", devices=2)
    declare(rabbitmq.url, rabbitmq.management_url, net=NET)
    with directory(network) as url:
        settings = environ(
            network,
            tmp_path,
            sqlite(tmp_path),
            url,
            RUJUKAN_QUEUE_URL=rabbitmq.url,
            RUJUKAN_QUEUE_MANAGEMENT_URL=rabbitmq.management_url,
            RUJUKAN_QUEUE_PUBLIC_URL=f"amqp://{LOOPBACK}:{rabbitmq.node.port}",
        )
        with (
            serve(settings, log=tmp_path / "hub.log") as hub,
            start("relay", [PROGRAM, "relay"], log=tmp_path / "relay.log", environ=settings),
            Client(hub.url, clinic.desk) as receiver,
            Client(hub.url, shelter.desk) as sender,
        ):
            receiver.login()
            sender.login()
            given = receiver.credentials()
            with consuming(given) as queue:
                # Until the queue has settled, and RabbitMQ lists the connection.
                assert queue.ends_within(BOX_SETTLES_SECONDS + 1) is None
                sealed = shelter.desk.seal(to=clinic)
                assert sender.submit(sealed.body).status_code == 202
                assert queue.wait_for(1) == [sealed.eid]
                queue.acknowledge()
                freeze(network, clinic)
                took = queue.ends_within(60)
            assert took is not None
            assert not may_log_in(given)
    said = (tmp_path / "hub.log").read_text() + (tmp_path / "relay.log").read_text()
    assert given.password not in said
    assert "queue_users_ended" in said
    sys.stdout.write(f"served hub: connection closed after {took:.1f} s\n")
