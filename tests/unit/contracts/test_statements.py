"""The form of statements: what is read comes back as it was written, and nothing else is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.contents import (
    MAX_DEVICE_WINDOW,
    DeviceContent,
    KeysContent,
    OrgContent,
    read_content,
)
from contracts.encoding import b64encode
from contracts.errors import BadSignature, ContractError, Malformed, Refused
from contracts.signing import Label, verify
from contracts.statements import MAX_BODY, Statement, check_order, parse_statement, signed_statement
from contracts.times import WEEK, monday
from tests.unit.contracts.authors import MALAYSIA, NOW, Author, public_key, signing_key, weeks

Change = Callable[[dict[str, Any]], object]


def _changed(statement: Statement, change: Change) -> Statement:
    """The same statement with its body changed; its signatures no longer matter here."""
    body = json.loads(statement.body)
    change(body)
    return Statement(json.dumps(body).encode(), statement.signatures)


def _org() -> Statement:
    return Author().enrol()


def _device() -> Statement:
    author = Author()
    author.enrol()
    return author.certify()


def _keys() -> Statement:
    return Author().admission()[2]


def test_a_statement_says_what_its_author_wrote() -> None:
    org, device, keys = (read_content(statement) for statement in Author().admission())
    assert isinstance(org, OrgContent)
    assert (org.country, org.kind, org.root) == ("my", "ngo", Author().root.public)
    assert isinstance(device, DeviceContent)
    assert (device.sign, device.naf - device.nbf) == (
        Author().device_key().public,
        MAX_DEVICE_WINDOW,
    )
    assert isinstance(keys, KeysContent)
    assert keys.keys == weeks(f"first {MALAYSIA}")
    assert [content.heading.seq for content in (org, device, keys)] == [1, 2, 3]


def test_each_statement_names_the_hash_of_the_one_before() -> None:
    org, device, keys = Author().admission()
    assert read_content(org).heading.prev == "0" * 64
    assert read_content(device).heading.prev == org.hash
    assert read_content(keys).heading.prev == device.hash


@pytest.mark.parametrize("make", [_org, _device, _keys])
def test_a_carried_statement_comes_back_to_the_byte(make: Callable[[], Statement]) -> None:
    statement = make()
    assert parse_statement(statement.render()) == statement


def test_signatures_stand_under_the_statement_label_alone() -> None:
    statement = _org()
    root, value = Author().root.public, statement.signatures[0].value
    verify(root, value, Label.STATEMENT, statement.body)
    with pytest.raises(BadSignature):
        verify(root, value, Label.ENVELOPE, statement.body)


ORG_FAULTS: dict[str, tuple[Change, str, str]] = {
    "an extra member": (lambda b: b.update(name="x"), "unknown_member", ""),
    "no root": (lambda b: b.pop("root"), "missing_member", "root"),
    "a later version": (lambda b: b.update(v=2), "unknown_version", "v"),
    "seq from 0": (lambda b: b.update(seq=0), "bad_number", "seq"),
    "seq as text": (lambda b: b.update(seq="1"), "wrong_type", "seq"),
    "a short prev": (lambda b: b.update(prev="0" * 63), "bad_hash", "prev"),
    "prev in capitals": (lambda b: b.update(prev="A" * 64), "bad_hash", "prev"),
    "an id made of a name": (lambda b: b.update(org="my-safehouse"), "bad_identifier", "org"),
    "another country": (lambda b: b.update(country="bd"), "wrong_country", "country"),
    "a new kind": (lambda b: b.update(kind="embassy"), "unknown_kind", "kind"),
    "a short root": (lambda b: b.update(root="QQ=="), "wrong_length", "root"),
    "one recovery key": (
        lambda b: b.update(recovery=[b64encode(b"a" * 32)]),
        "wrong_count",
        "recovery",
    ),
    "the same recovery key twice": (
        lambda b: b.update(recovery=[b64encode(b"a" * 32)] * 2),
        "key_repeated",
        "recovery",
    ),
    "root as recovery key": (
        lambda b: b.update(recovery=[b["root"], b64encode(b"a" * 32)]),
        "key_repeated",
        "recovery",
    ),
}
DEVICE_FAULTS: dict[str, tuple[Change, str, str]] = {
    "longer than twelve months": (lambda b: b.update(naf=b["naf"] + 1), "bad_window", "naf"),
    "an empty window": (lambda b: b.update(naf=b["nbf"]), "bad_window", "naf"),
    "a new role": (lambda b: b.update(role="owner"), "unknown_role", "role"),
}
KEYS_FAULTS: dict[str, tuple[Change, str, str]] = {
    "no key": (lambda b: b.update(keys=[]), "wrong_count", "keys"),
    "fourteen weeks": (lambda b: b.update(keys=b["keys"][:1] * 14), "wrong_count", "keys"),
    "one key for two weeks": (
        lambda b: b["keys"][1].update(pk=b["keys"][0]["pk"]),
        "key_repeated",
        "keys",
    ),
    "weeks backwards": (lambda b: b["keys"].reverse(), "weeks_not_in_order", "keys"),
    "a week that begins on Tuesday": (
        lambda b: b["keys"][0].update(
            nbf=b["keys"][0]["nbf"] + 86_400, naf=b["keys"][0]["naf"] + 86_400
        ),
        "not_a_key_week",
        "nbf",
    ),
    "a week of a fortnight": (
        lambda b: b["keys"][1].update(naf=b["keys"][1]["naf"] + WEEK),
        "not_a_key_week",
        "nbf",
    ),
    "a point of small order": (
        lambda b: b["keys"][0].update(pk=b64encode(bytes(32))),
        "weak_key",
        "pk",
    ),
    "a second spelling of a key": (
        lambda b: b["keys"][0].update(pk=b64encode(b"\xff" * 32)),
        "weak_key",
        "pk",
    ),
    "no suite": (lambda b: b.update(suites=[]), "bad_suites", "suites"),
    "suite true": (lambda b: b.update(suites=[True]), "wrong_type", "suites"),
    "suites without the first": (lambda b: b.update(suites=[2]), "bad_suites", "suites"),
    "a contract without minor": (
        lambda b: b.update(reads=["case-referral/0"]),
        "bad_contract",
        "reads",
    ),
    "contracts out of order": (
        lambda b: b.update(reads=["b/1.0", "a/1.0"]),
        "not_in_order",
        "reads",
    ),
}
FAULTS = [
    pytest.param(make, *fault, id=name)
    for make, faults in ((_org, ORG_FAULTS), (_device, DEVICE_FAULTS), (_keys, KEYS_FAULTS))
    for name, fault in faults.items()
]


@pytest.mark.parametrize(("make", "change", "code", "field"), FAULTS)
def test_a_statement_with_one_fault_is_not_read(
    make: Callable[[], Statement], change: Change, code: str, field: str
) -> None:
    read_content(make())
    with pytest.raises(Malformed) as caught:
        read_content(_changed(make(), change))
    assert (caught.value.code, caught.value.field) == (code, field)


def test_a_kind_of_statement_these_rules_do_not_know_is_refused_by_name() -> None:
    with pytest.raises(Refused) as caught:
        read_content(_changed(_org(), lambda body: body.update(typ="rumour")))
    assert (caught.value.code, caught.value.field) == ("unknown_type", "typ")


def test_a_name_standing_twice_in_the_body_is_not_read() -> None:
    twice = _org().body.replace(b'{"v":1,', b'{"v":1,"v":1,')
    with pytest.raises(Malformed, match="duplicate name"):
        read_content(Statement(twice, ()))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda c: c.update(note="x"), "unknown_member"),
        (lambda c: c["sigs"][0].update(note="x"), "unknown_member"),
        (lambda c: c["sigs"].append(c["sigs"][0]), "signatures_not_in_order"),
        (lambda c: c["sigs"].reverse(), "signatures_not_in_order"),
        (lambda c: c.update(sigs=c["sigs"] * 9), "too_many_signatures"),
        (lambda c: c["sigs"][0].update(k="A" * 32), "bad_identifier"),
        (lambda c: c["sigs"][0].update(s="QQ=="), "wrong_length"),
        (lambda c: c.update(b="QR=="), "not_base64"),
        (lambda c: c.update(b=""), "empty"),
        (lambda c: c.update(b=b64encode(b"x" * (MAX_BODY + 1))), "too_large"),
    ],
)
def test_a_carried_form_with_one_fault_is_not_read(change: Change, code: str) -> None:
    carried = json.loads(_device().render())
    change(carried)
    with pytest.raises(Malformed) as caught:
        parse_statement(json.dumps(carried).encode())
    assert caught.value.code == code


def test_signatures_are_put_in_order_whoever_signs_first() -> None:
    keys = [signing_key(name) for name in ("one", "two", "three")]
    forwards, backwards = signed_statement({"v": 1}, *keys), signed_statement({"v": 1}, *keys[::-1])
    assert forwards == backwards
    assert check_order(forwards.signatures) == forwards.signatures


def test_one_key_cannot_sign_twice() -> None:
    key = signing_key("one")
    once = signed_statement({"v": 1}, key)
    assert signed_statement({"v": 1}, key, key) == once
    with pytest.raises(Malformed):
        check_order(once.signatures * 2)


@given(st.integers(min_value=0, max_value=2**40))
def test_a_key_week_runs_from_monday_to_monday(at: int) -> None:
    begins = monday(at)
    assert begins <= at < begins + WEEK or at < 4 * 86_400
    assert monday(begins) == begins
    assert (begins - 1_763_337_600) % WEEK == 0  # Monday 2025-11-17, 00:00 UTC


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_fail_otherwise_than_by_its_own_error(data: bytes) -> None:
    for read in (parse_statement, lambda body: read_content(Statement(body, ()))):
        with pytest.raises(ContractError):
            read(data)


@given(st.data())
def test_a_changed_byte_is_another_statement(data: st.DataObject) -> None:
    statement = _keys()
    index = data.draw(st.integers(0, len(statement.body) - 1))
    flipped = bytearray(statement.body)
    flipped[index] ^= 1 << data.draw(st.integers(0, 7))
    changed = Statement(bytes(flipped), statement.signatures)
    assert changed.hash != statement.hash
    public, value = Author().device_key().public, statement.signatures[0].value
    with pytest.raises(BadSignature):
        verify(public, value, Label.STATEMENT, changed.body)


def test_a_published_key_is_one_that_can_be_sealed_to() -> None:
    assert len({key.public for key in weeks("any", 13)}) == 13
    assert all(len(public_key(str(number))) == 32 for number in range(5))
    assert all(key.nbf <= NOW + 13 * WEEK for key in weeks("any", 13))
