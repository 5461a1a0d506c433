"""A network's root file: the first version, and the next out of the one before.

Pure: a root file and wishes in, bytes out. In a later version what is not wished for stays as it
was; who must sign it, and when it counts, is the network's rule (`contracts.root`).

    before = read_before(data)
    data = root_after(before, Wishes(coordinators=(one, two, three)))
    root_changes(before, read_before(data))       # broker.service: to be shown to people
"""

from __future__ import annotations

from dataclasses import dataclass

from broker.service.failures import Failure
from broker.service.root_changes import root_changes
from contracts.root import Coordinator, Hub, RootFile, Witness, make_root, next_root, read_root
from contracts.statements import parse_statement


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a version is to say; None or nothing listed: as before. `log`: the log's public key."""

    hubs: tuple[Hub, ...] = ()
    log: bytes | None = None
    coordinators: tuple[Coordinator, ...] = ()
    witnesses: tuple[Witness, ...] = ()
    k: int | None = None


def first_root(net: str, wishes: Wishes) -> bytes:
    """Version 1. Whether it may be followed says `contracts.root.parse_root`."""
    if wishes.log is None:
        raise ValueError("the first version names the log's key")
    return make_root(
        net=net,
        log=wishes.log,
        hubs=wishes.hubs,
        coordinators=wishes.coordinators,
        witnesses=wishes.witnesses,
        k=wishes.k or 0,
    )


def read_before(data: bytes) -> RootFile:
    """A root file of any version. Raises `ContractError`."""
    return read_root(parse_statement(data).body)


def root_after(before: RootFile, wishes: Wishes) -> bytes:
    """The version that follows. Raises `Failure`, and `ContractError` where it could not follow."""
    if before.statistics is not None:
        raise Failure(
            "This root file names who gets the network's statistics, which this command cannot"
            " write. Nothing was written; ask the people who maintain the program."
        )
    data = make_root(
        net=before.net,
        log=before.log.public if wishes.log is None else wishes.log,
        hubs=wishes.hubs or before.hubs,
        coordinators=wishes.coordinators or before.coordinators,
        witnesses=wishes.witnesses or before.witnesses,
        k=before.k if wishes.k is None else wishes.k,
        version=before.version + 1,
    )
    if not root_changes(before, next_root(before, parse_statement(data).body)):
        raise Failure(
            f"Nothing would differ from version {before.version}. Nothing was written; say what is"
            " to change."
        )
    return data
