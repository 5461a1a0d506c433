"""What commands print: DEMO everywhere, no narrative on lists, nothing that rewrites a screen."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.desk import shown, shown_cases
from broker.desk.cases import as_heard, find_case, view
from broker.desk.errors import SENTENCES, DeskError, sentence
from broker.desk.finding import Wanted, find
from broker.desk.records import Case
from broker.desk.sending import send_referral
from broker.desk.standing import look
from broker.desk.unlocking import Desk
from contracts.drafting import revoke_statement
from contracts.encoding import parse_object
from contracts.identifiers import OrgId, Ref
from contracts.lifecycle import Side, State
from tests.unit.desk.simulated import CANARY, SERVICE, World, only_case, shown_service

ORG = OrgId("bd-0123456789abcdef")


@pytest.fixture
def desks(world: World) -> tuple[Desk, Desk]:
    ours, theirs = world.organisation("my"), world.organisation("bd")
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    world.settle(ours, theirs)
    return ours, theirs


def case(ref: str, peer: OrgId = ORG) -> Case:
    return Case(
        row="r", peer=peer, ref=Ref(ref), side=Side.RECEIVER, state=State.DELIVERED,
        urgency="normal_14d", service=SERVICE, needs=("shelter",), began=0, changed=0,
    )  # fmt: skip


def test_every_output_of_a_demonstration_says_so(world: World) -> None:
    value, text = shown.labelled(world.root, {"a": 1}, "text")
    assert (value["demo"], value["network"]) == (True, "demo.tests")
    assert text.startswith("DEMO network demo.tests")


def test_lists_carry_no_narrative(desks: tuple[Desk, Desk]) -> None:
    for desk in desks:
        listed = shown.inbox_text([only_case(desk)], []) + json.dumps(
            shown.case_json(only_case(desk))
        )
        standing = look(desk)
        listed += shown.standing_text(standing) + json.dumps(shown.standing_json(standing))
        assert CANARY not in listed
        assert only_case(desk).spoken in listed


def test_a_note_opens_only_when_it_is_asked_for(desks: tuple[Desk, Desk]) -> None:
    _, theirs = desks
    with theirs.store.reading() as rows:
        seen = view(rows, only_case(theirs), now=theirs.clock())
        messages = {
            one.row: parse_object(rows.message(one.row), limit=10**6) for one in seen.entries
        }
    assert CANARY not in shown_cases.case_text(seen, messages, note=False)
    assert CANARY in shown_cases.case_text(seen, messages, note=True)
    [entry] = seen.entries
    assert CANARY not in json.dumps(shown_cases.entry_json(entry, messages[entry.row], note=False))
    assert "accept" in shown_cases.case_text(seen, messages, note=False)


@given(st.text())
def test_what_a_peer_wrote_cannot_rewrite_the_screen(text: str) -> None:
    [line] = shown_cases._indented(text, 0)
    assert line.isprintable()
    assert len(shown_cases._indented({"note": [text, {"a": text}]}, 0)) == 3


def test_a_listings_text_cannot_rewrite_the_screen(world: World) -> None:
    ours, theirs = world.organisation("my"), world.organisation("bd")
    world.list_service(theirs, name="a\x1b[2Jb\r\nc\x07d")
    found = find(ours, Wanted(text="x"))
    assert len(found.found) == 1
    assert shown.found_text(found).replace("\n", "").isprintable()


def test_a_search_tells_who_cannot_receive_yet(world: World) -> None:
    ours, theirs = world.organisation("my"), world.organisation("bd")
    other = world.organisation("bd")
    for desk in (theirs, other):
        world.list_service(desk)
    freeze = revoke_statement(
        world.log.register.next_heading(other.org, iat=world.clock()),
        world.sticks[other.org],
        device=other.ring.device,
    )
    world.log.add(freeze)
    ours.log.sync()
    page = find(ours, Wanted(country="bd", service="shelter", language="ben"))
    assert [one.can_receive for one in page.found] == [True, False]
    assert world.directory.asked[0]["service"] == "shelter"
    assert "search" not in world.directory.asked[0]


def test_what_nobody_signed_is_left_out_and_counted(world: World) -> None:
    ours, theirs, thief = (world.organisation(country) for country in ("my", "bd", "bd"))
    world.list_service(theirs, name="Asha")
    stolen = shown_service(theirs.org, "Asha")
    stolen["organization"] = shown_service(thief.org, "Asha")["organization"]
    renamed = shown_service(theirs.org, "Asha") | {"name": "Police post"}
    stranger, nobody = shown_service("bd-0000000000000000", "x"), shown_service("no id", "x")
    world.directory.services = [stolen, renamed, stranger, nobody, {"id": 7}]
    page = find(ours, Wanted(text="x"))
    assert [(one.name, one.org) for one in page.found] == [("Asha", theirs.org)]
    assert page.left_out == 4
    assert "not shown" in shown.found_text(page)


def test_a_search_with_the_directory_away_is_a_sentence(world: World) -> None:
    ours = world.organisation("my")
    world.log.reachable = False
    with pytest.raises(DeskError) as caught:
        find(ours, Wanted(text="x"))
    assert caught.value.code == "directory_unreachable"


def test_a_reference_is_found_however_it_was_heard() -> None:
    wanted = case("a" * 32)
    heard = wanted.spoken.lower().replace("0", "o").replace("1", "l")
    assert find_case([wanted, case("b" * 32)], f" {heard[:3]}-{heard[3:]} ") is wanted
    assert find_case([wanted], "a" * 32) is wanted
    assert as_heard("o0il") == "0011"


def test_two_cases_with_one_spoken_reference_are_told_apart() -> None:
    other = OrgId("lk-0123456789abcdef")
    two = [case("a" * 32), case("a" * 32, other)]
    with pytest.raises(DeskError) as caught:
        find_case(two, two[0].spoken)
    assert "@" in str(caught.value)
    assert find_case(two, f"{two[0].spoken}@{other}").peer == other


def test_an_unknown_reference_says_where_to_look() -> None:
    with pytest.raises(DeskError) as caught:
        find_case([], "ABCDEF")
    assert "rujukan inbox" in str(caught.value)


@pytest.mark.parametrize("code", sorted(SENTENCES))
def test_every_code_makes_whole_sentences(code: str) -> None:
    words = {name for _, name, _, _ in string.Formatter().parse(SENTENCES[code]) if name}
    text = sentence(code, **dict.fromkeys(words, "x"))
    assert text.endswith(".")
    assert "{" not in text


def test_a_code_that_nobody_knows_yet_makes_a_sentence_too() -> None:
    assert sentence("a_newer_code").endswith(".")
    assert sentence("no_route").endswith(".")  # its countries were not given
