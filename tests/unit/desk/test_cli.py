"""The commands as people and programs use them: what opens, what stays closed, how it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from broker.desk import terminal
from broker.desk.cli import main
from broker.desk.records import Entry
from broker.desk.saying import say, write
from broker.desk.sending import send_referral
from broker.desk.unlocking import Desk
from contracts.encoding import JsonObject
from contracts.examples import example_body
from contracts.lifecycle import State
from contracts.messages import APART, BODIES, problems_in_body
from tests.unit.desk.said import accepted, body, of_type, referred, tell
from tests.unit.desk.simulated import CANARY, SERVICE, World, cases, entries, only_case

NAME, CONTACT, PLACE = "canary-name-ashoka", "canary-contact-555", "canary-place-gate"


class Terminal:
    """Somebody at a desk's command line."""

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self._patch, self._folder = patch, folder

    def run(self, desk: Desk | None, *words: str, body: JsonObject | str | None = None) -> Result:
        """The command; `body` is put into a file whose name takes the place of `FILE`."""
        file = self._folder / "body.json"
        file.write_text(body if isinstance(body, str) else json.dumps(body))
        self._patch.setattr(terminal, "unlocked", lambda: _open(desk))
        words = tuple(str(file) if word == "FILE" else word for word in words)
        result = CliRunner().invoke(main, list(words))
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    def json(self, desk: Desk, *words: str, body: JsonObject | None = None) -> dict[str, Any]:
        """What a program reads of a command that worked."""
        result = self.run(desk, *words, "--json", body=body)
        assert result.exit_code == 0, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        assert (found["demo"], found["network"]) == (True, "demo.tests")
        return found


@contextmanager
def _open(desk: Desk | None) -> Iterator[Desk]:
    assert desk is not None, "this command needs no desk"
    yield desk


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Terminal:
    return Terminal(monkeypatch, tmp_path)


def failed(result: Result, sentence: str) -> None:
    assert result.exit_code == 1, result.output
    assert sentence in result.stderr
    assert result.stderr.strip().endswith(".")
    assert "Traceback" not in result.output


def misused(result: Result, sentence: str = "") -> None:
    assert result.exit_code == 2, result.output
    assert sentence in result.stderr


def apart(desk: Desk) -> tuple[Entry, ...]:
    with desk.store.reading() as rows:
        return rows.apart()


# What stays closed


@pytest.fixture
def told(world: World, ours: Desk, theirs: Desk) -> Desk:
    """A desk that was told a name, a contact and a journey, with a note on each message."""
    note: JsonObject = {"text": CANARY, "language": "eng"}
    safety = example_body("referral.requested")["safety"]
    assert isinstance(safety, dict)
    referred(
        world, ours, theirs, safety=safety | {"contact_mode": "direct", "channels": ["messenger"]}
    )
    tell(world, theirs, ours, "referral.accepted", note=note)
    identity = dict(example_body("identity.released"))
    identity["name"] = {"full": NAME}
    identity["contact"] = {"mode": "direct", "channels": [{"kind": "messenger", "value": CONTACT}],
                           "windows": []}  # fmt: skip
    say(ours, only_case(ours), "identity.released", identity)
    arriving = example_body("journey.planned")["arriving"]
    assert isinstance(arriving, dict)
    tell(world, ours, theirs, "journey.planned", arriving=arriving | {"place": PLACE}, note=note)
    world.settle(ours, theirs)
    return theirs


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_case_is_shown_without_names_contacts_places_or_notes(
    at: Terminal, told: Desk, form: tuple[str, ...]
) -> None:
    shown = at.run(told, "show", only_case(told).spoken, *form)
    assert shown.exit_code == 0
    for secret in (CANARY, NAME, CONTACT, PLACE):
        assert secret not in shown.output
    opened = at.run(told, "show", only_case(told).spoken, "--note", *form)
    for secret in (CANARY, NAME, CONTACT, PLACE):
        assert secret in opened.output


@pytest.mark.parametrize("form", [(), ("--json",)])
@pytest.mark.parametrize("command", ["inbox", "status"])
def test_no_list_says_what_was_written(
    at: Terminal, told: Desk, command: str, form: tuple[str, ...]
) -> None:
    listed = at.run(told, command, *form)
    assert listed.exit_code == 0
    assert only_case(told).spoken in listed.output
    for secret in (CANARY, NAME, CONTACT, PLACE):
        assert secret not in listed.output


def test_what_is_received_is_announced_without_a_word_of_it(
    world: World, at: Terminal, ours: Desk, theirs: Desk
) -> None:
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    note: JsonObject = {"text": CANARY, "language": "eng"}
    concern = body("concern.reported", note=note)
    write(ours, to=theirs.org, message_type="concern.reported", body=concern)
    world.settle(ours)
    heard = at.run(theirs, "consume", "--once")
    assert heard.exit_code == 0
    assert "referral.requested" in heard.output
    assert "concern.reported" in heard.output
    assert CANARY not in heard.output


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_message_apart_is_listed_and_its_note_opens_by_itself(
    world: World, at: Terminal, ours: Desk, theirs: Desk, form: tuple[str, ...]
) -> None:
    concern = body("concern.reported", note={"text": CANARY, "language": "eng"})
    write(ours, to=theirs.org, message_type="concern.reported", body=concern)
    world.settle(ours, theirs)
    [received] = apart(theirs)
    listed = at.run(theirs, "inbox", *form)
    assert received.id in listed.output
    assert CANARY not in listed.output
    assert CANARY not in at.run(theirs, "show", received.id, *form).output
    assert CANARY in at.run(theirs, "show", received.id, "--note", *form).output


# Sending


def test_a_referral_is_sent_with_its_remarks(
    world: World, at: Terminal, ours: Desk, theirs: Desk
) -> None:
    sent = at.json(ours, "send", "--to", theirs.org, "FILE", body=world.request(theirs))
    assert (sent["sent"], sent["kept"], sent["state"]) == (["referral.requested"], False, "sent")
    assert "card_not_known" in {one["code"] for one in sent["remarks"]}


def test_a_check_says_what_stands_in_the_way_and_keeps_nothing(
    world: World, at: Terminal, ours: Desk, theirs: Desk
) -> None:
    request = world.request(theirs)
    request["return"] = {"own_wish": "undecided"}
    words = ("send", "--to", theirs.org, "--check", "FILE")
    found = at.json(ours, *words, body=request)
    refusing = {one["code"] for one in found["findings"] if one["weight"] == "refuse"}
    assert refusing == {"return_without_own_wish"}
    asked = {one["code"]: one for one in found["requirements"]}
    assert asked["own_wish_to_return"]["met"] is False
    assert asked["route_open"]["met"] is True
    for_people = at.run(ours, *words, body=request)
    assert (for_people.exit_code, "MISSING" in for_people.output) == (0, True)
    confirmed = at.json(ours, *words, "--confirm", "interpreter", body=world.request(theirs))
    assert {one["code"]: one["met"] for one in confirmed["requirements"]}["interpreter"]
    assert not cases(ours)
    assert not world.hub.taken


def test_a_note_that_repeats_the_draft_is_found_by_check_and_by_sending(
    world: World, at: Terminal, ours: Desk, theirs: Desk, tmp_path: Path
) -> None:
    draft = tmp_path / "identity.json"
    draft.write_text(json.dumps(dict(example_body("identity.released"), name={"full": NAME})))
    request = world.request(theirs, f"ask for {NAME}")
    words = ("send", "--to", theirs.org, "--identity", str(draft))
    found = at.json(ours, *words, "--check", "FILE", body=request)
    assert "text_repeats_identity" in {one["code"] for one in found["findings"]}
    refused = at.run(ours, *words, "FILE", body=request)
    failed(refused, "repeats something of the person's identity")
    assert NAME not in refused.output
    assert not cases(ours)


def test_capacity_is_asked_for_from_the_command_line(
    world: World, at: Terminal, ours: Desk, theirs: Desk
) -> None:
    words = ("send", "--to", theirs.org, "--type", "capacity.query", "FILE")
    sent = at.json(ours, *words, body=body("capacity.query"))
    assert (sent["sent"], sent["kept"]) == (["capacity.query"], False)
    world.settle(theirs, ours)
    assert [entry.type for entry in apart(theirs)] == ["capacity.query"]
    assert "reference" not in sent


@pytest.mark.parametrize("message_type", sorted({"referral.requested", *APART} - {"org.event"}))
def test_an_example_to_send_is_complete_and_needs_no_passphrase(
    at: Terminal, message_type: str
) -> None:
    printed = at.run(None, "send", "--example", "--type", message_type)
    assert printed.exit_code == 0
    assert not problems_in_body(message_type, json.loads(printed.stdout))


def test_an_example_addressed_to_an_organisation_can_be_sent_as_it_is(
    at: Terminal, ours: Desk, theirs: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.desk.cli_cases.local_time", ours.clock)
    words = ("--to", theirs.org, "--service", SERVICE)
    printed = at.run(None, "send", "--example", *words)
    sent = at.json(ours, "send", *words, "FILE", body=json.loads(printed.stdout))
    assert sent["service_id"] == SERVICE


# Answering


@pytest.mark.parametrize("message_type", sorted(set(BODIES) - APART - {"referral.requested"}))
def test_an_example_to_answer_is_complete_and_needs_no_passphrase(
    at: Terminal, message_type: str
) -> None:
    printed = at.run(None, "answer", "ABCDEF", message_type, "--example")
    assert printed.exit_code == 0, printed.output
    assert not problems_in_body(message_type, json.loads(printed.stdout))


def test_a_case_is_taken_through_its_answers(
    world: World, at: Terminal, ours: Desk, theirs: Desk
) -> None:
    referred(world, ours, theirs)
    ref = only_case(theirs).spoken
    answered = at.json(theirs, "answer", ref, "accept", "--role", "caseworker")
    assert answered["sent"] == ["referral.acknowledged", "referral.accepted"]
    world.settle(ours, theirs)
    offered = at.json(ours, "show", ref)["moves"]
    assert "identity.released" in offered
    released = at.json(
        ours, "answer", ref, "identity.released", "--body", "FILE", body=body("identity.released")
    )
    assert released["sent"] == ["identity.released"]
    started = body("referral.status", status="started")
    world.settle(ours, theirs)
    at.json(theirs, "answer", ref, "referral.status", "--body", "FILE", body=started)
    world.settle(ours, theirs)
    assert only_case(ours).state is State.IN_PROGRESS
    assert len(of_type(entries(theirs), "identity.released")) == 1


def test_a_case_is_claimed_handed_on_and_given_back(
    world: World, at: Terminal, ours: Desk, theirs: Desk
) -> None:
    colleague = world.second_desk(theirs)
    for desk in (ours, theirs, colleague):
        desk.log.sync()
    referred(world, ours, theirs)
    world.settle(ours, theirs, colleague)
    ref = only_case(theirs).spoken
    at.json(theirs, "answer", ref, "claim", "--role", "caseworker")
    world.settle(colleague)
    failed(at.run(colleague, "answer", ref, "accept", "--role", "caseworker"), "colleague")
    world.clock.pass_(1)
    at.json(theirs, "answer", ref, "hand-over", "--device", colleague.ring.device)
    world.settle(colleague)
    failed(at.run(theirs, "answer", ref, "release"), "colleague")
    at.json(colleague, "answer", ref, "accept", "--role", "caseworker")


def test_one_message_is_sent_again_after_a_telephone_call(
    world: World, at: Terminal, ours: Desk, theirs: Desk
) -> None:
    referred(world, ours, theirs)
    [request] = entries(ours)
    again = at.json(ours, "answer", only_case(ours).spoken, "again", "--message", request.id)
    assert again["sent"] == ["referral.requested"]
    failed(at.run(ours, "answer", only_case(ours).spoken, "again"), "no message of ours")


# How it ends


@pytest.mark.parametrize(
    "words",
    [
        ("send",),
        ("send", "FILE"),
        ("send", "--to", "bd-0123456789abcdef"),
        ("send", "--type", "referral.accepted", "--example"),
        ("send", "--type", "org.event", "--example"),
        ("show",),
        ("answer", "ABCDEF"),
        ("answer", "ABCDEF", "shout"),
        ("answer", "ABCDEF", "acknowledge"),
        ("answer", "ABCDEF", "accept"),
        ("answer", "ABCDEF", "decline", "--reason", "no_capacity"),
        ("answer", "ABCDEF", "accept", "--role", "king"),
        ("answer", "ABCDEF", "identity.released"),
        ("answer", "ABCDEF", "consent.withdrawn"),
        ("consume", "--exec", ""),
        ("find", "--page", "0"),
        ("nothing",),
    ],
)
def test_wrong_usage_ends_with_2_before_a_passphrase_is_asked_for(
    at: Terminal, words: tuple[str, ...]
) -> None:
    misused(at.run(None, *words, body={}))


def test_wrong_usage_says_what_is_missing(at: Terminal) -> None:
    misused(at.run(None, "answer", "ABCDEF", "journey.met"), "--example prints one to edit")
    misused(at.run(None, "answer", "ABCDEF", "accept"), "--role")
    misused(at.run(None, "answer", "ABCDEF", "decline"), "--next-step")
    misused(at.run(None, "send"), "--example")


def test_a_refusal_ends_with_1_and_a_sentence(
    world: World, at: Terminal, ours: Desk, theirs: Desk
) -> None:
    referred(world, ours, theirs)
    ref = only_case(ours).spoken
    failed(at.run(ours, "show", "ZZZZZZ"), "rujukan inbox")
    failed(at.run(ours, "answer", ref, "accept", "--role", "caseworker"), "Nothing was sent")
    failed(at.run(theirs, "answer", ref, "identity.released", "--body", "FILE", body="{"), "JSON")
    failed(at.run(theirs, "answer", ref, "journey.met", "--body", "FILE", body={}), "agreed form")
    not_yet = body("identity.released")
    failed(
        at.run(ours, "answer", ref, "identity.released", "--body", "FILE", body=not_yet), "possible"
    )
    sending = ("send", "--to", "bd-0000000000000000", "FILE")
    failed(at.run(ours, *sending, body=world.request(theirs)), "bd-0000000000000000")
    failed(at.run(ours, "send", "--to", "Asha", "FILE", body=world.request(theirs)), "its id")


def test_a_refusal_for_programs_is_json(at: Terminal, ours: Desk) -> None:
    result = at.run(ours, "show", "ZZZZZZ", "--json")
    assert result.exit_code == 1
    assert "rujukan inbox" in result.stderr
    assert "ZZZZZZ" in json.loads(result.stdout)["error"]


def test_a_refused_value_is_never_repeated(
    world: World, at: Terminal, ours: Desk, theirs: Desk
) -> None:
    accepted(world, ours, theirs)
    wrong = body("identity.released") | {"name": {"full": NAME, CANARY: CANARY}, "contact": CONTACT}
    result = at.run(
        ours, "answer", only_case(ours).spoken, "identity.released", "--body", "FILE", body=wrong
    )
    failed(result, "agreed form")
    for secret in (CANARY, NAME, CONTACT):
        assert secret not in result.output


def test_with_the_hub_away_it_is_said_that_nothing_is_lost(
    world: World, at: Terminal, ours: Desk, theirs: Desk
) -> None:
    world.hub.reachable = False
    result = at.run(ours, "send", "--to", theirs.org, "FILE", body=world.request(theirs))
    assert result.exit_code == 0
    assert "kept here, and sent as soon as the hub can be reached" in result.output
    assert "The hub cannot be reached" in result.stderr
    listed = at.run(ours, "status")
    assert "not yet accepted by the hub" in listed.output
