"""The vectors for step 1 of opening: every form of body and header but the agreed one."""

from __future__ import annotations

import json
from typing import Final

from contracts.vectors.draft import (
    BD_1,
    MID,
    MY_1,
    NO_LOG,
    TH_1,
    Draft,
    Parts,
    b64,
    compact,
    header_of,
    render,
    seed,
)
from contracts.vectors.vector import Vector, opening

GOOD: Final = Draft()


def vectors() -> list[Vector]:
    """All of this file."""
    return [*_bodies(), *_headers()]


def _bodies() -> list[Vector]:
    """Step 1, the body: every other byte form than the one."""

    def bad(name: str, comment: str, body: bytes) -> Vector:
        return opening(name, "malformed", comment, body)

    body, parts = GOOD.body(), GOOD.parts()
    text = json.loads(body)
    com, short = text["com"], {name: parts[name][:-1] for name in ("com", "n", "s")}
    loose_bits = com[:-2] + chr(ord(com[-2]) + 1) + "="
    slot = com.encode()

    def com_as(spelling: str) -> bytes:
        return body.replace(slot, spelling.encode())

    swapped = {"h": text["h"], "env": text["env"]} | {
        k: text[k] for k in ("w", "com", "n", "c", "s")
    }
    return [
        bad("empty", "Nothing at all.", b""),
        bad("array", "Not an object.", b"[" + body + b"]"),
        bad("byte-order-mark", "Three bytes before the text.", b"\xef\xbb\xbf" + body),
        bad("utf-16", "Another encoding.", body.decode().encode("utf-16-le")),
        bad("line-feed-at-the-end", "One byte after the text.", body + b"\n"),
        bad("space-between", "White space between members.", body.replace(b',"w"', b', "w"')),
        bad("escaped-letter", "An escape in a string.", body.replace(b'{"env"', b'{"\\u0065nv"')),
        bad("members-in-another-order", "env second.", compact(swapped)),
        bad("extra-member", "An eighth member.", body[:-1] + b',"x":1}'),
        bad("missing-member", "No commitment.", compact({k: text[k] for k in text if k != "com"})),
        bad("duplicate-member", "s twice.", body[:-1] + body[body.rindex(b',"s"') :]),
        bad("another-version", "A form that does not exist.", body.replace(b"pe/1", b"pe/2", 1)),
        bad("number-for-text", "Not a string.", compact(text | {"n": 7})),
        bad("wraps-not-a-list", "Not an array.", compact(text | {"w": text["w"][0]})),
        bad("wrap-not-text", "Not a string inside.", compact(text | {"w": [7]})),
        bad("base64-trailing-bits", "QR== for QQ==.", com_as(loose_bits)),
        bad("base64-no-padding", "The equals sign left away.", com_as(com.rstrip("="))),
        bad("base64-space", "White space inside.", com_as(com[:4] + " " + com[4:])),
        bad("base64-line-feed", "An escaped line feed inside.", com_as(com[:4] + "\\n" + com[4:])),
        bad("base64-url-alphabet", "- and _ for + and /.", _url_safe(body)),
        bad("base64-more-after-padding", "Two values in one.", com_as(com + "QUFB")),
        bad("commitment-of-31", "One byte short.", render(parts | {"com": short["com"]})),
        bad("nonce-of-23", "One byte short.", render(parts | {"n": short["n"]})),
        bad("signature-of-63", "One byte short.", render(parts | {"s": short["s"]})),
        bad("wrap-of-111", "One byte short.", render(parts | {"w": [parts["w"][0][:-1]]})),
        bad("more-wraps-than-keys", "Two for one.", render(parts | {"w": parts["w"] * 2})),
        bad("no-wraps", "None for one.", render(parts | {"w": []})),
    ]


def _url_safe(body: bytes) -> bytes:
    fields = json.loads(body)
    fields["c"] = fields["c"].replace("+", "-").replace("/", "_")
    return compact(fields)


def _headers() -> list[Vector]:
    """Step 1, the header: signed in good form by the true sender, and yet refused."""

    def bad(name: str, comment: str, header: bytes) -> Vector:
        return opening("header-" + name, "malformed", comment, Draft(header=header).body())

    def member(name: str, comment: str, **changes: object) -> Vector:
        return bad(name, comment, compact(fields | changes))

    def text(name: str, comment: str, old: bytes, new: bytes) -> Vector:
        if old not in good:
            raise ValueError(name)
        return bad(name, comment, good.replace(old, new, 1))

    fields = header_of(MY_1, BD_1.org, (BD_1,))
    good = compact(fields)
    iat = str(fields["iat"]).encode()
    crowd = [seed(f"key {n}").hex()[:32] for n in range(65)]
    many = Draft(recipients=(BD_1,) * 65, changes={"keys": crowd})
    twice = Draft(recipients=(BD_1, BD_1))
    large = good + b" " * (8193 - len(good))
    too_large = opening("header-too-large", "too-large", "8193 bytes.", Draft(header=large).body())
    return [
        too_large,
        bad("byte-order-mark", "Three bytes before the text.", b"\xef\xbb\xbf" + good),
        text("bad-utf-8", "A byte that begins nothing.", b'"case-', b'"\xffcase-'),
        text("raw-surrogate", "A surrogate in UTF-8.", b'"case-', b'"\xed\xa0\x80case-'),
        text("lone-surrogate", "Half a character.", b'"case-', b'"\\ud800case-'),
        text("duplicate-name", "to twice.", b'"to":', f'"to":"{TH_1.org}","to":'.encode()),
        text("float", "iat with a point.", iat, iat + b".0"),
        text("exponent", "iat with an exponent.", iat, iat + b"e0"),
        text("negative", "iat below zero.", iat, b"-1"),
        text("minus-zero", "A second zero.", b'"size":0', b'"size":-0'),
        text("leading-zero", "A second spelling.", iat, b"0" + iat),
        text("nan", "Not JSON at all.", iat, b"NaN"),
        text("infinity", "Not JSON at all.", iat, b"Infinity"),
        member("number-too-big", "2 to the 53rd.", suite=2**53),
        member("true-for-a-number", "Python takes it for 1.", suite=True),
        member("text-for-a-number", "Digits in quotes.", iat=str(fields["iat"])),
        member("depth-17", "Sixteen arrays within the object.", dir=_nested(16)),
        member("unknown-member", "Nothing may be smuggled along.", kind="minor"),
        bad("missing-member", "No contract.", compact(_without(fields, "contract"))),
        member("re-in-a-message", "A thread is told inside only.", re=MID),
        member("receipt-without-re", "A receipt for nothing.", typ="rcpt"),
        member("unknown-typ", "Neither msg nor rcpt.", typ="note"),
        member("mid-upper-case", "Another spelling.", mid=MID.upper()),
        member("mid-short", "31 digits.", mid=MID[:-1]),
        member("from-a-name", "An id is never a name.", **{"from": "my-hope-shelter-kl0"}),
        member("to-several", "Exactly one organisation.", to=[BD_1.org, TH_1.org]),
        member("sk-line-feed", "What a lax $ lets through.", sk=MY_1.kid + "\n"),
        member(
            "contract-with-minor", "Only the major version is told.", contract="case-referral/1.0"
        ),
        member("keys-empty", "Nobody could open it.", keys=[]),
        opening("header-keys-65", "malformed", "One too many.", many.body()),
        opening("header-key-twice", "malformed", "Distinct keys only.", twice.body()),
        member("exp-is-iat", "No life at all.", exp=fields["iat"]),
        member("life-too-long", "14 days and a second.", exp=fields["iat"] + 14 * 86400 + 1),
        member("dir-unknown-member", "Closed as well.", dir=NO_LOG | {"x": 1}),
        member(
            "dir-empty-with-a-root", "Size 0 has one root.", dir=NO_LOG | {"root": b64(seed("r"))}
        ),
        member("dir-missing-sig", "All three.", dir=_without(NO_LOG, "sig")),
    ]


def _nested(levels: int) -> object:
    return [_nested(levels - 1)] if levels > 1 else []


def _without(fields: Parts, name: str) -> Parts:
    return {key: value for key, value in fields.items() if key != name}
