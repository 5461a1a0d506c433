"""The desk's keys over the weeks: kept open, published once, forgotten in time."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.desk import weeks
from broker.desk.client import Unreachable
from broker.desk.courier import tick
from broker.desk.errors import DeskError
from broker.desk.keyfile import open_key_file, write_key_file
from broker.desk.keyring import (
    FILE_NAME,
    KEPT_AFTER_WEEK,
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
from broker.desk.weeks import forget_old_weeks, tend_keys
from contracts.identifiers import OrgId
from contracts.lifecycle import State
from contracts.statements import WEEK, WEEKS_AHEAD, monday
from tests.unit.desk.simulated import FAST, NET, START, World, cases, only_case

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


def test_two_desks_of_one_organisation_publish_one_after_the_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = world.organisation("my")
    second = world.second_desk(first)
    world.clock.pass_(4 * WEEK)
    for desk in (first, second):
        desk.log.sync()
    stale = weeks.next_keys(
        topped_up(first.ring, now=world.clock()), first.log.register, now=world.clock()
    )
    assert tend_keys(second).published
    # The first desk was about to publish in the same place of the chain.
    monkeypatch.setattr(weeks, "next_keys", lambda *_args, **_named: stale)
    assert not tend_keys(first).published
    monkeypatch.undo()
    assert tend_keys(first).published


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
