"""Whoever cannot sign for a certified device, here and now, stays out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.encoding import h256
from contracts.errors import BadSignature, ContractError, Malformed, Refused
from contracts.identifiers import KeyId, OrgId
from contracts.login import LoginProof, claimed_nonce, read_login, sign_login
from contracts.signing import SigningKey
from tests.unit.contracts.world import BD, MY, NOW

DEVICE = SigningKey.from_seed(h256(b"device"))
STRANGER = SigningKey.from_seed(h256(b"stranger"))
SERVER = SigningKey.from_seed(h256(b"hub")).key_id
ANOTHER_SERVER = STRANGER.key_id
NONCE = h256(b"nonce")
PROOF = LoginProof(SERVER, MY, DEVICE.key_id, NONCE, NOW)


def lookup(org: OrgId, device: KeyId) -> bytes | None:
    return DEVICE.public if (org, device) == (MY, DEVICE.key_id) else None


def read(data: bytes, *, nonce: bytes = NONCE, now: int = NOW) -> LoginProof:
    return read_login(data, server=SERVER, nonce=nonce, now=now, lookup=lookup)


def test_a_certified_device_is_let_in() -> None:
    data = sign_login(PROOF, DEVICE)
    assert read(data) == PROOF
    assert claimed_nonce(data) == NONCE


def test_a_proof_for_another_server_cannot_be_passed_on() -> None:
    with pytest.raises(Refused, match="another server"):
        read(sign_login(replace(PROOF, server=ANOTHER_SERVER), DEVICE))


def test_a_recorded_proof_does_not_fit_a_new_nonce() -> None:
    with pytest.raises(Refused, match="another nonce"):
        read(sign_login(PROOF, DEVICE), nonce=h256(b"a later nonce"))


@pytest.mark.parametrize(
    "proof", [replace(PROOF, org=BD), replace(PROOF, device=STRANGER.key_id)], ids=["org", "device"]
)
def test_a_device_nobody_certified_is_refused(proof: LoginProof) -> None:
    with pytest.raises(Refused, match="device not certified"):
        read(sign_login(proof, DEVICE))


def test_a_proof_signed_by_another_key_is_refused() -> None:
    with pytest.raises(BadSignature):
        read(sign_login(PROOF, STRANGER))


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_a_clock_300_seconds_off_is_borne(seconds: int) -> None:
    assert read(sign_login(PROOF, DEVICE), now=NOW + seconds) == PROOF


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_clock_further_off_is_not(seconds: int) -> None:
    with pytest.raises(Refused, match="clock"):
        read(sign_login(PROOF, DEVICE), now=NOW + seconds)


def test_a_nonce_of_another_length_is_refused() -> None:
    with pytest.raises(Malformed, match="nonce"):
        read(sign_login(replace(PROOF, nonce=NONCE[:31]), DEVICE))


def test_the_nonce_does_not_print_itself() -> None:
    assert NONCE.hex() not in repr(PROOF)
    assert repr(NONCE) not in repr(PROOF)


@given(st.data())
def test_no_changed_bit_is_let_in(data: st.DataObject) -> None:
    signed = bytearray(sign_login(PROOF, DEVICE))
    at = data.draw(st.integers(0, len(signed) * 8 - 1))
    signed[at // 8] ^= 1 << at % 8
    with pytest.raises(ContractError):
        read(bytes(signed))
