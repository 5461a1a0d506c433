"""Envelopes for the vectors, made a second time: from libsodium and the format alone.

Nothing here is imported from the code under test, so that a vector says what the format says
and not what the code does. Everything is drawn from fixed seeds, so the same bytes come out
every time; that is why a sealed box is put together by hand here (libsodium makes its one-time
key itself). Never use this to seal anything real.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from nacl import bindings

NOW: Final = 1795564800  # 2026-11-25 00:00 UTC, a Wednesday
WEEK: Final = 7 * 86400
MONDAY: Final = NOW - 2 * 86400
LIFETIME: Final = 86400
CONTRACT: Final = "case-referral/1"
NO_LOG: Final = {
    "size": 0,
    "root": base64.b64encode(hashlib.sha256(b"").digest()).decode(),
    "sig": base64.b64encode(bytes(64)).decode(),
}

Parts = dict[str, Any]  # h, w, com, n, c, s: as bytes, w as a list of them


def seed(name: str) -> bytes:
    """32 bytes that everyone can make again."""
    return sha256(b"rujukan test vectors: " + name.encode())


def sha256(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()


def b64(data: bytes) -> str:
    """RFC 4648 §4, padded."""
    return base64.b64encode(data).decode("ascii")


def lp(data: bytes) -> bytes:
    """Length in 8 bytes big-endian, then the bytes."""
    return len(data).to_bytes(8, "big") + data


def kid(public: bytes) -> str:
    """The key id of a public key of suite 1."""
    return sha256(b"rujukan-kid/1\0\x01" + public).hex()[:32]


def compact(value: object) -> bytes:
    """JSON without white space."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Desk:
    """A device: its organisation, its window, its keys of one week."""

    org: str
    name: str
    nbf: int = MONDAY - 30 * 86400
    naf: int = MONDAY + 300 * 86400
    week: int = MONDAY

    @property
    def sign_seed(self) -> bytes:
        return seed(self.name + " signs")

    @property
    def sign_public(self) -> bytes:
        return bindings.crypto_sign_seed_keypair(self.sign_seed)[0]

    @property
    def kid(self) -> str:
        return kid(self.sign_public)

    @property
    def secret(self) -> bytes:
        return seed(self.name + " opens")

    @property
    def public(self) -> bytes:
        return bindings.crypto_scalarmult_base(self.secret)

    @property
    def key(self) -> str:
        return kid(self.public)

    def sign(self, data: bytes) -> bytes:
        secret = bindings.crypto_sign_seed_keypair(self.sign_seed)[1]
        return bindings.crypto_sign(data, secret)[:64]


MY_1: Final = Desk("my-0a1b2c3d4e5f6071", "first desk in Malaysia")
MY_2: Final = Desk("my-0a1b2c3d4e5f6071", "second desk in Malaysia")
BD_1: Final = Desk("bd-1021324354657687", "first desk in Bangladesh")
BD_2: Final = Desk("bd-1021324354657687", "second desk in Bangladesh")
TH_1: Final = Desk("th-2031425364758697", "desk in Thailand")
STRANGER: Final = Desk("my-0a1b2c3d4e5f6071", "a computer nobody certified")
MID: Final = seed("mid").hex()[:32]
MESSAGE: Final = '{"v":"1.0","note":"চিঠি · surat · 信"}'.encode()


def header_of(sender: Desk, to: str, recipients: Sequence[Desk], **changes: object) -> Parts:
    """The members of a header, in the agreed order; `changes` replaces or adds."""
    return {
        "suite": 1,
        "typ": "msg",
        "mid": MID,
        "from": sender.org,
        "sk": sender.kid,
        "to": to,
        "keys": [desk.key for desk in recipients],
        "contract": CONTRACT,
        "iat": NOW - 60,
        "exp": NOW - 60 + LIFETIME,
        "dir": NO_LOG,
    } | changes


def box_seal(message: bytes, public: bytes, number: int) -> bytes:
    """crypto_box_seal with a known one-time key: epk ‖ box, nonce BLAKE2b-24(epk ‖ pk)."""
    epk, esk = bindings.crypto_box_seed_keypair(seed(f"one-time key {number}"))
    nonce = hashlib.blake2b(epk + public, digest_size=24).digest()
    return epk + bindings.crypto_box(message, nonce, public, esk)


def pad(message: bytes) -> bytes:
    """Message, 0x80, zero bytes up to Padmé of at least 4096."""
    length = max(4096, len(message) + 1)
    exponent = length.bit_length() - 1
    step = 2 ** (exponent - exponent.bit_length())
    size = (length + step - 1) // step * step
    return message + b"\x80" + bytes(size - len(message) - 1)


def okm(content_key: bytes, header: bytes) -> bytes:
    """Cipher key, then commitment."""
    data = b"rujukan-envelope/1 key\0" + sha256(header)
    return hashlib.blake2b(data, key=content_key, digest_size=64).digest()


@dataclass(frozen=True)
class Draft:
    """An envelope to be; what is None follows the format, what is set breaks it."""

    sender: Desk = MY_1
    recipients: Sequence[Desk] = (BD_1,)
    to: str = BD_1.org
    changes: Mapping[str, object] = field(default_factory=dict)
    header: bytes | None = None
    padded: bytes = pad(MESSAGE)
    wrapped_hash: bytes | None = None
    sealed_to: bytes | None = None
    commitment: bytes | None = None
    aad: bytes | None = None
    signer: Desk | None = None
    label: bytes = b"rujukan-envelope/1"

    def parts(self) -> Parts:
        """Everything, sealed and signed."""
        fields = header_of(self.sender, self.to, self.recipients, **self.changes)
        header = compact(fields) if self.header is None else self.header
        content_key, nonce = seed("content key"), seed("nonce")[:24]
        derived = okm(content_key, header)
        inner = content_key + (self.wrapped_hash or sha256(header))
        aad = header if self.aad is None else self.aad
        parts: Parts = {
            "h": header,
            "w": [
                box_seal(inner, self.sealed_to or desk.public, number)
                for number, desk in enumerate(self.recipients)
            ],
            "com": self.commitment or derived[32:],
            "n": nonce,
            "c": bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
                self.padded, aad, nonce, derived[:32]
            ),
        }
        return signed(parts, self.signer or self.sender, label=self.label)

    def body(self) -> bytes:
        """The body, in the one byte form."""
        return render(self.parts())


def transcript(parts: Parts, label: bytes = b"rujukan-envelope/1") -> bytes:
    """T: what is signed."""
    digest = hashlib.sha512(parts["c"]).digest()
    signed_parts = (label, parts["h"], b"".join(parts["w"]), parts["com"], parts["n"], digest)
    return b"".join(map(lp, signed_parts))


def signed(parts: Parts, desk: Desk, label: bytes = b"rujukan-envelope/1") -> Parts:
    """The same parts under this desk's signature."""
    return parts | {"s": desk.sign(transcript(parts, label))}


def render(parts: Parts) -> bytes:
    """The body of these parts; a part that is text already stands as it is."""
    written: Parts = {"env": "rujukan-envelope/1"}
    for name in ("h", "w", "com", "n", "c", "s"):
        part = parts[name]
        written[name] = [b64(one) for one in part] if name == "w" else b64(part)
    return compact(written)


def signed_json(fields: object, signer: Callable[[bytes], bytes], label: str) -> bytes:
    """{"b", "s"} as notices and logins are carried; `fields` may be the body's bytes."""
    body = fields if isinstance(fields, bytes) else compact(fields)
    return compact({"b": b64(body), "s": b64(signer(lp(label.encode()) + lp(body)))})
