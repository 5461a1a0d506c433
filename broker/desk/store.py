"""The desk's database: one transaction, records in and out, everything sealed.

    store = Store(engine, archive)
    with store.writing() as rows:
        case = rows.case_of(peer, ref)
        rows.update_case(replace(case, state=State.ACCEPTED))

This file holds all SQL of the desk and takes no decision. A transaction that writes waits for its
turn first, so a send command and a running `consume` on one desk cannot overtake each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from nacl.utils import random
from sqlalchemy import (
    Connection,
    Engine,
    Row,
    Table,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from broker.desk.archive import Archive
from broker.desk.models import CASE, EARLY, ENTRY, HANDOVER, LETTER, PEER_CHECKED, REJECTED, SEEN
from broker.desk.records import (
    Case,
    Checked,
    Early,
    Entry,
    Letter,
    Seen,
    Unreadable,
    parse_record,
    render_record,
)
from broker.service.database import begin_immediate, migrate, open_engine
from contracts.identifiers import EventId, Mid, OrgId, Ref

FILE_NAME: Final = "desk.db"
AT_ONCE: Final = 100  # letters claimed in one round, so that a claim outlasts the round

__all__ = ["IntegrityError", "Rows", "Store", "new_row", "open_store"]


def open_store(home: Path, archive: Archive) -> Store:
    """The desk's database under `home`, made or brought up to date."""
    path = home / FILE_NAME
    path.touch(mode=0o600, exist_ok=True)  # SQLite gives its -wal and -shm the same mode
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine, "broker.desk")
    return Store(engine, archive)


def new_row() -> str:
    """A random row id: it tells nothing, not even an order."""
    return random(16).hex()


class Store:
    """The database of one unlocked desk."""

    def __init__(self, engine: Engine, archive: Archive) -> None:
        self._engine = engine
        self._archive: Archive | None = archive

    @contextmanager
    def writing(self) -> Iterator[Rows]:
        """One transaction that may write: all of it or, after any exception, nothing."""
        archive = self._unlocked()
        with begin_immediate(self._engine) as connection:
            yield Rows(connection, archive)

    @contextmanager
    def reading(self) -> Iterator[Rows]:
        """One consistent view."""
        archive = self._unlocked()
        with self._engine.connect() as connection:
            yield Rows(connection, archive)

    def close(self) -> None:
        """Drop the key and give the file back; its write-ahead log is folded into it then."""
        self._archive = None
        self._engine.dispose()

    def _unlocked(self) -> Archive:
        if self._archive is None:
            raise RuntimeError("this archive is locked")  # a fault of ours, never of a person
        return self._archive


class Rows:
    """The records within one transaction."""

    def __init__(self, connection: Connection, archive: Archive) -> None:
        self._db = connection
        self._archive = archive

    # Cases

    def cases(self) -> tuple[Case, ...]:
        """All cases, in no order."""
        return tuple(self._case(found) for found in self._db.execute(select(CASE)))

    def case(self, row: str) -> Case:
        """The case of a row that another record names."""
        return self._case(self._db.execute(select(CASE).where(CASE.c.row == row)).one())

    def case_of(self, peer: OrgId, ref: Ref) -> Case | None:
        """The case of this reference with this peer, or none."""
        index = self._archive.index("case", peer, ref)
        found = self._db.execute(select(CASE).where(CASE.c.case_index == index)).one_or_none()
        return None if found is None else self._case(found)

    def add_case(self, case: Case) -> None:
        """Keep a new case."""
        index = self._archive.index("case", case.peer, case.ref)
        self._add(CASE, case.row, sealed=render_record(case), clear={"case_index": index})

    def update_case(self, case: Case) -> None:
        """Replace what is kept of it."""
        self._update(CASE, case.row, sealed=render_record(case))

    # Entries

    def entries(self, case_row: str) -> tuple[Entry, ...]:
        """The events of a case, as this desk came to know them."""
        found = select(ENTRY).where(ENTRY.c.case_row == case_row).order_by(literal_column("rowid"))
        return tuple(map(self._entry, self._db.execute(found)))

    def apart(self) -> tuple[Entry, ...]:
        """The messages that belong to no case, as this desk came to know them."""
        found = select(ENTRY).where(ENTRY.c.case_row.is_(None)).order_by(literal_column("rowid"))
        return tuple(map(self._entry, self._db.execute(found)))

    def entry(self, row: str) -> Entry:
        """The entry of a row that another record names."""
        return self._entry(self._db.execute(select(ENTRY).where(ENTRY.c.row == row)).one())

    def entry_of(self, author: OrgId, event: EventId) -> Entry | None:
        """The event of this author and id, whichever envelope brought it."""
        index = self._archive.index("event", author, event)
        found = self._db.execute(select(ENTRY).where(ENTRY.c.event_index == index)).one_or_none()
        return None if found is None else self._entry(found)

    def message(self, entry_row: str) -> bytes:
        """The plaintext message of an entry."""
        sealed = self._db.execute(select(ENTRY.c.message).where(ENTRY.c.row == entry_row))
        return self._archive.open("entry.message", entry_row, sealed.scalar_one())

    def add_entry(self, entry: Entry, *, author: OrgId, message: bytes) -> None:
        """Keep a new event. Raises `IntegrityError` where (author, id) is known."""
        clear = {
            "case_row": entry.case_row or None,
            "event_index": self._archive.index("event", author, entry.id),
            "message": self._archive.seal("entry.message", entry.row, message),
        }
        self._add(ENTRY, entry.row, sealed=render_record(entry), clear=clear)

    def update_entry(self, entry: Entry) -> None:
        """Replace how it fares; what was said stays."""
        self._update(ENTRY, entry.row, sealed=render_record(entry))

    def rewrite(self, entry: Entry, *, message: bytes) -> None:
        """Replace what was said too: only while nobody else has it."""
        content = self._archive.seal("entry.message", entry.row, message)
        clear = {"message": content}
        self._update(ENTRY, entry.row, sealed=render_record(entry), clear=clear)

    # Letters

    def letters(self) -> tuple[Letter, ...]:
        """Every envelope of ours, in no order."""
        return tuple(self._letter(found) for found in self._db.execute(_letters()))

    def letter(self, row: str) -> Letter:
        """The letter of a row."""
        return self._letter(self._db.execute(_letters().where(LETTER.c.row == row)).one())

    def letters_of(self, entry_row: str) -> tuple[Letter, ...]:
        """The envelopes that carried one entry, in no order."""
        carries = LETTER.c.entry_index == self._archive.index("entry", entry_row)
        found = self._db.execute(_letters().where(carries | LETTER.c.entry_index.is_(None)))
        return tuple(one for one in map(self._letter, found) if one.entry_row == entry_row)

    def letter_of(self, mid: Mid) -> Letter | None:
        """The envelope of ours with this number, or none."""
        index = self._archive.index("mid", mid)
        found = self._db.execute(_letters().where(LETTER.c.mid_index == index)).one_or_none()
        return None if found is None else self._letter(found)

    def add_letter(
        self,
        letter: Letter,
        *,
        body: bytes | None,
        message: bytes | None = None,
        due_at: int | None = None,
    ) -> None:
        """Keep an envelope of ours; `body` before anything of it leaves this computer."""
        clear: dict[str, Any] = {
            "mid_index": self._archive.index("mid", letter.mid),
            "body": self._optional("letter.body", letter.row, body),
            "message": self._optional("letter.message", letter.row, message),
            "due_at": due_at,
            "entry_index": self._archive.index("entry", letter.entry_row),
        }
        self._add(LETTER, letter.row, sealed=render_record(letter), clear=clear)

    def update_letter(self, letter: Letter, *, due_at: int | None) -> None:
        """Replace how it fares and give back the claim on it; `due_at` None: nothing left to do."""
        clear: dict[str, Any] = {
            "due_at": due_at,
            "claimed_until": 0,
            "entry_index": self._archive.index("entry", letter.entry_row),
        }
        self._update(LETTER, letter.row, sealed=render_record(letter), clear=clear)

    def find_letter(self, row: str) -> Letter | None:
        """The letter of a row that may have been forgotten since."""
        found = self._db.execute(_letters().where(LETTER.c.row == row)).one_or_none()
        return None if found is None else self._letter(found)

    def forget_letter(self, letter: Letter) -> None:
        """Drop it whole."""
        self._db.execute(delete(LETTER).where(LETTER.c.row == letter.row))

    def forget_body(self, letter: Letter) -> None:
        """Drop the envelope's bytes once nobody will ask for them again."""
        dropped = update(LETTER).where(LETTER.c.row == letter.row).values(body=None, message=None)
        self._db.execute(dropped)

    def letter_body(self, row: str) -> bytes | None:
        """The envelope's exact bytes, or none once forgotten."""
        return self._opened(LETTER, "body", row)

    def letter_message(self, row: str) -> bytes | None:
        """A receipt's plaintext."""
        return self._opened(LETTER, "message", row)

    def claim_letters(
        self, wanted: Callable[[Letter, int], bool], *, now: int, until: int
    ) -> tuple[Letter, ...]:
        """The letters to act on, oldest first, claimed so that no other process acts meanwhile.

        `wanted` sees a letter and when it is due.
        """
        # A claim that ends later than ours would was made by a clock that ran ahead.
        claimed = (LETTER.c.claimed_until > now) & (LETTER.c.claimed_until <= until)
        free = LETTER.c.due_at.is_not(None) & ~claimed
        queue = _letters().add_columns(LETTER.c.due_at).where(free)
        rows = self._db.execute(queue.order_by(literal_column("rowid"))).all()
        opened = [(self._letter(row), row.due_at) for row in rows]
        found = [letter for letter, due_at in opened if wanted(letter, due_at)][:AT_ONCE]
        chosen = LETTER.c.row.in_([letter.row for letter in found])
        self._db.execute(update(LETTER).where(chosen).values(claimed_until=until))
        return tuple(found)

    def due_at(self, letter: Letter) -> int | None:
        """When a machine is to act on it next."""
        query = select(LETTER.c.due_at).where(LETTER.c.row == letter.row)
        due: int | None = self._db.execute(query).scalar_one()
        return due

    # What was received

    def seen(self, sender: OrgId, mid: Mid) -> Seen | None:
        """What became of this envelope when it came before."""
        index = self._archive.index("seen", sender, mid)
        found = self._db.execute(select(SEEN).where(SEEN.c.seen_index == index)).one_or_none()
        return None if found is None else parse_record(Seen, self._sealed(SEEN, found))

    def add_seen(self, sender: OrgId, mid: Mid, seen: Seen, *, until: int) -> None:
        """Remember an envelope. Raises `IntegrityError` where another process was first."""
        index = self._archive.index("seen", sender, mid)
        clear = {"seen_index": index, "until": until}
        self._add(SEEN, new_row(), sealed=render_record(seen), clear=clear)

    def add_early(self, early: Early, awaited: tuple[str, ...], *, until: int) -> None:
        """Keep what came before that to which it belongs."""
        clear = {"awaited_index": self._archive.index("early", *awaited), "until": until}
        self._add(EARLY, early.row, sealed=render_record(early), clear=clear)

    def early_bytes(self) -> int:
        """How many bytes wait for that to which they belong."""
        size = select(func.coalesce(func.sum(func.length(EARLY.c.sealed)), 0))
        return int(self._db.execute(size).scalar_one())

    def early_bytes_of(self, sender: OrgId) -> int:
        """How much of it is from one organisation; reads all of it."""
        return sum(len(early.message) for early in self.early() if early.sender == sender)

    def early(self) -> tuple[Early, ...]:
        """All that waits for that to which it belongs, in no order."""
        found = self._db.execute(select(EARLY))
        return tuple(parse_record(Early, self._sealed(EARLY, row), row.row) for row in found)

    def take_early(self, *awaited: str) -> tuple[Early, ...]:
        """What waited for this, now taken off the shelf."""
        index = self._archive.index("early", *awaited)
        rows = self._db.execute(select(EARLY).where(EARLY.c.awaited_index == index)).all()
        self._db.execute(delete(EARLY).where(EARLY.c.awaited_index == index))
        return tuple(parse_record(Early, self._sealed(EARLY, row), row.row) for row in rows)

    def add_rejected(self, found: Unreadable, *, body: bytes | None, until: int) -> None:
        """Keep why an envelope was refused; its bytes too where `body` is given."""
        kept = self._optional("rejected.body", found.row, body)
        clear = {"body": kept, "until": until}
        self._add(REJECTED, found.row, sealed=render_record(found), clear=clear)

    def rejected(self) -> tuple[Unreadable, ...]:
        """What was refused on arrival and not yet forgotten."""
        rows = self._db.execute(select(REJECTED)).all()
        return tuple(parse_record(Unreadable, self._sealed(REJECTED, row), row.row) for row in rows)

    def rejected_bytes(self) -> int:
        """How many bytes of refused envelopes are kept."""
        size = select(func.coalesce(func.sum(func.length(REJECTED.c.body)), 0))
        return int(self._db.execute(size).scalar_one())

    def sweep(self, now: int) -> None:
        """Forget what is past its time."""
        for table in (SEEN, EARLY, REJECTED):
            self._db.execute(delete(table).where(table.c.until <= now))

    # Peers that somebody has phoned

    def checked(self, peer: OrgId) -> Checked | None:
        """When this peer's digits were last compared by phone, and what they were, or none."""
        index = self._archive.index("peer", peer)
        query = select(PEER_CHECKED).where(PEER_CHECKED.c.peer_index == index)
        found = self._db.execute(query).one_or_none()
        return None if found is None else self._checked(found)

    def all_checked(self) -> tuple[Checked, ...]:
        """Every peer whose digits were compared by phone, in no order."""
        return tuple(map(self._checked, self._db.execute(select(PEER_CHECKED))))

    def mark_checked(self, peer: OrgId, *, digits: str, at: int) -> None:
        """That this peer's digits were compared by phone; the newest call counts."""
        before = self.checked(peer)
        row = before.row if before is not None else new_row()
        record = render_record(Checked(row, peer, digits, at))
        if before is not None:
            self._update(PEER_CHECKED, row, sealed=record)
            return
        clear = {"peer_index": self._archive.index("peer", peer)}
        self._add(PEER_CHECKED, row, sealed=record, clear=clear)

    # What an organisation's own system takes over

    def add_handover(self, entry_row: str, *, due_at: int) -> None:
        """Have `consume` hand over this entry."""
        values = {"row": new_row(), "entry_row": entry_row, "attempts": 0, "due_at": due_at}
        self._db.execute(insert(HANDOVER).values(values))

    def next_handover(self, now: int, *, latest: int) -> tuple[str, int] | None:
        """The entry to hand over and how often it was tried, or none that is due.

        What is due after `latest` was put off by a clock that ran ahead, and is due now.
        """
        due = (HANDOVER.c.due_at <= now) | (HANDOVER.c.due_at > latest)
        query = select(HANDOVER).where(due).order_by(HANDOVER.c.due_at).limit(1)
        found = self._db.execute(query).one_or_none()
        return None if found is None else (found.entry_row, found.attempts)

    def postpone_handover(self, entry_row: str, *, attempts: int, due_at: int) -> None:
        """Try again at `due_at`."""
        again = update(HANDOVER).where(HANDOVER.c.entry_row == entry_row)
        self._db.execute(again.values(attempts=attempts, due_at=due_at))

    def finish_handover(self, entry_row: str) -> None:
        """It was handled."""
        self._db.execute(delete(HANDOVER).where(HANDOVER.c.entry_row == entry_row))

    def handovers(self) -> int:
        """How many entries wait to be handed over."""
        return int(self._db.execute(select(func.count()).select_from(HANDOVER)).scalar_one())

    # Sealing

    def _add(self, table: Table, row: str, *, sealed: bytes, clear: dict[str, Any]) -> None:
        content = self._archive.seal(f"{table.name}.sealed", row, sealed)
        self._db.execute(insert(table).values({"row": row, "sealed": content} | clear))

    def _update(
        self, table: Table, row: str, *, sealed: bytes, clear: dict[str, Any] | None = None
    ) -> None:
        content = self._archive.seal(f"{table.name}.sealed", row, sealed)
        change = update(table).where(table.c.row == row).values({"sealed": content} | (clear or {}))
        self._db.execute(change)

    def _sealed(self, table: Table, found: Row[Any]) -> bytes:
        return self._archive.open(f"{table.name}.sealed", found.row, found.sealed)

    def _opened(self, table: Table, column: str, row: str) -> bytes | None:
        query = select(table.c[column]).where(table.c.row == row)
        sealed: bytes | None = self._db.execute(query).scalar_one()
        return None if sealed is None else self._archive.open(f"{table.name}.{column}", row, sealed)

    def _optional(self, place: str, row: str, content: bytes | None) -> bytes | None:
        return None if content is None else self._archive.seal(place, row, content)

    def _case(self, found: Row[Any]) -> Case:
        return parse_record(Case, self._sealed(CASE, found), found.row)

    def _checked(self, found: Row[Any]) -> Checked:
        return parse_record(Checked, self._sealed(PEER_CHECKED, found), found.row)

    def _entry(self, found: Row[Any]) -> Entry:
        return parse_record(Entry, self._sealed(ENTRY, found), found.row)

    def _letter(self, found: Row[Any]) -> Letter:
        return parse_record(Letter, self._sealed(LETTER, found), found.row)


def _letters() -> Any:
    # Without the bodies: a list of letters would otherwise read megabytes.
    return select(LETTER.c.row, LETTER.c.sealed)
