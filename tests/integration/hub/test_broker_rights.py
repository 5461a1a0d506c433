"""What an organisation's RabbitMQ user cannot do, tried on the real broker.

Known and left: a passive declare shows the depth of a queue whose name one knows (until 4.2), which
is why devices' own queues have opaque names. What a device with a queue of its own cannot do stands
in `test_queue_users`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

import httpx
import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker

from broker.hub import topology
from contracts.identifiers import OrgId
from tests.integration.hub.network import Network, add_user, channel_to, submit
from tests.integration.hub.watching import arrived, newest_notice, reasons
from tests.services.processes import wait_until
from tests.services.rabbitmq import Vhost

ACCESS_REFUSED = 403
PRECONDITION_FAILED = 406
QUEUES = [queue.name for queue in topology.QUEUES]
PLACES = [exchange.name for exchange in topology.EXCHANGES if exchange.name != topology.SUBMIT]


def refused(url: str, attempt: Callable[[BlockingChannel], object]) -> int:
    """The code with which the broker refuses this attempt."""
    with channel_to(url) as channel, pytest.raises(ChannelClosedByBroker) as closed:
        attempt(channel)
    return int(closed.value.reply_code)


def publishing(
    exchange: str, key: str, body: bytes, properties: pika.BasicProperties | None = None
) -> Callable[[BlockingChannel], object]:
    """The attempt to publish this."""
    return lambda channel: channel.basic_publish(exchange, key, body, properties)


@pytest.mark.parametrize("queue", QUEUES)
def test_a_user_cannot_read_purge_or_delete_a_queue_of_the_hub(
    network: Network, queues: Vhost, queue: str
) -> None:
    url = add_user(queues, network.sender.devices[0])
    attempts: list[Callable[[BlockingChannel], object]] = [
        lambda channel: channel.basic_get(queue),
        lambda channel: channel.basic_consume(queue, lambda *_: None),
        lambda channel: channel.queue_purge(queue),
        lambda channel: channel.queue_delete(queue),
        lambda channel: channel.queue_bind(queue, topology.SUBMIT, "#"),
    ]
    assert {refused(url, attempt) for attempt in attempts} == {ACCESS_REFUSED}


@pytest.mark.parametrize("exchange", [*PLACES, "", "amq.topic"])
def test_a_user_cannot_publish_past_the_relay(
    network: Network, queues: Vhost, exchange: str
) -> None:
    sender = network.sender.devices[0]
    url, body = add_user(queues, sender), network.seal().body
    for key in (topology.MAILBOX_KEY, topology.MAILBOX, topology.RELAY_IN):
        assert refused(url, publishing(exchange, key, body)) == ACCESS_REFUSED


def test_a_user_cannot_make_queues_exchanges_or_bindings(network: Network, queues: Vhost) -> None:
    url = add_user(queues, network.sender.devices[0])
    attempts: list[Callable[[BlockingChannel], object]] = [
        lambda channel: channel.queue_declare("mine"),
        lambda channel: channel.queue_declare("", exclusive=True),
        lambda channel: channel.exchange_declare("mine"),
        lambda channel: channel.exchange_bind(topology.SUBMIT, topology.DELIVER, "x"),
        lambda channel: channel.exchange_delete(topology.SUBMIT),
    ]
    assert {refused(url, attempt) for attempt in attempts} == {ACCESS_REFUSED}


def test_a_user_cannot_publish_under_another_organisation(network: Network, queues: Vhost) -> None:
    sender, receiver = network.sender.devices[0], network.receiver.devices[0]
    url, body = add_user(queues, sender), network.seal().body
    for key in (receiver.org, f"{sender.org}x", f"x{sender.org}", "", "#", f"{sender.org}.x"):
        assert refused(url, publishing(topology.SUBMIT, key, body)) == ACCESS_REFUSED


def test_a_user_cannot_take_another_user_s_name(network: Network, queues: Vhost) -> None:
    sender, colleague = network.sender.devices
    url = add_user(queues, sender)
    add_user(queues, colleague)
    body = network.seal(device=colleague).body
    properties = pika.BasicProperties(user_id=colleague.user)
    attempt = publishing(topology.SUBMIT, sender.org, body, properties)
    assert refused(url, attempt) == PRECONDITION_FAILED


def test_a_message_without_a_name_is_set_aside(network: Network, queues: Vhost) -> None:
    hub = network.open(queues.url)
    sender = network.sender.devices[0]
    sealed = network.seal()
    with network.relay(queues.url) as relay, channel_to(add_user(queues, sender)) as channel:
        channel.basic_publish("submit", sender.org, sealed.body)
        wait_until(lambda: reasons(hub) == ["no_user"], "the dead letter", child=relay)
    assert arrived(network, hub)
    assert newest_notice(network, hub, sealed.mid) is None


def test_copies_by_header_go_nowhere_else(network: Network, queues: Vhost) -> None:
    """RabbitMQ 3.10 lets CC and BCC go round the topic permission; the relay does not read them."""
    hub = network.open(queues.url)
    sender = network.sender.devices[0]
    sealed, after = network.seal(), network.seal()
    others = [topology.MAILBOX_KEY, topology.MAILBOX, OrgId(f"bd-{secrets.token_hex(8)}")]
    properties = pika.BasicProperties(
        user_id=sender.user,
        headers={"CC": list(others), "BCC": list(others)},
        reply_to=topology.RELAY_IN,
        message_id="chosen by the sender",
    )
    with network.relay(queues.url) as relay, channel_to(add_user(queues, sender)) as channel:
        try:
            channel.basic_publish("submit", sender.org, sealed.body, properties)
        except ChannelClosedByBroker as closed:  # later versions refuse it: as good
            assert closed.reply_code == ACCESS_REFUSED  # noqa: PT017 - two good outcomes
            return
        submit(channel, sender, after.body)
        wait_until(lambda: arrived(network, hub, sealed, after), "the rows", child=relay)
    assert arrived(network, hub, sealed, after)


def test_a_user_cannot_ask_the_management_interface(network: Network, queues: Vhost) -> None:
    url = add_user(queues, network.sender.devices[0])
    user, password = url.split("//")[1].split("@")[0].split(":")
    answer = httpx.get(
        f"{queues.management_url}/api/queues", auth=(user, password), trust_env=False
    )
    assert answer.status_code == 401
