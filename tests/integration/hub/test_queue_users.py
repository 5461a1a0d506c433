"""Devices on AMQPS on a real RabbitMQ: who gets in, what they get, and how they are put out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, ChannelClosedByBroker
from sqlalchemy import inspect

from broker.hub import keeping, models, topology
from broker.hub.models import CopyState
from broker.hub.parts import Hub
from broker.hub.queue_users import CREDENTIAL_SECONDS, start_guarding
from broker.hub.store import Box
from broker.hub.sweeper import Sweeper
from broker.service.logs import configure_logging
from contracts.encoding import b64decode
from contracts.notice import read_notice
from tests.integration.hub.backends import Backend, backend
from tests.integration.hub.boxed import (
    WallClock,
    consuming,
    credentials,
    freeze,
    freeze_device,
    keeper_of,
    may_log_in,
    revoke,
    state_of,
    users_of,
    with_queue_users,
)
from tests.integration.hub.network import channel_to
from tests.services.processes import wait_until
from tests.services.rabbitmq import Vhost
from tests.unit.hub.hubs import knock, said
from tests.unit.hub.network import DAY, Organisation

ACCESS_REFUSED = 403
NOT_FOUND = 404
MINUTE = 60.0


@pytest.fixture
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    with backend("sqlite+rabbitmq", request, tmp_path) as made:
        yield made


@pytest.fixture
def shelter(stand: Backend) -> Organisation:
    return stand.network.organisation("my", devices=2)


@pytest.fixture
def clinic(stand: Backend) -> Organisation:
    return stand.network.organisation("bd", devices=2)


@pytest.fixture
def hub(stand: Backend, rabbitmq: Vhost) -> Hub:
    return with_queue_users(stand, rabbitmq)


# -- who gets what --------------------------------------------------------------------------------


def test_two_desks_of_one_organisation_by_two_doors_each_get_their_own_copy(
    hub: Hub, stand: Backend, shelter: Organisation, clinic: Organisation
) -> None:
    given = credentials(hub, clinic.desks[0])
    sealed = shelter.desk.seal(b"{}", to=clinic)
    with stand.relay(), consuming(given) as queue:
        assert knock(hub, shelter.desk).submit(sealed.body).status_code == 202
        assert queue.wait_for(1) == [sealed.eid]
        assert queue.got[0][1] == sealed.body
        stand.wait_for_copies(hub, sealed.eid, 3)
        queue.acknowledge()
    assert knock(hub, clinic.desks[0]).lease() == []
    [item] = knock(hub, clinic.desks[1]).lease()
    assert b64decode(item["envelope"], field="envelope") == sealed.body


def test_the_first_is_switched_off_and_the_second_still_gets_it(
    hub: Hub, stand: Backend, shelter: Organisation, clinic: Organisation
) -> None:
    first, second = (credentials(hub, desk) for desk in clinic.desks)
    sealed = shelter.desk.seal(b"{}", to=clinic)
    knock(hub, shelter.desk).submit(sealed.body)
    with stand.relay():
        with consuming(first) as queue:
            queue.wait_for(1)  # and never acknowledges
        with consuming(second) as queue:
            assert queue.wait_for(1) == [sealed.eid]
            queue.acknowledge()
        with consuming(first) as queue:  # switched on again
            assert queue.wait_for(1) == [sealed.eid]


def test_what_a_device_hands_in_and_fetches_by_amqp_is_carried_both_ways(
    hub: Hub, stand: Backend, shelter: Organisation, clinic: Organisation
) -> None:
    sender, receiver = credentials(hub, shelter.desk), credentials(hub, clinic.desk)
    sealed = shelter.desk.seal(b"{}", to=clinic)
    properties = pika.BasicProperties(user_id=sender.user, delivery_mode=2)
    with stand.relay(), consuming(receiver) as queue, channel_to(sender.address) as channel:
        channel.basic_publish("submit", shelter.id, sealed.body, properties)
        assert queue.wait_for(1) == [sealed.eid]
    assert knock(hub, shelter.desk).notice(sealed.mid).status_code == 200


def test_copies_have_fresh_properties_and_end_with_the_envelope(
    hub: Hub, stand: Backend, shelter: Organisation, clinic: Organisation
) -> None:
    given, sender = credentials(hub, clinic.desk), credentials(hub, shelter.desk)
    sealed = shelter.desk.seal(b"{}", to=clinic, lifetime=DAY)
    properties = pika.BasicProperties(
        user_id=sender.user,
        headers={"CC": ["mailbox", given.queue.removeprefix("box.")], "canary": "x"},
        reply_to="somewhere",
        app_id="canary",
    )
    with stand.relay(), channel_to(sender.address) as channel:
        channel.basic_publish("submit", shelter.id, sealed.body, properties)
        with channel_to(given.address) as own:
            found: list[tuple[pika.BasicProperties, bytes]] = []

            def came() -> bool:
                _, its, body = own.basic_get(given.queue, auto_ack=True)
                if its is not None and body is not None:
                    found.append((its, body))
                return bool(found)

            wait_until(came, "the copy")
            stand.wait_for_copies(hub, sealed.eid, 3)
            assert own.basic_get(given.queue)[0] is None, "the CC header made a second copy"
    [(its, body)] = found
    assert body == sealed.body
    shown = {name: value for name, value in vars(its).items() if value is not None}
    assert shown.pop("message_id") == sealed.eid
    assert int(str(shown.pop("expiration"))) == DAY * 1000
    assert shown.pop("delivery_mode") == 2
    assert not shown.pop("headers", {}).keys() - {"x-delivery-count"}
    assert shown == {}


# -- who may --------------------------------------------------------------------------------------


def refusal(url: str, attempt: Callable[[BlockingChannel], object]) -> int:
    with channel_to(url) as channel, pytest.raises(ChannelClosedByBroker) as closed:
        attempt(channel)
    return int(closed.value.reply_code)


def attempts_on(queue: str) -> list[Callable[[BlockingChannel], object]]:
    """Everything one could try with a queue whose name one knows."""
    return [
        lambda channel: channel.basic_get(queue),
        lambda channel: channel.basic_consume(queue, lambda *_: None),
        lambda channel: channel.queue_purge(queue),
        lambda channel: channel.queue_delete(queue),
        lambda channel: channel.queue_bind(queue, "submit", "#"),
    ]


def looking_for(queue: str) -> Callable[[BlockingChannel], object]:
    """A passive declaration, which until RabbitMQ 4.2 shows the depth of any queue."""
    return lambda channel: channel.queue_declare(queue, passive=True)


def test_another_s_queue_cannot_be_read_purged_bound_or_deleted(
    hub: Hub, clinic: Organisation, shelter: Organisation
) -> None:
    mine, theirs = credentials(hub, shelter.desk), credentials(hub, clinic.desk)
    colleague = credentials(hub, shelter.desks[1])
    for queue in (theirs.queue, colleague.queue, *(one.name for one in topology.QUEUES)):
        refusals = {refusal(mine.address, attempt) for attempt in attempts_on(queue)}
        assert refusals == {ACCESS_REFUSED}
    for make in (
        lambda channel: channel.queue_bind(mine.queue, "deliver", "mailbox"),
        lambda channel: channel.queue_bind(mine.queue, "submit", "#"),
        lambda channel: channel.queue_delete(mine.queue),
        lambda channel: channel.queue_declare("box.of-my-own"),
        lambda channel: channel.basic_publish("deliver", mine.queue.removeprefix("box."), b"x"),
    ):
        assert refusal(mine.address, make) == ACCESS_REFUSED


def test_nobody_finds_another_s_queue_by_what_they_can_know(
    hub: Hub, clinic: Organisation, shelter: Organisation
) -> None:
    mine, theirs = credentials(hub, shelter.desk), credentials(hub, clinic.desk)
    token = theirs.queue.removeprefix("box.")
    assert len(bytes.fromhex(token)) == 16
    known = (clinic.id, clinic.desk.key_id, theirs.user, "mailbox.2", token[:-1])
    for guess in known:
        assert refusal(mine.address, looking_for(f"box.{guess}")) == NOT_FOUND
    again = credentials(hub, clinic.desk)
    assert again.queue == theirs.queue


def test_a_user_cannot_speak_as_another_and_the_hub_does_not_carry_it(
    hub: Hub, stand: Backend, shelter: Organisation, clinic: Organisation
) -> None:
    given = credentials(hub, shelter.desk)
    colleague = shelter.desks[1].seal(b"{}", to=clinic)
    foreign = clinic.desk.seal(b"{}", to=shelter)
    stolen = pika.BasicProperties(user_id=credentials(hub, shelter.desks[1]).user)
    assert refusal(
        given.address,
        lambda it: it.basic_publish("submit", shelter.id, colleague.body, stolen),
    ) == 406  # fmt: skip
    own = pika.BasicProperties(user_id=given.user)
    with stand.relay(), channel_to(given.address) as channel:
        for body in (colleague.body, foreign.body):
            channel.basic_publish("submit", shelter.id, body, own)
        channel.basic_publish("submit", shelter.id, shelter.desk.seal(to=clinic).body)
        wait_until(
            lambda: (
                sorted(it.reason for it in hub.store.dead_letters(limit=9))
                == ["no_user", "not_your_device", "not_your_device"]
            ),
            "three dead letters",
        )
    assert stand.copies(hub, colleague.eid) == stand.copies(hub, foreign.eid) == 0


def test_a_device_that_no_longer_counts_is_carried_for_by_neither_door(
    hub: Hub, stand: Backend, shelter: Organisation, clinic: Organisation
) -> None:
    """Its connection is still open: nobody has closed it yet."""
    given, caller = credentials(hub, shelter.desk), knock(hub, shelter.desk)
    sealed = shelter.desk.seal(b"{}", to=clinic)
    own = pika.BasicProperties(user_id=given.user)
    with channel_to(given.address) as channel:
        freeze_device(stand.network, shelter, shelter.desk)
        stand.network.clock.now += 10
        channel.basic_publish("submit", shelter.id, sealed.body, own)
        assert caller.submit(sealed.body).status_code == 401
        with stand.relay():
            wait_until(lambda: refused_code(hub, stand, shelter, sealed.mid) != "", "a notice")
    assert refused_code(hub, stand, shelter, sealed.mid) == "device_not_certified"
    assert stand.copies(hub, sealed.eid) == 0


def refused_code(hub: Hub, stand: Backend, shelter: Organisation, mid: str) -> str:
    found = hub.store.newest_notice(shelter.id, mid)  # type: ignore[arg-type]  # a mid it is
    if found is None:
        return ""
    return read_notice(found, hub_key=stand.network.hub_key.public).code or ""


# -- and how they are put out ---------------------------------------------------------------------


@contextmanager
def guarded(hub: Hub) -> Iterator[None]:
    """The thread that a serving process and the relay both have."""
    stop = start_guarding(users_of(hub), hub.store, hub.clock)
    try:
        yield
    finally:
        stop.set()


@pytest.mark.parametrize("what", ["organisation", "device", "revoked"])
def test_a_freeze_closes_open_connections_within_a_minute_and_nobody_comes_back(
    stand: Backend, rabbitmq: Vhost, what: str
) -> None:
    stand.network.clock = WallClock()
    clinic = stand.network.organisation("bd", devices=2)
    hub = with_queue_users(stand, rabbitmq)
    first, other = (credentials(hub, desk) for desk in clinic.desks)
    caller = knock(hub, clinic.desk)
    with guarded(hub), consuming(first) as queue, consuming(other) as colleague:
        wait_until(lambda: len(users_of(hub).office.connections()) >= 2, "both connections")
        if what == "organisation":
            freeze(stand.network, clinic)
        elif what == "device":
            freeze_device(stand.network, clinic, clinic.desk)
        else:
            revoke(stand.network, clinic, clinic.desk)
        took = queue.ends_within(MINUTE)
        assert took is not None
        sys.stdout.write(f"{what}: connection closed after {took:.1f} s\n")
        assert not may_log_in(first)
        assert caller.client.post(
            "/v1/queue/credentials", json={}, headers=caller.headers
        ).status_code == 401  # fmt: skip
        assert caller.login().status_code == 401
        if what == "organisation":
            assert colleague.ends_within(MINUTE - took) is not None
            assert not may_log_in(other)
        else:
            assert colleague.ends_within(2) is None
            assert may_log_in(other)


def test_a_connection_opened_a_moment_before_the_freeze_is_closed_too(
    stand: Backend, rabbitmq: Vhost
) -> None:
    """RabbitMQ lists it seconds later."""
    stand.network.clock = WallClock()
    clinic = stand.network.organisation("bd")
    hub = with_queue_users(stand, rabbitmq)
    given = credentials(hub, clinic.desk)
    with guarded(hub):
        freeze(stand.network, clinic)
        with consuming(given) as queue:
            took = queue.ends_within(MINUTE)
    assert took is not None
    assert not may_log_in(given)


def test_credentials_end_with_their_time_and_so_do_the_connections(
    hub: Hub, stand: Backend, clinic: Organisation
) -> None:
    first, second = (credentials(hub, desk) for desk in clinic.desks)
    with consuming(first) as queue, consuming(second) as other:
        stand.network.clock.now += CREDENTIAL_SECONDS - 1
        renewed = credentials(hub, clinic.desks[1])
        assert renewed.queue == second.queue
        assert renewed.password != second.password
        stand.network.clock.now += 1
        wait_until(lambda: len(users_of(hub).office.connections()) >= 2, "both connections")
        users_of(hub).guard(now=stand.network.clock())
        assert queue.ends_within(10) is not None
        assert other.ends_within(1) is None
    assert users_of(hub).office.users() >= {second.user}
    assert first.user not in users_of(hub).office.users()
    assert not may_log_in(first)
    assert not may_log_in(second)
    assert may_log_in(renewed)


def test_a_user_that_the_hub_does_not_know_of_is_taken_for_a_stranger(
    hub: Hub, stand: Backend, clinic: Organisation
) -> None:
    """As after a restored backup of the hub."""
    given = credentials(hub, clinic.desk)
    with hub.engine.begin() as connection:
        connection.execute(models.queue_user.delete())
    users_of(hub).guard(now=stand.network.clock())
    assert not may_log_in(given)
    assert "tests" in users_of(hub).office.users()


def test_a_device_has_few_connections(hub: Hub, clinic: Organisation) -> None:
    given = credentials(hub, clinic.desk)
    wanted = pika.URLParameters(given.address)
    with ExitStack() as opened:
        for _ in range(topology.USER_LIMITS["max-connections"]):
            opened.callback(pika.BlockingConnection(wanted).close)
        with pytest.raises(AMQPError):
            pika.BlockingConnection(wanted)


# -- the box --------------------------------------------------------------------------------------


def test_boxes_and_what_is_in_them_outlive_a_restart_of_hub_and_broker(
    hub: Hub, stand: Backend, shelter: Organisation, clinic: Organisation, rabbitmq: Vhost
) -> None:
    given = credentials(hub, clinic.desk)
    sealed = shelter.desk.seal(b"{}", to=clinic)
    knock(hub, shelter.desk).submit(sealed.body)
    with stand.relay():
        stand.wait_for_copies(hub, sealed.eid, 3)
    token = given.queue.removeprefix("box.")
    # Known and avoided by the hub: one made within the last second would not come back.
    wait_until(lambda: users_of(hub).office.boxes()[token].messages == 1, "the counters")
    again = with_queue_users(stand, rabbitmq)
    rabbitmq.node.kill()
    rabbitmq.node.start()
    fresh = credentials(again, clinic.desk)
    assert fresh.queue == given.queue
    with consuming(fresh) as queue:
        assert queue.wait_for(1) == [sealed.eid]


def test_a_box_nobody_consumes_from_is_emptied_into_the_mailbox_and_nothing_is_lost(
    hub: Hub, stand: Backend, shelter: Organisation, clinic: Organisation, rabbitmq: Vhost
) -> None:
    desk, clock, keeper = clinic.desk, stand.network.clock, keeper_of(hub, rabbitmq)
    given = credentials(hub, desk)
    before = [shelter.desk.seal(b"{}", to=clinic) for _ in range(3)]
    after = shelter.desk.seal(b"{}", to=clinic)
    sender = knock(hub, shelter.desk)
    with stand.relay():
        for one in before:
            sender.submit(one.body)
        with consuming(given) as queue:
            got = queue.wait_for(3)
            queue.channel.basic_ack(queue.got[0][0])
            queue.pump()
            clock.now += keeping.IDLE_SECONDS
            wait_until(
                lambda: any(it.consumers for it in users_of(hub).office.boxes().values()),
                "the consumer to be seen",
            )
            keeper.tidy(now=clock())
            assert users_of(hub).boxes.tokens([Box(clinic.id, desk.key_id)], now=clock())
        wait_until(
            lambda: not any(it.consumers for it in users_of(hub).office.boxes().values()),
            "the consumer to be gone",
        )
        clock.now += keeping.IDLE_SECONDS
        keeper.tidy(now=clock())
        assert not may_log_in(given)
        sender = knock(hub, shelter.desk)
        sender.submit(after.body)
        stand.wait_for_copies(hub, after.eid, 3)
        clock.now += keeping.SETTLING_SECONDS

        def away() -> bool:
            keeper.tidy(now=clock())
            return users_of(hub).boxes.left() == ()

        wait_until(away, "the box to be taken away", every=1)
    assert given.queue.removeprefix("box.") not in users_of(hub).office.boxes()
    items = knock(hub, desk).lease()
    assert {item["eid"] for item in items} == {*got[1:], after.eid}
    assert state_of(hub, desk).count(CopyState.ACKNOWLEDGED) == 1
    assert credentials(hub, desk).queue != given.queue


def test_a_copy_for_a_box_that_has_just_gone_is_a_row(
    hub: Hub, stand: Backend, shelter: Organisation, clinic: Organisation
) -> None:
    given = credentials(hub, clinic.desk)
    users_of(hub).office.unbind_box(given.queue.removeprefix("box."))
    sealed = shelter.desk.seal(b"{}", to=clinic)
    knock(hub, shelter.desk).submit(sealed.body)
    with stand.relay():
        stand.wait_for_copies(hub, sealed.eid, 3)
        wait_until(lambda: state_of(hub, clinic.desk) == [CopyState.WAITING], "a row")
    assert [item["eid"] for item in knock(hub, clinic.desk).lease()] == [sealed.eid]
    assert hub.store.dead_letters(limit=1) == ()


def test_a_full_box_holds_up_nobody(
    hub: Hub, stand: Backend, shelter: Organisation, clinic: Organisation, rabbitmq: Vhost
) -> None:
    given = credentials(hub, clinic.desk)
    policy = {"pattern": f"^{given.queue}$", "definition": {"max-length": 1}, "priority": 9}
    rabbitmq.api("PUT", "/policies/{vhost}/small", {**policy, "apply-to": "queues"})
    wait_until(
        lambda: (
            "small" in str(rabbitmq.api("GET", f"/queues/{{vhost}}/{given.queue}").get("policy"))
        ),
        "the policy",
    )
    sender = knock(hub, shelter.desk)
    sealed = [shelter.desk.seal(b"{}", to=clinic) for _ in range(6)]
    with stand.relay():
        for one in sealed:
            sender.submit(one.body)
            stand.wait_for_copies(hub, one.eid, 3)
    states = state_of(hub, clinic.desk)
    assert set(states) == {CopyState.BOXED, CopyState.WAITING}
    in_rows = {item["eid"] for item in knock(hub, clinic.desk).lease()}
    with consuming(given) as queue:
        in_box = set(queue.wait_for(states.count(CopyState.BOXED)))
    assert in_rows | in_box == {one.eid for one in sealed}


# -- nothing secret is kept -----------------------------------------------------------------------


def test_a_password_is_in_no_table_no_log_and_no_answer_of_rabbitmq(
    hub: Hub,
    stand: Backend,
    clinic: Organisation,
    rabbitmq: Vhost,
    capfd: pytest.CaptureFixture[str],
) -> None:
    configure_logging("test", "DEBUG")
    given = credentials(hub, clinic.desk)
    users_of(hub).guard(now=stand.network.clock())
    with consuming(given):
        pass
    assert len(given.password) == 43
    secret = given.password
    with hub.engine.connect() as connection:
        for name in inspect(hub.engine).get_table_names():
            kept = connection.exec_driver_sql(f'SELECT * FROM "{name}"').all()  # noqa: S608 - our own names
            assert secret not in repr(kept)
    for path in ("/users", "/permissions", "/connections", "/definitions"):
        assert secret not in str(rabbitmq.node.api("GET", path))
    for file in rabbitmq.node.folder.rglob("*.log"):
        assert secret.encode() not in file.read_bytes()
    out, err = capfd.readouterr()
    assert secret not in out + err
    assert "queue_user_made" in err
    assert secret not in repr(users_of(hub).issue(Box(clinic.id, clinic.desk.key_id), now=0))


def test_the_sender_hears_nothing_of_a_delivered_copy_and_is_told_of_an_expired_one(
    hub: Hub, stand: Backend, shelter: Organisation, rabbitmq: Vhost
) -> None:
    clinic = stand.network.organisation("bd")
    given, keeper = credentials(hub, clinic.desk), keeper_of(hub, rabbitmq)
    sender, clock = knock(hub, shelter.desk), stand.network.clock
    fetched, missed = (shelter.desk.seal(b"{}", to=clinic, lifetime=20) for _ in range(2))
    with stand.relay():
        sender.submit(fetched.body)
        with consuming(given) as queue:
            assert queue.wait_for(1) == [fetched.eid]
            queue.acknowledge()
            queue.pump()
        sender.submit(missed.body)
        stand.wait_for_copies(hub, missed.eid, 2)
        sweeper: Sweeper = hub.sweeper
        wait_until(
            lambda: CopyState.DEAD in state_of(hub, clinic.desk), "the broker's word", seconds=40
        )
        clock.now += 20 + keeping.COUNTERS_LAG_SECONDS
        wait_until(
            lambda: all(it.messages == 0 for it in users_of(hub).office.boxes().values()),
            "counters",
        )
        keeper.tidy(now=clock())
        sweeper.sweep(now=clock())
    assert state_of(hub, clinic.desk) == [CopyState.ACKNOWLEDGED, CopyState.DEAD]
    codes = {one.eid: refused_code(hub, stand, shelter, one.mid) for one in (fetched, missed)}
    assert codes == {fetched.eid: "", missed.eid: "expired"}


def test_a_stranger_without_a_token_gets_nothing(hub: Hub) -> None:
    from broker.hub.app import app_of

    answer = app_of(hub).test_client().post("/v1/queue/credentials", json={})
    assert (answer.status_code, said(answer)["code"]) == (401, "login_required")
