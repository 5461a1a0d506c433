"""A clock that runs ahead, and comes home again: what it has destroyed by then is gone for good."""

from __future__ import annotations

from broker.desk.consumer import hand_over
from broker.desk.courier import tick
from broker.desk.keyring import KEPT_AFTER_WEEK
from broker.desk.outbox import CLAIM
from broker.desk.sending import send_referral
from broker.desk.unlocking import Desk
from contracts.lifecycle import State
from contracts.times import DAY, WEEK
from tests.unit.desk.simulated import World, cases, only_case

YEAR = 365 * DAY


def a_year_ahead_and_home(world: World, desk: Desk) -> None:
    """Only this desk's clock: the directory takes no statement from the future."""
    world.clock.pass_(YEAR)
    world.log.reachable = world.hub.reachable = False
    tick(desk)
    world.clock.pass_(-YEAR)
    world.log.reachable = world.hub.reachable = True


def test_a_clock_that_was_a_year_ahead_has_destroyed_no_key_in_use(
    world: World, ours: Desk, theirs: Desk
) -> None:
    before = theirs.ring.weeks
    world.settle(ours, theirs)
    a_year_ahead_and_home(world, theirs)
    assert set(before) <= set(theirs.ring.weeks)
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    world.settle(ours, theirs)
    assert only_case(theirs).state is State.DELIVERED


def test_a_clock_that_was_a_year_ahead_has_forgotten_no_envelope(
    world: World, ours: Desk, theirs: Desk
) -> None:
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    world.settle(ours, theirs)
    with theirs.store.reading() as rows:
        kept = rows.seen(ours.org, next(iter(world.hub.accepted))[1])
    assert kept is not None
    a_year_ahead_and_home(world, theirs)
    with theirs.store.reading() as rows:
        assert rows.seen(ours.org, next(iter(world.hub.accepted))[1]) == kept
    assert len(cases(theirs)) == 1


def test_old_keys_go_as_soon_as_the_log_is_as_late(world: World, ours: Desk) -> None:
    first = ours.ring.weeks[0].begins
    world.clock.now = first + WEEK + KEPT_AFTER_WEEK
    tick(ours)  # which publishes the next weeks, so the log is as late as the clock
    assert all(week.begins > first for week in ours.ring.weeks)


def test_what_a_clock_ahead_put_off_is_not_put_off_for_a_year(
    world: World, ours: Desk, theirs: Desk
) -> None:
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    world.settle(ours, theirs)
    world.clock.pass_(YEAR)
    assert hand_over(theirs, ["false"]).failed == 1
    world.clock.pass_(-YEAR)
    assert hand_over(theirs, ["true"]).handled == 1


def test_what_a_clock_ahead_claimed_is_not_claimed_for_a_year(
    world: World, ours: Desk, theirs: Desk
) -> None:
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    ahead = world.clock.now + YEAR
    with ours.store.writing() as rows:  # and then that process died
        assert rows.claim_letters(lambda *_: True, now=ahead, until=ahead + CLAIM)
    world.settle(ours, theirs)
    assert only_case(ours).state is State.DELIVERED
