"""The vectors for what is signed besides envelopes: notices, logins, statements."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any, Final

from nacl import bindings

from contracts.vectors.draft import (
    BD_1,
    MID,
    MONDAY,
    MY_1,
    NOW,
    TH_1,
    WEEK,
    b64,
    compact,
    kid,
    lp,
    seed,
    sha256,
    signed_json,
)
from contracts.vectors.vector import Fact, Vector, device_fact, now_fact

Signer = Callable[[bytes], bytes]
NET: Final = "demo.vectors.example"


def vectors() -> list[Vector]:
    """All of this file."""
    return [*_notices(), *_logins(), *_statements()]


def _key(name: str) -> tuple[bytes, Signer]:
    public, secret = bindings.crypto_sign_seed_keypair(seed(name))
    return public, lambda data: bindings.crypto_sign(data, secret)[:64]


HUB_PUBLIC, hub_signs = _key("the hub")
ROOT_PUBLIC, root_signs = _key("root of an organisation")
SIGNERS: Final[dict[str, tuple[bytes, Signer]]] = {
    kid(ROOT_PUBLIC): (ROOT_PUBLIC, root_signs),
    MY_1.kid: (MY_1.sign_public, MY_1.sign),
}


def _notices() -> list[Vector]:
    def notice(
        name: str, expect: str, comment: str, body: object, signer: Signer = hub_signs,
        label: str = "rujukan-acceptance/1",
    ) -> Vector:  # fmt: skip
        facts: tuple[Fact, ...] = (("hub-key", HUB_PUBLIC.hex()),)
        return Vector(name, "notice", expect, comment, facts, signed_json(body, signer, label))

    def fields(**changes: object) -> dict[str, object]:
        first = {"v": 1, "hub": kid(HUB_PUBLIC), "from": MY_1.org, "mid": MID}
        return first | {"eid": seed("eid").hex(), "status": "accepted"} | changes | {"at": NOW}

    good, login = fields(), "rujukan-login/1"
    refused = fields(status="refused", code="no_route")
    twice = compact(good)[:-1] + b',"at":1}'
    return [
        notice("accepted", "ok", "Nothing more to say.", good),
        notice("refused", "ok", "Says why.", refused),
        notice("undeliverable", "ok", "Says why.", refused | {"status": "undeliverable"}),
        notice("accepted-with-code", "malformed", "No code here.", fields(code="no_route")),
        notice("refused-without-code", "malformed", "Must say why.", fields(status="refused")),
        notice("unknown-status", "malformed", "Not one of three.", fields(status="read")),
        notice("extra-member", "malformed", "Closed.", fields(size=4096)),
        notice("duplicate-member", "malformed", "at twice.", twice),
        notice("version-2", "malformed", "Not spoken here.", fields(v=2)),
        notice("false-hub", "bad-signature", "Signed by somebody else.", good, MY_1.sign),
        notice("another-label", "bad-signature", "Made for a login.", good, hub_signs, login),
        notice("another-hubs", "another-hub", "Names another hub.", fields(hub=kid(b"other"))),
    ]


def _logins() -> list[Vector]:
    nonce, server = seed("login nonce"), kid(HUB_PUBLIC)

    def login(
        name: str, expect: str, comment: str, body: object, signer: Signer = MY_1.sign,
        label: str = "rujukan-login/1",
    ) -> Vector:  # fmt: skip
        facts = (now_fact(), ("server", server), ("nonce", nonce.hex()), device_fact(MY_1))
        return Vector(name, "login", expect, comment, facts, signed_json(body, signer, label))

    good: dict[str, Any] = {
        "v": 1, "server": server, "org": MY_1.org, "sk": MY_1.kid, "nonce": b64(nonce), "iat": NOW,
    }  # fmt: skip
    short, other = b64(nonce[:-1]), b64(seed("another nonce"))
    return [
        login("plain", "ok", "The plain case.", good),
        login("clock-behind-300-s", "ok", "The limit.", good | {"iat": NOW - 300}),
        login("clock-ahead-300-s", "ok", "The limit.", good | {"iat": NOW + 300}),
        login("clock-behind", "clock", "A second more.", good | {"iat": NOW - 301}),
        login("clock-ahead", "clock", "A second more.", good | {"iat": NOW + 301}),
        login("passed-on", "another-server", "Meant for another.", good | {"server": kid(b"x")}),
        login("another-nonce", "another-nonce", "Not ours.", good | {"nonce": other}),
        login("unknown-device", "device-not-certified", "Nobody's.", good | {"sk": BD_1.kid}),
        login("anothers-device", "device-not-certified", "Not theirs.", good | {"org": BD_1.org}),
        login("another-signer", "bad-signature", "Not the named device.", good, TH_1.sign),
        login("another-label", "bad-signature", "Wrong label.", good, label="rujukan-envelope/1"),
        login("short-nonce", "malformed", "31 bytes.", good | {"nonce": short}),
        login("extra-member", "malformed", "Closed.", good | {"role": "admin"}),
        login("version-2", "malformed", "Not spoken here.", good | {"v": 2}),
    ]


def _statements() -> list[Vector]:
    def statement(
        name: str,
        expect: str,
        comment: str,
        body: bytes,
        *signers: str,
        order: int = 1,
        label: str = "rujukan-statement/1",
        wanted: Sequence[str] = (),
    ) -> Vector:
        over = lp(label.encode()) + lp(body)
        made = [{"k": k, "s": b64(SIGNERS[k][1](over))} for k in sorted(signers)[::order]]
        facts: list[Fact] = [("signer", SIGNERS[k][0].hex()) for k in wanted or signers]
        if expect == "ok":
            facts += [("t", str(NOW)), ("hash", sha256(body).hex())]
            facts += [("leaf-hash", _leaf(body, made))]
        data = compact({"b": b64(body), "sigs": made})
        return Vector(name, "statement", expect, comment, tuple(facts), data)

    root, device_key = kid(ROOT_PUBLIC), MY_1.kid
    org, device, keys = (compact(fields) for fields in _chain())
    smuggled, twice = org[:-1] + b',"name":"x"}', org[:-1] + b',"seq":1}'
    point, login = org.replace(b'"seq":1', b'"seq":1.0'), "rujukan-login/1"
    both = (root, device_key)
    return [
        statement("org", "ok", "An organisation's first word.", org, root),
        statement("device", "ok", "Root and device sign.", device, *both),
        statement("keys", "ok", "The device publishes two weeks.", keys, device_key),
        statement("not-in-order", "malformed", "Key ids descend.", device, *both, order=-1),
        statement("extra-member", "malformed", "Closed.", smuggled, root),
        statement("duplicate-member", "malformed", "seq twice.", twice, root),
        statement("float", "malformed", "seq 1.0.", point, root),
        statement("another-label", "bad-signature", "A login's.", org, root, label=login),
        statement("one-of-two", "bad-signature", "No root.", device, device_key, wanted=both),
        statement("another-signer", "bad-signature", "No root.", org, device_key, wanted=(root,)),
    ]


def _chain() -> list[dict[str, Any]]:
    """org, device and keys of one organisation, each naming the one before."""
    weeks = [
        {"pk": b64(key), "nbf": MONDAY + n * WEEK, "naf": MONDAY + (n + 1) * WEEK}
        for n, key in enumerate((MY_1.public, BD_1.public))
    ]
    special: list[dict[str, Any]] = [
        {"country": "my", "kind": "ngo", "root": b64(ROOT_PUBLIC), "recovery": []},
        {"sign": b64(MY_1.sign_public), "role": "admin", "nbf": MY_1.nbf, "naf": MY_1.naf},
        {"keys": weeks, "suites": [1], "reads": ["case-referral/1.0", "receipt/1.0"]},
    ]
    chain: list[dict[str, Any]] = []
    for number, (typ, rest) in enumerate(zip(("org", "device", "keys"), special, strict=True), 1):
        prev = sha256(compact(chain[-1])).hex() if chain else "0" * 64
        who = {"v": 1, "net": NET, "typ": typ, "by": MY_1.org, "org": MY_1.org}
        chain.append(who | {"seq": number, "prev": prev, "iat": NOW} | rest)
    return chain


def _leaf(body: bytes, made: list[dict[str, str]]) -> str:
    signatures = b"".join(bytes.fromhex(one["k"]) + base64.b64decode(one["s"]) for one in made)
    data = lp(body) + lp(signatures) + NOW.to_bytes(8, "big")
    return sha256(b"\0" + data).hex()
