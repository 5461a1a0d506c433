"""A first copy of the log from a file: checked like an answer, and never trusted more."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from broker.mirror import CopyRefused, DirectoryUnreachable, HardStop, Mirror, keeper
from broker.mirror.copies import write_copy
from broker.mirror.tables import LEAF
from broker.service.database import open_engine
from tests.unit.contracts.authors import BANGLADESH, NOW, Author, signing_key
from tests.unit.mirror.directories import WATCHERS, Clock, Directory, mirror_of, root_file

WITNESSED = root_file(witnesses=WATCHERS, k=5)
DAY = 24 * 3600


@pytest.fixture
def directory(clock: Clock) -> Directory:
    directory = Directory(clock, witnesses=WATCHERS)
    directory.add(*Author().admission())
    return directory


@pytest.fixture
def newcomer(other_engine: Engine, clock: Clock) -> Mirror:
    """A computer that has seen nothing, and reaches no directory."""
    unreachable = Directory(clock)
    unreachable.shown = b""
    return mirror_of(unreachable, other_engine, clock, root=WITNESSED)


def _file(directory: Directory) -> bytes:
    return write_copy(directory.note(), directory.leaves)


def _refused(mirror: Mirror, data: bytes) -> str:
    size = mirror.size
    with pytest.raises(CopyRefused, match="Nothing was changed") as caught:
        mirror.load_copy(data)
    assert mirror.size == size
    return caught.value.code


def test_what_one_computer_writes_another_reads_and_goes_on_from_there(
    directory: Directory, engine: Engine, other_engine: Engine, clock: Clock
) -> None:
    mirror = mirror_of(directory, engine, clock, root=WITNESSED)
    mirror.sync()
    newcomer = mirror_of(directory, other_engine, clock, root=WITNESSED)
    report = newcomer.load_copy(mirror.export_copy())
    assert (report.added, report.size, report.synced_at) == (5, 5, None)
    assert newcomer.register.organisations == mirror.register.organisations
    assert newcomer.checkpoint == mirror.checkpoint
    directory.add(*Author(org=BANGLADESH).admission())
    directory.requests.clear()
    newcomer.sync()
    assert directory.spans == [(5, 10)]
    assert newcomer.export_copy() == _file(directory)


def test_a_copy_is_as_old_as_its_witnesses_say(
    directory: Directory, newcomer: Mirror, clock: Clock
) -> None:
    data = _file(directory)
    clock.now += DAY
    newcomer.load_copy(data)
    assert newcomer.fresh(clock.now)
    newcomer.ensure_fresh(60)  # the directory cannot be reached; the copy is young enough
    clock.now += 1
    assert not newcomer.fresh(clock.now)


def test_without_witnesses_a_copy_is_not_fresh_until_the_directory_has_answered(
    engine: Engine, clock: Clock
) -> None:
    directory = Directory(clock)
    directory.add(*Author().admission())
    mirror = mirror_of(directory, engine, clock)
    mirror.load_copy(_file(directory))
    assert mirror.size == 5
    assert not mirror.fresh(NOW)
    mirror.sync()
    assert mirror.fresh(NOW)


def test_a_copy_goes_only_where_less_is_known(directory: Directory, newcomer: Mirror) -> None:
    older = _file(directory)
    directory.add(*Author(org=BANGLADESH).admission())
    newer = _file(directory)
    newcomer.load_copy(older)
    assert _refused(newcomer, older) == "not_newer"
    assert newcomer.load_copy(newer).added == 5
    assert _refused(newcomer, older) == "not_newer"


def test_a_copy_without_enough_witnesses_or_of_another_network_is_refused(
    directory: Directory, newcomer: Mirror
) -> None:
    few = write_copy(directory.note(by=WATCHERS[:4]), directory.leaves)
    assert _refused(newcomer, few) == "unwitnessed"
    forged = write_copy(directory.note(log=signing_key("other")), directory.leaves)
    assert _refused(newcomer, forged) == "bad_checkpoint"
    short = write_copy(directory.note(), directory.leaves[:-1])
    assert _refused(newcomer, short) == "damaged_copy"
    assert _refused(newcomer, b"") == "damaged_copy"
    assert newcomer.load_copy(_file(directory)).added == 5


def test_leaves_beyond_the_checkpoint_are_not_taken(
    directory: Directory, newcomer: Mirror, other_engine: Engine
) -> None:
    note = directory.note()
    directory.add(*Author(org=BANGLADESH).admission())
    newcomer.load_copy(write_copy(note, directory.leaves))
    with other_engine.connect() as connection:
        stored = list(connection.execute(select(LEAF.c.data)).scalars())
    assert stored == directory.leaves[:5]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_changed_bit_of_a_copy_is_taken(data: st.DataObject) -> None:
    changed = bytearray(_file(WHOLE))
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    engine = open_engine("sqlite://")
    newcomer = mirror_of(WHOLE, engine, Clock(), root=WITNESSED)
    try:
        newcomer.load_copy(bytes(changed))
    except CopyRefused:
        assert newcomer.size == 0
        assert newcomer.stopped is None
    else:  # the name or key of a witness: it is nobody's line then, and enough others are left
        assert newcomer.root_at(5) == WHOLE.checkpoint().root
    engine.dispose()


WHOLE = Directory(Clock(), witnesses=WATCHERS)
WHOLE.add(*Author().admission())


def test_a_copy_of_another_past_proves_the_fork(
    directory: Directory, newcomer: Mirror, clock: Clock
) -> None:
    newcomer.load_copy(_file(directory))
    other = Directory(clock, witnesses=WATCHERS)
    other.add(*Author(name="impostor").admission(), *Author(org=BANGLADESH).admission())
    with pytest.raises(HardStop) as caught:
        newcomer.load_copy(_file(other))
    assert caught.value.code == "forked"
    assert newcomer.fork is not None
    newcomer.fork.check(WITNESSED.log)


def test_who_knows_nothing_has_nothing_to_copy(newcomer: Mirror) -> None:
    with pytest.raises(CopyRefused) as caught:
        newcomer.export_copy()
    assert caught.value.code == "nothing_to_copy"


def test_a_damaged_copy_leaves_the_way_to_the_directory_open(
    directory: Directory, other_engine: Engine, clock: Clock
) -> None:
    mirror = mirror_of(directory, other_engine, clock, root=WITNESSED)
    assert _refused(mirror, _file(directory)[:-1]) == "damaged_copy"
    directory.answer = lambda _request, _honest: _nobody()
    with pytest.raises(DirectoryUnreachable):
        mirror.sync()
    directory.answer = None
    assert mirror.sync().added == 5


def _nobody() -> httpx.Response:
    raise httpx.ConnectError("no route")


def test_leaves_that_no_signature_covers_yet_fill_no_memory(
    engine: Engine, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = Directory(clock)
    mirror = mirror_of(directory, engine, clock)
    directory.add(*Author().admission())
    monkeypatch.setattr(keeper, "_MAX_UNCHECKED", 100)
    with pytest.raises(DirectoryUnreachable) as caught:
        mirror.sync()
    assert (caught.value.code, mirror.size) == ("oversized", 0)
    monkeypatch.undo()
    assert mirror.sync().size == 5
