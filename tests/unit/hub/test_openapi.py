"""The OpenAPI document and the hub say the same: every address, every status, every code.

Each answer that the document names is brought about here and judged by the document's own schema;
each code in the hub's tables stands in the document. So neither can change without the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from typing import Any, Final

import pytest
from werkzeug.test import TestResponse

from broker.hub import gateway, keeping, mailbox, queue_users, refusals, sessions, sweeper
from broker.hub.app import app_of
from broker.hub.settings import HubSettings
from broker.service import problems
from contracts import envelope, login, notice
from contracts.encoding import b64decode, b64encode
from tests.unit.contracts.documents import OPENAPI, document, escaped, faults, resolved
from tests.unit.hub.acts import (
    ACTS,
    GOOD,
    LEASE,
    LOGIN,
    NONCE,
    OPERATIONS,
    QUEUE,
    SETTLE,
    SIZES,
    SUBMIT,
    Named,
    Stage,
    sealed,
)
from tests.unit.hub.hubs import knock


def codes_of(answer: dict[str, Any]) -> list[str]:
    """The problem codes of one described answer; one empty code where it is none."""
    content = resolved(OPENAPI, answer)["content"].get(problems.MEDIA_TYPE)
    if content is None:
        return [""]
    [_, particular] = content["schema"]["allOf"]
    found: list[str] = particular["properties"]["code"]["enum"]
    return found


DESCRIBED: Final[frozenset[Named]] = frozenset(
    (name, int(status), code)
    for name, (_, _, operation) in OPERATIONS.items()
    for status, answer in operation["responses"].items()
    for code in codes_of(answer)
)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = Stage(tmp_path_factory.mktemp("hubs"))
    yield made
    for hub in made.hubs:
        hub.engine.dispose()


# -- The comparison -------------------------------------------------------------------------------


def test_the_document_names_the_hub_s_addresses_and_no_other(stage: Stage) -> None:
    rules = app_of(stage.hub()).url_map.iter_rules()
    served = {
        (method, rule.rule.replace("<", "{").replace(">", "}"))
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert served == {(method, path) for method, path, _ in OPERATIONS.values()}


def test_every_described_answer_can_be_brought_about() -> None:
    assert set(ACTS) == DESCRIBED


@pytest.mark.parametrize("named", sorted(DESCRIBED), ids=lambda it: "-".join(map(str, it)))
def test_an_answer_is_as_described(named: Named, stage: Stage) -> None:
    operation, status, code = named
    answer = ACTS[named](stage)
    assert answer.status_code == status, answer.text
    if code:
        assert answer.get_json(force=True)["code"] == code
    assert_described(answer, operation)


def assert_described(answer: TestResponse, operation: str) -> None:
    """Media type, body and headers are those that the document gives for this status."""
    method, path, described = OPERATIONS[operation]
    one = described["responses"][str(answer.status_code)]
    there = resolved(OPENAPI, one)
    assert list(there["content"]) == [answer.content_type]
    place = f"{escaped(path)}/{method.lower()}/responses/{answer.status_code}"
    pointer = one.get("$ref", f"#/paths/{place}")
    schema = f"{pointer}/content/{escaped(answer.content_type)}/schema"
    value = json.loads(answer.data)
    assert faults(OPENAPI, schema, value) == []
    assert faults(OPENAPI, schema, {**value, "unheard_of": 1} if value else 1) != []
    for name in there.get("headers", {}):
        text = answer.headers[name]
        with suppress(ValueError):
            assert int(text) >= 1
            continue
        assert faults(OPENAPI, f"#/components/headers/{name}/schema", text) == []
    assert ("Retry-After" in answer.headers) == ("Retry-After" in there.get("headers", {}))


def test_every_code_in_the_hub_s_tables_is_described() -> None:
    submitted = {(status, code) for name, status, code in DESCRIBED if name == SUBMIT}
    refused = {(answer.status, code) for code, answer in refusals.REFUSED.items()}
    later = {(status, code) for status, code, _, _ in refusals._LATER.values()}
    assert refused | later <= submitted
    proofs = {code for name, status, code in DESCRIBED if (name, status) == (LOGIN, 401)}
    assert proofs == {*refusals.LOGIN, "bad_proof"}


def test_the_requests_of_a_desk_are_as_described(stage: Stage) -> None:
    desk = stage.shelter.desk
    requests = {
        NONCE: (b"{}", gateway.JSON),
        LOGIN: (desk.proof(bytes(32)), gateway.JSON),
        SUBMIT: (sealed(stage), envelope.MEDIA_TYPE),
        LEASE: GOOD[LEASE],
        SETTLE: GOOD[SETTLE],
        QUEUE: GOOD[QUEUE],
    }
    described = {name for name, (_, _, one) in OPERATIONS.items() if "requestBody" in one}
    assert described == set(requests)
    for name, (data, kind) in requests.items():
        _, path, operation = OPERATIONS[name]
        assert list(operation["requestBody"]["content"]) == [kind]
        assert operation["requestBody"]["x-rujukan-max-bytes"] == SIZES[name]
        pointer = f"#/paths/{escaped(path)}/post/requestBody/content/{escaped(kind)}/schema"
        assert faults(OPENAPI, pointer, json.loads(data)) == []


def test_what_a_desk_decodes_is_as_described(stage: Stage) -> None:
    body = sealed(stage)
    hub = stage.hub()
    accepted = json.loads(knock(hub, stage.shelter.desk).submit(body).data)
    item = knock(hub, stage.clinic.desk).lease()[-1]
    for name, text in (
        ("NoticeBody", accepted["b"]),
        ("Envelope", item["envelope"]),
        ("EnvelopeHeader", json.loads(body)["h"]),
        ("LoginProofBody", json.loads(stage.shelter.desk.proof(bytes(32)))["b"]),
    ):
        value = json.loads(b64decode(text, field="b"))
        assert faults(OPENAPI, f"#/components/schemas/{name}", value) == []
    assert item["envelope"] == b64encode(body)


def test_the_numbers_are_the_code_s() -> None:
    [a_minute] = [one.default for one in fields(HubSettings) if one.name == "requests_a_minute"]
    assert document(OPENAPI)["x-rujukan-limits"] == {
        "envelopes_a_minute_by_default": a_minute,
        "nonce_seconds": sessions.NONCE_SECONDS,
        "token_seconds": sessions.TOKEN_SECONDS,
        "tokens_a_device": sessions.SESSIONS_PER_DEVICE,
        "clock_skew_seconds": login.CLOCK_SKEW,
        "lease_seconds": mailbox.LEASE_SECONDS,
        "lease_attempts": mailbox.MAX_ATTEMPTS,
        "lease_items": mailbox.MAX_ITEMS,
        "lease_answer_bytes": mailbox.ANSWER_BYTES,
        "settle_leases": gateway.MAX_LEASES,
        "queue_user_seconds": queue_users.CREDENTIAL_SECONDS,
        "queue_idle_seconds": keeping.IDLE_SECONDS,
        "envelope_bytes": envelope.MAX_BODY,
        "envelope_header_bytes": envelope.MAX_HEADER,
        "envelope_message_bytes": envelope.MAX_MESSAGE,
        "envelope_wraps": envelope.MAX_WRAPS,
        "envelope_lifetime_seconds": envelope.MAX_LIFETIME,
        "notice_kept_seconds": sweeper.NOTICE_SECONDS,
        "acceptance_kept_after_exp_seconds": sweeper.TOMBSTONE_SECONDS,
    }
    assert envelope.CLOCK_SKEW == login.CLOCK_SKEW


def test_the_media_types_are_the_contract_s() -> None:
    schemas = document(OPENAPI)["components"]["schemas"]
    assert schemas["Envelope"]["x-rujukan-media-type"] == envelope.MEDIA_TYPE
    assert schemas["Notice"]["x-rujukan-media-type"] == notice.MEDIA_TYPE
