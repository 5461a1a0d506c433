"""A network and its queues for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.hub.declare import declare
from tests.integration.hub.network import NET, Network, run_network
from tests.services.rabbitmq import Vhost


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    """Two organisations with two desks each, and a hub's files."""
    with run_network(tmp_path) as made:
        yield made


@pytest.fixture
def queues(rabbitmq: Vhost) -> Vhost:
    """A fresh vhost in which everything is declared."""
    declare(rabbitmq.url, rabbitmq.management_url, net=NET)
    return rabbitmq
