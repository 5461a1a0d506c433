"""Which checkpoints a mirror follows, how old it knows itself to be, what it says of others."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from broker.mirror import DirectoryUnreachable, Freshness, HardStop, Mirror, Seen, freshness
from broker.mirror.freshness import FRESH_SECONDS, PINNED_SECONDS
from contracts.checkpoints import check_dir_signature
from contracts.errors import Refused
from contracts.notes import parse_note, render_note
from contracts.tree import EMPTY_ROOT
from tests.unit.contracts.authors import BANGLADESH, NOW, Author, signing_key
from tests.unit.mirror.directories import WATCHERS, Clock, Directory, mirror_of, root_file

K = 5
WITNESSED = root_file(witnesses=WATCHERS, k=K)
HOUR = 3600
DAY = 24 * HOUR
YEAR = 365 * DAY
NO_SIGNATURE = bytes(64)


@pytest.fixture
def directory(clock: Clock) -> Directory:
    """One with eight witnesses, of which five are asked for."""
    directory = Directory(clock, witnesses=WATCHERS)
    directory.add(*Author().admission())
    return directory


@pytest.fixture
def mirror(directory: Directory, engine: Engine, clock: Clock) -> Mirror:
    mirror = mirror_of(directory, engine, clock, root=WITNESSED)
    mirror.sync()
    return mirror


def _refused(mirror: Mirror) -> str:
    size, time = mirror.size, mirror.time
    with pytest.raises(DirectoryUnreachable, match="nothing was taken over") as caught:
        mirror.sync()
    assert (mirror.size, mirror.time, mirror.stopped) == (size, time, None)
    return caught.value.code


# The quorum


def test_five_of_eight_witnesses_are_enough_and_four_are_not(
    mirror: Mirror, directory: Directory
) -> None:
    directory.add(*Author(org=BANGLADESH).admission())
    directory.shown = directory.note(by=WATCHERS[: K - 1])
    assert _refused(mirror) == "unwitnessed"
    directory.requests.clear()
    directory.shown = directory.note(by=WATCHERS[-K:])
    assert mirror.sync().size == 10
    assert directory.spans == []  # the leaves of the first try were at hand


def test_a_checkpoint_that_was_seen_before_still_needs_its_witnesses(
    mirror: Mirror, directory: Directory, clock: Clock
) -> None:
    clock.now += HOUR
    directory.shown = directory.note(by=WATCHERS[:1])
    assert _refused(mirror) == "unwitnessed"


def test_a_note_without_the_logs_own_signature_is_none(
    mirror: Mirror, directory: Directory
) -> None:
    for add in (False, True):
        if add:
            directory.add(*Author(org=BANGLADESH).admission())
        directory.shown = directory.note(log=signing_key("somebody else's log"))
        assert _refused(mirror) == "bad_checkpoint"


def test_the_checkpoint_of_another_log_is_none(
    mirror: Mirror, clock: Clock, directory: Directory
) -> None:
    other = Directory(clock, net="demo.other", witnesses=WATCHERS)
    other.leaves = list(directory.leaves)
    directory.shown = other.note()
    assert _refused(mirror) == "bad_checkpoint"


def test_a_bad_line_of_a_witness_spoils_the_note(mirror: Mirror, directory: Directory) -> None:
    note = bytearray(directory.note())
    note[-10] ^= 1
    directory.shown = bytes(note)
    assert _refused(mirror) == "bad_checkpoint"


def test_what_was_accepted_is_known_again_after_a_restart(
    mirror: Mirror, directory: Directory, engine: Engine, clock: Clock
) -> None:
    again = mirror_of(directory, engine, clock, root=WITNESSED)
    assert again.checkpoint == mirror.checkpoint
    assert again.checkpoint is not None
    assert again.root_at(again.size) == again.checkpoint.checkpoint.root
    assert (again.time, again.age(NOW), again.size) == (NOW, 0, 5)


# Time and freshness


def test_time_is_what_five_witnesses_say_and_never_falls(
    mirror: Mirror, directory: Directory, engine: Engine, clock: Clock
) -> None:
    clocks = [NOW + minute * 60 for minute in range(8)]
    directory.shown = directory.note(at=clocks)
    mirror.sync()
    assert mirror.time == NOW + 3 * 60
    directory.shown = directory.note(at=[NOW] * 8)
    mirror.sync()
    directory.add(*Author(org=BANGLADESH).admission())
    directory.shown = directory.note(at=[NOW + 1] * 8)
    mirror.sync()
    assert mirror.time == NOW + 3 * 60
    assert mirror_of(directory, engine, clock, root=WITNESSED).time == NOW + 3 * 60


def test_a_mirror_grows_old_by_its_witnesses_and_not_by_who_answers(
    mirror: Mirror, directory: Directory, clock: Clock
) -> None:
    directory.shown = directory.note()
    clock.now += DAY + 1
    mirror.sync()
    assert mirror.synced_at == clock.now
    assert mirror.level(clock.now) is Freshness.PINNED_ONLY
    with pytest.raises(DirectoryUnreachable) as caught:
        mirror.ensure_fresh(60)
    assert caught.value.code == "old_checkpoint"
    directory.requests.clear()
    with pytest.raises(DirectoryUnreachable):
        mirror.ensure_fresh(60)
    assert directory.requests == []  # and it is not asked by everybody
    clock.now += 6 * DAY
    assert mirror.level(clock.now) is Freshness.STALE
    directory.shown = None
    clock.now += HOUR
    mirror.ensure_fresh(60)
    assert mirror.fresh(clock.now)


def test_a_directory_whose_witnesses_sign_seldom_is_not_asked_by_everybody(
    mirror: Mirror, directory: Directory, clock: Clock
) -> None:
    directory.shown = directory.note()
    clock.now += HOUR
    directory.requests.clear()
    for _ in range(5):
        mirror.ensure_fresh(30)
    assert len(directory.requests) == 1


def test_an_older_checkpoint_of_the_same_past_changes_nothing(
    mirror: Mirror, directory: Directory, clock: Clock
) -> None:
    old = directory.note(3)
    clock.now += HOUR
    directory.shown = old
    assert (mirror.sync().added, mirror.size, mirror.time) == (0, 5, NOW)
    mirror.ensure_fresh(30)
    clock.now += DAY
    with pytest.raises(DirectoryUnreachable):
        mirror.ensure_fresh(30)


def test_without_witnesses_an_older_checkpoint_does_not_make_the_copy_fresh(
    engine: Engine, clock: Clock
) -> None:
    directory = Directory(clock)
    directory.add(*Author().admission())
    mirror = mirror_of(directory, engine, clock)
    mirror.sync()
    directory.shown = directory.note(3)
    clock.now += FRESH_SECONDS + 1
    mirror.sync()
    assert (mirror.synced_at, mirror.time) == (NOW, NOW)
    with pytest.raises(DirectoryUnreachable):
        mirror.ensure_fresh(30)


def test_a_laptop_a_year_ahead_knows_itself_old_and_its_time_stays_true(
    mirror: Mirror, clock: Clock, directory: Directory
) -> None:
    directory.shown = directory.note()
    clock.now += YEAR
    mirror.sync()
    assert mirror.time == NOW
    assert mirror.now() == NOW + YEAR
    assert mirror.level(clock.now) is Freshness.STALE
    clock.now -= YEAR  # put right; the witnesses' times are as before
    mirror.sync()
    assert mirror.fresh(clock.now)


def test_a_laptop_a_year_back_goes_by_the_witnesses_and_still_grows_old(
    directory: Directory, engine: Engine, clock: Clock
) -> None:
    directory.shown = directory.note()
    clock.now -= YEAR
    mirror = mirror_of(directory, engine, clock, root=WITNESSED)
    mirror.sync()
    assert mirror.now() == NOW
    assert mirror.fresh(clock.now)
    clock.now += FRESH_SECONDS + 1
    mirror.sync()
    assert mirror.level(clock.now) is Freshness.PINNED_ONLY


def test_a_laptop_put_back_under_a_running_desk_must_ask_again(
    mirror: Mirror, clock: Clock, directory: Directory
) -> None:
    clock.now -= YEAR
    assert mirror.level(clock.now) is Freshness.STALE
    directory.shown = directory.note(at=[NOW] * 8)
    mirror.sync()
    assert mirror.fresh(clock.now)


@given(st.integers(0, 10 * DAY))
def test_a_copy_never_grows_younger(age: int) -> None:
    assert freshness(age) <= freshness(age + 1)
    assert (freshness(age) is Freshness.FRESH) == (age <= FRESH_SECONDS)
    assert (freshness(age) is Freshness.STALE) == (age > PINNED_SECONDS)


def test_a_copy_of_unknown_age_is_stale() -> None:
    assert freshness(None) is Freshness.STALE


# What an envelope says of the log


def test_a_dir_of_our_own_past_is_consistent_and_a_later_one_unknown(
    mirror: Mirror, directory: Directory
) -> None:
    accepted = mirror.checkpoint
    assert accepted is not None
    for size in range(1, 6):
        assert mirror.check_dir(size, directory.checkpoint(size).root, NO_SIGNATURE) is (
            Seen.CONSISTENT
        )
    directory.add(*Author(org=BANGLADESH).admission())
    later = directory.checkpoint()
    assert mirror.check_dir(later.size, later.root, NO_SIGNATURE) is Seen.UNKNOWN


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(root=st.binary(min_size=32, max_size=32), signature=st.binary(min_size=64, max_size=64))
def test_a_dir_that_nobody_signed_is_the_senders_fault(
    mirror: Mirror, root: bytes, signature: bytes
) -> None:
    assert mirror.check_dir(3, root, signature) is Seen.FAULT
    assert mirror.stopped is None


def test_a_dir_with_the_logs_signature_over_another_root_is_a_fork(
    mirror: Mirror, directory: Directory, clock: Clock, engine: Engine
) -> None:
    other = Directory(clock)
    other.add(*Author(name="impostor").admission())
    signed = other.checkpoint(4)
    signature = parse_note(other.note(4)).signatures[0].value
    check_dir_signature("demo.example", 4, signed.root, signature, WITNESSED.log)
    with pytest.raises(HardStop) as caught:
        mirror.check_dir(4, signed.root, signature)
    assert caught.value.code == "forked"
    again = mirror_of(directory, engine, clock, root=WITNESSED)
    assert again.stopped is not None
    assert again.fork == mirror.fork
    assert again.fork is not None
    again.fork.check(WITNESSED.log)


def test_size_nothing_is_only_for_who_has_nothing_in_a_network_without_witnesses(
    mirror: Mirror, other_engine: Engine, clock: Clock
) -> None:
    assert mirror.check_dir(0, EMPTY_ROOT, NO_SIGNATURE) is Seen.FAULT
    demo = mirror_of(Directory(clock), other_engine, clock)
    assert demo.check_dir(0, EMPTY_ROOT, NO_SIGNATURE) is Seen.CONSISTENT
    assert demo.check_dir(0, bytes(32), NO_SIGNATURE) is Seen.FAULT
    demo.sync()
    assert demo.check_dir(0, EMPTY_ROOT, NO_SIGNATURE) is Seen.FAULT


def test_a_root_beyond_what_is_known_is_not_made_up(mirror: Mirror) -> None:
    with pytest.raises(Refused):
        mirror.root_at(6)


def test_the_note_is_handed_on_as_it_came(mirror: Mirror) -> None:
    accepted = mirror.checkpoint
    assert accepted is not None
    assert render_note(parse_note(accepted.note)) == accepted.note
