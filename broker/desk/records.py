"""What the desk keeps, as frozen values: a case, its entries, the letters that carry them.

These are the plaintext of sealed rows; each becomes compact JSON and back. Nothing here prints a
word of a case: what people wrote stands in messages, which are sealed on their own and opened on
their own. Times are Unix seconds.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

from contracts.bodies import MessageProblem, OrgEvent
from contracts.encoding import dump_json
from contracts.fold import Place, Told, told
from contracts.identifiers import Eid, EventId, KeyId, Mid, OrgId, Ref, spoken_reference
from contracts.lifecycle import Side, State
from contracts.messages import Message
from contracts.times import unix_seconds

T = TypeVar("T")

REQUESTED: Final = "referral.requested"


class Sending(StrEnum):
    """How far one message of ours has come."""

    KEPT = "kept"  # committed here; the hub has not accepted it
    ACCEPTED = "accepted"  # the hub signed for it
    STORED = "stored"  # the recipient signed for it
    FAILED = "failed"  # refused for good
    EXPIRED = "expired"  # not delivered within its lifetime
    SUPERSEDED = "superseded"  # sealed again under a new number
    GIVEN_UP = "given_up"  # taken back before the hub had it
    RECEIVED = "received"  # not sent by this desk at all


@dataclass(frozen=True, slots=True)
class Case:
    """One referral with one peer, as lists show it: no narrative."""

    row: str
    peer: OrgId
    ref: Ref
    side: Side
    state: State
    urgency: str
    service: str
    needs: tuple[str, ...]
    began: int
    changed: int
    why: str = ""  # code of what made it fail
    lead: Side = Side.REFERRER
    until: int = 0  # when the consent or basis ends

    @property
    def spoken(self) -> str:
        """The six characters that both desks show."""
        return spoken_reference(self.ref)


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of a case, or one message apart from any (`case_row` ""); opened separately.

    `word`, `moment`, `second_by` and `feedback` are what the fold needs of the message, so that a
    case is folded without opening what people wrote. `device` is the desk that said it, known for
    what desks of one organisation tell each other.
    """

    row: str
    case_row: str
    id: EventId
    type: str
    own: bool  # said by our organisation, by whichever of its desks
    after: tuple[EventId, ...]
    at: str  # RFC 3339, as its author wrote it
    kept: int
    sending: Sending
    place: Place = Place.APPLIED
    code: str = ""  # why it failed, or is void
    word: str = ""
    moment: int | None = None
    second_by: int | None = None
    feedback: str = ""
    device: str = ""
    peer: str = ""  # apart from a case only: with whom
    to_device: str = ""  # the desk of ours to which a case is handed on

    @property
    def is_request(self) -> bool:
        """Whether it began the case."""
        return self.type == REQUESTED

    def told(self, side: Side) -> Told:
        """The event as the fold sees it; `side` is ours."""
        return Told(
            id=self.id,
            type=self.type,
            by=side if self.own else side.other,
            at=unix_seconds(self.at),
            after=self.after,
            word=self.word,
            moment=self.moment,
            second_by=self.second_by,
            feedback=self.feedback,
        )


def new_entry(
    message: Message,
    *,
    row: str,
    case_row: str,
    own: bool,
    kept: int,
    sending: Sending,
    device: KeyId | None = None,
    peer: str = "",
) -> Entry:
    """The record of a message that was just read or written; its place is the fold's to say."""
    seen = told(message, by=Side.REFERRER)
    return Entry(
        row=row,
        case_row=case_row,
        id=message.id,
        type=message.type,
        own=own,
        after=message.after,
        at=message.at,
        kept=kept,
        sending=sending,
        word=_word(message) or seen.word,
        moment=seen.moment,
        second_by=seen.second_by,
        feedback=seen.feedback,
        device=device or "",
        peer=peer,
        to_device=_to_device(message),
    )


def _word(message: Message) -> str:
    """What an annotation is about: the event of a problem, the kind of an organisation's event."""
    if isinstance(message.body, MessageProblem):
        return message.body.about or ""
    return message.body.kind if isinstance(message.body, OrgEvent) else ""


def _to_device(message: Message) -> str:
    return (message.body.to_device or "") if isinstance(message.body, OrgEvent) else ""


@dataclass(frozen=True, slots=True)
class Letter:
    """One envelope that our organisation sent; its bytes are opened separately."""

    row: str
    mid: Mid
    eid: Eid
    to: OrgId
    case_row: str
    entry_row: str  # "" for a receipt
    exp: int
    urgency: str
    state: Sending
    re: Mid | None = None  # receipts only
    kept: int = 0
    attempts: int = 0
    resealed: int = 0
    overdue: bool = False  # not stored there in time
    colleagues: bool = False  # another desk of ours sent it and looks after it
    unsealed: bool = False  # to be sealed anew as soon as that can be done; `eid` "": never was
    why: str = ""  # code of what keeps back an envelope that is not given up

    @property
    def is_receipt(self) -> bool:
        """Receipts are answered by nobody, so the hub's signature settles them."""
        return self.re is not None


@dataclass(frozen=True, slots=True)
class Seen:
    """An envelope dealt with, and the receipt's body that answered it ("" if none was due)."""

    eid: Eid
    receipt: str


@dataclass(frozen=True, slots=True)
class Early:
    """A verified message that waits for its case, or a receipt that waits for its letter."""

    row: str
    sender: OrgId
    to: OrgId
    mid: Mid
    eid: Eid
    re: Mid | None
    exp: int
    message: str
    device: str = ""
    type: str = ""  # of a message that waits for its case
    kept: int = 0


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An envelope that was refused on arrival; its bytes are kept only where it was signed."""

    row: str
    sha256: str
    code: str
    at: int
    sender: str  # "" unless its signature held
    alarm: bool = False  # another envelope under a known number: somebody should look


@dataclass(frozen=True, slots=True)
class Checked:
    """That somebody compared a peer's digits by phone; it holds for this root key only."""

    row: str
    peer: OrgId
    digits: str
    at: int


def render_record(record: object) -> bytes:
    """The plaintext of a sealed row; the row's own id stands outside."""
    fields = dataclasses.fields(record)  # type: ignore[arg-type]  # always one of the above
    return dump_json({f.name: getattr(record, f.name) for f in fields if f.name != "row"})


def parse_record(cls: type[T], content: bytes, row: str | None = None) -> T:
    """The record of an opened row. It was authenticated, so only its types are restored."""
    values: dict[str, Any] = json.loads(content)
    for name, restore in _RESTORED.items():
        if name in values:
            values[name] = restore(values[name])
    if cls is Case:
        values["state"] = State(values["state"])
    elif cls is Letter:
        values["state"] = Sending(values["state"])
    if row is not None:
        values["row"] = row
    return cls(**values)


_RESTORED: Final = {
    "side": Side,
    "lead": Side,
    "sending": Sending,
    "place": Place,
    "after": tuple,
    "needs": tuple,
}
