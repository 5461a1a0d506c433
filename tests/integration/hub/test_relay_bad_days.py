"""RabbitMQ killed, away or alarmed; messages that expire, find no way, are given back too often."""

from __future__ import annotations

import time
from pathlib import Path

import pika
from pika.adapters.blocking_connection import BlockingChannel

from broker.hub.parts import Hub
from broker.hub.topology import DELIVER, MAILBOX, MAILBOX_KEY, QUEUES, RELAY_IN
from contracts.sealing import Sealed
from tests.integration.hub.network import Device, Network, add_user, channel_to, submit, through
from tests.integration.hub.watching import accept, arrived, newest_notice, reasons
from tests.services.processes import run, wait_until
from tests.services.proxy import run_proxy
from tests.services.rabbitmq import Node, Vhost

RABBITMQCTL = Path("/usr/lib/rabbitmq/bin/rabbitmqctl")


def test_a_killed_rabbitmq_loses_nothing_that_was_confirmed(
    network: Network, queues: Vhost
) -> None:
    hub = network.open(queues.url)
    sender = network.sender.devices[0]
    sealed = [network.seal() for _ in range(300)]
    with network.relay(queues.url) as relay:
        with channel_to(add_user(queues, sender)) as channel:
            for one in sealed:
                submit(channel, sender, one.body)
        wait_until_registered(queues)
        queues.node.kill()
        late = network.seal()
        accept(hub, sender, late)
        queues.node.start()
        wait_until(
            lambda: arrived(network, hub, *sealed, late), "every row", child=relay, seconds=60
        )
    assert hub.store.dead_letters(limit=1) == ()


def test_a_relay_started_before_rabbitmq_delivers_what_https_accepted_meanwhile(
    network: Network, queues: Vhost
) -> None:
    hub = network.open(queues.url)
    wait_until_registered(queues)
    queues.node.kill()
    sealed = network.seal()
    accept(hub, network.sender.devices[0], sealed)
    with network.relay(queues.url) as relay:
        wait_until(lambda: hub.store.last_beat("relay") is not None, "a heartbeat", child=relay)
        queues.node.start()
        wait_until(lambda: arrived(network, hub, sealed), "the row", child=relay, seconds=60)


def test_a_cut_connection_is_made_again(network: Network, queues: Vhost) -> None:
    hub = network.open(queues.url)
    sender = network.sender.devices[0]
    sealed: list[Sealed] = []
    with (
        run_proxy(queues.node.port) as proxy,
        network.relay(through(queues.url, proxy.port)) as relay,
        channel_to(add_user(queues, sender)) as channel,
    ):
        for _ in range(5):
            sealed += [network.seal() for _ in range(20)]
            for one in sealed[-20:]:
                submit(channel, sender, one.body)
            proxy.drop_connections()
        wait_until(lambda: arrived(network, hub, *sealed), "every row", child=relay, seconds=30)
    assert hub.store.dead_letters(limit=1) == ()


def test_under_a_memory_alarm_the_relay_lives_drains_and_goes_on_afterwards(
    network: Network, queues: Vhost
) -> None:
    hub = network.open(queues.url)
    sender = network.sender.devices[0]
    waiting, during = network.seal(), network.seal()
    put_into_mailbox_queue(queues, waiting)
    with channel_to(add_user(queues, sender)) as channel:
        submit(channel, sender, during.body)
    set_watermark(queues.node, "0.0001")
    try:
        with (
            run_proxy(queues.node.port) as proxy,
            network.relay(through(queues.url, proxy.port)) as relay,
        ):
            wait_until(lambda: arrived(network, hub, waiting), "the drain", child=relay)
            wait_until(
                lambda: "publish_lost" in relay.said(), "the blocked link's end", child=relay
            )
            wait_until(lambda: proxy.in_hand(MAILBOX) == 0, "its acknowledgement", child=relay)
            assert not arrived(network, hub, waiting, during)
            set_watermark(queues.node, "0.6")
            both = (waiting, during)
            wait_until(lambda: arrived(network, hub, *both), "both", child=relay, seconds=30)
    finally:
        set_watermark(queues.node, "0.6")


def test_a_message_that_expired_in_the_mailbox_queue_is_told_to_its_sender(
    network: Network, queues: Vhost
) -> None:
    hub = network.open(queues.url)
    sealed = network.seal()
    remember(network, hub, sealed)
    put_into_mailbox_queue(queues, sealed, expiration="1")
    with network.relay(queues.url) as relay:
        wait_until(lambda: reasons(hub) == ["expired"], "the dead letter", child=relay)
    assert_told(network, hub, sealed, "undeliverable", "expired")
    assert arrived(network, hub)


def test_a_message_without_a_way_is_told_to_its_sender(network: Network, queues: Vhost) -> None:
    hub = network.open(queues.url)
    sealed = network.seal()
    remember(network, hub, sealed)
    with network.relay(queues.url) as relay:
        put_into_mailbox_queue(queues, sealed, key="box-that-is-gone")
        wait_until(lambda: reasons(hub) == ["unroutable"], "the dead letter", child=relay)
    assert_told(network, hub, sealed, "undeliverable", "unroutable")


def test_a_message_that_expired_before_acceptance_is_told_to_its_sender_only_if_it_was_he(
    network: Network, queues: Vhost
) -> None:
    hub = network.open(queues.url)
    sender, colleague = network.sender.devices
    own, foreign = network.seal(), network.seal(device=colleague)
    with channel_to(add_user(queues, sender)) as channel:
        for one in (own, foreign):
            expire_at_once(channel, sender, one)
    with network.relay(queues.url) as relay:
        wait_until(lambda: reasons(hub) == ["expired", "expired"], "two letters", child=relay)
        wait_until(lambda: newest_notice(network, hub, own.mid) is not None, "a notice")
    assert_told(network, hub, own, "refused", "expired")
    assert newest_notice(network, hub, foreign.mid) is None


def test_a_message_given_back_too_often_ends_in_dead_letters(
    network: Network, queues: Vhost
) -> None:
    hub = network.open(queues.url)
    sender = network.sender.devices[0]
    sealed = network.seal()
    with channel_to(add_user(queues, sender)) as channel:
        submit(channel, sender, sealed.body)
    with channel_to(queues.url) as channel:
        wait_until(lambda: not given_back(channel), "the delivery limit")
    with network.relay(queues.url) as relay:
        wait_until(lambda: reasons(hub) == ["delivery_limit"], "the dead letter", child=relay)
    assert_told(network, hub, sealed, "refused", "delivery_limit")


def test_a_directory_that_is_away_holds_messages_back_and_loses_none(
    network: Network, queues: Vhost
) -> None:
    network.directory.up = False
    hub = network.open(queues.url)
    sender = network.sender.devices[0]
    sealed = network.seal()
    with network.relay(queues.url) as relay, channel_to(add_user(queues, sender)) as channel:
        submit(channel, sender, sealed.body)
        wait_until(lambda: "directory_away" in relay.said(), "the pause", child=relay)
        network.directory.up = True
        wait_until(lambda: arrived(network, hub, sealed), "the row", child=relay, seconds=45)
    assert hub.store.dead_letters(limit=1) == ()


def wait_until_registered(queues: Vhost) -> None:
    """Wait until the node has written down that these queues exist.

    RabbitMQ 3.10.8 does so seconds after it has confirmed the declaration. A node killed before
    makes the queue anew and empty, or without a leader, and loses what it had confirmed for it.
    """
    names = [f"{queues.name}_{queue.name}".encode() for queue in QUEUES]
    (register,) = (queues.node.data / queues.node.environ["RABBITMQ_NODENAME"]).glob(
        "quorum/*/names.dets"
    )
    wait_until(
        lambda: all(name in register.read_bytes() for name in names), "registered queues", every=0.2
    )


def put_into_mailbox_queue(
    queues: Vhost, sealed: Sealed, *, key: str = MAILBOX_KEY, expiration: str | None = None
) -> None:
    """As the relay would publish it."""
    properties = pika.BasicProperties(delivery_mode=2, expiration=expiration)
    with channel_to(queues.url) as channel:
        channel.basic_publish(DELIVER, key, sealed.body, properties)


def expire_at_once(channel: BlockingChannel, sender: Device, sealed: Sealed) -> None:
    properties = pika.BasicProperties(user_id=sender.user, delivery_mode=2, expiration="1")
    channel.basic_publish("submit", sender.org, sealed.body, properties)


def given_back(channel: BlockingChannel) -> bool:
    """Take one message of `relay.in` and give it back; False when there is none."""
    method, _, _ = channel.basic_get(RELAY_IN)
    if method is None or method.delivery_tag is None:
        return False
    channel.basic_reject(method.delivery_tag, requeue=True)
    return True


def remember(network: Network, hub: Hub, sealed: Sealed) -> None:
    """As if this had been accepted and its copy published."""
    box = network.sender.devices[0].box
    checked = hub.acceptance.check(
        sealed.body, org=box.org, device=box.device, now=int(time.time())
    )
    hub.acceptance.remember([checked])


def assert_told(network: Network, hub: Hub, sealed: Sealed, status: str, code: str) -> None:
    notice = newest_notice(network, hub, sealed.mid)
    assert notice is not None
    assert (notice.status, notice.code, notice.eid) == (status, code, sealed.eid)


def set_watermark(node: Node, fraction: str) -> None:
    """Raise or end RabbitMQ's memory alarm."""
    name = node.environ["RABBITMQ_NODENAME"]
    run([RABBITMQCTL, "-n", name, "set_vm_memory_high_watermark", fraction], environ=node.environ)
