"""One mirror in PostgreSQL, kept by several processes at once, as the hub's workers do."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select

from broker.mirror.tables import LEAF
from broker.service.database import open_engine
from contracts.identifiers import OrgId
from tests.unit.contracts.authors import Author
from tests.unit.mirror.directories import Clock, Directory, mirror_of

WORKERS = 4


def test_workers_that_start_and_fetch_together_keep_each_leaf_once(postgres: str) -> None:
    clock = Clock()
    directory = Directory(clock, at_most=7)
    for number in range(20):
        directory.add(*Author(org=OrgId(f"my-{number:016x}")).admission())
    start = threading.Barrier(WORKERS)

    def work(_: int) -> int:
        engine = open_engine(postgres)
        try:
            start.wait()
            mirror = mirror_of(directory, engine, clock)
            mirror.sync()
            return len(mirror.register.organisations)
        finally:
            engine.dispose()

    with ThreadPoolExecutor(WORKERS) as pool:
        assert list(pool.map(work, range(WORKERS))) == [20] * WORKERS
    engine = open_engine(postgres)
    with engine.connect() as connection:
        stored = list(connection.execute(select(LEAF.c.data).order_by(LEAF.c.number)).scalars())
    engine.dispose()
    assert stored == directory.leaves
