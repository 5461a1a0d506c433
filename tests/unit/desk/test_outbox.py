"""The outbox on bad days: servers away, answers lost, keys changed, a hub that has forgotten."""

from __future__ import annotations

import pytest

from broker.desk.client import HubRefused
from broker.desk.courier import tick
from broker.desk.outbox import (
    CLAIM,
    MOST_BACK_OFF,
    back_off,
    deliver,
    patience,
    settle_failed,
    settle_stored,
)
from broker.desk.receiving import receive
from broker.desk.records import Letter, Sending
from broker.desk.sending import send_referral
from broker.desk.standing import SENT_WITHIN, look
from broker.desk.unlocking import Desk
from contracts.lifecycle import State
from contracts.times import DAY
from tests.unit.desk.simulated import Door, World, entries, mid_of, only_case


def letters(desk: Desk) -> tuple[Letter, ...]:
    with desk.store.reading() as rows:
        return tuple(sorted(rows.letters(), key=lambda letter: letter.kept))


def only_letter(desk: Desk) -> Letter:
    (letter,) = letters(desk)
    return letter


def test_hub_down_while_sending_keeps_the_bytes_and_sends_them_later(
    world: World, ours: Desk, theirs: Desk
) -> None:
    world.hub.reachable = False
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    with ours.store.reading() as rows:
        kept = rows.letter_body(only_letter(ours).row)
    report = deliver(ours)
    assert str(report.trouble).startswith("The hub cannot be reached.")
    assert only_case(ours).state is State.DRAFT
    restarted = world.again(ours)
    world.hub.reachable = True
    world.clock.pass_(MOST_BACK_OFF)
    tick(restarted)
    assert world.hub.taken == [kept]
    assert only_case(restarted).state is State.SENT


def test_a_lost_answer_is_followed_by_identical_bytes(
    world: World, ours: Desk, theirs: Desk
) -> None:
    world.hub.lose_answers = True
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    deliver(ours)
    world.hub.lose_answers = False
    deliver(ours, eager=True)
    assert len(world.hub.taken) == 2
    assert len(set(world.hub.taken)) == 1
    world.settle(ours, theirs)
    assert only_case(theirs).state is State.DELIVERED


def test_a_back_off_grows_to_a_quarter_of_an_hour() -> None:
    waits = [back_off(attempts) for attempts in range(40)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (5, 900)


def test_a_back_off_is_kept_unless_somebody_is_looking(
    world: World, ours: Desk, theirs: Desk
) -> None:
    world.hub.reachable = False
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    deliver(ours)
    world.hub.reachable = True
    assert deliver(ours).accepted == 0
    assert deliver(ours, eager=True).accepted == 1


def test_an_answer_signed_by_anybody_else_is_no_acceptance(
    world: World, ours: Desk, theirs: Desk
) -> None:
    world.hub.forge_notices = True
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    report = deliver(ours)
    assert "not the hub of the root file" in str(report.trouble)
    assert only_case(ours).state is State.DRAFT


def test_a_notice_about_another_envelope_is_no_acceptance(
    world: World, ours: Desk, theirs: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    deliver(ours)
    first = world.hub.accepted[ours.org, only_letter(ours).mid][1]
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    monkeypatch.setattr(Door, "submit", lambda _self, _body: first)
    assert deliver(ours).accepted == 0
    assert letters(ours)[-1].state is Sending.KEPT


@pytest.mark.parametrize("code", ["no_route", "too_large", "unknown_recipient", "a_new_code"])
def test_a_refusal_for_good_fails_with_a_sentence(
    world: World, ours: Desk, theirs: Desk, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    def refuse(_self: Door, _body: bytes) -> bytes:
        raise HubRefused(code)

    monkeypatch.setattr(Door, "submit", refuse)
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    deliver(ours)
    assert only_case(ours).state is State.FAILED
    [failed] = look(ours).outstanding
    assert (failed.kind, failed.why[-1]) == ("failed", ".")
    assert deliver(ours, eager=True).acted is False


def test_a_hub_that_has_not_heard_of_us_yet_is_tried_again(
    world: World, ours: Desk, theirs: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: Door, _body: bytes) -> bytes:
        raise HubRefused("device_not_certified")

    send_referral(ours, to=theirs.org, body=world.request(theirs))
    with monkeypatch.context() as patch:
        patch.setattr(Door, "submit", refuse)
        deliver(ours)
    assert only_case(ours).state is State.DRAFT
    deliver(ours, eager=True)
    assert only_case(ours).state is State.SENT


def test_a_frozen_out_recipient_device_makes_a_new_sealing(
    world: World, ours: Desk, theirs: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, refusals = Door.submit, [HubRefused("keys_changed")]

    def refuse_once(self: Door, body: bytes) -> bytes:
        if refusals:
            world.hub.taken.append(body)
            raise refusals.pop()
        return original(self, body)

    send_referral(ours, to=theirs.org, body=world.request(theirs))
    event = entries(ours)[0].id
    monkeypatch.setattr(Door, "submit", refuse_once)
    tick(ours)
    assert len({mid_of(body) for body in world.hub.taken}) == 2
    assert {letter.state for letter in letters(ours)} == {Sending.SUPERSEDED, Sending.ACCEPTED}
    assert len({letter.exp for letter in letters(ours)}) == 1
    world.settle(ours, theirs)
    assert entries(theirs)[0].id == event
    assert only_case(ours).state is State.DELIVERED


def test_keys_that_change_for_ever_do_not_seal_for_ever(
    world: World, ours: Desk, theirs: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: Door, body: bytes) -> bytes:
        world.hub.taken.append(body)
        raise HubRefused("keys_changed")

    monkeypatch.setattr(Door, "submit", refuse)
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    for _ in range(20):
        tick(ours)
    assert len({mid_of(body) for body in world.hub.taken}) <= 6


@pytest.mark.parametrize(
    ("urgency", "seconds"),
    [("emergency_24h", 15 * 60), ("urgent_72h", 4 * 3600), ("normal_14d", 24 * 3600)],
)
def test_without_stored_in_time_the_identical_bytes_go_out_again(
    world: World, ours: Desk, theirs: Desk, urgency: str, seconds: int
) -> None:
    send_referral(ours, to=theirs.org, body=world.request(theirs) | {"urgency": urgency})
    tick(ours)
    world.hub.forget_everything()
    world.clock.pass_(seconds - 1)
    tick(ours)
    assert len(world.hub.taken) == 1
    world.clock.pass_(1)
    tick(ours)
    assert len(world.hub.taken) == 2
    assert len(set(world.hub.taken)) == 1
    assert "not_stored" in {one.kind for one in look(ours).outstanding}
    world.settle(ours, theirs)
    assert only_case(ours).state is State.DELIVERED
    assert "not_stored" not in {one.kind for one in look(ours).outstanding}
    assert patience(urgency) == seconds


def test_what_turns_out_undeliverable_later_fails(world: World, ours: Desk, theirs: Desk) -> None:
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    tick(ours)
    world.hub.later[only_letter(ours).mid] = ("undeliverable", "no_box")
    world.clock.pass_(25 * 3600)
    tick(ours)
    assert only_case(ours).state is State.FAILED
    assert "phone" in look(ours).outstanding[0].why


def test_what_is_never_stored_expires_and_is_said_so(
    world: World, ours: Desk, theirs: Desk
) -> None:
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    tick(ours)
    world.clock.pass_(14 * DAY)
    tick(ours)
    assert only_case(ours).state is State.EXPIRED
    [lost] = look(ours).outstanding
    assert "Phone them" in lost.why


def test_two_processes_do_not_send_one_letter_at_once(
    world: World, ours: Desk, theirs: Desk
) -> None:
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    now = world.clock()
    with ours.store.writing() as rows:
        claimed = rows.claim_letters(lambda *_: True, now=now, until=now + CLAIM)
    assert len(claimed) == 1
    assert deliver(world.again(ours), eager=True).acted is False
    world.clock.pass_(CLAIM)  # the first process has died
    assert deliver(world.again(ours)).accepted == 1


def test_the_envelopes_bytes_are_forgotten_once_stored(
    world: World, ours: Desk, theirs: Desk
) -> None:
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    world.settle(ours, theirs)
    with ours.store.reading() as rows:
        assert rows.letter_body(only_letter(ours).row) is None
    assert not letters(theirs)  # a receipt is done with when the hub has it


def test_a_receipt_overtaking_the_hubs_answer_is_not_undone(
    world: World, ours: Desk, theirs: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Door.submit

    def submit_and_meanwhile(self: Door, body: bytes) -> bytes:
        answer = original(self, body)
        if self._org == ours.org:
            tick(theirs)
            other = world.again(ours)
            receive(other)
        return answer

    send_referral(ours, to=theirs.org, body=world.request(theirs))
    monkeypatch.setattr(Door, "submit", submit_and_meanwhile)
    deliver(ours)
    assert only_case(ours).state is State.DELIVERED
    assert only_letter(ours).state is Sending.STORED


def test_the_outstanding_list_says_what_is_not_sent(world: World, ours: Desk, theirs: Desk) -> None:
    world.hub.reachable = False
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    standing = look(ours)
    assert [one.kind for one in standing.outstanding] == ["not_sent"]
    assert not standing.hub_reachable
    assert standing.weeks_ahead == 12


def test_what_is_too_late_is_told_though_the_hub_stays_away(
    world: World, ours: Desk, theirs: Desk
) -> None:
    world.hub.reachable = False
    for _ in range(3):
        send_referral(ours, to=theirs.org, body=world.request(theirs))
    world.clock.pass_(14 * DAY)
    deliver(ours)
    assert {letter.state for letter in letters(ours)} == {Sending.EXPIRED}


def test_one_computer_that_cannot_read_does_not_undo_that_another_has_stored(
    world: World, ours: Desk, theirs: Desk
) -> None:
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    tick(ours)
    letter = only_letter(ours)
    for order in (("peer_undecryptable", "stored"), ("stored", "peer_undecryptable")):
        for told in order:
            with ours.store.writing() as rows:
                current = rows.letter(letter.row)
                if told == "stored":
                    settle_stored(rows, current, now=world.clock())
                else:
                    settle_failed(rows, current, told, now=world.clock())
        assert only_case(ours).state is State.DELIVERED
        assert only_case(ours).why == ""
    assert not look(ours).outstanding


def test_a_referral_is_called_overdue_a_second_after_the_line_dropped(
    world: World, ours: Desk, theirs: Desk
) -> None:
    world.hub.reachable = False
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    tick(ours, eager=True)
    [kept] = look(ours).outstanding
    assert (kept.kind, kept.overdue) == ("not_sent", False)
    world.clock.pass_(SENT_WITHIN)
    tick(ours)
    assert {(one.kind, one.overdue) for one in look(ours).outstanding} == {("not_sent", True)}
