"""The desk's keys over the weeks: kept open, published once, forgotten in time."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.desk.client import Unreachable
from broker.desk.courier import tick
from broker.desk.enrolment import Newcomer, first_statements
from broker.desk.errors import DeskError
from broker.desk.keyfile import open_key_file, write_key_file
from broker.desk.keyring import (
    FILE_NAME,
    KEPT_AFTER_WEEK,
    KeyRing,
    KeyRingFile,
    forgotten,
    new_ring,
    parse_ring,
    published_weeks,
    render_ring,
    secrets,
    topped_up,
)
from broker.desk.sending import send_referral
from broker.desk.unlocking import Desk, DirectoryDoor, Log, surely_past
from broker.desk.weeks import forget_old_weeks, tend_keys, weeks_ahead
from contracts.contents import WEEKS_AHEAD
from contracts.identifiers import OrgId
from contracts.lifecycle import State
from contracts.register import Register
from contracts.signing import SigningKey
from contracts.statements import Statement
from contracts.times import DAY, WEEK, monday
from tests.unit.desk.simulated import (
    FAST,
    NET,
    ROOT,
    START,
    Clock,
    World,
    cases,
    only_case,
)
from tests.vouching import apply_all

ORG = OrgId("my-0123456789abcdef")
AT = st.integers(1_700_000_000, 2_000_000_000)


@given(AT)
def test_a_new_desk_has_a_quarters_keys_from_this_monday(now: int) -> None:
    published = published_weeks(new_ring(net=NET, org=ORG, now=now), now=now)
    assert len(published) == WEEKS_AHEAD
    assert published[0].nbf == monday(now) <= now < published[0].naf
    assert all(a.naf == b.nbf for a, b in pairwise(published))


@given(now=AT, later=st.integers(0, 60 * WEEK))
def test_topping_up_never_changes_a_key_that_is_there(now: int, later: int) -> None:
    ring = new_ring(net=NET, org=ORG, now=now)
    topped = topped_up(ring, now=now + later)
    assert set(ring.weeks) <= set(topped.weeks)
    assert len(published_weeks(topped, now=now + later)) == WEEKS_AHEAD


@given(now=AT, later=st.integers(0, 60 * WEEK))
def test_a_weeks_secret_lives_21_days_longer_than_its_week_and_no_longer(
    now: int, later: int
) -> None:
    ring = forgotten(new_ring(net=NET, org=ORG, now=now), now=now + later)
    for begins in (monday(now) + WEEK * n for n in range(WEEKS_AHEAD)):
        kept = any(week.begins == begins for week in ring.weeks)
        assert kept == (now + later < begins + WEEK + KEPT_AFTER_WEEK)


@given(AT)
def test_a_ring_is_read_as_it_was_written(now: int) -> None:
    ring = new_ring(net=NET, org=ORG, now=now)
    again = parse_ring(render_ring(ring))
    assert again.signing.seed == ring.signing.seed
    assert (again.archive_key, again.weeks, again.org) == (ring.archive_key, ring.weeks, ring.org)


def test_nothing_secret_is_in_a_repr() -> None:
    ring = new_ring(net=NET, org=ORG, now=START)
    shown = repr(ring) + repr(secrets(ring)) + repr(ring.weeks)
    for secret in (ring.signing.seed, ring.archive_key, *(week.secret for week in ring.weeks)):
        assert repr(secret) not in shown
        assert secret.hex() not in shown


def test_keys_are_published_again_before_they_run_out(world: World) -> None:
    ours, theirs = world.organisation("my"), world.organisation("bd")
    world.clock.pass_(2 * WEEK)
    assert not tend_keys(ours).published
    world.clock.pass_(WEEK)
    ours.log.sync()
    assert tend_keys(ours).published
    world.clock.pass_(11 * WEEK)
    assert world.log.register.can_receive(ours.org, world.clock())
    assert not world.log.register.can_receive(theirs.org, world.clock())


def test_a_crash_between_saving_and_publishing_loses_no_secret(world: World) -> None:
    ours = world.organisation("my")
    world.clock.pass_(4 * WEEK)
    ours.log.sync()
    saved = ours.keys.change(lambda ring: topped_up(ring, now=world.clock()))  # and then it died
    restarted = world.again(ours)
    restarted.log.sync()
    assert tend_keys(restarted).published
    device = world.log.register.device(ours.org, ours.ring.device)
    assert device is not None
    assert {key.key_id for key in device.keys} <= set(secrets(saved))


def test_a_lost_answer_of_the_directory_does_not_use_a_number_twice(world: World) -> None:
    ours = world.organisation("my")
    world.clock.pass_(4 * WEEK)
    ours.log.sync()
    world.directory.lose_answers = True
    with pytest.raises(Unreachable):
        tend_keys(ours)
    world.directory.lose_answers = False
    before = len(world.log.leaves)
    ours.log.sync()
    assert not tend_keys(ours).published
    assert len(world.log.leaves) == before


class Interrupted:
    """A directory to which somebody else publishes just before our own statement arrives."""

    def __init__(self, inner: DirectoryDoor, meanwhile: Callable[[], object]) -> None:
        self._inner, self._meanwhile = inner, [meanwhile]

    def publish(self, statement: Statement) -> int:
        while self._meanwhile:
            self._meanwhile.pop()()
        return self._inner.publish(statement)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def test_two_desks_of_one_organisation_that_rotate_at_once_both_end_published(
    world: World,
) -> None:
    first = world.organisation("my")
    second = world.second_desk(first)
    world.clock.pass_(4 * WEEK)
    first.directory = Interrupted(first.directory, lambda: tend_keys(second))
    assert tend_keys(first).published
    for desk in (first, second):
        device = world.log.register.device(desk.org, desk.ring.device)
        assert device is not None
        assert weeks_ahead(device, now=world.clock()) == WEEKS_AHEAD - 1
    assert not tend_keys(first).published


def test_a_desk_that_loses_the_race_every_time_tries_again_in_the_next_round(
    world: World,
) -> None:
    first = world.organisation("my")
    second = world.second_desk(first)
    world.clock.pass_(4 * WEEK)
    stale = first.log.register.copy()
    usual = first.log
    first.log = Behind(usual, stale)  # what the witnesses have not seen yet
    tend_keys(second)
    assert not tend_keys(first).published
    first.log = usual
    assert tend_keys(first).published


class Behind:
    """A copy of the log that no synchronising brings up to date."""

    def __init__(self, inner: Log, register: Register) -> None:
        self._inner, self.register = inner, register

    def sync(self) -> None: ...

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


YEAR = 365 * DAY


def witnessed(desk: Desk) -> None:
    """As if five witnesses signed this desk's log: its time is theirs."""
    root = replace(desk.root, k=5)
    desk.root = root
    desk.log.root = root  # type: ignore[misc]  # the simulated copy's is a plain attribute


@pytest.mark.parametrize("off", [-YEAR, -WEEK, WEEK, YEAR])
def test_a_clock_that_is_off_destroys_no_secret_and_closes_no_mailbox(
    world: World, off: int
) -> None:
    ours, theirs = world.organisation("my"), world.organisation("bd")
    witnessed(theirs)
    theirs.clock = Clock(world.clock() + off)
    for _ in range(6):
        before = set(secrets(theirs.ring))
        tick(theirs)
        assert before <= set(secrets(theirs.ring))
        assert world.log.register.can_receive(theirs.org, world.clock())
        device = world.log.register.device(theirs.org, theirs.ring.device)
        assert device is not None
        assert {key.key_id for key in device.keys} <= set(secrets(theirs.ring))
        world.clock.pass_(3 * DAY)
        theirs.clock.pass_(3 * DAY)
    theirs.clock = world.clock
    ours.log.sync()
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    world.settle(ours, theirs)
    assert only_case(theirs).state is State.DELIVERED


@given(local=st.integers(0, 2**33), t=AT)
def test_with_witnesses_their_time_alone_decides_what_is_past(local: int, t: int) -> None:
    assert surely_past(KnownTime(k=5, time=t), now=local) == t


@given(local=st.integers(0, 2**33), t=AT)
def test_without_witnesses_a_clock_ahead_gains_a_week_at_most(local: int, t: int) -> None:
    assert surely_past(KnownTime(k=0, time=t), now=local) <= min(local, t + WEEK)


class KnownTime:
    """A log that says how late it is."""

    def __init__(self, *, k: int, time: int) -> None:
        self.root = replace(ROOT, k=k)
        self.time = time
        self.register = Register(ROOT)
        self.synced_at: int | None = time
        apply_all(self.register, *first_words(time), t=time)

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} must not be asked for")


@cache
def _newcomer() -> tuple[SigningKey, KeyRing]:
    return SigningKey.generate(), new_ring(net=NET, org=ORG, now=START)


def first_words(now: int) -> tuple[Statement, ...]:
    root, ring = _newcomer()
    return first_statements(root, ring, Newcomer("my", "ngo"), now=now)[:1]


def test_secrets_go_21_days_after_their_week_by_the_witnesses_time(world: World) -> None:
    ours = world.organisation("my")
    witnessed(ours)
    first = ours.ring.weeks[0].begins
    ours.clock = Clock(world.clock() - YEAR)
    world.clock.now = first + WEEK + KEPT_AFTER_WEEK - 1
    ours.log.sync()
    forget_old_weeks(ours, now=ours.clock())
    assert ours.ring.weeks[0].begins == first
    world.clock.pass_(1)
    ours.log.sync()
    forget_old_weeks(ours, now=ours.clock())
    assert ours.ring.weeks[0].begins > first


def test_a_crash_between_saving_and_the_answer_publishes_the_saved_weeks_once(
    world: World,
) -> None:
    ours = world.organisation("my")
    world.clock.pass_(4 * WEEK)
    ours.log.sync()
    world.directory.lose_answers = True
    with pytest.raises(Unreachable):
        tend_keys(ours)
    world.directory.lose_answers = False
    restarted = world.again(ours)
    restarted.log.sync()
    tend_keys(restarted)
    device = world.log.register.device(ours.org, ours.ring.device)
    assert device is not None
    assert {key.key_id for key in device.keys} <= set(secrets(restarted.ring))
    assert weeks_ahead(device, now=world.clock()) == WEEKS_AHEAD - 1


def test_mail_to_a_forgotten_week_cannot_be_opened_and_is_said_so(world: World) -> None:
    ours, theirs = world.organisation("my"), world.organisation("bd")
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    tick(ours)
    theirs.keys.change(lambda ring: forgotten(ring, now=START + 40 * WEEK))
    tick(theirs)
    assert not cases(theirs)
    assert only_case(ours).state is State.SENT


def test_old_secrets_are_gone_from_the_file_after_unlocking(world: World) -> None:
    ours = world.organisation("my")
    old = ours.ring.weeks[0].begins
    world.clock.pass_(5 * WEEK)
    world.organisation("bd")  # so that the log knows how late it is
    ours.log.sync()
    forget_old_weeks(ours, now=world.clock())
    assert all(week.begins > old for week in world.again(ours).keys.ring.weeks)


def test_a_running_process_sees_keys_that_another_process_has_changed(world: World) -> None:
    ours = world.organisation("my")
    other = ours.keys.twin()
    other.change(lambda ring: topped_up(ring, now=START + 5 * WEEK))
    assert len(ours.ring.weeks) == WEEKS_AHEAD + 5


def test_two_processes_that_change_the_keys_both_take_effect(world: World) -> None:
    ours = world.organisation("my")
    other = ours.keys.twin()
    other.change(lambda ring: topped_up(ring, now=START + 5 * WEEK))
    ours.keys.change(lambda ring: forgotten(ring, now=START + 6 * WEEK))
    begins = [week.begins for week in other.ring.weeks]
    assert min(begins) > monday(START)
    assert max(begins) == monday(START) + WEEK * (WEEKS_AHEAD + 4)


def test_a_key_file_of_something_else_is_not_taken_for_a_desks(tmp_path: Path) -> None:
    passphrase = b"fig lantern meadow quartz"
    ring = new_ring(net=NET, org=ORG, now=START)
    KeyRingFile.create(tmp_path, passphrase, ring, cost=FAST)
    wrapping = open_key_file(tmp_path / FILE_NAME, passphrase).wrapping
    write_key_file(tmp_path / FILE_NAME, b'{"v":1}', wrapping)
    with pytest.raises(DeskError) as caught:
        KeyRingFile.unlock(tmp_path, passphrase)
    assert caught.value.code == "key_file_unreadable"


def test_a_folder_without_a_desk_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DeskError) as caught:
        KeyRingFile.unlock(tmp_path, b"fig lantern meadow quartz")
    assert "rujukan init" in str(caught.value)


def test_a_locked_desk_can_do_nothing_any_more(world: World) -> None:
    ours = world.organisation("my")
    other = world.again(ours)
    ours.close()
    for act in (lambda: ours.ring, lambda: tick(ours), lambda: cases(ours)):
        with pytest.raises(RuntimeError):
            act()
    assert other.ring.org  # another process of the same desk goes on


# The folder, and its passphrase


def test_the_keys_lie_apart_in_a_folder_that_backups_leave_out(tmp_path: Path) -> None:
    ring = new_ring(net=NET, org=ORG, now=START)
    KeyRingFile.create(tmp_path, b"fig lantern meadow quartz", ring, cost=FAST)
    folder = (tmp_path / FILE_NAME).parent
    assert folder != tmp_path  # the cases may be backed up, what opens them may not
    tag = (folder / "CACHEDIR.TAG").read_bytes()
    assert tag.startswith(b"Signature: 8a477f597d28d172789f06886806bc55")
    assert folder.stat().st_mode & 0o077 == 0


def test_a_desk_of_an_earlier_version_finds_its_keys_where_they_were(tmp_path: Path) -> None:
    passphrase = b"fig lantern meadow quartz"
    ring = new_ring(net=NET, org=ORG, now=START)
    KeyRingFile.create(tmp_path, passphrase, ring, cost=FAST)
    (tmp_path / FILE_NAME).replace(tmp_path / "desk.key")
    for _ in range(2):
        assert KeyRingFile.unlock(tmp_path, passphrase).ring.device == ring.device
    assert not (tmp_path / "desk.key").exists()


def test_a_new_passphrase_opens_the_same_keys_and_the_old_one_nothing(tmp_path: Path) -> None:
    old, new = b"fig lantern meadow quartz", b"stick of drift wood and salt"
    ring = new_ring(net=NET, org=ORG, now=START)
    keys = KeyRingFile.create(tmp_path, old, ring, cost=FAST)
    other = KeyRingFile.unlock(tmp_path, old)
    keys.change_passphrase(new, cost=FAST)
    assert KeyRingFile.unlock(tmp_path, new).ring.archive_key == ring.archive_key
    with pytest.raises(DeskError) as caught:
        KeyRingFile.unlock(tmp_path, old)
    assert caught.value.code == "wrong_passphrase"
    with pytest.raises(DeskError) as caught:
        other.ring  # noqa: B018 - reading is what another process does
    assert caught.value.code == "passphrase_changed"
    assert keys.change(lambda ring: topped_up(ring, now=START + WEEK)).weeks


def test_a_crash_while_the_passphrase_changes_leaves_one_that_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = b"fig lantern meadow quartz", b"stick of drift wood and salt"
    keys = KeyRingFile.create(tmp_path, old, new_ring(net=NET, org=ORG, now=START), cost=FAST)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os if name == "fsync" else Path, name, crash)
            with pytest.raises(KeyboardInterrupt):
                keys.change_passphrase(new, cost=FAST)
        assert KeyRingFile.unlock(tmp_path, old).ring.org == ORG
