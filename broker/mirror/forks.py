"""Proof that a log has forked: two signed checkpoints that cannot both be true.

The log's own signature stands under both, so the proof can be shown to anybody who knows the
log's key; it needs no trust in whoever hands it over. Values only: `broker.mirror.store` keeps
them, and they stay when the hard stop is resolved.

    path.write_bytes(mirror.fork.render())       # to be handed to a coordinator
    parse_fork(path.read_bytes()).check(log)     # raises ContractError where it proves nothing
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from contracts.checkpoints import Checkpoint, checkpoint_text, verify_log
from contracts.encoding import (
    JsonInput,
    JsonObject,
    b64decode,
    b64encode,
    bytes_of,
    dump_json,
    members,
    number_of,
    parse_object,
    texts_of,
)
from contracts.errors import Malformed, Refused
from contracts.notes import MAX_NOTE, Note, NoteSignature, parse_note, render_note
from contracts.root import VerifierKey
from contracts.tree import HASH_SIZE, Tree, check_consistency

# Two notes in Base64, and two proofs of at most 64 hashes.
MAX_EVIDENCE: Final = 3 * MAX_NOTE


@dataclass(frozen=True, slots=True)
class Past:
    """One of two pasts: a signed note of `size` leaves, and its root where the fork shows.

    `proof` is the consistency proof (RFC 6962 §2.1.2) from `root` there to the note's own root,
    empty where they are the same.
    """

    note: bytes
    size: int
    root: bytes
    proof: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, tree: Tree, note: bytes, *, at: int) -> Past:
        """The past in which this whole tree is what the note signs."""
        proof = tree.consistency(at, tree.size) if 0 < at < tree.size else ()
        return cls(note, tree.size, tree.root(at), tuple(proof))


@dataclass(frozen=True, slots=True)
class Fork:
    """After `size` leaves the log has `ours.root` here and `theirs.root` in what it showed others.

    `seen_at`: this computer's clock, Unix seconds.
    """

    size: int
    ours: Past
    theirs: Past
    seen_at: int

    def check(self, log: VerifierKey) -> None:
        """Whether this proves that the log with this key has forked. Raises `ContractError`."""
        if self.ours.root == self.theirs.root:
            raise Refused("no_fork", "root")
        for past in (self.ours, self.theirs):
            signed = verify_log(parse_note(past.note), log)
            if signed.size != past.size:
                raise Refused("bad_proof", "size")
            _check_leads(past, signed, self.size)

    def render(self) -> bytes:
        """The evidence as one JSON file."""
        head: dict[str, JsonInput] = {"v": 1, "size": self.size, "seen_at": self.seen_at}
        return dump_json(head | {"ours": _rendered(self.ours), "theirs": _rendered(self.theirs)})


def parse_fork(data: bytes) -> Fork:
    """The evidence in a file. Raises `Malformed`; whether it proves a fork says `Fork.check`."""
    fields = parse_object(data, limit=MAX_EVIDENCE)
    members(fields, required={"v", "size", "seen_at", "ours", "theirs"})
    if number_of(fields, "v") != 1:
        raise Malformed("unknown_version", "v")
    ours, theirs = _past(fields, "ours"), _past(fields, "theirs")
    return Fork(number_of(fields, "size"), ours, theirs, number_of(fields, "seen_at"))


def note_of(log: VerifierKey, checkpoint: Checkpoint, signature: bytes) -> bytes:
    """The signed note that an envelope's `dir` is the short form of."""
    line = NoteSignature(log.name, log.key_hash, signature)
    return render_note(Note(checkpoint_text(checkpoint), (line,)))


def _check_leads(past: Past, signed: Checkpoint, size: int) -> None:
    if size < signed.size and size > 0:
        check_consistency(size, signed.size, past.root, signed.root, past.proof)
    elif size != signed.size or past.root != signed.root:
        raise Refused("bad_proof", "root")


def _rendered(past: Past) -> dict[str, JsonInput]:
    return {
        "note": b64encode(past.note),
        "size": past.size,
        "root": b64encode(past.root),
        "proof": [b64encode(step) for step in past.proof],
    }


def _past(fields: JsonObject, name: str) -> Past:
    past = fields[name]
    if not isinstance(past, dict):
        raise Malformed("wrong_type", name)
    members(past, required={"note", "size", "root", "proof"})
    proof = (b64decode(step, field="proof", size=HASH_SIZE) for step in texts_of(past, "proof"))
    root = bytes_of(past, "root", size=HASH_SIZE)
    return Past(bytes_of(past, "note"), number_of(past, "size"), root, tuple(proof))
