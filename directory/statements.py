"""The statement log: what organisations and coordinators signed, in one order, never changed.

It admits a statement only if the contract's own fold of the log accepts it, which is the check
that every desk, hub and witness repeats; so it protects the log from noise, not the readers from
the log. It refuses to know who is asking (a statement speaks for itself, by its signatures), who
signs checkpoints, and who witnesses them: a guard says whether the log may grow.

    log = StatementLog(engine, root=root, guard=gate, clock=clock)
    log.append(parse_statement(body))        -> Appended(index=7, new=True)
    log.leaves(0, 1000)                      -> [leaf data, ...]
    with log.alone() as (connection, known): known.tree.root()
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Final, Protocol, TypeAlias

from sqlalchemy import Connection, Engine, func, insert, select, text

from broker.service.database import begin_immediate
from broker.service.failures import Failure
from broker.service.logs import logger
from contracts.encoding import JsonValue, dump_json, list_of, members, parse_object, text_of
from contracts.errors import Malformed, Refused
from contracts.identifiers import OrgId
from contracts.log import Leaf, decode_leaf, encode_leaf, leaf_hash
from contracts.register import Register
from contracts.root import RootFile, RulesUnknown
from contracts.statements import MAX_BODY, MAX_CARRIED, Statement, parse_statement
from contracts.times import DAY
from contracts.tree import Tree
from directory.allowance import Written, check_allowance
from directory.models import PublishedCheckpoint, StatementLeaf

# One answer stays under about 2 MB; a mirror asks again for the rest.
MAX_LEAVES: Final = 1000
# An admission is vouches, org, device and keys; a board that admits many devices at once fits too.
MAX_ADMISSION: Final = 64 * MAX_CARRIED
# So much later than the witnesses' newest time our clock may be. They are asked twice an hour, and
# no client follows a checkpoint a day old; a leaf of a wrong year could never be taken back.
MOST_AHEAD: Final = 2 * DAY

_log = logger(__name__)


class LogClosed(Failure):
    """The log takes no statement and signs nothing: `code` for the operator's log, a sentence for
    whoever asks, and `wait` seconds until it is worth a try.
    """

    def __init__(self, code: str, sentence: str, *, wait: int) -> None:
        super().__init__(sentence)
        self.code = code
        self.wait = wait


class LogShrank(LogClosed):
    """The database does not hold any more what this process has read in it."""

    def __init__(self) -> None:
        super().__init__(
            "database_replaced",
            "The log's database was replaced while the directory ran, and it does not hold what it"
            " held. Nothing was added and nothing is signed. The operator starts the directory"
            " again; it then asks the witnesses for what is missing.",
            wait=300,
        )


class ClockAhead(LogClosed):
    """Our clock is days later than what enough witnesses have said."""

    def __init__(self) -> None:
        super().__init__(
            "clock_ahead",
            "The directory's clock is days ahead of what its witnesses said last. Nothing was"
            " added, nothing is lost. After a long pause the witnesses are asked again first: send"
            " it again in a minute. If it stays so, the operator looks at the directory's clock and"
            " which witnesses do not answer.",
            wait=60,
        )


class TailRefused(LogClosed):
    """Leaves that somebody holds do not continue this log to the root that was signed."""

    def __init__(self) -> None:
        super().__init__(
            "tail_refused",
            "What a witness holds does not continue this log as the log signed it. Nothing was"
            " added and nothing is signed. The operator keeps the database as it is and asks the"
            " people who maintain Rujukan.",
            wait=3600,
        )


@dataclass(frozen=True, slots=True)
class Appended:
    """Where a statement stands in the log; `new` is False if it stood there already."""

    index: int
    new: bool


@dataclass(frozen=True, slots=True)
class Known:
    """The fold of the first `size` leaves. `tree` is shared by all folds of a process and may be
    larger by now: ask it for this size.

    `roots` says from which size on which root file is in force.
    """

    register: Register
    tree: Tree
    roots: tuple[tuple[int, RootFile], ...]
    size: int = 0
    last: bytes = b""
    written: Written = field(default_factory=Written)

    @property
    def root_hash(self) -> bytes:
        """The root of the tree over these leaves."""
        return self.tree.root(self.size)

    def root_file(self, size: int) -> RootFile:
        """The root file in force once `size` leaves stand in the log."""
        return next(root for start, root in reversed(self.roots) if start <= size)


class Guard(Protocol):
    """Says whether the log may grow and be signed."""

    def check(self, known: Known) -> None:
        """Raises a `Failure` while it may not; asked inside the writing transaction."""


# Asked inside the writing transaction, after the register; raises the contract's errors.
Check: TypeAlias = Callable[[Connection, Statement, Register], None]


class StatementLog:
    """The log in one database; safe to share between threads, and between processes."""

    def __init__(
        self,
        engine: Engine,
        *,
        root: RootFile,
        guard: Guard,
        check: Check,
        clock: Callable[[], int],
    ) -> None:
        """`clock` gives Unix seconds; `root` is the root file the operator was given.

        `check` refuses what the register accepts and this directory cannot serve.
        """
        self._engine = engine
        self._guard = guard
        self._check = check
        self._clock = clock
        self._known = Known(Register(root), Tree(), ((0, root),))
        self._one_reader = threading.Lock()

    def append(self, statement: Statement) -> Appended:
        """Add one statement from the network, or find it.

        Raises the contract's `Refused` or `Malformed`, `Refused("too_many_statements" |
        "log_is_full_today", "org")` where today's allowance is used up, and the guard's `Failure`.
        """
        return self._append([statement], unbounded=False)[0]

    def append_all(self, statements: Sequence[Statement]) -> tuple[Appended, ...]:
        """Add several in their order, all or none. For the operator, who may add any number."""
        return self._append(statements, unbounded=True)

    def _append(self, statements: Sequence[Statement], *, unbounded: bool) -> tuple[Appended, ...]:
        with self.alone() as (connection, known):
            self._guard.check(known)
            trial = known.register.copy()
            now = max(self._time(connection), trial.time)
            places = count(known.size)
            done: list[Appended] = []
            for statement in statements:
                index = _index_of(connection, statement)
                if index is None:
                    leaf, index = Leaf(statement, now), next(places)
                    author = trial.apply(leaf).by
                    if not unbounded:
                        _check_allowed(known, author, leaf)
                    self._check(connection, statement, trial)
                    _insert(connection, index, encode_leaf(leaf), statement.hash)
                    done.append(Appended(index, new=True))
                else:
                    done.append(Appended(index, new=False))
            return tuple(done)

    def _time(self, connection: Connection) -> int:
        """The time of a leaf that is written now. Raises `ClockAhead`."""
        now, witnessed = self._clock(), _witnessed_time(connection)
        if witnessed and now > witnessed + MOST_AHEAD:
            raise ClockAhead
        return max(now, witnessed)

    def refill(self, tail: Sequence[bytes], *, start: int, root_hash: bytes) -> None:
        """Put back leaves from number `start` on, which the log once signed under this root.

        Raises `TailRefused` where our leaves and these are not that tree, `Malformed` where they
        are no log; what the log has already is not written again.
        """
        with self.alone() as (connection, known):
            held = start + len(tail)
            missing = tail[max(0, known.size - start) :]
            grown = _folded(replace(known, tree=known.tree.copy()), missing) if missing else known
            if start > known.size or grown.tree.root(held) != root_hash:
                raise TailRefused
            for index, data in enumerate(missing, known.size):
                _insert(connection, index, data, decode_leaf(data).statement.hash)

    @contextmanager
    def alone(self) -> Iterator[tuple[Connection, Known]]:
        """A transaction that no other writer of the log runs beside, and what it sees."""
        with begin_immediate(self._engine) as connection:
            _wait_for_other_writers(connection)
            yield connection, self._caught_up(connection)

    def leaves(self, start: int, end: int) -> list[bytes]:
        """The data of the leaves from `start` to before `end`, at most `MAX_LEAVES` of them."""
        end = min(end, start + MAX_LEAVES)
        column = StatementLeaf.index
        query = select(StatementLeaf.data).where(column >= start, column < end).order_by(column)
        with self._engine.connect() as connection:
            return list(connection.scalars(query))

    def find(self, statement: Statement) -> int | None:
        """The index of a statement that stands in the log, or None."""
        with self._engine.connect() as connection:
            return _index_of(connection, statement)

    def size(self) -> int:
        """How many leaves stand in the database, looked up and not folded."""
        with self._engine.connect() as connection:
            newest = connection.scalar(select(func.max(StatementLeaf.index)))
        return 0 if newest is None else newest + 1

    def known(self) -> Known:
        """The fold of the log as it is now; not to be changed by the caller."""
        with self._engine.connect() as connection:
            return self._caught_up(connection)

    def register(self) -> Register:
        """Who is in the log as it is now; not to be changed by the caller."""
        return self.known().register

    def can_receive(self, org: OrgId) -> bool:
        """Whether the organisation's desk has a key for now."""
        return self.receivers()(org)

    def receivers(self) -> Callable[[str], bool]:
        """`can_receive` for many organisations at one moment, for the price of one look."""
        register, now = self.register(), self._clock()
        return lambda org: register.can_receive(OrgId(org), now)

    def _caught_up(self, connection: Connection) -> Known:
        """The fold of everything this transaction sees; leaves once folded are not read again.

        But for the last of them, which tells that the database is still the one they were read in.
        """
        with self._one_reader:
            known = self._known
            column = StatementLeaf.index
            query = select(StatementLeaf.data).where(column >= known.size - 1).order_by(column)
            found = connection.scalars(query).all()
            if known.size and found[:1] != [known.last]:
                raise LogShrank
            new = found[1:] if known.size else found
            if new:
                self._known = _folded(known, new)
            return self._known


def read_admission(data: bytes) -> tuple[Statement, ...]:
    """The statements of an admission file, `{"statements": [{"b","sigs"}, ...]}`, in its order."""
    admission = parse_object(data, limit=MAX_ADMISSION)
    members(admission, required={"statements"})
    listed = list_of(admission, "statements")
    if not listed:
        raise Malformed("empty", "statements")
    return tuple(_carried(item) for item in listed)


def _carried(item: JsonValue) -> Statement:
    if not isinstance(item, dict):
        raise Malformed("wrong_type", "statements")
    return parse_statement(dump_json(item))


def _check_allowed(known: Known, author: OrgId, leaf: Leaf) -> None:
    check_allowance(
        known.written,
        author,
        typ=text_of(parse_object(leaf.statement.body, limit=MAX_BODY), "typ"),
        size=len(encode_leaf(leaf)),
        coordinator=known.register.root.coordinator(author) is not None,
        now=leaf.t,
    )


def _folded(known: Known, found: Sequence[bytes]) -> Known:
    """What is known after these further leaves.

    The register is a copy, so that a request that holds the older one is not disturbed; the tree
    only grows, and only once nothing can fail any more. Raises `Malformed` or `RulesUnknown`: the
    log cannot be followed.
    """
    register, written, roots = known.register.copy(), known.written, known.roots
    for index, data in enumerate(found, known.size):
        leaf = decode_leaf(data)
        try:
            author = register.apply(leaf).by
        except RulesUnknown:
            raise
        except Refused as error:
            # We admit no such leaf, but an earlier version may have: it has no effect, here too.
            _log.warning("statement_without_effect", index=index, code=error.code)
            continue
        written = written.after(author, t=leaf.t, size=len(data))
        if register.root.hash != roots[-1][1].hash:
            roots = (*roots, (index + 1, register.root))
    for data in found:
        known.tree.append(leaf_hash(data))
    return Known(register, known.tree, roots, known.size + len(found), found[-1], written)


def _witnessed_time(connection: Connection) -> int:
    """What enough witnesses say it is at least: a leaf far before it they would never sign."""
    return connection.scalar(select(func.max(PublishedCheckpoint.time))) or 0


def _index_of(connection: Connection, statement: Statement) -> int | None:
    query = select(StatementLeaf.index).where(StatementLeaf.hash == statement.hash)
    return connection.execute(query).scalar_one_or_none()


def _insert(connection: Connection, index: int, data: bytes, statement_hash: str) -> None:
    row = {"index": index, "hash": statement_hash, "data": data}
    connection.execute(insert(StatementLeaf), row)


def _wait_for_other_writers(connection: Connection) -> None:
    """SQLite's transaction is alone already; PostgreSQL needs to be told."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE statement_leaf IN SHARE ROW EXCLUSIVE MODE"))
