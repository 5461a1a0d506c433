"""Login by signature: there are no passwords on the servers.

The proof names the server it is meant for as the client's own root file names it, so that a
false server cannot pass it on to the true one. Whether a nonce was given out, is still fresh
and unused is the server's to know, not this file's.

    data = sign_login(LoginProof(server=hub.id, ...), key)
    proof = read_login(data, server=own_id, nonce=claimed_nonce(data), now=now, lookup=device_key)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from contracts.encoding import (
    b64encode,
    bytes_of,
    dump_json,
    members,
    number_of,
    parse_object,
    text_of,
)
from contracts.errors import Malformed, Refused
from contracts.identifiers import KeyId, OrgId, parse_key_id, parse_org_id
from contracts.signing import Label, SigningKey, parse_signed, render_signed, verify

NONCE_SIZE: Final = 32
MAX_LOGIN: Final = 2048  # bytes; a proof is under 600
CLOCK_SKEW: Final = 300  # seconds, either way

# From organisation and signing key id to the public key of a device in force, or None.
DeviceKey = Callable[[OrgId, KeyId], bytes | None]


@dataclass(frozen=True, slots=True)
class LoginProof:
    """Who asks to be let in, where; `iat` in Unix seconds."""

    server: KeyId
    org: OrgId
    device: KeyId  # "sk"
    nonce: bytes = field(repr=False)
    iat: int


def sign_login(proof: LoginProof, key: SigningKey) -> bytes:
    """The proof as JSON text {"b", "s"}."""
    body = dump_json(
        {
            "v": 1,
            "server": proof.server,
            "org": proof.org,
            "sk": proof.device,
            "nonce": b64encode(proof.nonce),
            "iat": proof.iat,
        }
    )
    return render_signed(body, key.sign(Label.LOGIN, body))


def claimed_nonce(data: bytes) -> bytes:
    """The nonce a proof names, unverified: only for looking it up before `read_login`."""
    body, _signature = parse_signed(data, limit=MAX_LOGIN)
    return _parsed(body).nonce


def read_login(
    data: bytes, *, server: KeyId, nonce: bytes, now: int, lookup: DeviceKey
) -> LoginProof:
    """The verified proof.

    Raises `Malformed`, `BadSignature`, or `Refused` with one of: device_not_certified,
    another_server, another_nonce, clock.
    """
    body, signature = parse_signed(data, limit=MAX_LOGIN)
    proof = _parsed(body)
    public = lookup(proof.org, proof.device)
    if public is None:
        raise Refused("device_not_certified", "sk")
    verify(public, signature, Label.LOGIN, body)
    if proof.server != server:
        raise Refused("another_server", "server")
    if proof.nonce != nonce:
        raise Refused("another_nonce", "nonce")
    if abs(proof.iat - now) > CLOCK_SKEW:
        raise Refused("clock", "iat")
    return proof


def _parsed(body: bytes) -> LoginProof:
    fields = parse_object(body, limit=MAX_LOGIN)
    members(fields, required={"v", "server", "org", "sk", "nonce", "iat"})
    if number_of(fields, "v") != 1:
        raise Malformed("unknown_version", "v")
    return LoginProof(
        server=parse_key_id(text_of(fields, "server"), field="server"),
        org=parse_org_id(text_of(fields, "org")),
        device=parse_key_id(text_of(fields, "sk")),
        nonce=bytes_of(fields, "nonce", size=NONCE_SIZE),
        iat=number_of(fields, "iat"),
    )
