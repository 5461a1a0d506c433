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

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from nacl.utils import random

from broker.desk.cases import refold
from broker.desk.client import HubRefused, Unreachable
from broker.desk.errors import DeskError
from broker.desk.keyring import KeyRing
from broker.desk.records import Entry, Letter, Sending
from broker.desk.still import give_up_with_what_follows, still_covered
from broker.desk.store import Rows, new_row
from broker.desk.unlocking import Desk
from broker.mirror import DirectoryUnreachable, HardStop
from broker.service.failures import Failure
from broker.service.logs import logger
from contracts.envelope import CLOCK_SKEW, MAX_LIFETIME, NO_CHECKPOINT, Checkpoint
from contracts.errors import ContractError, Refused
from contracts.identifiers import Eid, Mid, OrgId
from contracts.lifecycle import UNTIL_STORED
from contracts.messages import CONTRACT, RECEIPT_CONTRACT, parse_message, render_message
from contracts.notice import Notice, read_notice
from contracts.register import Register
from contracts.sealing import Plaintext, Sealed, seal
from contracts.times import unix_seconds, utc_text

# Seconds without `stored` after which the same bytes are sent again and the caseworker is told.
PATIENCE: Final[Mapping[str, int]] = {"emergency_24h": 15 * 60, "urgent_72h": 4 * 3600}
OTHER_PATIENCE: Final = 24 * 3600
# The first attempts come quickly, since most failures are a bad line.
FIRST_BACK_OFF: Final = 5
MOST_BACK_OFF: Final = 15 * 60
# A process that dies while sending leaves its claim; after this another sends the same bytes.
CLAIM: Final = 120
MOST_RESEALS: Final = 5
# What must arrive is sealed again this long before its envelope ends, seconds.
BEFORE_END: Final = 24 * 3600
# What must arrive and was refused is tried again after at most this, seconds.
MOST_PUT_OFF: Final = 24 * 3600
# No server's word to come back later binds a desk longer than this, seconds.
LONGEST_WAIT: Final = 3600
# Receipts for a number that was sealed again since are understood this long, seconds.
SUPERSEDED_FOR: Final = 30 * 24 * 3600

# No envelope follows these.
_DONE_WITH: Final = frozenset({Sending.SUPERSEDED, Sending.GIVEN_UP})

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
    seen = _seen_checkpoint(desk)
    sealed = sealed_for(outgoing, ring=desk.ring, register=desk.log.register, seen=seen, now=now)
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


def keep_unsealed(
    rows: Rows,
    desk: Desk,  # noqa: ARG001 - the shape of `keep`: callers choose between the two
    outgoing: Outgoing,
    *,
    now: int,
) -> Letter:
    """Keep what must arrive and cannot be sealed today: no log to believe, or no keys of theirs.

    Part of the caller's transaction. `deliver` seals it as soon as it can; until then it stands on
    the list as not sent. For the types of `UNTIL_STORED` only: no other may wait without an end.
    """
    letter = Letter(
        row=new_row(),
        mid=Mid(random(16).hex()),
        eid=Eid(""),
        to=outgoing.to,
        case_row=outgoing.case_row,
        entry_row=outgoing.entry_row,
        exp=now + MAX_LIFETIME,
        urgency=outgoing.urgency,
        state=Sending.KEPT,
        kept=now,
        unsealed=True,
    )
    rows.add_letter(letter, body=None, due_at=now)
    return letter


def _seen_checkpoint(desk: Desk) -> Checkpoint:
    """The newest state of the log that we accepted: whoever is shown another one will see it."""
    accepted = desk.log.checkpoint
    if accepted is None:
        if not desk.log.root.demonstration:
            raise Refused("no_checkpoint", "dir")
        return NO_CHECKPOINT
    known = accepted.checkpoint
    return Checkpoint(size=known.size, root=known.root, sig=accepted.log_signature)


def sealed_for(
    outgoing: Outgoing, *, ring: KeyRing, register: Register, seen: Checkpoint, now: int
) -> Sealed:
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
        dir=seen,
    )


def deliver(desk: Desk, *, eager: bool = False, warnings: bool = False) -> Delivered:
    """Send what is due; `eager` also what waits for its next attempt (a person is looking).

    `warnings`: only what must arrive, such as a withdrawal.
    """
    now = desk.clock()
    with desk.store.writing() as rows:
        wanted = _due(rows, now, eager=eager, warnings=warnings)
        letters = rows.claim_letters(wanted, now=now, until=now + CLAIM)
    report, late = Delivered(), [letter for letter in letters if letter.exp <= now]
    for letter in late:  # needs no hub, and must not wait for one
        report = _counted(report, _ended(desk, letter, now=now))
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
    """The recipient has it: nothing is left to send. One `stored` from any device settles it,
    under whichever number the message arrived.
    """
    stored = replace(letter, state=Sending.STORED, overdue=False, unsealed=False, why="")
    rows.update_letter(stored, due_at=None)
    rows.forget_body(letter)
    for other in rows.letters_of(letter.entry_row) if letter.entry_row else ():
        if other.row != letter.row and other.state not in (Sending.STORED, *_DONE_WITH):
            rows.update_letter(replace(other, state=Sending.SUPERSEDED), due_at=None)
            rows.forget_body(other)
    _tell(rows, letter, Sending.STORED, now=now)


def settle_failed(
    rows: Rows, letter: Letter, code: str, *, now: int, state: Sending = Sending.FAILED
) -> None:
    """It will not arrive; the case says why. What is stored, or sealed again since, stays so.

    What must arrive never fails: it is put off, and sealed anew.
    """
    if rows.letter(letter.row).state in (Sending.STORED, *_DONE_WITH):
        return
    if letter.is_receipt:
        rows.forget_letter(letter)
        return
    if _until_stored(rows, letter):
        _put_off(rows, letter, code, now=now)
        return
    rows.update_letter(replace(letter, state=state), due_at=None)
    rows.forget_body(letter)
    _tell(rows, letter, state, now=now, code=code)


def newest(letters: Iterable[Letter]) -> Letter | None:
    """The envelope that carries a message now, of all that ever did."""
    living = (letter for letter in letters if letter.state not in _DONE_WITH)
    return max(living, key=lambda one: (one.kept, one.row), default=None)


def seal_anew(rows: Rows, desk: Desk, letter: Letter, *, exp: int, now: int) -> None:
    """The same message for the keys that are valid now, under a new number; part of the caller's
    transaction. Raises `Refused`, and `not_said_again` where it may not leave any more.
    """
    current = rows.letter(letter.row)
    if current.state is not letter.state or current.state in _DONE_WITH:
        return  # settled, or taken back, since the caller looked
    if not _may_leave(rows, desk, current, now=now):
        raise Refused("not_said_again", "consent")
    if current.entry_row:
        _set_right(rows, rows.entry(current.entry_row), now=now)
    message = rows.letter_message(letter.row) or rows.message(letter.entry_row)
    outgoing = Outgoing(
        to=letter.to,
        message=message,
        exp=exp,
        urgency=letter.urgency,
        case_row=letter.case_row,
        entry_row=letter.entry_row,
        re=letter.re,
    )
    fresh = keep(rows, desk, outgoing, now=now)
    resealed = letter.resealed + bool(letter.eid)
    followed = replace(fresh, resealed=resealed, why=letter.why, overdue=letter.overdue)
    rows.update_letter(followed, due_at=now)
    _supersede(rows, current, now=now)


_Outcome = Literal["accepted", "failed", "waiting"]


def _set_right(rows: Rows, entry: Entry, *, now: int) -> None:
    """What a clock that ran ahead dated, and nobody has yet, is dated now: the other side refuses
    what comes from the future, however it is sealed.
    """
    if entry.sending is not Sending.KEPT or unix_seconds(entry.at) <= now + CLOCK_SKEW:
        return
    at = utc_text(now)
    message = replace(parse_message(rows.message(entry.row)), at=at)
    rows.rewrite(replace(entry, at=at), message=render_message(message))


def _supersede(rows: Rows, letter: Letter, *, now: int) -> None:
    """Another number carries the message now; numbers so old that nobody answers them go."""
    rows.update_letter(replace(letter, state=Sending.SUPERSEDED), due_at=None)
    rows.forget_body(letter)
    if not letter.eid:
        rows.forget_letter(letter)
    for old in rows.letters_of(letter.entry_row) if letter.entry_row else ():
        if old.state is Sending.SUPERSEDED and now - old.kept > SUPERSEDED_FOR:
            rows.forget_letter(old)


def _due(rows: Rows, now: int, *, eager: bool, warnings: bool) -> Callable[[Letter, int], bool]:
    def due(letter: Letter, at: int) -> bool:
        wanted = at <= now or _put_off_by_a_wrong_clock(letter, at, now=now)
        wanted = wanted or (eager and letter.state is Sending.KEPT)
        return wanted and (not warnings or _until_stored(rows, letter))

    return due


def _put_off_by_a_wrong_clock(letter: Letter, at: int, *, now: int) -> bool:
    """Whether nothing but a clock that ran ahead can have said to wait so long."""
    longest = max(patience(letter.urgency), MOST_PUT_OFF if letter.why else LONGEST_WAIT)
    ahead = letter.kept > now + CLOCK_SKEW and at > now + MOST_BACK_OFF
    return ahead or at > now + MOST_BACK_OFF + longest


def _counted(report: Delivered, outcome: _Outcome) -> Delivered:
    return Delivered(
        accepted=report.accepted + (outcome == "accepted"),
        failed=report.failed + (outcome == "failed"),
        waiting=report.waiting + (outcome == "waiting"),
    )


def _act(desk: Desk, letter: Letter) -> _Outcome:
    """One attempt with one letter, by one reading of the clock."""
    now = desk.clock()
    if letter.unsealed:
        return _seal_again(desk, letter, now=now, exp=now + MAX_LIFETIME)
    if letter.kept > now + CLOCK_SKEW:  # sealed by a clock that ran ahead: no hub takes it yet
        return _seal_again(desk, letter, now=now)
    if letter.exp <= now + BEFORE_END and _must_arrive(desk, letter):
        return _seal_again(desk, letter, now=now, exp=now + MAX_LIFETIME)
    if letter.exp <= now:
        return _ended(desk, letter, now=now)
    if letter.state is Sending.ACCEPTED and (code := _undeliverable(desk, letter)):
        return _fail(desk, letter, code, now=now)
    if _given_up(desk, letter, now=now):
        return "failed"
    with desk.store.reading() as rows:
        found = rows.find_letter(letter.row)
        body = None if found is None else rows.letter_body(found.row)
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
        if current.to == desk.org:
            settle_stored(rows, current, now=now)  # our own desks send each other no receipts
            return "accepted"
        again = current.state is Sending.ACCEPTED
        told = replace(
            current, state=Sending.ACCEPTED, attempts=current.attempts + 1, overdue=again, why=""
        )
        rows.update_letter(told, due_at=min(now + patience(letter.urgency), letter.exp))
        _tell(rows, told, Sending.ACCEPTED, now=now)
    return "accepted"


def _refused(desk: Desk, letter: Letter, refused: HubRefused, *, now: int) -> _Outcome:
    _log.warning("envelope_refused", code=refused.code, field=refused.field)
    if refused.code == "keys_changed" and letter.resealed < MOST_RESEALS:
        return _seal_again(desk, letter, now=now)
    if refused.code == "from_the_future" and letter.kept > now:
        return _seal_again(desk, letter, now=now)
    passes = refused.code in _PASSING or refused.code == "keys_changed"
    if passes and not (refused.code == "keys_changed" and _must_arrive(desk, letter)):
        _postpone(desk, letter)
        return "waiting"
    if refused.code == "expired":
        return _fail(desk, letter, "expired", now=now, state=Sending.EXPIRED)
    return _fail(desk, letter, f"hub_{refused.code}", now=now)


def _must_arrive(desk: Desk, letter: Letter) -> bool:
    """Whether it is sealed again until the other side has stored it."""
    with desk.store.reading() as rows:
        return not letter.colleagues and _until_stored(rows, letter)


def _until_stored(rows: Rows, letter: Letter) -> bool:
    return bool(letter.entry_row) and rows.entry(letter.entry_row).type in UNTIL_STORED


def _may_leave(rows: Rows, desk: Desk, letter: Letter, *, now: int) -> bool:
    if not letter.case_row or not letter.entry_row:
        return True
    case, entry = rows.case(letter.case_row), rows.entry(letter.entry_row)
    return still_covered(rows, desk, case, entry, now=now)


def _given_up(desk: Desk, letter: Letter, *, now: int) -> bool:
    """Whether it may not leave any more; then it is taken back."""
    with desk.store.reading() as rows:
        if _may_leave(rows, desk, letter, now=now):
            return False
    with desk.store.writing() as rows:
        current = rows.find_letter(letter.row)
        if current is not None and current.state in (Sending.KEPT, Sending.ACCEPTED):
            give_up_with_what_follows(rows, current, author=desk.org, now=now)
    return True


def _put_off(rows: Rows, letter: Letter, code: str, *, now: int) -> None:
    """Let what must arrive wait, at most a day, and be sealed anew; the list says what hinders."""
    if letter.unsealed and letter.eid and letter.why == code and letter.state is Sending.ACCEPTED:
        return  # another of their desks says the same
    wait = min(MOST_PUT_OFF, MOST_BACK_OFF << min(letter.resealed + letter.attempts, 7))
    waits = replace(letter, unsealed=True, why=code, overdue=True, attempts=letter.attempts + 1)
    rows.update_letter(waits, due_at=None if letter.colleagues else now + wait)
    rows.forget_body(letter)


def _ended(desk: Desk, letter: Letter, *, now: int) -> _Outcome:
    if _must_arrive(desk, letter):
        return _seal_again(desk, letter, now=now, exp=now + MAX_LIFETIME)
    return _fail(desk, letter, "expired", now=now, state=Sending.EXPIRED)


def _seal_again(desk: Desk, letter: Letter, *, now: int, exp: int | None = None) -> _Outcome:
    """The same message for the keys that are valid now; the old number is given up."""
    if _given_up(desk, letter, now=now):
        return "failed"
    try:
        desk.log.sync()
    except (DirectoryUnreachable, HardStop):
        _postpone(desk, letter)
        return "waiting"
    try:
        with desk.store.writing() as rows:
            seal_anew(rows, desk, letter, exp=exp or letter.exp, now=now)
    except Refused as refused:
        return _fail(desk, letter, f"hub_{refused.code}", now=now)
    return "waiting"


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
            return _settled_as(rows, letter)
    return "failed"


def _settled_as(rows: Rows, letter: Letter) -> _Outcome:
    """What must arrive was put off and has not failed."""
    current = rows.find_letter(letter.row)
    return "waiting" if current is not None and current.unsealed else "failed"


def _postpone(desk: Desk, letter: Letter, *, wait: int | None = None) -> None:
    now = desk.clock()
    with desk.store.writing() as rows:
        current = rows.find_letter(letter.row)
        if current is None or current.state not in (Sending.KEPT, Sending.ACCEPTED):
            return
        later = now + max(wait or 0, back_off(current.attempts))
        until = letter.exp if letter.exp > now else later
        rows.update_letter(
            replace(current, attempts=current.attempts + 1), due_at=min(later, until)
        )


def _tell(rows: Rows, letter: Letter, sending: Sending, *, now: int, code: str = "") -> None:
    """What became of the envelope, told to the event it carries and to its case."""
    if not letter.entry_row:
        return
    entry = rows.entry(letter.entry_row)
    if entry.sending is not Sending.STORED:
        rows.update_entry(replace(entry, sending=sending, code=code or entry.code))
    if not letter.case_row:
        return
    refold(rows, rows.case(letter.case_row), now=now, why=code if entry.is_request else "")
