"""The one acceptance of envelopes, for both doors: HTTPS and the queue.

What the hub may carry is decided here and nowhere else, from the bytes, the authenticated
device, the verified register and the routes. It refuses to know more than the outer header and
never trusts what came beside the bytes (an AMQP property, a URL).

HTTPS does all at once. `accept` answers when the row is committed, so "accepted" means durable:

    accepted = acceptance.accept(body, org=org, device=device, now=now)

The relay must have its copies confirmed by the queue before it remembers the acceptance:
remembered earlier, a crash would turn the broker's redelivery into a replay and lose the message.

    checked = acceptance.check(body, org=org, device=device, now=now)
    known = acceptance.known(checked)               # a replay: acknowledge, nothing to publish
    ...                                             # publish to checked.boxes, wait for confirms
    [accepted] = acceptance.remember([checked])     # and only then acknowledge the source
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from broker.hub.known import Known
from broker.hub.store import Box, DeadLetter, Delivery, Entry, Limits, Remembered, Store
from contracts.envelope import Envelope, Header, check_for_hub
from contracts.errors import Refused
from contracts.identifiers import Eid, KeyId, Mid, OrgId
from contracts.notice import Notice, NoticeStatus, sign_notice
from contracts.register import Register
from contracts.routing import RouteTable
from contracts.signing import SigningKey

DUPLICATE_CONFLICT = "duplicate_conflict"


@dataclass(frozen=True, slots=True)
class Checked:
    """An envelope that may be carried, and the boxes its copies go to."""

    envelope: Envelope
    boxes: tuple[Box, ...]
    at: int
    body: bytes = field(repr=False)

    @property
    def eid(self) -> Eid:
        """The hash of all that the sender signed."""
        return self.envelope.eid

    @property
    def header(self) -> Header:
        """The verified header; the only thing anybody routes by."""
        return self.envelope.header


@dataclass(frozen=True, slots=True)
class Accepted:
    """The signed acceptance the sender gets. `new` is False for a repetition."""

    notice: bytes = field(repr=False)
    eid: Eid
    mid: Mid
    new: bool


class Conflict(Refused):
    """The same `mid` of the same sender was accepted with other bytes: somebody must look."""

    def __init__(self) -> None:
        super().__init__(DUPLICATE_CONFLICT, "mid")


class Acceptance:
    """Check and remember, with everything a decision needs."""

    def __init__(
        self,
        *,
        store: Store,
        known: Known,
        routes: RouteTable,
        key: SigningKey,
        queue: bool,
        limits: Limits | None = None,
    ) -> None:
        self._store = store
        self._known = known
        self._routes = routes
        self._key = key
        self._queue = queue
        self._limits = limits or Limits()

    def accept(self, body: bytes, *, org: OrgId, device: KeyId, now: int) -> Accepted:
        """Check, sign and commit. For the HTTPS door.

        Raises `Refused` (its `Conflict` for another `eid`), `MirrorTooOld`, `MirrorContradicted`,
        `BoxFull`, `OutboxFull`; nothing is kept of the envelope then.
        """
        checked = self.check(body, org=org, device=device, now=now)
        known = self.known(checked)
        if known:
            return known
        delivery = Delivery(
            eid=checked.eid, exp=checked.header.exp, boxes=checked.boxes, body=checked.body
        )
        remembered = self._store.accept(
            self._entry(checked), delivery, queue=self._queue, limits=self._limits
        )
        return _answer(checked, remembered)

    def check(self, body: bytes, *, org: OrgId, device: KeyId, now: int) -> Checked:
        """Whether `body` may be carried from this authenticated device; changes nothing.

        Raises `Refused`, `MirrorTooOld`, `MirrorContradicted`. `now` in Unix seconds.
        """
        register = self._known.with_device(org, device, now=now)
        routes = self._routes.overlaid(register.routes)
        envelope = check_for_hub(
            body, org=org, device=device, register=register, routes=routes, now=now
        )
        boxes = boxes_of(envelope.header, register)
        return Checked(envelope=envelope, boxes=boxes, at=now, body=body)

    def known(self, checked: Checked) -> Accepted | None:
        """The stored answer, if exactly these bytes were accepted before; raises `Conflict`."""
        header = checked.header
        remembered = self._store.recall(header.sender, header.mid)
        return _answer(checked, remembered) if remembered else None

    def known_all(self, batch: Sequence[Checked]) -> tuple[Accepted | Conflict | None, ...]:
        """`known` for many at once, in the order of `batch`; a `Conflict` is returned."""
        pairs = [(checked.header.sender, checked.header.mid) for checked in batch]
        found = self._store.recall_all(pairs)
        return tuple(
            _answer_or_conflict(checked, found[pair]) if pair in found else None
            for checked, pair in zip(batch, pairs, strict=True)
        )

    def remember(self, batch: Sequence[Checked]) -> tuple[Accepted | Conflict, ...]:
        """Commit acceptances whose copies the queue has confirmed, all in one transaction.

        In the order of `batch`. A `Conflict` is returned, not raised: it concerns one of many.
        """
        remembered = self._store.remember([self._entry(checked) for checked in batch])
        return tuple(
            _answer_or_conflict(checked, found)
            for checked, found in zip(batch, remembered, strict=True)
        )

    def refuse(self, *, sender: OrgId, mid: Mid, eid: Eid, code: str, now: int) -> bytes:
        """Sign a refusal and keep it for the sender. For the relay; HTTPS answers at once."""
        notice = self._sign(sender, mid, eid, "refused", code, now)
        self._store.put_refusal(sender, mid, notice, at=now)
        return notice

    def undeliverable(self, letter: DeadLetter, *, code: str) -> bytes | None:
        """End an accepted envelope that reached nobody: dead letter, and a notice to the sender.

        None where it had already come to its end, or was never accepted.
        """
        notice = self._sign(
            OrgId(letter.sender), Mid(letter.mid), Eid(letter.eid), "undeliverable", code, letter.at
        )
        return notice if self._store.undeliverable(letter, notice) else None

    def _entry(self, checked: Checked) -> Entry:
        header = checked.header
        notice = self._sign(header.sender, header.mid, checked.eid, "accepted", None, checked.at)
        return Entry(
            sender=header.sender,
            mid=header.mid,
            eid=checked.eid,
            to=header.to,
            size=len(checked.body),
            exp=header.exp,
            at=checked.at,
            notice=notice,
        )

    def _sign(
        self, sender: OrgId, mid: Mid, eid: Eid, status: NoticeStatus, code: str | None, at: int
    ) -> bytes:
        notice = Notice(self._key.key_id, sender, mid, eid, status, code, at)
        return sign_notice(notice, self._key)


def boxes_of(header: Header, register: Register) -> tuple[Box, ...]:
    """One box for each device that a key of the header belongs to, sorted.

    The header has passed `check_for_hub`, so every key is known and of an allowed device; a
    device that two of them belong to gets one copy. Raises `Refused("keys_changed")` where no
    device of the receiver is among them: nobody there could ever acknowledge it.
    """
    owners = (register.owner_of_key(key) for key in header.keys)
    boxes = {Box(owner.org, owner.device) for owner in owners if owner is not None}
    if not any(box.org == header.to for box in boxes):
        raise Refused("keys_changed", "keys")
    return tuple(sorted(boxes))


def _answer(checked: Checked, found: Remembered) -> Accepted:
    answer = _answer_or_conflict(checked, found)
    if isinstance(answer, Conflict):
        raise answer
    return answer


def _answer_or_conflict(checked: Checked, found: Remembered) -> Accepted | Conflict:
    if found.eid != checked.eid:
        return Conflict()
    return Accepted(found.notice, checked.eid, checked.header.mid, found.new)
