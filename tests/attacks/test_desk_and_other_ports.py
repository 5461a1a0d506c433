"""A page that another program serves on this computer, at another port."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.desk.web.vault import IDLE_SECONDS
from tests.unit.desk.simulated import World
from tests.unit.desk_web.windows import Window


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Window]:
    world = World(tmp_path)
    window = Window.opened(world, world.organisation("my"))
    yield window
    window.close()


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
def test_a_page_at_another_port_neither_reads_the_desk_nor_keeps_it_open(
    window: Window, site: str
) -> None:
    for _ in range(3):
        window.seconds.now += IDLE_SECONDS / 2
        answer = window.get("/find", **{"Sec-Fetch-Site": site})
        assert answer.status_code == 403
        assert "csrf" not in answer.text
    assert window.vault.locked


def test_a_page_of_the_desk_and_an_address_that_was_typed_are_answered(window: Window) -> None:
    for site in ("same-origin", "none"):
        assert window.get("/find", **{"Sec-Fetch-Site": site}).status_code == 200
