"""The log's leaves as bytes: a statement, its signatures and the time the log wrote it down.

One leaf has one byte form, so that two mirrors that agree on a hash agree on every byte. This
file does not know what a statement says; the Merkle tree over the hashes is `contracts.tree`.

    data = encode_leaf(Leaf(statement, t))
    for part in split_leaves(answer): register.apply(decode_leaf(part))
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from contracts.encoding import MAX_NUMBER, h256, lp
from contracts.errors import Malformed
from contracts.identifiers import KeyId
from contracts.signing import SIGNATURE_SIZE
from contracts.statements import (
    MAX_BODY,
    MAX_SIGNATURES,
    Signature,
    Statement,
    check_order,
    check_size,
)

_PREFIX: Final = 8  # the length before each part, big-endian
_TIME: Final = 8
_KEY_ID: Final = 16  # a key id as raw bytes: its 32 hex digits
_SIGNED: Final = _KEY_ID + SIGNATURE_SIZE
MAX_LEAF: Final = _PREFIX + MAX_BODY + _PREFIX + MAX_SIGNATURES * _SIGNED + _TIME


@dataclass(frozen=True, slots=True)
class Leaf:
    """A statement and the log's time `t` for it, Unix seconds, never less than the leaf before."""

    statement: Statement
    t: int


def encode_leaf(leaf: Leaf) -> bytes:
    """Leaf data: LP(body) ‖ LP(key id ‖ signature …) ‖ t, eight bytes big-endian."""
    signed = b"".join(
        bytes.fromhex(signature.key_id) + signature.value for signature in leaf.statement.signatures
    )
    return lp(leaf.statement.body) + lp(signed) + leaf.t.to_bytes(_TIME, "big")


def decode_leaf(data: bytes) -> Leaf:
    """The leaf of exactly these bytes. Raises `Malformed`: such a leaf is a fault of the log."""
    if len(data) > MAX_LEAF:
        raise Malformed("too_large", "leaf")
    body, end = _part(data, 0)
    signed, end = _part(data, end)
    time = data[end:]
    if len(time) != _TIME or len(signed) % _SIGNED:
        raise Malformed("wrong_length", "leaf")
    t = int.from_bytes(time, "big")
    if t > MAX_NUMBER:
        raise Malformed("bad_number", "t")
    check_size(body)
    starts = range(0, len(signed), _SIGNED)
    return Leaf(Statement(body, check_order(_signature(signed, start) for start in starts)), t)


def leaf_hash(data: bytes) -> bytes:
    """The hash of leaf data (RFC 6962 §2.1): a zero byte keeps leaves apart from nodes."""
    return h256(b"\x00" + data)


def join_leaves(leaves: Iterable[bytes]) -> bytes:
    """The body of an answer with leaves: each with its length before it."""
    return b"".join(lp(data) for data in leaves)


def split_leaves(data: bytes) -> tuple[bytes, ...]:
    """The leaf data in an answer. Raises `Malformed` if it ends before a leaf does."""
    found, end = [], 0
    while end < len(data):
        leaf, end = _part(data, end)
        found.append(leaf)
    return tuple(found)


def _part(data: bytes, at: int) -> tuple[bytes, int]:
    """The length-prefixed part that begins at `at`, and where it ends."""
    begin = at + _PREFIX
    end = begin + int.from_bytes(data[at:begin], "big")
    if begin > len(data) or end > len(data):
        raise Malformed("cut_off", "leaf")
    return data[begin:end], end


def _signature(signed: bytes, start: int) -> Signature:
    made_by = KeyId(signed[start : start + _KEY_ID].hex())
    return Signature(made_by, signed[start + _KEY_ID : start + _SIGNED])
