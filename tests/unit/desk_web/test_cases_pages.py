"""Inbox and case pages: nothing written on lists, notes by their own click, answers as forms."""

from __future__ import annotations

import pytest

from broker.desk.courier import tick
from broker.desk.sending import send_referral
from broker.desk.unlocking import Desk
from contracts.fingerprint import fingerprint
from contracts.lifecycle import State
from tests.unit.desk.simulated import CANARY, DAY, World, entries, only_case
from tests.unit.desk_web.windows import Window

ACCEPT = {"answer": "accepted", "focal_role": "caseworker"}


@pytest.fixture
def arrived(world: World, window: Window, theirs: Desk, ours: Desk) -> str:
    """The address of a case that was referred to the desk of the window."""
    send_referral(theirs, to=ours.org, body=world.request(ours, text=f"{CANARY} <i>x</i>"))
    tick(theirs)
    window.post("/look")
    return f"/cases/{only_case(ours).row}"


def test_a_note_is_opened_by_its_own_click_and_nowhere_else(
    window: Window, ours: Desk, arrived: str
) -> None:
    for path in ("/", "/status", arrived):
        assert CANARY not in window.get(path).text, path
    [entry] = entries(ours)
    note = window.get(f"{arrived}/notes/{entry.row}")
    assert f"{CANARY} &lt;i&gt;x&lt;/i&gt;" in note.text
    assert 'lang="en"' in note.text.partition('class="note"')[2].partition(">")[0]
    assert note.text.index("Violence") < note.text.index(CANARY)
    assert window.get(f"{arrived}/notes/0").status_code == 404
    assert window.get("/cases/0").status_code == 404


def test_accepting_what_nobody_has_acknowledged_says_and_sends_two_messages(
    window: Window, ours: Desk, theirs: Desk, arrived: str
) -> None:
    assert "Two messages are sent:" in window.get(arrived).text
    assert window.post(f"{arrived}/answer", ACCEPT).status_code == 303
    assert {one.type for one in entries(ours)} == {
        "referral.requested", "referral.acknowledged", "referral.accepted",
    }  # fmt: skip
    assert only_case(ours).state is State.ACCEPTED
    tick(theirs)
    assert only_case(theirs).state is State.ACCEPTED


INCOMPLETE = (
    ({"answer": "accepted"}, "accepted-field-focal-role"),
    ({"answer": "acknowledged"}, "acknowledged-field-by-role"),
    ({"answer": "declined", "reason": "no_capacity"}, "declined-field-next-step"),
    (
        {"answer": "declined", "reason": "other", "next_step": "phone_us"},
        "declined-field-note-text",
    ),
    ({"answer": "accepted", "focal_role": "queen"}, "accepted-field-focal-role"),
)


def test_an_incomplete_answer_names_its_field_and_sends_nothing(
    window: Window, ours: Desk, arrived: str
) -> None:
    for form, missing in INCOMPLETE:
        answer = window.post(f"{arrived}/answer", form)
        assert answer.status_code == 422, form
        assert f'href="#{missing}"' in answer.text
        assert f'id="{missing}"' in answer.text
    assert len(entries(ours)) == 1
    assert only_case(ours).state is State.DELIVERED


def test_a_second_answer_from_an_old_page_is_refused_in_a_sentence(
    window: Window, ours: Desk, arrived: str
) -> None:
    window.post(f"{arrived}/answer", ACCEPT)
    again = window.post(
        f"{arrived}/answer", answer="declined", reason="no_capacity", next_step="phone_us"
    )
    assert again.status_code == 422
    assert "has changed meanwhile" in again.text
    assert only_case(ours).state is State.ACCEPTED
    assert window.post(f"{arrived}/answer", answer="erased").status_code == 409


def test_the_referrer_is_told_how_far_it_has_come_and_no_further(
    world: World, window: Window, ours: Desk, theirs: Desk
) -> None:
    world.hub.reachable = False
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    path = f"/cases/{only_case(ours).row}"
    assert "Kept here, not yet sent." in window.get(path).text
    world.hub.reachable = True
    window.post("/look")
    assert "it is not on their desk yet" in window.get(path).text
    tick(theirs)
    window.post("/look")
    assert "that does not mean that somebody has read it" in window.get(path).text


def test_what_another_program_sent_is_shown_whole_but_for_its_note(
    window: Window, arrived: str
) -> None:
    page = window.get(arrived).text
    for words in ("Halal", "Trafficking in persons", "Presumed", "MY-14", "Recruiter", "During"):
        assert words in page


def test_the_desk_speaks_the_language_that_was_chosen(window: Window, arrived: str) -> None:
    for tag, word in {"ms": "Peti masuk", "bn": "ইনবক্স", "en": "Inbox"}.items():
        assert window.post("/language", language=tag).status_code == 303
        page = window.get(arrived).text
        assert f'<html lang="{tag}" dir="ltr">' in page
        assert word in page
        assert page.count('class="banner quiet"') == (0 if tag == "en" else 1)
    window.post("/language", language="xx")
    assert '<html lang="en"' in window.get("/").text


def test_both_ends_show_the_same_digits_of_one_organisation(
    window: Window, world: World, ours: Desk
) -> None:
    organisation = world.log.register.organisation(ours.org)
    assert organisation is not None
    assert fingerprint(ours.org, root=organisation.root) in window.get("/status").text


def test_a_directory_that_is_away_does_not_hinder_the_status(
    window: Window, world: World, arrived: str
) -> None:
    world.clock.pass_(2 * DAY)
    world.log.reachable = world.hub.reachable = False
    page = window.get("/status").text
    assert "The hub cannot be reached" in page
    assert "It waits for your first sign that somebody has seen it." in page
    assert "Overdue" in page
    assert window.get(arrived).status_code == 200
