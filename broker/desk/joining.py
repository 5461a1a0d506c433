"""Coming into the network: who has vouched for us so far, and publishing ourselves once two have.

    waiting = applicant(desk.home, desk.log.register)    # None once we are in
    join(desk)                                           # in every round; the courier does it

What is published was signed by the root key at `init`, which needs no stick any more. Whether the
vouches count is the log's to say; this file asks only where it may hope for a yes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from broker.desk.client import HubRefused
from broker.desk.enrolment import ADMISSION, read_admission
from broker.desk.errors import DeskError
from broker.desk.publishing import TAKEN, refusal
from broker.desk.unlocking import Desk
from contracts.contents import OrgContent, read_content
from contracts.errors import ContractError
from contracts.identifiers import OrgId
from contracts.register import Register
from contracts.standing import VOUCHES_NEEDED
from contracts.statements import Statement


@dataclass(frozen=True, slots=True)
class Applicant:
    """An organisation that waits to be admitted: what coordinators are told, and who has vouched.

    `vouches` counts the countries whose coordinators have vouched, as far as this desk has seen.
    """

    org: OrgId
    kind: str
    root: bytes
    vouches: int

    @property
    def vouched(self) -> bool:
        """Whether that suffices; the log may still find one of them too old."""
        return self.vouches >= VOUCHES_NEEDED


def applicant(home: Path, register: Register) -> Applicant | None:
    """Who waits to be admitted with this desk, or None once it is, or for a further computer."""
    path = home / ADMISSION
    if not path.exists():
        return None
    first = read_admission(path)[0]
    try:
        content = read_content(first)
    except ContractError:
        raise DeskError("admission_missing", path=str(path)) from None
    if not isinstance(content, OrgContent):
        raise DeskError("admission_missing", path=str(path))
    org = content.heading.org
    if register.organisation(org) is not None:
        return None
    return Applicant(org, content.kind, content.root, register.vouches(org, first.hash))


def join(desk: Desk) -> None:
    """Publish what stands in the admission file and not in the log yet, once we are vouched for.

    May be cut off anywhere and called again. Raises `DeskError("not_admitted")` while vouches are
    missing, and what the directory refuses otherwise.
    """
    register = desk.log.register
    waiting = applicant(desk.home, register)
    known = register.organisation(desk.org)
    if known is None and (waiting is None or not waiting.vouched):
        raise DeskError("not_admitted")
    statements = read_admission(desk.home / ADMISSION)
    for statement in statements[0 if known is None else known.seq :]:
        _post(desk, statement)
    desk.log.sync()
    if desk.log.register.organisation(desk.org) is None:
        raise DeskError("not_witnessed_yet")


def unfinished(desk: Desk, register: Register) -> bool:
    """Whether our organisation is not in the log, or this desk, its first, not quite."""
    known = register.organisation(desk.org)
    if known is None:
        return True
    if register.device(desk.org, desk.ring.device) is not None:
        return False
    path = desk.home / ADMISSION
    if not path.exists():
        return False
    statements = read_admission(path)
    return known.seq < len(statements) and known.head == statements[known.seq - 1].hash


def _post(desk: Desk, statement: Statement) -> None:
    """One statement; where its place is taken it is there already, seen by the log and not by us.

    If it is not, the next round's look at the log says what is there.
    """
    try:
        desk.directory.publish(statement)
    except HubRefused as refused:
        if refused.code not in TAKEN | {"org_repeated", "key_already_used"}:
            raise refusal(refused) from None
