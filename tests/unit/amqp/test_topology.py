"""What is declared: nothing that RabbitMQ could drop in silence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from broker.amqp import Queue
from broker.hub import topology
from broker.hub.declare import Report, disk_warnings, user_warnings, wal_bytes
from broker.hub.queue_commands import text_of
from contracts.envelope import MAX_BODY, MAX_LIFETIME

CONFIGURATION = Path(__file__).parents[3] / "docker" / "rabbitmq" / "rabbitmq.conf"


def configured() -> dict[str, str]:
    lines = CONFIGURATION.read_text().splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {key.strip(): value.strip() for key, _, value in pairs}


@pytest.mark.parametrize("queue", topology.QUEUES, ids=lambda queue: queue.name)
def test_every_queue_is_replicated_and_has_a_delivery_limit(queue: Queue) -> None:
    assert queue.arguments["x-queue-type"] == "quorum"
    assert "x-delivery-limit" in queue.arguments


@pytest.mark.parametrize("queue", topology.QUEUES, ids=lambda queue: queue.name)
def test_what_a_queue_sets_aside_goes_to_the_dead_letters_and_at_least_once(queue: Queue) -> None:
    if queue.name == topology.RELAY_DEAD:
        assert "x-overflow" not in queue.arguments
        assert "x-dead-letter-exchange" not in queue.arguments
        return
    assert queue.arguments["x-dead-letter-exchange"] == topology.DEAD
    assert queue.arguments["x-dead-letter-strategy"] == "at-least-once"
    # Otherwise RabbitMQ falls back to at-most-once and says nothing.
    assert queue.arguments["x-overflow"] == "reject-publish"


def test_every_exchange_a_message_can_end_in_has_a_queue() -> None:
    bound = {binding.exchange for binding in topology.BINDINGS}
    assert {exchange.name for exchange in topology.EXCHANGES} == bound
    alternates = {it.arguments.get("alternate-exchange") for it in topology.EXCHANGES} - {None}
    assert alternates == {topology.UNDELIVERABLE}


def test_no_policy_can_make_the_last_queue_reject() -> None:
    for policy in topology.POLICIES:
        assert not re.search(policy.pattern, topology.RELAY_DEAD)


def test_a_queue_keeps_an_envelope_for_longer_than_it_may_live_and_not_much() -> None:
    for policy in topology.POLICIES:
        assert 0 < policy.definition["message-ttl"] / 1000 - MAX_LIFETIME <= 24 * 3600


def test_our_configuration_passes_our_own_check() -> None:
    wal = wal_bytes([str(CONFIGURATION)])
    limit = int(configured()["disk_free_limit.absolute"])
    node = {"name": "r0", "disk_free_limit": limit, "config_files": [str(CONFIGURATION)]}
    assert wal == topology.WAL_BYTES == int(configured()["raft.wal_max_size_bytes"])
    assert disk_warnings([node]) == ()
    assert int(configured()["max_message_size"]) >= MAX_BODY


@pytest.mark.parametrize(
    ("limit", "files", "warned"),
    [
        (50_000_000, [], True),
        (4 * topology.WAL_BYTES, [], False),
        (4 * topology.WAL_BYTES - 1, [], True),
        ("disabled", [], False),
        (None, ["/nonexistent"], False),
    ],
)
def test_a_disk_alarm_that_comes_too_late_is_named(
    limit: object, files: list[str], warned: bool
) -> None:
    warnings = disk_warnings([{"name": "r0", "disk_free_limit": limit, "config_files": files}])
    assert bool(warnings) is warned


def test_a_larger_log_needs_a_larger_reserve(tmp_path: Path) -> None:
    file = tmp_path / "r.conf"
    file.write_text("raft.wal_max_size_bytes = 512000000\n")
    node = {"name": "r0", "disk_free_limit": 300_000_000, "config_files": [str(file)]}
    (warning,) = disk_warnings([node])
    assert "2048000000" in warning


def test_the_user_everybody_knows_is_named() -> None:
    assert user_warnings([{"name": "hub"}]) == ()
    (warning,) = user_warnings([{"name": "hub"}, {"name": "guest"}])
    assert "guest" in warning


def test_without_the_management_interface_the_report_says_what_is_not_set() -> None:
    text = text_of(Report(("a",), (), ("p", "q"), ("Look.",)))
    assert "Not set: p, q" in text
    assert "RUJUKAN_QUEUE_MANAGEMENT_URL" in text
    assert "Warning: Look." in text
