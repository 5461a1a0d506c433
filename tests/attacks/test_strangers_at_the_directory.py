"""Attacks on the directory from outside: bodies that break a reader, a log that is flooded, and
lists that would publish what must not be known.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.drafting import freeze_statement
from contracts.times import DAY
from directory import allowance
from directory.imports import ImportRefused, read_listings
from tests.unit.directory.support import (
    ADDRESS,
    GOOD,
    NOW,
    OTHER,
    TODAY,
    Member,
    Served,
    admit,
    csv_file,
    new_engine,
    new_log,
    served,
)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Served]:
    running = served(tmp_path)
    yield running
    running.close()


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 60_000,
        b'{"search":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        b'{"page":' + b"9" * 60_000 + b"}",
        b'{"page":1e999}',
        b'{"search":"a","search":"b"}',
    ],
    ids=["deep", "deep inside", "huge number", "infinite", "twice"],
)
@pytest.mark.parametrize("path", ["/services", "/organizations"])
def test_a_body_no_reader_agrees_on_is_refused_and_is_no_failure_of_ours(
    directory: Served, path: str, body: bytes
) -> None:
    answer = directory.client.post(path, data=body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"


def _flooded(directory: Served, member: Member) -> list[int]:
    """The statuses of one member's posts, one more than a day allows."""
    admit(directory.runtime.log, member)
    heading, last, statuses = member.heading, member.statements[-1], []
    for _ in range(allowance.MAX_A_DAY + 1 - len(member.statements)):
        heading = heading.following(last, iat=NOW)
        last = member.more_keys(heading)
        answer = directory.client.post(
            "/log/statements", data=last.render(), content_type="application/json"
        )
        statuses.append(answer.status_code)
    return statuses


def test_one_organisation_cannot_fill_everybodys_log(
    directory: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allowance, "MAX_A_DAY", 8)
    assert _flooded(directory, Member.new()) == [201] * 5 + [429]
    neighbour = Member.new(OTHER)
    admit(directory.runtime.log, neighbour)
    heading = neighbour.heading.following(neighbour.statements[-1], iat=NOW)
    answer = directory.client.post(
        "/log/statements",
        data=neighbour.more_keys(heading).render(),
        content_type="application/json",
    )
    assert answer.status_code == 201


def test_whoever_was_stopped_by_the_flood_may_write_the_next_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allowance, "MAX_A_DAY", 4)
    engine = new_engine(tmp_path)
    log, member = new_log(engine), Member.new()
    admit(log, member)
    heading = member.heading.following(member.statements[-1], iat=NOW)
    log.append(fourth := member.more_keys(heading))
    fifth = member.more_keys(heading.following(fourth, iat=NOW))
    with pytest.raises(Exception, match="too many statements"):
        log.append(fifth)
    assert new_log(engine, now=NOW + DAY).append(fifth).new
    engine.dispose()


def test_a_stolen_computer_that_floods_the_log_is_frozen_all_the_same(
    directory: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allowance, "MAX_A_DAY", 8)
    member = Member.new()
    assert _flooded(directory, member)[-1] == 429
    log = directory.runtime.log
    heading = log.register().next_heading(member.org, iat=NOW)
    freeze = freeze_statement(
        heading, member.device, suspected_since=NOW - DAY, device=member.device.key_id
    )
    answer = directory.client.post("/log/statements", data=freeze.render())
    assert answer.status_code == 201, answer.text
    device = log.register().device(member.org, member.device.key_id)
    assert device is not None
    assert device.stopped is not None


def _columns_without(name: str) -> list[str]:
    header = csv_file([]).decode().splitlines()[0].split(",")
    return [column for column in header if column != name]


@pytest.mark.parametrize("column", [True, False])
def test_a_list_that_does_not_say_so_publishes_no_address(column: bool) -> None:
    rows = [{**GOOD, **ADDRESS, "confidential": ""}]
    columns = () if column else _columns_without("confidential")
    with pytest.raises(ImportRefused) as refused:
        read_listings(csv_file(rows, columns=columns), today=TODAY, demonstration=True)
    assert {problem.column for problem in refused.value.problems} == {"confidential"}


@pytest.mark.parametrize("end", ["?x.example", "#x.example", "/.example", ":443/?.test"])
def test_a_fictional_organisation_cannot_lead_to_somebodys_site(end: str) -> None:
    rows = [{**GOOD, "org_website": f"https://somebody.com{end}"}]
    with pytest.raises(ImportRefused):
        read_listings(csv_file(rows), today=TODAY, demonstration=True)


@pytest.mark.parametrize("unseen", ["\u200b", "\u200e", "\ufeff", "\u2060\u200f"])
def test_a_formula_does_not_hide_behind_what_nobody_sees(unseen: str) -> None:
    with pytest.raises(ImportRefused):
        read_listings(
            csv_file([{**GOOD, "service_name": f"{unseen}=1+1"}]), today=TODAY, demonstration=True
        )


def test_a_header_of_a_million_columns_is_refused_at_once() -> None:
    with pytest.raises(ImportRefused) as refused:
        read_listings(b",".join([b"demo"] * 1_000_000), today=TODAY, demonstration=True)
    assert len(refused.value.problems) < 20
