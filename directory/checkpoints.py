"""Signing checkpoints of the log, keeping them with their cosignatures, and publishing the newest.

The log signs only what is committed, and writes down what it signs (first the mark beside its key,
then the database) before it shows it to anybody; so whatever is killed at whatever point, it never
signs two roots for one size, nor a smaller size than it ever signed. Ed25519 makes one signature
for one text: every step here may be repeated. This file asks no witness (`directory.witnessing`).

    signed = checkpoints.sign(now=now)
    checkpoints.keep(signed.size, witness, value, now=now)
    checkpoints.publish(signed)              # if enough witnesses have signed it
    checkpoints.published()                  -> the note that is served, or None
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, delete, insert, select

from contracts.checkpoints import Checkpoint, checkpoint_text, sign_checkpoint
from contracts.errors import Refused
from contracts.notes import Note, NoteSignature, parse_note, render_note, signed_note
from contracts.quorum import Accepted, accept_checkpoint
from contracts.root import LOG_KEY, RootFile, VerifierKey
from contracts.signing import SigningKey
from directory.logkey import Mark
from directory.models import KeptCosignature, PublishedCheckpoint, SignedCheckpoint
from directory.statements import Known, LogClosed, StatementLog

_ONLY = 1


_STARTING = (
    "The log is not open yet: after a start its witnesses must first say what they hold. Nothing"
    " was added, nothing is lost. Send it again in a minute; if it stays so, the operator of the"
    " directory looks which witnesses do not answer."
)
_NO_MARK = (
    "The mark of what the log has signed is gone from beside the log's key. Nothing is added and"
    " nothing is signed. The operator puts the file back; where it is lost for good, the directory"
    " is started again and opens once every witness of the root file has answered. A network"
    " without witnesses has nobody to ask and begins anew."
)
_BEHIND = (
    "The log's database is older than what the log has signed. Nothing is added and nothing is"
    " signed. What the witnesses hold was put back. For what is still missing the operator puts"
    " the newest copy of the database back. Where there is none, and the network has witnesses, the"
    " operator moves the mark away from beside the log's key: what no witness holds is then given"
    " up, and whoever signed it signs it again."
)
_FORKED = (
    "The log's database does not lead to what the log has signed. Nothing is added and nothing is"
    " signed. The operator keeps everything as it is and asks the people who maintain Rujukan."
)
_OTHER_KEY = (
    "The root file in force names another key of the log than the one here. Nothing is added and"
    " nothing is signed. The operator puts the key there that belongs to the root file."
)


class Gate:
    """Whether this process may let the log grow and sign it: shut until it is known to be whole.

    A process opens it when its witnesses have said what they hold; the mark is looked at each
    time, because a database can be put back from a backup under a process that runs.
    """

    def __init__(self, mark: Mark) -> None:
        self.mark = mark
        self._shut: LogClosed | None = LogClosed("starting", _STARTING, wait=30)
        self._floor = 0

    @property
    def is_open(self) -> bool:
        """Whether it was opened; `check` may yet find the database too old."""
        return self._shut is None

    def check(self, known: Known) -> None:
        """Raise `LogClosed` unless the log may grow and be signed."""
        if self._shut is not None:
            # A new one each time: an exception that is raised again grows its traceback.
            raise LogClosed(self._shut.code, str(self._shut), wait=self._shut.wait)
        marked = self.mark.read()
        if marked is None:
            raise LogClosed("mark_lost", _NO_MARK, wait=300)
        if marked.size > known.size:
            raise LogClosed("database_too_old", _BEHIND, wait=300)
        if known.tree.root(marked.size) != marked.root:
            raise LogClosed("database_forked", _FORKED, wait=3600)

    def open(self, *, floor: int) -> None:
        """The witnesses have said what they hold, and it is all here.

        A checkpoint of size `floor` may have been shown before: no smaller one is shown again.
        """
        self._shut = None
        self._floor = floor

    def may_show(self, size: int) -> bool:
        """Whether nobody can have seen a larger checkpoint than one of this size."""
        return size >= self._floor

    def shut(self, why: LogClosed | None = None) -> None:
        """Ask the witnesses again before anything else."""
        self._shut = why or LogClosed("starting", _STARTING, wait=30)


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint of ours with its note, signed at `at`, Unix seconds."""

    size: int
    root: bytes
    note: Note
    at: int


class Checkpoints:
    """The checkpoints of one log, in its database."""

    def __init__(self, engine: Engine, *, log: StatementLog, key: SigningKey, gate: Gate) -> None:
        self._engine = engine
        self._log = log
        self._key = key
        self._gate = gate

    def own_key(self, root: RootFile) -> VerifierKey:
        """The public half of the key here, under the log's name."""
        return VerifierKey(root.net, LOG_KEY, self._key.public)

    def sign(self, *, now: int) -> Signed:
        """The checkpoint of everything committed, signed now unless it was before.

        Raises `LogClosed` while the log may not be signed.
        """
        with self._log.alone() as (connection, known):
            self._gate.check(known)
            root = known.register.root
            if root.log != self.own_key(root):
                raise LogClosed("other_log_key", _OTHER_KEY, wait=3600)
            newest = _newest(connection)
            if newest is not None and newest.size > known.size:
                raise LogClosed("database_too_old", _BEHIND, wait=300)
            # The mark first: what it says may be signed again, what it does not say never was.
            self._gate.mark.raise_to(known.size, known.root_hash)
            if newest is not None and newest.size == known.size:
                return newest
            checkpoint = Checkpoint(root.net, known.size, known.root_hash)
            return _insert(connection, checkpoint, self._key, now)

    def newest(self) -> Signed | None:
        """What the log has signed last, or None."""
        with self._engine.connect() as connection:
            return _newest(connection)

    def keep(self, size: int, witness: VerifierKey, value: bytes, *, now: int) -> None:
        """Keep a witness's verified signature under our checkpoint of this size."""
        key = {"size": size, "witness": witness.public.hex()}
        row = {**key, "value": value, "asked_at": now}
        with self._log.alone() as (connection, _):
            connection.execute(delete(KeptCosignature).filter_by(**key))
            connection.execute(insert(KeptCosignature), row)

    def asked_at(self, size: int) -> Mapping[str, int]:
        """When each witness (its public key, hex) last signed our checkpoint of this size."""
        rows = select(KeptCosignature.witness, KeptCosignature.asked_at)
        with self._engine.connect() as connection:
            found = connection.execute(rows.where(KeptCosignature.size == size)).all()
        return {witness: at for witness, at in found}

    def publish(self, signed: Signed) -> bool:
        """Show this checkpoint from now on, if enough witnesses have signed it.

        What is shown never becomes smaller. True if it is the one that is shown.
        """
        with self._log.alone() as (connection, known):
            self._gate.check(known)
            before = _shown(connection)
            if before is not None and before[0] > signed.size:
                return False
            values = _values(connection, signed.size)
            roots = [known.root_file(signed.size), known.root_file(before[0] if before else 0)]
            note = _cosigned(signed.note, roots, values)
            try:
                accepted = accept_checkpoint(note, known.root_file(signed.size))
            except Refused:
                return False
            _show(connection, accepted)
            return True

    def published(self) -> bytes | None:
        """The note of the newest checkpoint that has enough signatures; None before there is one.

        Raises `LogClosed` while it is not sure that no newer one was shown before.
        """
        self._gate.check(self._log.known())
        with self._engine.connect() as connection:
            shown = _shown(connection)
        if shown is None or not self._gate.may_show(shown[0]):
            return None
        return shown[1]

    def published_size(self) -> int | None:
        """The size of what is shown, or None."""
        with self._engine.connect() as connection:
            shown = _shown(connection)
        return None if shown is None else shown[0]


def _newest(connection: Connection) -> Signed | None:
    columns = (
        SignedCheckpoint.size,
        SignedCheckpoint.root,
        SignedCheckpoint.note,
        SignedCheckpoint.at,
    )
    row = connection.execute(
        select(*columns).order_by(SignedCheckpoint.size.desc()).limit(1)
    ).first()
    return None if row is None else Signed(row.size, row.root, parse_note(row.note), row.at)


def _insert(connection: Connection, checkpoint: Checkpoint, key: SigningKey, now: int) -> Signed:
    note = signed_note(checkpoint_text(checkpoint), sign_checkpoint(checkpoint, key))
    signed = Signed(checkpoint.size, checkpoint.root, note, now)
    row = {"size": signed.size, "root": signed.root, "note": render_note(note), "at": now}
    connection.execute(insert(SignedCheckpoint), row)
    return signed


def _shown(connection: Connection) -> tuple[int, bytes] | None:
    row = connection.execute(select(PublishedCheckpoint.size, PublishedCheckpoint.note)).first()
    return None if row is None else (row.size, row.note)


def _show(connection: Connection, accepted: Accepted) -> None:
    size = accepted.checkpoint.size
    row = {"id": _ONLY, "size": size, "note": accepted.note, "time": accepted.time or 0}
    connection.execute(delete(PublishedCheckpoint))
    connection.execute(insert(PublishedCheckpoint), row)
    # A larger tree needs new ones; no one will be shown these again.
    connection.execute(delete(KeptCosignature).where(KeptCosignature.size < size))


def _values(connection: Connection, size: int) -> dict[str, bytes]:
    columns = KeptCosignature.witness, KeptCosignature.value
    rows = connection.execute(select(*columns).where(KeptCosignature.size == size))
    return {witness: value for witness, value in rows}


def _cosigned(note: Note, roots: Iterable[RootFile], values: Mapping[str, bytes]) -> bytes:
    """The note with every signature we hold by a witness of these root files.

    Those of the root file before too: a client that has not yet heard of the new one counts them.
    """
    keys = {witness.key for root in roots for witness in root.witnesses}
    lines = [
        NoteSignature(key.name, key.key_hash, values[key.public.hex()])
        for key in sorted(keys, key=lambda key: key.public)
        if key.public.hex() in values
    ]
    return render_note(Note(note.text, (*note.signatures, *lines)))
