"""What a failing network, a wrong clock or a hostile peer must not make of what waits to leave."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from broker.desk.cases import heads, refold
from broker.desk.client import HubRefused, Lease
from broker.desk.courier import tick
from broker.desk.outbox import (
    MOST_PUT_OFF,
    SUPERSEDED_FOR,
    Outgoing,
    deliver,
    keep_unsealed,
    settle_failed,
    settle_stored,
)
from broker.desk.permissions import permission_of
from broker.desk.records import Letter, Sending, new_entry
from broker.desk.saying import say, write
from broker.desk.sending import new_id, read_typed, send_referral
from broker.desk.standing import look
from broker.desk.store import Rows, new_row
from broker.desk.unlocking import Desk
from broker.mirror import HardStop
from broker.mirror.stops import Stop
from contracts.encoding import JsonObject
from contracts.envelope import MAX_LIFETIME
from contracts.examples import example_body
from contracts.identifiers import EventId
from contracts.lifecycle import UNTIL_STORED, State
from contracts.messages import new_message, render_message
from contracts.times import DAY, utc_text
from tests.unit.desk.said import accepted, body, identity_with_contact, of_type, renewed, tell
from tests.unit.desk.simulated import Clock, Door, World, entries, mid_of, only_case
from tests.unit.desk.test_withdrawal import OPEN_TO_CONTACT

WITHDRAWN = "consent.withdrawn"


def letters(desk: Desk, message_type: str) -> list[Letter]:
    with desk.store.reading() as rows:
        found = [
            letter
            for entry in of_type(entries(desk), message_type)
            for letter in rows.letters_of(entry.row)
        ]
    return sorted(found, key=lambda one: (one.resealed, one.kept))


def withdraw_unsealed(desk: Desk) -> None:
    """A withdrawal as it is recorded where nothing can be sealed."""
    now, case = desk.clock(), only_case(desk)
    with desk.store.writing() as rows:
        message = new_message(
            read_typed(WITHDRAWN, body(WITHDRAWN)),
            event_id=EventId(new_id()),
            referral_ref=case.ref,
            at=utc_text(now),
            after=heads(case, rows.entries(case.row)),
        )
        entry = new_entry(
            message, row=new_row(), case_row=case.row, own=True, kept=now, sending=Sending.KEPT
        )
        rows.add_entry(entry, author=desk.org, message=render_message(message))
        outgoing = Outgoing(
            to=case.peer, message=render_message(message), exp=now + MAX_LIFETIME,
            urgency=case.urgency, case_row=case.row, entry_row=entry.row,
        )  # fmt: skip
        keep_unsealed(rows, desk, outgoing, now=now)
        refold(rows, case, now=now)


def kinds(desk: Desk) -> dict[str, str]:
    """What must be acted on, by its type: only what is about an envelope."""
    wanted = ("not_sent", "not_stored", "failed")
    return {one.type: one.kind for one in look(desk).outstanding if one.kind in wanted}


@contextmanager
def clock_ahead(desk: Desk, seconds: int) -> Iterator[None]:
    right = desk.clock
    desk.clock = Clock(right() + seconds)
    yield
    desk.clock = right


# What could not be sealed


def test_a_withdrawal_kept_unsealed_leaves_once_the_directory_is_back(
    world: World, ours: Desk, theirs: Desk
) -> None:
    accepted(world, ours, theirs)
    world.log.reachable = False
    withdraw_unsealed(ours)
    for _ in range(40):
        world.clock.pass_(DAY)
        deliver(ours)
        assert kinds(ours)[WITHDRAWN] == "not_sent"
    world.log.reachable = True
    world.clock.pass_(DAY)
    world.settle(ours, theirs)
    world.settle(theirs, ours)
    assert only_case(theirs).state is State.WITHDRAWN
    assert [one.state for one in letters(ours, WITHDRAWN)] == [Sending.STORED]
    assert WITHDRAWN not in kinds(ours)


def test_a_withdrawal_kept_unsealed_outlives_a_log_that_cannot_be_believed(
    world: World, ours: Desk, theirs: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted(world, ours, theirs)
    withdraw_unsealed(ours)

    def stop() -> None:
        raise HardStop(Stop("root_changed"))

    with monkeypatch.context() as patch:
        patch.setattr(ours.log, "sync", stop)
        for _ in range(20):
            world.clock.pass_(DAY)
            deliver(ours)
    assert kinds(ours)[WITHDRAWN] == "not_sent"
    world.clock.pass_(DAY)
    world.settle(ours, theirs)
    assert only_case(theirs).state is State.WITHDRAWN


def test_a_withdrawal_waits_for_a_peer_without_keys(world: World, ours: Desk, theirs: Desk) -> None:
    accepted(world, ours, theirs)
    world.hub.reachable = False
    say(ours, only_case(ours), WITHDRAWN, body(WITHDRAWN))
    for _ in range(18):
        world.clock.pass_(7 * DAY)
        tick(ours)
    world.hub.reachable = True
    tick(ours)
    assert kinds(ours)[WITHDRAWN] == "not_sent"
    for _ in range(3):
        world.clock.pass_(DAY)
        tick(theirs)
        tick(ours)
    world.settle(theirs, ours)
    assert only_case(theirs).state is State.WITHDRAWN
    assert WITHDRAWN not in kinds(ours)


# What must arrive never fails


@pytest.mark.parametrize("code", ["no_route", "unknown_recipient", "too_large", "keys_changed"])
def test_what_must_arrive_is_put_off_by_a_refusal_and_says_why(
    world: World, ours: Desk, theirs: Desk, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    def refuse(_self: Door, _body: bytes) -> bytes:
        raise HubRefused(code)

    accepted(world, ours, theirs)
    with monkeypatch.context() as patch:
        patch.setattr(Door, "submit", refuse)
        say(ours, only_case(ours), WITHDRAWN, body(WITHDRAWN))
        for _ in range(20):
            tick(ours)
            world.clock.pass_(3600)
        [listed] = [one for one in look(ours).outstanding if one.type == WITHDRAWN]
        assert (listed.kind, listed.overdue, bool(listed.why)) == ("not_sent", True, True)
        assert deliver(ours).failed == 0
    world.clock.pass_(MOST_PUT_OFF)
    world.settle(ours, theirs)
    assert only_case(theirs).state is State.WITHDRAWN
    assert WITHDRAWN not in kinds(ours)


@pytest.mark.parametrize("message_type", sorted(UNTIL_STORED - {"journey.not_met"}))
def test_a_receiver_whose_clock_was_wrong_once_still_gets_it(
    world: World, ours: Desk, theirs: Desk, message_type: str
) -> None:
    accepted(world, ours, theirs)
    world.clock.pass_(3600)
    say(ours, only_case(ours), message_type, body(message_type))
    tick(ours)
    with clock_ahead(theirs, -600):
        tick(theirs)
    tick(ours)
    assert kinds(ours)[message_type] == "not_stored"
    world.clock.pass_(MOST_PUT_OFF)
    world.settle(ours, theirs)
    assert of_type(entries(theirs), message_type)
    assert message_type not in kinds(ours)


def test_a_colleagues_withdrawal_is_not_called_failed_here(
    world: World, ours: Desk, theirs: Desk
) -> None:
    accepted(world, ours, theirs)
    say(ours, only_case(ours), WITHDRAWN, body(WITHDRAWN))
    tick(ours)
    [letter] = letters(ours, WITHDRAWN)
    with ours.store.writing() as rows:
        colleagues = replace(letter, colleagues=True)
        rows.update_letter(colleagues, due_at=None)
        settle_failed(rows, colleagues, "peer_time", now=ours.clock())
        assert rows.due_at(colleagues) is None
    assert kinds(ours)[WITHDRAWN] == "not_stored"


# Clocks that ran ahead


@pytest.mark.parametrize("days", [1, 8, 30])
def test_what_a_clock_ahead_has_sealed_goes_as_soon_as_it_is_right(
    world: World, ours: Desk, theirs: Desk, days: int
) -> None:
    accepted(world, ours, theirs)
    with clock_ahead(ours, days * DAY):
        say(ours, only_case(ours), WITHDRAWN, body(WITHDRAWN))
        tick(ours, eager=True)
    [listed] = [one for one in look(ours).outstanding if one.type == WITHDRAWN]
    assert listed.overdue
    tick(ours)
    tick(theirs)
    assert of_type(entries(theirs), WITHDRAWN)


def test_what_a_clock_ahead_has_put_off_is_due_when_it_is_right(
    world: World, ours: Desk, theirs: Desk
) -> None:
    world.hub.reachable = False
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    with clock_ahead(ours, 5 * DAY):
        deliver(ours)
    world.hub.reachable = True
    assert deliver(ours).accepted == 1


# What she has since closed


def contact_open(world: World, ours: Desk, theirs: Desk) -> None:
    safety = dict(example_body("referral.requested")["safety"])  # type: ignore[arg-type]  # an object
    accepted(world, ours, theirs, safety=safety | OPEN_TO_CONTACT)
    world.hub.reachable = False
    say(ours, only_case(ours), "identity.released", identity_with_contact())
    tick(ours)


def test_a_contact_that_has_not_left_does_not_leave_after_a_warning(
    world: World, ours: Desk, theirs: Desk
) -> None:
    contact_open(world, ours, theirs)
    say(ours, only_case(ours), "contact.safety_alert", body("contact.safety_alert"))
    world.hub.reachable = True
    world.clock.pass_(3600)
    world.settle(ours, theirs)
    assert not of_type(entries(theirs), "identity.released")
    assert of_type(entries(theirs), "contact.safety_alert")
    [entry] = of_type(entries(ours), "identity.released")
    assert entry.sending is Sending.GIVEN_UP
    with ours.store.reading() as rows:
        assert rows.letter_body(letters(ours, "identity.released")[0].row) is None


def test_what_nobody_closed_leaves_though_it_waited(world: World, ours: Desk, theirs: Desk) -> None:
    contact_open(world, ours, theirs)
    world.hub.reachable = True
    world.clock.pass_(3600)
    world.settle(ours, theirs)
    assert of_type(entries(theirs), "identity.released")


def narrowed(desk: Desk) -> JsonObject:
    with desk.store.reading() as rows:
        permission = permission_of(rows, only_case(desk))
    assert permission is not None
    kept = tuple(one for one in permission.fields if one != "identity")
    return renewed(desk, only_case(desk), fields=kept)


@pytest.mark.parametrize("resealed", [False, True])
def test_what_the_consent_no_longer_covers_does_not_leave(
    world: World, ours: Desk, theirs: Desk, *, resealed: bool
) -> None:
    accepted(world, ours, theirs)
    world.hub.reachable = False
    say(ours, only_case(ours), "identity.released", body("identity.released"))
    say(ours, only_case(ours), "consent.updated", narrowed(ours))
    world.hub.reachable = True
    world.hub.keys_changed = int(resealed)
    world.settle(ours, theirs)
    assert not of_type(entries(theirs), "identity.released")
    assert [one.state for one in letters(ours, "identity.released")] == [Sending.GIVEN_UP]
    for desk in (ours, theirs):
        with desk.store.reading() as rows:
            permission = permission_of(rows, only_case(desk))
        assert permission is not None
        assert "identity" not in permission.fields


# Numbers


def test_stored_under_an_old_number_ends_all_of_them(
    world: World, ours: Desk, theirs: Desk
) -> None:
    accepted(world, ours, theirs)
    say(ours, only_case(ours), WITHDRAWN, body(WITHDRAWN))
    tick(ours)
    world.clock.pass_(13 * DAY + 3600)
    tick(ours)
    old, new = letters(ours, WITHDRAWN)
    assert (old.state, new.state) == (Sending.SUPERSEDED, Sending.ACCEPTED)
    with ours.store.writing() as rows:
        settle_stored(rows, rows.letter(old.row), now=ours.clock())
    assert WITHDRAWN not in kinds(ours)
    sent = len(world.hub.taken)
    world.clock.pass_(MAX_LIFETIME)
    deliver(ours)
    assert len(world.hub.taken) == sent


def test_asking_again_and_again_gets_one_copy_a_day(world: World, ours: Desk, theirs: Desk) -> None:
    accepted(world, ours, theirs)
    say(ours, only_case(ours), "identity.released", body("identity.released"))
    deliver(ours)
    world.hub.copies.clear()
    [entry] = of_type(entries(ours), "identity.released")
    for _ in range(5):
        write(theirs, to=ours.org, message_type="resend_request", body={"ids": [entry.id] * 1})
        deliver(theirs)
        mine = [one for one in world.hub.copies if one.device == ours.ring.device]
        world.hub.copies[:] = mine  # what we send again is lost again
        tick(ours)
    assert len(letters(ours, "identity.released")) == 2


def test_letters_are_found_without_opening_every_other(
    world: World, ours: Desk, theirs: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted(world, ours, theirs)
    for _ in range(5):
        tell(world, ours, theirs, "referral.info_provided")
    [entry] = of_type(entries(ours), "referral.requested")
    opened: list[Letter] = []
    original = Rows._letter
    monkeypatch.setattr(Rows, "_letter", lambda self, row: _noted(opened, original(self, row)))
    with ours.store.reading() as rows:
        assert len(rows.letters_of(entry.row)) == 1
    assert len(opened) == 1


def test_numbers_that_nobody_answers_any_more_are_forgotten(
    world: World, ours: Desk, theirs: Desk
) -> None:
    accepted(world, ours, theirs)
    say(ours, only_case(ours), WITHDRAWN, body(WITHDRAWN))
    for _ in range(20):
        tick(ours)
        world.hub.copies.clear()
        world.clock.pass_(13 * DAY + 3600)
        theirs.log.sync()
        tick(theirs)
    oldest = min(one.kept for one in letters(ours, WITHDRAWN))
    assert world.clock() - oldest <= SUPERSEDED_FOR + 28 * DAY
    assert len(letters(ours, WITHDRAWN)) <= 5


def test_a_withdrawal_leaves_before_any_mail_is_fetched(
    world: World, ours: Desk, theirs: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted(world, ours, theirs)
    say(ours, only_case(ours), WITHDRAWN, body(WITHDRAWN))
    before, order = len(world.hub.taken), list[int]()
    original = Door.lease

    def lease(self: Door) -> tuple[Lease, ...]:
        order.append(len(world.hub.taken) - before)
        return original(self)

    monkeypatch.setattr(Door, "lease", lease)
    tick(ours)
    assert order[0] == 1
    assert mid_of(world.hub.taken[before]) == letters(ours, WITHDRAWN)[0].mid


def _noted(opened: list[Letter], letter: Letter) -> Letter:
    opened.append(letter)
    return letter
