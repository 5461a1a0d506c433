"""How the hub's knowledge of the directory ages, and what it does when the directory is away."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.hub.known import LOOKS_A_SECOND, OLD_AFTER, MirrorContradicted, MirrorTooOld
from broker.hub.parts import Hub
from contracts.errors import Refused
from contracts.signing import SigningKey
from tests.unit.hub.hubs import Directory, knock, make_hub, said, sqlite
from tests.unit.hub.network import DAY, Desk, Network


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def directory(network: Network) -> Directory:
    return Directory(network)


def test_a_directory_that_is_down_does_not_stop_the_hub_for_a_day(
    network: Network, directory: Directory, tmp_path: Path
) -> None:
    shelter, clinic = network.organisation("my"), network.organisation("bd")
    hub = make_hub(network, sqlite(tmp_path), directory=directory)
    knock(hub, shelter.desk)
    directory.reachable = False
    network.clock.now += DAY - 60
    caller = knock(hub, shelter.desk)
    assert caller.submit(shelter.desk.seal(to=clinic).body).status_code == 202
    network.clock.now += 120
    answer = caller.submit(shelter.desk.seal(to=clinic).body)
    assert (answer.status_code, said(answer)["code"]) == (503, "directory_too_old")
    assert "Nothing was kept" in said(answer)["detail"]
    assert int(answer.headers["Retry-After"]) > 0
    health = caller.client.get("/healthz")
    assert (health.status_code, said(health)["directory"]) == (503, "too_old")
    directory.reachable = True
    network.clock.now += 60
    assert caller.submit(shelter.desk.seal(to=clinic).body).status_code == 202
    hub.engine.dispose()


def test_a_restarted_hub_carries_on_from_what_it_kept(
    network: Network, directory: Directory, tmp_path: Path
) -> None:
    shelter, clinic = network.organisation("my"), network.organisation("bd")
    first = make_hub(network, sqlite(tmp_path), directory=directory)
    first.known.current(now=network.clock())
    first.engine.dispose()
    directory.reachable = False
    network.clock.now += 3600
    second = make_hub(network, sqlite(tmp_path), directory=directory)
    answer = knock(second, shelter.desk).submit(shelter.desk.seal(to=clinic).body)
    assert answer.status_code == 202
    second.engine.dispose()


def test_a_hub_that_never_reached_the_directory_carries_nothing(
    network: Network, directory: Directory, tmp_path: Path
) -> None:
    directory.reachable = False
    hub = make_hub(network, sqlite(tmp_path), directory=directory)
    with pytest.raises(MirrorTooOld):
        hub.known.current(now=network.clock())
    hub.engine.dispose()


def test_a_directory_that_is_down_is_not_asked_for_every_envelope(
    network: Network, directory: Directory, tmp_path: Path
) -> None:
    shelter, clinic = network.organisation("my"), network.organisation("bd")
    hub = make_hub(network, sqlite(tmp_path), directory=directory)
    caller = knock(hub, shelter.desk)
    directory.reachable = False
    network.clock.now += OLD_AFTER + 1
    asked = directory.asked
    for _ in range(20):
        assert caller.submit(shelter.desk.seal(to=clinic).body).status_code == 202
    assert directory.asked == asked + 1
    hub.engine.dispose()


def test_a_device_certified_a_moment_ago_may_log_in_at_once(
    network: Network, directory: Directory, tmp_path: Path
) -> None:
    shelter = network.organisation("my")
    hub = make_hub(network, sqlite(tmp_path), directory=directory)
    knock(hub, shelter.desk)
    new = shelter.add_desk()
    knock(hub, new)
    knock(hub, network.organisation("bd").desk)
    hub.engine.dispose()


def test_strangers_cannot_make_the_hub_flood_the_directory(
    network: Network, directory: Directory, tmp_path: Path
) -> None:
    shelter = network.organisation("my")
    hub = make_hub(network, sqlite(tmp_path), directory=directory)
    knock(hub, shelter.desk)
    asked = directory.asked
    for _ in range(5 * LOOKS_A_SECOND):
        stranger = Desk(network, shelter.id, SigningKey.generate(), ())
        proof = stranger.proof(hub.logins.nonce(now=network.clock()))
        answer = hub_login(hub, proof)
        assert answer == "device_not_certified"
    assert directory.asked <= asked + LOOKS_A_SECOND
    hub.engine.dispose()


def test_a_directory_that_contradicts_itself_stops_the_hub(
    network: Network, directory: Directory, tmp_path: Path
) -> None:
    shelter, clinic = network.organisation("my"), network.organisation("bd")
    hub = make_hub(network, sqlite(tmp_path), directory=directory)
    caller = knock(hub, shelter.desk)
    other = Network()
    other.log_key = network.log_key
    other.organisation("my")
    other.organisation("bd")
    directory.network = other
    network.clock.now += OLD_AFTER + 1
    answer = caller.submit(shelter.desk.seal(to=clinic).body)
    assert (answer.status_code, said(answer)["code"]) == (503, "directory_contradicts")
    assert said(caller.client.get("/healthz"))["directory"] == "contradicts"
    with pytest.raises(MirrorContradicted):
        hub.known.with_device(shelter.id, shelter.desk.key_id, now=network.clock())
    hub.sweeper.sweep(now=network.clock())
    hub.engine.dispose()


def hub_login(hub: Hub, proof: bytes) -> str:
    try:
        hub.logins.login(proof, now=hub.clock())
    except Refused as refused:
        return refused.code
    return "let in"
