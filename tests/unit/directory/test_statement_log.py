"""The statement log over HTTP: what it takes, what it refuses, and that it never half-takes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.drafting import vouch_statement
from contracts.encoding import dump_json, parse_json
from contracts.errors import Malformed, Refused
from contracts.log import decode_leaf, split_leaves
from contracts.quorum import accept_checkpoint
from contracts.register import Register
from contracts.root import parse_root
from contracts.statements import Statement
from contracts.tree import Tree
from directory.statements import Appended, LogShrank, read_admission
from tests.unit.directory.support import (
    NET,
    NOW,
    OTHER,
    Member,
    Served,
    admission,
    admit,
    new_engine,
    new_log,
    served,
)
from tests.vouching import COORDINATORS, demo_root


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Served]:
    running = served(tmp_path)
    yield running
    running.close()


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


def test_an_organisation_is_admitted_over_the_network_once_two_have_vouched(
    directory: Served,
) -> None:
    member = Member.new()
    status, answer = post(directory, member.statements[0])
    assert (status, answer["code"]) == (422, "not_vouched_for")
    one, other, *rest = admission(directory.runtime.log.register(), member)
    assert post(directory, one)[0] == 201
    status, answer = post(directory, member.statements[0])
    assert (status, answer["code"]) == (422, "not_vouched_for")
    assert [post(directory, statement)[0] for statement in (other, *rest)] == [201] * 4
    assert [found.id for found in directory.runtime.log.register().organisations] == [member.org]


def test_two_vouches_of_one_country_are_one(directory: Served) -> None:
    member = Member.new()
    by = COORDINATORS[0]
    for _ in range(2):
        heading = directory.runtime.log.register().next_heading(by.id, iat=NOW, org=member.org)
        post(directory, vouch_statement(heading, by.key, of=member.statements[0].hash))
    assert post(directory, member.statements[0])[0] == 422


def test_a_device_tops_up_its_keys_over_the_network(directory: Served) -> None:
    member = Member.new()
    admitted = admission(directory.runtime.log.register(), member)
    directory.runtime.log.append_all(admitted)
    more = member.more_keys(member.heading.following(member.statements[2], iat=NOW))
    assert post(directory, more) == (201, {"index": 5})
    assert post(directory, more) == (200, {"index": 5})
    assert [decode_leaf(leaf).statement for leaf in leaves(directory)] == [*admitted, more]


def test_a_mirror_that_folds_the_leaves_holds_the_same_register(directory: Served) -> None:
    admit(directory.runtime.log, Member.new())
    admit(directory.runtime.log, Member.new(OTHER))
    mirror = Register(parse_root(demo_root(net=NET)))
    for leaf in leaves(directory):
        mirror.apply(decode_leaf(leaf))
    assert mirror.organisations == directory.runtime.log.register().organisations
    assert len(mirror.organisations) == 2


def test_a_statement_is_covered_by_a_checkpoint_when_its_post_is_answered(
    directory: Served,
) -> None:
    root, tree = directory.runtime.root, Tree()
    for statement in admission(directory.runtime.log.register(), Member.new()):
        assert post(directory, statement)[0] == 201
        answer = directory.client.get("/log/checkpoint")
        assert answer.content_type == "text/plain; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-cache"
        checkpoint = accept_checkpoint(answer.data, root).checkpoint
        tree = directory.runtime.log.known().tree
        assert (checkpoint.size, checkpoint.root) == (tree.size, tree.root())
    assert tree.size == 5


def test_an_empty_log_has_a_checkpoint_too(directory: Served) -> None:
    answer = directory.client.get("/log/checkpoint")
    assert accept_checkpoint(answer.data, directory.runtime.root).checkpoint.size == 0


def test_a_gap_in_the_chain_is_a_conflict_and_adds_nothing(directory: Served) -> None:
    member = Member.new()
    admit(directory.runtime.log, member)
    following = member.heading.following(member.statements[2], iat=NOW)
    status, answer = post(directory, member.more_keys(replace(following, seq=following.seq + 1)))
    assert (status, answer["code"]) == (409, "gap_in_seq")
    status, answer = post(directory, member.more_keys(replace(following, prev="1" * 64)))
    assert (status, answer["code"]) == (409, "chain_broken")
    assert len(leaves(directory)) == 5


def test_a_statement_of_another_network_or_with_another_signature_is_refused(
    directory: Served,
) -> None:
    member, stranger = Member.new(), Member.new(OTHER)
    admit(directory.runtime.log, member)
    heading = member.heading.following(member.statements[2], iat=NOW)
    other_net = member.more_keys(replace(heading, net="demo.other"))
    assert post(directory, other_net)[0] == 422
    forged = stranger.more_keys(heading)
    assert post(directory, forged)[0] == 422
    good = member.more_keys(heading)
    altered = Statement(good.body.replace(b'"keys"', b'"keyz"', 1), good.signatures)
    assert post(directory, altered)[0] in (400, 422)
    assert len(leaves(directory)) == 5


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


def test_leaves_are_served_by_range_covered_or_not(directory: Served) -> None:
    admit(directory.runtime.log, Member.new())
    everything = leaves(directory)
    assert len(everything) == 5
    assert leaves(directory, "?from=1&to=2") == everything[1:2]
    assert leaves(directory, "?from=2") == everything[2:]
    assert leaves(directory, "?from=5&to=1000000") == ()
    assert leaves(directory, "?from=2&to=1") == ()


@pytest.mark.parametrize("query", ["from=-1", "to=x", "from=9999999999999999999", "from=%D9%A1"])
def test_a_range_that_is_no_number_is_refused(directory: Served, query: str) -> None:
    assert directory.client.get(f"/log/leaves?{query}").status_code == 422


def test_an_admission_with_one_bad_statement_admits_nothing(directory: Served) -> None:
    member, log = Member.new(), directory.runtime.log
    admitted = admission(log.register(), member)
    with pytest.raises(Refused):
        log.append_all([*admitted, Member.new(OTHER).statements[1]])
    assert log.register().organisations == ()
    assert leaves(directory) == ()
    assert [one.new for one in log.append_all(admitted)] == [True] * 5
    assert log.append(member.statements[0]) == Appended(2, new=False)


def test_the_logs_time_never_falls(tmp_path: Path) -> None:
    engine = new_engine(tmp_path)
    ahead, behind = new_log(engine, now=NOW + 100), new_log(engine)
    admit(ahead, Member.new())
    admit(behind, Member.new(OTHER))
    times = [decode_leaf(leaf).t for leaf in behind.leaves(0, 10)]
    assert times == [NOW + 100] * 10
    engine.dispose()


def test_a_database_replaced_under_a_running_process_stops_it(tmp_path: Path) -> None:
    engine = new_engine(tmp_path)
    log = new_log(engine)
    admit(log, Member.new())
    assert log.known().size == 5
    with engine.begin() as connection:
        connection.exec_driver_sql('DELETE FROM statement_leaf WHERE "index" = 4')
    with pytest.raises(LogShrank):
        log.known()
    with pytest.raises(LogShrank):
        admit(log, Member.new(OTHER))
    engine.dispose()


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
