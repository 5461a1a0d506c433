"""The sealed envelope, version 1: its one byte form, and what a hub may check of it.

This file holds no secret key and cannot decrypt: a hub that imports it learns sender,
recipient organisation, size and times, and nothing else. Clock and register come in as
values. Bodies have exactly one byte form, which is rebuilt and compared, so that a change of
any byte is seen; the header alone is free in form, because it is signed as bytes.

    envelope = parse_envelope(body)
    envelope = check_for_hub(body, org=org, device=device, register=..., routes=..., now=now)
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, cast

from contracts.encoding import (
    JsonInput,
    JsonObject,
    b64decode,
    b64encode,
    bytes_of,
    dump_json,
    h256,
    members,
    number_of,
    object_of,
    parse_object,
    text_of,
    texts_of,
)
from contracts.errors import BadSignature, Malformed, Refused
from contracts.identifiers import (
    Eid,
    KeyId,
    Mid,
    OrgId,
    country_of,
    parse_key_id,
    parse_mid,
    parse_org_id,
)
from contracts.register import Register
from contracts.routing import RouteTable
from contracts.signing import SIGNATURE_SIZE, SUITE, Label, signed_bytes, verify_bytes

MEDIA_TYPE: Final = "application/vnd.rujukan.envelope.v1+json"
VERSION: Final = "rujukan-envelope/1"

# Bounds, all checked before any cryptography: work done for strangers is bounded by them.
MAX_BODY: Final = 512 * 1024  # a 256 KiB message padded, in Base64, with 64 wraps, fits with room
MAX_HEADER: Final = 8 * 1024  # 64 key ids take 2.2 KiB
MAX_MESSAGE: Final = 256 * 1024
MAX_WRAPS: Final = 64
MAX_LIFETIME: Final = 14 * 24 * 3600  # seconds; a key's private half lives a week longer
CLOCK_SKEW: Final = 300  # seconds a sender's clock may run ahead

WRAP_SIZE: Final = 112  # a sealed box (48 bytes) around content key and header hash
COMMITMENT_SIZE: Final = 32
NONCE_SIZE: Final = 24
TAG_SIZE: Final = 16
HASH_SIZE: Final = 32
MIN_BUCKET: Final = 4096  # bytes; below this every message looks alike

_CONTRACT: Final = re.compile(r"[a-z]+(?:-[a-z]+)*/(?:0|[1-9][0-9]{0,3})")
_HEADER_MEMBERS: Final = frozenset(
    ("suite", "typ", "mid", "from", "sk", "to", "keys", "contract", "iat", "exp", "dir")
)

Typ = Literal["msg", "rcpt"]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The newest state of the log the sender had accepted; `sig` is the log's own."""

    size: int
    root: bytes
    sig: bytes


NO_CHECKPOINT: Final = Checkpoint(size=0, root=h256(b""), sig=bytes(SIGNATURE_SIZE))


@dataclass(frozen=True, slots=True)
class Header:
    """What everyone on the way may read; times in Unix seconds."""

    suite: int
    typ: Typ
    mid: Mid
    sender: OrgId  # "from"
    device: KeyId  # "sk"
    to: OrgId
    keys: tuple[KeyId, ...]  # in the order of the wraps
    contract: str
    iat: int
    exp: int
    dir: Checkpoint
    re: Mid | None = None  # receipts only


@dataclass(frozen=True, slots=True, repr=False)
class Envelope:
    """A parsed envelope. Its fields stand in `header_bytes`; nothing is verified by parsing."""

    header_bytes: bytes
    header: Header
    wraps: tuple[bytes, ...]
    commitment: bytes
    nonce: bytes
    ciphertext: bytes
    signature: bytes
    transcript: bytes = field(init=False)  # T, the bytes that the sending device signs
    eid: Eid = field(init=False)

    def __post_init__(self) -> None:
        transcript = transcript_of(
            self.header_bytes, self.wraps, self.commitment, self.nonce, self.ciphertext
        )
        object.__setattr__(self, "transcript", transcript)
        object.__setattr__(self, "eid", Eid(h256(transcript).hex()))

    @property
    def raw(self) -> bytes:
        """The one byte form of the body."""
        return render_body(
            self.header_bytes,
            self.wraps,
            self.commitment,
            self.nonce,
            self.ciphertext,
            signature=self.signature,
        )

    def __repr__(self) -> str:
        return f"Envelope({self.eid})"  # wraps and ciphertext belong in no log


def parse_envelope(body: bytes) -> Envelope:
    """Read a body of the one byte form, within all limits.

    Raises `Malformed`; its code is `too_large` where a size limit is passed.
    """
    texts = _texts(body)
    header_bytes = b64decode(texts.h, field="h")
    header = parse_header(header_bytes)
    if len(texts.w) != len(header.keys):
        raise Malformed("wrong_number_of_wraps", "w")
    return Envelope(
        header_bytes=header_bytes,
        header=header,
        wraps=tuple(b64decode(text, field="w", size=WRAP_SIZE) for text in texts.w),
        commitment=b64decode(texts.com, field="com", size=COMMITMENT_SIZE),
        nonce=b64decode(texts.n, field="n", size=NONCE_SIZE),
        ciphertext=_ciphertext(texts.c),
        signature=b64decode(texts.s, field="s", size=SIGNATURE_SIZE),
    )


def parse_header(data: bytes) -> Header:
    """Read a header, in whatever white space and order its sender signed. Raises `Malformed`."""
    try:
        return _header(parse_object(data, limit=MAX_HEADER))
    except Malformed as fault:
        raise Malformed(fault.code, fault.field or "h") from None


def render_header(header: Header) -> bytes:
    """The header as a sender writes it, once; from then on it is carried as these bytes."""
    fields: dict[str, JsonInput] = {
        "suite": header.suite,
        "typ": header.typ,
        "mid": header.mid,
        "from": header.sender,
        "sk": header.device,
        "to": header.to,
        "keys": header.keys,
        "contract": header.contract,
        "iat": header.iat,
        "exp": header.exp,
        "dir": _rendered_checkpoint(header.dir),
    }
    if header.re is not None:
        fields["re"] = header.re
    return dump_json(fields)


def transcript_of(
    header: bytes, wraps: Sequence[bytes], commitment: bytes, nonce: bytes, ciphertext: bytes
) -> bytes:
    """T: everything of an envelope but its signature, the ciphertext as SHA-512."""
    digest = hashlib.sha512(ciphertext).digest()
    return signed_bytes(Label.ENVELOPE, header, b"".join(wraps), commitment, nonce, digest)


def render_body(
    header: bytes,
    wraps: Sequence[bytes],
    commitment: bytes,
    nonce: bytes,
    ciphertext: bytes,
    *,
    signature: bytes,
) -> bytes:
    """The one byte form: members in this order, no white space, no escapes."""
    h, com, n, c, s = map(b64encode, (header, commitment, nonce, ciphertext, signature))
    return _Texts(h, tuple(map(b64encode, wraps)), com, n, c, s).render()


def padded_size(length: int) -> int:
    """The size to which a message of `length` bytes is padded (Padmé, PoPETs 2019(4), §4).

    At most 12 % more, and all that the size still tells is O(log log length) bits.
    """
    size = max(MIN_BUCKET, length + 1)
    exponent = size.bit_length() - 1
    step = 1 << (exponent - exponent.bit_length())
    return -(-size // step) * step


MAX_CIPHERTEXT: Final = padded_size(MAX_MESSAGE) + TAG_SIZE


def check_for_hub(
    body: bytes, *, org: OrgId, device: KeyId, register: Register, routes: RouteTable, now: int
) -> Envelope:
    """All that a hub can check without a secret, in the agreed order.

    `org` and `device` are those of the login. Replays are the store's business. Raises
    `Refused` with one of: malformed, too_large, not_your_device, device_not_certified,
    bad_signature, version_unsupported, no_route, unknown_recipient, keys_changed, expired,
    from_the_future.
    """
    envelope = _parsed_for_hub(body)
    header = envelope.header
    if (header.sender, header.device) != (org, device):
        raise Refused("not_your_device", "sk")
    signer = register.device(org, device)
    if signer is None or not signer.in_force(now):
        raise Refused("device_not_certified", "sk")
    # Every desk compares the window with `iat`, and answers a strange device with nothing at all:
    # carried, such an envelope would vanish at its receiver without a receipt.
    if not signer.in_window(header.iat):
        raise Refused("device_not_certified", "iat")
    try:
        verify_bytes(signer.public, envelope.signature, envelope.transcript)
    except BadSignature:
        raise Refused("bad_signature", "s") from None
    if header.suite != SUITE:
        raise Refused("version_unsupported", "suite")
    _check_way(header, register=register, routes=routes, now=now)
    _check_times(header, now)
    return envelope


def _parsed_for_hub(body: bytes) -> Envelope:
    try:
        return parse_envelope(body)
    except Malformed as fault:
        code = "too_large" if fault.code == "too_large" else "malformed"
        raise Refused(code, fault.field) from None


def _check_way(header: Header, *, register: Register, routes: RouteTable, now: int) -> None:
    ends = (register.organisation(header.sender), register.organisation(header.to))
    kinds = [end.kind for end in ends if end is not None]
    if not routes.carries(country_of(header.sender), country_of(header.to), kinds=kinds):
        raise Refused("no_route", "to")
    if register.organisation(header.to) is None:
        raise Refused("unknown_recipient", "to")
    register.check_recipients(
        header.keys,
        to=header.to,
        sender=header.sender,
        sender_device=header.device,
        iat=header.iat,
        now=now,
    )


def _check_times(header: Header, now: int) -> None:
    if header.exp <= now:
        raise Refused("expired", "exp")
    if header.iat > now + CLOCK_SKEW:
        raise Refused("from_the_future", "iat")


@dataclass(frozen=True, slots=True)
class _Texts:
    """The texts of a body's members."""

    h: str
    w: tuple[str, ...]
    com: str
    n: str
    c: str
    s: str

    def render(self) -> bytes:
        # Base64 holds nothing that JSON would escape, so this is JSON without an encoder's
        # passes over the ciphertext.
        w = '","'.join(self.w)
        text = (
            f'{{"env":"{VERSION}","h":"{self.h}","w":["{w}"],'
            f'"com":"{self.com}","n":"{self.n}","c":"{self.c}","s":"{self.s}"}}'
        )
        return text.encode("ascii")


# A body of n wraps has 13 + n strings, so it falls into 27 + 2n pieces at its quotation marks.
_MARKS_BESIDE_WRAPS: Final = 26


def _texts(body: bytes) -> _Texts:
    """Cut a body at its quotation marks and accept it only if it can be rebuilt from the pieces.

    There is one byte form, so nothing else needs to be parsed: white space, escapes, another
    order, a member too many, twice or too few, all make another body than the rebuilt one.
    """
    if len(body) > MAX_BODY:
        raise Malformed("too_large")
    most = _MARKS_BESIDE_WRAPS + 2 * MAX_WRAPS
    try:
        pieces = body.decode("ascii").split('"', most)
    except UnicodeDecodeError:
        raise Malformed("not_the_one_form") from None
    if len(pieces) < _MARKS_BESIDE_WRAPS + 3:
        raise Malformed("not_the_one_form")
    com, n, c, s = pieces[-14::4]
    texts = _Texts(h=pieces[7], w=tuple(pieces[11:-17:2]), com=com, n=n, c=c, s=s)
    if texts.render() != body:
        raise Malformed("not_the_one_form")
    return texts


def _ciphertext(text: str) -> bytes:
    ciphertext = b64decode(text, field="c")
    if len(ciphertext) > MAX_CIPHERTEXT:
        raise Malformed("too_large", "c")
    return ciphertext


def _header(fields: JsonObject) -> Header:
    typ = text_of(fields, "typ")
    if typ not in ("msg", "rcpt"):
        raise Malformed("unknown_typ", "typ")
    receipt = frozenset({"re"}) if typ == "rcpt" else frozenset[str]()
    members(fields, required=_HEADER_MEMBERS | receipt)
    iat, exp = number_of(fields, "iat"), number_of(fields, "exp")
    if not 0 < exp - iat <= MAX_LIFETIME:
        raise Malformed("bad_lifetime", "exp")
    return Header(
        suite=number_of(fields, "suite"),
        typ=cast(Typ, typ),
        mid=parse_mid(text_of(fields, "mid")),
        sender=parse_org_id(text_of(fields, "from"), field="from"),
        device=parse_key_id(text_of(fields, "sk")),
        to=parse_org_id(text_of(fields, "to"), field="to"),
        keys=_keys(fields),
        contract=_contract(fields),
        iat=iat,
        exp=exp,
        dir=_checkpoint(object_of(fields, "dir")),
        re=parse_mid(text_of(fields, "re"), field="re") if receipt else None,
    )


def _keys(fields: JsonObject) -> tuple[KeyId, ...]:
    texts = texts_of(fields, "keys")
    if not 1 <= len(texts) <= MAX_WRAPS:
        raise Malformed("wrong_number_of_keys", "keys")
    if len(set(texts)) != len(texts):
        raise Malformed("repeated_key", "keys")
    return tuple(parse_key_id(text, field="keys") for text in texts)


def _contract(fields: JsonObject) -> str:
    contract = text_of(fields, "contract")
    if not _CONTRACT.fullmatch(contract):
        raise Malformed("bad_contract", "contract")
    return contract


def _checkpoint(fields: JsonObject) -> Checkpoint:
    try:
        members(fields, required={"size", "root", "sig"})
        checkpoint = Checkpoint(
            size=number_of(fields, "size"),
            root=bytes_of(fields, "root", size=HASH_SIZE),
            sig=bytes_of(fields, "sig", size=SIGNATURE_SIZE),
        )
    except Malformed as fault:
        raise Malformed(fault.code, "dir") from None
    if checkpoint.size == 0 and checkpoint != NO_CHECKPOINT:
        raise Malformed("bad_empty_checkpoint", "dir")
    return checkpoint


def _rendered_checkpoint(checkpoint: Checkpoint) -> Mapping[str, JsonInput]:
    return {
        "size": checkpoint.size,
        "root": b64encode(checkpoint.root),
        "sig": b64encode(checkpoint.sig),
    }
