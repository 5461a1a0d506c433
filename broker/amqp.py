"""How any of our processes speaks AMQP 0-9-1; the only file that imports pika.

It knows connections, channels, confirms, deadlines and reconnecting. It refuses to know what a
message is for: bodies pass through as bytes and are never logged, quoted or kept by an error.

    loop = Loop()
    intake = Consumer("relay.in", prefetch=300, deliver=on_message, lost=on_lost)
    copies = Publisher(ready=on_ready)
    Link(loop, url, name="consume", lanes=[intake]).start()
    Link(loop, url, name="publish", lanes=[copies]).start()
    loop.run()

pika is not thread-safe and does not reconnect: everything here belongs to the thread of `Loop.run`,
and a lost connection is replaced by a new one with nothing carried over. pika's own log lines show
frames, and a frame can be a body: its loggers are switched off here and this file says instead,
through callbacks, what happened.
"""

import logging
import random
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import quote, unquote, urlsplit

import pika
from pika.adapters.select_connection import IOLoop, SelectConnection
from pika.channel import Channel
from pika.exceptions import AMQPError, ChannelClosedByBroker
from pika.frame import Method
from pika.spec import Basic, BasicProperties

from broker.service.failures import Failure

HEARTBEAT_SECONDS: Final = 30
# Under a memory or disk alarm connecting and opening channels still work and publishing hangs for
# ever: the broker's notice of it must end the connection.
BLOCKED_SECONDS: Final = 3
# A link that died without a word takes about four heartbeats to notice.
PUBLISH_DEADLINE_SECONDS: Final = 10.0
FIRST_BACK_OFF_SECONDS: Final = 0.1
LAST_BACK_OFF_SECONDS: Final = 5.0
CONNECT_SECONDS: Final = 5.0
# A connection that lived this long was a good one: its successor is tried at once.
STEADY_SECONDS: Final = 5.0
# Nothing more for so long: what has come can be shown.
QUIET_SECONDS: Final = 0.2

_NOT_FOUND: Final = 404  # AMQP 0-9-1, reply codes

logging.getLogger("pika").setLevel(logging.CRITICAL + 1)


class QueueUnavailable(Failure):
    """The message queue could not be reached, or did not do what was asked."""


class Outcome(Enum):
    """What became of a published message."""

    CONFIRMED = auto()
    REFUSED = auto()  # the broker said no: a full queue
    LOST = auto()  # the connection ended first; it may be in the queue or not


@dataclass(frozen=True, slots=True)
class Message:
    """What is published: the bytes and the only properties that go with them."""

    body: bytes = field(repr=False)
    message_id: str
    expires_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Death:
    """Why and where the broker set a message aside last."""

    reason: str
    queue: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the broker handed over. `user` is checked by the broker; "" where it was not given.
    `key` is the one it was published with."""

    tag: int
    body: bytes = field(repr=False)
    user: str
    attempts: int
    death: Death | None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Exchange:
    """An exchange, always durable."""

    name: str
    kind: str
    arguments: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue, always durable."""

    name: str
    arguments: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Binding:
    """What reaches a queue from an exchange."""

    exchange: str
    queue: str
    key: str


class Timer:
    """A call that may still be cancelled."""

    def __init__(self, loop: IOLoop, seconds: float, work: Callable[[], None]) -> None:
        self._loop = loop
        self._handle = loop.call_later(seconds, work)

    def cancel(self) -> None:
        self._loop.remove_timeout(self._handle)


class Loop:
    """The one thread in which everything happens. A failure of ours ends `run`."""

    def __init__(self) -> None:
        self._io = IOLoop()
        self._broken: Exception | None = None

    @property
    def io(self) -> IOLoop:
        return self._io

    def run(self) -> None:
        """Works until `stop`, once. Raises what one of our callbacks raised, if one did."""
        try:
            self._io.start()
        finally:
            # Its wake-up sockets would otherwise stay open until the garbage is collected.
            self._io.close()
        if self._broken is not None:
            raise self._broken

    def stop(self) -> None:
        self._io.stop()

    def soon(self, work: Callable[[], None]) -> None:
        """Calls `work` next. The one method that other threads and signal handlers may call."""
        self._io.add_callback(lambda: self.guard(work))

    def later(self, seconds: float, work: Callable[[], None]) -> Timer:
        return Timer(self._io, seconds, lambda: self.guard(work))

    def guard(self, work: Callable[[], None]) -> None:
        """Calls `work`. Left to pika, its error would close a connection and be forgotten."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - raised again by run()
            self._broken = self._broken or error
            self._io.stop()


class Lane(Protocol):
    """One channel of a link: told when the connection is there, and when it is gone."""

    def open(self, link: "Link", connection: SelectConnection) -> None: ...

    def gone(self) -> None: ...


class Link:
    """One connection, made again with a growing pause for as long as the loop runs."""

    def __init__(
        self,
        loop: Loop,
        url: str,
        *,
        name: str,
        lanes: Sequence[Lane],
        told: Callable[[str, str], None] = lambda _link, _event: None,
    ) -> None:
        self.loop = loop
        self._parameters = parameters(url, name=name)
        self._name = name
        self._lanes = lanes
        self._told = told
        self._connection: SelectConnection | None = None
        self._pause = FIRST_BACK_OFF_SECONDS
        self._opened_at = 0.0
        self._ended: Callable[[], None] | None = None

    def start(self) -> None:
        """Connects; returns at once."""
        if self._ended is not None:
            return
        connection = SelectConnection(
            self._parameters,
            on_open_callback=lambda it: self.loop.guard(lambda: self._opened(it)),
            on_open_error_callback=lambda it, _error: self.loop.guard(lambda: self._lost(it)),
            on_close_callback=lambda it, _error: self.loop.guard(lambda: self._lost(it)),
            custom_ioloop=self.loop.io,
        )
        self._connection = connection

    def close(self, ended: Callable[[], None]) -> None:
        """Ends the link for good, telling the broker; `ended` is called when it has."""
        self._ended = ended
        if self._connection is None:
            self.loop.soon(ended)
        else:
            self._hang_up(self._connection)

    def drop(self, why: str) -> None:
        """Gives up this connection and makes a new one. The old one may linger until pika notices;
        nothing is heard from it any more."""
        if self._connection is None or self._ended is not None:
            return
        old, self._connection = self._connection, None
        self._hang_up(old)
        self._mourn(why)

    def _opened(self, connection: object) -> None:
        if connection is not self._connection or self._connection is None:
            return
        self._opened_at = time.monotonic()
        self._told(self._name, "connected")
        for lane in self._lanes:
            lane.open(self, self._connection)

    def _lost(self, connection: object) -> None:
        if connection is self._connection:
            self._connection = None
            self._mourn("lost" if self._ended is None else "closed")

    def _mourn(self, why: str) -> None:
        self._told(self._name, why)
        if self._opened_at and time.monotonic() - self._opened_at > STEADY_SECONDS:
            self._pause = FIRST_BACK_OFF_SECONDS
        self._opened_at = 0.0
        for lane in self._lanes:
            lane.gone()
        if self._ended is not None:
            self._ended()
        else:
            self.loop.later(self._pause * random.uniform(0.5, 1.0), self.start)  # noqa: S311 - spreads load, no secret
            self._pause = min(self._pause * 2, LAST_BACK_OFF_SECONDS)

    @staticmethod
    def _hang_up(connection: SelectConnection) -> None:
        if not (connection.is_closed or connection.is_closing):
            connection.close()


class Consumer:
    """One queue on its own channel. Tags are good for one life of the channel only: `lost` says
    when all that was not acknowledged will be handed over again, under new tags."""

    def __init__(
        self,
        queue: str,
        *,
        prefetch: int,
        deliver: Callable[[Delivery], None],
        lost: Callable[[], None],
    ) -> None:
        self._queue = queue
        self._prefetch = prefetch
        self._deliver = deliver
        self._lost = lost
        self._link: Link | None = None
        self._opening: Channel | None = None
        self._channel: Channel | None = None

    def acknowledge(self, tag: int, *, multiple: bool) -> None:
        if self._channel is not None and self._channel.is_open:
            self._channel.basic_ack(tag, multiple)

    def reject(self, tag: int, *, requeue: bool) -> None:
        if self._channel is not None and self._channel.is_open:
            self._channel.basic_reject(tag, requeue)

    def open(self, link: Link, connection: SelectConnection) -> None:
        self._link = link
        self._opening = connection.channel(
            on_open_callback=lambda it: link.loop.guard(lambda: self._begin(it))
        )

    def gone(self) -> None:
        self._opening = self._channel = None
        self._lost()

    def _begin(self, channel: Channel) -> None:
        link = self._link
        if link is None or channel is not self._opening:
            return
        self._channel = channel
        channel.add_on_close_callback(
            lambda it, error: link.loop.guard(lambda: self._closed(it, why_closed(error)))
        )
        channel.add_on_cancel_callback(
            lambda _frame: link.loop.guard(lambda: self._closed(channel, "cancelled"))
        )
        channel.basic_qos(prefetch_count=self._prefetch)
        channel.basic_consume(self._queue, self._on_message, consumer_tag=self._queue)

    def _closed(self, channel: Channel, why: str) -> None:
        if channel is self._channel and self._link is not None:
            self._link.drop(why)

    def _on_message(
        self, channel: Channel, method: Basic.Deliver, properties: BasicProperties, body: bytes
    ) -> None:
        if channel is self._channel and self._link is not None:
            delivery = delivered(method, properties, body)
            self._link.loop.guard(lambda: self._deliver(delivery))


@dataclass(slots=True)
class _Unconfirmed:
    settle: Callable[[Outcome], None]
    deadline: float


class Publisher:
    """One channel in confirm mode. Every `publish` is answered exactly once, by its `settle`."""

    def __init__(
        self, *, ready: Callable[[], None], deadline_seconds: float = PUBLISH_DEADLINE_SECONDS
    ) -> None:
        self._ready = ready
        self._deadline_seconds = deadline_seconds
        self._link: Link | None = None
        self._opening: Channel | None = None
        self._channel: Channel | None = None
        self._sequence = 0
        self._unconfirmed: dict[int, _Unconfirmed] = {}
        self._watch: Timer | None = None

    @property
    def usable(self) -> bool:
        return self._channel is not None and self._channel.is_open

    def publish(
        self, exchange: str, key: str, message: Message, settle: Callable[[Outcome], None]
    ) -> None:
        """Sends one durable message. Without a connection the answer is LOST, at once."""
        if self._channel is None or not self._channel.is_open:
            settle(Outcome.LOST)
            return
        self._sequence += 1
        deadline = time.monotonic() + self._deadline_seconds
        self._unconfirmed[self._sequence] = _Unconfirmed(settle, deadline)
        self._channel.basic_publish(exchange, key, message.body, properties_of(message))

    def open(self, link: Link, connection: SelectConnection) -> None:
        self._link = link
        self._opening = connection.channel(
            on_open_callback=lambda it: link.loop.guard(lambda: self._select(it))
        )

    def gone(self) -> None:
        self._opening = self._channel = None
        if self._watch is not None:
            self._watch.cancel()
        lost, self._unconfirmed = self._unconfirmed, {}
        for entry in lost.values():
            entry.settle(Outcome.LOST)

    def _select(self, channel: Channel) -> None:
        link = self._link
        if link is None or channel is not self._opening:
            return
        channel.add_on_close_callback(
            lambda it, error: link.loop.guard(lambda: self._closed(it, why_closed(error)))
        )
        channel.confirm_delivery(
            lambda frame: link.loop.guard(lambda: self._answered(channel, frame)),
            callback=lambda _frame: link.loop.guard(lambda: self._begin(link, channel)),
        )

    def _begin(self, link: Link, channel: Channel) -> None:
        if channel is not self._opening:
            return
        self._channel = channel
        self._sequence = 0
        self._watch = link.loop.later(1.0, self._check_deadline)
        self._ready()

    def _answered(self, channel: Channel, frame: Method[Basic.Ack | Basic.Nack]) -> None:
        if channel is not self._channel:
            return
        answer = frame.method
        confirmed = isinstance(answer, Basic.Ack)
        outcome = Outcome.CONFIRMED if confirmed else Outcome.REFUSED
        for sequence in self._covered(answer.delivery_tag, multiple=answer.multiple):
            self._unconfirmed.pop(sequence).settle(outcome)

    def _covered(self, tag: int, *, multiple: bool) -> list[int]:
        if not multiple:
            return [tag] if tag in self._unconfirmed else []
        covered = []
        for sequence in self._unconfirmed:  # in the order of publishing
            if sequence > tag:
                break
            covered.append(sequence)
        return covered

    def _check_deadline(self) -> None:
        if self._link is None or self._channel is None:
            return
        oldest = next(iter(self._unconfirmed.values()), None)
        if oldest is not None and time.monotonic() > oldest.deadline:
            self._link.drop("publish_deadline")
            return
        self._watch = self._link.loop.later(1.0, self._check_deadline)

    def _closed(self, channel: Channel, why: str) -> None:
        if self._link is not None and channel is self._opening:
            self._link.drop(why)


def declare(
    url: str,
    *,
    exchanges: Sequence[Exchange],
    queues: Sequence[Queue],
    bindings: Sequence[Binding],
) -> None:
    """Creates what is missing; repeating it changes nothing. Raises QueueUnavailable, also where
    an object of that name exists with other arguments (those never change)."""
    with _blocking_channel(url) as channel:
        for exchange in exchanges:
            channel.exchange_declare(
                exchange.name,
                exchange_type=exchange.kind,
                durable=True,
                arguments=dict(exchange.arguments),
            )
        for queue in queues:
            channel.queue_declare(queue.name, durable=True, arguments=dict(queue.arguments))
        for binding in bindings:
            channel.queue_bind(binding.queue, binding.exchange, binding.key)


def has_queue(url: str, name: str) -> bool:
    """Whether a queue of this name stands in the vhost. Raises QueueUnavailable."""
    return _stands(url, lambda channel: channel.queue_declare(name, passive=True))


def has_exchange(url: str, name: str) -> bool:
    """Whether an exchange of this name stands in the vhost. Raises QueueUnavailable."""
    return _stands(url, lambda channel: channel.exchange_declare(name, passive=True))


class Handled(Enum):
    """What a consumer says of a delivery it was handed."""

    DONE = auto()  # acknowledge
    AGAIN = auto()  # give back; the broker counts this
    HOLD = auto()  # keep in hand, to be handed over again by the next `pump`


class Inbox:
    """One queue consumed by a thread that has other work too. Nothing is read between pumps."""

    def __init__(self, url: str, queue: str, *, prefetch: int, ca_file: Path | None = None) -> None:
        """Connects and begins to consume. Raises QueueUnavailable."""
        self._arrived: deque[Delivery] = deque()
        self._cancelled = False
        wanted = parameters(url, name="desk", ca_file=ca_file)
        with _in_a_sentence(_CONSUMING):
            self._connection = pika.BlockingConnection(wanted)
            try:
                self._channel = self._connection.channel()
                self._channel.add_on_cancel_callback(lambda _frame: self._cancel())
                self._channel.basic_qos(prefetch_count=prefetch)
                self._channel.basic_consume(queue, self._on_message)
            except BaseException:
                self.close()
                raise

    def pump(self, seconds: float, handle: Callable[[Delivery], Handled]) -> None:
        """Hands over what comes for so long, or until it stops coming, each when it comes.
        What `handle` raises ends it: then close, and the broker hands over again what was not
        acknowledged. Raises QueueUnavailable where the connection has ended."""
        held: list[Delivery] = []
        deadline = time.monotonic() + seconds
        with _in_a_sentence(_CONSUMING):
            while True:
                while self._arrived:
                    delivery = self._arrived.popleft()
                    if not self._answer(delivery, handle(delivery)):
                        held.append(delivery)
                    deadline = min(deadline, time.monotonic() + QUIET_SECONDS)
                if self._cancelled:
                    raise QueueUnavailable(_CONSUMING)
                left = deadline - time.monotonic()
                self._connection.process_data_events(max(left, 0))
                if left <= 0 and not self._arrived:
                    break
        self._arrived.extend(held)

    def close(self) -> None:
        """Ends the connection; what is in hand comes again."""
        if self._connection.is_open:
            with suppress(AMQPError, OSError):
                self._connection.close()

    def _answer(self, delivery: Delivery, handled: Handled) -> bool:
        if handled is Handled.DONE:
            self._channel.basic_ack(delivery.tag)
        elif handled is Handled.AGAIN:
            self._channel.basic_reject(delivery.tag, requeue=True)
        return handled is not Handled.HOLD

    def _cancel(self) -> None:
        self._cancelled = True

    def _on_message(
        self,
        _channel: pika.adapters.blocking_connection.BlockingChannel,
        method: Basic.Deliver,
        properties: BasicProperties,
        body: bytes,
    ) -> None:
        self._arrived.append(delivered(method, properties, body))


def empty(url: str, queue: str, take: Callable[[Delivery], None]) -> int:
    """Hands over every message of a queue, acknowledging each when `take` has returned; how many.
    What `take` raises ends it, and the message stays. Raises QueueUnavailable."""
    with _blocking_channel(url) as channel:
        count = 0
        while True:
            method, properties, body = channel.basic_get(queue)
            if method is None or properties is None or body is None:
                return count
            take(delivered(method, properties, body))
            channel.basic_ack(method.delivery_tag or 0)
            count += 1


def with_login(url: str, *, vhost: str, user: str, password: str) -> str:
    """`url`, which names a host, with who comes in and where to."""
    scheme, _, host = url.partition("://")
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    return f"{scheme}://{login}@{host.rstrip('/')}/{quote(vhost, safe='')}"


def parameters(url: str, *, name: str, ca_file: Path | None = None) -> pika.ConnectionParameters:
    """What pika needs of `url`. With a `ca_file` only its authorities are believed. A query is
    refused: pika reads TLS switches out of it, and verification is not to be switched off."""
    parts = urlsplit(url)
    if parts.scheme not in ("amqp", "amqps") or parts.query or not parts.hostname:
        raise QueueUnavailable(
            "The queue's URL cannot be used. Nothing was changed. Give it as "
            "amqps://user:password@host:port/vhost, without a query."
        )
    secure = parts.scheme == "amqps"
    tls = pika.SSLOptions(_verifying(ca_file), parts.hostname) if secure else None
    return pika.ConnectionParameters(
        host=parts.hostname,
        port=parts.port or (5671 if secure else 5672),
        virtual_host=virtual_host(url),
        credentials=pika.PlainCredentials(
            unquote(parts.username or "guest"), unquote(parts.password or "guest")
        ),
        heartbeat=HEARTBEAT_SECONDS,
        blocked_connection_timeout=BLOCKED_SECONDS,
        socket_timeout=CONNECT_SECONDS,
        stack_timeout=CONNECT_SECONDS * 2,
        connection_attempts=1,
        ssl_options=tls,
        client_properties={"connection_name": name},
    )


def _verifying(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError):
        raise QueueUnavailable(
            "The file of authorities for the queue holds no certificate that can be read. Nothing "
            "was changed and no message is lost. Correct the setting that names it."
        ) from None


def why_closed(error: BaseException) -> str:
    """`refused_<code>` where the broker closed the channel itself (404: not declared)."""
    return f"refused_{error.reply_code}" if isinstance(error, ChannelClosedByBroker) else "lost"


def virtual_host(url: str) -> str:
    """The vhost is the URL's path; without one it is RabbitMQ's default, "/"."""
    return unquote(urlsplit(url).path[1:]) or "/"


def delivered(
    method: Basic.Deliver | Basic.GetOk, properties: BasicProperties, body: bytes
) -> Delivery:
    """The parts of a delivery anything of ours may act on; every other property is ignored."""
    headers: Mapping[str, object] = properties.headers or {}
    attempts = headers.get("x-delivery-count", 0)
    return Delivery(
        tag=method.delivery_tag or 0,
        body=body,
        user=properties.user_id or "",
        attempts=attempts if isinstance(attempts, int) else 0,
        death=_last_death(headers.get("x-death")),
        key=method.routing_key or "",
    )


def properties_of(message: Message) -> BasicProperties:
    """Made afresh for every message: nothing a sender wrote into its properties travels on."""
    expiration = None if message.expires_ms is None else str(message.expires_ms)
    return BasicProperties(message_id=message.message_id, delivery_mode=2, expiration=expiration)


def _last_death(header: object) -> Death | None:
    """The newest entry stands first. A sender can write this header too, but RabbitMQ puts the
    true last event in front of whatever was there."""
    if not isinstance(header, list) or not header or not isinstance(header[0], dict):
        return None
    newest = header[0]
    return Death(reason=str(newest.get("reason", "")), queue=str(newest.get("queue", "")))


def _stands(
    url: str, ask: Callable[[pika.adapters.blocking_connection.BlockingChannel], object]
) -> bool:
    with _blocking_channel(url) as channel:
        try:
            ask(channel)
        except ChannelClosedByBroker as closed:
            if closed.reply_code == _NOT_FOUND:
                return False
            raise
    return True


_CONSUMING: Final = (
    "RabbitMQ could not be reached, refused the login, or ended the connection. No message is "
    "lost: what was not acknowledged comes again."
)


@contextmanager
def _in_a_sentence(text: str) -> Iterator[None]:
    try:
        yield
    except (AMQPError, OSError):
        raise QueueUnavailable(text) from None


@contextmanager
def _blocking_channel(url: str) -> Iterator[pika.adapters.blocking_connection.BlockingChannel]:
    wanted = parameters(url, name="declare")
    try:
        connection = pika.BlockingConnection(wanted)
    except (AMQPError, OSError):
        raise QueueUnavailable(
            "RabbitMQ could not be reached, or refused the user or the vhost. Nothing was changed. "
            "See that it runs and that RUJUKAN_QUEUE_URL is right, then repeat the command."
        ) from None
    try:
        yield connection.channel()
    except (AMQPError, OSError) as error:
        raise QueueUnavailable(
            f"RabbitMQ refused to declare an object ({why_closed(error)}): this user may not,"
            " one of that name exists with other arguments, which never change, or RabbitMQ itself"
            " is in trouble. What was declared before stands; no message is lost. See RabbitMQ's"
            " log for the name."
        ) from None
    finally:
        if connection.is_open:
            connection.close()
