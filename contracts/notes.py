"""C2SP signed notes: a text, and lines beneath it that say who signed it.

Form and bounds only (c2sp.org/signed-note): nothing is verified here, and nothing in a note may
be believed before it is. A note has one byte form: what is read is written back to the byte.

    note = parse_note(data)
    for signature in signatures_by(note, key): verify_bytes(key.public, signature.value, note.text)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from contracts.encoding import b64decode, b64encode
from contracts.errors import Malformed
from contracts.root import VerifierKey

# A log, the 64 witnesses that a root file may list, and as many lines of keys we do not know.
# The specification asks for 16 at least.
MAX_LINES: Final = 128
# 128 lines of ours are 28 KiB; 16 post-quantum ones of 5 kB, which others may add, are 107 KiB.
MAX_NOTE: Final = 128 * 1024

_KEY_HASH: Final = 4
_DASH: Final = "\u2014 "
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """A signature line: the key's name, the four bytes that find the key, and what it made."""

    name: str
    key_hash: bytes
    value: bytes

    def is_by(self, key: VerifierKey) -> bool:
        """Whether it says it is this key's. That it is must be verified."""
        return (self.name, self.key_hash) == (key.name, key.key_hash)


@dataclass(frozen=True, slots=True)
class Note:
    """A text, ending in a newline, and the signatures under it, in their order."""

    text: bytes
    signatures: tuple[NoteSignature, ...]


def parse_note(data: bytes) -> Note:
    """The note in these bytes. Raises `Malformed`."""
    if len(data) > MAX_NOTE:
        raise Malformed("too_large", "note")
    text, blank, lines = data.rpartition(b"\n\n")
    if not blank:
        raise Malformed("not_a_note", "note")
    text += b"\n"
    _decoded(text)
    return Note(text, parse_signatures(lines))


def render_note(note: Note) -> bytes:
    """The one byte form of a note."""
    return note.text + b"\n" + render_signatures(note.signatures)


def signed_note(text: bytes, *signatures: NoteSignature) -> Note:
    """A new note. Raises `Malformed` for one that nobody could read."""
    return parse_note(render_note(Note(text, signatures)))


def signatures_by(note: Note, key: VerifierKey) -> tuple[NoteSignature, ...]:
    """The signatures that say they are this key's; every one of them must be verified."""
    return tuple(signature for signature in note.signatures if signature.is_by(key))


def parse_signatures(data: bytes) -> tuple[NoteSignature, ...]:
    """Signature lines alone, as they stand in a note and in a witness's answer: one at least."""
    if len(data) > MAX_NOTE:
        raise Malformed("too_large", "note")
    *lines, rest = _decoded(data).split("\n")
    if rest or not lines:
        raise Malformed("not_a_note", "note")
    if len(lines) > MAX_LINES:
        raise Malformed("too_many_signatures", "note")
    return tuple(map(_signature, lines))


def render_signatures(signatures: Iterable[NoteSignature]) -> bytes:
    """The lines of these signatures."""
    return "".join(
        f"{_DASH}{one.name} {b64encode(one.key_hash + one.value)}\n" for one in signatures
    ).encode("utf-8")


def _decoded(data: bytes) -> str:
    """Text as a note may hold it: UTF-8, and no control character but newline."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("not_text", "note") from None
    if _CONTROL.search(text):
        raise Malformed("not_text", "note")
    return text


def _signature(line: str) -> NoteSignature:
    if not line.startswith(_DASH):
        raise Malformed("not_a_signature_line", "note")
    name, _, value = line.removeprefix(_DASH).partition(" ")
    if not name or "+" in name or any(map(str.isspace, name)):
        raise Malformed("bad_key_name", "note")
    signed = b64decode(value, field="note")
    if len(signed) <= _KEY_HASH:
        raise Malformed("wrong_length", "note")
    return NoteSignature(name, signed[:_KEY_HASH], signed[_KEY_HASH:])
