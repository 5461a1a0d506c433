"""A witness whose clock is wrong: what it notices by itself, and what it never does."""

from __future__ import annotations

import pytest

from tests.unit.contracts.authors import NOW
from tests.unit.directory.witness.logs import Asked, Log, World, code_of

TIME_2100 = 4_102_444_800


@pytest.mark.parametrize("wrong", [301, -301, TIME_2100 - NOW, -NOW + 1])
def test_a_clock_that_differs_from_the_directory_s_signs_nothing(
    witness: Asked, log: Log, world: World, wrong: int
) -> None:
    log.write(2)
    world.clock.now += wrong
    answer = witness.ask(log.request(0))
    assert (answer.status_code, code_of(answer)) == (503, "clock_differs")
    world.clock.now = NOW
    assert witness.sign(log) == NOW


@pytest.mark.parametrize("wrong", [300, -300])
def test_a_clock_that_differs_a_little_is_none_of_that(
    witness: Asked, log: Log, world: World, wrong: int
) -> None:
    log.write(2)
    world.clock.now += wrong
    assert witness.sign(log) == NOW + wrong


def test_a_clock_put_back_a_little_never_lowers_the_time(
    witness: Asked, log: Log, world: World
) -> None:
    log.write(2)
    world.pass_time(500)
    first = witness.sign(log)
    world.pass_time(-500)
    assert witness.sign(log) == first
    assert world.witness().sign(log) == first


def test_a_clock_put_back_far_signs_nothing_more(witness: Asked, log: Log, world: World) -> None:
    log.write(2)
    witness.sign(log)
    world.pass_time(-601)
    answer = witness.ask(log.request(2))
    assert (answer.status_code, code_of(answer)) == (503, "clock_fell")


def test_clocks_of_both_in_2100_are_the_limit_that_is_said(
    witness: Asked, log: Log, world: World
) -> None:
    """Nothing tells it then; clients take the k-th newest time. Afterwards it signs no more."""
    log.write(2)
    world.pass_time(TIME_2100 - NOW)
    assert witness.sign(log) == TIME_2100
    world.pass_time(NOW - TIME_2100)
    log.write(1)
    assert code_of(witness.ask(log.request(2))) in {"clock_fell", "time_behind"}
