"""The AsyncAPI document against what the hub declares, publishes and answers in RabbitMQ.

Its validity by AsyncAPI's own schema is an integration test: that schema comes from npm.
"""

from __future__ import annotations

import re
from typing import Any, Final

from broker import amqp
from broker.hub import drain, topology
from broker.hub.answers import BY_CODE, NO_USER, Poison, Refuse
from broker.hub.copies import message_for_queue
from broker.hub.intake import authenticated
from broker.hub.store import parse_box
from contracts import envelope
from tests.unit.contracts.documents import ASYNCAPI, OPENAPI, document, nodes, resolved

# Where the broker's own reasons and the sweeper's come to the sender.
SET_ASIDE: Final = {*drain.SET_ASIDE, drain.SET_ASIDE_OTHERWISE}
SWEPT: Final = {"expired", "no_device"}
UNPLACED: Final = {"expired", "keys_changed"}


def channels(kind: str) -> dict[str, dict[str, Any]]:
    """The described queues, or exchanges (`routingKey`), by the name that the broker knows."""
    part = {"queue": "queue", "routingKey": "exchange"}[kind]
    found = {}
    for one in document(ASYNCAPI)["channels"].values():
        binding = one["bindings"]["amqp"]
        if binding["is"] == kind:
            found[binding[part]["name"]] = one | {"declared": binding[part]}
    return found


def test_every_exchange_is_described_as_it_is_declared() -> None:
    described = channels("routingKey")
    assert set(described) == {one.name for one in topology.EXCHANGES}
    for one in topology.EXCHANGES:
        found = described[one.name]
        assert found["declared"] == {
            "name": one.name,
            "type": one.kind,
            "durable": True,
            "autoDelete": False,
        }
        assert found.get("x-rujukan-arguments", {}) == dict(one.arguments)


def test_every_queue_is_described_as_it_is_declared() -> None:
    described = channels("queue")
    declared = (*topology.QUEUES, topology.box_queue("{token}"))
    assert set(described) == {one.name for one in declared}
    for one in declared:
        found = described[one.name]
        assert found["address"] == one.name
        assert found["declared"]["durable"] is True
        assert found["x-rujukan-arguments"] == dict(one.arguments)


def test_bindings_policies_and_the_mark_are_those_declared() -> None:
    described = document(ASYNCAPI)
    assert described["x-rujukan-bindings"] == [
        {"exchange": one.exchange, "queue": one.queue, "key": one.key} for one in topology.BINDINGS
    ]
    assert described["x-rujukan-policies"] == [
        {"name": one.name, "pattern": one.pattern, "definition": dict(one.definition)}
        for one in topology.POLICIES
    ]
    mark, found = topology.network_mark("demo.example"), described["x-rujukan-mark"]
    assert found["name"].replace("{net}", "demo.example") == mark.name
    assert found["type"] == mark.kind


def test_keys_are_those_that_the_hub_publishes_with() -> None:
    described = document(ASYNCAPI)["channels"]
    assert described[topology.DELIVER]["address"] == topology.MAILBOX_KEY
    assert described[topology.SUBMIT]["address"] == "{from}"
    assert set(described[topology.SUBMIT]["parameters"]) == {"from"}


def test_a_partner_may_hand_in_and_fetch_its_own_and_nothing_else() -> None:
    described = document(ASYNCAPI)
    promised = {"channels": {topology.SUBMIT, "box"}, "operations": {"submit", "fetch"}}
    for part, expected in promised.items():
        audience = {name: one["x-rujukan-for"] for name, one in described[part].items()}
        assert {name for name, whom in audience.items() if whom == "partner"} == expected
        assert set(audience.values()) == {"partner", "hub"}


def test_the_rights_are_those_that_the_hub_gives() -> None:
    org, token = "my-0123456789abcdef", "0f" * 16
    described = document(ASYNCAPI)["x-rujukan-rights"]
    given = topology.device_rights(org, token)
    assert (given.configure, given.write) == (described["configure"], described["write"])
    assert given.read == described["read"].replace("{token}", token)
    topic = described["topic"]
    assert (topic["exchange"], topic["read"]) == (topology.SUBMIT, "^$")
    assert given.topic == topic["write"].replace("{from}", org)


def test_what_the_hub_publishes_has_the_described_properties() -> None:
    message = message_for_queue(b"{}", eid="ab" * 32, exp=100, now=40)
    published = amqp.properties_of(message)
    given = {name: value for name, value in vars(published).items() if value is not None}
    assert given == {"message_id": "ab" * 32, "delivery_mode": 2, "expiration": "60000"}
    described = document(ASYNCAPI)["components"]["messages"]["carried"]
    assert set(described["x-rujukan-properties"]) == set(given)
    carry = document(ASYNCAPI)["operations"]["carry"]["bindings"]["amqp"]
    assert carry["deliveryMode"] == published.delivery_mode


def test_a_partner_is_told_the_user_that_the_hub_accepts() -> None:
    submit = document(ASYNCAPI)["operations"]["submit"]["bindings"]["amqp"]
    values = {"{from}": "my-0123456789abcdef", "{sk}": "ab" * 16}
    user = re.sub(r"\{[a-z]+\}", lambda found: values[found[0]], submit["userId"])
    assert authenticated(user) == parse_box(user)
    assert (authenticated(user).org, authenticated(user).device) == tuple(values.values())
    submitted = document(ASYNCAPI)["components"]["messages"]["submitted"]
    assert "user_id" in submitted["x-rujukan-properties"]
    assert submitted["x-rujukan-max-bytes"] == envelope.MAX_BODY


def test_every_code_of_a_notice_is_named_in_both_documents() -> None:
    for name in (OPENAPI, ASYNCAPI):
        body = document(name)["components"]["schemas"]["NoticeBody"]
        named = body["properties"]["code"]["x-rujukan-codes"]
        refused = {code for code, answer in BY_CODE.items() if answer is Refuse}
        assert set(named["refused"]) == refused | SET_ASIDE
        assert set(named["undeliverable"]) == SET_ASIDE | SWEPT | UNPLACED | {drain.UNROUTABLE}


def test_what_leaves_no_notice_is_named() -> None:
    silent = {code for code, answer in BY_CODE.items() if answer is Poison}
    assert NO_USER in silent
    assert set(document(ASYNCAPI)["x-rujukan-set-aside"]) == silent


def test_both_documents_describe_the_same_envelope() -> None:
    mine = document(ASYNCAPI)["components"]["schemas"]
    theirs = document(OPENAPI)["components"]["schemas"]
    assert {"Envelope", "EnvelopeHeader", "Notice", "NoticeBody"} <= set(mine)
    assert mine == {name: theirs[name] for name in mine}
    assert document(ASYNCAPI)["x-rujukan-inside"] == document(OPENAPI)["x-rujukan-inside"]


def test_every_reference_leads_somewhere_within() -> None:
    for node in nodes(document(ASYNCAPI)):
        if "$ref" in node:
            assert resolved(ASYNCAPI, node)


def test_an_operation_takes_the_messages_of_its_own_channel() -> None:
    for name, operation in document(ASYNCAPI)["operations"].items():
        place = operation["channel"]["$ref"]
        for message in operation["messages"]:
            assert message["$ref"].startswith(f"{place}/messages/"), name
        kind = resolved(ASYNCAPI, operation["channel"])["bindings"]["amqp"]["is"]
        # What the hub receives stands in a queue; a partner publishes to an exchange.
        expected = "routingKey" if name in ("submit", "carry") else "queue"
        assert kind == expected, name


def test_the_media_type_is_the_envelope_s() -> None:
    described = document(ASYNCAPI)
    assert described["defaultContentType"] == envelope.MEDIA_TYPE
    for one in described["components"]["messages"].values():
        assert one["contentType"] == envelope.MEDIA_TYPE


def test_a_server_is_reached_with_tls_and_nothing_else() -> None:
    for server in document(ASYNCAPI)["servers"].values():
        assert server["protocol"] == "amqps"
        assert server["security"]
