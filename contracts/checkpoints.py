"""Checkpoints: the log's word for its size and root, and the witnesses' word that they saw it grow.

The forms are C2SP's, to the byte (c2sp.org/tlog-checkpoint, tlog-cosignature's `cosignature/v1`
with Ed25519, and the request of tlog-witness). Their keys sign the text itself, without this
network's labels, and are used for nothing else. This file says whose signatures are good; how many
are enough is `contracts.quorum`'s business. It reads no clock.

    note = signed_note(checkpoint_text(checkpoint), sign_checkpoint(checkpoint, log_key))
    checkpoint = verify_log(note, root.log)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from contracts.encoding import MAX_NUMBER, b64decode, b64encode
from contracts.errors import BadSignature, Malformed, Refused
from contracts.notes import (
    MAX_NOTE,
    Note,
    NoteSignature,
    parse_note,
    render_note,
    signatures_by,
)
from contracts.root import LOG_KEY, WITNESS_KEY, VerifierKey
from contracts.signing import SigningKey, verify_bytes
from contracts.tree import EMPTY_ROOT, HASH_SIZE

MAX_PROOF: Final = 63  # lines a witness need read (tlog-witness)

_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,15}")
_TIME: Final = 8
_HASH_LINE: Final = 45  # 32 bytes in Base64, and a newline
MAX_REQUEST: Final = len(f"old {MAX_NUMBER}\n") + MAX_PROOF * _HASH_LINE + len("\n") + MAX_NOTE


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log named `origin` had `size` leaves, and this root."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A witness found the checkpoint consistent with all it had seen, at `at`, Unix seconds."""

    witness: VerifierKey
    at: int


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """What a witness is asked to sign. Nothing of it is verified, `checkpoint` neither."""

    old: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: Checkpoint


def checkpoint_text(checkpoint: Checkpoint) -> bytes:
    """The text that log and witnesses sign."""
    root = b64encode(checkpoint.root)
    return f"{checkpoint.origin}\n{checkpoint.size}\n{root}\n".encode()


def parse_checkpoint(text: bytes) -> Checkpoint:
    """The checkpoint in a note's text; only verified text may be believed.

    Extension lines are refused: nobody can audit them, and our logs write none. Raises `Malformed`.
    """
    try:
        lines = text.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise Malformed("not_text", "checkpoint") from None
    if len(lines) != 4 or not lines[0] or lines[3]:
        raise Malformed("not_a_checkpoint", "checkpoint")
    root = b64decode(lines[2], field="checkpoint", size=HASH_SIZE)
    checkpoint = Checkpoint(lines[0], parse_size(lines[1], field="checkpoint"), root)
    if (checkpoint.size == 0) != (root == EMPTY_ROOT):
        raise Malformed("bad_empty_checkpoint", "checkpoint")
    return checkpoint


def parse_size(text: str, *, field: str) -> int:
    """A size as these forms write it: decimal, no leading zero. Raises `Malformed`."""
    if not _NUMBER.fullmatch(text) or (size := int(text)) > MAX_NUMBER:
        raise Malformed("bad_number", field)
    return size


def sign_checkpoint(checkpoint: Checkpoint, key: SigningKey) -> NoteSignature:
    """The log's signature: its key's name is the log's origin."""
    log = VerifierKey(checkpoint.origin, LOG_KEY, key.public)
    return NoteSignature(log.name, log.key_hash, key.sign_bytes(checkpoint_text(checkpoint)))


def log_signature(note: Note, log: VerifierKey) -> bytes:
    """The log's signature, verified: 64 bytes, as an envelope's `dir` carries them.

    Raises `BadSignature` without one, and `Malformed` with two: Ed25519 makes one for one text.
    """
    found = signatures_by(note, log)
    if not found:
        raise BadSignature("not_signed_by_the_log", "checkpoint")
    for signature in found:
        _verify(log, signature.value, note.text)
    if len(found) > 1:
        raise Malformed("signature_repeated", "checkpoint")
    return found[0].value


def verify_log(note: Note, log: VerifierKey) -> Checkpoint:
    """The checkpoint that this log has signed.

    Raises as `log_signature` and `parse_checkpoint`, and `Refused("other_net")`.
    """
    log_signature(note, log)
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin != log.name:
        raise Refused("other_net", "checkpoint")
    return checkpoint


def check_dir_signature(origin: str, size: int, root: bytes, sig: bytes, log: VerifierKey) -> None:
    """`sig` is the log's own over a checkpoint of this size and root. Raises `BadSignature`."""
    if origin != log.name:
        raise BadSignature("bad_signature", "dir")
    try:
        verify_bytes(log.public, sig, checkpoint_text(Checkpoint(origin, size, root)))
    except BadSignature:
        raise BadSignature("bad_signature", "dir") from None


def cosign(text: bytes, *, name: str, key: SigningKey, at: int) -> NoteSignature:
    """A witness's `cosignature/v1` over a checkpoint's text, `at` Unix seconds, not 0."""
    if not 0 < at <= MAX_NUMBER:
        raise Malformed("bad_number", "at")
    witness = VerifierKey(name, WITNESS_KEY, key.public)
    value = at.to_bytes(_TIME, "big") + key.sign_bytes(_cosigned(text, at))
    return NoteSignature(name, witness.key_hash, value)


def cosignatures(note: Note, witnesses: Iterable[VerifierKey]) -> tuple[Cosignature, ...]:
    """The good cosignatures by these witnesses: of each at most one, its newest.

    Lines by other keys are passed over; a bad one by a key of these spoils the whole note, as
    the specification advises. Raises `BadSignature`. A time of 0 says nothing and does not count,
    nor does one beyond 2⁵³−1.
    """
    found = (_newest(note, witness) for witness in witnesses)
    return tuple(one for one in found if one is not None)


def add_checkpoint_request(old: int, proof: Sequence[bytes], note: Note) -> bytes:
    """The body that asks a witness, who last signed at size `old`, for a cosignature."""
    steps = "".join(f"{b64encode(step)}\n" for step in proof)
    return f"old {old}\n{steps}\n".encode() + render_note(note)


def parse_add_checkpoint(data: bytes) -> AddCheckpoint:
    """What such a body asks. Raises `Malformed`, also where `old` is beyond the checkpoint."""
    if len(data) > MAX_REQUEST:
        raise Malformed("too_large", "request")
    head, blank, rest = data.partition(b"\n\n")
    if not blank:
        raise Malformed("not_a_request", "request")
    old, proof = _head(head)
    note = parse_note(rest)
    checkpoint = parse_checkpoint(note.text)
    if old > checkpoint.size:
        raise Malformed("out_of_range", "old")
    return AddCheckpoint(old, proof, note, checkpoint)


def _head(head: bytes) -> tuple[int, tuple[bytes, ...]]:
    try:
        first, *steps = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise Malformed("not_text", "request") from None
    if not first.startswith("old "):
        raise Malformed("not_a_request", "old")
    if len(steps) > MAX_PROOF:
        raise Malformed("too_many", "proof")
    old = parse_size(first.removeprefix("old "), field="old")
    return old, tuple(b64decode(step, field="proof", size=HASH_SIZE) for step in steps)


def _newest(note: Note, witness: VerifierKey) -> Cosignature | None:
    times = [_time(note.text, one.value, witness) for one in signatures_by(note, witness)]
    said = [at for at in times if 0 < at <= MAX_NUMBER]
    return Cosignature(witness, max(said)) if said else None


def _time(text: bytes, value: bytes, witness: VerifierKey) -> int:
    at = int.from_bytes(value[:_TIME], "big")
    _verify(witness, value[_TIME:], _cosigned(text, at))
    return at


def _cosigned(text: bytes, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n".encode() + text


def _verify(key: VerifierKey, signature: bytes, signed: bytes) -> None:
    try:
        verify_bytes(key.public, signature, signed)
    except BadSignature:
        raise BadSignature("bad_signature", "checkpoint") from None
