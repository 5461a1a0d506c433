"""Where the words of a case must never be: anywhere but on two unlocked desks.

A referral with marked words, and then a name, a number and a way home, goes its whole way through
a network of real processes, all of them logging at DEBUG, while everything that can break is
broken. Then the desks are locked, and every file, table, queue, log, argument, address and printed
line is searched for the marks, the passphrases and the keys, those on sticks too, in every form
that an encoding could give them. Before that, other marks are planted in each of these places in
each of these forms: a scanner that misses one of them proves nothing, and the test fails.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psycopg
import pytest
from psycopg import sql

from tests.secrecy import places, planting
from tests.secrecy.journey import Journey
from tests.secrecy.marks import Marks
from tests.secrecy.network import Backing, Network, network_in
from tests.secrecy.scanner import Place, Report, Scanner, Secret
from tests.services.postgres import USER, Cluster
from tests.services.processes import wait_until
from tests.services.rabbitmq import Vhost

RABBITMQCTL: Final = "/usr/lib/rabbitmq/bin/rabbitmqctl"

# Searched while the servers work, too: later their write-ahead logs are folded in.
AT_WORK: Final = ("the hub's files", "the directory's files", "the locked desks' files")

# Where a group of secrets may be: who is shown it, who is told it over an encrypted connection.
# What is looked for in the directory is an argument of `rujukan find`.
MAY_BE: Final = frozenset(
    {
        ("output of show --note", "note"),
        ("output of show --note", "identity"),
        ("output of show --note", "label"),
        ("output of show --note", "id"),
        ("output of show", "label"),
        ("output of show", "id"),
        ("output of all other commands", "id"),
        ("addresses and headers to the hub", "token"),
        ("answers of the hub", "token"),
        ("questions to the directory", "search"),
        ("arguments of processes", "search"),
        ("addresses and headers to the directory", "knock"),
        ("questions to the directory", "knock"),
        ("addresses and headers to the hub", "knock"),
        ("questions to the hub", "knock"),
    }
)


@dataclass(frozen=True, slots=True)
class Ground:
    """What a network stands on in one of the two runs, and the real servers beneath."""

    backing: Backing
    born: tuple[Secret, ...] = field(default=(), repr=False)
    cluster: Cluster | None = None
    databases: tuple[str, ...] = ()
    vhost: Vhost | None = None


@pytest.fixture
def on_servers(
    postgres_cluster: Cluster, rabbitmq: Vhost, tmp_path: Path
) -> Iterator[tuple[Ground, Path]]:
    """PostgreSQL and RabbitMQ, both told to log all they can; our passwords are marked."""
    password = f"pass{secrets.token_hex(8)}"
    with ExitStack() as stack:
        urls = [stack.enter_context(postgres_cluster.database()) for _ in range(2)]
        for url in urls:
            _log_statements(url)
        stack.enter_context(_debugging(rabbitmq))
        marked = [url.replace(f"{USER}@", f"{USER}:{password}@") for url in urls]
        backing = Backing(marked[0], marked[1], rabbitmq.url, rabbitmq.management_url)
        born = (
            Secret("the databases' password", "key", password),
            Secret("the queue's password", "key", rabbitmq.node.password),
        )
        yield Ground(backing, born, postgres_cluster, tuple(urls), rabbitmq), tmp_path


@pytest.fixture
def on_files(tmp_path: Path) -> tuple[Ground, Path]:
    """SQLite and the hub's own mailbox."""
    hub, directory = tmp_path / "hub" / "hub.db", tmp_path / "directory" / "directory.db"
    return Ground(Backing(f"sqlite:///{hub}", f"sqlite:///{directory}")), tmp_path


def test_no_word_of_a_case_stays_on_postgresql_and_rabbitmq(
    on_servers: tuple[Ground, Path],
) -> None:
    nothing_leaks(*on_servers)


def test_no_word_of_a_case_stays_on_sqlite(on_files: tuple[Ground, Path]) -> None:
    nothing_leaks(*on_files)


def nothing_leaks(ground: Ground, folder: Path) -> None:
    """Play the journey, prove that the scanner sees, search twice: at work and after the end."""
    began, marks = places.now(), Marks()
    with network_in(folder, ground.backing, marks.sticks[:2]) as network:
        journey = Journey(network, marks, ground.vhost)
        with journey.played():
            everywhere = places_of(network, journey, ground, since=began)
            control(network, journey, ground, everywhere)
            scanner = Scanner([*marks.secrets(), *journey.born, *ground.born])
            assert_clean(scanner.scan([one for one in everywhere if one.name in AT_WORK]))
            journey.stop_servers()
            assert_clean(scanner.scan(everywhere))


def assert_clean(report: Report) -> None:
    """Fail with the places, and with nothing of what is there."""
    found = [one for one in report.traces if (one.place, one.group) not in MAY_BE]
    if found:
        pytest.fail("secrets were found:\n" + "\n".join(map(str, found)), pytrace=False)


def control(network: Network, journey: Journey, ground: Ground, everywhere: list[Place]) -> None:
    """Plant marks of another kind in every place and in every form; the scanner must see them."""
    plants = planting.Plants(network, journey.spy, ground.vhost, ground.databases)
    with plants.planted():
        report = Scanner(plants.secrets).scan(everywhere)
    missed = [
        f"{place.name}: {form}"
        for place in everywhere
        for form in sorted(plants.expected(place.name) - report.at(place.name))
    ]
    assert not missed, "the scanner does not see:\n" + "\n".join(map(str, missed))
    if ground.cluster is not None:
        # The reason for reading tables through SQL: PostgreSQL's files do not show this one.
        found = {secret for secret, _ in report.at("PostgreSQL's files")}
        assert planting.COMPRESSED not in found


def places_of(network: Network, journey: Journey, ground: Ground, *, since: float) -> list[Place]:
    """Everything that outlives the journey or could be seen of it."""
    root, watcher = network.folder, network.watcher
    others = [root / name for name in ("tmp", "user", "system-seen")]
    handed_on = sorted((*root.glob("*.json"), *root.glob("*.csv")))  # root file, admissions, …
    found = [
        places.folder("the directory's files", root / "directory"),
        places.sqlite("the directory's index", root / "directory"),
        places.folder("the locked desks' files", root / "desks"),
        places.sqlite("the locked desks' databases", root / "desks"),
        places.folder("logs of the servers", root / "logs"),
        places.folder("all other files", *others, *handed_on),
        places.given("what commands log", network.stderr),
        *watcher.places(),
        *_printed(network),
        *_carried(network),
    ]
    if ground.cluster is None:
        found += [
            places.folder("the hub's files", root / "hub"),
            places.sqlite("the hub's database", root / "hub"),
        ]
    else:
        hub, directory = ground.databases
        server = ground.cluster.data.parent / "server.log"
        found += [
            places.postgres("the hub's database", hub),
            places.postgres("the directory's database", directory),
            places.folder("PostgreSQL's files", ground.cluster.data, since=since),
            places.folder("PostgreSQL's log", server, since=since),
        ]
    if ground.vhost is not None and journey.spy is not None:
        node = ground.vhost.node
        found += [
            places.folder("RabbitMQ's files", node.data, since=since),
            places.folder("RabbitMQ's logs", node.folder / "log", node.folder / "server.log"),
            journey.spy.place("messages in RabbitMQ"),
        ]
    return found


def _printed(network: Network) -> list[Place]:
    shown = ("show", "show --note")
    return [
        places.given("output of show", lambda: network.stdout_of("show", planting.LABEL)),
        places.given(
            "output of show --note", lambda: network.stdout_of("show --note", planting.LABEL)
        ),
        places.given("output of all other commands", lambda: network.stdout_but(*shown)),
    ]


def _carried(network: Network) -> list[Place]:
    return [
        place
        for name, recorder in (("hub", network.hub), ("directory", network.directory))
        for place in (
            recorder.heads(f"addresses and headers to the {name}"),
            recorder.questions(f"questions to the {name}"),
            recorder.answers(f"answers of the {name}"),
        )
    ]


def _log_statements(url: str) -> None:
    """What reaches PostgreSQL, and be it for a moment, then stands in its log, values and all."""
    with psycopg.connect(url, autocommit=True) as session:
        name = sql.Identifier(url.rpartition("/")[2])
        for setting, value in (("log_statement", "all"), ("log_min_messages", "debug1")):
            session.execute(
                sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                    name, sql.Identifier(setting), sql.Literal(value)
                )
            )


@contextmanager
def _debugging(vhost: Vhost) -> Iterator[None]:
    """RabbitMQ at its most talkative, for as long as it is ours."""
    _set_log_level(vhost, "debug")
    try:
        yield
    finally:
        _set_log_level(vhost, "info")


def _set_log_level(vhost: Vhost, level: str) -> None:
    wait_until(lambda: _takes(vhost, level), f"RabbitMQ to log at {level}", seconds=60, every=0.5)


def _takes(vhost: Vhost, level: str) -> bool:
    """Whether the node took the level; rabbitmqctl may not reach it while it is busy."""
    environ = vhost.node.environ
    done = subprocess.run(
        [RABBITMQCTL, "-n", environ["RABBITMQ_NODENAME"], "set_log_level", level],
        env={"PATH": "/usr/sbin:/usr/bin:/bin", "LANG": "C.UTF-8", **environ},
        capture_output=True,
        check=False,
        timeout=60,
    )
    sys.stderr.buffer.write(done.stderr[-500:])  # shown by pytest if the test fails
    return done.returncode == 0
