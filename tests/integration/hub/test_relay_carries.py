"""The relay process on a real RabbitMQ: by either door, each device gets each envelope once."""

from __future__ import annotations

from contracts.identifiers import Mid
from tests.integration.hub.network import Network, add_user, channel_to, submit, through
from tests.integration.hub.watching import accept, arrived, newest_notice, reasons, rows_of
from tests.services.processes import wait_until
from tests.services.proxy import run_proxy
from tests.services.rabbitmq import Vhost


def test_an_envelope_submitted_twice_reaches_every_device_once(
    network: Network, queues: Vhost
) -> None:
    hub = network.open(queues.url)
    sender, colleague = network.sender.devices
    sealed = network.seal()
    with network.relay(queues.url) as relay, channel_to(add_user(queues, sender)) as channel:
        submit(channel, sender, sealed.body)
        submit(channel, sender, sealed.body)
        wait_until(lambda: arrived(network, hub, sealed), "every row", child=relay)
        submit(channel, sender, sealed.body)
        other = network.seal()
        submit(channel, sender, other.body)
        wait_until(lambda: arrived(network, hub, sealed, other), "every row", child=relay)
    assert rows_of(hub, sender) == []
    assert rows_of(hub, colleague) == sorted([sealed.eid, other.eid])
    notice = newest_notice(network, hub, sealed.mid)
    assert notice is not None
    assert (notice.status, notice.eid) == ("accepted", sealed.eid)


def test_what_came_over_https_goes_through_the_queue_and_leaves_the_outbox(
    network: Network, queues: Vhost
) -> None:
    hub = network.open(queues.url)
    sealed = [network.seal() for _ in range(250)]
    for one in sealed:
        accept(hub, network.sender.devices[0], one)
    assert not arrived(network, hub, *sealed)
    with network.relay(queues.url) as relay:
        wait_until(lambda: arrived(network, hub, *sealed), "every row", child=relay)
        wait_until(lambda: hub.store.waiting().outbox == 0, "an empty outbox", child=relay)


def test_two_doors_accept_one_of_two_envelopes_under_one_mid(
    network: Network, queues: Vhost
) -> None:
    hub = network.open(queues.url)
    sender = network.sender.devices[0]
    first, mid = network.seal(), Mid("a" * 32)
    by_https, by_queue = network.seal(mid=mid), network.seal(mid=mid)
    accept(hub, sender, by_https)
    with network.relay(queues.url) as relay, channel_to(add_user(queues, sender)) as channel:
        submit(channel, sender, by_queue.body)
        submit(channel, sender, first.body)
        wait_until(lambda: arrived(network, hub, by_https, first), "both rows", child=relay)
        wait_until(lambda: reasons(hub) == ["duplicate_conflict"], "an alarm", child=relay)
    notice = newest_notice(network, hub, mid)
    assert notice is not None
    assert (notice.status, notice.eid) == ("accepted", by_https.eid)


def test_two_envelopes_under_one_mid_at_once_become_one_row(
    network: Network, queues: Vhost
) -> None:
    hub = network.open(queues.url)
    sender, mid = network.sender.devices[0], Mid("b" * 32)
    pair = [network.seal(mid=mid) for _ in range(2)]
    with channel_to(add_user(queues, sender)) as channel:
        for one in pair:
            submit(channel, sender, one.body)
    with network.relay(queues.url) as relay:
        wait_until(lambda: reasons(hub) == ["duplicate_conflict"], "an alarm", child=relay)
        wait_until(lambda: arrived(network, hub, pair[0]), "the first's row", child=relay)
    assert arrived(network, hub, pair[0])


def test_one_bad_message_stops_nobody(network: Network, queues: Vhost) -> None:
    hub = network.open(queues.url)
    sender, colleague = network.sender.devices
    good = [network.seal() for _ in range(5)]
    foreign = network.seal(device=colleague)
    bad = [b"", b"{}", b"\xff" * 1000, b"x" * 600_000, foreign.body]
    with network.relay(queues.url) as relay, channel_to(add_user(queues, sender)) as channel:
        for body, one in zip(bad, good, strict=True):
            submit(channel, sender, body)
            submit(channel, sender, one.body)
        wait_until(lambda: arrived(network, hub, *good), "the good ones", child=relay)
        expected = ["malformed", "malformed", "malformed", "not_your_device", "too_large"]
        wait_until(lambda: reasons(hub) == expected, "five dead letters", child=relay)
    assert newest_notice(network, hub, foreign.mid) is None


def test_a_refused_sender_gets_a_signed_notice(network: Network, queues: Vhost) -> None:
    hub = network.open(queues.url)
    sender = network.sender.devices[0]
    expired = network.seal(age=100, lifetime=50)
    with network.relay(queues.url) as relay, channel_to(add_user(queues, sender)) as channel:
        submit(channel, sender, expired.body)
        wait_until(
            lambda: newest_notice(network, hub, expired.mid) is not None, "a notice", child=relay
        )
    notice = newest_notice(network, hub, expired.mid)
    assert notice is not None
    assert (notice.status, notice.code) == ("refused", "expired")
    assert arrived(network, hub)


def test_a_publisher_killed_before_its_confirms_publishes_again_and_nobody_sees_it(
    network: Network, queues: Vhost
) -> None:
    hub = network.open(queues.url)
    sealed = [network.seal() for _ in range(50)]
    for one in sealed:
        accept(hub, network.sender.devices[0], one)
    with run_proxy(queues.node.port) as proxy:
        proxy.hold_confirms()
        with network.relay(through(queues.url, proxy.port)) as relay:
            wait_until(lambda: proxy.published >= 50, "every publish", child=relay)
            wait_until(lambda: arrived(network, hub, *sealed), "every row", child=relay)
            assert hub.store.waiting().outbox == 50
            relay.kill()
            proxy.drop_connections()
        proxy.release()
        with network.relay(through(queues.url, proxy.port)) as relay:
            wait_until(lambda: hub.store.waiting().outbox == 0, "an empty outbox", child=relay)
            assert proxy.published >= 100
            wait_until(lambda: proxy.in_hand("box.mailbox") == 0, "the copies", child=relay)
    assert arrived(network, hub, *sealed)
    assert hub.store.dead_letters(limit=1) == ()
