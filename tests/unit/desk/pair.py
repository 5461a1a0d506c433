"""One simulated network for each test, and two organisations in it: fixtures for a conftest.

from tests.unit.desk.pair import ours, theirs, world
"""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.desk.unlocking import Desk
from tests.unit.desk.simulated import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def ours(world: World) -> Desk:
    return world.organisation("my")


@pytest.fixture
def theirs(world: World) -> Desk:
    return world.organisation("bd")
