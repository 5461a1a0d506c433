"""What `look` says that somebody must do: by when, who, and how far a breach has gone."""

from __future__ import annotations

import pytest

from broker.desk.saying import say
from broker.desk.sending import send_referral
from broker.desk.standing import Outstanding, look
from broker.desk.unlocking import Desk
from contracts.encoding import JsonObject
from contracts.lifecycle import State
from contracts.timers import ALLOWANCES, ERASE_WITHIN, MEET_WITHIN, Level, Stage
from contracts.times import DAY, unix_seconds, utc_text
from tests.unit.desk.said import accepted, body, every_place, referred, tell
from tests.unit.desk.simulated import World, only_case

HOUR = 3600


def kinds(desk: Desk) -> dict[str, Outstanding]:
    return {one.kind: one for one in look(desk).outstanding}


@pytest.mark.parametrize("urgency", ["emergency_24h", "urgent_72h"])
def test_nobody_answers_and_both_are_told_further_and_further(
    world: World, ours: Desk, theirs: Desk, urgency: str
) -> None:
    referred(world, ours, theirs, urgency=urgency)
    allowed = ALLOWANCES[urgency][Stage.ACKNOWLEDGE].seconds
    began = world.clock()
    waits = kinds(theirs)["ours_acknowledge"]
    assert (waits.at, waits.overdue, waits.level) == (began + allowed, False, Level.AWAITED)
    assert "theirs_acknowledge" not in kinds(ours)  # not yet anybody's business here
    for seconds, level in (
        (allowed, Level.REMIND),
        (allowed + allowed // 2, Level.SECOND_PERSON),
        (2 * allowed, Level.TELL_BOTH),
    ):
        world.clock.now = began + seconds
        assert kinds(theirs)["ours_acknowledge"].level is level
        late = kinds(ours)["theirs_acknowledge"]
        assert (late.level, late.overdue, late.peer) == (level, True, theirs.org)
    tell(world, theirs, ours, "referral.acknowledged")
    assert "ours_acknowledge" not in kinds(theirs)
    assert "ours_decide" in kinds(theirs)


def test_a_normal_referral_waits_for_working_days_of_the_receivers_country(
    world: World, ours: Desk, theirs: Desk
) -> None:
    referred(world, ours, theirs, urgency="normal_14d")
    at = kinds(theirs)["ours_acknowledge"].at
    assert at is not None
    assert at - world.clock() == 4 * DAY  # a Wednesday; there, Friday and Saturday are free


def test_a_question_is_the_referrers_to_answer(world: World, ours: Desk, theirs: Desk) -> None:
    referred(world, ours, theirs)
    tell(world, theirs, ours, "referral.acknowledged")
    tell(world, theirs, ours, "referral.info_requested")
    assert "ours_inform" in kinds(ours)
    assert not {"ours_decide", "ours_inform"} & set(kinds(theirs))


def test_silence_after_an_arrival_is_red_on_both_desks(
    world: World, ours: Desk, theirs: Desk
) -> None:
    accepted(world, ours, theirs)
    tell(world, ours, theirs, "identity.released")
    arrives = world.clock() + DAY
    planned = body("journey.planned")
    planned["arriving"] = dict(planned["arriving"], at=utc_text(arrives))  # type: ignore[arg-type]  # an object
    say(ours, only_case(ours), "journey.planned", planned)
    world.settle(ours, theirs)
    world.clock.now = arrives + MEET_WITHIN - 1
    assert not kinds(theirs)["ours_meet"].overdue
    assert "theirs_meet" not in kinds(ours)
    world.clock.pass_(1)
    for desk, kind in ((theirs, "ours_meet"), (ours, "theirs_meet")):
        first = look(desk).outstanding[0]
        assert (first.kind, first.level, first.overdue) == (kind, Level.TELL_BOTH, True)
    tell(world, theirs, ours, "journey.met")
    assert "ours_meet" not in kinds(theirs)
    assert "theirs_meet" not in kinds(ours)


def test_whom_nobody_met_is_red_at_once(world: World, ours: Desk, theirs: Desk) -> None:
    accepted(world, ours, theirs)
    tell(world, ours, theirs, "identity.released")
    tell(world, ours, theirs, "journey.planned")
    tell(world, theirs, ours, "journey.not_met")
    assert kinds(ours)["theirs_meet"].level is Level.TELL_BOTH
    assert kinds(theirs)["ours_meet"].level is Level.TELL_BOTH


def test_an_erasure_waits_for_a_word_or_a_legal_hold(
    world: World, ours: Desk, theirs: Desk
) -> None:
    accepted(world, ours, theirs)
    tell(world, ours, theirs, "consent.withdrawn")
    at = kinds(theirs)["ours_erase"].at
    assert at == world.clock() + ERASE_WITHIN
    assert "theirs_erase" not in kinds(ours)
    world.clock.now = at
    assert kinds(ours)["theirs_erase"].overdue
    held: JsonObject = {"place": "paper", "result": "held", "hold": {"ground": "court_order"}}
    tell(world, theirs, ours, "erasure.confirmed", places=every_place(held))
    assert "ours_erase" not in kinds(theirs)
    assert "theirs_erase" not in kinds(ours)
    assert only_case(ours).state is State.WITHDRAWN


def test_one_person_alone_must_be_confirmed_by_a_second(
    world: World, ours: Desk, theirs: Desk
) -> None:
    request = world.request(theirs)
    consent = request["consent"]
    assert isinstance(consent, dict)
    decided = utc_text(world.clock() - HOUR)
    basis: JsonObject = {
        "ground": "vital_interest", "code": "life_at_risk", "recipients": [str(theirs.org)],
        "fields": consent["fields"], "decided_by": "caseworker", "decided_at": decided,
        "expires_at": consent["expires_at"], "alone_on_shift": "yes",
    }  # fmt: skip
    without: JsonObject = {
        name: value for name, value in request.items() if name not in ("consent", "return")
    }
    without["needs"] = ["shelter"]
    sent = send_referral(ours, to=theirs.org, body=without | {"basis": basis})
    assert "second_person_open" in {one.code for one in sent.remarks}
    world.settle(ours, theirs)
    due = kinds(ours)["ours_second_person"]
    assert (due.at, due.overdue) == (unix_seconds(decided) + DAY, False)
    world.clock.pass_(DAY)
    assert kinds(ours)["ours_second_person"].overdue
    assert kinds(theirs)["theirs_second_person"].overdue


def test_what_is_most_urgent_stands_first(world: World, ours: Desk, theirs: Desk) -> None:
    referred(world, ours, theirs, urgency="normal_14d")
    referred(world, ours, theirs, urgency="emergency_24h")
    world.clock.pass_(2 * HOUR)
    found = look(theirs).outstanding
    assert [one.overdue for one in found] == [True, False]
    assert found[0].case is not None
    assert found[0].case.urgency == "emergency_24h"
