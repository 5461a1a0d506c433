"""A desk at the hub's queue: nothing acknowledged before it is stored, nothing lost, no password
where one could be read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from broker import amqp
from broker.desk import queue, receiving
from broker.desk.client import Unreachable
from broker.desk.courier import Round
from broker.desk.errors import DeskError
from broker.desk.queue import HELD_SECONDS, QueueAway, QueueHub, QueueLogin, QueueReceiver
from broker.desk.sending import send_referral
from broker.desk.unlocking import Desk
from broker.service.failures import Failure
from contracts.encoding import dump_json
from tests.unit.amqp.fakes import delivery
from tests.unit.desk.simulated import World, cases

SECRET = "nRBs3OI0ZGQpL9RRjQGZI4gRs16sqXSlxwCSX174gsk"


@dataclass
class FakeInbox:
    """The broker's end of one connection."""

    coming: deque[amqp.Delivery] = field(default_factory=deque)
    answers: list[tuple[int, amqp.Handled]] = field(default_factory=list)
    away: bool = False
    closed: bool = False

    def put(self, *bodies: bytes) -> None:
        for body in bodies:
            self.coming.append(delivery(len(self.coming) + len(self.answers) + 1, body))

    def pump(self, seconds: float, handle: Callable[[amqp.Delivery], amqp.Handled]) -> None:
        assert seconds >= 0
        if self.away:
            raise amqp.QueueUnavailable("away")
        held = []
        while self.coming:
            one = self.coming.popleft()
            answer = handle(one)
            if answer is amqp.Handled.HOLD:
                held.append(one)
            else:
                self.answers.append((one.tag, answer))
        self.coming.extend(held)

    def close(self) -> None:
        self.closed = True


@dataclass
class FakeLogins:
    """The hub that gives credentials."""

    world: World
    asked: int = 0
    queue: str = "box.a"
    failing: Exception | None = None

    def login(self) -> QueueLogin:
        self.asked += 1
        if self.failing is not None:
            raise self.failing
        return QueueLogin("amqps://queue.test/v", self.queue, self.world.clock() + 1000)

    def close(self) -> None:
        """Nothing."""


class Rig:
    """A desk with a queue in memory."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = World(folder)
        self.ours, self.theirs = (self.world.organisation(it) for it in ("my", "bd"))
        self.logins, self.inboxes = FakeLogins(self.world), [FakeInbox()]
        self.seconds = 1000.0
        monkeypatch.setattr("broker.desk.queue.time.monotonic", lambda: self.seconds)
        self.receiver = QueueReceiver(self.theirs, hub=self.logins, connect=self._connect)

    @property
    def inbox(self) -> FakeInbox:
        return self.inboxes[-1]

    def sealed(self, count: int = 1) -> list[bytes]:
        """Envelopes from our desk to theirs."""
        for _ in range(count):
            send_referral(self.ours, to=self.theirs.org, body=self.world.request(self.theirs))
        self.world.settle(self.ours)
        return self.world.hub.taken[-count:]

    def _connect(self, _: QueueLogin) -> FakeInbox:
        if self.inbox.closed:
            self.inboxes.append(FakeInbox())
        return self.inbox


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(tmp_path, monkeypatch)


def test_what_comes_is_stored_and_only_then_acknowledged(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, list[Any]]] = []
    take = receiving.take

    def watched(desk: Desk, body: bytes) -> Any:
        taken = take(desk, body)
        seen.append((len(cases(desk)), list(rig.inbox.answers)))
        return taken

    monkeypatch.setattr(queue, "take", watched)
    rig.inbox.put(*rig.sealed())
    received, trouble = rig.receiver.pump(5)
    assert trouble is None
    assert len(received.entries) == 1
    assert seen == [(1, [])]
    assert rig.inbox.answers == [(1, amqp.Handled.DONE)]


def test_a_redelivery_is_shown_once(rig: Rig) -> None:
    [body] = rig.sealed()
    rig.inbox.put(body, body)
    received, _ = rig.receiver.pump(5)
    assert len(received.entries) == 1
    assert [answer for _, answer in rig.inbox.answers] == [amqp.Handled.DONE] * 2
    assert len(cases(rig.theirs)) == 1


def test_one_that_breaks_the_desk_is_kept_in_hand_as_long_as_a_lease_and_then_given_back(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    [bad, good] = rig.sealed(2)
    take = receiving.take

    def fails(desk: Desk, body: bytes) -> Any:
        if body == bad:
            raise OSError("the disk is full")
        return take(desk, body)

    monkeypatch.setattr(queue, "take", fails)
    rig.inbox.put(bad, good)
    rig.receiver.pump(5)
    assert rig.inbox.answers == [(2, amqp.Handled.DONE)]
    rig.seconds += HELD_SECONDS - 1
    rig.receiver.pump(5)
    assert len(rig.inbox.answers) == 1
    rig.seconds += 1
    rig.receiver.pump(5)
    assert rig.inbox.answers[1:] == [(1, amqp.Handled.AGAIN)]


def test_with_the_directory_away_an_unknown_sender_s_is_kept_in_hand_uncounted(rig: Rig) -> None:
    rig.theirs.log.sync()
    late = rig.world.organisation("my")
    send_referral(late, to=rig.theirs.org, body=rig.world.request(rig.theirs))
    rig.world.settle(late)
    rig.world.log.reachable = False
    rig.inbox.put(rig.world.hub.taken[-1])
    for _ in range(3):
        rig.receiver.pump(5)
        rig.seconds += HELD_SECONDS
    assert rig.inbox.answers == []
    rig.world.log.reachable = True
    received, _ = rig.receiver.pump(5)
    assert len(received.entries) == 1
    assert rig.inbox.answers == [(1, amqp.Handled.DONE)]


def test_a_lost_connection_is_followed_by_fresh_credentials_after_a_pause(rig: Rig) -> None:
    rig.receiver.pump(5)
    rig.inbox.away = True
    _, trouble = rig.receiver.pump(5)
    assert isinstance(trouble, QueueAway)
    assert (rig.inbox.closed, rig.receiver.connected, rig.logins.asked) == (True, False, 1)
    assert rig.receiver.pump(5)[1] is None
    assert rig.logins.asked == 1
    rig.seconds += queue.RETRY_SECONDS
    rig.inboxes.append(FakeInbox())
    rig.receiver.pump(5)
    assert (rig.receiver.connected, rig.logins.asked) == (True, 2)


def test_the_time_is_renewed_before_it_ends_and_the_connection_stays(rig: Rig) -> None:
    rig.receiver.pump(5)
    rig.world.clock.pass_(499)
    rig.receiver.pump(5)
    assert rig.logins.asked == 1
    rig.world.clock.pass_(1)
    rig.receiver.pump(5)
    assert (rig.logins.asked, rig.inbox.closed) == (2, False)


def test_another_queue_at_renewal_means_another_connection(rig: Rig) -> None:
    rig.receiver.pump(5)
    rig.logins.queue = "box.b"
    rig.world.clock.pass_(500)
    rig.receiver.pump(5)
    assert rig.inboxes[0].closed
    assert rig.receiver.connected


@pytest.mark.parametrize("failure", [Unreachable(), DeskError("hub_refuses", rule="no queue")])
def test_a_hub_without_a_queue_stops_nothing_else(rig: Rig, failure: Exception) -> None:
    rig.logins.failing = failure
    round_ = rig.receiver.joined(Round(), seconds=5)
    assert len(round_.troubles) == 1
    assert isinstance(round_.troubles[0], Failure)
    assert not rig.receiver.connected
    again = rig.receiver.joined(round_, seconds=5)
    assert again.troubles == round_.troubles


# -- what the hub answers -------------------------------------------------------------------------


def hub_answering(rig: Rig, **changes: object) -> QueueHub:
    fields: dict[str, Any] = {
        "url": "amqps://queue.test:5671",
        "vhost": "a/b",
        "user": "my-0a1b2c3d4e5f6071.db96056114280403f2fdf4b06e238fb3",
        "password": SECRET,
        "queue": "box.0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "expires_at": 1795608000,
    }

    def answer(request: httpx.Request) -> httpx.Response:
        said: dict[str, Any] = {"nonce": "A" * 43 + "=", "expires_in": 60}
        if request.url.path == "/v1/login":
            said = {"token": "t", "expires_in": 900}
        elif request.url.path == "/v1/queue/credentials":
            said = fields | changes
        stream = httpx.ByteStream(dump_json(said))
        return httpx.Response(200, stream=stream, headers={"Content-Type": "application/json"})

    desk = rig.theirs
    transport = httpx.MockTransport(answer)
    facts = rig.theirs.hub_facts if rig.theirs.root.hubs else rig.world.root.hubs[0]
    return QueueHub(
        facts, org=desk.org, key=desk.ring.signing, clock=desk.clock, transport=transport
    )


def test_the_login_is_put_into_the_address_and_shown_nowhere(rig: Rig) -> None:
    login = hub_answering(rig).login()
    assert SECRET in login.address
    assert login.address.endswith("@queue.test:5671/a%2Fb")
    assert SECRET not in repr(login)
    wanted = amqp.parameters(login.address, name="t")
    assert (wanted.virtual_host, wanted.port) == ("a/b", 5671)
    assert wanted.ssl_options is not None


@pytest.mark.parametrize(
    "url",
    [
        "amqp://queue.test",
        "amqps://queue.test?ssl_options={'verify':0}",
        "amqp://localhost:5672",
        "http://127.0.0.1",
        "amqps://",
    ],
)
def test_an_address_that_is_not_verified_is_not_connected_to(rig: Rig, url: str) -> None:
    with pytest.raises(DeskError) as refused:
        hub_answering(rig, url=url).login()
    assert refused.value.code == "hub_refuses"
    assert SECRET not in str(refused.value)


def test_an_answer_in_another_form_is_somebody_else_s(rig: Rig) -> None:
    with pytest.raises(Unreachable):
        hub_answering(rig, expires_at="soon").login()
