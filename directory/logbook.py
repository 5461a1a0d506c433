"""The log with all that belongs to it, put together once: for the application and the commands.

logbook = open_logbook(engine, root=root, key_file=path, clock=clock)
logbook.open()                           # LogClosed while it may not grow
logbook.log.append_all(statements)
logbook.advance()                        # sign, and publish where no witness is needed
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from broker.service.failures import Failure
from broker.service.logs import logger
from contracts.root import RootFile, Witness
from directory.asking import Asked, WitnessLine
from directory.checkpoints import Checkpoints, Gate
from directory.logkey import Mark, read_log_key
from directory.publication import Publication, check_listing
from directory.rounds import Rounds
from directory.statements import StatementLog
from directory.witnessing import Witnessing

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Logbook:
    """A log, its checkpoints, and how it comes by its witnesses' signatures."""

    log: StatementLog
    checkpoints: Checkpoints
    gate: Gate
    witnessing: Witnessing
    rounds: Rounds
    publication: Publication
    clock: Callable[[], int]

    def open(self) -> None:
        """Let the log grow, once it is known to be whole. Raises `LogClosed`.

        Where the root file asks for witnesses, they are asked now, over the network.
        """
        if not self.gate.is_open:
            self.witnessing.open()
            self.publication.refresh()

    def advance(self) -> None:
        """After an append: sign and publish, or leave it to the thread that asks the witnesses.

        The statement stands in the log whatever becomes of this; every round repeats it.
        """
        self.rounds.wake()
        if self.log.known().register.root.k:
            return
        try:
            self.checkpoints.publish(self.checkpoints.sign(now=self.clock()))
        except (Failure, SQLAlchemyError) as error:
            _log.warning("log_not_signed", exc_info=error)


def connect(witness: Witness) -> Asked:
    """The witness at the address in the root file."""
    return WitnessLine(witness.url)


def open_logbook(
    engine: Engine,
    *,
    root: RootFile,
    key_file: Path,
    clock: Callable[[], int],
    connect: Callable[[Witness], Asked] = connect,
) -> Logbook:
    """The logbook in a database whose tables are up to date; the log itself is still shut.

    Raises `Failure` where the key cannot be used.
    """
    key, gate = read_log_key(key_file), Gate(Mark.beside(key_file))
    log = StatementLog(engine, root=root, guard=gate, check=check_listing, clock=clock)
    checkpoints = Checkpoints(engine, log=log, key=key, gate=gate)
    witnessing = Witnessing(log, checkpoints, gate, connect=connect)
    publication = Publication(log, clock=clock)
    rounds = Rounds(engine, witnessing, gate, opened=publication.refresh, clock=clock)
    return Logbook(log, checkpoints, gate, witnessing, rounds, publication, clock)
