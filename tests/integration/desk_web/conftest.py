"""A running network and desks that serve their pages, for a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.journeys.network import BIN, CommandLineDesk, RunningNetwork, running
from tests.services.ports import free_port
from tests.services.processes import Child, start, wait_until

LISTED = "Asha DEMO"
SILENT = "Nodesk DEMO"
_COLUMNS = (
    "org_id,org_name,org_kind,demo,org_description,service_key,service_name,description,services,"
    "languages,country,confirmed_on"
)


@dataclass(frozen=True, slots=True)
class ServedDesk:
    """A desk that serves pages: its one-time link, its process, what it wrote to stderr."""

    desk: CommandLineDesk
    link: str
    child: Child

    @property
    def origin(self) -> str:
        return self.link.split("/start/")[0]


@contextmanager
def served(desk: CommandLineDesk) -> Iterator[ServedDesk]:
    """`rujukan desk --json` of this desk, until the end of the block."""
    port = free_port()
    log = desk.folder / f"desk-{port}.log"
    command: list[str | Path] = [BIN / "rujukan", "desk", "--port", str(port), "--json"]
    with start("desk", command, log=log, environ=desk.environ, folder=desk.folder) as child:
        wait_until(lambda: "}" in child.said(), "the desk's link", child=child, seconds=60)
        line = next(one for one in child.said().splitlines() if one.startswith("{"))
        yield ServedDesk(desk, json.loads(line)["url"], child)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNetwork]:
    with running(tmp_path_factory.mktemp("network")) as network:
        yield network


@pytest.fixture(scope="module")
def desks(network: RunningNetwork) -> Iterator[tuple[ServedDesk, ServedDesk]]:
    """A Malaysian desk and the Bangladeshi one that the directory lists."""
    ours, theirs = network.desk("my"), network.desk("bd")
    network.list_services(_listing({theirs.org: LISTED, "bd-00000000000000aa": SILENT}))
    with served(ours) as sender, served(theirs) as receiver:
        yield sender, receiver


@pytest.fixture(scope="module")
def alone(network: RunningNetwork) -> CommandLineDesk:
    """A desk that nobody writes to; a test serves it."""
    return network.desk("my")


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the journey leaves its screenshots, for whoever wants to look."""
    return tmp_path_factory.mktemp("pictures")


def _listing(names: dict[str, str]) -> str:
    rows = [
        f"{org},{name},ngo,yes,DEMO fictional,shelter,{name} shelter,DEMO fictional,shelter,"
        "ben;eng,BD,2026-10-05"
        for org, name in names.items()
    ]
    return "\n".join([_COLUMNS, *rows]) + "\n"
