"""Windows over one simulated network for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.desk.unlocking import Desk
from tests.unit.desk.simulated import World
from tests.unit.desk_web.windows import Window


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def ours(world: World) -> Desk:
    """The desk behind the window."""
    return world.organisation("my")


@pytest.fixture
def theirs(world: World) -> Desk:
    return world.organisation("bd")


@pytest.fixture
def window(world: World, ours: Desk) -> Iterator[Window]:
    """A window in which the desk is open."""
    window = Window.opened(world, ours)
    yield window
    window.close()
