"""What reaches the broker and what is believed of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika.spec import Basic, BasicProperties

from broker import amqp

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=60)


def a_delivery(properties: BasicProperties, body: bytes = b"x") -> amqp.Delivery:
    return amqp.delivered(Basic.Deliver("c", 7, False, "submit", "k"), properties, body)


@given(user=NAMES, body=st.binary(max_size=50))
def test_no_body_is_shown_by_a_delivery_or_a_message(user: str, body: bytes) -> None:
    delivery = a_delivery(BasicProperties(user_id=user), b"CANARY" + body)
    message = amqp.Message(b"CANARY" + body, "eid")
    assert "CANARY" not in repr(delivery) + repr(message)


def test_a_message_carries_no_property_beside_ours() -> None:
    properties = amqp.properties_of(amqp.Message(b"x", "eid", 5000))
    given_away = {name: value for name, value in vars(properties).items() if value is not None}
    assert given_away == {"message_id": "eid", "delivery_mode": 2, "expiration": "5000"}


@pytest.mark.parametrize("header", [None, "x", [], ["x"], {}, [7]])
def test_a_foreign_x_death_header_is_no_death(header: Any) -> None:
    assert a_delivery(BasicProperties(headers={"x-death": header})).death is None


def test_only_the_newest_death_counts() -> None:
    deaths: Any = [
        {"reason": "expired", "queue": "box.mailbox"},
        {"reason": "x", "queue": "relay.in"},
    ]
    death = a_delivery(BasicProperties(headers={"x-death": deaths})).death
    assert death == amqp.Death("expired", "box.mailbox")


def test_a_count_of_attempts_that_is_no_number_counts_as_none() -> None:
    assert a_delivery(BasicProperties(headers={"x-delivery-count": "many"})).attempts == 0


@pytest.mark.parametrize(
    "url",
    [
        "amqps://u:p@queue.test/v?ssl_options={'verify':0}",
        "amqp://u:p@127.0.0.1/v?heartbeat=0",
        "http://127.0.0.1/v",
        "amqp:///v",
    ],
)
def test_a_url_that_could_switch_something_off_is_refused(url: str) -> None:
    with pytest.raises(amqp.QueueUnavailable) as refused:
        amqp.parameters(url, name="t")
    assert "u:p" not in str(refused.value)


def test_verification_is_on_for_every_host_but_a_literal_loopback() -> None:
    tls = amqp.parameters("amqps://u:p@queue.test/v", name="t").ssl_options
    assert tls is not None
    assert tls.context.check_hostname
    assert tls.server_hostname == "queue.test"


@pytest.mark.parametrize(
    ("url", "vhost"), [("amqp://h", "/"), ("amqp://h/", "/"), ("amqp://h/a%2Fb", "a/b")]
)
def test_the_vhost_is_the_path(url: str, vhost: str) -> None:
    assert amqp.virtual_host(url) == vhost


def test_an_alarm_ends_a_publishing_connection() -> None:
    parameters = amqp.parameters("amqp://u:p@127.0.0.1/v", name="t")
    assert parameters.blocked_connection_timeout == 3
    assert parameters.heartbeat == 30


def test_without_a_connection_a_publish_is_lost_at_once() -> None:
    outcomes: list[amqp.Outcome] = []
    publisher = amqp.Publisher(ready=lambda: None)
    publisher.publish("e", "k", amqp.Message(b"x", "eid"), outcomes.append)
    assert outcomes == [amqp.Outcome.LOST]
