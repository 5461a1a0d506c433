"""The outbox: an envelope is committed here before its first attempt and sent until it is settled.

A retry sends the identical bytes. `accepted` is only what the hub has signed with the key of the
root file; `stored` only what the recipient has signed. Without `stored` in time the same bytes go
out again, because a hub that was put back from a backup has forgotten them. What the hub refuses
for good fails in a sentence; where only the recipient's keys have changed, the same message is
sealed again under a new number.

    letter = keep(rows, desk, outgoing, now=now)      # inside the transaction of what it says
    report = deliver(desk)                            # afterwards, and again by the courier

This file does not know what a message says. Errors of the network are not errors here: what
cannot go now goes later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from nacl.utils import random

from broker.desk.cases import refold
from broker.desk.client import HubRefused, Unreachable
from broker.desk.errors import DeskError
from broker.desk.keyring import KeyRing
from broker.desk.records import Letter, Sending
from broker.desk.store import Rows, new_row
from broker.desk.unlocking import Desk
from broker.mirror import DirectoryUnreachable
from broker.service.failures import Failure
from broker.service.logs import logger
from contracts.envelope import MAX_LIFETIME
from contracts.errors import ContractError, Refused
from contracts.identifiers import Mid, OrgId
from contracts.messages import CONTRACT, RECEIPT_CONTRACT
from contracts.notice import Notice, read_notice
from contracts.register import Register
from contracts.sealing import Plaintext, Sealed, seal

# Seconds without `stored` after which the same bytes are sent again and the caseworker is told.
PATIENCE: Final[Mapping[str, int]] = {"emergency_24h": 15 * 60, "urgent_72h": 4 * 3600}
OTHER_PATIENCE: Final = 24 * 3600
# The first attempts come quickly, since most failures are a bad line.
FIRST_BACK_OFF: Final = 5
MOST_BACK_OFF: Final = 15 * 60
# A process that dies while sending leaves its claim; after this another sends the same bytes.
CLAIM: Final = 120
MOST_RESEALS: Final = 5

# Refusals that pass by themselves: a hub that has not read the log yet, a clock that is wrong.
_PASSING: Final = frozenset({"device_not_certified", "from_the_future", "not_your_device"})

# No number of an envelope is logged: a desk's log must not lead to what the hub has seen of it.
_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message about to be sealed: for whom, until when, and what it belongs to."""

    to: OrgId
    message: bytes = field(repr=False)
    exp: int
    urgency: str
    case_row: str = ""
    entry_row: str = ""
    re: Mid | None = None  # makes it a receipt


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one round did. `trouble` is what stopped it early: a sentence, if anything did."""

    accepted: int = 0
    failed: int = 0
    waiting: int = 0
    trouble: Failure | None = None

    @property
    def acted(self) -> bool:
        """Whether anything changed, so that another round may find more to do."""
        return bool(self.accepted or self.failed or self.waiting) and self.trouble is None


def keep(rows: Rows, desk: Desk, outgoing: Outgoing, *, now: int) -> Letter:
    """Seal and keep it, due at once; part of the caller's transaction.

    Raises `Refused` (unknown_recipient, recipient_has_no_keys, too_large ...).
    """
    sealed = sealed_for(outgoing, ring=desk.ring, register=desk.log.register, now=now)
    letter = Letter(
        row=new_row(),
        mid=sealed.mid,
        eid=sealed.eid,
        to=outgoing.to,
        case_row=outgoing.case_row,
        entry_row=outgoing.entry_row,
        exp=sealed.exp,
        urgency=outgoing.urgency,
        state=Sending.KEPT,
        re=outgoing.re,
        kept=now,
    )
    message = outgoing.message if outgoing.re is not None else None
    rows.add_letter(letter, body=sealed.body, message=message, due_at=now)
    return letter


def sealed_for(outgoing: Outgoing, *, ring: KeyRing, register: Register, now: int) -> Sealed:
    """The envelope of this message for the keys that are valid now, under a new number."""
    recipients = register.recipients(
        to=outgoing.to, sender=ring.org, sender_device=ring.device, now=now
    )
    return seal(
        Plaintext(outgoing.message),
        key=ring.signing,
        sender=ring.org,
        to=outgoing.to,
        recipients=recipients,
        contract=CONTRACT if outgoing.re is None else RECEIPT_CONTRACT,
        mid=Mid(random(16).hex()),
        iat=now,
        exp=min(outgoing.exp, now + MAX_LIFETIME),
        typ="msg" if outgoing.re is None else "rcpt",
        re=outgoing.re,
    )


def deliver(desk: Desk, *, eager: bool = False) -> Delivered:
    """Send what is due; `eager` also what waits for its next attempt (a person is looking)."""
    now = desk.clock()
    with desk.store.writing() as rows:
        letters = rows.claim_letters(_due(now, eager=eager), now=now, until=now + CLAIM)
    report, late = Delivered(), [letter for letter in letters if letter.exp <= now]
    for letter in late:  # needs no hub, and must not wait for one
        report = _counted(report, _fail(desk, letter, "expired", now=now, state=Sending.EXPIRED))
    letters = tuple(letter for letter in letters if letter.exp > now)
    for done, letter in enumerate(letters):
        try:
            report = _counted(report, _act(desk, letter))
        except Unreachable as away:
            for later in letters[done:]:
                _postpone(desk, later, wait=away.retry_after)
            away_now = DeskError("hub_unreachable")
            return replace(report, waiting=len(letters) - done, trouble=away_now)
        except Failure as trouble:
            for later in letters[done:]:
                _postpone(desk, later)
            return replace(report, waiting=len(letters) - done, trouble=trouble)
    return report


def back_off(attempts: int) -> int:
    """Seconds until the next attempt after this many."""
    return min(MOST_BACK_OFF, FIRST_BACK_OFF << min(attempts, 16))


def patience(urgency: str) -> int:
    """Seconds to wait for the recipient's `stored`."""
    return PATIENCE.get(urgency, OTHER_PATIENCE)


def settle_stored(rows: Rows, letter: Letter, *, now: int) -> None:
    """The recipient has it: nothing is left to send. One `stored` from any device settles it."""
    rows.update_letter(replace(letter, state=Sending.STORED, overdue=False), due_at=None)
    rows.forget_body(letter)
    _tell(rows, letter, Sending.STORED, now=now)


def settle_failed(
    rows: Rows, letter: Letter, code: str, *, now: int, state: Sending = Sending.FAILED
) -> None:
    """It will not arrive; the case says why. A letter that was stored meanwhile stays stored."""
    if rows.letter(letter.row).state is Sending.STORED:
        return
    if letter.is_receipt:
        rows.forget_letter(letter)
        return
    rows.update_letter(replace(letter, state=state), due_at=None)
    rows.forget_body(letter)
    _tell(rows, letter, state, now=now, code=code)


_Outcome = Literal["accepted", "failed", "waiting"]


def _due(now: int, *, eager: bool) -> Callable[[Letter, int], bool]:
    return lambda letter, at: at <= now or (eager and letter.state is Sending.KEPT)


def _counted(report: Delivered, outcome: _Outcome) -> Delivered:
    return Delivered(
        accepted=report.accepted + (outcome == "accepted"),
        failed=report.failed + (outcome == "failed"),
        waiting=report.waiting + (outcome == "waiting"),
    )


def _act(desk: Desk, letter: Letter) -> _Outcome:
    """One attempt with one letter, by one reading of the clock."""
    now = desk.clock()
    if letter.exp <= now:
        return _fail(desk, letter, "expired", now=now, state=Sending.EXPIRED)
    if letter.state is Sending.ACCEPTED and (code := _undeliverable(desk, letter)):
        return _fail(desk, letter, code, now=now)
    with desk.store.reading() as rows:
        body = rows.letter_body(letter.row)
    if body is None:  # settled by another process since it was claimed
        return "waiting"
    try:
        notice = desk.hub.submit(body)
    except HubRefused as refused:
        return _refused(desk, letter, refused, now=now)
    if not _is_acceptance(_verified(desk, letter, notice)):
        raise DeskError("hub_not_itself")
    return _accepted(desk, letter, now=now)


def _accepted(desk: Desk, letter: Letter, *, now: int) -> _Outcome:
    _log.info("envelope_accepted", attempt=letter.attempts + 1)
    with desk.store.writing() as rows:
        current = rows.find_letter(letter.row)
        if current is None or current.state not in (Sending.KEPT, Sending.ACCEPTED):
            return "accepted"  # the recipient was faster than the hub's answer
        if current.is_receipt:
            rows.forget_letter(current)  # nobody answers a receipt
            return "accepted"
        again = current.state is Sending.ACCEPTED
        told = replace(
            current, state=Sending.ACCEPTED, attempts=current.attempts + 1, overdue=again
        )
        rows.update_letter(told, due_at=min(now + patience(letter.urgency), letter.exp))
        _tell(rows, told, Sending.ACCEPTED, now=now)
    return "accepted"


def _refused(desk: Desk, letter: Letter, refused: HubRefused, *, now: int) -> _Outcome:
    _log.warning("envelope_refused", code=refused.code, field=refused.field)
    if refused.code == "keys_changed" and letter.resealed < MOST_RESEALS:
        return _seal_again(desk, letter, now=now)
    if refused.code in _PASSING or refused.code == "keys_changed":
        _postpone(desk, letter)
        return "waiting"
    if refused.code == "expired":
        return _fail(desk, letter, "expired", now=now, state=Sending.EXPIRED)
    return _fail(desk, letter, f"hub_{refused.code}", now=now)


def _seal_again(desk: Desk, letter: Letter, *, now: int) -> _Outcome:
    """The same message for the keys that are valid now; the old number is given up."""
    try:
        desk.log.sync()
    except DirectoryUnreachable:
        _postpone(desk, letter)
        return "waiting"
    try:
        with desk.store.writing() as rows:
            _replace(rows, desk, letter, now=now)
    except Refused as refused:
        return _fail(desk, letter, f"hub_{refused.code}", now=now)
    return "waiting"


def _replace(rows: Rows, desk: Desk, letter: Letter, *, now: int) -> None:
    current = rows.letter(letter.row)
    if current.state not in (Sending.KEPT, Sending.ACCEPTED):
        return
    message = rows.letter_message(letter.row) or rows.message(letter.entry_row)
    outgoing = Outgoing(
        to=letter.to,
        message=message,
        exp=letter.exp,
        urgency=letter.urgency,
        case_row=letter.case_row,
        entry_row=letter.entry_row,
        re=letter.re,
    )
    fresh = keep(rows, desk, outgoing, now=now)
    rows.update_letter(replace(fresh, resealed=letter.resealed + 1), due_at=now)
    rows.update_letter(replace(current, state=Sending.SUPERSEDED), due_at=None)
    rows.forget_body(letter)


def _undeliverable(desk: Desk, letter: Letter) -> str:
    """The code of a signed refusal that came after the acceptance, or ""."""
    data = desk.hub.notice(letter.mid)
    notice = None if data is None else _verified(desk, letter, data)
    if notice is None or notice.status == "accepted":
        return ""
    return "undeliverable" if notice.status == "undeliverable" else f"hub_{notice.code}"


def _verified(desk: Desk, letter: Letter, data: bytes) -> Notice | None:
    """The hub's signed word about exactly this envelope of ours, or none."""
    try:
        notice = read_notice(data, hub_key=desk.hub_facts.key)
    except ContractError:
        return None
    about = (notice.sender, notice.mid, notice.eid)
    return notice if about == (desk.org, letter.mid, letter.eid) else None


def _is_acceptance(notice: Notice | None) -> bool:
    return notice is not None and notice.status == "accepted"


def _fail(
    desk: Desk, letter: Letter, code: str, *, now: int, state: Sending = Sending.FAILED
) -> _Outcome:
    with desk.store.writing() as rows:
        current = rows.find_letter(letter.row)
        if current is not None:
            settle_failed(rows, current, code, now=now, state=state)
    return "failed"


def _postpone(desk: Desk, letter: Letter, *, wait: int | None = None) -> None:
    now = desk.clock()
    with desk.store.writing() as rows:
        current = rows.find_letter(letter.row)
        if current is None or current.state not in (Sending.KEPT, Sending.ACCEPTED):
            return
        later = now + max(wait or 0, back_off(current.attempts))
        rows.update_letter(
            replace(current, attempts=current.attempts + 1), due_at=min(later, letter.exp)
        )


def _tell(rows: Rows, letter: Letter, sending: Sending, *, now: int, code: str = "") -> None:
    """What became of the envelope, told to the event it carries and to its case."""
    if not letter.entry_row:
        return
    entry = rows.entry(letter.entry_row)
    if entry.sending is not Sending.STORED:
        rows.update_entry(replace(entry, sending=sending, code=code))
    refold(rows, rows.case(letter.case_row), now=now, why=code if entry.is_request else "")
