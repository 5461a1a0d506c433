"""Strangers may ask a witness too: it must not cost it the directory's own question."""

from __future__ import annotations

from tests.unit.directory.witness.logs import Asked, Log, World, code_of


def test_a_checkpoint_repeated_by_strangers_costs_no_fetch_and_no_flush(
    witness: Asked, log: Log, world: World
) -> None:
    log.write(3)
    first = witness.sign(log)
    asked, kept = world.directories.asked, witness.store.kept(log.net)
    world.pass_time(20)
    for _ in range(50):
        assert witness.time_in(witness.ask(log.request(3)), log.note()) == first
    assert world.directories.asked == asked
    assert witness.store.kept(log.net) == kept


def test_a_signature_is_made_anew_after_half_a_minute(
    witness: Asked, log: Log, world: World
) -> None:
    log.write(3)
    first = witness.sign(log)
    world.pass_time(30)
    assert witness.sign(log) == first + 30


def test_what_is_given_again_is_given_for_that_tree_alone(
    witness: Asked, log: Log, world: World
) -> None:
    log.write(3)
    witness.sign(log)
    fork = log.fork(2)
    fork.write(says="another third")
    assert witness.ask(fork.request(3)).status_code == 409
    world.directories.serve(fork)
    answer = witness.ask(log.request(3))
    assert (answer.status_code, code_of(answer)) == (503, "stopped")
    log.write()
    assert witness.ask(log.request(3)).status_code == 503
