"""A loop, a channel's two ends and an acceptance, in memory and under the test's control."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from broker import amqp
from broker.hub.acceptance import Accepted, Checked, Conflict
from broker.hub.store import DeadLetter
from broker.hub.turns import GATHERING_SECONDS
from contracts.envelope import NO_CHECKPOINT, Envelope, Header
from contracts.identifiers import Eid, KeyId, Mid, OrgId

ORG = OrgId("my-0123456789abcdef")
TO = OrgId("bd-0123456789abcdef")
DEVICE = KeyId("a" * 32)
USER = f"{ORG}.{DEVICE}"
NOW = 1_795_200_000


class FakeTimer:
    """Never needed again."""

    def cancel(self) -> None:
        """Nothing."""


@dataclass
class FakeLoop:
    """Calls wait until `turn`."""

    waiting: list[Callable[[], None]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def soon(self, work: Callable[[], None]) -> None:
        self.waiting.append(work)

    def later(self, seconds: float, work: Callable[[], None]) -> FakeTimer:
        if seconds > GATHERING_SECONDS:
            self.pauses.append(seconds)
        self.waiting.append(work)
        return FakeTimer()

    def turn(self) -> None:
        """Everything that was asked for before this call, once."""
        waiting, self.waiting = self.waiting, []
        for work in waiting:
            work()

    def settle(self) -> None:
        """Until nothing is asked for any more."""
        for _ in range(100):
            if not self.waiting:
                return
            self.turn()
        raise AssertionError("the loop never comes to rest")


@dataclass
class FakeLane:
    """A consuming channel: what was answered, in order."""

    acknowledged: list[int] = field(default_factory=list)
    rejected: list[tuple[int, bool]] = field(default_factory=list)

    def acknowledge(self, tag: int, *, multiple: bool) -> None:
        assert multiple
        self.acknowledged.append(tag)

    def reject(self, tag: int, *, requeue: bool) -> None:
        self.rejected.append((tag, requeue))


@dataclass
class FakePublisher:
    """A publishing channel: what waits for its confirm, and the keys of all that was published."""

    usable: bool = True
    keys: list[str] = field(default_factory=list)
    waiting: list[tuple[amqp.Message, Callable[[amqp.Outcome], None]]] = field(default_factory=list)

    def publish(
        self,
        exchange: str,
        key: str,
        message: amqp.Message,
        settle: Callable[[amqp.Outcome], None],
    ) -> None:
        assert exchange == "deliver"
        if self.usable:
            self.keys.append(key)
            self.waiting.append((message, settle))
        else:
            settle(amqp.Outcome.LOST)


@dataclass
class FakeAcceptance:
    """Bodies are `<mid>/<variant>`; all may be carried. `memory` is the replay memory."""

    memory: dict[Mid, Eid] = field(default_factory=dict)
    failing: Exception | None = None

    def check(self, body: bytes, *, org: OrgId, device: KeyId, now: int) -> Checked:
        assert (org, device) == (ORG, DEVICE)
        if self.failing is not None:
            raise self.failing
        return checked(body, now)

    def _known(self, one: Checked) -> Accepted | Conflict | None:
        found = self.memory.get(one.header.mid)
        if found is not None and found != one.eid:
            return Conflict()
        return None if found is None else Accepted(b"", one.eid, one.header.mid, new=False)

    def known_all(self, batch: Sequence[Checked]) -> tuple[Accepted | Conflict | None, ...]:
        return tuple(map(self._known, batch))

    def remember(self, batch: Sequence[Checked]) -> tuple[Accepted | Conflict, ...]:
        if self.failing is not None:
            raise self.failing
        return tuple(map(self._remember, batch))

    def _remember(self, one: Checked) -> Accepted | Conflict:
        mid = one.header.mid
        new = mid not in self.memory
        if self.memory.setdefault(mid, one.eid) != one.eid:
            return Conflict()
        return Accepted(b"", one.eid, mid, new=new)


@dataclass
class FakeLetters:
    """The part of the store that keeps dead letters."""

    letters: list[DeadLetter] = field(default_factory=list)

    def put_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        self.letters += letters


def checked(body: bytes, now: int = NOW) -> Checked:
    """As if `body` had been an envelope; another body is another `eid`."""
    mid = Mid(body.decode().partition("/")[0])
    header = Header(
        1, "msg", mid, ORG, DEVICE, TO, (KeyId("b" * 32),), "case-referral/1", now, now + 60,
        NO_CHECKPOINT,
    )  # fmt: skip
    envelope = Envelope(body, header, (), b"", b"", b"", b"")
    return Checked(envelope=envelope, boxes=(), at=now, body=body)


def delivery(tag: int, body: bytes, user: str = USER) -> amqp.Delivery:
    return amqp.Delivery(tag=tag, body=body, user=user, attempts=0, death=None)


def inside(part: object) -> Any:
    """The same object, for a test that replaces its ends."""
    return part
