"""The operator's commands: what they print, and how they fail."""

from __future__ import annotations

import json
import logging
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
from broker.mirror import Mirror
from contracts.encoding import b64encode
from tests.unit.hub.hubs import Directory, migrated_engine, sqlite
from tests.unit.hub.network import ROUTES_FILE, Network, write_key

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


def test_every_command_of_the_operator_is_there() -> None:
    assert {"serve", "key", "status", "dead-letters", "relay", "declare"} == set(main.commands)
