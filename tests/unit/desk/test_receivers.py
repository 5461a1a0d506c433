"""What is asked of the receiver before a referral leaves: children, the corridor, its version."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from broker.desk.errors import DeskError
from broker.desk.receivers import receiver_of
from broker.desk.saying import say, write
from broker.desk.sending import read_typed, send_referral
from broker.desk.unlocking import Desk
from contracts.bodies import IdentityReleased
from contracts.encoding import JsonObject
from contracts.examples import example_body
from contracts.record_ids import service_id
from tests.unit.desk.said import body, referred
from tests.unit.desk.simulated import World, cases, entries, only_case
from tests.unit.desk.test_sending import refused


def child(world: World, theirs: Desk) -> JsonObject:
    """A request about a child, as complete as the safety rules ask."""
    request = world.request(theirs)
    person, consent = request["person"], request["consent"]
    assert isinstance(person, dict)
    assert isinstance(consent, dict)
    fields = consent["fields"]
    assert isinstance(fields, list)
    guardian: JsonObject = {
        "status": "none", "assent": "yes", "best_interest": "determined",
    }  # fmt: skip
    to = request["to"]
    assert isinstance(to, dict)
    return request | {
        "to": to | {"service_id": service_id(theirs.org, "shelter")},
        "person": person | {"age_band": "12_15"},
        "guardian": guardian,
        "consent": consent | {"fields": [*fields, "guardian"]},
    }


def test_the_listing_is_not_asked_for_where_it_decides_nothing(
    world: World, ours: Desk, theirs: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(world.directory, "entry", asked.append)
    referred(world, ours, theirs)
    assert not asked


@pytest.mark.parametrize(
    ("populations", "takes"),
    [(("girls",), True), (("women", "boys"), True), (("unaccompanied_children",), True),
     (("women", "men"), False), ((), None)],
)  # fmt: skip
def test_whom_a_service_takes_is_what_it_lists(
    world: World, ours: Desk, theirs: Desk, populations: tuple[str, ...], takes: bool | None
) -> None:
    service = world.list_service(theirs, *populations)
    ours.log.sync()
    found = receiver_of(ours, theirs.org, service, ask_listing=True)
    assert (found.kind, found.takes_children) == ("ngo", takes)
    assert receiver_of(ours, theirs.org, service, ask_listing=False).takes_children is None


def test_an_entry_with_other_bytes_than_were_signed_says_nothing(
    world: World, ours: Desk, theirs: Desk
) -> None:
    service = world.list_service(theirs, "girls")
    ours.log.sync()
    [name] = world.directory.entries
    for bad in (b"", b"{}", world.directory.entries[name].replace(b"girls", b"women")):
        world.directory.entries[name] = bad
        assert receiver_of(ours, theirs.org, service, ask_listing=True).takes_children is None


@pytest.mark.parametrize("directory", ["away", "unlisted", "silent"])
def test_a_child_is_referred_only_where_it_is_known_that_children_are_taken(
    world: World, ours: Desk, theirs: Desk, directory: str
) -> None:
    if directory == "silent":
        world.list_service(theirs)
    ours.log.sync()
    world.log.reachable = directory != "away"
    error = refused(lambda: send_referral(ours, to=theirs.org, body=child(world, theirs)), ours)
    assert error.code == "children_not_known"


def test_a_service_for_adults_takes_no_child(world: World, ours: Desk, theirs: Desk) -> None:
    world.list_service(theirs, "women")
    error = refused(lambda: send_referral(ours, to=theirs.org, body=child(world, theirs)), ours)
    assert error.code == "does_not_take_children"


def test_what_the_two_countries_ask_for_refuses_until_somebody_has_seen_to_it(
    world: World, ours: Desk, theirs: Desk
) -> None:
    world.list_service(theirs, "girls")
    request = child(world, theirs)
    error = refused(lambda: send_referral(ours, to=theirs.org, body=request), ours)
    assert error.code == "corridor_unmet"
    assert "child_competent_receiver" in str(error)
    wrong = ("route_open", "no_such_code")
    refused(lambda: send_referral(ours, to=theirs.org, body=request, confirmed=wrong), ours)
    seen_to = ("child_competent_receiver",)
    send_referral(ours, to=theirs.org, body=request, confirmed=seen_to)
    world.settle(ours, theirs)
    assert only_case(theirs).ref == only_case(ours).ref


@pytest.mark.parametrize(
    "text",
    ["Seseorang will ring.", "she is PLACEHOLDER", "say the blue umbrella", "paper demo0000000"],
)
def test_a_note_that_repeats_the_identity_draft_refuses(
    world: World, ours: Desk, theirs: Desk, text: str
) -> None:
    draft = read_typed("identity.released", example_body("identity.released"))
    assert isinstance(draft, IdentityReleased)
    request = world.request(theirs, text)
    error = refused(lambda: send_referral(ours, to=theirs.org, body=request, identity=draft), ours)
    assert error.code in ("text_repeats_identity", "text_has_number")
    assert text not in str(error)


def test_a_note_that_repeats_nothing_goes(world: World, ours: Desk, theirs: Desk) -> None:
    draft = read_typed("identity.released", example_body("identity.released"))
    assert isinstance(draft, IdentityReleased)
    request = world.request(theirs, "needs a ground floor, sleeps badly")
    assert send_referral(ours, to=theirs.org, body=request, identity=draft).case is not None


def test_a_device_that_reads_an_older_version_only_is_not_written_to(
    world: World, ours: Desk, theirs: Desk
) -> None:
    referred(world, ours, theirs)
    world.second_desk(theirs, reads=("case-referral/0.1", "receipt/1.0"))
    ours.log.sync()
    before = cases(ours)
    acts: list[Callable[[], object]] = [
        lambda: send_referral(ours, to=theirs.org, body=world.request(theirs)),
        lambda: say(ours, only_case(ours), "referral.cancelled", body("referral.cancelled")),
        lambda: write(
            ours, to=theirs.org, message_type="capacity.query", body=body("capacity.query")
        ),
    ]
    for act in acts:
        with pytest.raises(DeskError) as caught:
            act()
        assert caught.value.code == "version_unsupported"
        assert theirs.org in str(caught.value)
    assert cases(ours) == before
    # A warning goes all the same: their other desk can read it.
    say(ours, only_case(ours), "contact.safety_alert", body("contact.safety_alert"))
    world.settle(ours, theirs)
    assert "contact.safety_alert" in {entry.type for entry in entries(theirs)}
