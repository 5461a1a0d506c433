"""What becomes of the devices' own queues: used, left, emptied, taken away.

Mail must never lie where nobody looks. A device that has not consumed for ten minutes has left
its box: what is sent to it goes into the mailbox table again, and what still lay in the box goes
there too, so it is fetched whichever way the device comes back. Asking for credentials gives it
a new box. The same happens, at once, to the box of a device that may not log in any more.

Runs in the relay process beside its loop. A box is taken away only when nothing can come into it
any more (unbound), nobody holds anything of it (its user's connections closed), some time later,
and empty: nothing is lost if it is killed anywhere in between.

    BoxKeeper(users, queue_url).tidy(now=now)
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from broker import amqp
from broker.hub import topology
from broker.hub.boxes import Holder, LeftBox
from broker.hub.letters import readable
from broker.hub.management import ManagementUnavailable, QueueState
from broker.hub.queue_users import QueueUsers
from broker.hub.store import Box, Delivery
from broker.service.logs import logger

TIDY_EVERY_SECONDS: Final = 15
# An emergency waits for its receipt for fifteen minutes before somebody is told to phone.
IDLE_SECONDS: Final = 10 * 60
# A copy published a moment before the box was unbound is in the box by then.
SETTLING_SECONDS: Final = 30
# RabbitMQ's counters lag some seconds.
COUNTERS_LAG_SECONDS: Final = 60

# Hands over every message of a queue; `amqp.empty`.
Empty = Callable[[str, str, Callable[[amqp.Delivery], None]], int]

_log = logger(__name__)


class BoxKeeper:
    """Keeps the boxes of one vhost; every step may be repeated."""

    def __init__(self, users: QueueUsers, queue_url: str, *, empty: Empty = amqp.empty) -> None:
        self._users = users
        self._boxes = users.boxes
        self._office = users.office
        self._queue_url = queue_url
        self._empty = empty

    def tidy(self, *, now: int) -> None:
        """Look at every box once. Raises `ManagementUnavailable`."""
        states = self._office.boxes()
        self._note_use(states, now)
        for holder in self._boxes.holders():
            if not self._users.in_force(holder.box, now=now):
                self._leave(holder, now=now)
            elif holder.seen <= now - IDLE_SECONDS:
                self._leave(holder, now=now, unseen_since=now - IDLE_SECONDS)
            elif (state := states.get(holder.token)) is not None and state.messages == 0:
                self._boxes.emptied(holder, before=now - COUNTERS_LAG_SECONDS)
        for left in self._boxes.left():
            if left.at <= now - SETTLING_SECONDS:
                self._try_to_take_away(left, states, now)

    def _note_use(self, states: Mapping[str, QueueState], now: int) -> None:
        used = [token for token, state in states.items() if state.consumers > 0]
        if used:
            self._boxes.saw(used, now=now)

    def _leave(self, holder: Holder, *, now: int, unseen_since: int | None = None) -> None:
        if not self._boxes.leave(holder.token, now=now, unseen_since=unseen_since):
            return
        self._users.expel(holder.box)
        self._office.unbind_box(holder.token)
        _log.info("box_left", org=holder.box.org, device=holder.box.device)

    def _try_to_take_away(self, left: LeftBox, states: Mapping[str, QueueState], now: int) -> None:
        """One queue that RabbitMQ cannot read must not keep the others from being emptied."""
        try:
            self._take_away(left, states, now)
        except amqp.QueueUnavailable:
            _log.error("box_unreadable", org=left.box.org, device=left.box.device)
            if left.at <= now - topology.QUEUE_TTL_MS // 1000:
                self._office.delete_box(left.token)  # whatever was in it has ended

    def _take_away(self, left: LeftBox, states: Mapping[str, QueueState], now: int) -> None:
        self._office.unbind_box(left.token)
        if left.token in states:
            queue = topology.box_queue(left.token).name
            count = self._empty(self._queue_url, queue, partial(self._back, left.box, now))
            if self._office.boxes()[left.token].messages:
                return  # the counter lags, or somebody has one in hand: the next turn
            self._office.delete_box(left.token)
            _log.info("box_emptied", org=left.box.org, device=left.box.device, count=count)
        self._boxes.gone(left)

    def _back(self, box: Box, now: int, message: amqp.Delivery) -> None:
        envelope = readable(message.body)
        if envelope is None:  # only the relay publishes there, and only what it could read
            return
        if envelope.header.exp <= now:
            self._boxes.bury(box, envelope.eid, "expired")
            return
        exp = envelope.header.exp
        self._boxes.take_back(box, Delivery(envelope.eid, exp, (box,), message.body))


def start_tidying(keeper: BoxKeeper, clock: Callable[[], int]) -> threading.Event:
    """Tidy in a thread of this process until the returned event is set."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(TIDY_EVERY_SECONDS):
            try:
                keeper.tidy(now=clock())
            except (SQLAlchemyError, ManagementUnavailable) as error:
                _log.warning("boxes_not_tidied", exc_info=error)

    threading.Thread(target=run, name="boxes", daemon=True).start()
    return stop
