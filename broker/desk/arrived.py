"""What came out of an envelope, and what is asked of its message before anything is kept.

Pure: it knows no case and no archive. A message's own time is held against that of its envelope,
and the words of an id against the words it came with before.

    check_moment(message, arrived)
    check_same(rows.message(known.row), arrived)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from contracts.encoding import JsonObject, parse_object
from contracts.envelope import CLOCK_SKEW
from contracts.errors import Rejected
from contracts.identifiers import Eid, KeyId, Mid, OrgId
from contracts.messages import MAX_MESSAGE_BYTES, Message
from contracts.times import unix_seconds

PROBLEM: Final = "message.problem"


@dataclass(frozen=True, slots=True)
class Arrived:
    """A verified and decrypted envelope: what its header says, and the plaintext."""

    sender: OrgId
    to: OrgId
    mid: Mid
    eid: Eid
    re: Mid | None
    exp: int
    data: bytes = field(repr=False)
    device: KeyId | None = None
    iat: int = 0  # when it was sealed, as its sender's clock had it; 0: checked before


def check_moment(message: Message, arrived: Arrived) -> None:
    """Honest senders write, then seal; a moment years ahead would silence what is awaited.

    Raises `Rejected("time", "at")`.
    """
    if arrived.iat and unix_seconds(message.at) > arrived.iat + CLOCK_SKEW:
        raise Rejected("time", "at", signed=True)


def check_same(kept: bytes, arrived: Arrived) -> None:
    """The same id must bring the same words, or two desks would keep different ones for ever.

    Raises `Rejected("duplicate_conflict", "id")`.
    """
    if _words(kept) != _words(arrived.data):
        raise Rejected("duplicate_conflict", "id", signed=True)


def _words(data: bytes) -> JsonObject:
    """What a message says, however it was sent.

    Each desk of an organisation writes the same problem by itself, under one id and at its own
    time, so of a problem only what it is about counts.
    """
    value = parse_object(data, limit=MAX_MESSAGE_BYTES)
    body = value.get("body")
    if value.get("type") == PROBLEM and isinstance(body, dict):
        whole = {"type": PROBLEM, "referral_ref": value.get("referral_ref")}
        return whole | {"about": body.get("about"), "mid": body.get("mid")}
    return {name: said for name, said in value.items() if name != "resend_of"}
