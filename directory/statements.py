"""The statement log: what organisations signed, in one order, never changed.

It admits a statement only if the contract's own fold of the log accepts it, which is the check
that every desk and hub repeats; so it protects the log from noise, not the readers from the log.
It refuses to know who is asking: a statement speaks for itself, by its signatures.

    log = StatementLog(engine, net=root.net, clock=clock)
    log.append(parse_statement(body))        -> Appended(index=7, new=True)
    log.leaves(0, 1000)                      -> [leaf data, ...]
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, Engine, insert, select, text

from broker.service.database import begin_immediate
from contracts.encoding import JsonValue, dump_json, list_of, members, parse_object
from contracts.errors import Malformed, Refused
from contracts.identifiers import OrgId
from contracts.log import Leaf, decode_leaf, encode_leaf
from contracts.register import Register
from contracts.statements import DAY, MAX_CARRIED, Statement, parse_statement
from directory.models import StatementLeaf

# One answer stays under about 2 MB; a mirror asks again for the rest.
MAX_LEAVES: Final = 1000
# An admission is org, device and keys; a board that admits many devices at once fits too.
MAX_ADMISSION: Final = 64 * MAX_CARRIED
# A board that enrols fifty computers on one day stays below. Every client keeps and folds each
# statement for ever and follows no log of over a million, so one loop could end the network.
MAX_A_DAY: Final = 200
_BATCH: Final = 1000


@dataclass(frozen=True, slots=True)
class Appended:
    """Where a statement stands in the log; `new` is False if it stood there already."""

    index: int
    new: bool


@dataclass(frozen=True, slots=True)
class _Known:
    """The fold of the first `size` leaves, the newest leaf's time `t`, and how many statements
    each author has written on that leaf's day (UTC).
    """

    register: Register
    size: int
    t: int
    written: Mapping[OrgId, int] = field(default_factory=dict)

    def written_today(self, org: OrgId, now: int) -> int:
        """How many statements of this author stand in the log from the day of `now`."""
        return self.written.get(org, 0) if self.t // DAY == now // DAY else 0


class StatementLog:
    """The log in one database; safe to share between threads, and between processes."""

    def __init__(self, engine: Engine, *, net: str, clock: Callable[[], int]) -> None:
        """`clock` gives Unix seconds; `net` is the name in the root file."""
        self._engine = engine
        self._clock = clock
        self._known = _Known(Register(net), 0, 0)
        self._one_reader = threading.Lock()

    def append(self, statement: Statement) -> Appended:
        """Add one statement from the network, or find it.

        Raises the contract's `Refused` or `Malformed`; `Refused("too_many_statements", "org")`
        where the author has written `MAX_A_DAY` already today.
        """
        return self._append([statement], most_a_day=MAX_A_DAY)[0]

    def append_all(self, statements: Sequence[Statement]) -> tuple[Appended, ...]:
        """Add several in their order, all or none. For the operator, who may add any number."""
        return self._append(statements, most_a_day=None)

    def _append(
        self, statements: Sequence[Statement], *, most_a_day: int | None
    ) -> tuple[Appended, ...]:
        with begin_immediate(self._engine) as connection:
            _wait_for_other_writers(connection)
            known = self._caught_up(connection)
            trial = known.register.copy()
            now, size = max(self._clock(), known.t), known.size
            done: list[Appended] = []
            for statement in statements:
                index = _index_of(connection, statement)
                if index is None:
                    index = size + sum(one.new for one in done)
                    leaf = Leaf(statement, now)
                    author = trial.apply(leaf).id
                    if most_a_day is not None and known.written_today(author, now) >= most_a_day:
                        raise Refused("too_many_statements", "org")
                    _insert(connection, index, leaf)
                    done.append(Appended(index, new=True))
                else:
                    done.append(Appended(index, new=False))
            return tuple(done)

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

    def register(self) -> Register:
        """The fold of the log as it is now; not to be changed by the caller."""
        with self._engine.connect() as connection:
            return self._caught_up(connection).register

    def can_receive(self, org: OrgId) -> bool:
        """Whether the organisation's desk has a key for now."""
        return self.receivers()(org)

    def receivers(self) -> Callable[[str], bool]:
        """`can_receive` for many organisations at one moment, for the price of one look."""
        register, now = self.register(), self._clock()
        return lambda org: register.can_receive(OrgId(org), now)

    def _caught_up(self, connection: Connection) -> _Known:
        """The fold of everything this transaction sees; leaves once folded are not read again."""
        with self._one_reader:
            known = self._known
            column = StatementLeaf.index
            query = select(StatementLeaf.data).where(column >= known.size).order_by(column)
            found = connection.scalars(query.execution_options(yield_per=_BATCH)).all()
            if found:
                self._known = _folded(known, found)
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


def _folded(known: _Known, found: Sequence[bytes]) -> _Known:
    # A copy, so that a request that holds the older register is not disturbed.
    register, t, written = known.register.copy(), known.t, Counter(known.written)
    for data in found:
        leaf = decode_leaf(data)
        if leaf.t // DAY != t // DAY:
            written.clear()
        written[register.apply(leaf).id] += 1
        t = leaf.t
    return _Known(register, known.size + len(found), t, written)


def _index_of(connection: Connection, statement: Statement) -> int | None:
    query = select(StatementLeaf.index).where(StatementLeaf.hash == statement.hash)
    return connection.execute(query).scalar_one_or_none()


def _insert(connection: Connection, index: int, leaf: Leaf) -> None:
    row = {"index": index, "hash": leaf.statement.hash, "data": encode_leaf(leaf)}
    connection.execute(insert(StatementLeaf), row)


def _wait_for_other_writers(connection: Connection) -> None:
    """SQLite's transaction is alone already; PostgreSQL needs to be told."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE statement_leaf IN SHARE ROW EXCLUSIVE MODE"))
