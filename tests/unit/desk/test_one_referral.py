"""The way of one referral between two desks, and what both know at each step."""

from __future__ import annotations

from broker.desk.courier import tick
from broker.desk.records import Sending
from broker.desk.saying import say
from broker.desk.sending import send_referral
from contracts.lifecycle import State
from tests.unit.desk.simulated import World, entries, only_case


def test_a_referral_is_sent_stored_acknowledged_and_accepted(world: World) -> None:
    ours, theirs = world.organisation("my"), world.organisation("bd")
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    assert only_case(ours).state is State.DRAFT
    tick(ours)
    assert only_case(ours).state is State.SENT
    tick(theirs)
    assert only_case(theirs).state is State.DELIVERED
    tick(ours)
    assert only_case(ours).state is State.DELIVERED
    sent = say(theirs, only_case(theirs), "referral.accepted", {"focal_role": "caseworker"})
    assert sent.types == ("referral.acknowledged", "referral.accepted")
    assert only_case(theirs).state is State.ACCEPTED
    world.settle(theirs, ours)
    assert only_case(ours).state is State.ACCEPTED
    assert only_case(ours).spoken == only_case(theirs).spoken
    assert {entry.sending for entry in entries(theirs) if entry.own} == {Sending.STORED}


def test_a_declined_referral_is_declined_on_both_desks(world: World) -> None:
    ours, theirs = world.organisation("my"), world.organisation("bd")
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    world.settle(ours, theirs)
    no = {"reason": "no_capacity", "next_step": "try_again_later"}
    say(theirs, only_case(theirs), "referral.declined", dict(no))
    world.settle(ours, theirs)
    assert only_case(ours).state is only_case(theirs).state is State.DECLINED
