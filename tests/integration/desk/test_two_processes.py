"""Several processes on one desk: a running `consume`, and commands beside it."""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.journeys.network import BIN, CommandLineDesk, RunningNetwork, running
from tests.services.processes import Child, start, wait_until

SERVICE = "11111111-1111-4111-8111-111111111111"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNetwork]:
    with running(tmp_path_factory.mktemp("network")) as network:
        yield network


@contextmanager
def consuming(desk: CommandLineDesk, taken: Path) -> Iterator[Child]:
    """`rujukan consume` with a command that keeps what it is handed."""
    program = taken.with_suffix(".py")
    program.write_text(f"import sys; open({str(taken)!r}, 'a').write(sys.stdin.read())\n")
    handler = shlex.join([sys.executable, str(program)])
    command: Sequence[str | Path] = [BIN / "rujukan", "consume", "--exec", handler]
    environ, log = desk.environ, desk.folder / "consume.log"
    with start("consume", command, log=log, environ=environ, folder=desk.folder) as child:
        yield child


def taken_lines(taken: Path) -> Counter[str]:
    lines = taken.read_text().splitlines() if taken.exists() else []
    return Counter(json.loads(line)["reference"] for line in lines)


def request(desk: CommandLineDesk, to: str) -> bytes:
    printed = desk.run("send", "--example", "--to", to, "--service", SERVICE)
    assert printed.code == 0, printed.err
    return printed.out.encode()


def test_commands_beside_a_running_consume_lose_and_repeat_nothing(
    network: RunningNetwork, tmp_path: Path
) -> None:
    ours, theirs = network.desk("my"), network.desk("bd")
    body = request(ours, theirs.org)
    taken = tmp_path / "taken"
    with consuming(ours, tmp_path / "back"), consuming(theirs, taken):
        with ThreadPoolExecutor(2) as at_once:
            sent = list(
                at_once.map(lambda _: ours.json("send", "--to", theirs.org, "-", given=body),
                            range(4))
            )  # fmt: skip
        references = {one["reference"] for one in sent}
        wait_until(lambda: set(taken_lines(taken)) == references, "all to arrive", seconds=60)
        theirs.json("answer", sent[0]["reference"], "accept", "--role", "caseworker")
        wait_until(
            lambda: taken_lines(tmp_path / "back")[sent[0]["reference"]] == 2,
            "both answers to come back",
            seconds=60,
        )
    assert set(taken_lines(taken).values()) == {1}
    states = Counter(one["state"] for one in ours.json("inbox")["cases"])
    assert states == {"delivered": 3, "accepted": 1}
