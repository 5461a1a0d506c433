"""What a hub can stand on, so that one suite runs against each: database, with a queue or without.

    with backend(kind, request, tmp_path, network) as backend:
        caller = knock(backend.hub, desk)
        caller.submit(sealed.body)
        backend.wait_for_copies(sealed.eid, 2)    # at once without a queue

With RabbitMQ, the real relay runs in a thread of the test, on a hub of its own, as its process
would; the tests' clock moves for both.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import func, select

from broker.hub import models
from broker.hub.declare import declare
from broker.hub.parts import Hub
from broker.hub.relay import Relay
from broker.hub.store import Limits
from broker.service.settings import database_url
from tests.services.processes import wait_until
from tests.unit.hub.hubs import make_hub, sqlite
from tests.unit.hub.network import NET, Network

KINDS: Final = ("sqlite", "postgres", "sqlite+rabbitmq", "postgres+rabbitmq")


@dataclass(slots=True)
class Backend:
    """A database, a queue or none, and hubs on them."""

    network: Network
    database: str
    queue: str | None
    breaks: Callable[[], None]
    _stack: ExitStack = field(default_factory=ExitStack)

    def hub(self, *, limits: Limits | None = None, a_minute: int = 1000) -> Hub:
        """A hub for the door; several share the database as several processes would."""
        hub = make_hub(
            self.network,
            self.database,
            queue=self.queue is not None,
            limits=limits,
            a_minute=a_minute,
        )
        self._stack.callback(hub.engine.dispose)
        return hub

    def at_the_end(self, close: Callable[[], None]) -> None:
        """Have `close` called with the backend's own things."""
        self._stack.callback(close)

    @contextmanager
    def relay(self) -> Iterator[None]:
        """The relay at work, where there is a queue."""
        if self.queue is None:
            yield
            return
        hub = self.hub()
        relay = Relay(hub, self.queue)
        failures: list[BaseException] = []
        thread = threading.Thread(target=_run, args=(relay, failures), name="relay")
        thread.start()
        try:
            yield
        finally:
            relay.loop.soon(relay.stop)
            thread.join(15)
        assert not thread.is_alive(), "the relay did not stop"
        assert not failures, failures

    def copies(self, hub: Hub, eid: str) -> int:
        """How many devices' copies there are of this envelope, in whatever state."""
        wanted = select(func.count()).select_from(models.copy).where(models.copy.c.eid == eid)
        with hub.engine.connect() as connection:
            return connection.execute(wanted).scalar_one()

    def wait_for_copies(self, hub: Hub, eid: str, count: int) -> None:
        """Until the mailbox has so many copies, and the outbox has let go of it."""
        wait_until(
            lambda: self.copies(hub, eid) == count and hub.store.waiting().outbox == 0,
            f"{count} copies in the mailbox",
            seconds=30,
        )


@contextmanager
def backend(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Backend]:
    """A fresh backend of this kind; RabbitMQ has its topology declared."""
    database, _, queue = kind.partition("+")
    if database == "sqlite":
        url, breaks = sqlite(folder), lambda: _break_sqlite(folder)
    else:
        url = database_url(request.getfixturevalue("postgres"))
        cluster = request.getfixturevalue("postgres_cluster")
        name = url.rpartition("/")[2]
        breaks = lambda: _break_postgres(cluster, name)  # noqa: E731 - the pair of the above
    queue_url = _declared(request.getfixturevalue("rabbitmq")) if queue else None
    with ExitStack() as stack:
        yield Backend(Network(), url, queue_url, breaks, stack)


def _declared(vhost: Any) -> str:
    url: str = vhost.url
    declare(url, None, net=NET)
    return url


def _run(relay: Relay, failures: list[BaseException]) -> None:
    try:
        relay.run()
    except BaseException as failure:  # noqa: BLE001 - shown by the test's own thread
        failures.append(failure)


def _break_sqlite(folder: Path) -> None:
    """What a database file on a disk that went away looks like."""
    for file in folder.glob("hub.sqlite*"):
        file.unlink()
    (folder / "hub.sqlite").mkdir()


def _break_postgres(cluster: Any, name: str) -> None:
    """Sessions end and new ones are refused, as when the server is away."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(cluster.url("postgres"), autocommit=True) as session:
        session.execute(
            sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name))
        )
        session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
        )
