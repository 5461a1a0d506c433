"""Every reason to refuse comes before anything is kept, and says what to do in a sentence."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from broker.desk.courier import tick
from broker.desk.enrolment import new_org_id
from broker.desk.errors import DeskError
from broker.desk.saying import say
from broker.desk.sending import send_referral
from broker.desk.unlocking import Desk
from contracts.encoding import JsonObject
from contracts.examples import example_body
from contracts.lifecycle import State
from contracts.routing import RouteState, RouteTable
from contracts.times import DAY, WEEK, utc_text
from tests.unit.desk.simulated import CANARY, World, cases, entries, only_case


def refused(act: Callable[[], object], desk: Desk) -> DeskError:
    """The refusal; and nothing was kept."""
    with pytest.raises(DeskError) as caught:
        act()
    assert not cases(desk)
    with desk.store.reading() as rows:
        assert not rows.letters()
    assert CANARY not in str(caught.value)
    assert str(caught.value).endswith(".")
    return caught.value


def test_an_unknown_organisation_is_refused(world: World, ours: Desk) -> None:
    stranger = new_org_id("bd")
    error = refused(lambda: send_referral(ours, to=stranger, body=world.request(stranger)), ours)
    assert error.code == "unknown_organisation"


def test_a_name_instead_of_an_id_is_refused(world: World, ours: Desk) -> None:
    body = world.request(new_org_id("bd"))
    error = refused(lambda: send_referral(ours, to="Asha", body=body), ours)
    assert error.code == "not_an_organisation_id"


def test_a_recipient_whose_keys_have_run_out_cannot_receive_yet(
    world: World, ours: Desk, theirs: Desk
) -> None:
    world.clock.pass_(14 * WEEK)
    tick(ours)
    error = refused(lambda: send_referral(ours, to=theirs.org, body=world.request(theirs)), ours)
    assert error.code == "cannot_receive_yet"
    assert "phone" in str(error)


def test_a_recipient_that_has_just_joined_can_be_written_to(world: World, ours: Desk) -> None:
    newcomer = world.organisation("bd")  # after our last look at the log
    send_referral(ours, to=newcomer.org, body=world.request(newcomer))
    assert only_case(ours).peer == newcomer.org


def test_our_own_organisation_is_refused(world: World, ours: Desk) -> None:
    error = refused(lambda: send_referral(ours, to=ours.org, body=world.request(ours)), ours)
    assert error.code == "ourselves"


def test_a_country_without_a_signed_route_is_refused(world: World, ours: Desk) -> None:
    far = world.organisation("vn")
    error = refused(lambda: send_referral(ours, to=far.org, body=world.request(far)), ours)
    assert error.code == "no_route"


def test_a_suspended_route_takes_no_new_referral(world: World, ours: Desk, theirs: Desk) -> None:
    ours.routes = RouteTable.of({("my", "bd"): RouteState.SUSPENDED})
    error = refused(lambda: send_referral(ours, to=theirs.org, body=world.request(theirs)), ours)
    assert error.code == "route_suspended"


def test_consent_for_somebody_else_is_refused(world: World, ours: Desk, theirs: Desk) -> None:
    other = world.organisation("bd")
    error = refused(lambda: send_referral(ours, to=theirs.org, body=world.request(other)), ours)
    assert error.code == "consent"


def test_expired_consent_is_refused(world: World, ours: Desk, theirs: Desk) -> None:
    body = world.request(theirs)
    consent = body["consent"]
    assert isinstance(consent, dict)
    consent["expires_at"] = utc_text(world.clock() - 1)
    error = refused(lambda: send_referral(ours, to=theirs.org, body=body), ours)
    assert error.code == "consent"


@pytest.mark.parametrize("missing", ["urgency", "consent", "person", "needs", "safety", "where"])
def test_a_referral_without_a_compulsory_part_names_the_field(
    world: World, ours: Desk, theirs: Desk, missing: str
) -> None:
    body = {name: value for name, value in world.request(theirs).items() if name != missing}
    error = refused(lambda: send_referral(ours, to=theirs.org, body=body), ours)
    assert error.code == "schema"
    assert missing in str(error)


def test_an_undeclared_member_is_refused_without_its_name(
    world: World, ours: Desk, theirs: Desk
) -> None:
    body: JsonObject = world.request(theirs) | {CANARY: CANARY}
    assert refused(lambda: send_referral(ours, to=theirs.org, body=body), ours).code == "schema"


def test_a_view_of_the_network_older_than_a_day_is_refused(
    world: World, ours: Desk, theirs: Desk
) -> None:
    ours.log.sync()
    world.log.reachable = False
    world.clock.pass_(DAY + 1)
    error = refused(lambda: send_referral(ours, to=theirs.org, body=world.request(theirs)), ours)
    assert error.code == "stale_mirror"


def test_a_directory_away_for_an_hour_hinders_nobody(
    world: World, ours: Desk, theirs: Desk
) -> None:
    ours.log.sync()
    world.log.reachable = False
    world.clock.pass_(3600)
    send_referral(ours, to=theirs.org, body=world.request(theirs))


def test_a_desk_that_was_never_admitted_is_told_so(world: World, theirs: Desk) -> None:
    stranger = world.desk_for(new_org_id("my"))
    body = world.request(theirs)
    error = refused(lambda: send_referral(stranger, to=theirs.org, body=body), stranger)
    assert error.code == "not_admitted"


def test_an_envelope_never_outlives_its_consent(world: World, ours: Desk, theirs: Desk) -> None:
    body = world.request(theirs)
    consent = body["consent"]
    assert isinstance(consent, dict)
    ends = world.clock() + 3600
    consent["expires_at"] = utc_text(ends)
    world.hub.reachable = False
    send_referral(ours, to=theirs.org, body=body)
    world.clock.now = ends
    world.hub.reachable = True
    tick(ours, eager=True)
    assert only_case(ours).state is State.EXPIRED
    assert not world.hub.taken


@pytest.mark.parametrize(
    ("message_type", "code"),
    [("referral.acknowledged", "wrong_author"), ("referral.declined", "wrong_author"),
     ("referral.accepted", "illegal_transition")],
)  # fmt: skip
def test_the_sender_cannot_answer_its_own_referral(
    world: World, ours: Desk, theirs: Desk, message_type: str, code: str
) -> None:
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    before = entries(ours)
    with pytest.raises(DeskError) as caught:
        say(ours, only_case(ours), message_type, example_body(message_type))
    assert caught.value.code == code
    assert entries(ours) == before


def test_an_illegal_answer_names_what_is_possible(world: World, ours: Desk, theirs: Desk) -> None:
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    world.settle(ours, theirs)
    say(theirs, only_case(theirs), "referral.acknowledged", {"by_role": "caseworker"})
    before = entries(theirs)
    with pytest.raises(DeskError) as caught:
        say(theirs, only_case(theirs), "referral.acknowledged", {"by_role": "caseworker"})
    assert "referral.accepted, referral.declined" in str(caught.value)
    assert "referral.acknowledged" not in str(caught.value)
    assert entries(theirs) == before


def test_an_answer_that_breaks_the_form_queues_nothing(
    world: World, ours: Desk, theirs: Desk
) -> None:
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    world.settle(ours, theirs)
    with pytest.raises(DeskError) as caught:
        say(theirs, only_case(theirs), "referral.declined", {"reason": "other"})
    assert caught.value.code == "schema"
    assert only_case(theirs).state is State.DELIVERED
