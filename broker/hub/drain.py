"""From `relay.undeliverable` and `relay.dead` to rows a person can read, and notices to senders.

What RabbitMQ could not route or has set aside ends here within a moment: `{eid, from, mid, to,
size, reason}` is kept, the bytes are not. A message that died in `relay.in` was never accepted:
its sender is told only where the broker had authenticated it. One device's copy that its own
queue gave up concerns that device alone, and goes into the mailbox table where it may yet be
fetched. It refuses to send anything again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from broker.amqp import Delivery, Loop
from broker.hub import topology
from broker.hub.acceptance import Acceptance
from broker.hub.boxes import Boxes
from broker.hub.intake import authenticated
from broker.hub.letters import letter_of, readable
from broker.hub.source import Source, Taken
from broker.hub.store import Box, Store
from broker.hub.store import Delivery as Forward
from broker.hub.window import Verdict
from broker.hub.writer import end
from broker.service.logs import logger
from contracts.errors import Refused

UNROUTABLE: Final = "unroutable"
# RabbitMQ's reasons for setting a message aside.
SET_ASIDE: Final = frozenset({"rejected", "expired", "maxlen", "delivery_limit"})
SET_ASIDE_OTHERWISE: Final = "set_aside"
# Of one device's copy: its queue has gone, or its line broke twenty times with the copy in hand.
# The mailbox counts its own attempts.
BACK_TO_THE_MAILBOX: Final = frozenset({UNROUTABLE, "delivery_limit"})

_log = logger(__name__)


class Drain:
    """Consumes one of the two queues of what was not carried."""

    def __init__(
        self,
        loop: Loop,
        queue: str,
        *,
        acceptance: Acceptance,
        store: Store,
        boxes: Boxes,
        clock: Callable[[], int],
    ) -> None:
        self._queue = queue
        self._acceptance = acceptance
        self._store = store
        self._boxes = boxes
        self._clock = clock
        self.source = Source(loop, queue, self._bury_all)

    def _bury_all(self, batch: Sequence[Taken]) -> None:
        now = self._clock()
        for taken in batch:
            self._bury(taken.delivery, now)
        for taken in batch:
            self.source.settle(taken, Verdict.DONE)
        self.source.answer()
        _log.warning("dead_letters_kept", queue=self._queue, count=len(batch))

    def _bury(self, delivery: Delivery, now: int) -> None:
        code = reason_of(delivery, self._queue)
        token = box_of(delivery, self._queue)
        if token is not None:
            self._bury_one_copy(delivery.body, token, code, now)
        elif delivery.death is not None and delivery.death.queue == topology.RELAY_IN:
            self._bury_unaccepted(delivery, code, now)
        else:
            end(delivery.body, code, now=now, acceptance=self._acceptance, store=self._store)

    def _bury_one_copy(self, body: bytes, token: str, code: str, now: int) -> None:
        envelope = readable(body)
        owner = None if envelope is None else self._boxes.owner(token, envelope.eid)
        if envelope is None or owner is None:
            self._bury_nobody_s(body, code, now)
            return
        exp = envelope.header.exp
        if exp <= now or code == "expired":
            self._boxes.bury(owner, envelope.eid, "expired")
        elif code in BACK_TO_THE_MAILBOX:
            self._boxes.take_back(owner, Forward(envelope.eid, exp, (owner,), body))
        elif self._boxes.bury(owner, envelope.eid, code):
            self._store.put_dead_letters([letter_of(body, reason=code, now=now)])

    def _bury_nobody_s(self, body: bytes, code: str, now: int) -> None:
        """A copy for a queue that was never anybody's: told to its sender where it is the only."""
        envelope = readable(body)
        if envelope is not None and self._boxes.has_copies(envelope.eid):
            self._store.put_dead_letters([letter_of(body, reason=code, now=now)])
            return
        end(body, code, now=now, acceptance=self._acceptance, store=self._store)

    def _bury_unaccepted(self, delivery: Delivery, code: str, now: int) -> None:
        self._store.put_dead_letters([letter_of(delivery.body, reason=code, now=now)])
        envelope = readable(delivery.body)
        if envelope is None:
            return
        header = envelope.header
        if is_from(delivery.user, Box(header.sender, header.device)):
            self._acceptance.refuse(
                sender=header.sender, mid=header.mid, eid=envelope.eid, code=code, now=now
            )


def reason_of(delivery: Delivery, queue: str) -> str:
    """One of our codes for why a message came into `queue`."""
    if queue == topology.RELAY_UNDELIVERABLE:
        return UNROUTABLE
    reason = delivery.death.reason if delivery.death is not None else ""
    return reason if reason in SET_ASIDE else SET_ASIDE_OTHERWISE


def box_of(delivery: Delivery, queue: str) -> str | None:
    """The token of the device's own queue that it came out of, or was meant for."""
    if queue == topology.RELAY_UNDELIVERABLE:
        return None if delivery.key == topology.MAILBOX_KEY else delivery.key or None
    return None if delivery.death is None else topology.token_of(delivery.death.queue)


def is_from(user: str, sender: Box) -> bool:
    """Whether the broker's authenticated user is the device the header names."""
    try:
        return authenticated(user) == sender
    except Refused:
        return False
