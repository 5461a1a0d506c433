"""The archive key at work: records that only an unlocked desk can read or even look up.

Everything about a case lies in the database as XChaCha20-Poly1305 under a random key that the
passphrase guards, each record bound to its table, column and row, so that none can be moved
under another. What must be found again is found by a keyed hash. This file does not know what a
case is; it stores nothing itself.

    sealed = archive.seal("letter.body", row, content)
    index = archive.index("mid", mid)
"""

from __future__ import annotations

from typing import Final

from nacl import bindings
from nacl.exceptions import CryptoError
from nacl.hashlib import blake2b
from nacl.utils import random

from broker.desk.errors import DeskError
from contracts.encoding import lp

KEY_SIZE: Final = 32
NONCE_SIZE: Final = 24


class Archive:
    """Seals, opens and indexes records under one archive key; prints nothing of it."""

    __slots__ = ("_index_key", "_seal_key")

    def __init__(self, key: bytes) -> None:
        self._seal_key = _derived(key, b"seal")
        self._index_key = _derived(key, b"index")

    def seal(self, place: str, row: str, content: bytes) -> bytes:
        """`content` for `place` ("table.column") of row `row`: nonce ‖ ciphertext."""
        nonce = random(NONCE_SIZE)
        return nonce + bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
            content, _bound(place, row), nonce, self._seal_key
        )

    def open(self, place: str, row: str, sealed: bytes) -> bytes:
        """The content again, or `DeskError("archive_damaged")`."""
        nonce, sealed = sealed[:NONCE_SIZE], sealed[NONCE_SIZE:]
        try:
            return bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
                sealed, _bound(place, row), nonce, self._seal_key
            )
        except (CryptoError, TypeError, ValueError, RuntimeError):
            raise DeskError("archive_damaged") from None

    def index(self, what: str, *parts: str) -> bytes:
        """32 bytes by which a record is found again, telling nothing without the key."""
        data = b"".join(lp(part.encode("utf-8")) for part in (what, *parts))
        return blake2b(data, digest_size=32, key=self._index_key).digest()

    def __repr__(self) -> str:
        return "Archive()"


def new_archive_key() -> bytes:
    """A random key; it never leaves the desk's key file."""
    return random(KEY_SIZE)


def _bound(place: str, row: str) -> bytes:
    return lp(place.encode("utf-8")) + lp(row.encode("utf-8"))


def _derived(key: bytes, purpose: bytes) -> bytes:
    # Two uses of one key must not meet: RFC 7693 keyed hashing, separated by label.
    return blake2b(b"rujukan-archive/1\0" + purpose, digest_size=KEY_SIZE, key=key).digest()
