"""Putting a statement of ours into the network's log, whoever else of us does so at the same time.

The place in the author's chain is always the verified log's, never remembered, so no number is
used twice. Two desks of one organisation that publish at once collide in one place of its chain:
the slower one looks at the log and signs anew in the next. What is already so is not said again:
a command that was cut off after its statement arrived ends well the second time.

    publish(desk, lambda register: freeze_statement(register.next_heading(org, iat=now), ...))
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from broker.desk.client import DirectoryClient, HubRefused, Unreachable
from broker.desk.errors import DeskError
from broker.desk.settings import DeskSettings
from broker.desk.unlocking import DirectoryDoor, Log, local_time, open_log, read_root
from broker.mirror import DirectoryUnreachable
from contracts.register import Register
from contracts.root import RootFile
from contracts.statements import Statement

# What the directory answers where somebody of us was faster.
TAKEN: Final = frozenset({"gap_in_seq", "chain_broken"})
TRIES: Final = 2


class Unanswered(Unreachable):
    """The line broke after a statement was handed in: it may stand in the log, or come to."""


Make = Callable[[Register], Statement | None]


class Publishing(Protocol):
    """Who can publish: a desk, or a computer without keys that knows the network."""

    @property
    def root(self) -> RootFile: ...
    @property
    def log(self) -> Log: ...
    @property
    def directory(self) -> DirectoryDoor: ...


@dataclass(slots=True)
class Network:
    """The network as a computer without a desk sees it: for what a stick alone can do."""

    root: RootFile
    log: Log
    directory: DirectoryDoor
    clock: Callable[[], int]
    close: Callable[[], None] = field(default=lambda: None)


def open_network(settings: DeskSettings) -> Network:
    """The network that `settings` name; no passphrase and no desk is needed."""
    root = read_root(settings.root_file)
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    log, close_log = open_log(settings, root)
    directory = DirectoryClient(settings.directory_url)

    def close() -> None:
        directory.close()
        close_log()

    return Network(root, log, directory, local_time, close)


def publish(place: Publishing, make: Make) -> bool:
    """Have `make` sign for the log as it is now, and publish; whether there was anything to say.

    `make` returns None where the register already says so. Raises `DeskError` naming the rule that
    is broken, `DirectoryUnreachable`, `Unreachable`, `HardStop`.
    """
    for attempt in range(1, TRIES + 1):
        place.log.sync()
        statement = make(place.log.register)
        if statement is None:
            return False
        try:
            _hand_in(place, statement)
        except HubRefused as refused:
            if refused.code not in TAKEN or attempt == TRIES:
                raise refusal(refused) from None
            continue
        return True
    raise AssertionError("the last attempt returns or raises")


def post(place: Publishing, statement: Statement) -> None:
    """Publish a statement whose signatures were gathered elsewhere, so it cannot be made anew."""
    try:
        _hand_in(place, statement)
    except HubRefused as refused:
        raise refusal(refused) from None


def _hand_in(place: Publishing, statement: Statement) -> None:
    """Raises `Unanswered` where nobody can say whether it stands in the log; a later look can."""
    try:
        place.directory.publish(statement)
    except Unreachable as away:
        if away.retry_after is not None:  # it did answer, that it takes nothing now
            raise
        raise Unanswered from None
    with contextlib.suppress(DirectoryUnreachable):  # it stands there, seen by us or not
        place.log.sync()


def refusal(refused: HubRefused) -> DeskError:
    """Why the directory did not take a statement, as a sentence."""
    if refused.code in TAKEN:
        return DeskError("chain_taken")
    if refused.code == "not_vouched_for":  # a word of a month ago counts no more
        return DeskError("not_admitted")
    return DeskError("statement_refused", rule=refused.code.replace("_", " "))
