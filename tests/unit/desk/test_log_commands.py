"""`rujukan log`: a copy on a stick, the evidence of a fork, and a stop that a person takes away."""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from broker.desk import cli_log, terminal, unlocking
from broker.desk.cli import main
from broker.desk.settings import DeskSettings
from broker.mirror import Mirror, parse_fork
from broker.mirror.shown import resolving
from broker.mirror.stops import _STOPS, HardStop, Stop
from contracts.root import Hub, make_root, parse_root
from contracts.signing import SigningKey
from tests.unit.contracts.authors import BANGLADESH, MALAYSIA, NET, Author, signing_key
from tests.unit.mirror.directories import WATCHERS, Clock, Directory
from tests.vouching import LOG_KEY, listed

DAY = 24 * 3600


@dataclass
class Computers:
    """Several computers without a desk, each with a folder; one directory, or two that differ."""

    folder: Path
    patch: pytest.MonkeyPatch
    log_key: SigningKey = LOG_KEY
    clock: Clock = field(default_factory=Clock)
    honest: Directory = field(init=False)
    reachable: bool = True

    def __post_init__(self) -> None:
        self.honest = Directory(self.clock, witnesses=WATCHERS)
        self.honest.add(*Author().admission())
        self.shown = self.honest
        data = make_root(
            net=NET,
            log=self.log_key.public,
            hubs=[Hub.of(url="https://hub.example", key=signing_key("hub").public)],
            coordinators=listed(),
            witnesses=[one.public for one in WATCHERS],
            k=5,
        )
        (self.folder / "root.json").write_bytes(data)
        for module in (unlocking, cli_log):
            self.patch.setattr(module, "local_time", self.clock)
        transport = httpx.MockTransport(self._answer)
        self.patch.setattr(unlocking, "Mirror", partial(Mirror, transport=transport))

    def other_past(self) -> Directory:
        """What the same log has signed for somebody else."""
        other = Directory(self.clock, witnesses=WATCHERS)
        other.add(*Author(name="impostor").admission(), *Author(org=BANGLADESH).admission())
        return other

    def run(self, *words: str, at: str = "ours", answer: str = "yes") -> Result:
        settings = DeskSettings(
            home=self.folder / at,
            root_file=self.folder / "root.json",
            directory_url="https://directory.example",
        )
        self.patch.setattr(terminal, "settings", lambda: settings)
        result = CliRunner().invoke(main, ["log", *words], input=f"{answer}\n")
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert "Traceback" not in result.output
        return result

    def done(self, *words: str, at: str = "ours") -> dict[str, Any]:
        result = self.run(*words, "--json", at=at)
        assert result.exit_code == 0, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        assert found["network"] == NET
        return found

    def refused(self, *words: str, at: str = "ours") -> str:
        result = self.run(*words, at=at)
        assert result.exit_code == 1, result.output
        assert result.stderr.strip().endswith(".")
        return result.stderr

    def file(self, name: str) -> str:
        return str(self.folder / name)

    def forked(self) -> str:
        """Our computer has met another past, in a copy that somebody brought."""
        self.done("save", self.file("ours.log"))
        self.shown = self.other_past()
        self.done("save", self.file("theirs.log"), at="theirs")
        return self.refused("load", self.file("theirs.log"))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if not self.reachable:
            raise httpx.ConnectError("unplugged", request=request)
        return self.shown._handle(request)


@pytest.fixture
def computers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Computers:
    return Computers(tmp_path, monkeypatch)


def test_before_anything_was_fetched_it_says_so_and_needs_no_desk(computers: Computers) -> None:
    computers.reachable = False
    found = computers.done()
    assert (found["size"], found["checkpoint"], found["level"]) == (0, None, "stale")
    assert "none yet" in computers.run().stdout
    assert "no verified copy" in computers.refused("save", computers.file("copy"))


def test_a_first_copy_travels_on_a_stick_to_a_computer_without_a_directory(
    computers: Computers,
) -> None:
    computers.done("save", computers.file("copy"))
    computers.reachable = False
    taken = computers.done("load", computers.file("copy"), at="new")
    assert (taken["added"], taken["size"], taken["level"]) == (5, 5, "fresh")
    assert taken["checkpoint"]["root"] == computers.honest.checkpoint().root.hex()
    assert (taken["checkpoint"]["witnesses"], taken["checkpoint"]["witnesses_needed"]) == (8, 5)
    assert "nothing needs to be done" in computers.refused("load", computers.file("copy"), at="new")


def test_a_copy_is_saved_although_the_directory_is_away(computers: Computers) -> None:
    computers.done("save", computers.file("one"))
    computers.reachable = False
    computers.clock.now += 2 * DAY
    computers.done("save", computers.file("two"))
    assert Path(computers.file("two")).read_bytes() == Path(computers.file("one")).read_bytes()
    assert "Over a day old" in computers.run().stdout


def test_a_clock_that_was_put_back_makes_the_age_unknown_and_not_young(
    computers: Computers,
) -> None:
    computers.done("save", computers.file("one"))
    computers.clock.now -= 400 * DAY
    found = computers.done()
    assert (found["age_seconds"], found["level"]) == (None, "stale")
    assert "since when cannot be told" in computers.run().stdout


def test_nothing_is_written_over_and_nothing_else_is_taken_for_a_copy(computers: Computers) -> None:
    file = Path(computers.file("copy"))
    file.write_bytes(b"something else")
    computers.refused("save", str(file))
    assert file.read_bytes() == b"something else"
    assert "Nothing was changed" in computers.refused("load", str(file))
    assert computers.run("load", computers.file("nowhere")).exit_code == 2


def test_a_fork_is_written_down_and_proves_itself_to_others(computers: Computers) -> None:
    assert "log has forked" in computers.forked()
    found, told = computers.done(), computers.run().stdout
    assert (found["stop"]["code"], found["evidence"]) == ("forked", True)
    assert told.index("STOPPED") < told.index("rujukan log evidence") < told.index("log resolve")
    file = Path(computers.file("evidence.json"))
    computers.done("evidence", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    parse_fork(file.read_bytes()).check(
        parse_root((computers.folder / "root.json").read_bytes()).log
    )
    computers.reachable = False
    proven = computers.run("check-evidence", str(file), at="coordinator")
    assert proven.exit_code == 0, proven.output
    assert "signed two pasts" in proven.stdout
    shown = computers.done("check-evidence", str(file), at="coordinator")
    assert (shown["forked"], shown["ours"]["size"], shown["theirs"]["size"]) == (True, 5, 10)


def test_evidence_that_another_log_signed_or_that_was_changed_proves_nothing(
    computers: Computers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computers.forked()
    file = Path(computers.file("evidence.json"))
    computers.done("evidence", str(file))
    fields = json.loads(file.read_bytes())
    for changed in ({"theirs": fields["ours"]}, {"size": fields["size"] - 1}, {"v": 2}):
        other = tmp_path / "changed.json"
        other.write_text(json.dumps(fields | changed))
        assert "proves nothing" in computers.refused("check-evidence", str(other))
    other.write_bytes(b"")
    assert "proves nothing" in computers.refused("check-evidence", str(other))
    (tmp_path / "elsewhere").mkdir()
    elsewhere = Computers(tmp_path / "elsewhere", monkeypatch, log_key=signing_key("another log"))
    assert "proves nothing" in elsewhere.refused("check-evidence", str(file))


def test_without_a_fork_there_is_no_evidence_to_write(computers: Computers) -> None:
    file = computers.file("evidence.json")
    assert "No evidence" in computers.refused("evidence", file)
    assert not Path(file).exists()


@pytest.mark.parametrize("answer", ["no", "", "y"])
def test_a_stop_stays_unless_somebody_types_yes(computers: Computers, answer: str) -> None:
    computers.forked()
    told = computers.run("resolve", answer=answer)
    assert told.exit_code == 1
    assert "coordinators of two countries have been phoned" in told.stdout
    assert computers.done()["stop"]["code"] == "forked"


def test_a_stop_is_taken_away_and_a_log_that_still_lies_stops_again(computers: Computers) -> None:
    computers.forked()
    assert computers.run("resolve").exit_code == 0
    found = computers.done()
    assert (found["stop"], found["evidence"], found["size"]) == (None, True, 5)
    assert "forked" in computers.refused("save", computers.file("again"))
    assert computers.done()["stop"]["code"] == "forked"
    assert computers.done("resolve", "--yes")["resolved"] == "forked"
    computers.shown = computers.honest
    assert computers.done("save", computers.file("true"))["size"] == 5


def test_a_person_is_always_asked_and_a_program_says_that_it_is_sure(computers: Computers) -> None:
    computers.forked()
    assert computers.run("resolve", "--yes").exit_code == 2
    told = computers.run("resolve", "--json")
    assert (told.exit_code, "--yes" in json.loads(told.stdout)["error"]) == (1, True)
    assert computers.done()["stop"]["code"] == "forked"


def test_where_no_stop_stands_there_is_nothing_to_take_away(computers: Computers) -> None:
    assert "No hard stop" in computers.refused("resolve")


@pytest.mark.parametrize("code", sorted(set(_STOPS) - {"other_net"}))
def test_a_stop_that_is_kept_says_whom_to_phone_before_it_is_taken_away(code: str) -> None:
    told = resolving(HardStop(Stop(code, MALAYSIA)))
    assert "phoned" in told.phone or "called" in told.phone or "newer version" in told.phone
    assert "{" not in told.text
