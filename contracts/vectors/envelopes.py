"""The vectors for opening an envelope and for the hub's check of one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from contracts.vectors.draft import (
    BD_1,
    BD_2,
    LIFETIME,
    MESSAGE,
    MONDAY,
    MY_1,
    MY_2,
    NOW,
    STRANGER,
    TH_1,
    Desk,
    Draft,
    Parts,
    compact,
    header_of,
    pad,
    render,
    seed,
    sha256,
    signed,
    transcript,
)
from contracts.vectors.vector import DESKS, Fact, Vector, now_fact, opening, register_facts

GOOD: Final = Draft()
# The order of the group that Ed25519 signs in: S and S + L verify alike where nobody looks.
GROUP_ORDER: Final = 2**252 + 27742317777372353535851937790883648493


def vectors() -> list[Vector]:
    """All of this file."""
    return [*_opened(), *_signatures(), *_fields(), *_contents(), *_hub()]


def _opened() -> list[Vector]:
    def ok(name: str, comment: str, draft: Draft, message: bytes = MESSAGE) -> Vector:
        more: list[Fact] = [("eid", sha256(transcript(draft.parts())).hex())]
        if draft.sender.org == BD_1.org:
            more.append(("own", "yes"))
        return opening(name, "ok", comment, draft.body(), message=message, more=tuple(more))

    def holding(message: bytes) -> Draft:
        return Draft(padded=pad(message))

    fields = header_of(MY_1, BD_1.org, (BD_1,))
    loose = json.dumps(dict(reversed(fields.items())), indent=1).encode()
    rcpt = Draft(changes={"typ": "rcpt", "re": seed("re").hex()[:32], "contract": "receipt/1"})
    everyone = Draft(recipients=(BD_2, BD_1, MY_2))
    crowd = (*(Desk(BD_1.org, f"desk {n} of many") for n in range(63)), BD_1)
    mark, edge = b'"\x80', MESSAGE.ljust(4095)
    elsewhere = opening(
        "another-desk-of-ours",
        "not-for-this-device",
        "Sealed before this desk was certified: acknowledge and forget.",
        Draft(recipients=(BD_2,)).body(),
    )
    own = opening(
        "sent-by-a-colleague",
        "ok",
        "From the own organisation: stored as sent, no receipt.",
        everyone.body(),
        own=MY_2,
        message=MESSAGE,
        more=(("own", "yes"),),
    )
    return [
        ok("one-recipient", "The plain case.", GOOD),
        ok("several-recipients", "Every desk of one side and the sender's colleague.", everyone),
        ok("64-recipients", "The most there may be.", Draft(recipients=crowd)),
        ok("receipt", "A receipt names the message it is for.", rcpt),
        ok("loose-header", "A header is signed as bytes, in any order.", Draft(header=loose)),
        ok("to-colleagues", "Within one organisation.", Draft(sender=BD_2, to=BD_1.org)),
        ok("clock-ahead-300-s", "iat = now + 300.", Draft(changes=_times(NOW + 300))),
        ok("late-299-s", "exp = now - 299.", Draft(changes=_times(NOW - 299 - LIFETIME))),
        ok("14-days", "The longest life.", Draft(changes=_times(NOW, 14 * 86400))),
        ok("empty-message", "What is empty is judged by its schema.", holding(b""), b""),
        ok("message-of-4095", "Fills its bucket to the last byte.", holding(edge), edge),
        ok("message-of-4096", "Needs the next bucket.", holding(edge + b" "), edge + b" "),
        ok("message-ends-like-padding", "Only the last mark counts.", holding(mark), mark),
        elsewhere,
        own,
    ]


def _times(iat: int, life: int = LIFETIME) -> dict[str, object]:
    return {"iat": iat, "exp": iat + life}


def _signatures() -> list[Vector]:
    """Steps 2 and 3: who signed, and whether this is what they signed."""

    def bad(name: str, comment: str, parts: Parts) -> Vector:
        return opening(name, "bad-signature", comment, render(parts))

    def unknown(name: str, comment: str, draft: Draft, desks: Sequence[Desk] = DESKS) -> Vector:
        return opening(name, "device-not-certified", comment, draft.body(), desks=desks)

    parts, two = GOOD.parts(), Draft(recipients=(BD_1, BD_2)).parts()
    longer = compact(header_of(MY_1, BD_1.org, (BD_1,), exp=NOW + 10 * 86400))
    borrowed = Draft(sender=replace(MY_1, org=TH_1.org))
    young = replace(MY_1, nbf=NOW - 59)
    old = replace(MY_1, naf=NOW - 60)
    flipped = bytes([parts["c"][0] ^ 1]) + parts["c"][1:]
    insider = _resealed_content(two, b'{"v":"1.0","note":"changed"}')
    return [
        unknown("nobodys-device", "A key that no organisation certified.", Draft(sender=STRANGER)),
        unknown("another-organisations-device", "Certified, but for another.", borrowed),
        unknown("device-not-yet", "iat a second before its window.", GOOD, (young, *DESKS[1:])),
        unknown("device-no-more", "iat at the window's end.", GOOD, (old, *DESKS[1:])),
        bad("signature-bit", "One bit of it.", parts | {"s": _flip(parts["s"], 63)}),
        bad("signature-of-zeros", "Taken off, nothing put on.", parts | {"s": bytes(64)}),
        bad("signature-s-plus-l", "A second spelling of S.", parts | {"s": _plus_l(parts["s"])}),
        bad("strip-and-re-sign", "Another device signs what MY_1 sent.", signed(parts, TH_1)),
        bad("another-label", "Made for a login.", Draft(label=b"rujukan-login/1").parts()),
        bad("header-rewrite", "A longer life.", parts | {"h": longer}),
        bad("wraps-swapped", "Same wraps, other order.", two | {"w": two["w"][::-1]}),
        bad("wrap-changed", "One bit of it.", parts | {"w": [_flip(parts["w"][0], 40)]}),
        bad("commitment-changed", "One bit of it.", parts | {"com": _flip(parts["com"], 0)}),
        bad("nonce-changed", "One bit of it.", parts | {"n": _flip(parts["n"], 0)}),
        bad("ciphertext-changed", "One bit of it.", parts | {"c": flipped}),
        bad("ciphertext-cut", "Sixteen bytes short.", parts | {"c": parts["c"][:-16]}),
        bad("insider-rewrite", "BD_2 knows the key and writes anew for BD_1.", insider),
        bad("forwarded-as-the-senders", "Re-sealed to another under the old name.", _forwarded()),
    ]


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _plus_l(signature: bytes) -> bytes:
    s = int.from_bytes(signature[32:], "little") + GROUP_ORDER
    return signature[:32] + s.to_bytes(32, "little")


def _resealed_content(parts: Parts, message: bytes) -> Parts:
    """What anyone who knows the content key can put in its place."""
    other = Draft(header=parts["h"], padded=pad(message)).parts()
    return parts | {"c": other["c"]}


def _forwarded() -> Parts:
    """BD_1 opened it, seals key and header hash to BD_2, and keeps MY_1's signature."""
    parts = GOOD.parts()
    return parts | {"w": Draft(header=parts["h"], sealed_to=BD_2.public).parts()["w"]}


def _fields() -> list[Vector]:
    """Step 4: what a true signature covers may still not concern us."""

    def bad(name: str, expect: str, comment: str, **changes: object) -> Vector:
        return opening(name, expect, comment, Draft(changes=changes).body())

    thai = Draft(to=TH_1.org, recipients=(BD_1,))
    early, late = _times(NOW + 301), _times(NOW - 300 - LIFETIME)
    return [
        bad("suite-2", "version-unsupported", "Reserved, not spoken here.", suite=2),
        opening("to-somebody-else", "not-for-me", "Our key, their name.", thai.body()),
        bad("from-the-future", "time", "iat = now + 301.", **early),
        bad("expired", "time", "exp = now - 300.", **late),
        bad("contract-unknown", "contract-unknown", "Not in our list.", contract="case-referral/9"),
    ]


def _contents() -> list[Vector]:
    """Steps 6 to 9: truly signed by a certified device, and wrong inside."""

    def bad(name: str, comment: str, draft: Draft) -> Vector:
        return opening(name, "undecryptable", comment, draft.body())

    def padded(name: str, comment: str, data: bytes) -> Vector:
        return bad("padding-" + name, comment, Draft(padded=data))

    stolen = GOOD.parts()
    thief = compact(header_of(TH_1, BD_1.org, (BD_1,)))
    stripped = render(signed(stolen | {"h": thief}, TH_1))
    rewrapped = Draft(sender=TH_1, header=thief).parts()
    old_commitment = render(signed(stolen | {"h": thief, "w": rewrapped["w"]}, TH_1))
    old_content = render(signed(rewrapped | {"c": stolen["c"]}, TH_1))
    other_nonce = render(signed(stolen | {"n": seed("other")[:24]}, MY_1))
    end, full = MESSAGE + b"\x80", len(pad(MESSAGE))
    return [
        opening(
            "stripped-and-sent-as-own",
            "undecryptable",
            "TH_1 signs MY_1's wraps and ciphertext under a header of its own.",
            stripped,
        ),
        opening(
            "forwarded-old-commitment",
            "undecryptable",
            "A recipient passes content on as its own, with the commitment it had.",
            old_commitment,
        ),
        opening(
            "forwarded-old-ciphertext",
            "undecryptable",
            "A recipient passes the very ciphertext on under a new header.",
            old_content,
        ),
        bad(
            "wrapped-for-another-header", "The wrap's second half.", Draft(wrapped_hash=seed("hh"))
        ),
        bad("wrapped-for-another-key", "Named ours, sealed to BD_2.", Draft(sealed_to=BD_2.public)),
        bad("wrong-commitment", "Signed as it is.", Draft(commitment=seed("commitment"))),
        bad("other-additional-data", "Encrypted under another header.", Draft(aad=b"{}")),
        opening("other-nonce", "undecryptable", "Signed as it is.", other_nonce),
        bad("wrong-tag", "A ciphertext no key made.", _no_ciphertext()),
        padded("none", "No mark at all.", b" " * full),
        padded("only-zeros", "No mark at all.", bytes(full)),
        padded(
            "byte-after-the-mark", "Room for a hidden word.", end.ljust(full - 1, b"\0") + b"\1"
        ),
        padded("too-small", "Below 4096: its length would show.", end.ljust(4095, b"\0")),
        padded("not-a-bucket", "4097 is no size of ours.", end.ljust(4097, b"\0")),
        padded("next-bucket", "A bucket, but not this message's.", end.ljust(4352, b"\0")),
        padded("empty", "No byte at all.", b""),
    ]


def _no_ciphertext() -> Draft:
    return Draft(padded=pad(MESSAGE), aad=sha256(b"not the header"))


def _hub() -> list[Vector]:
    def hub(
        name: str,
        expect: str,
        comment: str,
        body: bytes,
        *,
        login: Desk = MY_1,
        desks: Sequence[Desk] = DESKS,
        routes: str = "my-bd",
        now: int = NOW,
    ) -> Vector:
        facts = (
            now_fact(now),
            ("login", f"{login.org} {login.kid}"),
            ("signed-routes", routes),
            *register_facts(desks),
        )
        return Vector(name, "hub", expect, comment, facts, body)

    def changed(name: str, expect: str, comment: str, **changes: object) -> Vector:
        return hub(name, expect, comment, Draft(changes=changes).body())

    def keys(name: str, comment: str, *recipients: Desk) -> Vector:
        return hub(name, "keys-changed", comment, Draft(recipients=recipients).body())

    good, parts = GOOD.body(), GOOD.parts()
    everyone = Draft(recipients=(BD_1, BD_2, MY_2)).body()
    colleague = Draft(sender=MY_2).body()
    gone = (replace(MY_1, naf=NOW), *DESKS[1:])
    unknown = Draft(to="bd-0000000000000000").body()
    nonsense = render(signed(parts | {"c": hashlib.sha512(b"").digest()}, MY_1))
    sunday = Draft(changes=_times(MONDAY - 301, 10 * 86400)).body()
    return [
        hub("plain", "ok", "The plain case.", good),
        hub("several", "ok", "All allowed devices.", everyone),
        hub(
            "within-one-country",
            "ok",
            "Needs no route.",
            Draft(to=MY_2.org, recipients=(MY_2,)).body(),
        ),
        hub("cannot-look-inside", "ok", "A hub holds no secret and cannot tell.", nonsense),
        hub("trailing-line-feed", "malformed", "Same strictness as an opener.", good + b"\n"),
        changed(
            "life-too-long", "malformed", "14 days and a second.", **_times(NOW, 14 * 86400 + 1)
        ),
        hub("not-your-device", "not-your-device", "Logged in as another.", colleague),
        hub("device-gone", "device-not-certified", "Its window has ended.", good, desks=gone),
        hub(
            "bad-signature",
            "bad-signature",
            "One bit.",
            render(parts | {"s": _flip(parts["s"], 0)}),
        ),
        changed("suite-2", "version-unsupported", "Reserved.", suite=2),
        hub("no-route", "no-route", "Nothing signed between them.", good, routes="my-th"),
        hub("unknown-recipient", "unknown-recipient", "No such organisation.", unknown),
        keys("third-partys-key", "A key of somebody uninvolved.", BD_1, TH_1),
        keys("senders-own-key", "The sending device itself.", BD_1, MY_1),
        keys("nobodys-key", "Published by none.", BD_1, STRANGER),
        hub("last-weeks-envelope", "keys-changed", "The key's week began later.", sunday),
        hub("expired", "expired", "exp = now.", good, now=NOW - 60 + LIFETIME),
        changed("from-the-future", "from-the-future", "iat = now + 301.", **_times(NOW + 301)),
    ]
