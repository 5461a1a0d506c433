"""Asking the witnesses: what they hold, before anything is signed; and their signatures, for ever.

After a start the log stays shut until so many witnesses have said what they hold that every
checkpoint a client may ever have believed is known to one of them; whatever is missing here comes
back from them. After that, a round at a time: sign what is new, ask for signatures, publish. It
reads no clock and sleeps nowhere (`directory.rounds` does), and believes no witness: a checkpoint
counts by the log's own signature, leaves by the root it names, a cosignature by its key.

    witnessing = Witnessing(log, checkpoints, gate, connect=lambda one: WitnessLine(one.url))
    witnessing.open()                        # LogClosed while too few have answered
    witnessing.round(now=now)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from broker.service.logs import logger
from contracts.checkpoints import (
    Checkpoint,
    add_checkpoint_request,
    cosignatures,
    parse_size,
    verify_log,
)
from contracts.errors import ContractError, Malformed, Refused
from contracts.notes import Note, NoteSignature, parse_note, parse_signatures, signatures_by
from contracts.root import RootFile, VerifierKey, Witness
from contracts.tree import EMPTY_ROOT
from directory.asking import Asked, WitnessAway
from directory.checkpoints import Checkpoints, Gate, Signed
from directory.statements import LogClosed, StatementLog, TailRefused

# Seconds after which a signature is asked for anew. Clients count a checkpoint as fresh for 24 h
# by these times; twice an hour leaves each witness a day to come back.
RENEW_SECONDS: Final = 30 * 60
# How long a checkpoint without enough signatures holds back the next: a witness may first need to
# fetch its leaves, and a log that grows every second would otherwise never have one signed.
PATIENCE_SECONDS: Final = 20
# Seconds until a witness is asked again that did not sign: doubled each time.
FIRST_PAUSE: Final = 1
LAST_PAUSE: Final = 60

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class _Pause:
    """After `failures` in a row, the last at `since`, a witness is left alone for `seconds`."""

    failures: int = 0
    since: int = 0
    seconds: int = 0

    def longer(self, now: int) -> _Pause:
        """After one more."""
        seconds = min(FIRST_PAUSE << min(self.failures, 16), LAST_PAUSE)
        return _Pause(self.failures + 1, now, seconds)

    def is_over(self, now: int) -> bool:
        """Whether it may be asked again."""
        return _passed(self.since, self.seconds, now)


class Witnessing:
    """The directory's side of tlog-witness, for one process. Not to be shared by threads."""

    def __init__(
        self,
        log: StatementLog,
        checkpoints: Checkpoints,
        gate: Gate,
        *,
        connect: Callable[[Witness], Asked],
    ) -> None:
        self._log = log
        self._checkpoints = checkpoints
        self._gate = gate
        self._connect = connect
        self._lines: dict[VerifierKey, tuple[str, Asked]] = {}
        # What each is known to hold, so that the first request fits; 409 corrects it.
        self._holds: dict[VerifierKey, int] = {}
        self._pauses: dict[VerifierKey, _Pause] = {}

    def open(self) -> None:
        """Find out whether the log is whole, bring back what is missing, and open it.

        Raises `LogClosed` with what is still wanting. Where what was signed contradicts what is
        here, that stays so: nothing may ever be signed on this database.
        """
        try:
            self._gate.open(floor=self._make_whole())
            self._gate.check(self._log.known())
        except LogClosed as closed:
            self._gate.shut(closed)
            raise

    def round(self, *, now: int) -> None:
        """Sign what is new, ask every witness whose signature is wanted, publish.

        Raises `LogClosed`; the witnesses are then to be asked with `open` again.
        """
        signed = self._target(now)
        if self._checkpoints.published_size() != signed.size:
            self._checkpoints.publish(signed)
        for witness in self._wanted(signed, now):
            if self._ask(witness, signed, now):
                self._pauses.pop(witness.key, None)
                self._checkpoints.publish(signed)
            else:
                self._pauses[witness.key] = self._pause(witness).longer(now)

    def close(self) -> None:
        """Close all connections."""
        for _, line in self._lines.values():
            line.close()
        self._lines.clear()

    # Before anything is signed: what they hold.

    def _make_whole(self) -> int:
        """The largest size that may have been shown. Raises `LogClosed`."""
        asked: set[str] = set()
        said: Mapping[VerifierKey, Checkpoint] = {}
        root = self._log.known().register.root
        while root.hash not in asked:
            asked.add(root.hash)
            said = self._ask_what_they_hold(root)
            self._refill(said, root)
            # What came back may hold a later root file, with other witnesses.
            root = self._log.known().register.root
        self._check_enough(said, root)
        self._restore_mark(said, root)
        marked = self._gate.mark.read()
        signed = 0 if marked is None else marked.size
        return shown_before([held.size for held in said.values()], root) if root.k else signed

    def _ask_what_they_hold(self, root: RootFile) -> Mapping[VerifierKey, Checkpoint]:
        """What each witness that answers has signed of this log last, by our own signature."""
        said: dict[VerifierKey, Checkpoint] = {}
        for witness in self._asked_at_start(root):
            try:
                said[witness.key] = self._held(witness, root)
            except (WitnessAway, ContractError):
                _log.warning("witness_did_not_say", country=witness.country)
        self._holds |= {key: held.size for key, held in said.items()}
        return said

    def _asked_at_start(self, root: RootFile) -> tuple[Witness, ...]:
        """All; but where none is needed, only if something is missing that one of them may have."""
        if root.k:
            return root.witnesses
        known, marked = self._log.known(), self._gate.mark.read()
        return root.witnesses if marked is None or marked.size > known.size else ()

    def _held(self, witness: Witness, root: RootFile) -> Checkpoint:
        note = self._line(witness).checkpoint(root.net)
        if note is None:
            return Checkpoint(root.net, 0, EMPTY_ROOT)
        found = parse_note(note)
        own = self._checkpoints.own_key(root)
        # A root file that is still missing here may have changed the key to the one we have.
        return verify_log(found, own if signatures_by(found, own) else root.log)

    def _refill(self, said: Mapping[VerifierKey, Checkpoint], root: RootFile) -> None:
        """Bring back what witnesses hold and we do not; the largest tree first."""
        witnesses = {witness.key: witness for witness in root.witnesses}
        for key, held in sorted(said.items(), key=lambda item: -item[1].size):
            known = self._log.known()
            if held.size <= known.size:
                if known.tree.root(held.size) != held.root:
                    raise TailRefused
                continue
            try:
                tail = self._tail(witnesses[key], root.net, known.size, held.size)
                self._log.refill(tail, start=known.size, root_hash=held.root)
                _log.warning("log_refilled", country=witnesses[key].country, count=len(tail))
            except (WitnessAway, ContractError, TailRefused) as error:
                # Its leaves are not what we signed, or it went away; another may have them.
                _log.error("log_not_refilled", country=witnesses[key].country, exc_info=error)
        if any(held.size > self._log.known().size for held in said.values()):
            raise LogClosed("tail_not_fetched", _NOT_FETCHED, wait=60)

    def _tail(self, witness: Witness, net: str, start: int, end: int) -> list[bytes]:
        tail: list[bytes] = []
        while start + len(tail) < end:
            found = self._line(witness).leaves(net, start + len(tail), end)
            if not found:
                raise WitnessAway
            tail += found
        return tail

    def _check_enough(self, said: Mapping[VerifierKey, Checkpoint], root: RootFile) -> None:
        """Any k of n witnesses and any n − k + 1 share one; without our mark, all must answer."""
        total = len(root.witnesses)
        needed = total if self._gate.mark.read() is None else total - root.k + 1
        if root.k and len(said) < needed:
            _log.warning("too_few_witnesses_said", accepted=len(said), total=needed)
            raise LogClosed(
                "too_few_witnesses",
                f"The log is not open yet: {len(said)} of the {needed} witnesses that must first"
                " say what they hold have answered. Nothing was added, nothing is lost. Send it"
                " again in a minute; if it stays so, the operator of the directory looks which"
                " witnesses do not answer.",
                wait=30,
            )

    def _restore_mark(self, said: Mapping[VerifierKey, Checkpoint], root: RootFile) -> None:
        """A mark that is gone begins again where every witness says the log was, or at nothing."""
        if self._gate.mark.read() is not None:
            return
        newest = self._checkpoints.newest()
        if newest is not None and not root.k:
            return  # nobody can say what was signed since; the gate's check says so
        signed = max([0 if newest is None else newest.size, *(held.size for held in said.values())])
        self._gate.mark.raise_to(signed, self._log.known().tree.root(signed))

    # From then on: their signatures.

    def _target(self, now: int) -> Signed:
        """The checkpoint to ask for: the newest, unless the one before still waits for its turn."""
        newest, shown = self._checkpoints.newest(), self._checkpoints.published_size()
        if newest is None:
            return self._checkpoints.sign(now=now)
        waits = newest.size != shown and not _passed(newest.at, PATIENCE_SECONDS, now)
        if not waits and newest.size != self._log.size():
            return self._checkpoints.sign(now=now)
        self._gate.check(self._log.known())
        return newest

    def _wanted(self, signed: Signed, now: int) -> list[Witness]:
        """Whose signature is missing or old; those that answered last time first."""
        asked_at = self._checkpoints.asked_at(signed.size)
        due = [
            witness
            for witness in self._witnesses(signed)
            if _passed(asked_at.get(witness.key.public.hex(), 0), RENEW_SECONDS, now)
            and self._pause(witness).is_over(now)
        ]
        return sorted(due, key=lambda witness: self._pause(witness).failures)

    def _pause(self, witness: Witness) -> _Pause:
        return self._pauses.get(witness.key, _Pause())

    def _witnesses(self, signed: Signed) -> Iterable[Witness]:
        """Those of the root file in force, and of the one before until all may know the new one."""
        known, shown = self._log.known(), self._checkpoints.published_size()
        before = known.root_file(shown or 0).witnesses
        now = known.root_file(signed.size).witnesses
        return {witness.key: witness for witness in (*before, *now)}.values()

    def _ask(self, witness: Witness, signed: Signed, now: int) -> bool:
        """Ask one witness, from the size it says it has; whether it signed."""
        try:
            return self._sign_by(witness, signed, now) or self._sign_by(witness, signed, now)
        except (WitnessAway, ContractError) as error:
            code = error.code if isinstance(error, ContractError) else "no_answer"
            _log.warning("witness_did_not_sign", country=witness.country, code=code)
            return False

    def _sign_by(self, witness: Witness, signed: Signed, now: int) -> bool:
        """One request. False where another may succeed: the witness has told its size.

        Raises `WitnessAway`, the contract's errors, and `LogClosed` where it shows a checkpoint
        of ours that we do not know.
        """
        old = min(self._holds.get(witness.key, 0), signed.size)
        proof = self._log.known().tree.consistency(old, signed.size)
        request = add_checkpoint_request(old, proof, signed.note)
        answer = self._line(witness).add_checkpoint(request)
        if answer.status == 409:
            self._learn_size(witness, signed, old, answer.body)
            return False
        if answer.status != 200:
            raise Refused(_REFUSALS.get(answer.status, "not_signed"), "checkpoint")
        value = _cosignature(signed.note, witness.key, answer.body)
        self._checkpoints.keep(signed.size, witness.key, value, now=now)
        self._holds[witness.key] = signed.size
        return True

    def _learn_size(self, witness: Witness, signed: Signed, old: int, body: bytes) -> None:
        try:
            size = parse_size(body.decode("ascii").removesuffix("\n"), field="size")
        except UnicodeDecodeError:
            raise Malformed("not_text", "size") from None
        if size == old:
            raise Refused("other_root", "checkpoint")
        if size > signed.size:
            self._look_at_larger(witness, signed)
        self._holds[witness.key] = size

    def _look_at_larger(self, witness: Witness, signed: Signed) -> None:
        """It says it signed more than we ask for. Only our own signature on it proves that."""
        held = self._held(witness, self._log.known().root_file(signed.size))
        if held.size > self._log.size():
            closed = LogClosed("tail_not_fetched", _NOT_FETCHED, wait=30)
            self._gate.shut(closed)
            raise closed
        raise Refused("has_more", "checkpoint")

    def _line(self, witness: Witness) -> Asked:
        known = self._lines.get(witness.key)
        if known is None or known[0] != witness.url:
            if known is not None:
                known[1].close()
            known = self._lines[witness.key] = (witness.url, self._connect(witness))
        return known[1]


_NOT_FETCHED: Final = (
    "A witness holds more of the log than the database here, and it could not be fetched yet."
    " Nothing was added and nothing is signed. The directory tries again by itself; if it stays so,"
    " the operator puts the newest copy of the database back."
)
_REFUSALS: Final = {
    400: "not_understood",
    403: "key_not_known",
    404: "log_not_known",
    422: "bad_proof",
    503: "not_ready",
}


def shown_before(holds: Sequence[int], root: RootFile) -> int:
    """The largest size that k witnesses may have signed, if those that did not say signed all."""
    silent = len(root.witnesses) - len(holds)
    return sorted(holds, reverse=True)[max(0, root.k - silent - 1)]


def _passed(since: int, seconds: int, now: int) -> bool:
    """Whether so many seconds have passed, or our clock was set back meanwhile."""
    return not 0 <= now - since < seconds


def _cosignature(note: Note, witness: VerifierKey, body: bytes) -> bytes:
    """The newest good signature of this witness in its answer, without name and key hash.

    Raises `Malformed`, `BadSignature`; `Refused("not_signed", ...)` where there is none.
    """
    own = [one for one in parse_signatures(body) if one.is_by(witness)]
    signed = [one for one in own if cosignatures(replace(note, signatures=(one,)), [witness])]
    if not signed:
        raise Refused("not_signed", "checkpoint")
    return max(signed, key=_time).value


def _time(signature: NoteSignature) -> bytes:
    return signature.value[:8]
