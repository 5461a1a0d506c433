"""Ed25519 with a visible label on every signature, through libsodium alone.

Other libraries accept other sets of edge-case signatures (RFC 8032 §5.1.7 leaves them open),
so every verifier of this network uses libsodium's. A signature made for one purpose never
serves another: the label is the first thing signed. This file does not know what is signed.

    signature = key.sign(Label.STATEMENT, body)
    verify(key.public, signature, Label.STATEMENT, body)
"""

from __future__ import annotations

from enum import StrEnum, unique
from typing import Final, Self

from nacl import bindings
from nacl.exceptions import CryptoError
from nacl.utils import random

from contracts.encoding import b64encode, bytes_of, dump_json, h256, lp, members, parse_object
from contracts.errors import BadSignature, Malformed
from contracts.identifiers import KeyId

SUITE: Final = 1  # Ed25519, X25519 sealed boxes, XChaCha20-Poly1305, BLAKE2b
PUBLIC_KEY_SIZE: Final = 32
SIGNATURE_SIZE: Final = 64
SEED_SIZE: Final = 32


@unique
class Label(StrEnum):
    """What a signature is for. Every use of Ed25519 in this network has its own."""

    ENVELOPE = "rujukan-envelope/1"
    STATEMENT = "rujukan-statement/1"
    LOGIN = "rujukan-login/1"
    ACCEPTANCE = "rujukan-acceptance/1"


class SigningKey:
    """A secret Ed25519 key; prints as its key id only."""

    __slots__ = ("_secret", "key_id", "public", "seed")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_SIZE:
            raise Malformed("wrong_length", "seed")
        self.public, self._secret = bindings.crypto_sign_seed_keypair(seed)
        self.seed = seed
        self.key_id = key_id(self.public)

    @classmethod
    def generate(cls) -> Self:
        """A new key from the operating system's randomness."""
        return cls(random(SEED_SIZE))

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """The key of a stored 32-byte seed (RFC 8032's private key)."""
        return cls(seed)

    def sign(self, label: Label, *parts: bytes) -> bytes:
        """The 64-byte signature over `signed_bytes(label, *parts)`."""
        return self.sign_bytes(signed_bytes(label, *parts))

    def sign_bytes(self, signed: bytes) -> bytes:
        """`sign` for bytes that already begin with their label."""
        return bindings.crypto_sign(signed, self._secret)[:SIGNATURE_SIZE]

    def __repr__(self) -> str:
        return f"SigningKey({self.key_id})"


def signed_bytes(label: Label, *parts: bytes) -> bytes:
    """LP(label) ‖ LP(part) …: the very bytes that are signed."""
    return b"".join((lp(label.encode("ascii")), *map(lp, parts)))


def verify(public: bytes, signature: bytes, label: Label, *parts: bytes) -> None:
    """Raise `BadSignature` unless `signature` is `public`'s over label and parts."""
    verify_bytes(public, signature, signed_bytes(label, *parts))


def verify_bytes(public: bytes, signature: bytes, signed: bytes) -> None:
    """`verify` for bytes that already begin with their label."""
    if len(public) != PUBLIC_KEY_SIZE or len(signature) != SIGNATURE_SIZE:
        raise BadSignature
    try:
        bindings.crypto_sign_open(signature + signed, public)
    except (CryptoError, TypeError, ValueError, RuntimeError):
        raise BadSignature from None


def render_signed(body: bytes, signature: bytes) -> bytes:
    """The JSON text {"b", "s"} that carries signed bytes and one signature."""
    return dump_json({"b": b64encode(body), "s": b64encode(signature)})


def parse_signed(data: bytes, *, limit: int) -> tuple[bytes, bytes]:
    """Body and signature of {"b", "s"}; nothing is verified yet. Raises `Malformed`."""
    carried = parse_object(data, limit=limit)
    members(carried, required={"b", "s"})
    return bytes_of(carried, "b"), bytes_of(carried, "s", size=SIGNATURE_SIZE)


def key_id(public: bytes, *, suite: int = SUITE) -> KeyId:
    """32 hex digits naming a public key, signing and encryption keys alike."""
    return KeyId(h256(b"rujukan-kid/1\0" + bytes((suite,)) + public).hex()[:32])
