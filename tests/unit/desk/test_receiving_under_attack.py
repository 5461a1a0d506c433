"""One sender's letters, made to stand in the way of everybody else's."""

from __future__ import annotations

import pytest

from broker.desk.courier import tick
from broker.desk.outbox import Outgoing, sealed_for
from broker.desk.receiving import MOST_GIVEN_BACK, receive
from broker.desk.sending import send_referral
from broker.desk.unlocking import Desk
from broker.mirror import DirectoryUnreachable, HardStop, Seen
from broker.mirror.stops import Stop
from contracts.envelope import MAX_LIFETIME, Checkpoint
from contracts.messages import Receipt, render_receipt
from contracts.times import utc_text
from tests.unit.desk.simulated import AT_ONCE, Door, World, cases

BEYOND = Checkpoint(size=2**53 - 1, root=bytes(32), sig=bytes(64))


def letters_of_tomorrow(world: World, sender: Desk, to: Desk, count: int) -> None:
    """What any registered device can send: its `dir` names a log that nobody has."""
    sender.log.sync()
    now, door = world.clock(), Door(world.hub, sender.org, sender.ring.device)
    receipt = Receipt(of_eid="0" * 64, status="stored", code=None, at=utc_text(now))
    outgoing = Outgoing(
        to=to.org, message=render_receipt(receipt), exp=now + MAX_LIFETIME, urgency=""
    )
    for _ in range(count):
        register = sender.log.register
        made = sealed_for(outgoing, ring=sender.ring, register=register, seen=BEYOND, now=now)
        door.submit(made.body)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, theirs: Desk) -> list[str]:
    """The directory is away; how often it was asked for news all the same."""
    tried: list[str] = []

    def away() -> None:
        tried.append("sync")
        raise DirectoryUnreachable

    def check_dir(size: int, _root: bytes, _sig: bytes) -> Seen:
        return Seen.UNKNOWN if size == BEYOND.size else Seen.CONSISTENT

    monkeypatch.setattr(theirs.log, "check_dir", check_dir)
    monkeypatch.setattr(theirs.log, "sync", away)
    return tried


def test_letters_that_wait_for_the_directory_hold_up_no_others(
    world: World, ours: Desk, theirs: Desk, asked: list[str]
) -> None:
    letters_of_tomorrow(world, world.organisation("my"), theirs, AT_ONCE + 5)
    ours.log.sync()
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    world.settle(ours)
    report = receive(theirs)
    assert (len(cases(theirs)), report.left) == (1, AT_ONCE + 5)
    assert len(asked) == 1
    mine = [one for one in world.hub.copies if one.device == theirs.ring.device]
    assert not any(one.leased for one in mine)  # all of them come again


@pytest.mark.usefixtures("asked")
def test_no_flood_of_them_is_fetched_without_an_end(world: World, ours: Desk, theirs: Desk) -> None:
    letters_of_tomorrow(world, ours, theirs, MOST_GIVEN_BACK + 3 * AT_ONCE)
    assert receive(theirs).left < MOST_GIVEN_BACK + AT_ONCE


def test_a_hard_stop_on_the_way_ends_the_fetch_and_keeps_every_letter(
    world: World, ours: Desk, theirs: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters_of_tomorrow(world, ours, theirs, 2 * AT_ONCE)

    def forked(*_: object) -> Seen:
        def stopped(_log: object) -> None:
            raise HardStop(Stop("forked"))

        monkeypatch.setattr(type(theirs.log), "register", property(stopped), raising=False)
        raise HardStop(Stop("forked"))

    monkeypatch.setattr(theirs.log, "check_dir", forked)
    with pytest.raises(HardStop):
        receive(theirs)
    mine = [one for one in world.hub.copies if one.device == theirs.ring.device]
    assert (len(mine), sum(one.attempts for one in mine)) == (2 * AT_ONCE, AT_ONCE)
    assert not any(one.leased for one in mine)


def test_nothing_more_is_sent_in_the_round_that_met_a_hard_stop(
    world: World, ours: Desk, theirs: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters_of_tomorrow(world, ours, theirs, 1)
    world.hub.reachable = False
    send_referral(theirs, to=ours.org, body=world.request(ours))
    tick(theirs)
    world.hub.reachable = True
    world.clock.pass_(1)
    taken = len(world.hub.taken)

    def stopped(_log: object) -> None:
        raise HardStop(Stop("forked"))

    def forked(*_: object) -> Seen:
        monkeypatch.setattr(type(theirs.log), "register", property(stopped), raising=False)
        raise HardStop(Stop("forked"))

    monkeypatch.setattr(theirs.log, "check_dir", forked)
    round_ = tick(theirs, eager=True)
    assert [type(one) for one in round_.troubles] == [HardStop]
    assert len(world.hub.taken) == taken
