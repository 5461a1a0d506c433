"""What may befall the directory's own process and clock, and must not end the network."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from contracts.times import DAY
from directory.checkpoints import Gate
from directory.rounds import Rounds
from directory.statements import MOST_AHEAD, LogClosed
from directory.witnessing import Witnessing
from tests.unit.directory.support import new_engine
from tests.unit.directory.witnessed import World

TIME_2100 = 4_102_444_800


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path).start()
    world.append()
    world.round()
    assert world.published() is not None
    return world


def test_a_minute_in_2100_writes_no_leaf_that_no_witness_will_ever_sign(world: World) -> None:
    """A leaf's time never falls: one leaf of 2100 would end the log for good."""
    before, now = world.in_log(), world.now
    world.now = TIME_2100
    with pytest.raises(LogClosed) as caught:
        world.append()
    assert caught.value.code == "clock_ahead"
    assert world.in_log() == before
    world.now = now
    statement, _ = world.append()
    assert statement.hash in world.in_log()


def test_a_directory_that_was_off_for_a_month_asks_its_witnesses_and_goes_on(world: World) -> None:
    world.kill()
    world.now += 30 * DAY
    world.start()
    with pytest.raises(LogClosed):
        world.append()
    assert world.round()
    world.append()


def test_witnesses_that_are_away_for_a_day_do_not_close_the_log(world: World) -> None:
    for witness in world.witnesses:
        witness.away = True
    world.now += MOST_AHEAD
    world.append()


class Faulty:
    """A round that meets something nobody foresaw, and is then as it should be."""

    def __init__(self) -> None:
        self.rounds = 0
        self.went_on = threading.Event()

    def round(self, *, now: int) -> None:
        del now
        self.rounds += 1
        if self.rounds == 1:
            raise ValueError("nobody foresaw this")
        self.went_on.set()

    def close(self) -> None: ...


class Opened:
    is_open = True


def test_a_fault_in_one_round_does_not_end_all_later_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without rounds nothing is witnessed any more, and a day later every desk stands still."""
    monkeypatch.setattr("directory.rounds.POLL_SECONDS", 0.01)
    faulty, engine = Faulty(), new_engine(tmp_path)
    nothing: Callable[[], object] = lambda: None  # noqa: E731 - a name for its type
    rounds = Rounds(
        engine,
        cast("Witnessing", faulty),
        cast("Gate", Opened()),
        opened=nothing,
        clock=lambda: 1_800_000_000,
    )
    rounds.start()
    assert faulty.went_on.wait(5)
    rounds.stop()
