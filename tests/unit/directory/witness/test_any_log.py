"""Whatever a log does, in whatever order: what a witness signed of it is one history.

A machine plays a log that forks, rolls back, withholds and shows other leaves at random, with good
proofs and bad ones, while the witness is restarted and its operator waves every stop through.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.errors import Refused
from contracts.tree import check_consistency
from tests.unit.contracts.authors import NOW
from tests.unit.directory.witness.logs import Log, World

STATUSES = {200, 403, 409, 422, 503}
SMALL = st.integers(0, 12)
WHICH = st.integers(0, 3)


class AnyLog(RuleBasedStateMachine):
    """`signed` is what a world of clients could hold against the witness: size, root, time."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self._folder.name))
        self.forks: list[Log] = [self.world.log]
        self.signed: list[tuple[int, bytes, int]] = []
        self.longest = self.world.log.fork(0)

    @initialize(size=st.integers(1, 6), at=st.tuples(SMALL, SMALL, SMALL))
    def start(self, size: int, at: tuple[int, int, int]) -> None:
        """A log of which something is signed, and three others that part from it somewhere."""
        self.witness = self.world.witness()
        self.world.log.write(size)
        self.ask_and_show(0)
        for number, place in enumerate(at):
            fork = self.world.log.fork(min(place, size))
            fork.write(number + 1, says=f"fork {number}")
            self.forks.append(fork)

    @rule(which=WHICH, count=st.integers(1, 3), late=st.sampled_from([0, 0, 0, 500, 700]))
    def write(self, which: int, count: int, late: int) -> None:
        self._fork(which).write(count, t=self.world.clock() - late, says=f"fork {which}")

    @rule(which=WHICH, from_which=WHICH, size=SMALL)
    def fork(self, which: int, from_which: int, size: int) -> None:
        """One of them becomes another's past."""
        log = self._fork(from_which)
        self.forks[which] = log.fork(min(size, log.size))

    @rule(which=WHICH)
    def show_the_leaves_of(self, which: int) -> None:
        self.world.directories.serve(self._fork(which))

    @rule(which=WHICH, size=SMALL, old=SMALL, honestly=st.booleans())
    def ask(self, which: int, size: int, old: int, honestly: bool) -> None:
        log = self._fork(which)
        size = log.size if honestly else min(size, log.size)
        old = self.witness.store.kept(log.net).size if honestly else min(old, size)
        if old <= size:
            self._ask(log, size, log.request(old, size))

    @rule(which=WHICH, other=WHICH, old=SMALL)
    def ask_with_the_proof_of_another(self, which: int, other: int, old: int) -> None:
        log, shown = self._fork(which), self._fork(other)
        size = min(log.size, shown.size)
        old = min(old, size)
        proof = shown.tree.consistency(old, size)
        self._ask(log, size, log.request(old, size, proof=proof))

    @rule(which=WHICH)
    def ask_and_show(self, which: int) -> None:
        """The way that leads furthest: everything about one fork fits together."""
        log = self._fork(which)
        self.world.directories.serve(log)
        kept = self.witness.store.kept(log.net).size
        if kept <= log.size:
            self._ask(log, log.size, log.request(kept))

    @rule(seconds=st.sampled_from([1, 200, 400]))
    def time_passes(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    @rule()
    def restart(self) -> None:
        self.world.close()
        self.witness = self.world.witness()

    @invariant()
    def what_was_signed_is_one_history(self) -> None:
        roots: dict[int, bytes] = {}
        for size, root, _ in self.signed:
            assert roots.setdefault(size, root) == root, "two roots for one size"
        times = [at for _, _, at in self.signed]
        assert times == sorted(times)
        for size, root in roots.items():
            proof = self.longest.tree.consistency(size)
            check_consistency(size, self.longest.size, root, self.longest.tree.root(), proof)

    def teardown(self) -> None:
        self.world.close()
        self._folder.cleanup()

    def _fork(self, which: int) -> Log:
        return self.forks[which]

    def _ask(self, log: Log, size: int, body: bytes) -> None:
        self.witness.store.resolve(log.net, at=NOW)
        answer = self.witness.ask(body)
        assert answer.status_code in STATUSES
        if answer.status_code == 200:
            at = self.witness.time_in(answer, log.note(size))
            self.signed.append((size, log.tree.root(size), at))
            self.longest = max(self.longest, log.fork(size), key=lambda one: one.size)


AnyLog.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestAnyLog = AnyLog.TestCase


def test_the_machine_would_notice_a_second_history() -> None:
    """The invariant itself: it fails where two forks were signed."""
    machine = AnyLog()
    log = machine.world.log
    log.write(3)
    fork = log.fork(1)
    fork.write(3, says="another past")
    machine.signed = [(3, log.tree.root(), NOW), (4, fork.tree.root(), NOW)]
    machine.longest = fork
    try:
        machine.what_was_signed_is_one_history()
    except Refused:
        return
    finally:
        machine.teardown()
    raise AssertionError("two forks went unnoticed")
