"""Fetching mail: lease, verify, open, store, and only then acknowledge.

The order is that of envelope version 1: nothing is decrypted before its signature holds, nothing
is acknowledged before one transaction holds the case, the memory of the envelope and the receipt
to send. What cannot be opened is acknowledged too, or it would come for ever; a person may look
at why. With the directory away and a sender unknown, it is given back uncounted.

    report = receive(desk)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from broker.desk.answering import answer_repeat, answer_resend, answer_voids
from broker.desk.arrived import Arrived
from broker.desk.client import Lease
from broker.desk.inbox import take_message, take_receipt
from broker.desk.keyring import KEPT_AFTER_WEEK, secrets
from broker.desk.outbox import Outgoing, keep
from broker.desk.peers import NEWS
from broker.desk.records import Entry, Seen, Unreadable
from broker.desk.store import Rows, new_row
from broker.desk.unlocking import SYNC_EVERY, Desk, Log
from broker.mirror import DirectoryUnreachable, HardStop
from broker.mirror import Seen as SeenInLog
from broker.service.logs import logger
from contracts.encoding import h256
from contracts.envelope import MAX_LIFETIME, Envelope, parse_envelope
from contracts.errors import Refused, Rejected
from contracts.messages import (
    CONTRACT,
    CONTRACTS,
    RECEIPT_CONTRACT,
    Receipt,
    parse_message,
    render_receipt,
)
from contracts.sealing import Verified, decrypt, verify_envelope
from contracts.times import DAY, WEEK, monday, utc_text

SEEN_AFTER_EXP: Final = 30 * DAY
# What could not be opened is kept for the desk's operator up to this; beyond it, its hash only.
MOST_KEPT_RAW: Final = 100 * 1024 * 1024
MOST_ROUNDS: Final = 500
# Letters that wait for the directory are passed over up to this many in one fetch.
MOST_GIVEN_BACK: Final = 150

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Received:
    """What one fetch brought: new entries, receipts, refused envelopes; how many stay there."""

    entries: tuple[Entry, ...] = ()
    receipts: int = 0
    rejected: int = 0
    left: int = 0


class Fate(Enum):
    """What the mailbox is told of a lease."""

    ACKNOWLEDGE = auto()
    GIVE_BACK = auto()
    LEAVE = auto()  # nothing: it comes again, counted


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one envelope."""

    fate: Fate
    entry: Entry | None = None
    receipt: bool = False
    rejected: bool = False


ACKNOWLEDGED: Final = Taken(Fate.ACKNOWLEDGE)


def receive(desk: Desk) -> Received:
    """Fetch until the mailbox is empty.

    Raises `DirectoryUnreachable` and `HardStop` (nothing is fetched with a stale view of who is
    who), `Unreachable` and `DeskError` of the hub; what was stored before stays stored.
    """
    desk.log.ensure_fresh(SYNC_EVERY)
    report, news, back = Received(), News(desk.log), list[str]()
    try:
        for _ in range(MOST_ROUNDS):
            leases = desk.hub.lease()
            taken = [(lease, _take(desk, lease, news)) for lease in leases]
            _acknowledge(desk, taken)
            # At the end: given back now, they would be lent again before all that is behind them.
            back += [lease.id for lease, one in taken if one.fate is Fate.GIVE_BACK]
            report = _added(report, [one for _, one in taken])
            left = any(one.fate is Fate.LEAVE for _, one in taken)
            if not leases or left or len(back) >= MOST_GIVEN_BACK:
                break
            _ = desk.log.register  # a hard stop was met on the way
    finally:
        if back:
            desk.hub.settle(give_back=back)
    return report


class News:
    """Looks at the log during one fetch: a directory that is away is not waited for each time."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._away = False

    def look(self) -> None:
        """`sync`, unless it was in vain before."""
        if self._away:
            raise DirectoryUnreachable
        try:
            self._log.sync()
        except DirectoryUnreachable:
            self._away = True
            raise


def take(desk: Desk, body: bytes, news: News | None = None) -> Taken:
    """Steps 1 to 11 for one envelope; the caller acknowledges."""
    now, news = desk.clock(), news or News(desk.log)
    try:
        # A freeze may be minutes old: what its device sent before is not stored after it was told.
        desk.log.ensure_fresh(NEWS)
        verified = _verified(desk, body, news, now=now)
        _compare_logs(desk, verified, news)
    except (DirectoryUnreachable, HardStop):  # the next round says which, and to whom
        return Taken(Fate.GIVE_BACK)
    except Rejected as fault:
        return _refuse(desk, body, fault, now=now)
    if not verified.addressed:
        return ACKNOWLEDGED
    try:
        return _store(desk, verified, now=now)
    except Rejected as fault:
        return _refuse(desk, body, fault, now=now)


def _take(desk: Desk, lease: Lease, news: News) -> Taken:
    try:
        return take(desk, lease.body, news)
    except Exception as error:  # noqa: BLE001 - one letter must not hold up the others; it comes again, counted
        _log.error("envelope_not_taken", attempt=lease.attempt, exc_info=error)
        return Taken(Fate.LEAVE)


def _acknowledge(desk: Desk, taken: list[tuple[Lease, Taken]]) -> None:
    done = [lease.id for lease, one in taken if one.fate is Fate.ACKNOWLEDGE]
    if done:
        desk.hub.settle(acknowledge=done)


def _added(report: Received, taken: list[Taken]) -> Received:
    return Received(
        entries=report.entries + tuple(one.entry for one in taken if one.entry is not None),
        receipts=report.receipts + sum(one.receipt for one in taken),
        rejected=report.rejected + sum(one.rejected for one in taken),
        left=report.left + sum(one.fate is not Fate.ACKNOWLEDGE for one in taken),
    )


def _verified(desk: Desk, body: bytes, news: News, *, now: int) -> Verified:
    """Steps 1 to 4; a sender unknown to our view of the log is looked up once."""
    try:
        return _verify(desk, body, now=now)
    except Rejected as fault:
        if fault.code != "device_not_certified":
            raise
    news.look()
    return _verify(desk, body, now=now)


def _compare_logs(desk: Desk, verified: Verified, news: News) -> None:
    """Whether the sender was shown the same log as we: this is how a fork comes to light.

    Raises `HardStop` where the log has signed two pasts; the letter goes back uncounted, until a
    person has looked into it. A checkpoint that the log never signed is only the sender's fault,
    and what somebody in need has to say is not lost for it.
    """
    seen = verified.envelope.header.dir
    if seen.size == 0:
        if desk.log.checkpoint is not None:
            raise Rejected("version_unsupported", "dir", signed=True)
        return
    found = desk.log.check_dir(seen.size, seen.root, seen.sig)
    if found is SeenInLog.UNKNOWN:
        news.look()
        found = desk.log.check_dir(seen.size, seen.root, seen.sig)
    if found is SeenInLog.FAULT:
        _log.warning("checkpoint_of_another_log", eid=verified.envelope.eid)


def _verify(desk: Desk, body: bytes, *, now: int) -> Verified:
    return verify_envelope(
        body,
        org=desk.org,
        secrets=frozenset(secrets(desk.ring)),
        register=desk.log.register,
        now=now,
        contracts=CONTRACTS,
    )


def _store(desk: Desk, verified: Verified, *, now: int) -> Taken:
    """Steps 5 to 11, in one transaction that holds all of it or, if refused, nothing."""
    header, eid = verified.envelope.header, verified.envelope.eid
    with desk.store.writing() as rows:
        seen = rows.seen(header.sender, header.mid)
        if seen is not None and seen.eid == eid:
            _answer_again(rows, desk, verified, seen, now=now)
            return ACKNOWLEDGED
        if seen is not None:
            raise Rejected("duplicate_conflict", "mid", signed=True)
        arrived = _arrived(verified, decrypt(verified, secrets(desk.ring)).data)
        if header.typ == "rcpt":
            _expect_contract(verified, RECEIPT_CONTRACT)
            take_receipt(rows, arrived, org=desk.org, now=now)
            _remember(rows, arrived, receipt="", now=now)
            return Taken(Fate.ACKNOWLEDGE, receipt=True)
        _expect_contract(verified, CONTRACT)
        entry = take_message(rows, arrived, org=desk.org, now=now)
        _answer(rows, desk, arrived, entry, now=now)
        receipt = "" if verified.own else _receipt(verified.envelope, "stored", now=now)
        _remember(rows, arrived, receipt=receipt, now=now)
        _send_receipt(rows, desk, verified.envelope, receipt, now=now)
    return Taken(Fate.ACKNOWLEDGE, entry=entry)


def _answer(rows: Rows, desk: Desk, arrived: Arrived, entry: Entry | None, *, now: int) -> None:
    """What this desk says to it by itself; a colleague's desk answers for what it sent."""
    if arrived.sender == desk.org:
        return
    if entry is None:
        known = rows.entry_of(arrived.sender, parse_message(arrived.data).id)
        if known is not None:
            answer_repeat(rows, desk, known, now=now)
    elif entry.case_row:
        answer_voids(rows, desk, entry.case_row, now=now)
    elif entry.type == "resend_request":
        answer_resend(rows, desk, entry, now=now)


def _arrived(verified: Verified, data: bytes) -> Arrived:
    header = verified.envelope.header
    return Arrived(
        sender=header.sender,
        to=header.to,
        mid=header.mid,
        eid=verified.envelope.eid,
        re=header.re,
        exp=header.exp,
        data=data,
        device=header.device,
        iat=header.iat,
    )


def _expect_contract(verified: Verified, contract: str) -> None:
    if verified.envelope.header.contract != contract:
        raise Rejected("contract_unknown", "contract", signed=True)


def _answer_again(rows: Rows, desk: Desk, verified: Verified, seen: Seen, *, now: int) -> None:
    """A duplicate: the same receipt body in a new envelope, since the first may have been lost."""
    _send_receipt(rows, desk, verified.envelope, seen.receipt, now=now)


def _remember(rows: Rows, arrived: Arrived, *, receipt: str, now: int) -> None:
    seen = Seen(eid=arrived.eid, receipt=receipt)
    until = max(arrived.exp, now) + SEEN_AFTER_EXP
    rows.add_seen(arrived.sender, arrived.mid, seen, until=until)


def _receipt(envelope: Envelope, status: str, *, now: int, code: str | None = None) -> str:
    receipt = Receipt(of_eid=envelope.eid, status=status, code=code, at=utc_text(now))
    return render_receipt(receipt).decode("utf-8")


def _send_receipt(rows: Rows, desk: Desk, envelope: Envelope, receipt: str, *, now: int) -> None:
    """Keep a receipt to be sent; where the sender has no key left, there is nobody to tell."""
    if not receipt:
        return
    outgoing = Outgoing(
        to=envelope.header.sender,
        message=receipt.encode("utf-8"),
        exp=now + MAX_LIFETIME,
        urgency="",
        re=envelope.header.mid,
    )
    try:
        keep(rows, desk, outgoing, now=now)
    except Refused as refused:
        _log.warning("receipt_not_sent", code=refused.code)


def _refuse(desk: Desk, body: bytes, fault: Rejected, *, now: int) -> Taken:
    """Keep why; the bytes and an answer only where the signature held, or anybody could fill the
    disk and make this desk talk.
    """
    _log.warning("envelope_rejected", code=fault.code, field=fault.field, size=len(body))
    envelope = parse_envelope(body) if fault.signed else None
    with desk.store.writing() as rows:
        found = _unreadable(body, fault, envelope, now=now)
        room = rows.rejected_bytes() + len(body) <= MOST_KEPT_RAW
        raw = body if envelope is not None and room else None
        rows.add_rejected(found, body=raw, until=monday(now) + WEEK + KEPT_AFTER_WEEK)
        if envelope is not None:
            _answer_rejected(rows, desk, envelope, fault, now=now)
    return Taken(Fate.ACKNOWLEDGE, rejected=True)


def _answer_rejected(
    rows: Rows, desk: Desk, envelope: Envelope, fault: Rejected, *, now: int
) -> None:
    header = envelope.header
    answerable = header.typ == "msg" and header.sender != desk.org
    receipt = _receipt(envelope, "rejected", now=now, code=fault.code) if answerable else ""
    if rows.seen(header.sender, header.mid) is None:
        seen = Seen(eid=envelope.eid, receipt=receipt)
        until = max(header.exp, now) + SEEN_AFTER_EXP
        rows.add_seen(header.sender, header.mid, seen, until=until)
    _send_receipt(rows, desk, envelope, receipt, now=now)


def _unreadable(body: bytes, fault: Rejected, envelope: Envelope | None, *, now: int) -> Unreadable:
    return Unreadable(
        row=new_row(),
        sha256=h256(body).hex(),
        code=fault.code,
        at=now,
        sender=envelope.header.sender if envelope is not None else "",
        alarm=fault.code == "duplicate_conflict",
    )
