"""The OpenAPI document alone: valid, complete, and its schemas accept what the code accepts.

That the hub's answers are those it describes is tested beside the hub.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator

from contracts import envelope, login, messages, notice
from contracts.encoding import b64decode, b64encode, dump_json
from contracts.envelope import MAX_LIFETIME, parse_header
from contracts.errors import ContractError, Malformed
from contracts.identifiers import KeyId
from contracts.schema import schema_document, schema_names
from contracts.signing import Label, SigningKey, render_signed
from tests.unit.contracts.documents import CONTRACTS, OPENAPI, document, escaped, faults, nodes

ACCEPTED: Final = CONTRACTS / "vectors" / "accept"
SCHEMAS: Final = "#/components/schemas"
KEY: Final = SigningKey.from_seed(bytes(32))


def vector(name: str) -> bytes:
    """The bytes that an accepted vector carries."""
    return (ACCEPTED / f"{name}.txt").read_bytes().split(b"\n\n", 1)[1]


def carried(name: str, member: str) -> dict[str, Any]:
    """The JSON object in a Base64 member of a vector's body."""
    text = json.loads(vector(name))[member]
    found: dict[str, Any] = json.loads(b64decode(text, field=member))
    return found


def test_it_is_valid_openapi_3_1() -> None:
    assert document(OPENAPI)["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(document(OPENAPI)).iter_errors()) == []


def test_no_component_stands_unused() -> None:
    text = json.dumps(document(OPENAPI))
    for kind in ("schemas", "responses", "headers"):
        for name in document(OPENAPI)["components"][kind]:
            assert f'"#/components/{kind}/{name}"' in text, name


def test_every_address_says_what_it_is_for_and_who_may_ask() -> None:
    for path in document(OPENAPI)["paths"].values():
        for operation in path.values():
            assert operation["summary"]
            assert operation["description"]
            assert operation["security"] in ([], [{"token": []}])


def test_every_example_is_valid() -> None:
    seen = 0
    for path, methods in document(OPENAPI)["paths"].items():
        for method, operation in methods.items():
            place = f"#/paths/{escaped(path)}/{method}"
            answers = {f"responses/{status}": one for status, one in operation["responses"].items()}
            contents = answers | {"requestBody": operation.get("requestBody", {})}
            for part, content in contents.items():
                for media, one in content.get("content", {}).items():
                    if "example" not in one:
                        continue
                    pointer = f"{place}/{part}/content/{escaped(media)}/schema"
                    assert faults(OPENAPI, pointer, one["example"]) == [], (path, part)
                    seen += 1
    assert seen >= 12


def test_signed_examples_are_the_vectors_that_anybody_can_verify() -> None:
    paths = document(OPENAPI)["paths"]
    submit, asked = paths["/v1/envelopes"]["post"], paths["/v1/notices/{mid}"]["get"]
    proof = paths["/v1/login"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert proof == json.loads(vector("login-plain"))
    for operation, status, name in (
        (submit, "202", "notice-accepted"),
        (asked, "200", "notice-refused"),
    ):
        example = operation["responses"][status]["content"][notice.MEDIA_TYPE]["example"]
        assert example == json.loads(vector(name))


def test_the_schemas_take_every_vector_that_a_reader_takes() -> None:
    kinds = {"open": "Envelope", "hub": "Envelope", "login": "LoginProof", "notice": "Notice"}
    seen = set()
    for path in sorted(ACCEPTED.glob("*.txt")):
        facts, _, body = path.read_bytes().partition(b"\n\n")
        check = dict(line.split(": ", 1) for line in facts.decode().splitlines())["check"]
        if check in kinds:
            seen.add(check)
            assert faults(OPENAPI, f"{SCHEMAS}/{kinds[check]}", json.loads(body)) == [], path
            within = "EnvelopeHeader" if "h" in json.loads(body) else f"{kinds[check]}Body"
            member = carried(path.stem, "h" if within == "EnvelopeHeader" else "b")
            assert faults(OPENAPI, f"{SCHEMAS}/{within}", member) == [], path
    assert seen == set(kinds)


# -- The schemas and the readers say the same to what is nearly right -----------------------------

A, B = "a" * 32, "b" * 32
EMPTY_LOG: Final = carried("hub-plain", "h")["dir"]
STRANGE: Final[list[Any]] = [
    *("", "x", "msg", "rcpt", "accepted", "refused", "undeliverable", "no_route", "No", "_x"),
    *(A, A.upper(), A[1:], A + "0", A + "\n", A * 2, A * 2 + "a"),
    *("my-0123456789abcdef", "my-0123456789abcdeF", "MY-0123456789abcdef", "my0123456789abcdef"),
    *("case-referral/1", "x/0", "x/9999", "x/01", "x/10000", "x/1.0", "x-/1", "x--y/1", "X/1"),
    *("a" * 64, "a" * 65, b64encode(bytes(32)), b64encode(bytes(31)), "A" * 42 + "B="),
    *(0, 1, 2, -1, 2**53 - 1, 2**53, True, False, None),
    *([], [A], [A, B], [A, A], [A, 1], [A, "x"], [f"{number:032x}" for number in range(64)]),
    [f"{number:032x}" for number in range(65)],
    *({}, EMPTY_LOG, EMPTY_LOG | {"x": 1}, EMPTY_LOG | {"size": -1}, EMPTY_LOG | {"sig": ""}),
    {"size": 0, "root": EMPTY_LOG["root"]},
]


def nearly(good: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """`good`, and with every member left out, and with every member given every strange value."""
    yield good
    for name in [*good, *({"re", "code", "other"} - set(good))]:
        yield {other: value for other, value in good.items() if other != name}
        for value in STRANGE:
            yield good | {name: value}


def takes(read: Callable[[], object]) -> bool:
    """Whether the reader finds no fault of form; a refusal for another reason is none."""
    try:
        read()
    except Malformed:
        return False
    except ContractError:
        return True
    return True


def judged(schema: str, good: dict[str, Any], read: Callable[[bytes], object]) -> set[str]:
    """On which of the values near `good` reader and schema differ, and that neither takes all."""
    verdicts = [
        (value, faults(OPENAPI, f"{SCHEMAS}/{schema}", value) == [], takes(partial(read, data)))
        for value in nearly(good)
        for data in [dump_json(value)]
    ]
    assert verdicts[0][1:] == (True, True)
    assert sum(not valid for _, valid, _ in verdicts) > 100
    return {json.dumps(value) for value, valid, taken in verdicts if valid != taken}


@pytest.mark.parametrize("name", ["hub-plain", "open-receipt"])
def test_a_header_is_valid_where_the_hub_reads_it(name: str) -> None:
    differ = [json.loads(one) for one in judged("EnvelopeHeader", carried(name, "h"), parse_header)]
    # What a schema cannot say, its description does.
    assert [one for one in differ if 0 < one["exp"] - one["iat"] <= MAX_LIFETIME] == []
    assert differ != []


@pytest.mark.parametrize("name", ["notice-accepted", "notice-refused"])
def test_a_notice_is_valid_where_a_desk_reads_it(name: str) -> None:
    def read(body: bytes) -> None:
        signed = render_signed(body, KEY.sign(Label.ACCEPTANCE, body))
        notice.read_notice(signed, hub_key=KEY.public)

    assert judged("NoticeBody", carried(name, "b"), read) == set()


def test_a_login_proof_is_valid_where_the_hub_reads_it() -> None:
    def read(body: bytes) -> None:
        signed = render_signed(body, KEY.sign(Label.LOGIN, body))
        server, nonce = KeyId(A), bytes(32)
        login.read_login(signed, server=server, nonce=nonce, now=0, lookup=lambda *_: KEY.public)

    assert judged("LoginProofBody", carried("login-plain", "b"), read) == set()


SIZES: Final = {"Nonce": 32, "Signature": 64}


@st.composite
def nearly_base64(draw: st.DrawFn) -> str:
    """Base64 of about the right length, perhaps with one other character somewhere."""
    size = draw(st.sampled_from(sorted(SIZES.values()))) + draw(st.sampled_from([0, 0, 0, -1, 1]))
    text = b64encode(draw(st.binary(min_size=size, max_size=size)))
    if draw(st.booleans()):
        # The last letters carry the bits that the padding leaves over.
        at = draw(st.sampled_from([0, 1, len(text) - 3, len(text) - 2, len(text) - 1]))
        text = text[:at] + draw(st.sampled_from("AQgwBZz09+/=-_ \n")) + text[at + 1 :]
    return text


@settings(max_examples=300)
@given(text=nearly_base64(), name=st.sampled_from(sorted(SIZES)))
def test_base64_is_valid_where_the_strict_decoder_takes_it(text: str, name: str) -> None:
    read = takes(lambda: b64decode(text, field="nonce", size=SIZES[name]))
    assert (faults(OPENAPI, f"{SCHEMAS}/{name}", text) == []) == read


# -- What is inside, and the numbers --------------------------------------------------------------


def test_every_message_type_and_its_schema_are_named() -> None:
    inside = document(OPENAPI)["x-rujukan-inside"]
    assert set(inside) == messages.CONTRACTS
    assert set(inside[messages.CONTRACT]["messages"]) == set(messages.BODIES)
    assert inside[messages.CONTRACT]["version"] == messages.VERSION
    for contract, one in inside.items():
        for name, place in one["messages"].items():
            assert place["file"] == f"schemas/{contract}/{name}.json"
            assert (CONTRACTS / place["file"]).exists()
            assert f"{contract}/{name}" in schema_names()
            assert place["id"] == schema_document(f"{contract}/{name}")["$id"]


def test_the_sizes_in_the_schemas_are_the_code_s() -> None:
    schemas = document(OPENAPI)["components"]["schemas"]
    body = schemas["Envelope"]["properties"]
    assert body["env"]["const"] == envelope.VERSION
    assert body["w"]["maxItems"] == envelope.MAX_WRAPS
    assert body["c"]["maxLength"] == -(-envelope.MAX_CIPHERTEXT // 3) * 4
    assert body["h"]["maxLength"] == -(-envelope.MAX_HEADER // 3) * 4
    assert schemas["Notice"]["properties"]["b"]["maxLength"] == notice.MAX_NOTICE
    assert schemas["LoginProof"]["properties"]["b"]["maxLength"] == login.MAX_LOGIN


def test_no_pattern_means_different_things_to_different_libraries() -> None:
    for node in nodes(document(OPENAPI)):
        pattern = node.get("pattern")
        if isinstance(pattern, str):
            assert pattern.startswith("^")
            assert pattern.endswith("$")
            assert not re.search(r"\\[dwsb]|\(\?", pattern), pattern
