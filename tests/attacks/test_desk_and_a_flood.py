"""An organisation of the network that speaks, at length, of cases that never begin."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.desk import inbox
from broker.desk.receiving import take
from broker.desk.records import Entry
from contracts.envelope import parse_envelope
from contracts.examples import example_body
from contracts.identifiers import EventId, Ref
from contracts.lifecycle import State
from tests.unit.desk.simulated import World, cases, entries, only_case
from tests.unit.desk.test_receiving import EVENT, rejected, sealed


def test_messages_of_no_case_do_not_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)
    ours, flooder, honest = (world.organisation(country) for country in ("bd", "my", "my"))
    ours.log.sync()
    monkeypatch.setattr(inbox, "MOST_WAITING", 8_000)
    monkeypatch.setattr(inbox, "SHARE_WAITING", 4_000)
    body = example_body("referral.acknowledged")
    for number in range(60):
        early = sealed(
            flooder, ours, "referral.acknowledged", dict(body),
            ref=Ref(f"{number:032x}"), event=EventId(f"{number:032x}"),
        )  # fmt: skip
        take(ours, early.body)
    with ours.store.reading() as rows:
        assert rows.early_bytes() < 16_000
    refused = len(rejected(ours))
    assert refused > 0
    late = sealed(honest, ours, "referral.acknowledged", dict(body))
    assert parse_envelope(late.body).header.to == ours.org
    take(ours, late.body)
    assert len(rejected(ours)) == refused  # whoever does not flood is still heard
    assert not cases(ours)


@pytest.mark.parametrize("early", [True, False], ids=["before the request", "after it"])
def test_a_case_does_not_grow_until_the_desk_stands_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, early: bool
) -> None:
    world = World(tmp_path)
    ours, peer = world.organisation("bd"), world.organisation("my")
    ours.log.sync()
    monkeypatch.setattr(inbox, "MOST_EVENTS", 5)
    body = dict(example_body("referral.acknowledged"))
    request = sealed(peer, ours, "referral.requested", world.request(ours), event=EventId("e" * 32))
    letters = [
        sealed(peer, ours, "referral.acknowledged", dict(body), event=EventId(f"{number:032x}"))
        for number in range(20)
    ]
    for letter in [*letters, request] if early else [request, *letters]:
        take(ours, letter.body)
    said = [entry for entry in entries(ours) if not entry.own]
    assert len(said) <= 6
    assert len(entries(ours)) <= 12  # with one problem for each that has no effect


def flooded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, early: bool, then: list[str]
) -> list[Entry]:
    """What a desk holds of a case after twenty events of its peer and then these."""
    world = World(tmp_path)
    ours, peer = world.organisation("bd"), world.organisation("my")
    ours.log.sync()
    monkeypatch.setattr(inbox, "MOST_EVENTS", 5)
    monkeypatch.setattr(inbox, "MOST_OF_ALL", 15)
    said = ["referral.acknowledged"] * 20 + then
    letters = [
        sealed(peer, ours, kind, dict(example_body(kind)), event=EventId(f"{number:032x}"))
        for number, kind in enumerate(said)
    ]
    request = sealed(peer, ours, "referral.requested", world.request(ours), event=EventId("e" * 32))
    for letter in [*letters, request] if early else [request, *letters]:
        take(ours, letter.body)
    if "consent.withdrawn" in then:
        assert only_case(ours).state is State.WITHDRAWN
    return [entry for entry in entries(ours) if not entry.own]


@pytest.mark.parametrize("early", [True, False], ids=["before the request", "after it"])
def test_a_flood_leaves_room_for_what_must_arrive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, early: bool
) -> None:
    must = ["contact.safety_alert", "erasure.requested", "consent.withdrawn"]
    held = flooded(tmp_path, monkeypatch, early=early, then=must)
    assert set(must) <= {entry.type for entry in held}


def test_what_must_arrive_is_no_way_around_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = flooded(tmp_path, monkeypatch, early=False, then=["consent.withdrawn"] * 40)
    assert len(held) <= 15


def test_a_peers_flood_does_not_crowd_out_what_a_colleague_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)
    ours, peer = world.organisation("bd"), world.organisation("my")
    colleague = world.second_desk(ours)
    for desk in (ours, peer, colleague):
        desk.log.sync()
    monkeypatch.setattr(inbox, "MOST_EVENTS", 5)
    body = dict(example_body("referral.acknowledged"))
    for number in range(20):
        letter = sealed(peer, ours, "referral.acknowledged", body, event=EventId(f"{number:032x}"))
        take(colleague, letter.body)
    take(colleague, sealed(ours, peer, "referral.acknowledged", body).body)
    request = sealed(peer, ours, "referral.requested", world.request(ours), event=EventId("d" * 32))
    take(colleague, request.body)
    assert [entry.type for entry in entries(colleague) if entry.own and entry.id == EVENT]
