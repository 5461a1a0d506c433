"""Users at RabbitMQ for devices that consume there: made at login, ended with the device's rights.

A device that has logged in by signature gets a user of its own for twelve hours. Its password is
made here, given once, and kept nowhere. Every few seconds somebody compares who may be there with
who is there: whoever the register no longer lets in, or whose time is over, loses first the user
and then every open connection. (An open channel goes on for long where only rights are taken.)
Where the directory has been away for a day or contradicts itself nobody may, as over HTTPS.

    given = users.issue(box, now=now)
    users.guard(now=now)
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from broker.hub import topology
from broker.hub.boxes import Boxes
from broker.hub.known import Known, MirrorContradicted, MirrorTooOld
from broker.hub.management import ManagementUnavailable, QueueOffice, secret_hash
from broker.hub.store import Box, Store, parse_box
from broker.service.logs import logger
from contracts.errors import Malformed

CREDENTIAL_SECONDS: Final = 12 * 3600
# A freeze ends connections within a minute: a mirror 5 s old, this, and RabbitMQ's list of
# connections, which shows a new one 5 s late, so that it may take one more turn.
GUARD_EVERY_SECONDS: Final = 10

_SECRET_SIZE: Final = 32
_GUARD: Final = "queue_users"

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a device logs in with at RabbitMQ, and the queue it may consume from."""

    url: str
    vhost: str
    user: str
    password: str = field(repr=False)
    queue: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Guarded:
    """Users removed and connections closed by one turn."""

    users: int
    connections: int


class QueueUsers:
    """The devices' users in one vhost. `public_url` is where devices reach RabbitMQ."""

    def __init__(self, *, boxes: Boxes, office: QueueOffice, known: Known, public_url: str) -> None:
        self.boxes = boxes
        self.office = office
        self._known = known
        self._public_url = public_url

    def issue(self, box: Box, *, now: int) -> Credentials:
        """A user with a fresh password, and the device's queue; what was open stays open.

        Raises `ManagementUnavailable`; then the device fetches over HTTPS as before.
        """
        # First the row: a user without one would be taken for a stranger by the next `guard`.
        holder = self.boxes.issue(box, until=now + CREDENTIAL_SECONDS, now=now)
        secret = secrets.token_urlsafe(_SECRET_SIZE)
        self.office.put_box(holder.token)
        rights = topology.device_rights(box.org, holder.token)
        self.office.put_user(str(box), secret_hash(secret), rights)
        return Credentials(
            url=self._public_url,
            vhost=self.office.vhost,
            user=str(box),
            password=secret,
            queue=topology.box_queue(holder.token).name,
            expires_at=holder.until,
        )

    def guard(self, *, now: int) -> Guarded:
        """Remove the users that may not be there, then close their connections."""
        strangers = self._devices(self.office.users()) - self.allowed(now=now)
        for name in strangers:
            self.office.delete_user(name)
        open_ones = [one for one in self.office.connections() if _is_device(one.user)]
        # Asked again: who was let in meanwhile may have connected.
        allowed = self.allowed(now=now) if open_ones else frozenset()
        closing = [one for one in open_ones if one.user not in allowed]
        for one in closing:
            self.office.close_connection(one.name)
        return Guarded(users=len(strangers), connections=len(closing))

    def expel(self, box: Box) -> None:
        """End this device's user and connections now; it may ask for another."""
        self.office.delete_user(str(box))
        for one in self.office.connections():
            if one.user == str(box):
                self.office.close_connection(one.name)

    def allowed(self, *, now: int) -> frozenset[str]:
        """The names of those who may be connected."""
        return frozenset(
            str(holder.box)
            for holder in self.boxes.holders()
            if holder.until > now and self.in_force(holder.box, now=now)
        )

    def in_force(self, box: Box, *, now: int) -> bool:
        """Whether the register lets this device in."""
        try:
            device = self._known.current(now=now).device(box.org, box.device)
        except (MirrorTooOld, MirrorContradicted):
            return False
        return device is not None and device.in_force(now)

    @staticmethod
    def _devices(names: frozenset[str]) -> frozenset[str]:
        return frozenset(filter(_is_device, names))


def _is_device(name: str) -> bool:
    """The hub's own users and an operator's are never called `<org>.<device>`."""
    try:
        parse_box(name)
    except Malformed:
        return False
    return True


def guard_if_due(users: QueueUsers, store: Store, *, now: int) -> None:
    """`guard`, unless another process of this hub did it a moment ago. Never raises for a service
    that is away: the next turn does what this one could not."""
    try:
        if not store.claim(_GUARD, GUARD_EVERY_SECONDS, now=now):
            return
        guarded = users.guard(now=now)
    except (SQLAlchemyError, ManagementUnavailable) as error:
        _log.error("queue_users_not_checked", exc_info=error)
        return
    if guarded.users or guarded.connections:
        _log.warning("queue_users_ended", count=guarded.users, removed=guarded.connections)


def start_guarding(users: QueueUsers, store: Store, clock: Callable[[], int]) -> threading.Event:
    """Guard in a thread of this process until the returned event is set."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(GUARD_EVERY_SECONDS / 4):
            guard_if_due(users, store, now=clock())

    threading.Thread(target=run, name="queue-users", daemon=True).start()
    return stop
