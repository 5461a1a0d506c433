"""What is kept of an envelope that will not be carried: outer facts, never the bytes.

    letter = letter_of(body, reason="expired", now=now)

The facts are what the header says. Whether anybody authenticated may be held to them depends on
where the bytes came from, and is the caller's to know.
"""

from __future__ import annotations

import hashlib

from broker.hub.store import DeadLetter
from contracts.envelope import Envelope, parse_envelope
from contracts.errors import Malformed


def letter_of(body: bytes, *, reason: str, now: int) -> DeadLetter:
    """The dead letter for `body`. Bytes that are no envelope are known by their SHA-256 alone."""
    envelope = readable(body)
    if envelope is None:
        digest = hashlib.sha256(body).hexdigest()
        return DeadLetter(digest, "", "", "", len(body), reason, now)
    header = envelope.header
    return DeadLetter(envelope.eid, header.sender, header.mid, header.to, len(body), reason, now)


def readable(body: bytes) -> Envelope | None:
    """The envelope, if these bytes are one."""
    try:
        return parse_envelope(body)
    except Malformed:
        return None
