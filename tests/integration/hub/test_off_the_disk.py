"""What was delivered or has expired is not in PostgreSQL's files either.

Its write-ahead log is left out: the server recycles those files in its own time (minutes to an
hour on a hub in use), and a hub has no right to touch them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import psycopg

from broker.service.settings import database_url
from tests.services.postgres import Cluster
from tests.unit.hub.hubs import knock, make_hub
from tests.unit.hub.network import DAY, Network


def test_what_was_delivered_or_expired_is_off_the_disk(
    postgres: str, postgres_cluster: Cluster
) -> None:
    network = Network()
    shelter, clinic = network.organisation("my"), network.organisation("bd")
    hub = make_hub(network, database_url(postgres))
    sender, receiver = knock(hub, shelter.desk), knock(hub, clinic.desk)
    fetched = shelter.desk.seal(b"a" * 100, to=clinic, lifetime=DAY)
    expired = shelter.desk.seal(b"b" * 100, to=clinic, lifetime=2 * DAY)
    sender.submit(fetched.body)
    receiver.settle([item["lease"] for item in receiver.lease()])
    sender.submit(expired.body)
    # Control: deleted is not gone.
    assert on_disk(postgres, postgres_cluster.data, fetched.body)
    assert on_disk(postgres, postgres_cluster.data, expired.body)
    hub.sweeper.sweep(now=network.clock())
    assert not on_disk(postgres, postgres_cluster.data, fetched.body)
    assert on_disk(postgres, postgres_cluster.data, expired.body)
    network.clock.now += 2 * DAY
    hub.sweeper.sweep(now=network.clock())
    assert not on_disk(postgres, postgres_cluster.data, expired.body)
    hub.engine.dispose()


def test_a_rewrite_that_cannot_have_its_lock_holds_nobody_up(postgres: str) -> None:
    network = Network()
    shelter, clinic = network.organisation("my"), network.organisation("bd")
    hub = make_hub(network, database_url(postgres))
    sender = knock(hub, shelter.desk)
    with psycopg.connect(postgres) as reader:
        reader.execute("SELECT count(*) FROM envelope")  # and its transaction stays open
        hub.sweeper.sweep(now=network.clock())
        assert sender.submit(shelter.desk.seal(to=clinic).body).status_code == 202
    with hub.engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "0"
    hub.engine.dispose()


def on_disk(url: str, data: Path, body: bytes) -> bool:
    """Whether a piece of the ciphertext stands in any of this database's files."""
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("CHECKPOINT")
        [oid] = session.execute(
            "SELECT oid FROM pg_database WHERE datname = current_database()"
        ).fetchone() or [0]
    middle = len(body) // 2
    # Rows are cut into pieces of about 2,000 bytes; a short one is whole somewhere.
    pieces = [body[start : start + 60] for start in (middle, middle + 100, middle + 200)]
    files = (data / "base" / str(oid)).iterdir()
    return any(piece in content for content in _contents(files) for piece in pieces)


def _contents(files: Iterable[Path]) -> Iterator[bytes]:
    for file in files:
        if file.is_file():
            yield file.read_bytes()
