"""The statement log over HTTP: what it takes, what it refuses, and that it never half-takes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.encoding import dump_json, parse_json
from contracts.errors import Malformed, Refused
from contracts.log import decode_leaf, split_leaves
from contracts.register import Register
from contracts.statements import Statement
from directory.statements import Appended, StatementLog, read_admission
from tests.unit.directory.support import NET, NOW, OTHER, Member, Served, new_engine, served


@pytest.fixture
def directory(tmp_path: Path) -> Served:
    return served(tmp_path)


def post(directory: Served, statement: Statement) -> tuple[int, dict[str, object]]:
    answer = directory.client.post(
        "/log/statements", data=statement.render(), content_type="application/json"
    )
    content = answer.get_json()
    assert isinstance(content, dict)
    return answer.status_code, content


def leaves(directory: Served, query: str = "") -> tuple[bytes, ...]:
    answer = directory.client.get(f"/log/leaves{query}")
    assert answer.status_code == 200
    assert answer.content_type == "application/octet-stream"
    return split_leaves(answer.data)


def test_an_organisation_cannot_admit_itself_over_the_network(directory: Served) -> None:
    status, answer = post(directory, Member.new().statements[0])
    assert (status, answer["code"]) == (403, "org_needs_operator")
    assert leaves(directory) == ()


def test_a_device_tops_up_its_keys_over_the_network(directory: Served) -> None:
    member = Member.new()
    directory.runtime.log.append_all(member.statements)
    more = member.more_keys(member.heading.following(member.statements[2], iat=NOW))
    assert post(directory, more) == (201, {"index": 3})
    assert post(directory, more) == (200, {"index": 3})
    assert [decode_leaf(leaf).statement for leaf in leaves(directory)] == [
        *member.statements,
        more,
    ]


def test_a_mirror_that_folds_the_leaves_holds_the_same_register(directory: Served) -> None:
    directory.runtime.log.append_all(Member.new().statements)
    directory.runtime.log.append_all(Member.new(OTHER).statements)
    mirror = Register(NET)
    for leaf in leaves(directory):
        mirror.apply(decode_leaf(leaf))
    assert mirror.organisations == directory.runtime.log.register().organisations
    assert len(mirror.organisations) == 2


def test_a_gap_in_the_chain_is_a_conflict_and_adds_nothing(directory: Served) -> None:
    member = Member.new()
    directory.runtime.log.append_all(member.statements)
    following = member.heading.following(member.statements[2], iat=NOW)
    status, answer = post(directory, member.more_keys(replace(following, seq=following.seq + 1)))
    assert (status, answer["code"]) == (409, "gap_in_seq")
    status, answer = post(directory, member.more_keys(replace(following, prev="1" * 64)))
    assert (status, answer["code"]) == (409, "chain_broken")
    assert len(leaves(directory)) == 3


def test_a_statement_of_another_network_or_with_another_signature_is_refused(
    directory: Served,
) -> None:
    member, stranger = Member.new(), Member.new(OTHER)
    directory.runtime.log.append_all(member.statements)
    heading = member.heading.following(member.statements[2], iat=NOW)
    other_net = member.more_keys(replace(heading, net="demo.other"))
    assert post(directory, other_net)[0] == 422
    forged = stranger.more_keys(heading)
    assert post(directory, forged)[0] == 422
    good = member.more_keys(heading)
    altered = Statement(good.body.replace(b'"keys"', b'"keyz"', 1), good.signatures)
    assert post(directory, altered)[0] in (400, 422)
    assert len(leaves(directory)) == 3


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"b":"canary","sigs":[]}', b"\xff"])
def test_bytes_that_are_no_statement_are_refused_and_not_quoted(
    directory: Served, body: bytes
) -> None:
    answer = directory.client.post("/log/statements", data=body, content_type="application/json")
    assert answer.status_code == 400
    assert b"canary" not in answer.data


def test_a_statement_larger_than_any_is_refused_unread(directory: Served) -> None:
    answer = directory.client.post("/log/statements", data=b" " * 17_000)
    assert answer.status_code == 413


def test_leaves_are_served_by_range(directory: Served) -> None:
    directory.runtime.log.append_all(Member.new().statements)
    everything = leaves(directory)
    assert leaves(directory, "?from=1&to=2") == everything[1:2]
    assert leaves(directory, "?from=2") == everything[2:]
    assert leaves(directory, "?from=3&to=1000000") == ()
    assert leaves(directory, "?from=2&to=1") == ()


@pytest.mark.parametrize("query", ["from=-1", "to=x", "from=9999999999999999999", "from=%D9%A1"])
def test_a_range_that_is_no_number_is_refused(directory: Served, query: str) -> None:
    assert directory.client.get(f"/log/leaves?{query}").status_code == 422


def test_an_admission_with_one_bad_statement_admits_nothing(directory: Served) -> None:
    member = Member.new()
    log = directory.runtime.log
    org, device, _ = member.statements
    with pytest.raises(Refused):
        log.append_all([org, device, device, Member.new(OTHER).statements[1]])
    assert log.register().organisations == ()
    assert leaves(directory) == ()
    assert [one.new for one in log.append_all(member.statements)] == [True, True, True]
    assert log.append(org) == Appended(0, new=False)


def test_the_logs_time_never_falls(tmp_path: Path) -> None:
    engine = new_engine(tmp_path)
    ahead = StatementLog(engine, net=NET, clock=lambda: NOW + 100)
    behind = StatementLog(engine, net=NET, clock=lambda: NOW)
    ahead.append_all(Member.new().statements)
    behind.append_all(Member.new(OTHER).statements)
    times = [decode_leaf(leaf).t for leaf in behind.leaves(0, 10)]
    assert times == [NOW + 100] * 6


def test_an_admission_file_is_read_strictly() -> None:
    member = Member.new()
    carried = [parse_json(one.render(), limit=10_000) for one in member.statements]
    data = dump_json({"statements": carried})
    assert read_admission(data) == member.statements
    for bad in (b"{}", b'{"statements":[]}', b'{"statements":[1]}', data[:-1]):
        with pytest.raises(Malformed):
            read_admission(bad)
    extra = json.loads(data) | {"more": 1}
    with pytest.raises(Malformed):
        read_admission(json.dumps(extra).encode())
