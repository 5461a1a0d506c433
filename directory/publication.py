"""What of the log's listings is shown: the one way by which an entry reaches the public.

A `listing` names the SHA-256 of an entry's bytes. It is taken into the log only where those bytes
are here and keep the rules (`check_listing`, in the transaction that takes it), and shown from the
log alone: `Publication.refresh` makes the rows say what the register says. It can be asked at any
time and as often as one likes, and is asked at every start, so a crash between bytes, statement
and rows leaves nothing that the next start does not complete.

Bytes that the log names and that are lost (a restored backup) or break today's rules are not
shown; whoever posts them again brings them back.

    publication = Publication(log, clock=clock)
    publication.refresh()
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Final, Protocol

from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from broker.service.logs import logger
from contracts.contents import ListingContent, read_content
from contracts.encoding import parse_object, text_of
from contracts.entries import entry_hash, parse_entry
from contracts.errors import ContractError, Refused
from contracts.register import Listed, Register
from contracts.statements import MAX_BODY, Statement
from directory.blobs import bytes_of_entry, forget_bytes, mark_listed
from directory.entries import listings_of
from directory.models import Organisation
from directory.store import Origin, Report, Shown, store_listings

_log = logger(__name__)

# Statements that change what is shown: an organisation that begins brings its own kind.
CHANGE_WHAT_IS_SHOWN: Final = frozenset({"listing", "confirm", "org", "root"})


def check_listing(connection: Connection, statement: Statement, register: Register) -> None:
    """Refuse a `listing` whose entry could not be shown; every other statement passes.

    To be called in the transaction that takes the statement into the log, once the register has
    accepted it. Raises `Refused("entry_missing" | "other_org" | "other_kind")`, and what
    `parse_entry` and `listings_of` raise.
    """
    content = read_content(statement)
    if not isinstance(content, ListingContent):
        return
    data = bytes_of_entry(connection, content.entry)
    if data is None:
        raise Refused("entry_missing", "entry")
    entry = parse_entry(data)
    if entry.org != content.heading.org:
        raise Refused("other_org", "org")
    known = register.organisation(entry.org)
    if known is not None and known.kind != entry.kind:
        raise Refused("other_kind", "kind")
    listings_of(entry, demonstration=register.root.demonstration)
    mark_listed(connection, content.entry)


class Log(Protocol):
    """What this needs of the statement log: a moment at which nobody else writes."""

    def alone(self) -> AbstractContextManager[tuple[Connection, Folded]]: ...


class Folded(Protocol):
    """The log as it is at that moment."""

    @property
    def register(self) -> Register: ...


@dataclass(frozen=True, slots=True)
class Publication:
    """Keeps the rows at what the log says. `clock` gives Unix seconds."""

    log: Log
    clock: Callable[[], int]

    def refresh(self) -> Report:
        """Show what the log lists, and nothing else. Safe beside itself in other processes."""
        with self.log.alone() as (connection, known), Session(connection) as session:
            report = _refresh(session, known.register, now=self.clock())
        if report.changes:
            _log.info("listings_shown", count=report.changes)
        return report

    def after(self, statement: Statement) -> None:
        """What a statement that was just taken into the log changes, is shown from now on.

        The statement stands in the log whatever becomes of this; every later one, and the next
        start, repeat it.
        """
        if text_of(parse_object(statement.body, limit=MAX_BODY), "typ") in CHANGE_WHAT_IS_SHOWN:
            try:
                self.refresh()
            except SQLAlchemyError as error:
                _log.error("listings_not_shown", exc_info=error)


def _refresh(session: Session, register: Register, *, now: int) -> Report:
    rows = {row.org_id: row for row in session.scalars(select(Organisation))}
    listings = register.listings
    changed = [one for one in listings if not _says(rows.get(one.org), one, register)]
    found = list(_found(session.connection(), changed, register))
    not_found = {one.org for one in changed} - {one.org for one in found}
    gone = rows.keys() - {one.org for one in listings} | rows.keys() & not_found
    report = store_listings(session, found, gone=sorted(gone), now=now)
    forget_bytes(session.connection(), {one.entry for one in listings}, now=now)
    return report


def _origin(listed: Listed) -> Origin:
    confirmed = None if listed.unconfirmed else listed.checked_at
    return Origin(listed.entry, listed.by, listed.t, confirmed, listed.unconfirmed)


def _kind(listed: Listed, register: Register) -> str:
    """What the log says the organisation is; "" as long as it says nothing."""
    known = register.organisation(listed.org)
    return "" if known is None else known.kind


def _says(row: Organisation | None, listed: Listed, register: Register) -> bool:
    """Whether the row is what the log lists already."""
    if row is None or row.kind != (_kind(listed, register) or row.kind):
        return False
    said = (row.entry, row.listed_by, row.listed_at, row.confirmed_at, row.unconfirmed)
    return Origin(*said) == _origin(listed)


def _found(connection: Connection, listings: list[Listed], register: Register) -> Iterator[Shown]:
    """Those of the listings that can be shown; the others' absence is told in the log."""
    for listed in listings:
        try:
            shown = _shown(connection, listed, register)
        except ContractError as error:
            _log.warning("listing_not_shown", org=listed.org, code=error.code, field=error.field)
            continue
        if shown.listings:  # an entry without services takes the organisation off the list
            yield shown


def _shown(connection: Connection, listed: Listed, register: Register) -> Shown:
    data = bytes_of_entry(connection, listed.entry)
    if data is None or entry_hash(data) != listed.entry:
        raise Refused("entry_missing", "entry")
    entry = parse_entry(data)
    if entry.org != listed.org:
        raise Refused("other_org", "org")
    entry = replace(entry, kind=_kind(listed, register) or entry.kind)
    listings = listings_of(entry, demonstration=register.root.demonstration)
    return Shown(_origin(listed), listings)
