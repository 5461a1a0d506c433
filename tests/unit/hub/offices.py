"""RabbitMQ's management interface in memory: users, connections, queues; and devices' users on it.

office = FakeOffice()
users = queue_users(hub, office)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from broker.hub.boxes import Boxes
from broker.hub.management import Connection, ManagementUnavailable, QueueState
from broker.hub.parts import Hub
from broker.hub.queue_users import QueueUsers
from broker.hub.topology import Rights, box_queue

PUBLIC_URL = "amqps://queue.example:5671"


@dataclass
class FakeOffice:
    """Does what RabbitMQ does, and writes down in which order it was told."""

    away: bool = False
    vhost: str = "referral"
    secrets: dict[str, str] = field(default_factory=dict)
    rights: dict[str, Rights] = field(default_factory=dict)
    open: dict[str, str] = field(default_factory=dict)  # connection → user
    queues: dict[str, QueueState] = field(default_factory=dict)
    bound: set[str] = field(default_factory=set)
    told: list[tuple[str, str]] = field(default_factory=list)

    def put_box(self, token: str) -> None:
        self._tell("put_box", token)
        self.bound.add(token)
        self.queues.setdefault(token, QueueState(box_queue(token).name, 0, 0))

    def put_user(self, name: str, secret_hash: str, rights: Rights) -> None:
        self._tell("put_user", name)
        self.secrets[name], self.rights[name] = secret_hash, rights

    def users(self) -> frozenset[str]:
        return frozenset(self.secrets)

    def delete_user(self, name: str) -> None:
        self._tell("delete_user", name)
        self.secrets.pop(name, None)

    def connections(self) -> tuple[Connection, ...]:
        return tuple(Connection(name, user) for name, user in self.open.items())

    def close_connection(self, name: str) -> None:
        self._tell("close_connection", name)
        self.open.pop(name, None)

    def boxes(self) -> Mapping[str, QueueState]:
        return dict(self.queues)

    def unbind_box(self, token: str) -> None:
        self._tell("unbind_box", token)
        self.bound.discard(token)

    def delete_box(self, token: str) -> None:
        self._tell("delete_box", token)
        self.queues.pop(token)

    def _tell(self, what: str, whom: str) -> None:
        if self.away:
            raise ManagementUnavailable("away")
        self.told.append((what, whom))


def queue_users(hub: Hub, office: FakeOffice) -> QueueUsers:
    """Devices' users of this hub at that RabbitMQ."""
    return QueueUsers(
        boxes=Boxes(hub.engine), office=office, known=hub.known, public_url=PUBLIC_URL
    )
