"""Attacks on sealing and opening, each by its name."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl import bindings

from contracts.encoding import h256
from contracts.envelope import (
    MAX_LIFETIME,
    MAX_MESSAGE,
    Envelope,
    parse_envelope,
    render_header,
    transcript_of,
)
from contracts.errors import Malformed, Refused, Rejected
from contracts.identifiers import Mid, OrgId
from contracts.register import EncryptionKey
from contracts.sealing import (
    EncryptionKeyPair,
    NotForThisDevice,
    Opened,
    Plaintext,
    Verified,
    decrypt,
    seal,
    verify_envelope,
)
from contracts.signing import SigningKey
from tests.unit.contracts.world import (
    BD,
    CONTRACTS,
    DAY,
    MID,
    MY,
    NOW,
    TH,
    Desk,
    DeviceFacts,
    desk,
    register_of,
    usual_facts,
    world,
)

HERE = world()
CANARY = b"CANARY-Nirmala-was-here"


def message_of(body: bytes, by: Desk = HERE.bd_1, now: int = NOW) -> bytes:
    opened = HERE.opened(body, by=by, now=now)
    assert isinstance(opened, Opened)
    return opened.message.data


def rejection(body: bytes, by: Desk = HERE.bd_1, now: int = NOW) -> tuple[str, bool]:
    with pytest.raises(Rejected) as caught:
        HERE.opened(body, by=by, now=now)
    return caught.value.code, caught.value.signed


def verified(body: bytes, by: Desk = HERE.bd_1) -> Verified:
    return verify_envelope(
        body, org=by.org, secrets={by.pair.key_id}, register=HERE.register, now=NOW,
        contracts=CONTRACTS,
    )  # fmt: skip


def resigned(envelope: Envelope, key: SigningKey, **changes: Any) -> bytes:
    """The envelope with changed parts, under this key's signature."""
    changed = replace(envelope, **changes)
    return replace(changed, signature=key.sign_bytes(changed.transcript)).raw


def content_key(envelope: Envelope, by: Desk) -> bytes:
    """What every recipient holds after opening."""
    wrap = envelope.wraps[envelope.header.keys.index(by.pair.key_id)]
    return bindings.crypto_box_seal_open(wrap, by.pair.public, by.pair.secret)[:32]


def encrypted(message: bytes, *, header: bytes, nonce: bytes, key: bytes) -> tuple[bytes, bytes]:
    """Ciphertext and commitment that a holder of the content key can make."""
    okm = bindings.crypto_generichash.generichash_blake2b_salt_personal(
        b"rujukan-envelope/1 key\0" + h256(header), digest_size=64, key=key
    )
    padded = (message + b"\x80").ljust(4096, b"\0")
    cipher = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(padded, header, nonce, okm[:32])
    return cipher, okm[32:]


# --- what must work


@settings(max_examples=40)
@given(st.binary(max_size=20_000) | st.integers(0, MAX_MESSAGE).map(bytes))
def test_whatever_is_sealed_is_opened_by_each_recipient_and_by_nobody_else(message: bytes) -> None:
    body = HERE.sealed(message, recipients=(HERE.bd_2, HERE.bd_1)).body
    assert message_of(body, HERE.bd_1) == message_of(body, HERE.bd_2) == message
    assert isinstance(HERE.opened(body, by=HERE.my_2), NotForThisDevice)
    assert rejection(body, HERE.th_1) == ("not_for_me", True)


def test_the_recipients_a_register_names_are_those_that_can_open() -> None:
    keys = HERE.register.recipients(to=BD, sender=MY, sender_device=HERE.my_1.key.key_id, now=NOW)
    sealed = seal(
        Plaintext(b"x"), key=HERE.my_1.key, sender=MY, to=BD, recipients=keys,
        contract="case-referral/1", mid=MID, iat=NOW, exp=NOW + DAY,
    )  # fmt: skip
    assert [message_of(sealed.body, by) for by in (HERE.bd_1, HERE.bd_2, HERE.my_2)] == [b"x"] * 3
    assert isinstance(HERE.opened(sealed.body, by=HERE.my_1), NotForThisDevice)


def test_what_a_colleague_sent_is_known_as_our_own() -> None:
    body = HERE.sealed(recipients=(HERE.bd_1, HERE.my_2)).body
    assert verified(body, HERE.my_2).own
    assert not verified(body, HERE.bd_1).own


@pytest.mark.parametrize("length", [0, 1, 100, 4095])
def test_short_messages_are_told_apart_by_nothing(length: int) -> None:
    assert len(HERE.sealed(b"x" * length).body) == len(HERE.sealed(b"").body)


# --- attacks from outside


def test_strip_and_re_sign_under_the_senders_name() -> None:
    envelope = parse_envelope(HERE.sealed().body)
    assert rejection(resigned(envelope, HERE.th_1.key)) == ("bad_signature", False)


def test_strip_and_re_sign_under_the_thiefs_own_name() -> None:
    # A certified third party takes wraps and ciphertext and claims to have written them.
    envelope = parse_envelope(HERE.sealed(CANARY).body)
    header = replace(envelope.header, sender=TH, device=HERE.th_1.key.key_id)
    body = resigned(envelope, HERE.th_1.key, header_bytes=render_header(header), header=header)
    assert rejection(body) == ("undecryptable", True)


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": NOW + 2 * DAY},
        {"mid": Mid("00" * 16)},
        {"to": TH},
        {"contract": "receipt/1"},
        {"iat": NOW - 1},
        {"typ": "rcpt", "re": MID},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_header_rewrite(changes: dict[str, Any]) -> None:
    envelope = parse_envelope(HERE.sealed().body)
    header = replace(envelope.header, **changes)
    body = replace(envelope, header=header, header_bytes=render_header(header)).raw
    assert rejection(body) == ("bad_signature", False)


def test_header_rewrite_that_means_the_same() -> None:
    # The header is signed as bytes: a white space is another header.
    envelope = parse_envelope(HERE.sealed().body)
    spaced = envelope.header_bytes.replace(b",", b", ", 1)
    assert rejection(replace(envelope, header_bytes=spaced).raw) == ("bad_signature", False)


def test_version_edit() -> None:
    body = HERE.sealed().body
    assert rejection(body.replace(b"envelope/1", b"envelope/2", 1)) == ("malformed", False)
    assert rejection(body.replace(b"envelope/1", b"envelope/0", 1)) == ("malformed", False)


def test_suite_edit_by_the_sender_itself() -> None:
    envelope = parse_envelope(HERE.sealed().body)
    header = replace(envelope.header, suite=2)
    changed = {"header": header, "header_bytes": render_header(header)}
    body = resigned(envelope, HERE.my_1.key, **changed)
    assert rejection(body) == ("version_unsupported", True)


@pytest.mark.parametrize("member", [b',"x":1', b',"alg":"none"', b',"s":"AA=="'])
def test_extra_member(member: bytes) -> None:
    body = HERE.sealed().body
    assert rejection(body[:-1] + member + b"}") == ("malformed", False)


def test_duplicate_key() -> None:
    body = HERE.sealed().body
    assert rejection(body.replace(b'"com":', b'"com":"","com":')) == ("malformed", False)


def test_replay_into_another_organisation() -> None:
    assert rejection(HERE.sealed().body, HERE.th_1) == ("not_for_me", True)


def test_expiry_and_clock() -> None:
    body = HERE.sealed(life=600).body
    assert message_of(body, now=NOW - 300) == message_of(body, now=NOW + 899)
    assert rejection(body, now=NOW - 301) == ("time", True)
    assert rejection(body, now=NOW + 900) == ("time", True)


def test_a_device_certified_for_another_organisation() -> None:
    borrowed = replace(HERE.my_1, org=TH)
    assert rejection(HERE.sealed(sender=borrowed).body) == ("device_not_certified", False)


@pytest.mark.parametrize("iat", [NOW - 30 * DAY - 1, NOW + 300 * DAY])
def test_an_envelope_signed_outside_its_devices_window(iat: int) -> None:
    body = HERE.sealed(iat=iat).body
    assert rejection(body, now=iat) == ("device_not_certified", False)


def test_a_device_still_waiting_for_its_certificate_to_count() -> None:
    # A stolen root key can certify a device, but not at once: an admin's signature is missing.
    facts = [DeviceFacts(HERE.bd_1, NOW - 2 * DAY, NOW + 9 * DAY)]
    facts += [DeviceFacts(HERE.my_1, NOW + 3600, NOW + 9 * DAY)]
    here = replace(HERE, register=register_of(facts))
    body = HERE.sealed(iat=NOW + 3600).body
    with pytest.raises(Rejected, match="device not certified"):
        here.opened(body, now=NOW + 3300 - 1)
    assert isinstance(here.opened(body, now=NOW + 3300), Opened)


# --- attacks by a recipient


def test_surreptitious_forwarding_of_the_whole_envelope() -> None:
    # BD opens what MY sent and seals the content key to TH, keeping MY's signature.
    envelope = parse_envelope(HERE.sealed(CANARY).body)
    inner = content_key(envelope, HERE.bd_1) + h256(envelope.header_bytes)
    wrap = bindings.crypto_box_seal(inner, HERE.th_1.pair.public)
    assert rejection(replace(envelope, wraps=(wrap,)).raw, HERE.th_1) == ("bad_signature", False)


def test_surreptitious_forwarding_of_the_ciphertext() -> None:
    # BD claims MY's very ciphertext as its own towards TH: the header hash is not TH's.
    envelope = parse_envelope(HERE.sealed(CANARY).body)
    header = replace(
        envelope.header, sender=BD, device=HERE.bd_1.key.key_id, to=TH,
        keys=(HERE.th_1.pair.key_id,),
    )  # fmt: skip
    header_bytes, key = render_header(header), content_key(envelope, HERE.bd_1)
    for header_hash in (h256(envelope.header_bytes), h256(header_bytes)):
        wrap = bindings.crypto_box_seal(key + header_hash, HERE.th_1.pair.public)
        _, commitment = encrypted(b"", header=header_bytes, nonce=envelope.nonce, key=key)
        for com in (envelope.commitment, commitment):
            body = resigned(
                envelope, HERE.bd_1.key, header=header, header_bytes=header_bytes, wraps=(wrap,),
                commitment=com,
            )  # fmt: skip
            assert rejection(body, HERE.th_1) == ("undecryptable", True)


def test_insider_rewrite_by_one_of_several_recipients() -> None:
    # BD's second desk knows the content key and writes something else for the first.
    envelope = parse_envelope(HERE.sealed(recipients=(HERE.bd_1, HERE.bd_2)).body)
    key = content_key(envelope, HERE.bd_2)
    cipher, commitment = encrypted(
        b"changed", header=envelope.header_bytes, nonce=envelope.nonce, key=key
    )
    changed: dict[str, Any] = {"ciphertext": cipher, "commitment": commitment}
    assert rejection(replace(envelope, **changed).raw) == ("bad_signature", False)
    # Even signed by a desk of its own it would have to be under a header that says so.
    assert rejection(resigned(envelope, HERE.bd_2.key, **changed)) == ("bad_signature", False)


def test_a_sender_cannot_tell_two_recipients_two_stories() -> None:
    # One ciphertext, two content keys: only one of them can be committed to.
    envelope = parse_envelope(HERE.sealed(recipients=(HERE.bd_1, HERE.bd_2)).body)
    other = h256(b"another content key") + h256(envelope.header_bytes)
    wraps = envelope.wraps[0], bindings.crypto_box_seal(other, HERE.bd_2.pair.public)
    body = resigned(envelope, HERE.my_1.key, wraps=wraps)
    assert message_of(body, HERE.bd_1) == b'{"v":"0.1"}'
    assert rejection(body, HERE.bd_2) == ("undecryptable", True)


def test_a_commitment_to_another_key() -> None:
    envelope = parse_envelope(HERE.sealed().body)
    body = resigned(envelope, HERE.my_1.key, commitment=h256(b"x"))
    assert rejection(body) == ("undecryptable", True)


@pytest.mark.parametrize(
    "padded",
    [
        bytes(4096),
        b"x" * 4096,
        (CANARY + b"\x80").ljust(4095, b"\0") + b"\1",
        (CANARY + b"\x80").ljust(4095, b"\0"),
        (CANARY + b"\x80").ljust(4097, b"\0"),
        (CANARY + b"\x80").ljust(4352, b"\0"),
        CANARY + b"\x80",
        b"",
        (b"x" * (MAX_MESSAGE + 1) + b"\x80").ljust(270336, b"\0"),
    ],
    ids=["zeros", "no mark", "byte after the mark", "4095", "4097", "next bucket", "unpadded",
         "nothing", "message too long"],
)  # fmt: skip
def test_a_padding_that_is_not_the_one(padded: bytes) -> None:
    envelope = parse_envelope(HERE.sealed().body)
    header = envelope.header_bytes
    okm = bindings.crypto_generichash.generichash_blake2b_salt_personal(
        b"rujukan-envelope/1 key\0" + h256(header),
        digest_size=64,
        key=content_key(envelope, HERE.bd_1),
    )
    ciphertext = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
        padded, header, envelope.nonce, okm[:32]
    )
    body = resigned(envelope, HERE.my_1.key, ciphertext=ciphertext)
    assert rejection(body) == ("undecryptable", True)


# --- one exception type, and nothing in it


BROKEN: Sequence[dict[str, Any]] = (
    {"nonce": b""},
    {"nonce": bytes(23)},
    {"ciphertext": b""},
    {"ciphertext": bytes(15)},
    {"ciphertext": bytes(4112)},
    {"wraps": (b"",)},
    {"wraps": (bytes(47),)},
    {"wraps": (bytes(112),)},
    {"wraps": ()},
    {"commitment": b""},
)


@pytest.mark.parametrize("changes", BROKEN, ids=str)
def test_every_fault_of_the_library_becomes_one_exception(changes: dict[str, Any]) -> None:
    found = verified(HERE.sealed(CANARY).body)
    broken = replace(found, envelope=replace(found.envelope, **changes))
    with pytest.raises(Rejected) as caught:
        decrypt(broken, {HERE.bd_1.pair.key_id: HERE.bd_1.pair})
    assert (caught.value.code, caught.value.signed) == ("undecryptable", True)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("pair", [("public", b""), ("secret", b""), ("secret", "text")], ids=str)
def test_a_broken_key_pair_becomes_the_same_exception(pair: tuple[str, Any]) -> None:
    found = verified(HERE.sealed(CANARY).body)
    broken = replace(HERE.bd_1.pair, **dict([pair]))
    with pytest.raises(Rejected, match="undecryptable"):
        decrypt(found, {broken.key_id: broken})


def test_without_a_key_nothing_is_decrypted() -> None:
    with pytest.raises(Rejected, match="undecryptable"):
        decrypt(verified(HERE.sealed().body), {})


def test_no_traceback_of_a_failed_opening_holds_the_message() -> None:
    envelope = parse_envelope(HERE.sealed(CANARY).body)
    key = content_key(envelope, HERE.bd_1)
    cipher, _ = encrypted(CANARY, header=envelope.header_bytes, nonce=envelope.nonce, key=key)
    body = resigned(envelope, HERE.my_1.key, ciphertext=cipher[:-1] + b"\0")
    with pytest.raises(Rejected) as caught:
        HERE.opened(body)
    text = "".join(traceback.format_exception(caught.value))
    assert "CANARY" not in text
    assert "nacl" not in text


def test_nothing_secret_prints_itself() -> None:
    sealed = HERE.sealed(CANARY)
    opened = HERE.opened(sealed.body)
    assert isinstance(opened, Opened)
    text = f"{opened!r} {opened} {opened.message!r} {sealed!r} {HERE.bd_1.pair!r}"
    for secret in (CANARY, HERE.bd_1.pair.secret, HERE.my_1.key.seed):
        assert repr(secret)[2:-1] not in text
        assert secret.hex() not in text
    assert HERE.bd_1.pair.key_id in repr(HERE.bd_1.pair)
    assert len(text) < 1000


# --- what a sender must not be able to make


def order(**changes: Any) -> dict[str, Any]:
    usual = {
        "key": HERE.my_1.key, "sender": MY, "to": BD, "recipients": [HERE.bd_1.published],
        "contract": "case-referral/1", "mid": MID, "iat": NOW, "exp": NOW + DAY,
    }  # fmt: skip
    return usual | changes


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"recipients": []}, "wrong_number_of_keys"),
        ({"recipients": [HERE.bd_1.published] * 2}, "repeated_key"),
        ({"recipients": [desk(BD, str(n)).published for n in range(65)]}, "wrong_number_of_keys"),
        ({"exp": NOW}, "bad_lifetime"),
        ({"exp": NOW + MAX_LIFETIME + 1}, "bad_lifetime"),
        ({"contract": "case-referral/0.1"}, "bad_contract"),
        ({"mid": Mid("mid")}, "bad_identifier"),
        ({"to": OrgId("Hope Shelter")}, "bad_identifier"),
        ({"typ": "rcpt"}, "missing_member"),
        ({"re": MID}, "unknown_member"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_what_every_reader_must_refuse_is_never_sealed(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as caught:
        seal(Plaintext(CANARY), **order(**changes))
    assert caught.value.code == code
    assert "CANARY" not in str(caught.value)


def test_a_message_too_long_is_never_sealed() -> None:
    with pytest.raises(Refused, match="too large, in message"):
        seal(Plaintext(bytes(MAX_MESSAGE + 1)), **order())


@pytest.mark.parametrize("public", [bytes(32), bytes(31), bytes([1]) + bytes(31)])
def test_a_key_of_no_use_is_never_sealed_to(public: bytes) -> None:
    weak = EncryptionKey(HERE.bd_1.pair.key_id, public, NOW - DAY, NOW + DAY)
    with pytest.raises(Refused, match="unusable key"):
        seal(Plaintext(CANARY), **order(recipients=[weak]))


def test_a_stored_secret_gives_the_pair_again() -> None:
    made = EncryptionKeyPair.generate()
    assert EncryptionKeyPair.from_secret(made.secret) == made
    with pytest.raises(Malformed, match="secret"):
        EncryptionKeyPair.from_secret(bytes(31))


def test_the_id_is_the_hash_of_all_that_is_signed() -> None:
    sealed = HERE.sealed()
    e = parse_envelope(sealed.body)
    transcript = transcript_of(e.header_bytes, e.wraps, e.commitment, e.nonce, e.ciphertext)
    assert sealed.eid == h256(transcript).hex()
    assert usual_facts([HERE.my_1])[0].desk.key.key_id == e.header.device
