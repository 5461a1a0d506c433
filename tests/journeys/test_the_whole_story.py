"""Two desks on the command line say all there is to say, over RabbitMQ, and what may not be said.

The first test walks the longest legal way of a referral; after every step both desks show the same
state, the same lead and the same events. The second tries what would harm the person, one attempt
after the other: each is refused with a sentence, and nothing is kept or queued.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.journeys.attempts import CANARY, STAGES, Attempt
from tests.journeys.bodies import (
    BANGLA_NUMBER,
    DAY,
    HOUR,
    NAME,
    PRIVATE,
    consent_updated,
    erasure,
    identity,
    journey,
    request_to,
    said,
)
from tests.journeys.network import CommandLineDesk, RunningNetwork, running
from tests.journeys.pair import Agreed, Json, Pair, Who, as_json, at_once, sentence_of
from tests.journeys.test_two_desks import listing, service_of
from tests.services.rabbitmq import Node


@pytest.fixture(scope="module")
def network(
    tmp_path_factory: pytest.TempPathFactory, rabbitmq_node: Node
) -> Iterator[RunningNetwork]:
    folder = tmp_path_factory.mktemp("story")
    with rabbitmq_node.vhost() as vhost, running(folder, queue=vhost) as network:
        yield network


@pytest.fixture(scope="module")
def pair(network: RunningNetwork) -> Pair:
    ours, theirs = at_once(network.desk, ("my", "bd"))
    return Pair(network, ours, theirs)


@pytest.fixture(scope="module")
def service(pair: Pair) -> str:
    """Their listed service, which says whom it takes: no children."""
    row = service_of(pair.theirs.org, "Asha DEMO") | {"populations": "women;men"}
    pair.network.list_services(listing(row))
    [found] = pair.ours.json("find", "shelter", "--country", "bd")["services"]
    assert (found["org"], found["can_receive"]) == (pair.theirs.org, True)
    return str(found["service_id"])


@dataclass(frozen=True, slots=True)
class Step:
    """One message of the story, and where both desks stand after it.

    `due`: whose turn it then is, and of which timer; `late` when both desks call it overdue.
    """

    who: Who
    type: str
    body: Json
    state: str
    lead: str = "referrer"
    due: tuple[Who, str] | None = None
    late: bool = False


def story(request: Json, *, now: int) -> tuple[Step, ...]:
    """Everything from the first sign that somebody has seen it to the erasure on both sides."""
    renewed = consent_updated(request, version=2, feedback="outcome")
    asked = said("erasure.requested")
    return (
        Step("theirs", "referral.acknowledged", said("referral.acknowledged"), "acknowledged",
             due=("theirs", "decide")),
        Step("theirs", "referral.info_requested", said("referral.info_requested"), "info_needed",
             due=("ours", "inform")),
        Step("ours", "referral.info_provided", said("referral.info_provided"), "acknowledged"),
        Step("theirs", "referral.accepted", said("referral.accepted"), "accepted",
             due=("theirs", "serve")),
        Step("ours", "identity.released", identity(), "accepted"),
        Step("theirs", "referral.status", said("referral.status"), "waitlisted"),
        Step("theirs", "referral.status", {"status": "started"}, "in_progress"),
        Step("ours", "journey.planned", journey("journey.planned", arrives=now + DAY),
             "in_progress", due=("theirs", "meet")),
        Step("ours", "journey.changed", journey("journey.changed", arrives=now - 4 * HOUR),
             "in_progress", due=("theirs", "meet"), late=True),
        Step("theirs", "journey.met", said("journey.met"), "in_progress"),
        Step("ours", "lead.offered", said("lead.offered"), "in_progress"),
        Step("theirs", "lead.taken", said("lead.taken"), "in_progress", "receiver"),
        Step("theirs", "consent.updated", renewed, "in_progress", "receiver"),
        Step("theirs", "referral.outcome", said("referral.outcome"), "completed", "receiver"),
        Step("theirs", "referral.closed", said("referral.closed"), "closed", "receiver"),
        # Long after the end, and told to the side that does not lead.
        Step("ours", "consent.withdrawn", said("consent.withdrawn"), "withdrawn", "receiver",
             due=("theirs", "erase")),
        Step("theirs", "erasure.requested", asked, "withdrawn", "receiver", due=("ours", "erase")),
        Step("theirs", "erasure.confirmed", erasure(on=now, held="case_system"), "withdrawn",
             "receiver"),
        Step("ours", "erasure.confirmed", erasure(on=now), "withdrawn", "receiver"),
        Step("theirs", "erasure.confirmed", erasure(on=now), "erased", "receiver"),
    )  # fmt: skip


def test_the_longest_legal_story(pair: Pair, service: str) -> None:
    now = int(time.time())
    they_ask_each_other_for_a_bed(pair)
    request = request_to(pair.theirs.org, service, now=now)
    she_checks_before_she_sends(pair, request)
    reference = pair.send(request)
    assert pair.agreed(reference).state == "delivered"
    ours, theirs = pair.standings()
    assert kinds(theirs, reference) == {"ours_acknowledge": False}
    assert kinds(ours, reference) == {}  # theirs to do, and not late
    for step in story(request, now=now):
        take(pair, reference, step)
    ended = pair.agreed(reference)
    assert ended.both("erasure_owed_by") == ended.both("legal_hold_by") == []
    assert all(standing["outstanding"] == [] for standing in pair.standings())
    they_ask_for_a_message_again(pair, ended)
    somebody_tells_a_coordinator(pair, service)
    assert pair.all_went_past_rabbitmq() > 2 * len(story(request, now=now))


def take(pair: Pair, reference: str, step: Step) -> None:
    agreed = pair.say(step.who, reference, step.type, step.body)
    assert (agreed.state, agreed.lead) == (step.state, step.lead), step.type
    shown = json.dumps((agreed.ours, agreed.theirs), ensure_ascii=False)
    assert not [word for word in PRIVATE if word in shown], step.type
    if step.due is not None:
        assert_due(pair, reference, step)
    check = AFTER.get(step.type)
    if check is not None:
        check(pair, agreed)


def assert_due(pair: Pair, reference: str, step: Step) -> None:
    """The side whose turn it is has it on its list; the other one only when it is late."""
    assert step.due is not None
    who, stage = step.due
    ours, theirs = pair.standings()
    acting, waiting = (ours, theirs) if who == "ours" else (theirs, ours)
    assert kinds(acting, reference)[f"ours_{stage}"] is step.late
    other = kinds(waiting, reference).get(f"theirs_{stage}")
    assert other is (True if step.late else None), (step.type, other)


def kinds(standing: Json, reference: str) -> dict[str, bool]:
    """What is outstanding in a case, and whether it is overdue."""
    return {
        one["kind"]: one["overdue"]
        for one in standing["outstanding"]
        if one.get("reference") == reference
    }


def the_name_is_opened_only_on_its_own(pair: Pair, agreed: Agreed) -> None:
    assert agreed.both("identity_released") is True
    for desk in (pair.ours, pair.theirs):
        opened = desk.run("show", agreed.both("reference"), "--note").out
        assert [word for word in PRIVATE if word not in opened] == []


def nobody_is_missing(pair: Pair, agreed: Agreed) -> None:
    assert agreed.both("journey") == "met"
    for standing in pair.standings():
        assert not [kind for kind in kinds(standing, agreed.both("reference")) if "meet" in kind]


def a_hold_is_named(_: Pair, agreed: Agreed) -> None:
    holds = {"withdrawn": (["receiver"], {"receiver"}), "erased": ([], set())}
    held, owing = holds[agreed.state]
    assert agreed.both("legal_hold_by") == held
    assert set(agreed.both("erasure_owed_by")) >= owing


AFTER: Final = {
    "identity.released": the_name_is_opened_only_on_its_own,
    "journey.met": nobody_is_missing,
    "erasure.confirmed": a_hold_is_named,
}


def they_ask_each_other_for_a_bed(pair: Pair) -> None:
    query = pair.write(pair.ours, pair.theirs, "capacity.query", said("capacity.query"))
    assert query["message"]["body"]["headcount"][0]["count"] == 3
    reply = said("capacity.reply", of=query["id"])
    heard = pair.write(pair.theirs, pair.ours, "capacity.reply", reply)
    assert heard["message"]["body"] == reply


def she_checks_before_she_sends(pair: Pair, request: Json) -> None:
    """With the identity draft beside it; nothing is sent, whether something is wrong or not."""
    before = pair.kept()
    assert refusing(pair, request) == set()
    careless = request | {"note": request["note"] | {"text": f"{NAME}, {BANGLA_NUMBER}"}}
    assert refusing(pair, careless) == {"text_repeats_identity", "text_has_number"}
    assert pair.kept() == before


def refusing(pair: Pair, request: Json) -> set[str]:
    """What `send --check` finds that would refuse it; what the countries ask for is there."""
    draft = pair.ours.folder / "identity.json"
    draft.write_bytes(as_json(identity()))
    words = ("send", "--check", "--to", pair.theirs.org, "--identity", str(draft), "-")
    checked = pair.ours.json(*words, given=as_json(request))
    blocking = [one for one in checked["requirements"] if one["weight"] == "blocking"]
    assert {"consent_or_basis", "own_wish_to_return"} <= {one["code"] for one in blocking}
    assert all(one["met"] and one["source"] for one in blocking)
    return {one["code"] for one in checked["findings"] if one["weight"] == "refuse"}


def they_ask_for_a_message_again(pair: Pair, ended: Agreed) -> None:
    """A stored message is not sealed again by itself, only by somebody who has telephoned."""
    wanted = next(one["id"] for one in ended.ours["entries"] if one["by"] == "them")
    pair.write(pair.ours, pair.theirs, "resend_request", {"ids": [wanted]})
    accepted = pair.network.accepted()
    again = pair.theirs.json("answer", ended.both("reference"), "again", "--message", wanted)
    assert again["kept"] is False
    pair.network.wait_for_mail()
    assert pair.network.accepted() > accepted
    pair.ours.json("inbox")
    repeated = pair.agreed(ended.both("reference"))
    assert repeated.state == "erased"
    assert len(repeated.ours["entries"]) == len(ended.ours["entries"])


def somebody_tells_a_coordinator(pair: Pair, service: str) -> None:
    """A concern goes to an organisation of another country that has no part in the case."""
    coordinator = pair.network.desk("bd", kind="igo")
    concern = said("concern.reported", service_id=service, about_org=pair.theirs.org)
    heard = pair.write(pair.ours, coordinator, "concern.reported", concern)
    assert heard["message"]["body"] == concern
    assert "referral_ref" not in heard["message"]


def test_what_would_harm_the_person_is_refused_with_a_sentence(
    pair: Pair, service: str, tmp_path: Path
) -> None:
    request = request_to(pair.theirs.org, service, now=int(time.time()))
    draft = tmp_path / "identity.json"
    draft.write_bytes(as_json(identity()))
    reference, agreed = "", None
    for stage in STAGES:
        for before in stage.before:
            agreed = before(pair, reference, request)
            reference = agreed.both("reference")
        assert ("" if agreed is None else agreed.state) == stage.state
        kept = pair.kept()

        def tried(attempt: Attempt, reference: str = reference) -> None:
            attempt_is_refused(pair, attempt, request, reference=reference, draft=draft)

        at_once(tried, stage.attempts)
        assert pair.kept() == kept, stage.name
    pair.all_went_past_rabbitmq()


def attempt_is_refused(
    pair: Pair, attempt: Attempt, request: Json, *, reference: str, draft: Path
) -> None:
    desk: CommandLineDesk = pair.desk(attempt.who)
    words, body = attempt.command(request, to=pair.theirs.org, reference=reference, draft=draft)
    outcome = desk.run(*words, given=as_json(body))
    assert outcome.code == attempt.code, (attempt.name, outcome)
    for word in (*PRIVATE, BANGLA_NUMBER, CANARY):
        assert word not in outcome.out + outcome.err, (attempt.name, word)
    if attempt.code == 1:
        assert attempt.sentence in sentence_of(outcome), (attempt.name, outcome.err)
