"""The directory shows different people different logs, an older one, or less than it signed.

Nobody but the log can sign a checkpoint, and nobody but the witnesses can make it count. Whatever
is shown, a client takes over one past only; and two clients that were shown two find it out with
the first message between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from broker.mirror import DirectoryUnreachable, HardStop, Mirror, Seen
from broker.mirror.freshness import FRESH_SECONDS
from contracts.drafting import keys_statement, root_statement
from contracts.notes import parse_note
from contracts.root import Coordinator, make_root
from contracts.statements import Heading, parse_statement
from tests.unit.contracts.authors import (
    BANGLADESH,
    MALAYSIA,
    NET,
    NOW,
    READS,
    Author,
    signing_key,
    weeks,
)
from tests.unit.mirror.directories import (
    WATCHERS,
    Clock,
    Directory,
    engine_in,
    mirror_of,
    octets,
    of_leaves,
    root_file,
)
from tests.vouching import COORDINATORS

K = 5
WITNESSED = root_file(witnesses=WATCHERS, k=K)
IN_2100 = 4_102_444_800
HOUR = 3600

Desk = Callable[[Directory], Mirror]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def directory(clock: Clock) -> Directory:
    """An honest beginning, which everybody has seen."""
    directory = Directory(clock, witnesses=WATCHERS)
    directory.add(*Author().admission())
    return directory


@pytest.fixture
def desk(tmp_path: Path, clock: Clock) -> Iterator[Desk]:
    """Makes desks of their own, each with the directory it is shown."""
    engines: list[Engine] = []

    def make(shown: Directory) -> Mirror:
        engines.append(engine_in(tmp_path, f"{len(engines)}.db"))
        mirror = mirror_of(shown, engines[-1], clock, root=WITNESSED)
        mirror.sync()
        return mirror

    yield make
    for engine in engines:
        engine.dispose()


def _forked(directory: Directory) -> tuple[Directory, Directory]:
    """Two continuations of one log: an organisation, and an impostor in its place."""
    one, other = directory.copy(), directory.copy()
    one.add(*Author(org=BANGLADESH).admission())
    other.add(*Author(org=BANGLADESH, name="impostor").admission())
    return one, other


def _not_taken(mirror: Mirror) -> str:
    size, time = mirror.size, mirror.time
    with pytest.raises(DirectoryUnreachable) as caught:
        mirror.sync()
    assert (mirror.size, mirror.time, mirror.stopped) == (size, time, None)
    return caught.value.code


def _root_of(mirror: Mirror) -> bytes | None:
    found = mirror.register.organisation(BANGLADESH)
    return None if found is None else found.root


# Two pasts


def test_a_forked_log_shown_to_two_halves_of_the_witnesses_is_believed_by_nobody(
    directory: Directory, desk: Desk
) -> None:
    mirrors = [desk(directory), desk(directory)]
    for mirror, fork, half in zip(
        mirrors, _forked(directory), (WATCHERS[:4], WATCHERS[4:]), strict=True
    ):
        directory.leaves, directory.shown = fork.leaves, fork.note(by=half)
        assert _not_taken(mirror) == "unwitnessed"
        assert _root_of(mirror) is None


@pytest.mark.parametrize("first", range(len(WATCHERS) + 1))
def test_however_the_witnesses_are_divided_at_most_one_fork_is_believed(
    directory: Directory, desk: Desk, first: int
) -> None:
    one, other = _forked(directory)
    one.shown = one.note(by=WATCHERS[:first])
    other.shown = other.note(by=WATCHERS[first:])
    believed = [_believed(desk, fork) for fork in (one, other)]
    assert believed == [first >= K, len(WATCHERS) - first >= K]
    assert sum(believed) <= 1


def _believed(desk: Desk, shown: Directory) -> bool:
    try:
        return desk(shown).size == len(shown.leaves)
    except DirectoryUnreachable:
        return False


def test_a_forked_log_shown_to_two_clients_comes_out_with_their_first_message(
    directory: Directory, desk: Desk
) -> None:
    """All eight witnesses help the directory; only the recipients' own logs are left."""
    for first, second in ((0, 1), (1, 0)):
        forks = _forked(directory)
        sender, recipient = desk(forks[first]), desk(forks[second])
        assert _root_of(sender) != _root_of(recipient)
        named = sender.checkpoint
        assert named is not None
        at = named.checkpoint
        with pytest.raises(HardStop) as caught:
            recipient.check_dir(at.size, at.root, named.log_signature)
        assert caught.value.code == "forked"
        with pytest.raises(HardStop):
            _ = recipient.register
        assert recipient.fork is not None
        recipient.fork.check(WITNESSED.log)
        assert sender.stopped is None


def test_a_fork_that_is_longer_than_ours_comes_out_after_one_synchronisation(
    directory: Directory, desk: Desk
) -> None:
    one, other = _forked(directory)
    other.add(Author(org=MALAYSIA).certify("second"))
    sender, recipient = desk(other), desk(one)
    named = sender.checkpoint
    assert named is not None
    at = named.checkpoint
    assert recipient.check_dir(at.size, at.root, named.log_signature) is Seen.UNKNOWN
    one.leaves = other.leaves  # the directory cannot go on lying to the recipient
    with pytest.raises(HardStop):
        recipient.sync()
    assert recipient.fork is not None
    assert recipient.fork.size == 10
    recipient.fork.check(WITNESSED.log)


def test_a_sender_without_the_logs_key_cannot_make_a_recipient_stop(
    directory: Directory, desk: Desk
) -> None:
    _, other = _forked(directory)
    mirror = desk(directory)
    forged = parse_note(other.note(4, log=signing_key("a sender"))).signatures[0].value
    assert mirror.check_dir(4, bytes(32), forged) is Seen.FAULT
    honest = parse_note(directory.note()).signatures[0].value
    assert mirror.check_dir(4, bytes(32), honest) is Seen.FAULT
    assert (mirror.stopped, mirror.fork) == (None, None)


# An older past


def test_a_rollback_to_an_older_checkpoint_takes_nothing_back(
    directory: Directory, desk: Desk, clock: Clock
) -> None:
    old = directory.note()
    directory.add(*Author(org=BANGLADESH).admission())
    mirror = desk(directory)
    clock.now += HOUR
    directory.shown = old
    assert mirror.sync().added == 0
    assert mirror.size == 10
    assert _root_of(mirror) == Author(org=BANGLADESH).root.public
    clock.now += FRESH_SECONDS
    with pytest.raises(DirectoryUnreachable):
        mirror.ensure_fresh(60)


@pytest.mark.parametrize("further", [0, 3, 6])
def test_a_directory_restored_from_an_old_backup_that_goes_on_differently_is_a_fork(
    directory: Directory, desk: Desk, further: int
) -> None:
    restored = directory.copy()
    directory.add(*Author(org=BANGLADESH).admission())
    mirror = desk(directory)
    restored.add(*(Author().certify(f"other {number}") for number in range(further)))
    directory.leaves = restored.leaves
    if not further:
        assert mirror.sync().added == 0
        return
    with pytest.raises(HardStop) as caught:
        mirror.sync()
    assert caught.value.code == "forked"
    assert mirror.fork is not None
    mirror.fork.check(WITNESSED.log)


def test_leaves_that_are_withheld_leave_a_client_old_and_never_wrong(
    directory: Directory, desk: Desk, clock: Clock
) -> None:
    mirror = desk(directory)
    directory.add(*Author(org=BANGLADESH).admission())
    directory.answer = of_leaves(lambda _request, _honest: octets(b""))
    assert _not_taken(mirror) == "withheld"
    clock.now += FRESH_SECONDS
    mirror.ensure_fresh(60)
    clock.now += 1
    with pytest.raises(DirectoryUnreachable):
        mirror.ensure_fresh(60)


# Time


@pytest.mark.parametrize("liars", range(1, K))
def test_witnesses_whose_clocks_are_in_2100_do_not_move_time(
    directory: Directory, desk: Desk, clock: Clock, liars: int
) -> None:
    mirror = desk(directory)
    clock.now += HOUR
    clocks = [IN_2100] * liars + [clock.now] * (len(WATCHERS) - liars)
    directory.shown = directory.note(at=clocks)
    mirror.sync()
    assert mirror.time == mirror.now() == clock.now


# Statements that break a rule


def test_a_statement_with_a_gap_in_its_number_has_no_effect(
    directory: Directory, desk: Desk
) -> None:
    author = Author()
    author.admission()
    author.certify("never shown")
    directory.add(author.publish(keys=weeks("after the gap")))
    mirror = desk(directory)
    found = mirror.register.organisation(MALAYSIA)
    assert found is not None
    assert (mirror.size, found.seq) == (6, 3)


def test_a_statement_of_a_training_log_has_no_effect_in_the_real_one(
    directory: Directory, desk: Desk
) -> None:
    """It even names the right place in the real chain."""
    author = Author()
    author.admission()
    before = desk(directory).register.organisations
    heading = Heading("exercise.example", MALAYSIA, MALAYSIA, 4, author.heading.prev, NOW)
    device = author.device_key()
    directory.add(keys_statement(heading, device=device, keys=weeks("training"), reads=READS))
    mirror = desk(directory)
    assert mirror.size == 6
    assert mirror.register.organisations == before


# Keys out of the answer that they are to prove


def test_a_checkpoint_is_not_checked_against_a_root_file_out_of_the_same_answer(
    directory: Directory, desk: Desk
) -> None:
    """The directory sends its own root file, with coordinators, witnesses and a log of its own."""
    mirror = desk(directory)
    evil, coordinator = signing_key("the directory's own"), COORDINATORS[0]
    theirs = signing_key("its coordinator")
    made = make_root(
        net=NET,
        log=evil.public,
        hubs=[],
        coordinators=[Coordinator(coordinator.id, coordinator.country, theirs.public)],
        version=2,
    )
    directory.add(
        directory.vouchers.sign(  # at its right place in the coordinator's chain
            coordinator,
            iat=NOW,
            make=lambda heading, _key: root_statement(
                heading, theirs, file=parse_statement(made).body
            ),
        )
    )
    directory.shown = directory.note(by=(), log=evil)
    assert _not_taken(mirror) == "bad_checkpoint"
    directory.shown = None  # with every honest signature it is only a leaf without effect
    assert [leaf.code for leaf in mirror.sync().refused] == ["wrong_signers"]
    assert mirror.root == WITNESSED
