"""An organisation's own entry: shown whole, signed by an admin desk, in its own chain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from click.testing import CliRunner, Result

from broker.desk import terminal
from broker.desk.cli import main
from broker.desk.client import DirectoryClient
from broker.desk.listing import publish_own
from broker.desk.unlocking import Desk
from broker.service.failures import Failure
from contracts.contents import Role
from contracts.drafting import device_statement
from contracts.entries import render_entry
from contracts.signing import SigningKey
from contracts.times import DAY
from tests.unit.desk.coordinating import URL, CoordinatedNetwork, coordinated, entries
from tests.unit.directory.support import GOOD, NOW, ORG, OTHER, Member


class Ring:
    """As much of a key ring as signing takes."""

    def __init__(self, key: SigningKey) -> None:
        self.signing, self.device = key, key.key_id


class Office:
    """The organisation's computer, whose desk signs with `key`."""

    def __init__(self, network: CoordinatedNetwork, patch: pytest.MonkeyPatch) -> None:
        self.network, self.patch = network, patch
        self.member = Member.new(ORG)
        self.key = self.member.device
        network.admit(self.member)

    def desk(self) -> Desk:
        found = self.network._network(terminal.settings())
        # Everything but the keys is real; the desk's own store has no part in a listing.
        value: Any = type("Office", (), {})()
        value.root, value.log, value.directory = found.root, found.log, found.directory
        value.clock, value.org, value.ring = found.clock, self.member.org, Ring(self.key)
        return cast("Desk", value)

    def run(self, *words: str, answer: str = "yes") -> Result:
        self.network.run(0, "--help")  # this computer's settings
        self.patch.setattr(terminal, "unlocked", self._unlocked)
        result = CliRunner().invoke(main, ["listing", *words], input=f"{answer}\n")
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    @contextmanager
    def _unlocked(self) -> Iterator[Desk]:
        yield self.desk()

    def file(self, **changed: str) -> str:
        """An entry as people write it: indented."""
        path = self.network.folder / "entry.json"
        value = json.loads(render_entry(entries([{**GOOD, **changed}])[0]))
        path.write_text(json.dumps(value, indent=2, ensure_ascii=False), encoding="utf-8")
        return str(path)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with coordinated(tmp_path, monkeypatch) as network:
        yield Office(network, monkeypatch)


def test_an_entry_is_published_shown_and_confirmed(office: Office) -> None:
    file = office.file()
    done = office.run("publish", file)
    assert done.exit_code == 0, done.output
    assert "+60 3-0000 0000" in done.stdout
    listed = office.network.register.listing(office.member.org)
    assert listed is not None
    assert not listed.unconfirmed
    again = office.run("publish", file, "--yes", "--json")
    assert json.loads(again.stdout.splitlines()[-1])["new"] is False
    assert office.run("confirm").exit_code == 0
    confirmed = office.network.register.listing(office.member.org)
    assert confirmed is not None
    assert confirmed.confirmed_at == NOW
    shown = office.run("show", ORG, "--json")
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.stdout)["content"]["name"] == "Harapan DEMO"
    assert b"Harapan DEMO" in office.network.directory.client.get("/services").data


def test_an_organisation_takes_itself_off_the_public_list(office: Office) -> None:
    client = office.network.directory.client
    assert office.run("publish", office.file()).exit_code == 0
    assert office.run("withdraw", answer="").exit_code == 1
    assert b"Harapan DEMO" in client.get("/services").data
    done = office.run("withdraw")
    assert done.exit_code == 0, done.output
    assert b"Harapan DEMO" not in client.get("/services").data
    assert office.run("publish", office.file()).exit_code == 0
    assert b"Harapan DEMO" in client.get("/services").data


def test_nothing_is_published_without_a_yes(office: Office) -> None:
    before = office.network.directory.runtime.log.size()
    assert office.run("publish", office.file(), answer="").exit_code == 1
    assert office.run("publish", office.file(), "--json").exit_code == 1
    assert office.network.directory.runtime.log.size() == before


def test_a_caseworkers_desk_publishes_nothing(office: Office) -> None:
    worker = SigningKey.generate()
    log = office.network.directory.runtime.log
    statement = device_statement(
        log.register().next_heading(office.member.org, iat=NOW),
        root=office.member.root,
        device=worker,
        role=Role.CASEWORKER,
        nbf=NOW - DAY,
        naf=NOW + DAY,
        admin=office.member.device,
    )
    log.append(statement)
    office.network.directory.runtime.logbook.advance()
    office.key = worker
    refused = office.run("publish", office.file(), "--yes")
    assert refused.exit_code == 1
    assert "role admin" in refused.stderr
    assert office.network.register.listings == ()


def test_another_organisations_entry_is_not_signed(office: Office) -> None:
    refused = office.run("publish", office.file(org_id=OTHER), "--yes")
    assert refused.exit_code == 1
    assert "not of your organisation" in refused.stderr


@pytest.mark.parametrize("content", ["{}", "", "[]", '{"v":1,"canary":"x"}'])
def test_a_file_that_is_no_entry_is_refused_and_not_quoted(office: Office, content: str) -> None:
    file = office.network.folder / "bad.json"
    file.write_text(content, encoding="ascii")
    refused = office.run("publish", str(file), "--yes")
    assert refused.exit_code == 1
    assert "canary" not in refused.output


def test_what_the_directory_refuses_is_said_by_rule_and_field(office: Office) -> None:
    file = Path(office.file())
    file.write_text(file.read_text(encoding="utf-8").replace("Fictional.", "<b>canary</b>"))
    refused = office.run("publish", str(file), "--yes")
    assert "entry breaks a rule, in org_description" in refused.stderr
    assert "canary" not in refused.stderr


def test_a_directory_that_is_away_loses_nothing(office: Office) -> None:
    office.run("show")
    desk, away = office.desk(), DirectoryClient(URL, httpx.MockTransport(_away))
    with pytest.raises(Exception, match="unreachable"):
        publish_own(desk, away, entries([GOOD])[0], now=NOW)
    assert office.network.register.listings == ()
    with pytest.raises(Failure):
        publish_own(desk, away, entries([{**GOOD, "org_id": OTHER}])[0], now=NOW)


def _away(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("away", request=request)
