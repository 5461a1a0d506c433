"""The next version of a root file: what nobody asked to change stays, and what changes is said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from broker.service.failures import Failure
from broker.service.root_changes import root_changes
from contracts.encoding import b64encode
from contracts.errors import ContractError
from contracts.root import Hub, RootFile, make_root, next_root
from contracts.statements import parse_statement
from directory.cli import main
from directory.logkey import log_key
from directory.rootfile import Wishes, read_before, root_after
from tests.unit.contracts.authors import signing_key
from tests.unit.mirror.directories import WATCHERS
from tests.vouching import COORDINATORS, LOG_KEY, listed

NET = "net.example"
HUB = Hub.of(url="https://hub.example", key=signing_key("hub").public)
OTHER_HUB = Hub.of(url="https://hub2.example", key=signing_key("hub 2").public)
WITNESSES = tuple(one.public for one in WATCHERS)
FIRST = make_root(
    net=NET, log=LOG_KEY.public, hubs=[HUB], coordinators=listed()[:3], witnesses=WITNESSES[:3], k=2
)
BEFORE = read_before(FIRST)

WISHES = st.builds(
    Wishes,
    hubs=st.sampled_from([(), (OTHER_HUB,), (HUB, OTHER_HUB)]),
    log=st.sampled_from([None, signing_key("another log").public]),
    coordinators=st.sets(st.sampled_from(listed())).map(tuple),
    witnesses=st.sets(st.sampled_from(WITNESSES)).map(tuple),
    k=st.none() | st.integers(0, 9),
)


@given(WISHES)
def test_what_nobody_asked_to_change_changes(wishes: Wishes) -> None:
    try:
        after = read_before(root_after(BEFORE, wishes))
    except (Failure, ContractError):
        return
    assert (after.net, after.version) == (NET, 2)
    assert after.hubs == (wishes.hubs or BEFORE.hubs)
    assert after.coordinators == (wishes.coordinators or BEFORE.coordinators)
    assert after.witnesses == (wishes.witnesses or BEFORE.witnesses)
    assert after.k == (BEFORE.k if wishes.k is None else wishes.k)
    assert after.log.public == (wishes.log or BEFORE.log.public)
    assert root_changes(BEFORE, after)
    assert root_changes(BEFORE, replace(BEFORE, version=2)) == ()


def test_versions_follow_one_another() -> None:
    second = root_after(BEFORE, Wishes(coordinators=listed()))
    third = root_after(read_before(second), Wishes(k=3))
    after = next_root(read_before(second), parse_statement(third).body)
    assert (after.version, after.k, after.coordinators) == (3, 3, listed())


class Operator:
    """Somebody with the files of a network's people in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out = folder, folder / "next.json"
        (folder / "root.json").write_bytes(FIRST)
        for number, one in enumerate(COORDINATORS):
            public = {"id": one.id, "country": one.country, "key": b64encode(one.public.key)}
            (folder / f"c{number}.json").write_text(json.dumps(public))

    def run(self, *words: str, after: str = "root.json") -> Result:
        given = ["--after", str(self.folder / after), "--out", str(self.out), *words]
        result = CliRunner().invoke(main, ["root-file", *given])
        assert "Traceback" not in result.output
        return result

    def coordinators(self, *numbers: int) -> list[str]:
        files = (str(self.folder / f"c{number}.json") for number in numbers)
        return [word for file in files for word in ("--coordinator", file)]

    @property
    def written(self) -> RootFile:
        return read_before(self.out.read_bytes())


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path)


def test_the_command_says_in_words_what_changes_and_who_must_sign(operator: Operator) -> None:
    made = operator.run(*operator.coordinators(0, 1, 3))
    assert made.exit_code == 0, made.output
    assert f"Coordinator added: {COORDINATORS[3].id}" in made.stdout
    assert f"Coordinator taken out: {COORDINATORS[2].id}" in made.stdout
    assert "Witness" not in made.stdout
    assert "2 of the 3 coordinators of version 1 must sign" in made.stdout
    assert operator.written.hash in made.stdout
    assert next_root(BEFORE, parse_statement(operator.out.read_bytes()).body) == operator.written
    assert not (operator.folder / "log.key").exists()  # the log keeps its key


def test_a_program_reads_what_changes(operator: Operator) -> None:
    made = operator.run("--k", "3", "--json")
    assert json.loads(made.stdout) == {
        "net": NET,
        "version": 2,
        "hash": operator.written.hash,
        "file": str(operator.out),
        "changes": ["Witnesses that must have seen the log: 2 before, 3 after."],
    }


def test_another_log_key_is_said(operator: Operator) -> None:
    file = operator.folder / "new.key"
    made = operator.run("--log-key-file", str(file))
    assert "The log gets another key." in made.stdout
    assert operator.written.log.public == log_key(file).public


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], 1),  # nothing would differ
        (["--net", "other.example"], 1),
        (["--k", "1"], 1),  # one of three witnesses is not more than half
        (["--k", "0"], 1),
        (["--hub-url", "https://hub2.example"], 2),  # an address without its key
    ],
)
def test_what_cannot_follow_is_not_written(operator: Operator, words: list[str], code: int) -> None:
    result = operator.run(*words)
    assert result.exit_code == code, result.output
    assert not operator.out.exists()


def test_a_file_that_is_no_root_file_is_not_followed(operator: Operator) -> None:
    assert operator.run("--k", "3", after="c0.json").exit_code == 1
    operator.out.write_bytes(b"something else")
    assert operator.run("--k", "3").exit_code == 1
    assert operator.out.read_bytes() == b"something else"


def test_the_first_version_needs_its_network_and_its_hub(tmp_path: Path) -> None:
    words = ["root-file", "--out", str(tmp_path / "root.json"), "--net", "demo.example"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert "--hub-key" in result.stderr
    assert not list(tmp_path.iterdir())
