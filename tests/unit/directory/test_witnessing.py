"""What can go wrong between a log and its witnesses: crashes, old backups, silence, lies."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from contracts.checkpoints import parse_add_checkpoint, parse_checkpoint
from contracts.log import decode_leaf
from contracts.notes import Note, render_note, render_signatures
from contracts.quorum import accept_checkpoint
from contracts.times import DAY
from directory.asking import Answer
from directory.statements import LogClosed
from directory.witnessing import LAST_PAUSE, PATIENCE_SECONDS, RENEW_SECONDS
from tests.unit.directory.witnessed import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Three witnesses of whom two must sign, five leaves, everything published."""
    made = World(tmp_path)
    made.start()
    for _ in range(5):
        made.append()
    assert made.round()
    yield made
    assert made.alarms() == []
    made.kill()


def size_of(note: Note | None) -> int | None:
    return None if note is None else parse_checkpoint(note.text).size


def away(world: World, *names: str) -> None:
    for witness in world.witnesses:
        witness.away = witness.country in names


def test_before_the_witnesses_have_said_what_they_hold_nothing_is_taken_or_signed(
    world: World,
) -> None:
    away(world, "my", "bd")
    world.kill()
    signed = len(world.key.signed)
    assert not world.process.open()
    with pytest.raises(LogClosed, match="1 of the 2 witnesses") as closed:
        world.append()
    assert closed.value.wait > 0
    assert not world.round()
    assert world.published() is None
    assert len(world.key.signed) == signed
    away(world, "my")
    assert world.process.open()
    assert size_of(world.published()) == 5
    world.append()


def test_a_restored_database_gets_its_tail_back_from_one_witness(world: World) -> None:
    backup = world.backup("old.db")
    away(world, "my")
    accepted = {world.append()[0].hash for _ in range(3)}
    assert world.round()
    world.restore(backup)
    away(world, "bd")
    assert not accepted & world.in_log()
    assert world.process.open()
    assert accepted <= world.in_log()
    assert size_of(world.published()) in (None, 8)
    world.append()
    world.now += LAST_PAUSE
    assert world.round()
    assert size_of(world.published()) == 9


def test_what_was_shown_before_is_not_followed_by_something_older(world: World) -> None:
    backup = world.backup("old.db")
    world.append()
    world.round()
    assert size_of(world.published()) == 6
    world.restore(backup)
    assert world.process.open()
    assert world.published() is None
    world.round()
    assert size_of(world.published()) == 6


def test_what_was_signed_and_reached_nobody_is_not_signed_again_otherwise(world: World) -> None:
    backup = world.backup("old.db")
    away(world, "my", "bd", "id")
    world.append()
    world.round()
    assert world.key.signed[-1].size == 6
    world.restore(backup)
    away(world)
    assert not world.process.open()
    with pytest.raises(LogClosed, match="older than what the log has signed"):
        world.append()
    assert not world.round()


def test_a_tail_that_nobody_holds_is_given_up_by_moving_the_mark_away(world: World) -> None:
    backup = world.backup("old.db")
    away(world, "my", "bd", "id")
    world.append()
    world.round()
    world.restore(backup)
    world.mark_file.rename(world.folder / "moved")
    away(world, "my")
    assert not world.process.open()
    away(world)
    assert world.process.open()
    world.append()
    assert world.round()
    assert size_of(world.published()) == 6


def test_without_the_mark_one_witness_that_knows_more_is_waited_for(world: World) -> None:
    backup = world.backup("old.db")
    away(world, "bd", "id")
    kept = world.append()[0]
    world.round()
    assert [witness.size for witness in world.witnesses] == [6, 5, 5]
    world.restore(backup)
    world.mark_file.unlink()
    away(world, "my")
    assert not world.round()
    away(world)
    assert world.round()
    assert kept.hash in world.in_log()


def test_false_leaves_of_one_witness_are_not_taken_back_and_anothers_are(world: World) -> None:
    backup = world.backup("old.db")
    kept = world.append()[0]
    world.round()
    world.restore(backup)
    world.witnesses[0].false_leaves = True
    away(world, "bd", "id")
    with pytest.raises(LogClosed):
        world.process.witnessing.open()
    assert len(world.in_log()) == 5
    away(world)
    assert world.process.open()
    assert kept.hash in world.in_log()


def test_a_database_that_contradicts_what_was_signed_is_never_signed(world: World) -> None:
    backup = world.backup("old.db")
    world.append()
    world.round()
    world.restore(backup)
    # Somebody wrote into the restored database behind our back.
    engine = world.process.engine
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO statement_leaf SELECT 5, 'x', data FROM statement_leaf WHERE \"index\" = 4"
        )
    world.mark_file.unlink()
    assert not world.process.open()
    with pytest.raises(LogClosed, match="keeps the database as it is"):
        world.append()


def test_every_signature_is_asked_for_anew_within_the_hour(world: World) -> None:
    first = accept_checkpoint(render_note(published(world)), world.root)
    asked = [witness.asked for witness in world.witnesses]
    world.now += RENEW_SECONDS - 1
    world.round()
    assert [witness.asked for witness in world.witnesses] == asked
    world.now += 1
    world.round()
    later = accept_checkpoint(render_note(published(world)), world.root)
    assert later.checkpoint == first.checkpoint
    assert (first.time or 0) + RENEW_SECONDS == later.time
    assert len(later.cosignatures) == 3
    assert RENEW_SECONDS <= 3600


def test_a_clock_that_was_a_year_ahead_does_not_stop_the_asking(world: World) -> None:
    before = [witness.asked for witness in world.witnesses]
    world.now -= 365 * DAY
    world.round()
    assert all(
        now > then for then, now in zip(before, [w.asked for w in world.witnesses], strict=True)
    )


def test_a_checkpoint_waits_for_its_signatures_while_the_log_grows(world: World) -> None:
    for witness in world.witnesses:
        witness.busy = True
    for _ in range(4):
        world.append()
        world.round()
        world.now += 2
    assert world.key.signed[-1].size == 6
    for witness in world.witnesses:
        witness.busy = False
    world.now += 8
    world.round()
    assert size_of(world.published()) == 6
    world.round()
    assert size_of(world.published()) == 9
    for witness in world.witnesses:
        witness.busy = True
    world.append()
    world.round()
    world.append()
    world.now += PATIENCE_SECONDS
    world.round()
    assert world.key.signed[-1].size == 11


def test_a_dead_witness_is_asked_less_and_less_and_holds_nobody_up(world: World) -> None:
    away(world, "my")
    dead = world.witnesses[0]
    tried: list[int] = []
    for second in range(70):
        world.append()
        world.now += 1
        before = dead.tried
        assert world.round()
        if dead.tried > before:
            tried.append(second)
        assert size_of(world.published()) == 6 + second
    gaps = [later - earlier for earlier, later in pairwise(tried)]
    assert gaps[-1] >= LAST_PAUSE // 2
    away(world)
    world.now += LAST_PAUSE
    world.round()
    assert dead.size == 75


@pytest.mark.parametrize(
    "answer",
    [
        Answer(409, b"900000\n"),
        Answer(409, b"5\n"),
        Answer(409, b"-1\n"),
        Answer(409, "\u0665".encode()),
        Answer(200, b""),
        Answer(200, b"\xff"),
        Answer(422, b""),
        Answer(302, b""),
        Answer(500, b"canary"),
    ],
)
def test_a_witness_that_says_anything_else_stops_nothing(world: World, answer: Answer) -> None:
    world.witnesses[0].liar = lambda _: answer
    world.append()
    assert world.round()
    accepted = accept_checkpoint(render_note(published(world)), world.root)
    assert (accepted.checkpoint.size, len(accepted.cosignatures)) == (6, 2)


def test_a_signature_by_another_key_or_over_another_text_is_not_kept(world: World) -> None:
    other, liar = world.witnesses[1], world.witnesses[0]

    def by_another(request: bytes) -> Answer:
        note = parse_add_checkpoint(request).note
        return Answer(200, render_signatures([other.over(note.text)]))

    def over_another(_: bytes) -> Answer:
        return Answer(200, render_signatures([liar.over(published(world).text)]))

    for lie in (by_another, over_another):
        liar.liar = lie
        away(world, "id")
        world.append()
        world.now += LAST_PAUSE
        assert world.round()
        assert size_of(world.published()) == 5
    away(world)
    world.now += LAST_PAUSE
    world.round()
    assert len(accept_checkpoint(render_note(published(world)), world.root).cosignatures) == 2


def published(world: World) -> Note:
    found = world.published()
    assert found is not None
    return found


def test_a_new_root_file_in_the_log_changes_who_is_asked(tmp_path: Path) -> None:
    world = World(tmp_path, witnesses=5, k=3)
    old, new = world.witnesses[:3], world.witnesses[1:]
    world.root = world.root_file(k=2, witnesses=old)
    world.start()
    world.append()
    world.round()
    assert [witness.size for witness in world.witnesses] == [1, 1, 1, 0, 0]
    world.process.log.append(world.new_root(k=3, witnesses=new))
    world.round()
    # Whoever does not know the new root file yet counts the old witnesses.
    following = world.process.log.register().root
    assert (following.version, following.k) == (2, 3)
    for root in (world.root, following):
        assert accept_checkpoint(render_note(published(world)), root).checkpoint.size == 2
    world.witnesses[0].away = True
    world.append()
    world.now += LAST_PAUSE
    world.round()
    accepted = accept_checkpoint(render_note(published(world)), following)
    assert (accepted.checkpoint.size, len(accepted.cosignatures)) == (3, 4)
    # Of four with k 3, two must say what they hold.
    world.kill()
    for witness in world.witnesses[:4]:
        witness.away = True
    assert not world.round()
    world.witnesses[1].away = False
    assert world.round()
    assert world.alarms() == []
    world.kill()


def test_a_tail_with_a_new_root_file_is_believed_by_the_new_witnesses(tmp_path: Path) -> None:
    world = World(tmp_path, witnesses=5, k=3)
    old, new = world.witnesses[:3], world.witnesses[2:]
    world.root = world.root_file(k=2, witnesses=old)
    world.start().round()
    backup = world.backup("old.db")
    world.process.log.append(world.new_root(k=2, witnesses=new))
    world.round()
    old[0].away = old[1].away = True
    kept = world.append()[0]
    world.now += LAST_PAUSE
    world.round()
    world.restore(backup)
    old[0].away = old[1].away = False
    assert world.round()
    assert kept.hash in world.in_log()
    assert world.process.log.register().root.version == 2
    assert size_of(world.published()) == 2
    world.kill()


def test_a_network_without_witnesses_signs_at_once_and_notices_an_old_database(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, witnesses=0, k=0, net="demo.alone")
    world.start().round()
    backup = world.backup("old.db")
    world.append()
    world.round()
    assert size_of(world.published()) == 1
    world.restore(backup)
    assert not world.process.open()
    assert not world.round()
    assert world.published() is None
    with pytest.raises(LogClosed, match="newest copy of the database"):
        world.append()
    world.mark_file.unlink()
    world.kill()
    assert not world.process.open()
    with pytest.raises(LogClosed, match="begins anew"):
        world.append()
    world.kill()


def test_a_statement_is_never_dated_long_before_the_witnesses_last_word(world: World) -> None:
    time = accept_checkpoint(render_note(published(world)), world.root).time
    world.now -= DAY
    world.append()
    leaf = decode_leaf(world.process.log.leaves(5, 6)[0])
    assert leaf.t == time
