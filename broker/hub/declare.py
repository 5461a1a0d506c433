"""`declare`: bring RabbitMQ to what `topology` says, and say what could not be done.

Objects are declared over AMQP, policies over the management API, with the same user. Without
a management URL the policies are named as not set. Repeating it changes nothing. It refuses to
delete or to change what stands, and to touch a vhost in which another network's queues stand: a
relay that believes another root file would refuse, and so end, every envelope waiting there.

    report = declare(queue_url, management_url, net=root.net)
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker import amqp
from broker.hub import topology
from broker.hub.management import Management
from broker.service.failures import Failure


class AnotherNetwork(Failure):
    """The vhost carries somebody else's envelopes."""


@dataclass(frozen=True, slots=True)
class Report:
    """What stands now, what was not set, and what the operator should look at."""

    objects: tuple[str, ...]
    policies: tuple[str, ...]
    not_set: tuple[str, ...]
    warnings: tuple[str, ...]


def declare(queue_url: str, management_url: str | None, *, net: str) -> Report:
    """Declare everything for the network `net`.

    Raises `QueueUnavailable`, `ManagementUnavailable`, `AnotherNetwork`.
    """
    mark = topology.network_mark(net)
    _refuse_another_network(queue_url, mark)
    amqp.declare(
        queue_url,
        # The mark first: a crash must not leave queues that nobody owns.
        exchanges=(mark, *topology.EXCHANGES),
        queues=topology.QUEUES,
        bindings=topology.BINDINGS,
    )
    objects = tuple(one.name for one in (*topology.EXCHANGES, *topology.QUEUES))
    names = tuple(policy.name for policy in topology.POLICIES)
    if management_url is None:
        return Report(objects, (), names, ())
    with closing(Management(queue_url, management_url)) as api:
        for policy in topology.POLICIES:
            api.put_policy(policy)
        nodes, users = api.readable("/api/nodes"), api.readable("/api/users?columns=name")
    return Report(objects, names, (), (*disk_warnings(nodes), *user_warnings(users)))


def _refuse_another_network(queue_url: str, mark: amqp.Exchange) -> None:
    if amqp.has_queue(queue_url, topology.RELAY_IN) and not amqp.has_exchange(queue_url, mark.name):
        raise AnotherNetwork(
            "Nothing was declared: another network's queues stand in this vhost, and its envelopes "
            "may be waiting there. Name a vhost of your own in RUJUKAN_QUEUE_URL."
        )


def disk_warnings(nodes: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    """A sentence for every node whose free-space alarm comes too late to keep what it confirmed.

    `nodes` as `GET /api/nodes` gives them: `disk_free_limit` in bytes. The size of the
    write-ahead log is not in there; it is read from the node's own files where they are ours to
    read, else taken to be what our configuration sets.
    """
    return tuple(
        f"Node {node.get('name', '?')} stops accepting messages only when less than "
        f"{limit} bytes of disk are free; it needs at least {needed} (4 times its write-ahead "
        "log), else a full disk can lose confirmed messages. Raise disk_free_limit.absolute."
        for node in nodes
        if isinstance(limit := node.get("disk_free_limit"), int)
        and limit < (needed := topology.DISK_TO_WAL * wal_bytes(node.get("config_files", ())))
    )


def user_warnings(users: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    """RabbitMQ's first user has a password everybody knows."""
    if any(user.get("name") == "guest" for user in users):
        return ("RabbitMQ still has the user guest. Delete it where others can reach the port.",)
    return ()


def wal_bytes(config_files: Iterable[str]) -> int:
    """`raft.wal_max_size_bytes` of the first of these files that sets it."""
    for name in config_files:
        for line in _lines(Path(name)):
            key, _, value = line.partition("=")
            if key.strip() == "raft.wal_max_size_bytes" and value.strip().isdecimal():
                return int(value)
    return topology.WAL_BYTES


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
