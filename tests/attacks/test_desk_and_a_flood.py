"""An organisation of the network that speaks, at length, of cases that never begin."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.desk import inbox
from broker.desk.receiving import take
from contracts.envelope import parse_envelope
from contracts.examples import example_body
from contracts.identifiers import EventId, Ref
from tests.unit.desk.simulated import World, cases, entries
from tests.unit.desk.test_receiving import rejected, sealed


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
    monkeypatch.setattr(inbox, "check_author", lambda *_: None)  # whichever events a side may say
    body = dict(example_body("referral.acknowledged"))
    request = sealed(peer, ours, "referral.requested", world.request(ours), event=EventId("e" * 32))
    letters = [
        sealed(peer, ours, "referral.acknowledged", dict(body), event=EventId(f"{number:032x}"))
        for number in range(20)
    ]
    for letter in [*letters, request] if early else [request, *letters]:
        take(ours, letter.body)
    assert len(entries(ours)) <= 6
