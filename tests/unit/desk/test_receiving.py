"""What arrives: altered, replayed, from strangers, out of order, twice, by a colleague's desk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.desk import receiving
from broker.desk.cases import in_order
from broker.desk.courier import tick
from broker.desk.enrolment import new_org_id
from broker.desk.keyring import secrets
from broker.desk.outbox import Outgoing, sealed_for
from broker.desk.receiving import Fate, receive, take
from broker.desk.records import Unreadable
from broker.desk.saying import say
from broker.desk.sending import read_typed, send_referral
from broker.desk.unlocking import Desk
from contracts.encoding import JsonObject
from contracts.envelope import MAX_LIFETIME, NO_CHECKPOINT, parse_envelope
from contracts.fold import Place
from contracts.identifiers import EventId, Mid, OrgId, Ref
from contracts.lifecycle import Side, State
from contracts.messages import Receipt, new_message, parse_receipt, render_message, render_receipt
from contracts.sealing import NotForThisDevice, Sealed, open_envelope
from contracts.times import utc_text
from tests.unit.desk.simulated import World, cases, entries, only_case

EVENT = EventId("e" * 32)
REF = Ref("f" * 32)


def rejected(desk: Desk) -> tuple[Unreadable, ...]:
    with desk.store.reading() as rows:
        return rows.rejected()


def sealed(
    desk: Desk,
    to: Desk,
    kind: str,
    body: JsonObject,
    *,
    ref: Ref | None = REF,
    event: EventId = EVENT,
    after: tuple[EventId, ...] = (),
) -> Sealed:
    """An envelope that a desk could make outside its own rules."""
    message = new_message(
        read_typed(kind, body), event_id=event, referral_ref=ref, at=utc_text(desk.clock()),
        after=after,
    )  # fmt: skip
    return envelope(desk, to.org, render_message(message))


def envelope(desk: Desk, to: OrgId, data: bytes, *, re: Mid | None = None) -> Sealed:
    desk.log.sync()
    exp = desk.clock() + MAX_LIFETIME
    outgoing = Outgoing(to=to, message=data, exp=exp, urgency="", re=re)
    register, now = desk.log.register, desk.clock()
    return sealed_for(outgoing, ring=desk.ring, register=register, seen=NO_CHECKPOINT, now=now)


def receipts_to(world: World, desk: Desk) -> list[Receipt]:
    """What anybody's desk has told this one, in the hub's order."""
    found = []
    for body in world.hub.taken:
        if parse_envelope(body).header.typ != "rcpt" or parse_envelope(body).header.to != desk.org:
            continue
        opened = open_envelope(
            body, org=desk.org, secrets=secrets(desk.ring), register=world.log.register,
            now=world.clock(), contracts=frozenset({"receipt/1"}),
        )  # fmt: skip
        assert not isinstance(opened, NotForThisDevice)
        found.append(parse_receipt(opened.message.data))
    return found


@given(place=st.integers(min_value=0), bit=st.integers(0, 7))
def test_an_envelope_altered_in_any_byte_shows_nothing(
    altered_target: tuple[Desk, bytes], place: int, bit: int
) -> None:
    desk, body = altered_target
    changed = bytearray(body)
    changed[place % len(changed)] ^= 1 << bit
    taken = take(desk, bytes(changed))
    assert (taken.fate, taken.rejected) == (Fate.ACKNOWLEDGE, True)
    assert not cases(desk)
    with desk.store.reading() as rows:
        assert rows.rejected_bytes() == 0  # unsigned: nobody can fill the disk
        assert not rows.letters()  # and nobody can make this desk talk


@pytest.fixture(scope="module")
def altered_target(tmp_path_factory: pytest.TempPathFactory) -> tuple[Desk, bytes]:
    world = World(tmp_path_factory.mktemp("altered"))
    ours, theirs = world.organisation("my"), world.organisation("bd")
    theirs.log.sync()
    return theirs, sealed(ours, theirs, "referral.requested", world.request(theirs)).body


def test_a_replay_is_shown_once_and_answered_again(world: World, ours: Desk, theirs: Desk) -> None:
    body = sealed(ours, theirs, "referral.requested", world.request(theirs)).body
    theirs.log.sync()
    assert take(theirs, body).entry is not None
    for _ in range(3):
        assert take(theirs, body).entry is None
    assert len(cases(theirs)) == 1
    tick(theirs)
    told = receipts_to(world, ours)
    assert len(told) == 4
    assert len({(one.of_eid, one.status, one.at) for one in told}) == 1


def test_another_envelope_under_a_known_number_is_an_alarm(
    world: World, ours: Desk, theirs: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.desk.outbox.random", lambda size: bytes(size))
    first = sealed(ours, theirs, "referral.requested", world.request(theirs))
    second = sealed(
        ours, theirs, "referral.requested", world.request(theirs), event=EventId("d" * 32)
    )
    assert first.mid == second.mid
    monkeypatch.undo()
    theirs.log.sync()
    take(theirs, first.body)
    assert take(theirs, second.body).rejected
    assert [one.alarm for one in rejected(theirs)] == [True]
    tick(theirs)
    assert receipts_to(world, ours)[-1].code == "duplicate_conflict"
    assert len(cases(theirs)) == 1


def test_an_unknown_sender_is_looked_up_once(world: World, theirs: Desk) -> None:
    theirs.log.sync()
    newcomer = world.organisation("my")
    body = sealed(newcomer, theirs, "referral.requested", world.request(theirs)).body
    assert take(theirs, body).entry is not None


def test_an_unknown_sender_is_given_back_while_the_directory_is_away(
    world: World, theirs: Desk
) -> None:
    theirs.log.sync()
    newcomer = world.organisation("my")
    send_referral(newcomer, to=theirs.org, body=world.request(theirs))
    tick(newcomer)
    world.log.reachable = False
    assert receive(theirs).left == 1
    assert not rejected(theirs)
    world.log.reachable = True
    world.settle(theirs)
    assert only_case(theirs).peer == newcomer.org


def test_a_sender_nobody_ever_certified_is_rejected_unanswered(world: World, theirs: Desk) -> None:
    rogue = world.desk_for(new_org_id("my"))
    body = sealed(rogue, theirs, "referral.requested", world.request(theirs)).body
    taken = take(theirs, body)
    assert (taken.rejected, [one.code for one in rejected(theirs)]) == (
        True,
        ["device_not_certified"],
    )
    assert rejected(theirs)[0].sender == ""


def test_nothing_is_fetched_with_a_stale_view(world: World, ours: Desk, theirs: Desk) -> None:
    theirs.log.sync()
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    tick(ours)
    world.log.reachable = False
    world.clock.pass_(90_000)
    assert tick(theirs).troubles
    assert not cases(theirs)
    assert all(not copy.leased for copy in world.hub.copies)


def test_a_crash_before_the_acknowledgement_shows_it_once(
    world: World, ours: Desk, theirs: Desk
) -> None:
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    tick(ours)
    theirs.log.sync()
    [lease] = theirs.hub.lease()
    take(theirs, lease.body)  # stored, then killed: the hub was told nothing
    world.hub.copies[0].leased = False
    world.settle(world.again(theirs), ours)
    assert len(cases(theirs)) == 1
    assert not world.hub.copies


def test_a_crash_while_storing_leaves_it_in_the_mailbox(
    world: World, ours: Desk, theirs: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    tick(ours)

    def crash(*_: object, **__: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(receiving, "_remember", crash)
        assert receive(theirs).left == 1
    assert not cases(theirs)
    with theirs.store.reading() as rows:
        assert not rows.letters()
    world.hub.copies[0].leased = False
    world.settle(theirs, ours)
    assert only_case(ours).state is State.DELIVERED


def test_consent_for_somebody_else_is_refused_on_arrival(
    world: World, ours: Desk, theirs: Desk
) -> None:
    other = world.organisation("bd")
    theirs.log.sync()
    body = sealed(ours, theirs, "referral.requested", world.request(other)).body
    assert take(theirs, body).rejected
    assert not cases(theirs)
    tick(theirs)
    assert receipts_to(world, ours)[0].code == "consent"
    with theirs.store.reading() as rows:
        assert rows.rejected_bytes() > len(body)  # signed: kept for the operator, sealed


def test_a_rejected_receipt_fails_the_senders_case_with_a_sentence(
    world: World, ours: Desk, theirs: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = world.organisation("bd")
    monkeypatch.setattr("contracts.safety.check_consent", lambda *_, **__: None)
    send_referral(ours, to=theirs.org, body=world.request(other))
    world.settle(ours, theirs)
    assert (only_case(ours).state, only_case(ours).why) == (State.FAILED, "peer_consent")


def test_a_message_that_breaks_its_schema_is_rejected_and_answered(
    world: World, ours: Desk, theirs: Desk
) -> None:
    theirs.log.sync()
    assert take(theirs, envelope(ours, theirs.org, b'{"type":"referral.requested"}').body).rejected
    tick(theirs)
    assert receipts_to(world, ours)[0].code in ("schema", "version_unsupported")


def test_a_rejected_envelope_is_not_judged_twice(ours: Desk, theirs: Desk) -> None:
    theirs.log.sync()
    body = envelope(ours, theirs.org, b"not json").body
    take(theirs, body)
    assert not take(theirs, body).rejected
    assert len(rejected(theirs)) == 1


def test_a_receipt_is_answered_by_no_receipt(ours: Desk, theirs: Desk) -> None:
    theirs.log.sync()
    for data in (b"not json", b"{}"):
        take(theirs, envelope(ours, theirs.org, data, re=Mid("a" * 32)).body)
    with theirs.store.reading() as rows:
        assert not rows.letters()


def test_a_receipt_from_somebody_else_settles_nothing(
    world: World, ours: Desk, theirs: Desk
) -> None:
    meddler = world.organisation("bd")
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    tick(ours)
    sent = parse_envelope(world.hub.taken[0])
    data = render_receipt(Receipt(of_eid=sent.eid, status="stored", at=utc_text(world.clock())))
    false = envelope(meddler, ours.org, data, re=sent.header.mid).body
    ours.log.sync()
    assert take(ours, false).rejected
    assert only_case(ours).state is State.SENT


def test_a_receipt_about_other_bytes_settles_nothing(
    world: World, ours: Desk, theirs: Desk
) -> None:
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    tick(ours)
    sent = parse_envelope(world.hub.taken[0])
    data = render_receipt(Receipt(of_eid="0" * 64, status="stored", at=utc_text(world.clock())))
    ours.log.sync()
    assert take(ours, envelope(theirs, ours.org, data, re=sent.header.mid).body).rejected
    assert only_case(ours).state is State.SENT


def test_an_event_from_anyone_but_the_cases_peer_is_refused(
    world: World, ours: Desk, theirs: Desk
) -> None:
    meddler = world.organisation("bd")
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    world.settle(ours, theirs)
    ref = only_case(ours).ref
    false = sealed(meddler, ours, "referral.accepted", {"focal_role": "caseworker"}, ref=ref)
    ours.log.sync()
    assert take(ours, false.body).rejected
    assert only_case(ours).state is State.DELIVERED


def test_a_referrer_cannot_accept_in_the_receivers_name(
    world: World, ours: Desk, theirs: Desk
) -> None:
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    world.settle(ours, theirs)
    ref = only_case(theirs).ref
    false = sealed(ours, theirs, "referral.acknowledged", {"by_role": "caseworker"}, ref=ref)
    taken = take(theirs, false.body)
    assert taken.entry is not None  # stored, so that both sides hold the same events
    assert only_case(theirs).state is State.DELIVERED
    [void] = [entry for entry in entries(theirs) if entry.place is Place.VOID]
    assert (void.type, void.own, void.code) == ("referral.acknowledged", False, "wrong_author")
    [problem] = [entry for entry in entries(theirs) if entry.own]
    assert (problem.type, problem.word) == ("message.problem", EVENT)
    world.settle(theirs, ours)
    assert problem.id in {entry.id for entry in entries(ours)}
    assert only_case(ours).state is State.DELIVERED


def test_the_same_event_under_another_number_is_one_event(
    world: World, ours: Desk, theirs: Desk
) -> None:
    request = world.request(theirs)
    first = sealed(ours, theirs, "referral.requested", request)
    second = sealed(ours, theirs, "referral.requested", request)
    theirs.log.sync()
    assert take(theirs, first.body).entry is not None
    assert take(theirs, second.body).entry is None
    assert len(entries(theirs)) == 1
    tick(theirs)
    assert {one.of_eid for one in receipts_to(world, ours)} == {first.eid, second.eid}


def test_another_request_under_a_known_reference_is_a_conflict(
    world: World, ours: Desk, theirs: Desk
) -> None:
    theirs.log.sync()
    request = world.request(theirs)
    take(theirs, sealed(ours, theirs, "referral.requested", request).body)
    other = sealed(ours, theirs, "referral.requested", request, event=EventId("d" * 32))
    assert take(theirs, other.body).rejected
    assert len(entries(theirs)) == 1


def test_accepted_before_acknowledged_waits_for_it(world: World, ours: Desk, theirs: Desk) -> None:
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    world.settle(ours, theirs)
    say(theirs, only_case(theirs), "referral.accepted", {"focal_role": "caseworker"})
    tick(theirs)
    copies = [copy for copy in world.hub.copies if copy.device == ours.ring.device]
    assert len(copies) == 2
    take(ours, copies[1].body)
    assert only_case(ours).state is State.DELIVERED
    assert Place.WAITING in {entry.place for entry in entries(ours)}
    take(ours, copies[0].body)
    assert only_case(ours).state is State.ACCEPTED


def test_every_desk_of_both_organisations_holds_the_same_case(
    world: World, ours: Desk, theirs: Desk
) -> None:
    ours_2, theirs_2 = world.second_desk(ours), world.second_desk(theirs)
    everybody = (ours, ours_2, theirs, theirs_2)
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    world.settle(*everybody)
    assert [only_case(desk).state for desk in everybody] == [State.DELIVERED] * 4
    assert [only_case(desk).side for desk in everybody] == [
        Side.REFERRER, Side.REFERRER, Side.RECEIVER, Side.RECEIVER,
    ]  # fmt: skip
    say(theirs_2, only_case(theirs_2), "referral.accepted", {"focal_role": "caseworker"})
    world.settle(*everybody)
    assert [only_case(desk).state for desk in everybody] == [State.ACCEPTED] * 4
    for desk in (theirs, theirs_2):
        assert [entry.own for entry in in_order(entries(desk))] == [False, True, True]


def test_an_answer_before_the_colleagues_copy_of_the_request_waits_for_it(
    world: World, ours: Desk, theirs: Desk
) -> None:
    ours_2 = world.second_desk(ours)
    for desk in (ours, theirs):
        desk.log.sync()
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    world.settle(ours, theirs)
    say(theirs, only_case(theirs), "referral.accepted", {"focal_role": "caseworker"})
    world.settle(ours, theirs)
    ours_2.log.sync()
    backwards = [copy for copy in world.hub.copies if copy.device == ours_2.ring.device][::-1]
    assert len(backwards) >= 4  # the request, its receipt, two answers
    for copy in backwards:
        assert not take(ours_2, copy.body).rejected
    assert only_case(ours_2).state is State.ACCEPTED


def test_an_envelope_for_a_colleagues_desk_alone_is_acknowledged_and_forgotten(
    world: World, ours: Desk, theirs: Desk
) -> None:
    body = sealed(ours, theirs, "referral.requested", world.request(theirs)).body
    later = world.second_desk(theirs)
    assert take(later, body) == receiving.ACKNOWLEDGED
    assert not cases(later)
    assert not rejected(later)


def test_what_was_refused_is_forgotten_with_the_weeks_key(
    world: World, ours: Desk, theirs: Desk
) -> None:
    theirs.log.sync()
    take(theirs, envelope(ours, theirs.org, b"not json").body)
    world.clock.pass_(29 * 86_400)
    tick(theirs)
    assert not rejected(theirs)


def test_no_more_than_a_hundred_mebibytes_of_refused_envelopes_are_kept(
    ours: Desk, theirs: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs.log.sync()
    bodies = [envelope(ours, theirs.org, b"not json").body for _ in range(4)]
    monkeypatch.setattr(receiving, "MOST_KEPT_RAW", 2 * len(bodies[0]) + 200)
    for body in bodies:
        take(theirs, body)
    with theirs.store.reading() as rows:
        assert len(rows.rejected()) == 4
        assert rows.rejected_bytes() <= 2 * len(bodies[0]) + 200
