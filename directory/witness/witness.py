"""The witness itself: asked about a checkpoint, it fetches, judges, remembers, and only then signs.

    witness = Witness(store=store, logs=read_logs(file), name=name, key=key, marks=marks,
                      clock=clock)
    lines = witness.add_checkpoint(body)          # Refusal

What it knows in memory is only what its database holds, verified again, to save reading it each
time; the decision is made on the locked row. One object may be shared by threads, and several
processes may keep one database.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import httpx

from broker.service.logs import logger
from contracts.checkpoints import AddCheckpoint, cosign
from contracts.notes import render_note, render_signatures, signed_note
from contracts.root import WITNESS_KEY, VerifierKey
from contracts.signing import SigningKey
from directory.witness.keyfile import Marks
from directory.witness.rules import (
    Growth,
    Kept,
    Mark,
    Refusal,
    View,
    check_clock,
    check_growth,
    check_mark,
    check_place,
    check_turn,
    check_waiting,
    cosignature_time,
    grow,
    last_time,
    log_signature,
    names_another_key,
    read_asked,
    signed_lately,
)
from directory.witness.settings import FollowedLog
from directory.witness.source import Source
from directory.witness.store import Store, Turn

_log = logger(__name__)

# Requests about one log that fetch at once, in one process: a stranger may repeat the newest
# checkpoint, and a slow directory of one log must not take the threads of all others.
_AT_ONCE: Final = 3
# Refusals that this witness's operator, or the directory's, has to mend.
_OURS: Final = frozenset(
    {"clock_differs", "behind_mark", "clock_fell", "damaged", "time_ahead", "unknown_rules"}
)


class Witness:
    """Signs checkpoints of the logs it follows, each log's trees one after the other."""

    def __init__(
        self,
        *,
        store: Store,
        logs: Sequence[FollowedLog],
        name: str,
        key: SigningKey,
        marks: Marks,
        clock: Callable[[], int],
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`clock` gives Unix seconds; `transport` stands for the network in tests."""
        self._store = store
        self._name, self._key, self._marks = name, key, marks
        self._clock = clock
        self._followed = {
            log.root.net: _Followed(log, store, Source(log.directory_url, transport))
            for log in logs
        }

    @property
    def vkey(self) -> VerifierKey:
        """What a root file lists of this witness."""
        return VerifierKey(self._name, WITNESS_KEY, self._key.public)

    @property
    def nets(self) -> tuple[str, ...]:
        """The origins of the logs it follows."""
        return tuple(self._followed)

    def follows(self, net: str) -> bool:
        """Whether a log of this origin is followed."""
        return net in self._followed

    def add_checkpoint(self, body: bytes) -> bytes:
        """The cosignature line for the checkpoint in this request. Raises `Refusal`.

        When this returns, what was signed is on the disk.
        """
        asked = read_asked(body)
        followed = self._followed.get(asked.checkpoint.origin)
        if followed is None:
            raise Refusal("unknown_origin")
        try:
            return self._answer(asked, followed)
        except Refusal as refusal:
            _say(refusal, asked)
            raise

    def _answer(self, asked: AddCheckpoint, followed: _Followed) -> bytes:
        kept, view = followed.known()
        try:
            log_signature(asked, view.log)
        except Refusal:
            growth = self._under_new_root(asked, followed, kept, view)
        else:
            self._place(asked, followed, kept, view)
            again = signed_lately(asked, kept, self.vkey, self._clock())
            if again is not None:
                return render_signatures([again])
            growth = self._fetched(asked, followed, view)
        return self._signed(asked, followed, growth)

    def _under_new_root(
        self, asked: AddCheckpoint, followed: _Followed, kept: Kept, view: View
    ) -> Growth:
        """The new leaves may hold a root file with another key of the log, which signed this.

        Until that is found in the log nothing here is the log's word: no refusal is an alarm.
        """
        if not names_another_key(asked, view.log):
            raise Refusal("not_signed")
        try:
            check_place(asked, kept, view)
        except Refusal:
            raise Refusal("not_signed") from None
        growth = self._fetched(asked, followed, view)
        log_signature(asked, growth.view.log)
        return growth

    def _place(self, asked: AddCheckpoint, followed: _Followed, kept: Kept, view: View) -> None:
        try:
            check_place(asked, kept, view)
        except Refusal as refusal:
            if refusal.alarm:
                with self._store.turn(followed.net) as turn:
                    turn.stop(refusal.code, note=render_note(asked.note), at=self._clock())
            raise

    def _fetched(self, asked: AddCheckpoint, followed: _Followed, view: View) -> Growth:
        """The view with the new leaves. The directory is asked even where there are none: whether
        it has a leaf that waits, and whether its clock agrees with ours.
        """
        with followed.one_of_few():
            fetched = followed.source.fetch(view.tree.size, asked.checkpoint.size)
        now = self._clock()
        check_clock(now, fetched.date)
        check_waiting(fetched.waiting, now)
        return grow(view, fetched.leaves)

    def _signed(self, asked: AddCheckpoint, followed: _Followed, growth: Growth) -> bytes:
        """The decision, on the locked row. A stop is kept, so the refusal is raised after it."""
        refusal: Refusal | None = None
        line = b""
        with self._store.turn(followed.net) as turn:
            now = self._clock()
            try:
                line = self._sign(asked, growth, turn, now)
            except Refusal as found:
                refusal = found
                if refusal.alarm:
                    turn.stop(refusal.code, note=render_note(asked.note), at=now)
        if refusal is not None:
            raise refusal
        followed.grown(growth.view)
        return line

    def _sign(self, asked: AddCheckpoint, growth: Growth, turn: Turn, now: int) -> bytes:
        check_turn(turn.kept, growth)
        net, mark = turn.net, self._marks.read(turn.net)
        last = last_time(turn.kept, mark)
        check_growth(asked, last, growth, now)
        check_mark(growth, mark)
        at = cosignature_time(last, now)
        by_log = log_signature(asked, growth.view.log, growth.base.log)
        own = cosign(asked.note.text, name=self._name, key=self._key, at=at)
        note = render_note(signed_note(asked.note.text, by_log, own))
        checkpoint = asked.checkpoint
        # The mark first: what may have been signed is never forgotten, whatever fails after it.
        self._marks.raise_to(net, Mark(checkpoint.size, checkpoint.root, at))
        turn.sign(Kept(checkpoint.size, checkpoint.root, at, note), growth.leaves)
        return render_signatures([own])


class _Followed:
    """One log: where its leaves come from, and a verified copy of what the database holds."""

    def __init__(self, log: FollowedLog, store: Store, source: Source) -> None:
        self.net = log.root.net
        self.source = source
        self._root = log.root
        self._store = store
        self._view = View.empty(log.root)
        self._one_reader = threading.Lock()
        self._few = threading.BoundedSemaphore(_AT_ONCE)

    def known(self) -> tuple[Kept, View]:
        """What is remembered, and the log up to there. Raises `Refusal("damaged")` where the
        leaves in the database are not those of the tree it says was signed.
        """
        with self._one_reader:
            kept, view = self._store.kept(self.net), self._view
            if view.tree.size > kept.size:
                view = View.empty(self._root)
            if view.tree.size < kept.size:
                leaves = self._store.leaves(self.net, view.tree.size, kept.size)
                view = grow(view, leaves).view
            if (view.tree.size, view.tree.root()) != (kept.size, kept.root):
                raise Refusal("damaged")
            self._view = view
            return kept, view

    def grown(self, view: View) -> None:
        """Take over what is now in the database."""
        with self._one_reader:
            if view.tree.size > self._view.tree.size:
                self._view = view

    @contextmanager
    def one_of_few(self) -> Iterator[None]:
        """Raises `Refusal("busy")` where as many are at it as may be."""
        if not self._few.acquire(blocking=False):
            raise Refusal("busy")
        try:
            yield
        finally:
            self._few.release()


def _say(refusal: Refusal, asked: AddCheckpoint) -> None:
    """A refusal is the log's business, or the operator's; an alarm is everybody's."""
    code, net, index = refusal.code, asked.checkpoint.origin, asked.checkpoint.size
    if refusal.alarm:
        _log.critical("log_contradicts_itself", code=code, net=net, index=index)
    elif refusal.code in _OURS:
        _log.error("cannot_sign", code=code, net=net, index=index)
    else:
        _log.info("not_signed", code=code, net=net, index=index)
