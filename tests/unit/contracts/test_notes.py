"""Signed notes: one byte form, and nothing that two readers could take for two things."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.encoding import b64decode, b64encode
from contracts.errors import BadSignature, Malformed
from contracts.notes import (
    MAX_LINES,
    MAX_NOTE,
    Note,
    NoteSignature,
    parse_note,
    parse_signatures,
    render_note,
    render_signatures,
    signatures_by,
    signed_note,
)
from contracts.root import LOG_KEY, WITNESS_KEY, VerifierKey
from contracts.signing import SigningKey, verify_bytes

# Public vectors of the format's first implementation: repository golang/mod, file
# sumdb/note/note_test.go (BSD-3-Clause).
TEXT = (
    b"If you think cryptography is the answer to your problem,\n"
    b"then you don't know what your problem is.\n"
)
PETER_SEED = b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz", field="seed")[1:]
PETER_LINE = (
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdng"
    "otpRZb6KE6RyyBwJnAM=\n"
).encode()
ENOCH_LINE = (
    "\u2014 EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnW"
    "Lox33WWd1RvMc+QQ=\n"
).encode()
PETER = VerifierKey(
    "PeterNeumann",
    LOG_KEY,
    b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", field="key")[1:],
)
ENOCH = VerifierKey(
    "EnochRoot",
    LOG_KEY,
    b64decode("ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop", field="key")[1:],
)
NOTE = TEXT + b"\n" + PETER_LINE + ENOCH_LINE
LONG = b64encode(bytes(4 + 4800))  # as long as a post-quantum signature


def test_the_first_implementation_reads_another_note() -> None:
    note = parse_note(NOTE)
    assert note.text == TEXT
    for key, at in ((PETER, 0), (ENOCH, 1)):
        (signature,) = signatures_by(note, key)
        assert signature == note.signatures[at]
        verify_bytes(key.public, signature.value, note.text)
    assert render_note(note) == NOTE


def test_the_first_implementation_signs_other_bytes() -> None:
    key = SigningKey.from_seed(PETER_SEED)
    assert key.public == PETER.public
    assert PETER.key_hash.hex() == "c74f20a3"
    signature = NoteSignature(PETER.name, PETER.key_hash, key.sign_bytes(TEXT))
    assert render_note(signed_note(TEXT, signature)) == TEXT + b"\n" + PETER_LINE


# The first implementation's own list comes first.
@pytest.mark.parametrize(
    "data",
    [
        TEXT,
        TEXT + b"\n",
        TEXT + b"\n" + PETER_LINE[:-1],
        b"\x01" + TEXT + b"\n" + PETER_LINE,
        b"\xff" + TEXT + b"\n" + PETER_LINE,
        TEXT + b"\n" + PETER_LINE.replace(b"PeterNeumann", b"Bad Name"),
        TEXT + b"\n" + PETER_LINE + b"Unexpected line.\n",
        b"",
        b"\n",
        b"\n\n",
        PETER_LINE,
        TEXT + PETER_LINE,
        NOTE + b"\n",
        NOTE + b"x",
        NOTE.replace(b"\n", b"\r\n"),
        TEXT.replace(b" ", b"\t") + b"\n" + PETER_LINE,
        TEXT + b"\n" + PETER_LINE.replace("\u2014".encode(), b"-"),
        TEXT + b"\n" + PETER_LINE.replace("\u2014 ".encode(), "\u2014".encode()),
        TEXT + b"\n" + b" " + PETER_LINE,
        TEXT + b"\n" + PETER_LINE.replace(b"Peter", b"Peter+"),
        TEXT + b"\n" + PETER_LINE.replace(b"Peter", "Peter\u00a0".encode()),
        TEXT + b"\n" + PETER_LINE.replace(b"Peter", "Peter\u2028".encode()),
        TEXT + b"\n" + PETER_LINE.replace(b"PeterNeumann", b""),
        TEXT + b"\n" + PETER_LINE.replace(b"AM=\n", b"AN=\n"),
        TEXT + b"\n" + PETER_LINE.replace(b"=\n", b"\n"),
        TEXT + b"\n" + PETER_LINE.replace(b"=\n", b"= \n"),
        TEXT + b"\n" + PETER_LINE.replace(b"Neumann ", b"Neumann  "),
        TEXT + b"\n" + "\u2014 x AAAA\n".encode(),
        TEXT + b"\n" + "\u2014 x AAAAAA==\n".encode(),  # a key hash and no signature
        TEXT + b"\n" + "\u2014 x\n".encode(),
        TEXT + b"\n" + "\u2014 x \n".encode(),
    ],
)
def test_what_is_no_note_is_read(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_note(data)


def test_a_text_with_empty_lines_is_cut_at_the_wrong_one() -> None:
    for text in (b"a\n\nb\n", b"a\n\n", b"\n", b"\n\n\n"):
        data = text + b"\n" + PETER_LINE
        assert parse_note(data).text == text
        assert render_note(parse_note(data)) == data


def test_more_is_read_than_the_bounds_allow() -> None:
    whole = TEXT + b"\n" + PETER_LINE * MAX_LINES
    assert len(parse_note(whole).signatures) == MAX_LINES
    with pytest.raises(Malformed, match="too many signatures"):
        parse_note(whole + PETER_LINE)
    with pytest.raises(Malformed, match="too large"):
        parse_note(b"x" * MAX_NOTE + b"\n\n" + PETER_LINE)
    with pytest.raises(Malformed, match="too large"):
        parse_signatures(PETER_LINE * (MAX_NOTE // len(PETER_LINE) + 1))


def test_the_sixteen_signatures_that_the_specification_asks_for_do_not_fit() -> None:
    line = f"\u2014 example.org/post-quantum {LONG}\n".encode()
    assert len(parse_note(TEXT + b"\n" + line * 16).signatures) == 16


def test_a_note_is_made_that_nobody_could_read() -> None:
    good = NoteSignature("a", b"abcd", b"s")
    for text, signatures in (
        (b"no newline", (good,)),
        (b"a\0\n", (good,)),
        (b"a\n", ()),
        (b"a\n", (NoteSignature("a b", b"abcd", b"s"),)),
        (b"a\n", (NoteSignature("a\nb", b"abcd", b"s"),)),
        (b"a\n", (NoteSignature("a", b"abcd", b""),)),
    ):
        with pytest.raises(Malformed):
            signed_note(text, *signatures)


def test_a_key_is_found_by_its_name_or_its_hash_alone() -> None:
    value = parse_note(NOTE).signatures[0].value
    others = (
        NoteSignature("PeterNeuman", PETER.key_hash, value),
        NoteSignature(PETER.name, ENOCH.key_hash, value),
        NoteSignature(
            PETER.name, VerifierKey(PETER.name, WITNESS_KEY, PETER.public).key_hash, b"x"
        ),
    )
    assert signatures_by(signed_note(TEXT, *others), PETER) == ()


NAMES = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp"), exclude_characters="+"),
    min_size=1,
    max_size=20,
)
SIGNATURES = st.lists(
    st.builds(
        NoteSignature,
        NAMES,
        st.binary(min_size=4, max_size=4),
        st.binary(min_size=1, max_size=80),
    ),
    min_size=1,
    max_size=5,
)
LINES = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)
TEXTS = st.lists(LINES, max_size=4).map("\n".join)


@given(TEXTS, SIGNATURES)
def test_a_note_comes_back_as_another(text: str, signatures: list[NoteSignature]) -> None:
    note = Note(text.encode() + b"\n", tuple(signatures))
    assert parse_note(render_note(note)) == note


@given(SIGNATURES)
def test_lines_alone_come_back_as_others(signatures: list[NoteSignature]) -> None:
    assert parse_signatures(render_signatures(signatures)) == tuple(signatures)


@given(
    st.integers(0, len(NOTE) - 1), st.integers(0, 255), st.sampled_from(["change", "put", "cut"])
)
def test_two_byte_strings_are_one_note(at: int, byte: int, how: str) -> None:
    rest = NOTE[at:] if how == "put" else NOTE[at + 1 :]
    changed = NOTE[:at] + (b"" if how == "cut" else bytes((byte,))) + rest
    try:
        note = parse_note(changed)
    except Malformed:
        return
    assert render_note(note) == changed
    assert (note == parse_note(NOTE)) == (changed == NOTE)


@given(st.integers(0, len(TEXT) + len(PETER_LINE)), st.integers(1, 255))
def test_a_changed_byte_leaves_a_good_signature(at: int, change: int) -> None:
    data = TEXT + b"\n" + PETER_LINE
    changed = data[:at] + bytes((data[at] ^ change,)) + data[at + 1 :]
    try:
        note = parse_note(changed)
    except Malformed:
        return
    for signature in signatures_by(note, PETER):
        with pytest.raises(BadSignature):
            verify_bytes(PETER.public, signature.value, note.text)


@given(st.binary(max_size=200))
def test_any_bytes_bring_the_reader_down(data: bytes) -> None:
    try:
        parse_note(data)
    except Malformed:
        return
