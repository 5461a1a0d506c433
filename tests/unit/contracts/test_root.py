"""The root file: what this program must not follow it refuses, in a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from contracts.encoding import b64encode
from contracts.errors import BadSignature, ContractError, Malformed, Refused
from contracts.fingerprint import fingerprint
from contracts.root import (
    LOG_KEY,
    WITNESS_KEY,
    Hub,
    RootRefused,
    VerifierKey,
    Witness,
    make_root,
    next_root,
    parse_root,
    parse_vkey,
    read_root,
)
from contracts.statements import parse_statement, signed_statement
from tests.unit.contracts.authors import BANGLADESH, MALAYSIA, NET, signing_key
from tests.vouching import demo_root, listed

Change = Callable[[dict[str, Any]], object]
HUB = Hub.of(url="https://hub.example", key=signing_key("hub").public)
LOG = signing_key("log").public
COORDINATOR = signing_key("coordinator")


def _root(change: Change, *signers: str) -> bytes:
    made = parse_statement(demo_root(net=NET, hubs=[HUB], log=LOG))
    body = json.loads(made.body)
    change(body)
    return signed_statement(body, *(signing_key(name) for name in signers)).render()


def _with_coordinator(body: dict[str, Any]) -> None:
    key = b64encode(COORDINATOR.public)
    body["coordinators"] = [{"id": BANGLADESH, "country": "bd", "key": key}]


def _log_of(net: str) -> str:
    return VerifierKey(net, LOG_KEY, LOG).render()


def _witness(country: str, number: int) -> Witness:
    name = f"witness{number}.example"
    key = VerifierKey(name, WITNESS_KEY, signing_key(name).public)
    return Witness(country, f"https://{name}", key)


def _witnesses(count: int, *, country: str = "") -> list[dict[str, str]]:
    countries = ("bd", "cn", "id", "lk", "my", "pk", "th", "vn")
    made = [_witness(country or countries[number], number) for number in range(count)]
    return [{"country": one.country, "url": one.url, "key": one.key.render()} for one in made]


@pytest.mark.parametrize("k", [5, 8])
def test_a_network_guarded_by_more_than_half_of_its_witnesses_is_followed(k: int) -> None:
    net = "rujukan.example"
    root = parse_root(
        _root(lambda b: b.update(net=net, log=_log_of(net), witnesses=_witnesses(8), k=k))
    )
    assert (root.k, len(root.witnesses), root.demonstration) == (k, 8, False)


def test_a_later_root_file_must_follow_the_one_in_force() -> None:
    root = parse_root(demo_root(net=NET, hubs=[HUB], log=LOG))
    assert root.majority == 3  # of four coordinators

    def body(version: int, net: str = NET) -> bytes:
        made = make_root(net=net, log=LOG, hubs=[HUB], coordinators=listed(), version=version)
        return parse_statement(made).body

    assert next_root(root, body(2)).version == 2
    assert read_root(body(2)) == next_root(root, body(2))
    for version, net in ((1, NET), (3, NET), (2, "demo.other")):
        with pytest.raises(Refused):
            next_root(root, body(version, net))


@pytest.mark.parametrize("net", ["demo.example", "exercise.2026/my"])
def test_a_demonstration_root_says_that_nobody_guards_its_log(net: str) -> None:
    root = parse_root(demo_root(net=net, hubs=[HUB], log=LOG))
    assert (root.net, root.version, root.rules, root.k) == (net, 1, 1, 0)
    assert root.demonstration
    assert root.hubs == (HUB,)
    assert root.log == VerifierKey(net, LOG_KEY, LOG)
    assert root.hash == parse_statement(demo_root(net=net, hubs=[HUB], log=LOG)).hash


@pytest.mark.parametrize("net", ["rujukan.example", "demonstration.example", "x.demo.example"])
def test_a_real_network_without_witnesses_is_refused(net: str) -> None:
    with pytest.raises(RootRefused, match="asks for no witnesses"):
        parse_root(demo_root(net=net, hubs=[HUB], log=LOG))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda b: b.update(rules=2), "rules that this version of the program does not know"),
        (lambda b: b.update(rules=0), "rules that this version of the program does not know"),
        (lambda b: b.update(rules=2, new_member=1), "rules that this version"),
        (lambda b: b.update(net="rujukan.example", log=_log_of("rujukan.example")), "no witnesses"),
        (lambda b: b.update(version=2), "Programs are given the first one"),
        (lambda b: b.update(witnesses=_witnesses(8), k=4), "More than half"),
        (lambda b: b.update(witnesses=_witnesses(2), k=1), "More than half"),
    ],
)
def test_what_this_version_cannot_keep_it_refuses_in_a_sentence(
    change: Change, sentence: str
) -> None:
    with pytest.raises(RootRefused, match=sentence):
        parse_root(_root(change))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda b: b.update(extra=1), "unknown_member"),
        (lambda b: b.pop("hubs"), "missing_member"),
        (lambda b: b.update(k=True), "wrong_type"),
        (lambda b: b.update(k=-1), "bad_number"),
        (lambda b: b.update(k="0"), "wrong_type"),
        (lambda b: b["hubs"][0].update(url="http://hub.example"), "bad_url"),
        (lambda b: b["hubs"][0].update(url="http://localhost:8001"), "bad_url"),
        (lambda b: b["hubs"][0].update(url="https://user@hub.example"), "bad_url"),
        (lambda b: b["hubs"][0].update(url="https://hub.example/"), "bad_url"),
        (lambda b: b["hubs"][0].update(url="https://hub.example?x=1"), "bad_url"),
        (lambda b: b["hubs"][0].update(url="https://["), "bad_url"),
        (lambda b: b["hubs"][0].update(id="0" * 32), "wrong_key_id"),
        (lambda b: b.update(hubs=b["hubs"] * 2), "key_repeated"),
        (lambda b: b.update(hubs=b["hubs"] * 65), "too_large"),
        (lambda b: b.update(log=VerifierKey("demo.other", LOG_KEY, LOG).render()), "other_net"),
        (lambda b: b.update(log=VerifierKey(NET, WITNESS_KEY, LOG).render()), "bad_vkey"),
        (lambda b: b.update(statistics="everybody"), "bad_identifier"),
        (lambda b: b.update(version=0), "bad_number"),
        (lambda b: b.update(k=1), "out_of_range"),
        (lambda b: b.update(witnesses=_witnesses(3), k=4), "out_of_range"),
        (lambda b: b.update(witnesses=_witnesses(3, country="my"), k=2), "country_repeated"),
        (lambda b: b.update(coordinators=b["coordinators"] * 2), "id_repeated"),
    ],
)
def test_a_root_file_with_one_fault_is_not_read(change: Change, code: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse_root(_root(change))
    assert caught.value.code == code


@pytest.mark.parametrize("url", ["http://127.0.0.1:8001", "http://[::1]:8001", "https://a.example"])
def test_this_computer_is_the_only_place_reached_without_tls(url: str) -> None:
    hub = Hub.of(url=url, key=signing_key("hub").public)
    assert parse_root(demo_root(net=NET, hubs=[hub], log=LOG)).hubs == (hub,)


def test_a_signature_by_a_named_coordinator_is_verified() -> None:
    assert parse_root(_root(_with_coordinator, "coordinator")).coordinators[0].country == "bd"
    with pytest.raises(RootRefused):
        parse_root(_root(_with_coordinator, "stranger"))
    signed = parse_statement(_root(_with_coordinator, "coordinator"))
    forged = signed.render().replace(
        b64encode(signed.signatures[0].value).encode(), b"A" * 86 + b"=="
    )
    with pytest.raises(BadSignature):
        parse_root(forged)


def test_a_verifier_key_reads_as_the_transparency_log_specification_writes_it() -> None:
    # The Go checksum database's key, as published in the Go source (cmd/go/internal/modfetch).
    text = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
    key = parse_vkey(text, kind=LOG_KEY, field="log")
    assert (key.name, key.render()) == ("sum.golang.org", text)
    for wrong in (text.replace("033d", "033e"), text[:-4], "sum.golang.org", text.upper()):
        with pytest.raises(ContractError):
            parse_vkey(wrong, kind=LOG_KEY, field="log")


def test_two_keys_of_one_organisation_have_two_fingerprints() -> None:
    mine, other = signing_key("one").public, signing_key("two").public
    read_out = fingerprint(MALAYSIA, root=mine)
    assert [len(group) for group in read_out.split(" ")] == [5] * 8
    assert read_out.replace(" ", "").isdecimal()
    assert read_out == fingerprint(MALAYSIA, root=mine)
    assert (
        len({read_out, fingerprint(MALAYSIA, root=other), fingerprint(BANGLADESH, root=mine)}) == 3
    )


def test_the_fingerprint_of_a_known_key_never_changes() -> None:
    assert fingerprint(MALAYSIA, root=bytes(32)) == (
        "49391 62730 26685 34849 22839 80424 21487 80404"
    )
