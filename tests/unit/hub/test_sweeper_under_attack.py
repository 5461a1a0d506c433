"""What a freeze, a thaw or a wrong clock does to mail that already lies in somebody's box."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from broker.hub.known import KnownByMirror
from broker.hub.parts import Hub
from broker.mirror import Mirror
from contracts.drafting import freeze_statement, revoke_statement
from contracts.standing import FREEZE_LASTS
from tests.unit.hub.hubs import knock, make_hub, sqlite
from tests.unit.hub.network import DAY, START, Network, Organisation
from tests.vouching import COORDINATORS


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def shelter(network: Network) -> Organisation:
    return network.organisation("my")


@pytest.fixture
def clinic(network: Network) -> Organisation:
    return network.organisation("bd")


@pytest.fixture
def hub(network: Network, tmp_path: Path) -> Iterator[Hub]:
    made = make_hub(network, sqlite(tmp_path))
    yield made
    made.engine.dispose()


def freeze(network: Network, org: Organisation) -> None:
    """One coordinator's freeze of the whole organisation: it ends by itself after 72 hours."""
    by, now = COORDINATORS[2], network.clock()
    heading = network.register.next_heading(by.id, iat=now, org=org.id)
    network.append(freeze_statement(heading, by.key, suspected_since=now))


def test_one_coordinators_freeze_does_not_empty_the_boxes_of_an_organisation(
    network: Network, hub: Hub, shelter: Organisation, clinic: Organisation
) -> None:
    sealed = shelter.desk.seal(to=clinic, lifetime=10 * DAY)
    assert knock(hub, shelter.desk).submit(sealed.body).status_code == 202
    network.clock.now += 60
    freeze(network, clinic)
    network.clock.now += 60
    assert hub.sweeper.sweep(now=network.clock()).undeliverable == 0
    network.clock.now += FREEZE_LASTS
    assert [item["eid"] for item in knock(hub, clinic.desk).lease()] == [sealed.eid]


def test_a_device_that_was_given_up_for_good_gets_nothing_any_more(
    network: Network, hub: Hub, shelter: Organisation, clinic: Organisation
) -> None:
    knock(hub, shelter.desk).submit(shelter.desk.seal(to=clinic, lifetime=10 * DAY).body)
    network.clock.now += 60
    heading = network.register.next_heading(clinic.id, iat=network.clock())
    network.append(revoke_statement(heading, clinic.root, device=clinic.desk.key_id))
    network.clock.now += 60
    assert hub.sweeper.sweep(now=network.clock()).undeliverable == 1


@dataclass
class Witnessed:
    """As much of a mirror as is asked how late it is."""

    time: int
    k: int = 5

    @property
    def root(self) -> Witnessed:
        return self


@pytest.mark.parametrize(
    ("ahead", "surely"), [(-365 * DAY, -365 * DAY), (60, 60), (DAY, DAY), (365 * DAY, DAY)]
)
def test_a_hub_whose_clock_runs_a_year_ahead_destroys_no_mail(
    network: Network, ahead: int, surely: int
) -> None:
    witnessed = network.clock()
    known = KnownByMirror(cast("Mirror", Witnessed(witnessed)))
    assert known.surely(now=witnessed + ahead) == witnessed + surely


def test_what_a_sweep_destroys_goes_by_what_is_surely_past(
    network: Network,
    hub: Hub,
    shelter: Organisation,
    clinic: Organisation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sealed = shelter.desk.seal(to=clinic, lifetime=10 * DAY)
    knock(hub, shelter.desk).submit(sealed.body)
    now = network.clock()
    monkeypatch.setattr(KnownByMirror, "surely", lambda _self, *, now: min(now, START + DAY))
    hub.sweeper.sweep_if_due(now=now + 365 * DAY)
    assert [item["eid"] for item in knock(hub, clinic.desk).lease()] == [sealed.eid]
