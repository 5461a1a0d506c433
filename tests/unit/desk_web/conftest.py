"""Windows over one simulated network for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from broker.desk.unlocking import Desk
from tests.unit.desk.pair import ours, theirs, world
from tests.unit.desk.simulated import World
from tests.unit.desk_web.windows import Window

__all__ = ["ours", "theirs", "window", "world"]


@pytest.fixture
def window(world: World, ours: Desk) -> Iterator[Window]:
    """A window in which our desk is open."""
    window = Window.opened(world, ours)
    yield window
    window.close()
