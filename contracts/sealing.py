"""Sealing a message and opening an envelope: the only file that touches ciphertext.

Opening follows the agreed order, and every fault is a `Rejected` with a coarse code, whatever
PyNaCl raised (TypeError, ValueError, RuntimeError or CryptoError, depending on the fault).
Step 5, "have I seen this before?", needs a memory and so stands with the caller, between
`verify_envelope` and `decrypt`. Plaintext is its own type and prints nothing of itself.

    sealed = seal(Plaintext(message), key=key, sender=org, to=peer, recipients=keys, ...)
    verified = verify_envelope(body, org=org, secrets=secrets, register=register, ...)
    message = decrypt(verified, secrets).data
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from nacl import bindings
from nacl.exceptions import CryptoError
from nacl.utils import random

from contracts.encoding import h256
from contracts.envelope import (
    CLOCK_SKEW,
    MAX_MESSAGE,
    NO_CHECKPOINT,
    NONCE_SIZE,
    Checkpoint,
    Envelope,
    Header,
    Typ,
    padded_size,
    parse_envelope,
    parse_header,
    render_body,
    render_header,
    transcript_of,
)
from contracts.errors import BadSignature, Malformed, Refused, Rejected
from contracts.identifiers import Eid, KeyId, Mid, OrgId
from contracts.register import Device, EncryptionKey, Register
from contracts.signing import SUITE, SigningKey, key_id, verify_bytes

CONTENT_KEY_SIZE: Final = 32
SECRET_SIZE: Final = 32
_KEY_LABEL: Final = b"rujukan-envelope/1 key\0"
_END_OF_MESSAGE: Final = b"\x80"  # ISO/IEC 7816-4: a mark, then zero bytes
_SODIUM_ERRORS: Final = (CryptoError, TypeError, ValueError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Plaintext:
    """A message in clear. Prints nothing of itself."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class EncryptionKeyPair:
    """A device's X25519 key pair for one week; prints as its key id."""

    public: bytes = field(repr=False)
    secret: bytes = field(repr=False)
    key_id: KeyId

    @classmethod
    def generate(cls) -> Self:
        """A new pair from the operating system's randomness."""
        return cls.from_secret(random(SECRET_SIZE))

    @classmethod
    def from_secret(cls, secret: bytes) -> Self:
        """The pair of a stored 32-byte secret."""
        if len(secret) != SECRET_SIZE:
            raise Malformed("wrong_length", "secret")
        public = bindings.crypto_scalarmult_base(secret)
        return cls(public=public, secret=secret, key_id=key_id(public))


@dataclass(frozen=True, slots=True)
class Sealed:
    """An envelope ready for the outbox. A retry sends `body` again, byte for byte."""

    mid: Mid
    eid: Eid
    body: bytes = field(repr=False)
    exp: int


@dataclass(frozen=True, slots=True)
class Verified:
    """An envelope whose signature, addressing and times hold; its content is still closed.

    `own`: sent by the own organisation (store as sent, no receipt). `addressed`: one of the
    own keys stands in `keys` (otherwise acknowledge and forget).
    """

    envelope: Envelope
    own: bool
    addressed: bool


@dataclass(frozen=True, slots=True)
class Opened:
    """A verified envelope and what it held."""

    verified: Verified
    message: Plaintext


@dataclass(frozen=True, slots=True)
class NotForThisDevice:
    """A verified envelope for the own organisation, sealed to none of this device's keys."""

    verified: Verified


def seal(
    message: Plaintext,
    *,
    key: SigningKey,
    sender: OrgId,
    to: OrgId,
    recipients: Sequence[EncryptionKey],
    contract: str,
    mid: Mid,
    iat: int,
    exp: int,
    typ: Typ = "msg",
    re: Mid | None = None,
    dir: Checkpoint = NO_CHECKPOINT,  # noqa: A002 - the member's name in the agreed form
) -> Sealed:
    """Seal `message` to the given keys and sign it as device `key` of `sender`.

    `iat` and `exp` in Unix seconds. Raises `Refused` where the result would pass a limit.
    """
    keys = tuple(recipient.key_id for recipient in recipients)
    header_bytes = _header_bytes(
        Header(SUITE, typ, mid, sender, key.key_id, to, keys, contract, iat, exp, dir, re)
    )
    if len(message.data) > MAX_MESSAGE:
        raise Refused("too_large", "message")
    publics = [recipient.public for recipient in recipients]
    contents = _contents(message.data, header_bytes, publics)
    transcript = transcript_of(header_bytes, *contents)
    body = render_body(header_bytes, *contents, signature=key.sign_bytes(transcript))
    return Sealed(mid=mid, eid=Eid(h256(transcript).hex()), body=body, exp=exp)


def verify_envelope(
    body: bytes,
    *,
    org: OrgId,
    secrets: Container[KeyId],
    register: Register,
    now: int,
    contracts: Collection[str],
) -> Verified:
    """Steps 1 to 4 of opening: form, device, signature, and what the signed header says.

    `org` is the own organisation, `secrets` the ids of the own encryption keys. Raises
    `Rejected`: too_large, malformed, device_not_certified, bad_signature (all unsigned);
    version_unsupported, not_for_me, time, contract_unknown (signed).
    """
    envelope = _parsed(body)
    header = envelope.header
    device = register.device(header.sender, header.device)
    if device is None or not _certified(device, header, now):
        raise Rejected("device_not_certified", "sk")
    try:
        verify_bytes(device.public, envelope.signature, envelope.transcript)
    except BadSignature:
        raise Rejected("bad_signature", "s") from None
    _check_header(header, org=org, now=now, contracts=contracts)
    return Verified(
        envelope=envelope,
        own=header.sender == org,
        addressed=any(one in secrets for one in header.keys),
    )


def decrypt(verified: Verified, secrets: Mapping[KeyId, EncryptionKeyPair]) -> Plaintext:
    """Steps 6 to 9: unwrap, check header hash and commitment, decrypt, unpad.

    Raises `Rejected("undecryptable", signed=True)`, whichever of them failed: telling more
    would help nobody but an attacker.
    """
    try:
        return _decrypted(verified.envelope, secrets)
    except _SODIUM_ERRORS:
        raise Rejected("undecryptable", signed=True) from None


def open_envelope(
    body: bytes,
    *,
    org: OrgId,
    secrets: Mapping[KeyId, EncryptionKeyPair],
    register: Register,
    now: int,
    contracts: Collection[str],
) -> Opened | NotForThisDevice:
    """`verify_envelope` and `decrypt` in one, for callers without a memory of what was seen."""
    verified = verify_envelope(
        body, org=org, secrets=secrets, register=register, now=now, contracts=contracts
    )
    if not verified.addressed:
        return NotForThisDevice(verified)
    return Opened(verified, decrypt(verified, secrets))


def _header_bytes(header: Header) -> bytes:
    header_bytes = render_header(header)
    try:
        parse_header(header_bytes)  # never send what every reader must refuse
    except Malformed as fault:
        raise Refused(fault.code, fault.field) from None
    return header_bytes


def _contents(
    message: bytes, header: bytes, publics: Sequence[bytes]
) -> tuple[tuple[bytes, ...], bytes, bytes, bytes]:
    """Wraps, commitment, nonce and ciphertext under a new content key."""
    content_key, nonce, header_hash = random(CONTENT_KEY_SIZE), random(NONCE_SIZE), h256(header)
    cipher_key, commitment = _derived(content_key, header_hash)
    ciphertext = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
        _padded(message), header, nonce, cipher_key
    )
    try:
        wraps = tuple(bindings.crypto_box_seal(content_key + header_hash, one) for one in publics)
    except _SODIUM_ERRORS:  # a published key of low order, for instance
        raise Refused("unusable_key", "keys") from None
    return wraps, commitment, nonce, ciphertext


def _derived(content_key: bytes, header_hash: bytes) -> tuple[bytes, bytes]:
    # The commitment stands apart because XChaCha20-Poly1305 does not commit to its key: one
    # ciphertext could be made to open differently for two recipients.
    okm = hashlib.blake2b(_KEY_LABEL + header_hash, key=content_key, digest_size=64).digest()
    return okm[:32], okm[32:]


def _padded(message: bytes) -> bytes:
    return (message + _END_OF_MESSAGE).ljust(padded_size(len(message)), b"\0")


def _unpadded(padded: bytes) -> bytes:
    message, mark, zeros = padded.rpartition(_END_OF_MESSAGE)
    if not mark or zeros.strip(b"\0"):
        raise ValueError
    if len(message) > MAX_MESSAGE or len(padded) != padded_size(len(message)):
        raise ValueError
    return message


def _decrypted(envelope: Envelope, secrets: Mapping[KeyId, EncryptionKeyPair]) -> Plaintext:
    """Raises one of the `_SODIUM_ERRORS`, ours as ValueError."""
    header_hash = h256(envelope.header_bytes)
    content_key = _unwrapped(envelope, secrets, header_hash)
    cipher_key, commitment = _derived(content_key, header_hash)
    if not hmac.compare_digest(commitment, envelope.commitment):
        raise ValueError
    padded = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
        envelope.ciphertext, envelope.header_bytes, envelope.nonce, cipher_key
    )
    return Plaintext(_unpadded(padded))


def _unwrapped(
    envelope: Envelope, secrets: Mapping[KeyId, EncryptionKeyPair], header_hash: bytes
) -> bytes:
    named = zip(envelope.header.keys, envelope.wraps, strict=True)
    own = [(secrets[one], wrap) for one, wrap in named if one in secrets]
    if not own:
        raise ValueError
    pair, wrap = own[0]
    box = bindings.crypto_box_seal_open(wrap, pair.public, pair.secret)
    if not hmac.compare_digest(box[CONTENT_KEY_SIZE:], header_hash):
        raise ValueError  # sealed for another header: to another recipient, or under another id
    return box[:CONTENT_KEY_SIZE]


def _parsed(body: bytes) -> Envelope:
    try:
        return parse_envelope(body)
    except Malformed as fault:
        code = "too_large" if fault.code == "too_large" else "malformed"
        raise Rejected(code, fault.field) from None


def _certified(device: Device, header: Header, now: int) -> bool:
    # The window is compared with the sender's clock, from which it came; the start of effect
    # with ours, because it came from the log's. One that was stopped can date back what it signs.
    in_effect = device.counts_from <= now + CLOCK_SKEW and not device.silenced(now)
    return device.in_window(header.iat) and in_effect


def _check_header(header: Header, *, org: OrgId, now: int, contracts: Collection[str]) -> None:
    faults = (
        (header.suite != SUITE, "version_unsupported", "suite"),
        (org not in (header.to, header.sender), "not_for_me", "to"),
        (header.iat > now + CLOCK_SKEW, "time", "iat"),
        (header.exp <= now - CLOCK_SKEW, "time", "exp"),
        (header.contract not in contracts, "contract_unknown", "contract"),
    )
    for found, code, name in faults:
        if found:
            raise Rejected(code, name, signed=True)
