"""What the desks of one organisation tell each other, and what nobody else may tell them."""

from __future__ import annotations

import pytest

from broker.desk.cases import Claim, claim_of
from broker.desk.courier import tick
from broker.desk.errors import DeskError
from broker.desk.outbox import deliver
from broker.desk.receiving import take
from broker.desk.records import Sending
from broker.desk.saying import FREE_OF_CLAIMS, say, tell_colleagues
from broker.desk.standing import look
from broker.desk.unlocking import Desk
from contracts.envelope import parse_envelope
from tests.unit.desk.said import body, of_type, referred
from tests.unit.desk.simulated import World, entries, only_case
from tests.unit.desk.test_receiving import rejected, sealed

ACK = {"by_role": "caseworker"}


@pytest.fixture
def colleague(world: World, theirs: Desk) -> Desk:
    return world.second_desk(theirs)


@pytest.fixture
def everybody(world: World, ours: Desk, theirs: Desk, colleague: Desk) -> tuple[Desk, ...]:
    """Us, and two desks of theirs, which have received one referral."""
    for desk in (ours, theirs, colleague):
        desk.log.sync()
    referred(world, ours, theirs)
    world.settle(ours, theirs, colleague)
    return ours, theirs, colleague


def claim(desk: Desk) -> Claim | None:
    return claim_of(entries(desk), device=desk.ring.device)


def refusal(desk: Desk, kind: str) -> str:
    with pytest.raises(DeskError) as caught:
        tell_colleagues(desk, only_case(desk), kind)
    return caught.value.code


def test_a_claim_is_exclusive_on_both_desks(
    world: World, everybody: tuple[Desk, ...], theirs: Desk, colleague: Desk
) -> None:
    tell_colleagues(theirs, only_case(theirs), "claimed", role="caseworker")
    world.settle(*everybody)
    assert claim(theirs) == Claim(theirs.ring.device, ours=True)
    assert claim(colleague) == Claim(theirs.ring.device, ours=False)
    assert refusal(colleague, "claimed") == "claimed_by_colleague"
    assert refusal(colleague, "released") == "claimed_by_colleague"
    with pytest.raises(DeskError) as caught:
        say(colleague, only_case(colleague), "referral.acknowledged", dict(ACK))
    assert caught.value.code == "claimed_by_colleague"
    say(theirs, only_case(theirs), "referral.acknowledged", dict(ACK))


@pytest.mark.parametrize("message_type", sorted(FREE_OF_CLAIMS - {"journey.not_met"}))
def test_what_keeps_her_safe_waits_for_no_colleague(
    world: World, everybody: tuple[Desk, ...], theirs: Desk, colleague: Desk, message_type: str
) -> None:
    tell_colleagues(theirs, only_case(theirs), "claimed")
    world.settle(*everybody)
    say(colleague, only_case(colleague), message_type, body(message_type))


@pytest.mark.parametrize("seconds", [0, 1])
def test_a_case_that_was_given_back_is_free(
    world: World, everybody: tuple[Desk, ...], theirs: Desk, colleague: Desk, seconds: int
) -> None:
    tell_colleagues(theirs, only_case(theirs), "claimed")
    world.clock.pass_(seconds)
    tell_colleagues(theirs, only_case(theirs), "released")
    world.settle(*everybody)
    assert claim(theirs) is None
    assert claim(colleague) is None
    say(colleague, only_case(colleague), "referral.acknowledged", dict(ACK))


def test_a_case_that_is_handed_on_is_the_colleagues(
    world: World, everybody: tuple[Desk, ...], theirs: Desk, colleague: Desk
) -> None:
    tell_colleagues(theirs, only_case(theirs), "claimed")
    world.clock.pass_(1)
    tell_colleagues(theirs, only_case(theirs), "reassigned", to_device=colleague.ring.device)
    world.settle(*everybody)
    assert claim(colleague) == Claim(colleague.ring.device, ours=True)
    assert claim(theirs) == Claim(colleague.ring.device, ours=False)
    assert refusal(theirs, "claimed") == "claimed_by_colleague"
    say(colleague, only_case(colleague), "referral.acknowledged", dict(ACK))


def test_the_earlier_of_two_claims_made_at_once_counts_on_both(
    world: World, everybody: tuple[Desk, ...], theirs: Desk, colleague: Desk
) -> None:
    world.hub.reachable = False
    tell_colleagues(colleague, only_case(colleague), "claimed")
    world.clock.pass_(60)
    tell_colleagues(theirs, only_case(theirs), "claimed")
    world.hub.reachable = True
    world.clock.pass_(1000)
    world.settle(*everybody)
    assert claim(colleague) == Claim(colleague.ring.device, ours=True)
    assert claim(theirs) == Claim(colleague.ring.device, ours=False)
    world.clock.pass_(60)
    tell_colleagues(colleague, only_case(colleague), "released")
    world.settle(*everybody)
    assert claim(theirs) == claim(colleague) is None


def test_what_colleagues_tell_each_other_never_leaves_the_organisation(
    world: World, everybody: tuple[Desk, ...], ours: Desk, theirs: Desk, colleague: Desk
) -> None:
    before = len(world.hub.taken)
    tell_colleagues(theirs, only_case(theirs), "claimed", role="caseworker")
    world.settle(*everybody)
    told = [parse_envelope(body).header for body in world.hub.taken[before:]]
    assert [(header.sender, header.to, header.typ) for header in told] == [
        (theirs.org, theirs.org, "msg")
    ]
    assert not of_type(entries(ours), "org.event")
    assert [one.sending for one in of_type(entries(theirs), "org.event")] == [Sending.STORED]
    assert only_case(colleague).state is only_case(theirs).state is only_case(ours).state


def test_one_desk_alone_claims_too(world: World, ours: Desk, theirs: Desk) -> None:
    referred(world, ours, theirs)
    sent = len(world.hub.taken)
    tell_colleagues(theirs, only_case(theirs), "claimed")
    tick(theirs)
    assert claim(theirs) == Claim(theirs.ring.device, ours=True)
    assert len(world.hub.taken) == sent
    assert "not_sent" not in {one.kind for one in look(theirs).outstanding}


@pytest.mark.usefixtures("everybody")
def test_another_organisation_cannot_claim_our_case(ours: Desk, theirs: Desk) -> None:
    event = body("org.event", kind="claimed", referral_ref=only_case(theirs).ref, peer=ours.org)
    false = sealed(ours, theirs, "org.event", event, ref=None)
    assert take(theirs, false.body).rejected
    assert [one.code for one in rejected(theirs)] == ["not_for_me"]
    assert claim(theirs) is None


@pytest.mark.usefixtures("everybody")
def test_a_colleagues_desk_cannot_write_to_its_own_organisation(
    theirs: Desk, colleague: Desk
) -> None:
    for kind in ("referral.acknowledged", "consent.withdrawn"):
        to_us = sealed(colleague, theirs, kind, body(kind), ref=only_case(theirs).ref)
        assert take(theirs, to_us.body).rejected
    to_us = sealed(colleague, theirs, "capacity.query", body("capacity.query"), ref=None)
    assert take(theirs, to_us.body).rejected


def test_a_claim_before_the_copy_of_the_request_waits_for_it(
    world: World, ours: Desk, theirs: Desk, colleague: Desk
) -> None:
    for desk in (ours, theirs, colleague):
        desk.log.sync()
    referred(world, ours, theirs)
    tell_colleagues(theirs, only_case(theirs), "claimed")
    world.settle(theirs)
    for copy in [one for one in world.hub.copies if one.device == colleague.ring.device][::-1]:
        assert not take(colleague, copy.body).rejected
    assert claim(colleague) == Claim(theirs.ring.device, ours=False)


def test_a_colleagues_new_desk_hears_of_a_claim(world: World, ours: Desk, theirs: Desk) -> None:
    referred(world, ours, theirs)
    later = world.second_desk(theirs)  # after our last look at the log
    world.clock.pass_(60)
    sent = len(world.hub.taken)
    tell_colleagues(theirs, only_case(theirs), "claimed")
    deliver(theirs)
    assert len(world.hub.taken) == sent + 1
    assert [copy.device for copy in world.hub.copies] == [later.ring.device]
