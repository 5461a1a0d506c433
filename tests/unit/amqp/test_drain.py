"""Why a message is dead, and whether anybody may be told."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.amqp import Death, Delivery
from broker.hub.drain import box_of, is_from, reason_of
from broker.hub.letters import letter_of
from broker.hub.store import Box
from contracts.identifiers import KeyId, OrgId
from tests.unit.amqp.fakes import DEVICE, NOW, ORG, USER


def dead(reason: str, queue: str) -> Delivery:
    return Delivery(tag=1, body=b"x", user="", attempts=0, death=Death(reason, queue))


@pytest.mark.parametrize("reason", ["rejected", "expired", "maxlen", "delivery_limit"])
def test_the_broker_s_reason_is_kept(reason: str) -> None:
    assert reason_of(dead(reason, "box.mailbox"), "relay.dead") == reason


def test_a_reason_that_is_none_of_the_broker_s_is_not_repeated() -> None:
    assert reason_of(dead("Siti Rahmah", "box.mailbox"), "relay.dead") == "set_aside"


def test_what_found_no_queue_is_unroutable_whatever_its_headers_say() -> None:
    assert reason_of(dead("expired", "box.mailbox"), "relay.undeliverable") == "unroutable"


def test_only_the_authenticated_device_is_the_sender() -> None:
    assert is_from(USER, Box(ORG, DEVICE))
    assert not is_from(USER, Box(OrgId("my-ffffffffffffffff"), DEVICE))
    assert not is_from(USER, Box(ORG, KeyId("c" * 32)))
    assert not is_from("", Box(ORG, DEVICE))
    assert not is_from("guest", Box(ORG, DEVICE))


@given(body=st.binary(max_size=200))
def test_of_unreadable_bytes_only_size_and_hash_are_kept(body: bytes) -> None:
    letter = letter_of(b"CANARY" + body, reason="malformed", now=NOW)
    assert letter.eid == hashlib.sha256(b"CANARY" + body).hexdigest()
    assert (letter.sender, letter.mid, letter.to) == ("", "", "")
    assert letter.size == len(body) + 6
    assert "CANARY" not in repr(letter)


@pytest.mark.parametrize(
    ("queue", "key", "died_in", "token"),
    [
        ("relay.undeliverable", "ab12", "", "ab12"),
        ("relay.undeliverable", "mailbox", "", None),
        ("relay.undeliverable", "", "", None),
        ("relay.undeliverable", "mailbox", "box.ab12", None),
        ("relay.dead", "mailbox", "box.ab12", "ab12"),
        ("relay.dead", "ab12", "box.mailbox", None),
        ("relay.dead", "ab12", "relay.in", None),
        ("relay.dead", "ab12", "", None),
    ],
)
def test_one_device_s_copy_is_known_by_where_it_was_or_was_meant_for(
    queue: str, key: str, died_in: str, token: str | None
) -> None:
    death = Death("expired", died_in) if died_in else None
    one = Delivery(tag=1, body=b"x", user="", attempts=0, death=death, key=key)
    assert box_of(one, queue) == token
