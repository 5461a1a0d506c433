"""The index in step with the database: made anew when the listings have moved on.

Several processes may share one index file. Whoever first notices a newer generation number
makes the new index, the others go on with the one they have until it is there; nobody serves
half an index, and nobody waits unless there is none at all.

    search = Search(engine, path)
    search.find(Query(text="shelter"))
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, joinedload

from broker.service.logs import logger
from directory.models import Generation, Organisation, Service
from directory.search.index import Document, Index, build, builder_lock
from directory.search.query import Query, Results, find

_log = logger(__name__)
T = TypeVar("T")


class Search:
    """The one way in which the directory searches; safe to share between threads."""

    def __init__(self, engine: Engine, path: Path) -> None:
        self._engine = engine
        self._path = path
        self._index: Index | None = None
        self._one_builder = threading.Lock()

    def find(self, query: Query) -> Results:
        """The page of services that `query` asks for, of the listings as they are now."""
        return find(self.current(), query)

    def current(self) -> Index:
        """The index of the database's generation, or the last one while a newer is being made."""
        index, generation = self._index, self._generation()
        if index is not None and index.generation == generation:
            return index
        if not self._one_builder.acquire(blocking=index is None):
            return index or self.current()
        try:
            return self._renewed(generation)
        finally:
            self._one_builder.release()

    def _renewed(self, generation: int) -> Index:
        index = _opened(self._path, generation) or self._built(wait=self._index is None)
        if index is not None:
            self._index = index
        return self._index or self._renewed(generation)

    def renew_after(self, change: Callable[[], T]) -> T:
        """Make a change to the listings and then the index, before anybody else may make it.

        So the work is done by the operator's command, and the serving processes go on with the
        old index meanwhile instead of one of them making a visitor wait.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with builder_lock(self._path, wait=True):
            result = change()
            self._index = self._build()
        return result

    def _built(self, *, wait: bool) -> Index | None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with builder_lock(self._path, wait=wait) as ours:
            return self._build() if ours else None

    def _build(self) -> Index:
        began = time.monotonic()
        documents, generation = self._documents()
        # Somebody may have built it while we waited for the lock.
        index = _opened(self._path, generation)
        if index is not None:
            return index
        build(self._path, documents, generation=generation)
        took = round(1000 * (time.monotonic() - began))
        _log.info("index_built", generation=generation, count=len(documents), duration_ms=took)
        return Index(self._path)

    def _generation(self) -> int:
        with self._engine.connect() as connection:
            return connection.execute(select(Generation.number)).scalar_one()

    def _documents(self) -> tuple[Sequence[Document], int]:
        """All services with the generation they belong to, read again if it moved meanwhile."""
        while True:
            before = self._generation()
            with Session(self._engine) as session:
                documents = load_documents(session)
            if before == self._generation():
                return documents, before


def load_documents(session: Session) -> list[Document]:
    """What can be found of every service, the freshest first, then by name."""
    services = session.scalars(select(Service).options(joinedload(Service.organisation))).all()
    return [_document(service) for service in sorted(services, key=_order)]


def _order(service: Service) -> tuple[int, str, str]:
    confirmed = service.confirmed_on
    return (-confirmed.toordinal() if confirmed else 0, service.name.casefold(), service.id)


def _document(service: Service) -> Document:
    organisation: Organisation = service.organisation
    return Document(
        service_id=service.id,
        organisation_id=organisation.id,
        last_modified=max(service.last_modified, organisation.last_modified),
        names=(service.name, *service.names.values()),
        organisation_names=(organisation.name, *organisation.alternate_names),
        places=(service.region, *service.coverage),
        about=(service.description, service.referral_how),
        codes={
            "country": (service.country,),
            "service": _services(service),
            "language": service.languages,
            "population": service.populations,
            "availability": service.availability,
            "organisation_kind": (organisation.kind,),
        },
    )


def _services(service: Service) -> list[str]:
    """What kinds of help it is found by; a number that one coordinator entered is no hotline."""
    if not service.organisation.unconfirmed:
        return service.services
    return [code for code in service.services if code != "hotline"]


def _opened(path: Path, generation: int) -> Index | None:
    """The finished index if it is of this generation; a damaged or older file counts as none."""
    try:
        index = Index(path)
    except sqlite3.DatabaseError:
        return None
    return index if index.generation == generation else None
