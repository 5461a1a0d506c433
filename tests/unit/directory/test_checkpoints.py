"""Signing and showing checkpoints: what may not be signed, the file beside the key, the limits."""

from __future__ import annotations

import stat
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.service.failures import Failure
from contracts.encoding import b64encode
from contracts.errors import Refused
from contracts.identifiers import OrgId
from contracts.notes import render_note
from contracts.quorum import accept_checkpoint
from contracts.signing import SigningKey
from contracts.times import DAY
from contracts.tree import EMPTY_ROOT
from directory import allowance
from directory.allowance import Written, check_allowance
from directory.checkpoints import Checkpoints, Gate
from directory.logkey import Mark, Marked, log_key
from directory.rounds import TURN_SECONDS, Rounds, end_turns
from directory.statements import LogClosed
from directory.witnessing import shown_before
from tests.unit.directory.support import NOW
from tests.unit.directory.witnessed import World

AUTHOR = OrgId("my-0123456789abcdef")
NEIGHBOUR = OrgId("bd-0123456789abcdef")


@pytest.fixture
def alone(tmp_path: Path) -> World:
    return World(tmp_path, witnesses=0, k=0, net="demo.alone").start()


def test_the_same_size_is_signed_once_and_gives_the_same_note(alone: World) -> None:
    first = alone.process.checkpoints.sign(now=NOW)
    alone.kill()
    alone.start()
    again = alone.process.checkpoints.sign(now=NOW + 5)
    assert again == first
    assert len(alone.key.signed) == 1
    alone.append()
    assert alone.process.checkpoints.sign(now=NOW).size == 1


def test_what_is_shown_never_becomes_smaller(alone: World) -> None:
    checkpoints = alone.process.checkpoints
    empty = checkpoints.sign(now=NOW)
    alone.append()
    assert checkpoints.publish(checkpoints.sign(now=NOW))
    assert not checkpoints.publish(empty)
    assert checkpoints.published_size() == 1


def test_a_checkpoint_with_too_few_signatures_is_not_shown(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.start()
    for witness in world.witnesses[:2]:
        witness.busy = True
    world.round()
    assert world.published() is None
    world.witnesses[0].busy = False
    world.now += 10
    world.round()
    note = world.published()
    assert note is not None
    assert accept_checkpoint(render_note(note), world.root).checkpoint.size == 0
    with pytest.raises(Refused):
        accept_checkpoint(render_note(replace(note, signatures=note.signatures[:2])), world.root)
    world.kill()


def test_another_key_than_the_root_files_signs_nothing(alone: World) -> None:
    process = alone.process
    stranger = Checkpoints(
        process.engine, log=process.log, key=SigningKey.generate(), gate=process.gate
    )
    with pytest.raises(LogClosed, match="another key"):
        stranger.sign(now=NOW)
    assert process.checkpoints.newest() is None


def test_a_shut_gate_lets_nothing_be_signed_written_or_shown(alone: World) -> None:
    alone.round()
    alone.process.gate.shut()
    for act in (
        alone.append,
        lambda: alone.process.checkpoints.sign(now=NOW),
        alone.process.checkpoints.published,
    ):
        with pytest.raises(LogClosed):
            act()


@given(st.lists(st.integers(0, 50), min_size=1, max_size=12))
def test_the_mark_only_rises(sizes: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        mark, highest = Mark(Path(folder) / "log.key.signed"), -1
        for size in sizes:
            try:
                mark.raise_to(size, bytes([size]) * 32)
            except ValueError:
                assert size < highest
            highest = max(highest, size)
            assert mark.read() == Marked(highest, bytes([highest]) * 32)
        with pytest.raises(ValueError, match="never changes its root"):
            mark.raise_to(highest, b"x" * 32)


def test_a_mark_that_cannot_be_read_is_not_taken_for_nothing(alone: World) -> None:
    for content in (b"", b"{}", b'{"size":"1","root":""}', b"\xff"):
        alone.mark_file.write_bytes(content)
        with pytest.raises(Failure, match="cannot be read as the mark"):
            alone.append()
    assert alone.process.log.size() == 0


def test_a_new_key_begins_with_a_mark_and_no_key_is_made_beside_an_old_one(
    tmp_path: Path,
) -> None:
    file = tmp_path / "log.key"
    key = log_key(file)
    mark = Mark.beside(file)
    assert mark.read() == Marked(0, EMPTY_ROOT)
    assert stat.S_IMODE(mark.path.stat().st_mode) == 0o600
    assert b64encode(key.seed) not in mark.path.read_text()
    mark.raise_to(3, b"r" * 32)
    file.unlink()
    with pytest.raises(Failure, match="is not there any more"):
        log_key(file)
    assert not file.exists()


@pytest.mark.parametrize(
    ("holds", "k", "n", "floor"),
    [
        ([5, 5, 4], 2, 3, 5),
        ([5, 4], 2, 3, 5),
        ([9, 4, 4], 2, 3, 4),
        ([0, 0], 2, 3, 0),
        ([7], 1, 1, 7),
    ],
)
def test_nothing_smaller_is_shown_than_what_k_may_have_signed(
    tmp_path: Path, holds: list[int], k: int, n: int, floor: int
) -> None:
    world = World(tmp_path, witnesses=n, k=k)
    assert shown_before(holds, world.root) == floor


def test_one_process_at_a_time_has_the_turn(alone: World) -> None:
    process, clock = alone.process, lambda: NOW
    one, other = (
        Rounds(
            process.engine,
            process.witnessing,
            Gate(Mark(alone.mark_file)),
            opened=list,
            clock=clock,
        )
        for _ in range(2)
    )
    assert one.take_turn(now=NOW)
    assert not other.take_turn(now=NOW)
    assert one.take_turn(now=NOW + TURN_SECONDS - 1)
    assert not other.take_turn(now=NOW + TURN_SECONDS)
    assert other.take_turn(now=NOW + 2 * TURN_SECONDS)
    assert not one.take_turn(now=NOW + 2 * TURN_SECONDS)
    # A clock that was a year ahead does not keep the turn for a year.
    assert one.take_turn(now=NOW - 365 * DAY)
    end_turns(process.engine)
    assert other.take_turn(now=NOW)


# How much may be written on a day.


def written(count: int, *, author: OrgId = AUTHOR, size: int = 1000) -> Written:
    found = Written()
    for _ in range(count):
        found = found.after(author, t=NOW, size=size)
    return found


def allowed(day: Written, typ: str = "keys", *, author: OrgId = AUTHOR, **said: object) -> bool:
    coordinator, now = bool(said.get("coordinator")), int(str(said.get("now", NOW)))
    try:
        check_allowance(day, author, typ=typ, size=1000, coordinator=coordinator, now=now)
    except Refused:
        return False
    return True


def test_a_flood_stops_its_author_and_nobody_else() -> None:
    day = written(allowance.MAX_A_DAY)
    assert not allowed(day)
    assert allowed(day, author=NEIGHBOUR)
    assert allowed(day, coordinator=True)
    assert allowed(day, now=NOW + DAY)
    assert not allowed(written(allowance.MAX_A_DAY_COORDINATOR), coordinator=True)


@pytest.mark.parametrize("typ", ["freeze", "thaw", "revoke", "recover"])
def test_a_stolen_computer_cannot_use_up_what_freezes_it(typ: str) -> None:
    assert allowed(written(allowance.MAX_A_DAY), typ)
    assert not allowed(written(allowance.MAX_A_DAY + allowance.RESERVE), typ)
    full = written(1, author=NEIGHBOUR, size=allowance.MAX_BYTES_A_DAY)
    busy = replace(full, statements={AUTHOR: allowance.FAIR_SHARE})
    assert not allowed(busy)
    assert allowed(busy, typ)


def test_on_a_full_day_everybody_still_has_a_few() -> None:
    full = written(150, author=NEIGHBOUR, size=allowance.MAX_BYTES_A_DAY // 100)
    assert not allowed(full, author=NEIGHBOUR)
    assert allowed(full)
    own = replace(full, statements={**full.statements, AUTHOR: allowance.FAIR_SHARE - 1})
    assert allowed(own)
    assert not allowed(own.after(AUTHOR, t=NOW, size=1))
