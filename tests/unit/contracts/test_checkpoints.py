"""Checkpoints and cosignatures, to the byte of the C2SP specifications."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.checkpoints import (
    MAX_PROOF,
    Checkpoint,
    Cosignature,
    add_checkpoint_request,
    check_dir_signature,
    checkpoint_text,
    cosign,
    cosignatures,
    log_signature,
    parse_add_checkpoint,
    parse_checkpoint,
    parse_size,
    sign_checkpoint,
    verify_log,
)
from contracts.encoding import MAX_NUMBER, b64encode
from contracts.errors import BadSignature, ContractError, Malformed, Refused
from contracts.notes import (
    MAX_NOTE,
    Note,
    NoteSignature,
    parse_note,
    parse_signatures,
    render_note,
    render_signatures,
    signed_note,
)
from contracts.root import LOG_KEY, WITNESS_KEY, VerifierKey, parse_vkey
from contracts.signing import SigningKey
from contracts.tree import EMPTY_ROOT

ORIGIN: Final = "demo.example/log"
NOW: Final = 1_795_200_000
LOG: Final = SigningKey.from_seed(b"l" * 32)
LOG_VKEY: Final = VerifierKey(ORIGIN, LOG_KEY, LOG.public)
KEYS: Final = {name: SigningKey.from_seed(name.encode() * 32) for name in "abc"}
WITNESSES: Final = {
    name: VerifierKey(f"witness.example/{name}", WITNESS_KEY, key.public)
    for name, key in KEYS.items()
}
AT_TEN: Final = Checkpoint(ORIGIN, 10, b"r" * 32)
TEXT: Final = checkpoint_text(AT_TEN)
SIGNED: Final = sign_checkpoint(AT_TEN, LOG)


def cosigned(name: str, *, at: int = NOW, text: bytes = TEXT) -> NoteSignature:
    """A cosignature by witness a, b or c."""
    return cosign(text, name=WITNESSES[name].name, key=KEYS[name], at=at)


def at_zero(name: str) -> NoteSignature:
    """What a witness without a clock could write; `cosign` refuses to."""
    value = bytes(8) + KEYS[name].sign_bytes(b"cosignature/v1\ntime 0\n" + TEXT)
    return NoteSignature(WITNESSES[name].name, WITNESSES[name].key_hash, value)


def lied(signature: NoteSignature, *, value: bytes | None = None) -> NoteSignature:
    """The same line with other bytes, or with the last one changed."""
    changed = signature.value[:-1] + bytes((signature.value[-1] ^ 1,))
    return replace(signature, value=changed if value is None else value)


# Public vectors: repository sigsum/sigsum-go, file pkg/checkpoint/checkpoint_test.go
# (BSD-2-Clause). One key, made of the byte 17 and zeros, signs for a log and for a witness.
SIGSUM: Final = SigningKey.from_seed(bytes((17,)) + bytes(31))
SIGSUM_ROOT: Final = bytes((28, 14, 71)) + bytes(29)
SIGSUM_NOTE: Final = (
    "sigsum.org/v1/tree/e796172b92befd62d9dc67e41c2f5bc9d3100a3023b20b1ca40288dd1c679e69\n"
    "10\n"
    "HA5HAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
    "\n"
    "\u2014 sigsum.org/v1/tree/e796172b92befd62d9dc67e41c2f5bc9d3100a3023b20b1ca40288dd1c679e69 "
    "gJ2ho0n8F8olcerUF1FFdv235A/5as/coWrpLrtE7ovMeP5whgwouYExowG/lTznxu6OUGjjt5yJQ6bXtTcf718MqAQ=\n"
).encode()
SIGSUM_COSIGNED: Final = (
    "\u2014 example.org/witness ys8uUAAAAAAAAATSftMzceM8zssdZ9jin9SjwIxzx9iADMf63VqirX2hafol9Rsq"
    "NqbofIz0LVRqHXI2kpEBSki5RTXFtxz1vo9+Cg==\n"
).encode()


def test_another_log_would_have_signed_other_bytes() -> None:
    origin = SIGSUM_NOTE.decode().partition("\n")[0]
    checkpoint = Checkpoint(origin, 10, SIGSUM_ROOT)
    made = signed_note(checkpoint_text(checkpoint), sign_checkpoint(checkpoint, SIGSUM))
    assert render_note(made) == SIGSUM_NOTE
    log = VerifierKey(origin, LOG_KEY, SIGSUM.public)
    assert verify_log(parse_note(SIGSUM_NOTE), log) == checkpoint


def test_another_witness_would_have_signed_other_bytes() -> None:
    text = checkpoint_text(Checkpoint("example.org/log", 10, SIGSUM_ROOT))
    made = cosign(text, name="example.org/witness", key=SIGSUM, at=1234)
    assert render_signatures([made]) == SIGSUM_COSIGNED
    witness = VerifierKey("example.org/witness", WITNESS_KEY, SIGSUM.public)
    note = Note(text, parse_signatures(SIGSUM_COSIGNED))
    assert cosignatures(note, [witness]) == (Cosignature(witness, 1234),)


def test_a_checkpoint_of_a_log_in_use_is_refused() -> None:
    """Of the Go checksum database, 23 September 2024; same file. Its key has another name."""
    note = parse_note(
        "go.sum database tree\n30055305\nmXfgRcJ0bG0j3CPdKwgGWtUzBUbX67saZGRmFuJGGsM=\n\n"
        "\u2014 sum.golang.org Az3grpgEild5qw7+5dtV13Kf1C2Xurm8q4fhdxvcsDHnqNTaxL2AFjBY+2TyGKevucFc"
        "AAlWFJJYle3EJlDCrQ+y3A8=\n".encode()
    )
    vkey = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
    log = parse_vkey(vkey, kind=LOG_KEY, field="log")
    assert len(log_signature(note, log)) == 64
    assert parse_checkpoint(note.text).size == 30055305
    with pytest.raises(Refused, match="other net"):
        verify_log(note, log)


# Examples of the specifications: repository C2SP/C2SP, files tlog-cosignature.md, tlog-witness.md.
SOFA: Final = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5"
    "/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)
SOFA_WITNESS: Final = (
    "\u2014 witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrD"
    "JsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)
SOFA_REQUEST: Final = (
    "old 20852014\n"
    "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n"
    "jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n"
    "5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n"
    "/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n"
    "\n"
    + SOFA
    + "\u2014 example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCu"
    "m2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=\n"
)


def test_the_specification_s_example_is_refused() -> None:
    note = parse_note((SOFA + SOFA_WITNESS).encode())
    assert parse_checkpoint(note.text).size == 20852163
    assert int.from_bytes(note.signatures[1].value[:8], "big") == 1679315147
    assert render_note(note) == (SOFA + SOFA_WITNESS).encode()


def test_the_specification_s_request_is_refused() -> None:
    asked = parse_add_checkpoint(SOFA_REQUEST.encode())
    assert (asked.old, len(asked.proof), asked.checkpoint.size) == (20852014, 4, 20852163)
    assert asked.checkpoint.origin == "example.com/behind-the-sofa"
    made = add_checkpoint_request(asked.old, asked.proof, asked.note)
    assert made == SOFA_REQUEST.encode()


@given(
    st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=60),
    st.integers(1, MAX_NUMBER),
    st.binary(min_size=32, max_size=32),
)
def test_a_checkpoint_comes_back_as_another(origin: str, size: int, root: bytes) -> None:
    checkpoint = Checkpoint(origin, size, root)
    assert parse_checkpoint(checkpoint_text(checkpoint)) == checkpoint


def test_the_empty_log_has_no_checkpoint() -> None:
    empty = Checkpoint(ORIGIN, 0, EMPTY_ROOT)
    assert parse_checkpoint(checkpoint_text(empty)) == empty


ROOT: Final = b64encode(b"r" * 32)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        f"\n10\n{ROOT}\n",
        f"o\n10\n{ROOT}",
        f"o\n10\n{ROOT}\nx",
        f"o\n10\n{ROOT}\n\n",
        f"o\n10\n{ROOT}\nan extension line\n",
        f"o\n10\n\n{ROOT}\n",
        f"o\n010\n{ROOT}\n",
        f"o\n00\n{ROOT}\n",
        f"o\n+10\n{ROOT}\n",
        f"o\n-10\n{ROOT}\n",
        f"o\n 10\n{ROOT}\n",
        f"o\n10 \n{ROOT}\n",
        f"o\n1_0\n{ROOT}\n",
        f"o\n1e1\n{ROOT}\n",
        f"o\n\u0661\u0660\n{ROOT}\n",  # ten, in Arabic digits
        f"o\n{MAX_NUMBER + 1}\n{ROOT}\n",
        f"o\n{'9' * 5000}\n{ROOT}\n",
        f"o\n\n{ROOT}\n",
        f"o\n10\n{ROOT[:-1]}\n",
        f"o\n10\n{ROOT}=\n",
        f"o\n10\n{ROOT[:-2]}n=\n",
        f"o\n10\n{b64encode(b'r' * 31)}\n",
        f"o\n10\n{b64encode(b'r' * 33)}\n",
        f"o\r\n10\r\n{ROOT}\r\n",
        f"o\n0\n{ROOT}\n",  # an empty log with a root
        f"o\n10\n{b64encode(EMPTY_ROOT)}\n",
    ],
)
def test_what_is_no_checkpoint_is_read(text: str) -> None:
    with pytest.raises(Malformed):
        parse_checkpoint(text.encode())


def test_a_text_that_is_no_text_is_read() -> None:
    with pytest.raises(Malformed):
        parse_checkpoint(b"\xff\n10\n" + ROOT.encode() + b"\n")


def test_a_log_s_word_is_not_its_own() -> None:
    note = signed_note(TEXT, SIGNED)
    assert verify_log(note, LOG_VKEY) == AT_TEN
    assert log_signature(note, LOG_VKEY) == SIGNED.value
    other = VerifierKey(ORIGIN, LOG_KEY, KEYS["a"].public)
    as_witness = VerifierKey(ORIGIN, WITNESS_KEY, LOG.public)
    for key in (other, as_witness, replace(LOG_VKEY, name="demo.example/other")):
        with pytest.raises(BadSignature, match="not signed by the log"):
            verify_log(note, key)


@pytest.mark.parametrize(
    "signatures",
    [
        (lied(SIGNED),),
        (lied(SIGNED, value=SIGNED.value[:-1]),),
        (lied(SIGNED, value=SIGNED.value + b"\0"),),
        (SIGNED, lied(SIGNED)),
        (lied(SIGNED), SIGNED),
        (replace(SIGNED, value=LOG.sign_bytes(TEXT[:-1])),),
        (replace(SIGNED, value=LOG.sign_bytes(b"cosignature/v1\ntime 1\n" + TEXT)),),
        (cosigned("a"),),
    ],
)
def test_a_checkpoint_passes_without_the_log(signatures: Sequence[NoteSignature]) -> None:
    with pytest.raises(BadSignature):
        verify_log(signed_note(TEXT, *signatures), LOG_VKEY)


def test_the_log_signs_twice() -> None:
    with pytest.raises(Malformed, match="signature repeated"):
        verify_log(signed_note(TEXT, SIGNED, SIGNED), LOG_VKEY)


def test_an_unknown_line_decides_anything() -> None:
    strange = NoteSignature(ORIGIN, b"????", b"s"), NoteSignature("x", LOG_VKEY.key_hash, b"s")
    assert verify_log(signed_note(TEXT, strange[0], SIGNED, strange[1]), LOG_VKEY) == AT_TEN


def test_a_signed_text_that_is_no_checkpoint_passes() -> None:
    text = TEXT + b"an extension line\n"
    note = signed_note(text, replace(SIGNED, value=LOG.sign_bytes(text)))
    with pytest.raises(Malformed):
        verify_log(note, LOG_VKEY)


def test_a_signed_checkpoint_of_another_log_passes() -> None:
    text = checkpoint_text(replace(AT_TEN, origin="demo.example/training"))
    note = signed_note(text, replace(SIGNED, value=LOG.sign_bytes(text)))
    with pytest.raises(Refused, match="other net"):
        verify_log(note, LOG_VKEY)


def test_an_envelope_s_checkpoint_needs_no_signature_of_the_log() -> None:
    good = (ORIGIN, 10, AT_TEN.root, SIGNED.value, LOG_VKEY)
    check_dir_signature(*good)
    elsewhere = checkpoint_text(replace(AT_TEN, origin="demo.example/other"))
    for bad in (
        ("demo.example/other", *good[1:]),
        ("demo.example/other", 10, AT_TEN.root, LOG.sign_bytes(elsewhere), LOG_VKEY),
        (ORIGIN, 11, *good[2:]),
        (ORIGIN, 10, EMPTY_ROOT, *good[3:]),
        (*good[:3], bytes(64), LOG_VKEY),
        (*good[:3], b"", LOG_VKEY),
        (*good[:4], replace(LOG_VKEY, public=KEYS["a"].public)),
        (*good[:4], replace(LOG_VKEY, public=b"short")),
    ):
        with pytest.raises(BadSignature, match="in dir"):
            check_dir_signature(*bad)


def test_a_witness_s_word_counts_for_another() -> None:
    note = signed_note(TEXT, SIGNED, cosigned("a", at=7), cosigned("c", at=9))
    found = cosignatures(note, WITNESSES.values())
    assert found == (Cosignature(WITNESSES["a"], 7), Cosignature(WITNESSES["c"], 9))
    assert cosignatures(note, [WITNESSES["b"]]) == ()
    assert cosignatures(note, [replace(WITNESSES["a"], kind=LOG_KEY)]) == ()


def test_an_unknown_witness_spoils_the_note() -> None:
    note = signed_note(TEXT, lied(cosigned("b")), cosigned("a"))
    assert cosignatures(note, [WITNESSES["a"]]) == (Cosignature(WITNESSES["a"], NOW),)


LATER: Final = (NOW + 60).to_bytes(8, "big")


@pytest.mark.parametrize(
    "bad",
    [
        lied(cosigned("a")),
        lied(cosigned("a"), value=LATER + cosigned("a").value[8:]),  # another time
        cosigned("a", text=checkpoint_text(replace(AT_TEN, size=11))),
        lied(cosigned("a"), value=cosigned("b").value),
        lied(cosigned("a"), value=cosigned("a").value[:-1]),
        lied(cosigned("a"), value=cosigned("a").value + b"\0"),
        lied(cosigned("a"), value=cosigned("a").value[8:]),
        lied(cosigned("a"), value=NOW.to_bytes(8, "big") + KEYS["a"].sign_bytes(TEXT)),
        lied(cosigned("a"), value=b"\0"),
    ],
)
def test_a_bad_cosignature_by_a_known_witness_is_passed_over(bad: NoteSignature) -> None:
    for lines in ([bad], [cosigned("a"), bad], [bad, cosigned("a"), cosigned("b")]):
        with pytest.raises(BadSignature):
            cosignatures(signed_note(TEXT, SIGNED, *lines), WITNESSES.values())


def test_a_witness_who_signed_twice_counts_twice_or_with_the_older_time() -> None:
    for times in ((5, 9), (9, 5), (9, 9)):
        note = signed_note(TEXT, *(cosigned("a", at=at) for at in times))
        assert cosignatures(note, WITNESSES.values()) == (Cosignature(WITNESSES["a"], 9),)


def test_a_witness_without_a_time_counts() -> None:
    assert cosignatures(signed_note(TEXT, at_zero("a")), WITNESSES.values()) == ()
    both = signed_note(TEXT, at_zero("a"), cosigned("a", at=3))
    assert cosignatures(both, WITNESSES.values()) == (Cosignature(WITNESSES["a"], 3),)
    with pytest.raises(BadSignature):  # it must be good all the same
        cosignatures(signed_note(TEXT, lied(at_zero("a"))), WITNESSES.values())


@pytest.mark.parametrize("at", [MAX_NUMBER + 1, 2**63, 2**64 - 1])
def test_a_time_beyond_all_numbers_counts(at: int) -> None:
    value = at.to_bytes(8, "big")
    value += KEYS["a"].sign_bytes(f"cosignature/v1\ntime {at}\n".encode() + TEXT)
    note = signed_note(TEXT, lied(cosigned("a"), value=value))
    assert cosignatures(note, WITNESSES.values()) == ()


@pytest.mark.parametrize("at", [0, -1, MAX_NUMBER + 1])
def test_a_witness_signs_for_a_time_that_does_not_count(at: int) -> None:
    with pytest.raises(Malformed):
        cosigned("a", at=at)


WHOLE: Final = render_note(
    signed_note(TEXT, SIGNED, cosigned("a", at=7), NoteSignature("x", b"....", b"s"), cosigned("b"))
)


def judged(data: bytes) -> tuple[Checkpoint, tuple[Cosignature, ...]]:
    """What a reader believes of these bytes."""
    note = parse_note(data)
    return verify_log(note, LOG_VKEY), cosignatures(note, WITNESSES.values())


def test_a_changed_byte_changes_what_is_believed() -> None:
    """It is refused, or a line has become an unknown one: less is believed, never anything else."""
    checkpoint, believed = judged(WHOLE)
    refused = 0
    for at in range(len(WHOLE)):
        for change in (1, 2, 4, 8, 16, 32, 64, 128):
            changed = WHOLE[:at] + bytes((WHOLE[at] ^ change,)) + WHOLE[at + 1 :]
            try:
                found = judged(changed)
            except ContractError:
                refused += 1
                continue
            assert found[0] == checkpoint
            assert set(found[1]) <= set(believed)
            lines = zip(WHOLE.split(b"\n"), changed.split(b"\n"), strict=True)
            (line,) = [number for number, (a, b) in enumerate(lines) if a != b]
            assert line >= 5  # below the log's signature
            assert line == 6 or found[1] != believed
    assert refused > len(WHOLE) * 6


PROOFS: Final = st.lists(st.binary(min_size=32, max_size=32), max_size=MAX_PROOF)


@given(st.integers(0, 10), PROOFS)
def test_a_request_comes_back_as_another(old: int, proof: list[bytes]) -> None:
    note = signed_note(TEXT, SIGNED)
    asked = parse_add_checkpoint(add_checkpoint_request(old, proof, note))
    assert (asked.old, asked.proof, asked.note) == (old, tuple(proof), note)
    assert asked.checkpoint == AT_TEN


BODY: Final = render_note(signed_note(TEXT, SIGNED)).decode()


@pytest.mark.parametrize(
    "data",
    [
        "",
        BODY,
        "\n" + BODY,
        "old\n\n" + BODY,
        "old \n\n" + BODY,
        "old 05\n\n" + BODY,
        "old -1\n\n" + BODY,
        "old 5 \n\n" + BODY,
        "Old 5\n\n" + BODY,
        "new 5\n\n" + BODY,
        "old 5\r\n\r\n" + BODY,
        "old 5\n" + BODY,
        "old 11\n\n" + BODY,  # beyond the checkpoint
        f"old {MAX_NUMBER + 1}\n\n" + BODY,
        "old 5\n\n",
        "old 5\n\n\n" + BODY,
        "old 5\nAAAA\n\n" + BODY,
        f"old 5\n{ROOT[:-1]}\n\n" + BODY,
        f"old 5\n{ROOT} {ROOT}\n\n" + BODY,
        f"old 5\n{ROOT}\n\n{ROOT}\n\n" + BODY,
        f"{ROOT}\nold 5\n\n" + BODY,
        "old 5\nold 5\n\n" + BODY,
        "old 5\n" + f"{ROOT}\n" * (MAX_PROOF + 1) + "\n" + BODY,
        "old 5\n" + "x" * 5000 + "\n\n" + BODY,
        "old 5\n\u2014\n\n" + BODY,
        "old 5\n\n" + BODY.replace("\n\n", "\nan extension line\n\n"),
        "old 5\n\n" + "x" * 2 * MAX_NOTE,
    ],
)
def test_what_is_no_request_is_read(data: str) -> None:
    with pytest.raises(Malformed):
        parse_add_checkpoint(data.encode())


def test_the_largest_request_is_refused() -> None:
    note = signed_note(TEXT, SIGNED, *(NoteSignature("x", b"....", bytes(700)) for _ in range(127)))
    asked = add_checkpoint_request(10, [bytes(32)] * MAX_PROOF, note)
    assert len(parse_add_checkpoint(asked).proof) == MAX_PROOF


@pytest.mark.parametrize("text", ["", "01", "1\n", "-0", "1.0", "\u00b2", str(MAX_NUMBER + 1)])
def test_what_is_no_size_is_read(text: str) -> None:
    with pytest.raises(Malformed, match="bad number, in size"):
        parse_size(text, field="size")
    assert parse_size(str(MAX_NUMBER), field="size") == MAX_NUMBER
    assert parse_size("0", field="size") == 0
