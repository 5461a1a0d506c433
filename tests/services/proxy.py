"""A loopback TCP proxy for AMQP that can hold back what a client answers.

    with run_proxy(node.port) as proxy:
        proxy.hold()          # from now on no basic.ack or basic.reject reaches the broker
        ...                   # url with proxy.port instead of the broker's

It parses frames (AMQP 0-9-1, §4.2.3) and counts what passes, so that a test sees from outside how
far a process has come, and what the broker marks as delivered before. What is held is lost with
its connection, like everything else that was on the way when a process died.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.services.ports import LOOPBACK

METHOD_FRAME: Final = 1
BASIC: Final = 60
DELIVER: Final = (BASIC, 60)
PUBLISH: Final = (BASIC, 40)
ACK: Final = (BASIC, 80)
REJECT: Final = (BASIC, 90)
NACK: Final = (BASIC, 120)
ANSWERS: Final = frozenset({ACK, REJECT, NACK})
PROTOCOL_HEADER: Final = 8
FRAME_HEADER: Final = 7
FRAME_END: Final = 1


class Proxy:
    """Counts since the start, by queue (our consumers are tagged by it) where that is known.

    Read them from any thread; they only grow.
    """

    def __init__(self, broker_port: int) -> None:
        self._broker_port = broker_port
        self._lock = threading.Lock()
        self._holding = False
        self._holding_confirms = False
        self._held: list[tuple[socket.socket, bytes]] = []
        self._sockets: set[socket.socket] = set()
        self._clients: set[socket.socket] = set()
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self.published = 0
        self.confirmed = 0
        self.answers_held = 0
        self.delivered: Counter[str] = Counter()
        self.redelivered: Counter[str] = Counter()
        # Tags handed over and not answered yet, by client, channel and queue.
        self._in_hand: dict[tuple[socket.socket, int], dict[int, str]] = {}

    def in_hand(self, queue: str) -> int:
        """Messages of `queue` that clients now have and whose answer has not passed."""
        with self._lock:
            return sum(of == queue for tags in self._in_hand.values() for of in tags.values())

    def hold(self) -> None:
        """Keep back every answer of the clients, in order."""
        with self._lock:
            self._holding = True

    def hold_confirms(self) -> None:
        """Keep back every confirm of the broker."""
        with self._lock:
            self._holding_confirms = True

    def release(self) -> None:
        """Pass on what was held on connections that are still there, and hold no more."""
        with self._lock:
            self._holding = self._holding_confirms = False
            for target, frame in self._held:
                with contextlib.suppress(OSError):
                    target.sendall(frame)
            self._held.clear()

    def drop_connections(self) -> None:
        """Cut every connection, as a failing network does; what is held is lost."""
        with self._lock:
            sockets, self._sockets = self._sockets, set()
            self._held.clear()
        for one in sockets:
            _close(one)

    def serve(self) -> None:
        """Take connections until the listener is closed."""
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def close(self) -> None:
        """Stop listening and cut what there is."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_connections()

    def _connect(self, client: socket.socket) -> None:
        try:
            broker = socket.create_connection((LOOPBACK, self._broker_port), timeout=5)
        except OSError:
            _close(client)
            return
        for one in (client, broker):
            one.settimeout(None)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._sockets |= {client, broker}
            self._clients.add(client)
        back = threading.Thread(target=self._to_client, args=(broker, client), daemon=True)
        back.start()
        self._to_broker(client, broker)

    def _to_broker(self, client: socket.socket, broker: socket.socket) -> None:
        with _both_closed(client, broker), self._forgotten(client):
            reader = _Reader(client)
            broker.sendall(reader.take(PROTOCOL_HEADER))
            for burst in reader.bursts():
                passing = [frame for frame in burst if not self._held_back(frame, client, broker)]
                if passing:
                    broker.sendall(b"".join(passing))

    @contextmanager
    def _forgotten(self, client: socket.socket) -> Iterator[None]:
        """A client that is gone has nothing in hand."""
        try:
            yield
        finally:
            with self._lock:
                self._clients.discard(client)
                for key in [key for key in self._in_hand if key[0] is client]:
                    del self._in_hand[key]

    def _held_back(self, frame: bytes, client: socket.socket, broker: socket.socket) -> bool:
        method = _method(frame)
        with self._lock:
            self.published += method == PUBLISH
            if method not in ANSWERS:
                return False
            if self._holding:
                self._held.append((broker, frame))
                self.answers_held += 1
                return True
            self._let_go(frame, client)
            return False

    def _let_go(self, frame: bytes, client: socket.socket) -> None:
        tags = self._in_hand.get((client, _channel(frame)), {})
        newest, multiple = _answered(frame)
        for tag in [tag for tag in tags if tag == newest or (multiple and tag < newest)]:
            del tags[tag]

    def _to_client(self, broker: socket.socket, client: socket.socket) -> None:
        with _both_closed(client, broker):
            for burst in _Reader(broker).bursts():
                passing = [frame for frame in burst if not self._held_confirm(frame, client)]
                if passing:
                    client.sendall(b"".join(passing))

    def _held_confirm(self, frame: bytes, client: socket.socket) -> bool:
        self._count(frame, client)
        with self._lock:
            if _method(frame) != ACK or not self._holding_confirms:
                return False
            self._held.append((client, frame))
            return True

    def _count(self, frame: bytes, client: socket.socket) -> None:
        method = _method(frame)
        if method == DELIVER:
            queue, tag, redelivered = _delivery(frame)
            with self._lock:
                self.delivered[queue] += 1
                self.redelivered[queue] += redelivered
                # A client that is gone may still be sent what was on the way.
                if client in self._clients:
                    self._in_hand.setdefault((client, _channel(frame)), {})[tag] = queue
        elif method == ACK:
            with self._lock:
                self.confirmed += 1


class _Reader:
    """Whole frames out of a stream."""

    def __init__(self, source: socket.socket) -> None:
        self._source = source
        self._buffer = bytearray()

    def take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._receive()
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def bursts(self) -> Iterator[list[bytes]]:
        """All frames that are complete, as often as more comes."""
        while True:
            burst = []
            while (frame := self._frame()) is not None:
                burst.append(frame)
            if burst:
                yield burst
            self._receive()

    def _frame(self) -> bytes | None:
        if len(self._buffer) < FRAME_HEADER:
            return None
        (size,) = struct.unpack_from(">I", self._buffer, 3)
        whole = FRAME_HEADER + size + FRAME_END
        return self.take(whole) if len(self._buffer) >= whole else None

    def _receive(self) -> None:
        data = self._source.recv(256 * 1024)
        if not data:
            raise ConnectionResetError
        self._buffer += data


def _method(frame: bytes) -> tuple[int, int] | None:
    if frame[0] != METHOD_FRAME:
        return None
    numbers: tuple[int, int] = struct.unpack_from(">HH", frame, FRAME_HEADER)
    return numbers


def _channel(frame: bytes) -> int:
    (number,) = struct.unpack_from(">H", frame, 1)
    return int(number)


def _delivery(frame: bytes) -> tuple[str, int, bool]:
    """Consumer tag, delivery tag and redelivered flag of a basic.deliver."""
    start = FRAME_HEADER + 4
    length = frame[start]
    consumer = frame[start + 1 : start + 1 + length].decode()
    tag, flags = struct.unpack_from(">QB", frame, start + 1 + length)
    return consumer, tag, bool(flags & 1)


def _answered(frame: bytes) -> tuple[int, bool]:
    """The delivery tag of an ack or reject, and whether an ack is for all before it too."""
    tag, flags = struct.unpack_from(">QB", frame, FRAME_HEADER + 4)
    return tag, _method(frame) == ACK and bool(flags & 1)


@contextmanager
def _both_closed(*sockets: socket.socket) -> Iterator[None]:
    """When one side ends, so does the other."""
    try:
        with contextlib.suppress(OSError):
            yield
    finally:
        for one in sockets:
            _close(one)


def _close(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@contextmanager
def run_proxy(broker_port: int) -> Iterator[Proxy]:
    """A proxy in front of the broker on this computer's `broker_port`."""
    proxy = Proxy(broker_port)
    thread = threading.Thread(target=proxy.serve, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join(5)
