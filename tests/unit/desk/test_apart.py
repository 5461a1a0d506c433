"""Messages that belong to no case: capacity, concerns, requests to send again."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from broker.desk.consumer import hand_over
from broker.desk.enrolment import new_org_id
from broker.desk.errors import DeskError
from broker.desk.outbox import deliver
from broker.desk.receiving import take
from broker.desk.records import Entry, Sending
from broker.desk.saying import say, write
from broker.desk.standing import look
from broker.desk.unlocking import Desk
from contracts.encoding import JsonObject
from contracts.identifiers import EventId
from contracts.messages import APART, IN_A_CASE, parse_message
from tests.unit.desk.said import body, referred
from tests.unit.desk.simulated import World, cases, only_case
from tests.unit.desk.test_receiving import receipts_to, sealed

SAID_APART = sorted(APART - {"org.event"})


def apart(desk: Desk) -> tuple[Entry, ...]:
    with desk.store.reading() as rows:
        return rows.apart()


def test_capacity_is_asked_for_and_answered_without_a_person(
    world: World, ours: Desk, theirs: Desk
) -> None:
    write(ours, to=theirs.org, message_type="capacity.query", body=body("capacity.query"))
    world.settle(ours, theirs)
    [asked] = apart(theirs)
    assert (asked.type, asked.own, asked.peer) == ("capacity.query", False, ours.org)
    reply = body("capacity.reply", of=asked.id)
    write(theirs, to=ours.org, message_type="capacity.reply", body=reply)
    world.settle(theirs, ours)
    for desk, peer in ((ours, theirs), (theirs, ours)):
        assert {entry.type for entry in apart(desk)} == {"capacity.query", "capacity.reply"}
        assert {entry.peer for entry in apart(desk)} == {peer.org}
        assert {entry.sending for entry in apart(desk) if entry.own} == {Sending.STORED}
        assert not cases(desk)
        assert not look(desk).outstanding


@pytest.mark.parametrize("message_type", SAID_APART)
def test_each_travels_both_ways_to_every_desk_and_is_handed_over(
    world: World, ours: Desk, theirs: Desk, tmp_path: Path, message_type: str
) -> None:
    theirs_2 = world.second_desk(theirs)
    for desk in (ours, theirs, theirs_2):
        desk.log.sync()
    everybody = (ours, theirs, theirs_2)
    write(ours, to=theirs.org, message_type=message_type, body=body(message_type))
    world.settle(*everybody)
    write(theirs, to=ours.org, message_type=message_type, body=body(message_type))
    world.settle(*everybody)
    assert {entry.id for entry in apart(ours)} == {entry.id for entry in apart(theirs)}
    assert {entry.id for entry in apart(ours)} == {entry.id for entry in apart(theirs_2)}
    taken = tmp_path / "taken"
    keep = f"import sys; open({str(taken)!r}, 'ab').write(sys.stdin.buffer.read())"
    assert hand_over(theirs_2, (sys.executable, "-c", keep)).handled == 1  # not its colleague's
    value = json.loads(taken.read_bytes())
    assert (value["from"], value["message"]["type"]) == (ours.org, message_type)
    unnamed = ("reference", "referral_ref", "side", "state")
    assert [value[name] for name in unnamed] == [None] * 4


def test_a_message_that_must_not_stand_apart_is_refused(
    world: World, ours: Desk, theirs: Desk
) -> None:
    for message_type in ("org.event", *sorted(IN_A_CASE - APART)):
        with pytest.raises(DeskError) as caught:
            write(ours, to=theirs.org, message_type=message_type, body=body(message_type))
        assert caught.value.code == "not_said_apart"
    referred(world, ours, theirs)
    for message_type in ("org.event", "capacity.query", "message.problem"):
        with pytest.raises(DeskError) as caught:
            say(ours, only_case(ours), message_type, body(message_type))
        assert caught.value.code == "not_said_in_a_case"


def test_nothing_is_kept_of_what_is_refused(ours: Desk, theirs: Desk) -> None:
    empty: JsonObject = {"needs": []}
    query = body("capacity.query")
    stranger = new_org_id("bd")
    telling = body("concern.reported", note={"text": "call 0123 456 789", "language": "eng"})
    for to, message_type, what, code in (
        (ours.org, "capacity.query", query, "ourselves"),
        (stranger, "capacity.query", query, "unknown_organisation"),
        ("Asha", "capacity.query", query, "not_an_organisation_id"),
        (theirs.org, "capacity.query", empty, "schema"),
        (theirs.org, "concern.reported", telling, "text_has_number"),
    ):
        with pytest.raises(DeskError) as caught:
            write(ours, to=to, message_type=message_type, body=what)
        assert caught.value.code == code
    assert not apart(ours)
    with ours.store.reading() as rows:
        assert not rows.letters()


def test_a_replay_under_another_number_is_one_message(
    world: World, ours: Desk, theirs: Desk
) -> None:
    theirs.log.sync()
    for _ in range(2):
        one = sealed(ours, theirs, "capacity.query", body("capacity.query"), ref=None)
        take(theirs, one.body)
    assert len(apart(theirs)) == 1
    world.settle(theirs)
    assert [one.status for one in receipts_to(world, ours)] == ["stored", "stored"]


def test_a_message_apart_that_nobody_stores_is_on_the_list(
    world: World, ours: Desk, theirs: Desk
) -> None:
    write(ours, to=theirs.org, message_type="concern.reported", body=body("concern.reported"))
    [kept] = look(ours).outstanding
    assert (kept.kind, kept.case, kept.peer) == ("not_sent", None, theirs.org)
    deliver(ours)
    world.clock.pass_(14 * 86_400)
    deliver(ours)
    [lost] = look(ours).outstanding
    assert (lost.kind, lost.type, lost.case) == ("failed", "concern.reported", None)
    assert "Phone them" in lost.why


def test_a_problem_about_no_case_is_answered_by_nothing(
    world: World, ours: Desk, theirs: Desk
) -> None:
    problem = body("message.problem", about=EventId("a" * 32))
    write(ours, to=theirs.org, message_type="message.problem", body=problem)
    world.settle(ours, theirs)
    assert [entry.own for entry in apart(theirs)] == [False]
    with theirs.store.reading() as rows:
        assert parse_message(rows.message(apart(theirs)[0].row)).referral_ref is None


def test_a_concern_is_not_sent_to_the_organisation_that_it_is_about(
    ours: Desk, theirs: Desk
) -> None:
    about = body("concern.reported", about_org=theirs.org)
    with pytest.raises(DeskError) as caught:
        write(ours, to=theirs.org, message_type="concern.reported", body=about)
    assert caught.value.code == "concern_to_itself"
