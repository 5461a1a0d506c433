"""The README's first command, as its reader runs it: from nothing to an accepted referral."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services import Child, start, wait_until
from tests.services.ports import free_port, is_open
from tests.services.rabbitmq import Vhost

RUN = Path(__file__).parents[2] / "docker" / "demo" / "run.py"
# Where the four parts listen, from the base.
OFFSETS = (0, 1, 101, 102)
READY = re.compile(r"^Ready: directory (\S+), hub (\S+), desk (\S+), desk (\S+)$", re.MULTILINE)
# Three dozen commands, most with an Argon2 or two, on a busy machine.
SECONDS = 600


def free_base() -> int:
    while True:
        base = free_port()
        if base + max(OFFSETS) < 65536 and not any(is_open(base + one) for one in OFFSETS):
            return base


@contextmanager
def demonstration(folder: Path, base: int, environ: dict[str, str]) -> Iterator[Child]:
    settings = {"RUJUKAN_PORT_BASE": str(base), "RUJUKAN_DEMO_FOLDER": str(folder / "demo")}
    log = folder / f"run-{len(list(folder.iterdir()))}.log"
    with start("make-run", [sys.executable, RUN], log=log, environ=settings | environ) as child:
        wait_until(lambda: bool(READY.search(child.said())), "Ready", child=child, seconds=SECONDS)
        yield child


def end(child: Child, base: int) -> None:
    child.send(signal.SIGINT)
    wait_until(lambda: child.ended is not None, "the demonstration to end", seconds=60)
    assert child.ended == 0
    assert not any(is_open(base + one) for one in OFFSETS)


def test_a_second_run_forgets_who_is_who(tmp_path: Path) -> None:
    base = free_base()
    said = []
    for _ in range(2):
        with demonstration(tmp_path, base, {}) as child:
            assert all(is_open(base + one) for one in OFFSETS)
            end(child, base)
            said.append(child.said())
    assert all(re.search(r"referral [0-9A-Z]{6}: accepted", one) for one in said)
    senders = [re.findall(r"from (my-[0-9a-f]{16})  to (bd-[0-9a-f]{16})", one) for one in said]
    assert senders[0] == senders[1] != []
    assert "fingerprint" in said[0]
    assert "fingerprint" not in said[1]


def test_an_envelope_goes_past_rabbitmq(tmp_path: Path, rabbitmq: Vhost) -> None:
    queue = {
        "RUJUKAN_QUEUE_URL": rabbitmq.url,
        "RUJUKAN_QUEUE_MANAGEMENT_URL": rabbitmq.management_url,
    }
    base = free_base()
    with demonstration(tmp_path, base, queue) as child:
        # Request, its receipt, acknowledgement, acceptance and theirs; the counters lag behind.
        wait_until(lambda: _carried(rabbitmq) >= 5, "five envelopes in RabbitMQ", seconds=30)
        end(child, base)
        assert re.search(r"referral [0-9A-Z]{6}: accepted", child.said())


def _carried(vhost: Vhost) -> int:
    (box,) = [one for one in vhost.api("GET", "/queues/{vhost}") if one["name"] == "box.mailbox"]
    published: int = box.get("message_stats", {}).get("publish", 0)
    return published
