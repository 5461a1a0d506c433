"""`rujukan-hub declare` on a real RabbitMQ, and the loop it shares a file with."""

from __future__ import annotations

import json

import pytest

from broker import amqp
from broker.hub import topology
from broker.hub.declare import AnotherNetwork, declare
from broker.hub.management import ManagementUnavailable
from tests.integration.hub.network import HUB_COMMAND, NET, Network, channel_to
from tests.services.processes import run
from tests.services.rabbitmq import Vhost


def test_the_command_declares_everything_and_may_be_repeated(
    rabbitmq: Vhost, network: Network
) -> None:
    environ = {
        "RUJUKAN_ROOT_FILE": str(network.folder / "root.json"),
        "RUJUKAN_QUEUE_URL": rabbitmq.url,
        "RUJUKAN_QUEUE_MANAGEMENT_URL": rabbitmq.management_url,
    }
    for _ in range(2):
        report = json.loads(run([HUB_COMMAND, "declare", "--json"], environ=environ))
    assert report["not_set"] == report["warnings"] == []
    queues = {it["name"]: it for it in rabbitmq.api("GET", "/queues/{vhost}")}
    assert set(queues) == {queue.name for queue in topology.QUEUES}
    policies = {it["name"]: it["definition"] for it in rabbitmq.api("GET", "/policies/{vhost}")}
    assert policies == {it.name: dict(it.definition) for it in topology.POLICIES}


def test_without_the_management_interface_it_names_what_is_not_set(rabbitmq: Vhost) -> None:
    report = declare(rabbitmq.url, None, net=NET)
    assert report.not_set == tuple(policy.name for policy in topology.POLICIES)
    assert rabbitmq.api("GET", "/policies/{vhost}") == []


def test_an_object_with_other_arguments_is_named_and_left_alone(rabbitmq: Vhost) -> None:
    with channel_to(rabbitmq.url) as channel:
        channel.queue_declare(topology.MAILBOX, durable=True)
        channel.basic_publish("", topology.MAILBOX, b"waits")
    with pytest.raises(amqp.QueueUnavailable):
        declare(rabbitmq.url, rabbitmq.management_url, net=NET)
    with channel_to(rabbitmq.url) as channel:
        assert channel.basic_get(topology.MAILBOX, auto_ack=True)[2] == b"waits"


def test_a_demonstration_keeps_its_hands_off_another_networks_queues(queues: Vhost) -> None:
    """Its relay would refuse, and so end, every envelope that waits there."""
    with pytest.raises(AnotherNetwork, match="another network"):
        declare(queues.url, None, net="demo.somebody.else")
    declare(queues.url, None, net=NET)


def test_a_wrong_password_is_a_sentence_without_it(rabbitmq: Vhost) -> None:
    with pytest.raises(amqp.QueueUnavailable) as refused:
        declare(rabbitmq.url_for("nobody", "S3CRET"), None, net=NET)
    assert "S3CRET" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_user_that_may_not_set_policies_is_told_so(rabbitmq: Vhost) -> None:
    rabbitmq.node.api("PUT", "/users/hub-without-tag", {"password": "x", "tags": ""})
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    rabbitmq.api("PUT", "/permissions/{vhost}/hub-without-tag", everything)
    with pytest.raises(ManagementUnavailable, match="policymaker"):
        declare(rabbitmq.url_for("hub-without-tag", "x"), rabbitmq.management_url, net=NET)


def test_a_fault_of_ours_in_the_loop_is_raised_and_not_swallowed() -> None:
    def fault() -> None:
        raise ZeroDivisionError

    loop = amqp.Loop()
    loop.soon(fault)
    with pytest.raises(ZeroDivisionError):
        loop.run()
