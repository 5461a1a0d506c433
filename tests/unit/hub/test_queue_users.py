"""Users at RabbitMQ follow the register: no secret kept, nobody in who may not be, no mail lost."""

from __future__ import annotations

import base64
import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import inspect, select

from broker.amqp import Delivery as Message
from broker.amqp import QueueUnavailable
from broker.hub import keeping, models, topology
from broker.hub.boxes import Boxes
from broker.hub.keeping import BoxKeeper
from broker.hub.known import MirrorContradicted, MirrorTooOld
from broker.hub.management import ManagementUnavailable, QueueState, secret_hash
from broker.hub.models import CopyState
from broker.hub.parts import Hub
from broker.hub.queue_users import (
    CREDENTIAL_SECONDS,
    GUARD_EVERY_SECONDS,
    QueueUsers,
    guard_if_due,
)
from broker.hub.store import Box, Delivery
from contracts.drafting import freeze_statement, revoke_statement
from tests.unit.hub.acts import Trouble
from tests.unit.hub.hubs import knock, make_hub, sqlite
from tests.unit.hub.network import Desk, Network, Organisation
from tests.unit.hub.offices import PUBLIC_URL, FakeOffice, queue_users
from tests.vouching import COORDINATORS


class Rig:
    """A hub with one organisation of two desks, and RabbitMQ in memory."""

    def __init__(self, folder: Path) -> None:
        self.network = Network()
        self.clinic = self.network.organisation("bd", devices=2)
        self.shelter = self.network.organisation("my")
        self.hub: Hub = make_hub(self.network, sqlite(folder))
        self.office = FakeOffice()
        self.users = queue_users(self.hub, self.office)

    @property
    def now(self) -> int:
        return self.network.clock.now

    def box(self, desk: Desk) -> Box:
        return Box(desk.org, desk.key_id)

    def issue(self, desk: Desk) -> str:
        """A user for this desk; its token."""
        given = self.users.issue(self.box(desk), now=self.now)
        return given.queue.removeprefix("box.")

    def connect(self, desk: Desk, name: str) -> None:
        self.office.open[name] = str(self.box(desk))

    def freeze(self, organisation: Organisation, desk: Desk | None = None) -> None:
        """By one coordinator; the hub's mirror is old enough to look again."""
        device = None if desk is None else desk.key_id
        self.network.append(
            self.network.vouchers.sign(
                COORDINATORS[0],
                iat=self.now,
                org=organisation.id,
                make=lambda heading, key: freeze_statement(
                    heading, key, suspected_since=self.now, device=device
                ),
            )
        )
        self.network.clock.now += 6


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_credentials_let_a_device_publish_as_itself_and_read_its_own_queue(rig: Rig) -> None:
    given = rig.users.issue(rig.box(rig.clinic.desk), now=rig.now)
    assert (given.url, given.vhost) == (PUBLIC_URL, rig.office.vhost)
    assert given.user == f"{rig.clinic.id}.{rig.clinic.desk.key_id}"
    assert given.expires_at == rig.now + CREDENTIAL_SECONDS
    rights = rig.office.rights[given.user]
    assert rights == topology.device_rights(rig.clinic.id, given.queue.removeprefix("box."))
    assert rights.read == f"^{given.queue}$".replace(".", r"\.")


def test_the_secret_is_256_random_bits_and_rabbitmq_is_given_its_salted_hash(rig: Rig) -> None:
    given = [rig.users.issue(rig.box(rig.clinic.desk), now=rig.now) for _ in range(2)]
    assert given[0].password != given[1].password
    assert len(base64.urlsafe_b64decode(given[0].password + "=")) == 32
    kept = base64.b64decode(rig.office.secrets[given[1].user])
    salted = hashlib.sha256(kept[:4] + given[1].password.encode()).digest()
    assert kept[4:] == salted
    assert secret_hash("x") != secret_hash("x")


def test_the_secret_is_in_no_table_and_no_repr(rig: Rig) -> None:
    given = rig.users.issue(rig.box(rig.clinic.desk), now=rig.now)
    assert given.password not in repr(given)
    with rig.hub.engine.connect() as connection:
        for name in inspect(rig.hub.engine).get_table_names():
            rows = connection.exec_driver_sql(f'SELECT * FROM "{name}"').all()  # noqa: S608 - our own names
            assert given.password not in repr(rows)


def test_asking_again_renews_and_keeps_queue_and_connections(rig: Rig) -> None:
    token = rig.issue(rig.clinic.desk)
    rig.connect(rig.clinic.desk, "c1")
    rig.network.clock.now += CREDENTIAL_SECONDS - 1
    assert rig.issue(rig.clinic.desk) == token
    rig.network.clock.now += CREDENTIAL_SECONDS - 1
    assert rig.users.guard(now=rig.now).connections == 0


def test_a_row_is_there_before_its_user_so_that_no_turn_takes_it_for_a_stranger(rig: Rig) -> None:
    rig.office.away = True
    with pytest.raises(ManagementUnavailable):
        rig.issue(rig.clinic.desk)
    assert [one.box for one in rig.users.boxes.holders()] == [rig.box(rig.clinic.desk)]


def frozen_organisation(rig: Rig) -> None:
    rig.freeze(rig.clinic)


def frozen_device(rig: Rig) -> None:
    rig.freeze(rig.clinic, rig.clinic.desk)


def revoked(rig: Rig) -> None:
    root, heading = rig.clinic.root, rig.clinic.heading
    rig.network.append(revoke_statement(heading, root, device=rig.clinic.desk.key_id))
    rig.network.clock.now += 6


def certificate_over(rig: Rig) -> None:
    rig.network.clock.now += 301 * 24 * 3600
    rig.issue(rig.clinic.desk)  # however it came to be asked


def credentials_over(rig: Rig) -> None:
    rig.network.clock.now += CREDENTIAL_SECONDS


def forgotten(rig: Rig) -> None:
    with rig.hub.engine.begin() as connection:
        connection.execute(models.queue_user.delete())


@pytest.mark.parametrize(
    "happens",
    [frozen_organisation, frozen_device, revoked, certificate_over, credentials_over, forgotten],
)
def test_who_may_not_be_there_loses_first_the_user_and_then_the_connections(
    rig: Rig, happens: Callable[[Rig], None]
) -> None:
    rig.issue(rig.clinic.desk)
    for name in ("c1", "c2"):
        rig.connect(rig.clinic.desk, name)
    assert rig.users.guard(now=rig.now).users == 0
    happens(rig)
    rig.office.told.clear()
    rig.users.guard(now=rig.now)
    user = str(rig.box(rig.clinic.desk))
    assert rig.office.told == [
        ("delete_user", user),
        ("close_connection", "c1"),
        ("close_connection", "c2"),
    ]


def test_only_the_frozen_device_is_put_out(rig: Rig) -> None:
    first, second = rig.clinic.desks
    for number, desk in enumerate((first, second, rig.shelter.desk)):
        rig.issue(desk)
        rig.connect(desk, f"c{number}")
    rig.freeze(rig.clinic, first)
    rig.users.guard(now=rig.now)
    assert set(rig.office.open) == {"c1", "c2"}
    rig.freeze(rig.clinic)
    rig.users.guard(now=rig.now)
    assert set(rig.office.open) == {"c2"}


def test_a_connection_that_was_listed_late_is_closed_by_the_next_turn(rig: Rig) -> None:
    rig.issue(rig.clinic.desk)
    rig.freeze(rig.clinic)
    rig.users.guard(now=rig.now)
    rig.connect(rig.clinic.desk, "late")
    assert rig.users.guard(now=rig.now).connections == 1
    assert rig.office.open == {}


def test_the_hub_s_own_users_and_an_operator_s_are_left_alone(rig: Rig) -> None:
    for name in ("hub", "guest", "my-0123456789abcdef", "a.b", ""):
        rig.office.secrets[name] = ""
        rig.office.open[f"c-{name}"] = name
    assert rig.users.guard(now=rig.now) == rig.users.guard(now=rig.now)
    assert rig.office.told == []


@pytest.mark.parametrize("error", [MirrorTooOld(), MirrorContradicted()])
def test_with_a_directory_that_says_nothing_or_two_things_nobody_is_let_in(
    rig: Rig, error: Exception
) -> None:
    rig.issue(rig.clinic.desk)
    rig.connect(rig.clinic.desk, "c1")
    users = QueueUsers(
        boxes=Boxes(rig.hub.engine), office=rig.office, known=Trouble(error), public_url=PUBLIC_URL
    )
    users.guard(now=rig.now)
    assert (rig.office.secrets, rig.office.open) == ({}, {})


def test_of_several_processes_one_looks_and_one_that_cannot_is_followed_by_the_next(
    rig: Rig,
) -> None:
    rig.issue(rig.clinic.desk)
    rig.freeze(rig.clinic)
    rig.office.away = True
    guard_if_due(rig.users, rig.hub.store, now=rig.now)
    assert rig.office.secrets != {}
    rig.office.away = False
    guard_if_due(rig.users, rig.hub.store, now=rig.now + GUARD_EVERY_SECONDS - 1)
    assert rig.office.secrets != {}
    guard_if_due(rig.users, rig.hub.store, now=rig.now + GUARD_EVERY_SECONDS)
    assert rig.office.secrets == {}


def test_a_freeze_is_seen_at_the_door_by_a_session_that_was_open(rig: Rig) -> None:
    callers = [knock(rig.hub, desk) for desk in rig.clinic.desks]
    for caller in callers:
        assert caller.lease() == []
    rig.freeze(rig.clinic, rig.clinic.desk)
    answers = [
        caller.client.post("/v1/mailbox/lease", json={"max": 1}, headers=caller.headers)
        for caller in callers
    ]
    assert [answer.status_code for answer in answers] == [401, 200]
    rig.freeze(rig.clinic)
    again = callers[1].client.post("/v1/queue/credentials", json={}, headers=callers[1].headers)
    assert again.status_code == 401
    assert [caller.login().status_code for caller in callers] == [401, 401]


# -- boxes ----------------------------------------------------------------------------------------


def test_a_box_whose_device_is_out_is_left_at_once(rig: Rig) -> None:
    token = rig.issue(rig.clinic.desk)
    rig.connect(rig.clinic.desk, "c1")
    rig.freeze(rig.clinic, rig.clinic.desk)
    BoxKeeper(rig.users, "amqp://127.0.0.1:1").tidy(now=rig.now)
    assert [one.token for one in rig.users.boxes.left()] == [token]
    user = str(rig.box(rig.clinic.desk))
    told = [one for one in rig.office.told if not one[0].startswith("put")]
    assert told == [("delete_user", user), ("close_connection", "c1"), ("unbind_box", token)]


def test_a_device_that_only_asks_and_never_consumes_is_given_another_queue(rig: Rig) -> None:
    """Else a queue that RabbitMQ has lost would be its queue for ever."""
    token = rig.issue(rig.clinic.desk)
    keeper = BoxKeeper(rig.users, "amqp://127.0.0.1:1")
    for _ in range(keeping.IDLE_SECONDS // 100):
        rig.network.clock.now += 100
        assert rig.issue(rig.clinic.desk) == token
        assert rig.users.boxes.left() == ()
        keeper.tidy(now=rig.now)
    assert rig.issue(rig.clinic.desk) != token


def test_one_consumed_from_meanwhile_is_not_left(rig: Rig) -> None:
    token, since = rig.issue(rig.clinic.desk), rig.now
    rig.users.boxes.saw([token], now=rig.now + 1)
    assert not rig.users.boxes.leave(token, now=rig.now, unseen_since=since)
    assert rig.users.boxes.left() == ()


def test_a_queue_that_cannot_be_read_keeps_no_other_from_being_taken_away(rig: Rig) -> None:
    tokens = [rig.issue(desk) for desk in rig.clinic.desks]
    rig.office.queues.pop(tokens[1])
    for token in tokens:
        assert rig.users.boxes.leave(token, now=rig.now)

    def unreadable(*_: object) -> int:
        raise QueueUnavailable

    keeper = BoxKeeper(rig.users, "amqp://127.0.0.1:1", empty=unreadable)
    rig.network.clock.now += keeping.SETTLING_SECONDS
    keeper.tidy(now=rig.now)
    assert [one.token for one in rig.users.boxes.left()] == [tokens[0]]
    rig.network.clock.now += topology.QUEUE_TTL_MS // 1000
    for _ in range(2):
        keeper.tidy(now=rig.now)
    assert rig.users.boxes.left() == ()


def test_an_idle_box_is_left_and_a_used_one_is_not(rig: Rig) -> None:
    idle, used = (rig.issue(desk) for desk in rig.clinic.desks)
    rig.office.queues[used] = QueueState(f"box.{used}", messages=3, consumers=1)
    rig.network.clock.now += keeping.IDLE_SECONDS
    BoxKeeper(rig.users, "amqp://127.0.0.1:1").tidy(now=rig.now)
    assert [one.token for one in rig.users.boxes.left()] == [idle]
    assert [one.token for one in rig.users.boxes.holders()] == [used]


class CopiesOfOneDevice(RuleBasedStateMachine):
    """Whatever happens to one device's copy between box and table, it is in exactly one place,
    is never handed out after it ended, and has its bytes where it waits."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.rig = Rig(Path(self.folder.name))
        self.box = self.rig.box(self.rig.clinic.desk)
        sealed = self.rig.shelter.desk.seal(b"{}", to=self.rig.clinic)
        exp = self.rig.now + 3 * 24 * 3600
        self.delivery = Delivery(sealed.eid, exp, (self.box,), sealed.body)
        self.boxes = self.rig.users.boxes
        self.token = self.rig.issue(self.rig.clinic.desk)
        self.ended = False

    @rule()
    def put(self) -> None:
        self.boxes.put(self.delivery, {self.box: self.token})

    @rule()
    def row(self) -> None:
        self.rig.hub.store.deliver([self.delivery])

    @rule()
    def take_back(self) -> None:
        self.boxes.take_back(self.box, self.delivery)

    @rule(reason=st.sampled_from(["expired", "delivery_limit"]))
    def bury(self, reason: str) -> None:
        self.ended |= self.boxes.bury(self.box, self.delivery.eid, reason)

    @rule()
    def fetch(self) -> None:
        items = self.rig.hub.mailbox.lease(self.box, most=9, now=self.rig.now)
        assert not (self.ended and items), "handed out after its end"
        assert all(item.body == self.delivery.body for item in items)
        leases = [item.lease for item in items]
        self.rig.hub.mailbox.settle(self.box, acknowledge=leases, give_back=[])
        self.ended |= bool(items)

    @invariant()
    def it_is_in_one_place_with_its_bytes_where_it_waits(self) -> None:
        rows = models.copy.c
        with self.rig.hub.engine.connect() as connection:
            states = list(connection.scalars(select(rows.state)))
            bodies = list(connection.scalars(select(models.envelope.c.eid)))
        assert len(states) <= 1
        assert bodies == [self.delivery.eid] * states.count(CopyState.WAITING)
        if self.ended:
            assert states in ([CopyState.ACKNOWLEDGED], [CopyState.DEAD])

    def teardown(self) -> None:
        if hasattr(self, "rig"):
            self.rig.hub.engine.dispose()
            self.folder.cleanup()


CopiesOfOneDevice.TestCase.settings = settings(max_examples=15, stateful_step_count=15)
TestCopiesOfOneDevice = CopiesOfOneDevice.TestCase


def test_what_comes_back_after_its_end_is_not_put_into_the_mailbox(rig: Rig) -> None:
    keeper = BoxKeeper(rig.users, "amqp://127.0.0.1:1")
    box = rig.box(rig.clinic.desk)
    sealed = rig.shelter.desk.seal(b"{}", to=rig.clinic)
    keeper._back(box, rig.now, Message(1, sealed.body, "", 0, None))
    late = rig.shelter.desk.seal(b"{}", to=rig.clinic, lifetime=5)
    keeper._back(box, rig.now + 5, Message(2, late.body, "", 0, None))
    items = rig.hub.mailbox.lease(box, most=9, now=rig.now)
    assert [item.eid for item in items] == [sealed.eid]


def test_a_device_under_another_organisation_s_name_is_not_let_in(rig: Rig) -> None:
    assert rig.users.in_force(rig.box(rig.clinic.desk), now=rig.now)
    assert not rig.users.in_force(Box(rig.shelter.id, rig.clinic.desk.key_id), now=rig.now)
