"""A referral's form: what is missing is said at its field, and nothing is queued by mistake."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from broker.desk.unlocking import Desk
from broker.desk.web.fields import REQUEST, Field, all_fields
from contracts.drafting import revoke_statement
from contracts.encoding import parse_object
from contracts.fingerprint import fingerprint
from tests.unit.desk.simulated import World, cases, only_case, shown_service
from tests.unit.desk_web.requests import filled_in
from tests.unit.desk_web.windows import Window, hidden, without

FIELDS = {one.name: one for one in all_fields(REQUEST)}
REQUIRED = sorted(one.name for one in FIELDS.values() if one.required)
TAG = "<script>canary-3f1c</script>"


def test_a_complete_form_is_shown_first_and_queued_only_then(
    window: Window, world: World, ours: Desk, theirs: Desk
) -> None:
    shown = window.post("/refer", [*filled_in(world, theirs), ("step", "check")])
    assert shown.status_code == 200
    assert cases(ours) == ()
    organisation = world.log.register.organisation(theirs.org)
    assert organisation is not None
    assert theirs.org in shown.text
    assert fingerprint(theirs.org, root=organisation.root) in shown.text
    assert "Bangladesh" in shown.text

    sent = window.post("/refer", [*hidden(shown), ("step", "send")])
    case = only_case(ours)
    assert (sent.status_code, sent.headers["Location"]) == (303, f"/cases/{case.row}")
    assert "The hub has signed for it" in window.get(f"/cases/{case.row}").text


def test_nothing_is_filled_in_that_was_not_said(
    window: Window, world: World, ours: Desk, theirs: Desk
) -> None:
    window.post("/refer", [*hidden(_checked(window, world, theirs)), ("step", "send")])
    with ours.store.reading() as rows:
        [entry] = rows.entries(only_case(ours).row)
        body = parse_object(rows.message(entry.row), limit=1 << 18)["body"]
    assert isinstance(body, dict)
    assert set(body) == {"urgency", "to", "where", "person", "safety", "needs", "consent"}
    assert body["safety"] == {"contact_mode": "none"}
    assert body["person"] == {"age_band": "20_24", "languages": ["ben"]}
    consent = body["consent"]
    assert isinstance(consent, dict)
    assert consent["recipients"] == [theirs.org]
    assert "feedback" not in consent


def test_each_compulsory_part_is_missed_by_name_and_what_was_typed_stays(
    window: Window, world: World, ours: Desk, theirs: Desk
) -> None:
    for name in REQUIRED:
        form = without(filled_in(world, theirs), name)
        answer = window.post(
            "/refer",
            [*form, ("note.text", TAG), ("note.language", "eng"), ("step", "send")],
        )
        assert answer.status_code == 422, name
        assert f'href="#{FIELDS[name].id}"' in answer.text
        assert f'id="{FIELDS[name].id}-problem"' in answer.text
        assert TAG not in answer.text
        assert "&lt;script&gt;canary-3f1c&lt;/script&gt;" in answer.text
        assert name == "needs" or 'value="counselling" checked' in answer.text
    assert cases(ours) == ()


WRONG = (
    ("consent.fields", [("note.text", "more than was agreed"), ("note.language", "eng")]),
    ("consent.fields", [("concern.about", "tip")]),
    ("safety.channels", [("safety.channels", "call")]),
    ("note.language", [("note.text", "no language")]),
    ("guardian.status", [("guardian.assent", "yes")]),
    ("return.own_wish", [("return.fear_of", "state")]),
    ("legal.deadline", [("legal.deadline", "2026-02-31")]),
    ("reply_by", [("reply_by", "tomorrow")]),
    ("where.now.region", [("where.now.region", "Johor Bahru, street 5")]),
    ("person.gender", [("person.gender", "another")]),
    ("note.text", [("note.text", "x" * 4001), ("note.language", "eng")]),
)


def test_what_is_wrong_is_said_at_its_field_and_queues_nothing(
    window: Window, world: World, ours: Desk, theirs: Desk
) -> None:
    for (field, extra), step in product(WRONG, ("check", "send")):
        answer = window.post("/refer", [*filled_in(world, theirs), *extra, ("step", step)])
        assert answer.status_code == 422, (field, step)
        assert f'id="{FIELDS[field].id}-problem"' in answer.text, (field, step)
    assert cases(ours) == ()


def test_what_only_a_person_can_know_is_ticked_by_one_before_anything_is_sent(
    window: Window, world: World, ours: Desk, theirs: Desk
) -> None:
    fear = [
        ("return.own_wish", "no"), ("return.protection_claim", "wishes"),
        ("consent.fields", "return"),
    ]  # fmt: skip
    shown = window.post("/refer", [*filled_in(world, theirs), *fear, ("step", "check")])
    assert shown.status_code == 200
    assert "asylum advice comes first" in shown.text
    assert 'name="confirmed" value="asylum_advice_first">' in shown.text
    assert "Personal Data Protection Ordinance" in shown.text
    assert "To be confirmed by the coordinator" in shown.text
    form = [*hidden(shown), ("step", "send")]
    for ticked in ("", "no_such_code", "interpreter"):
        refused = window.post("/refer", [*form, ("confirmed", ticked)])
        assert refused.status_code == 422
        assert "is not there yet" in refused.text
    assert cases(ours) == ()
    sent = window.post("/refer", [*form, ("confirmed", "asylum_advice_first")])
    assert sent.status_code == 303
    assert len(cases(ours)) == 1


def test_what_the_referral_itself_must_show_cannot_be_ticked_away(
    window: Window, world: World, ours: Desk, theirs: Desk
) -> None:
    form = [*filled_in(world, theirs), ("needs", "reintegration")]
    shown = window.post("/refer", [*form, ("step", "check")])
    assert shown.status_code == 422
    assert "Must be there before sending" in shown.text
    assert 'value="send"' not in shown.text
    ticked = [*form, *hidden(shown)[-1:], ("confirmed", "own_wish_to_return"), ("step", "send")]
    assert window.post("/refer", ticked).status_code == 422
    assert cases(ours) == ()


REFUSED = (
    ("note.text", [("note.text", "call 0123 456 789"), ("note.language", "eng")]),
    ("note.text", [("note.text", "write to a@b.example"), ("note.language", "eng")]),
    ("guardian.status", [("person.age_band", "12_15")]),
)


def test_a_safety_rule_is_said_at_the_field_that_mends_it(
    window: Window, world: World, ours: Desk, theirs: Desk
) -> None:
    for (field, extra), step in product(REFUSED, ("check", "send")):
        named = [name for name, _ in extra]
        kept = [pair for pair in filled_in(world, theirs) if pair[0] not in named]
        fields = [("consent.fields", "note"), *kept, *extra]
        answer = window.post("/refer", [*fields, ("step", step)])
        assert answer.status_code == 422, (field, step)
        assert f'id="{FIELDS[field].id}-problem"' in answer.text, (field, step)
    assert cases(ours) == ()


def test_what_is_not_known_of_a_service_is_said_before_sending(
    window: Window, world: World, theirs: Desk
) -> None:
    assert "has not said what follows from going there" in _checked(window, world, theirs).text


@pytest.mark.parametrize(("name", "days"), [("obtained_at", 1), ("expires_at", -1)])
def test_a_consent_that_does_not_hold_today_is_refused_at_its_field(
    window: Window, world: World, ours: Desk, theirs: Desk, name: str, days: int
) -> None:
    then = datetime.fromtimestamp(world.clock(), UTC).astimezone() + timedelta(days=days)
    given = then.strftime("%Y-%m-%dT%H:%M") if name == "obtained_at" else then.date().isoformat()
    form = without(filled_in(world, theirs), f"consent.{name}")
    answer = window.post("/refer", [*form, (f"consent.{name}", given), ("step", "check")])
    assert answer.status_code == 422
    assert f'id="{FIELDS[f"consent.{name}"].id}-problem"' in answer.text
    assert cases(ours) == ()


def test_pressing_the_button_twice_sends_once(
    window: Window, world: World, ours: Desk, theirs: Desk
) -> None:
    form = [*hidden(_checked(window, world, theirs)), ("step", "send")]
    first, second = window.post("/refer", form), window.post("/refer", form)
    assert first.headers["Location"] == second.headers["Location"]
    assert len(cases(ours)) == 1


def test_other_digits_than_those_shown_send_nothing(
    window: Window, world: World, ours: Desk, theirs: Desk
) -> None:
    form = without(hidden(_checked(window, world, theirs)), "digits")
    for digits in ("", "00000 00000 00000 00000 00000 00000 00000 00000"):
        answer = window.post("/refer", [*form, ("digits", digits), ("step", "send")])
        assert answer.status_code == 422
        assert "compare the digits" in answer.text
    assert cases(ours) == ()


def test_who_cannot_receive_is_refused_in_a_sentence(
    window: Window, world: World, ours: Desk, theirs: Desk
) -> None:
    form = without(filled_in(world, theirs), "to")
    for org, sentence in {
        "bd-00000000000000aa": "not in the network&#39;s log",
        ours.org: "your own organisation",
        world.organisation("th").org: "No signed agreement carries referrals between Malaysia",
    }.items():
        answer = window.post("/refer", [*form, ("to", org), ("step", "check")])
        assert answer.status_code == 422
        assert sentence in answer.text
    assert window.post("/refer", [*form, ("to", "nobody"), ("step", "check")]).status_code == 409
    assert cases(ours) == ()


def test_only_who_can_receive_has_a_button(window: Window, world: World, theirs: Desk) -> None:
    world.list_service(theirs, name="Asha <b>shelter</b>")
    nodesk = world.organisation("bd")
    world.list_service(nodesk, name="Nodesk")
    heading = world.log.register.next_heading(nodesk.org, iat=world.clock())
    stick, device = world.sticks[nodesk.org], nodesk.ring.device
    world.log.add(revoke_statement(heading, stick, device=device))
    world.directory.services.append(shown_service("bd-00000000000000aa", "Unsigned"))
    answer = window.post("/find", country="bd", text="shelter", page="1")
    assert answer.text.count(">Refer</button>") == 1
    assert answer.text.count("Cannot receive yet") == 1
    assert "Unsigned" not in answer.text
    assert "1 result is not shown" in answer.text
    assert "Asha &lt;b&gt;shelter&lt;/b&gt;" in answer.text
    assert f'name="to" value="{theirs.org}"' in answer.text
    assert world.directory.asked[-1]["country"] == "bd"


def test_a_directory_that_is_away_is_one_sentence(window: Window, world: World) -> None:
    world.log.reachable = False
    answer = window.post("/find", text="shelter")
    assert answer.status_code == 200
    assert "The directory cannot be reached" in answer.text


def test_a_hub_that_is_away_keeps_the_referral_and_says_so(
    window: Window, world: World, theirs: Desk
) -> None:
    world.hub.reachable = False
    sent = window.post("/refer", [*hidden(_checked(window, world, theirs)), ("step", "send")])
    page = window.get(sent.headers["Location"]).text
    assert "Kept here, not yet sent." in page
    assert "The hub cannot be reached" in page
    world.hub.reachable = True
    window.post("/look")
    assert "The hub has signed for it" in window.get(sent.headers["Location"]).text


_names = st.sampled_from(sorted(FIELDS))
_values = st.one_of(
    st.text(max_size=30), st.sampled_from(["yes", "none", "2026-11-21", "eng", "unknown", "call"])
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(form=st.lists(st.tuples(_names, _values), max_size=12))
def test_whatever_is_typed_is_answered_and_never_sent_unasked(
    window: Window, world: World, ours: Desk, theirs: Desk, form: list[tuple[str, str]]
) -> None:
    answer = window.post("/refer", [*filled_in(world, theirs), *form, ("step", "check")])
    assert answer.status_code in (200, 422)
    assert cases(ours) == ()


def test_every_field_can_be_found_on_the_form(window: Window, world: World, theirs: Desk) -> None:
    page = window.post("/refer", [*filled_in(world, theirs), ("step", "begin")]).text
    for one in FIELDS.values():
        assert _has_input(page, one), one.name


def _checked(window: Window, world: World, to: Desk) -> TestResponse:
    answer = window.post("/refer", [*filled_in(world, to), ("step", "check")])
    assert answer.status_code == 200
    return answer


def _has_input(page: str, one: Field) -> bool:
    return f'name="{one.name}"' in page and f'id="{one.id}"' in page
