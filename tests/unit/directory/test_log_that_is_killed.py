"""A log that is killed between any two steps and put back from old backups, in any order.

However it happens: nobody sees two logs, no size is signed twice, and what was answered with 201
stays, or comes back from a witness that holds it.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from contracts.notes import render_note
from contracts.quorum import accept_checkpoint
from directory.statements import LogClosed
from tests.unit.directory.witnessed import Killed, World


class Log(RuleBasedStateMachine):
    """Everything that may happen to a log in any order; killed between any two steps."""

    losing_the_mark = False

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="rujukan-log-"))
        self.world = World(self.folder)
        self.backups: list[Path] = []
        self.accepted: set[str] = set()
        self.shown: dict[int, bytes] = {}
        self.mark_was_lost = False

    def teardown(self) -> None:
        self.world.kill()
        shutil.rmtree(self.folder)

    @initialize()
    def begin(self) -> None:
        self.world.start()
        self.world.round()
        self.backups.append(self.world.backup("first.db"))

    @rule(fuse=st.none() | st.integers(0, 25))
    def write(self, fuse: int | None) -> None:
        statement = self.world.statement()
        self.world.fuse.left = fuse
        try:
            self.world.process.log.append(statement)
            self.accepted.add(statement.hash)
        except LogClosed:
            pass
        except Killed:
            self.world.kill()
        self.world.fuse.left = None

    @rule(fuse=st.none() | st.integers(0, 25), seconds=st.sampled_from([0, 1, 30, 4000]))
    def go_round(self, fuse: int | None, seconds: int) -> None:
        self.world.now += seconds
        self.world.fuse.left = fuse
        try:
            self.world.round()
        except Killed:
            self.world.kill()
        self.world.fuse.left = None

    @rule()
    def kill(self) -> None:
        self.world.kill()

    @rule(number=st.integers(0, 2), away=st.booleans(), busy=st.booleans())
    def come_and_go(self, number: int, away: bool, busy: bool) -> None:
        self.world.witnesses[number].away = away
        self.world.witnesses[number].busy = busy

    @rule()
    def back_up(self) -> None:
        self.backups.append(self.world.backup(f"{len(self.backups)}.db"))

    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        self.world.restore(data.draw(st.sampled_from(self.backups)))
        # What no witness holds and the copy does not is given up; its author signs it again.
        self.accepted &= self.world.in_log() | self.world.held()

    @precondition(lambda self: self.losing_the_mark)
    @rule(data=st.data())
    def restore_and_lose_the_mark(self, data: st.DataObject) -> None:
        self.restore(data)
        self.world.mark_file.unlink(missing_ok=True)
        self.mark_was_lost = True

    @invariant()
    def nobody_sees_two_logs(self) -> None:
        assert self.world.alarms() == []
        note = self.world.published()
        if note is None:
            return
        accepted = accept_checkpoint(render_note(note), self.world.root).checkpoint
        assert self.shown.setdefault(accepted.size, accepted.root) == accepted.root
        assert accepted.size == max(self.shown)

    @invariant()
    def no_size_is_signed_twice_and_none_smaller(self) -> None:
        if self.mark_was_lost:
            return
        signed = self.world.key.signed
        assert len({one.size for one in signed}) == len(set(signed))
        assert [one.size for one in signed] == sorted(one.size for one in signed)

    @invariant()
    def nothing_accepted_is_lost(self) -> None:
        if self.world.process.gate.is_open:
            known = self.world.process.log.known()
            try:
                self.world.process.gate.check(known)
            except LogClosed:
                return
            assert self.accepted <= self.world.in_log()


class LogThatLosesItsMark(Log):
    """The same, where the file beside the key is lost with the database."""

    losing_the_mark = True


TestLog = Log.TestCase
TestLog.settings = settings(max_examples=30, stateful_step_count=30)
TestLogThatLosesItsMark = LogThatLosesItsMark.TestCase
TestLogThatLosesItsMark.settings = settings(max_examples=30, stateful_step_count=30)
