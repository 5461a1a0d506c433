"""Fetching from the hub's queue: handed over as it comes, instead of asked for every few seconds.

The desk asks the hub, logged in by signature, for a user at RabbitMQ; the password lives in this
process's memory until the next one. It consumes its own queue and takes each envelope exactly as
one from the mailbox, and acknowledges it after the desk's commit. What it sends still goes over
HTTPS, and so does fetching what the mailbox holds. An address that is not verified by TLS is not
connected to, whoever names it (a literal loopback address apart).

    with closing(QueueReceiver.of(desk, settings)) as queue:
        received, trouble = queue.pump(5.0)

Any loss of the connection is answered by fresh credentials. An envelope that cannot be taken now
(the directory away, the disk full) is kept in hand and tried again, as a lease would be.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol

from broker import amqp
from broker.desk.client import HubClient, Unreachable
from broker.desk.courier import Round
from broker.desk.errors import DeskError
from broker.desk.receiving import Fate, Received, Taken, take
from broker.desk.unlocking import SYNC_EVERY, Desk
from broker.service.failures import Failure
from broker.service.logs import logger
from broker.service.settings import NotUsable, amqp_url, existing_file, setting
from contracts.encoding import number_of, parse_object, text_of
from contracts.errors import ContractError

PREFETCH: Final = 10
RETRY_SECONDS: Final = 15.0
# As long as the mailbox lends an envelope; given back then, the broker counts the attempt.
HELD_SECONDS: Final = 120.0
_MAX_ANSWER: Final = 8 * 1024

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """What fetching from the queue reads besides the desk's own settings."""

    ca_file: Path | None = setting(
        "RUJUKAN_QUEUE_CA_FILE",
        "the authorities that may vouch for the hub's queue; without it the system's",
        parse=existing_file,
        default=None,
    )


class QueueAway(Failure):
    """The queue cannot be used now; the mailbox goes on."""

    code: Final = "queue_away"

    def __init__(self) -> None:
        super().__init__(
            "The hub's queue cannot be reached. Nothing is lost: what was sent to you is kept and "
            "comes when it answers again. If this stays, tell the hub's operator."
        )


@dataclass(frozen=True, slots=True)
class QueueLogin:
    """Where the hub's queue is, and as whom to come in until `expires_at`."""

    address: str = field(repr=False)
    queue: str
    expires_at: int


class QueueHub(HubClient):
    """The hub, asked for a user at its queue."""

    def login(self) -> QueueLogin:
        """Fresh credentials. Raises `Unreachable`, `DeskError`."""
        answer = self._granted("/v1/queue/credentials", b"{}")
        try:
            fields = parse_object(answer.content, limit=_MAX_ANSWER)
            address = amqp.with_login(
                amqp_url(text_of(fields, "url")),
                vhost=text_of(fields, "vhost"),
                user=text_of(fields, "user"),
                password=text_of(fields, "password"),
            )
            return QueueLogin(address, text_of(fields, "queue"), number_of(fields, "expires_at"))
        except ContractError:
            raise Unreachable from None
        except NotUsable:
            raise DeskError("hub_refuses", rule="a verified address of its queue") from None


class Consumes(Protocol):
    """An open connection to the queue."""

    def pump(self, seconds: float, handle: Callable[[amqp.Delivery], amqp.Handled]) -> None: ...
    def close(self) -> None: ...


class Logins(Protocol):
    """Where credentials come from."""

    def login(self) -> QueueLogin: ...
    def close(self) -> None: ...


class QueueReceiver:
    """One desk's fetching from the queue; for one thread."""

    def __init__(
        self, desk: Desk, *, hub: Logins, connect: Callable[[QueueLogin], Consumes]
    ) -> None:
        self._desk = desk
        self._hub = hub
        self._connect = connect
        self._login: QueueLogin | None = None
        self._inbox: Consumes | None = None
        self._renew_at = 0
        self._not_before = 0.0
        self._held_since: dict[int, float] = {}

    @classmethod
    def of(cls, desk: Desk, settings: QueueSettings) -> QueueReceiver:
        """For this unlocked desk; connects when first pumped."""
        hub = QueueHub(desk.hub_facts, org=desk.org, key=desk.ring.signing, clock=desk.clock)

        def connect(login: QueueLogin) -> amqp.Inbox:
            ca_file = settings.ca_file
            return amqp.Inbox(login.address, login.queue, prefetch=PREFETCH, ca_file=ca_file)

        return cls(desk, hub=hub, connect=connect)

    @property
    def connected(self) -> bool:
        """Whether `pump` has waited for something to come."""
        return self._inbox is not None

    def pump(self, seconds: float) -> tuple[Received, Failure | None]:
        """Take what comes for so long; what was taken, and what stood in the way.

        Raises only for faults of our own and a hard stop of the log.
        """
        taken: list[Taken] = []
        try:
            # Nothing is fetched with a stale view of who is who.
            self._desk.log.ensure_fresh(SYNC_EVERY)
            inbox = self._open()
            if inbox is not None:
                inbox.pump(seconds, lambda delivery: self._take(delivery, taken))
        except amqp.QueueUnavailable:
            return _report(taken), self._lost(QueueAway())
        except Unreachable:
            return _report(taken), self._lost(DeskError("hub_unreachable"))
        except Failure as trouble:
            return _report(taken), self._lost(trouble)
        return _report(taken), None

    def joined(self, round_: Round, *, seconds: float) -> Round:
        """The round, with what the queue brings within these seconds."""
        received, trouble = self.pump(seconds)
        troubles = round_.troubles
        if trouble is not None and str(trouble) not in map(str, troubles):
            troubles = (*troubles, trouble)
        return replace(round_, received=_sum(round_.received, received), troubles=troubles)

    def close(self) -> None:
        """Close the connections and forget the password."""
        self._drop()
        self._hub.close()

    def _open(self) -> Consumes | None:
        """The connection, made or renewed where it is due; None while it is too soon."""
        if self._inbox is not None:
            self._renew()
        if self._inbox is None:
            if time.monotonic() < self._not_before:
                return None
            self._login = self._ask()
            self._inbox = self._connect(self._login)
            _log.info("queue_link", state="desk_connected")
        return self._inbox

    def _renew(self) -> None:
        """More time for the user this connection came in as; the connection itself stays."""
        if self._desk.clock() < self._renew_at:
            return
        before = self._login
        self._login = self._ask()
        if before is None or self._login.queue != before.queue:
            self._drop()

    def _ask(self) -> QueueLogin:
        now = self._desk.clock()
        login = self._hub.login()
        self._renew_at = now + max(0, login.expires_at - now) // 2
        return login

    def _take(self, delivery: amqp.Delivery, taken: list[Taken]) -> amqp.Handled:
        fate = Fate.LEAVE
        try:
            one = take(self._desk, delivery.body)
        except Exception as error:  # noqa: BLE001 - one letter must not hold up the others
            _log.error("envelope_not_taken", attempt=delivery.attempts + 1, exc_info=error)
        else:
            fate = one.fate
            taken.append(one)
        if fate is Fate.ACKNOWLEDGE:
            self._held_since.pop(delivery.tag, None)
            return amqp.Handled.DONE
        return self._hold(delivery.tag, counted=fate is Fate.LEAVE)

    def _hold(self, tag: int, *, counted: bool) -> amqp.Handled:
        now = time.monotonic()
        since = self._held_since.setdefault(tag, now)
        if not counted or now - since < HELD_SECONDS:
            return amqp.Handled.HOLD
        del self._held_since[tag]
        return amqp.Handled.AGAIN

    def _lost(self, trouble: Failure) -> Failure:
        self._drop()
        self._not_before = time.monotonic() + RETRY_SECONDS
        _log.warning("queue_link", state="desk_lost")
        return trouble

    def _drop(self) -> None:
        inbox, self._inbox, self._login = self._inbox, None, None
        self._held_since.clear()
        if inbox is not None:
            inbox.close()


def _sum(one: Received, other: Received) -> Received:
    return Received(
        entries=one.entries + other.entries,
        receipts=one.receipts + other.receipts,
        rejected=one.rejected + other.rejected,
        left=one.left + other.left,
    )


def _report(taken: list[Taken]) -> Received:
    return Received(
        entries=tuple(one.entry for one in taken if one.entry is not None),
        receipts=sum(one.receipt for one in taken),
        rejected=sum(one.rejected for one in taken),
        left=sum(one.fate is not Fate.ACKNOWLEDGE for one in taken),
    )
