"""A witness of one log in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.directory.witness.logs import Asked, Log, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


@pytest.fixture
def log(world: World) -> Log:
    return world.log


@pytest.fixture
def witness(world: World) -> Asked:
    return world.witness()
