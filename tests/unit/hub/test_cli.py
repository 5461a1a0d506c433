"""The operator's commands: what they print, and how they fail."""

from __future__ import annotations

import json
import logging
import stat
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from broker.hub.cli import main
from broker.hub.keyfile import read_key
from broker.hub.store import DeadLetter, Store
from broker.mirror import HardStop, Mirror, parse_fork
from broker.mirror.copies import write_copy
from contracts.encoding import b64encode
from contracts.root import parse_root
from tests.unit.contracts.authors import BANGLADESH, Author
from tests.unit.hub.hubs import Directory, migrated_engine, sqlite
from tests.unit.hub.network import ROUTES_FILE, Network, write_key
from tests.unit.mirror.directories import Clock, mirror_of
from tests.unit.mirror.directories import Directory as Log
from tests.vouching import LOG_KEY, demo_root

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    network = Network()
    (tmp_path / "root.json").write_bytes(network.root_file())
    (tmp_path / "routes.json").write_bytes(ROUTES_FILE)
    return {
        "RUJUKAN_ROOT_FILE": str(tmp_path / "root.json"),
        "RUJUKAN_HUB_KEY_FILE": str(write_key(network, tmp_path / "hub.key")),
        "RUJUKAN_ROUTES_FILE": str(tmp_path / "routes.json"),
        "RUJUKAN_DATABASE_URL": sqlite(tmp_path),
        "RUJUKAN_DIRECTORY_URL": NOWHERE,
    }


@pytest.fixture(autouse=True)
def logging_stays_as_it_was() -> Iterator[None]:
    """A command takes over the whole process, which here is the tests'."""
    root, hooks = logging.getLogger(), (sys.excepthook, sys.unraisablehook, threading.excepthook)
    handlers, level = root.handlers[:], root.level
    yield
    sys.excepthook, sys.unraisablehook, threading.excepthook = hooks
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    logging.raiseExceptions = True


def run(environment: dict[str, str], *arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, env=environment)


def test_key_makes_a_key_once_and_prints_what_the_root_file_needs(tmp_path: Path) -> None:
    environment = {"RUJUKAN_HUB_KEY_FILE": str(tmp_path / "hub.key")}
    first = run(environment, "key", "--json")
    assert first.exit_code == 0, first.output
    key = read_key(tmp_path / "hub.key")
    assert json.loads(first.stdout) == {"id": key.key_id, "key": b64encode(key.public)}
    assert run(environment, "key").stdout.splitlines() == [
        f"Hub {key.key_id}",
        f"Key {b64encode(key.public)}",
    ]
    assert b64encode(key.seed) not in first.output


def test_missing_settings_are_named_all_at_once() -> None:
    result = run({}, "serve")
    assert result.exit_code == 1
    for name in ("RUJUKAN_ROOT_FILE", "RUJUKAN_HUB_KEY_FILE", "RUJUKAN_DATABASE_URL"):
        assert name in result.stderr
    assert "Traceback" not in result.output


def test_a_key_that_the_root_file_does_not_name_is_refused(
    environment: dict[str, str], tmp_path: Path
) -> None:
    environment["RUJUKAN_HUB_KEY_FILE"] = str(write_key(Network(), tmp_path / "other.key"))
    result = run(environment, "serve")
    assert result.exit_code == 1
    assert "root file does not name this hub" in result.stderr


def test_status_of_a_hub_that_never_reached_the_directory(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    away = Directory(Network())
    away.reachable = False
    mirror = partial(Mirror, transport=httpx.MockTransport(away))
    monkeypatch.setattr("broker.hub.parts.Mirror", mirror)
    result = run(environment, "status", "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout.splitlines()[0])
    assert (report["status"], report["directory"], report["database"]) == ("down", "too_old", "ok")
    assert report["waiting_copies"] == 0


def test_dead_letters_are_counted_by_reason(environment: dict[str, str]) -> None:
    assert run(environment, "dead-letters").stdout == "No dead letters.\n"
    engine = migrated_engine(environment["RUJUKAN_DATABASE_URL"])
    letters = [
        DeadLetter("e" * 64, "my-" + "0" * 16, "0" * 32, "bd-" + "0" * 16, 10, reason, 0)
        for reason in ("expired", "expired", "attempts")
    ]
    Store(engine).put_dead_letters(letters)
    engine.dispose()
    result = run(environment, "dead-letters", "--json")
    assert result.exit_code == 0, result.output
    value = json.loads(result.stdout)
    assert value["counts"] == {"attempts": 1, "expired": 2}
    assert [one["reason"] for one in value["newest"]] == ["attempts", "expired", "expired"]
    assert "2  expired" in run(environment, "dead-letters").stdout


@pytest.fixture
def stopped(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of a hub to which the log has shown two pasts."""
    clock = Clock()
    ours, theirs = Log(clock), Log(clock)
    ours.add(*Author().admission())
    theirs.add(*Author(name="impostor").admission(), *Author(org=BANGLADESH).admission())
    (tmp_path / "root.json").write_bytes(
        demo_root(net=ours.checkpoint().origin, log=LOG_KEY.public)
    )
    engine = migrated_engine(environment["RUJUKAN_DATABASE_URL"])
    root = parse_root((tmp_path / "root.json").read_bytes())
    mirror = mirror_of(ours, engine, clock, root=root)
    mirror.sync()
    with pytest.raises(HardStop):
        mirror.load_copy(write_copy(theirs.note(), theirs.leaves))
    engine.dispose()
    return environment


def test_an_operator_sees_the_stop_hands_over_its_evidence_and_takes_it_away(
    stopped: dict[str, str], tmp_path: Path
) -> None:
    shown = run(stopped, "log")
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith("STOPPED")
    assert "rujukan-hub log-resolve" in shown.stdout
    file = tmp_path / "evidence.json"
    assert run(stopped, "log-evidence", str(file)).exit_code == 0
    parse_fork(file.read_bytes()).check(parse_root((tmp_path / "root.json").read_bytes()).log)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert run(stopped, "log-evidence", str(file)).exit_code == 1  # never written over
    refused = CliRunner().invoke(main, ["log-resolve"], env=stopped, input="no\n")
    assert (refused.exit_code, "have been phoned" in refused.stdout) == (1, True)
    assert run(stopped, "log-resolve", "--yes").exit_code == 2
    assert run(stopped, "log-resolve", "--json").exit_code == 1
    assert json.loads(run(stopped, "log", "--json").stdout)["stop"]["code"] == "forked"
    assert run(stopped, "log-resolve", "--yes", "--json").exit_code == 0
    after = json.loads(run(stopped, "log", "--json").stdout)
    assert (after["stop"], after["evidence"]) == (None, True)
    assert "No hard stop" in run(stopped, "log-resolve").stderr


def test_a_hub_without_a_fork_has_no_evidence(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "evidence.json"
    assert "No evidence" in run(environment, "log-evidence", str(file)).stderr
    assert not file.exists()


def test_every_command_of_the_operator_is_there() -> None:
    first = {"serve", "key", "status", "dead-letters", "relay", "declare"}
    assert first | {"log", "log-evidence", "log-resolve"} == set(main.commands)
