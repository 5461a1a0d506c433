"""From `relay.in` to `deliver`: the queue's door of the one acceptance.

A message is taken, checked, copied to `deliver`, remembered once the copy is confirmed, and only
then acknowledged. In this order a crash at any point repeats a message and never loses one; the
repetition is recognised by the replay memory here or by the copy's row in the mailbox.

It routes by the verified header alone: of the AMQP properties only `user_id` is read, which the
broker has checked against the connection's login, and it must name the envelope's own sender and
device. Messages wait in hand while the world is not ready; one whose (`from`, `mid`) is under way
already waits until that one is settled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from broker.amqp import Loop, Outcome, Publisher
from broker.hub import topology
from broker.hub.acceptance import Acceptance, Accepted, Checked, Conflict
from broker.hub.answers import NO_USER, OF_THE_WORLD, Answer, Poison, Refuse, answer_to
from broker.hub.copies import message_for_queue
from broker.hub.letters import letter_of, readable
from broker.hub.source import Source, Taken
from broker.hub.store import Box, Store, parse_box
from broker.hub.turns import Turns
from broker.hub.window import Verdict
from broker.service.logs import logger
from contracts.errors import ContractError, Malformed, Refused
from contracts.identifiers import Mid, OrgId

# A full queue refuses. After these pauses the message is given back, which the broker counts.
REFUSED_PAUSES_SECONDS: Final = (0.5, 1.0, 2.0, 4.0, 8.0)

_log = logger(__name__)

Flight = tuple[OrgId, Mid]


@dataclass(frozen=True, slots=True)
class Broken:
    """Our own code failed on this message: aside with it, and on with the others."""


Decision = Checked | Accepted | Answer | Broken


class Intake:
    """Consumes `relay.in`, publishes to `deliver`."""

    def __init__(
        self, loop: Loop, *, acceptance: Acceptance, store: Store, clock: Callable[[], int]
    ) -> None:
        self._loop = loop
        self._acceptance = acceptance
        self._store = store
        self._clock = clock
        self.source = Source(loop, topology.RELAY_IN, self._decide_all)
        self.source.when_lost(self._forget)
        self.publisher = Publisher(ready=self._publish_parked)
        self._memory: Turns[tuple[Taken, Checked]] = Turns(
            loop, self._remember, told=self._memory_paused
        )
        self._flying: dict[Flight, list[Taken]] = {}
        self._parked: list[Taken] = []
        self._refusals: Counter[int] = Counter()

    # -- deciding: first all reads, then all writes, then what cannot fail ------------------------

    def _decide_all(self, batch: Sequence[Taken]) -> None:
        now = self._clock()
        decided = self._recalled([(taken, self._check(taken, now)) for taken in batch])
        self._write_letters(decided, now)
        for taken, decision in decided:
            self._act(taken, decision, now)
        self.source.answer()

    def _check(self, taken: Taken, now: int) -> Checked | Answer | Broken:
        try:
            box = authenticated(taken.delivery.user)
            return self._acceptance.check(taken.body, org=box.org, device=box.device, now=now)
        except ContractError as error:
            return answer_to(error)
        except OF_THE_WORLD:
            raise
        except Exception as error:  # noqa: BLE001 - one message must not stop all others
            _log.error("message_broke_the_relay", exc_info=error)
            return Broken()

    def _recalled(
        self, results: Sequence[tuple[Taken, Checked | Answer | Broken]]
    ) -> list[tuple[Taken, Decision]]:
        """The same, with what is in the replay memory in the place of what need not be carried."""
        good = [one for _, one in results if isinstance(one, Checked)]
        known = iter(self._acceptance.known_all(good) if good else ())
        return [
            (taken, _decision(one, next(known)) if isinstance(one, Checked) else one)
            for taken, one in results
        ]

    def _write_letters(self, decided: Sequence[tuple[Taken, Decision]], now: int) -> None:
        letters = []
        for taken, decision in decided:
            if isinstance(decision, Poison):
                letters.append(letter_of(taken.body, reason=decision.code, now=now))
            elif isinstance(decision, Refuse):
                self._refuse(taken.body, decision.code, now)
        if letters:
            self._store.put_dead_letters(letters)
            _log.warning("messages_set_aside", queue=topology.RELAY_IN, count=len(letters))

    def _refuse(self, body: bytes, code: str, now: int) -> None:
        envelope = readable(body)
        if envelope is None:  # not with a code that is answered by a refusal
            raise ValueError("refused an envelope that cannot be read")
        sender, mid = envelope.header.sender, envelope.header.mid
        self._acceptance.refuse(sender=sender, mid=mid, eid=envelope.eid, code=code, now=now)
        _log.info("envelope_refused", org=sender, mid=mid, eid=envelope.eid, code=code)

    def _act(self, taken: Taken, decision: Decision, now: int) -> None:
        if isinstance(decision, Checked):
            self._launch(taken, decision, now)
        elif isinstance(decision, Broken):
            self.source.settle(taken, Verdict.ASIDE)
        else:
            self.source.settle(taken, Verdict.DONE)

    # -- the copy ---------------------------------------------------------------------------------

    def _launch(self, taken: Taken, checked: Checked, now: int) -> None:
        flight = flight_of(checked)
        if flight in self._flying:
            self._flying[flight].append(taken)
            return
        self._flying[flight] = []
        message = message_for_queue(checked.body, eid=checked.eid, exp=checked.header.exp, now=now)
        settle = partial(self._copied, taken, checked)
        self.publisher.publish(topology.DELIVER, topology.MAILBOX_KEY, message, settle)

    def _copied(self, taken: Taken, checked: Checked, outcome: Outcome) -> None:
        if outcome is Outcome.CONFIRMED:
            self._memory.add((taken, checked))
        elif self.source.is_current(taken):
            self._land(checked)
            if outcome is Outcome.LOST:
                self._parked.append(taken)
            else:
                self._try_again_or_give_back(taken)

    def _publish_parked(self) -> None:
        parked, self._parked = self._parked, []
        for taken in parked:
            self.source.again(taken)

    def _try_again_or_give_back(self, taken: Taken) -> None:
        tag = taken.delivery.tag
        refusals = self._refusals[tag]
        if refusals < len(REFUSED_PAUSES_SECONDS):
            self._refusals[tag] += 1
            self._loop.later(REFUSED_PAUSES_SECONDS[refusals], lambda: self.source.again(taken))
            return
        del self._refusals[tag]
        self.source.settle(taken, Verdict.AGAIN)
        self.source.answer()

    # -- and only then ----------------------------------------------------------------------------

    def _remember(self, batch: Sequence[tuple[Taken, Checked]]) -> None:
        answers = self._acceptance.remember([checked for _, checked in batch])
        conflicts = [
            letter_of(checked.body, reason=answer.code, now=checked.at)
            for (_, checked), answer in zip(batch, answers, strict=True)
            if isinstance(answer, Conflict)
        ]
        if conflicts:
            self._store.put_dead_letters(conflicts)
            _log.error("mid_accepted_twice", count=len(conflicts))
        for taken, checked in batch:
            if self.source.is_current(taken):
                self._refusals.pop(taken.delivery.tag, None)
                self.source.settle(taken, Verdict.DONE)
                self._land(checked)
        self.source.answer()

    def _land(self, checked: Checked) -> None:
        for taken in self._flying.pop(flight_of(checked), ()):
            self.source.again(taken)

    def _forget(self) -> None:
        self._flying.clear()
        self._parked.clear()
        self._refusals.clear()

    def _memory_paused(self, code: str, seconds: float) -> None:
        _log.warning("replay_memory_paused", code=code, wait_seconds=seconds)


def _decision(checked: Checked, known: Accepted | Conflict | None) -> Decision:
    if isinstance(known, Conflict):
        return answer_to(known)
    return known or checked


def authenticated(user: str) -> Box:
    """The sender and device the broker has authenticated: users are called `<org>.<sk>`.

    Raises `Refused` where the publisher did not say who it is, or is nobody's device.
    """
    if not user:
        raise Refused(NO_USER)
    try:
        return parse_box(user)
    except Malformed:
        raise Refused(NO_USER) from None


def flight_of(checked: Checked) -> Flight:
    """What may be under way only once."""
    return checked.header.sender, checked.header.mid
