"""Each state is shown as what it is, with exactly the steps it allows, and with nobody's name."""

from __future__ import annotations

import re
from html import unescape

import pytest

from broker.desk.cases import view
from broker.desk.saying import say, tell_colleagues, write
from broker.desk.sending import send_referral
from broker.desk.standing import Outstanding
from broker.desk.unlocking import Desk
from broker.desk.web.casepage import FORMS, answers, name_of
from broker.desk.web.labels import TABLES, outstanding, overdue, state_of
from broker.desk.web.pages import LANGUAGES
from contracts.encoding import JsonObject
from contracts.labels import label
from contracts.lifecycle import MOVES, Need, Side, State
from contracts.timers import Level, Stage
from tests.unit.desk.simulated import CANARY, DAY, World, entries, only_case
from tests.unit.desk_web.stories import (
    ACCEPTED,
    ACKNOWLEDGED,
    ALERT,
    AT_RECEIVER,
    HELD,
    NAME,
    NAMED,
    PLACE,
    PLANNED,
    STORIES,
    WORD,
    begin,
    bring,
    tell,
)
from tests.unit.desk_web.windows import Window

PLACES = [
    *((state, Side.REFERRER) for state in State),
    *((state, Side.RECEIVER) for state in AT_RECEIVER),
]
HOUR = 3600


def test_there_is_a_story_of_every_state() -> None:
    assert set(STORIES) == set(State)


@pytest.mark.parametrize(("state", "side"), PLACES)
def test_a_state_is_named_in_each_language_and_offers_exactly_its_steps(
    window: Window, world: World, ours: Desk, theirs: Desk, state: State, side: Side
) -> None:
    referrer, receiver = (ours, theirs) if side is Side.REFERRER else (theirs, ours)
    bring(world, state, referrer=referrer, receiver=receiver)
    case = only_case(ours)
    with ours.store.reading() as rows:
        seen = view(rows, case, now=world.clock())
    assert seen.case.state is state
    for tag in LANGUAGES:
        window.post("/language", language=tag)
        with window.app.test_request_context(headers={"Accept-Language": tag}):
            said = state_of(seen.case)
        assert said, tag
        assert tag == "en" or said not in (state.value, label("state", state, "en")), tag
        page = unescape(window.get(f"/cases/{case.row}").text)
        assert said in page, tag
    assert _steps_on(page) == {str(move) for move in seen.moves}


def _steps_on(page: str) -> set[str]:
    """The steps with a form, and those that are named only, each as the table's."""
    forms = {name_of(move): str(move) for move in FORMS}
    with_form = {forms[name] for name in re.findall(r'name="answer" value="(\w+)"', page)}
    named = set(re.findall(r'data-move="([^"]+)"', page))
    assert not with_form & named
    return with_form | named


def test_every_step_has_words_and_a_form_or_a_command() -> None:
    for move in MOVES:
        for tag in LANGUAGES:
            assert label("move", str(move), tag) not in (str(move), "")
    assert {answer.move for answer in answers(MOVES)} == set(FORMS)


def test_nobodys_name_or_place_is_on_a_page_that_was_not_opened_for_it(
    window: Window, world: World, ours: Desk, theirs: Desk
) -> None:
    begin(world, referrer=theirs, receiver=ours)
    tell(world, (ACKNOWLEDGED, ACCEPTED, NAMED, PLANNED), referrer=theirs, receiver=ours)
    path = f"/cases/{only_case(ours).row}"
    for seen in ("/", "/status", path):
        page = window.get(seen).text
        for secret in (NAME, WORD, PLACE, CANARY):
            assert secret not in page, seen
    identity, journey = (
        next(one for one in entries(ours) if one.type == kind)
        for kind in ("identity.released", "journey.planned")
    )
    opened = window.get(f"{path}/notes/{identity.row}").text
    assert NAME in opened
    assert opened.index("Violence") < opened.index(NAME)
    assert "Passport · Held by: Employer" in opened
    opened = window.get(f"{path}/notes/{journey.row}").text
    assert WORD in opened
    # By the clocks of each end, not by this computer's.
    assert "1 Dec 2026, 13:00 (Asia/Kuala_Lumpur)" in opened
    assert "1 Dec 2026, 15:00 (Asia/Dhaka)" in opened


def test_a_safety_alert_is_a_stop_that_cannot_be_overlooked(
    window: Window, world: World, ours: Desk, theirs: Desk
) -> None:
    bring(world, State.ACCEPTED, referrer=ours, receiver=theirs)
    path = f"/cases/{only_case(ours).row}"
    assert "STOP" not in window.get(path).text
    tell(world, (ALERT,), referrer=ours, receiver=theirs)
    page = window.get(path).text
    assert '<p class="banner stop" role="alert"><strong>STOP</strong>' in page
    assert page.index("STOP") < page.index("What was said")


def test_what_is_owed_held_due_and_led_is_said_to_each_side(
    window: Window, world: World, ours: Desk, theirs: Desk
) -> None:
    bring(world, State.WITHDRAWN, referrer=ours, receiver=theirs)
    path = f"/cases/{only_case(ours).row}"
    page = window.get(path).text
    assert "Your organisation leads the case." in page
    assert "The other organisation still has to confirm the erasure." in page
    assert "Due from them: confirmation of the erasure" in page
    assert "Nothing more may be told." in page
    tell(world, (HELD,), referrer=ours, receiver=theirs)
    page = window.get(path).text
    assert "It has named a law that makes it keep something." in page
    assert "Due from them" not in page
    assert "Court order" in page


def test_a_consent_given_in_custody_is_marked_on_both_desks(
    window: Window, world: World, ours: Desk, theirs: Desk
) -> None:
    send_referral(theirs, to=ours.org, body=_changed(world, ours, free_to_leave="no"))
    world.settle(theirs, ours)
    mark = "given in custody"
    assert mark in window.get(f"/cases/{only_case(ours).row}").text
    other = Window.opened(world, theirs, port=8101)
    assert mark in other.get(f"/cases/{only_case(theirs).row}").text
    other.close()


def test_a_basis_decided_alone_is_open_until_a_second_person_has_confirmed_it(
    window: Window, world: World, ours: Desk, theirs: Desk
) -> None:
    body = world.request(theirs)
    consent = body.pop("consent")
    assert isinstance(consent, dict)
    basis: JsonObject = {
        "ground": "vital_interest",
        "code": "life_at_risk",
        "recipients": [theirs.org],
        "fields": consent["fields"],
        "decided_by": "duty_officer",
        "decided_at": consent["obtained_at"],
        "expires_at": consent["expires_at"],
        "alone_on_shift": "yes",
    }
    send_referral(ours, to=theirs.org, body=body | {"basis": basis})
    world.settle(ours, theirs)
    path = f"/cases/{only_case(ours).row}"
    assert "one person alone on shift" in window.get(path).text
    del basis["alone_on_shift"]
    second: JsonObject = {"basis": basis | {"second_person": "coordinator"}}
    say(ours, only_case(ours), "consent.updated", second)
    assert "one person alone on shift" not in window.get(path).text


def test_an_event_without_effect_says_so_and_why(
    window: Window, world: World, ours: Desk, theirs: Desk
) -> None:
    bring(world, State.ACCEPTED, referrer=ours, receiver=theirs)
    outcome = {"outcome": "provided", "follow_up_safe": "yes"}
    say(theirs, only_case(theirs), "referral.outcome", dict(outcome))
    say(ours, only_case(ours), "referral.cancelled", {"reason": "moved_on"})
    world.settle(ours, theirs)
    assert "It has no effect" in window.get(f"/cases/{only_case(ours).row}").text


def test_a_case_that_a_colleague_has_claimed_says_so(
    window: Window, world: World, ours: Desk, theirs: Desk
) -> None:
    colleague = world.second_desk(ours)
    world.clock.pass_(60)  # the sender asks the log again
    begin(world, referrer=theirs, receiver=ours)
    world.settle(ours, colleague, theirs)
    tell_colleagues(colleague, only_case(colleague), "claimed", role="caseworker")
    world.settle(colleague, ours)
    assert "has claimed this case" in window.get(f"/cases/{only_case(ours).row}").text


def test_a_message_of_no_case_has_a_page_of_its_own(
    window: Window, world: World, ours: Desk, theirs: Desk
) -> None:
    query: JsonObject = {
        "needs": ["shelter"],
        "headcount": [{"age_band": "20_24", "gender": "woman", "count": 3}],
    }
    write(theirs, to=ours.org, message_type="capacity.query", body=query)
    concern: JsonObject = {
        "kinds": ["wrong_listing"],
        "about_org": "pk-0123456789abcdef",
        "seen_by": "own_staff",
        "still_going_on": "yes",
        "note": {"text": CANARY, "language": "eng"},
    }
    write(ours, to=theirs.org, message_type="concern.reported", body=concern)
    world.settle(theirs, ours)
    inbox = window.get("/").text
    assert "Question about free places" in inbox
    with ours.store.reading() as rows:
        told = {one.type: f"/messages/{one.row}" for one in rows.apart()}
    assert set(told) == {"capacity.query", "concern.reported"}
    assert "3 · 20 to 24 · Woman or girl" in window.get(told["capacity.query"]).text
    page = window.get(told["concern.reported"]).text
    for seen in (inbox, page, window.get("/status").text):
        assert CANARY not in seen
    assert CANARY in window.get(f"{told['concern.reported']}/note").text
    for missing in ("/messages/0", "/messages/0/note", f"/messages/{_request_row(world, ours)}"):
        assert window.get(missing).status_code == 404


def _request_row(world: World, ours: Desk) -> str:
    """The row of a message that belongs to a case."""
    send_referral(ours, to=(theirs := world.organisation("bd")).org, body=world.request(theirs))
    return entries(ours)[0].row


KINDS = (
    *("not_sent", "not_stored", "failed", "gap"),
    *(f"{who}_{stage}" for who in ("ours", "theirs") for stage in Stage),
)


def test_every_kind_of_outstanding_thing_has_words() -> None:
    assert set(KINDS) <= set(TABLES["outstanding"])
    assert set(Stage) <= set(TABLES["due"])
    assert set(TABLES["void"]) - {"wrong_author"} == set(Need)
    assert {level.name for level in Level} - {"AWAITED"} == set(TABLES["levels"])


def test_a_question_is_not_called_a_decision(
    window: Window, world: World, ours: Desk, theirs: Desk
) -> None:
    bring(world, State.INFO_NEEDED, referrer=ours, receiver=theirs)
    page = window.get("/status").text
    assert "It waits for your answers to their questions." in page
    assert "It waits for your decision." not in page
    assert (
        "Due from you: answers to the questions" in window.get(f"/cases/{only_case(ours).row}").text
    )


def test_a_breach_says_whom_to_tell_and_only_where_that_helps(
    window: Window, world: World, ours: Desk, theirs: Desk
) -> None:
    bring(world, State.DELIVERED, referrer=ours, receiver=theirs)
    world.clock.pass_(8 * HOUR + 1)
    assert "There is no sign that anybody has seen it. Phone them." in window.get("/status").text
    world.clock.pass_(4 * HOUR)
    page = window.get("/status").text
    assert "Overdue: tell the second focal person" in page
    assert "Due: 19 Nov 2026" in page or "Due: 18 Nov 2026" in page
    with window.app.test_request_context():
        assert overdue(Stage.ERASE, Level.TELL_BOTH) == overdue(Stage.ERASE, Level.REMIND)
        lost = Outstanding("failed", True, theirs.org)
        assert outstanding(lost) == "It did not arrive."


def test_a_case_that_ended_with_its_consent_is_not_called_undelivered(
    window: Window, world: World, ours: Desk, theirs: Desk
) -> None:
    bring(world, State.ACKNOWLEDGED, referrer=ours, receiver=theirs)
    world.clock.pass_(31 * DAY)
    page = window.get(f"/cases/{only_case(ours).row}").text
    assert "ended before anybody took it up" in page
    assert "Nothing more may be told on it." in page


def _changed(world: World, to: Desk, **consent: str) -> JsonObject:
    body = world.request(to)
    given = body["consent"]
    assert isinstance(given, dict)
    return body | {"consent": given | consent}
