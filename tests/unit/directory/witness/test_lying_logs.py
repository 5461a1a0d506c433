"""A log that lies to a witness: about its past, its leaves, its time, its key."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from contracts.contents import read_content
from contracts.drafting import root_statement
from contracts.identifiers import OrgId
from contracts.log import Leaf, encode_leaf, join_leaves, split_leaves
from contracts.notes import parse_note, render_note
from contracts.root import make_root, parse_root
from contracts.statements import first_heading, parse_statement
from directory.witness.rules import GIVEN_AGAIN
from tests.unit.contracts.authors import NOW, Author, signing_key
from tests.unit.directory.witness.logs import Asked, Log, World, code_of, with_lines
from tests.vouching import COORDINATORS, listed

TIME_2100 = 4_102_444_800


def stopped(witness: Asked, log: Log) -> str | None:
    """Why the log is stopped, if it is; then every further request is refused, honest or not."""
    stops = [stop.code for stop in witness.store.stops() if stop.net == log.net]
    answer = witness.ask(log.request(witness.store.kept(log.net).size))
    assert (answer.status_code == 503 and code_of(answer) == "stopped") == bool(stops)
    return stops[0] if stops else None


def refused(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, code_of(answer)


def test_a_second_root_for_a_size_is_refused_for_ever_and_both_notes_are_kept(
    witness: Asked, log: Log, world: World
) -> None:
    log.write(4)
    witness.sign(log)
    fork = log.fork(3)
    fork.write(says="another past")
    world.directories.serve(fork)
    assert witness.ask(fork.request(4)).status_code == 409
    (stop,) = witness.store.stops()
    assert stop.code == "other_root"
    assert stop.kept_note is not None
    assert parse_note(stop.kept_note).text == log.note().text
    assert stop.other_note == render_note(fork.note())
    assert stopped(witness, log) == "other_root"
    for restarted in (witness, world.witness()):
        restarted.store.resolve(log.net, at=NOW)
        assert restarted.ask(fork.request(4)).status_code == 409
        assert stopped(restarted, log) == "other_root"


def test_a_fork_with_a_valid_proof_of_its_own_is_refused(
    witness: Asked, log: Log, world: World
) -> None:
    """The log proves that its fork continues its fork, and says the witness had signed that."""
    log.write(4)
    witness.sign(log)
    fork = log.fork(2)
    fork.write(2, says="another past")
    fork.write(3)
    world.directories.serve(fork)
    assert refused(witness.ask(fork.request(4))) == (422, "bad_proof")
    assert witness.store.kept(log.net).root == log.tree.root()


def test_a_rollback_is_answered_with_the_size(witness: Asked, log: Log) -> None:
    log.write(5)
    witness.sign(log)
    for old in (0, 3):
        answer = witness.ask(log.request(old, 3))
        assert (answer.status_code, answer.data) == (409, b"5\n")
    assert stopped(witness, log) is None


def test_a_smaller_tree_of_another_past_is_an_alarm(witness: Asked, log: Log) -> None:
    log.write(5)
    witness.sign(log)
    fork = log.fork(2)
    fork.write(says="another past")
    answer = witness.ask(fork.request(0))
    assert (answer.status_code, answer.data) == (409, b"5\n")
    assert stopped(witness, log) == "other_root"


def test_leaves_withheld_get_no_signature_and_no_alarm(
    witness: Asked, log: Log, world: World
) -> None:
    log.write(4)
    honest = log.fork(4)
    world.directories.serve(log.fork(3))
    assert refused(witness.ask(log.request(0))) == (503, "leaves_missing")
    world.directories.away = True
    answer = witness.ask(log.request(0))
    assert refused(answer) == (503, "directory_away")
    assert answer.headers["Retry-After"]
    world.directories.away = False
    world.directories.serve(honest)
    witness.sign(log)


def test_leaves_are_taken_however_few_come_at_once(witness: Asked, log: Log, world: World) -> None:
    log.write(9)
    world.directories.at_most = 2
    witness.sign(log)


def test_other_leaves_than_the_log_signed_are_an_alarm(
    witness: Asked, log: Log, world: World
) -> None:
    log.write(4)
    witness.sign(log)
    log.write(2)
    other = log.fork(4)
    other.write(2, says="shown to witnesses only")
    world.directories.serve(other)
    assert refused(witness.ask(log.request(4))) == (422, "other_leaves")
    assert stopped(witness, log) == "other_leaves"
    assert witness.store.kept(log.net).size == 4


@pytest.mark.parametrize("data", [b"", b"not a leaf", bytes(24), b"\xff" * 40])
def test_a_malformed_leaf_is_an_alarm(witness: Asked, log: Log, data: bytes) -> None:
    log.write(2)
    witness.sign(log)
    log.put(data)
    assert refused(witness.ask(log.request(2))) == (422, "malformed_leaf")
    assert stopped(witness, log) == "malformed_leaf"


def test_a_leaf_of_another_statement_form_is_signed_like_any_other(
    witness: Asked, log: Log
) -> None:
    """Whether a statement breaks a rule is no witness's business: clients pass it over."""
    author = Author(org=OrgId("my-0000000000000001"), net=log.net)
    for statement in author.admission():
        log.put(encode_leaf(Leaf(statement, NOW)))
    log.write(1, says="")
    witness.sign(log)


def test_a_time_that_falls_is_an_alarm(witness: Asked, log: Log) -> None:
    log.write(2)
    witness.sign(log)
    log.write(t=NOW + 5)
    log.write(t=NOW + 4)
    assert refused(witness.ask(log.request(2))) == (422, "time_fell")
    assert stopped(witness, log) == "time_fell"


def test_a_time_that_falls_behind_what_was_signed_before_is_an_alarm(
    witness: Asked, log: Log, world: World
) -> None:
    log.write(2, t=NOW + 100)
    witness.sign(log)
    log.write(t=NOW + 99)
    assert refused(world.witness().ask(log.request(2))) == (422, "time_fell")


@pytest.mark.parametrize("ahead", [601, TIME_2100 - NOW])
def test_a_leaf_from_the_future_waits_for_its_time(
    witness: Asked, log: Log, world: World, ahead: int
) -> None:
    """Our own clock may be behind, so it is no alarm; nothing is signed meanwhile."""
    log.write(t=NOW + ahead)
    assert refused(witness.ask(log.request(0))) == (422, "time_ahead")
    assert stopped(witness, log) is None
    world.pass_time(ahead - 600)
    witness.sign(log)


def test_a_leaf_600_seconds_ahead_is_signed(witness: Asked, log: Log) -> None:
    log.write(t=NOW + 600)
    witness.sign(log)


@pytest.mark.parametrize(("before", "alarm"), [(600, None), (601, "time_behind")])
def test_a_leaf_dated_back_before_the_last_cosignature_is_an_alarm(
    witness: Asked, log: Log, before: int, alarm: str | None
) -> None:
    log.write(t=NOW - 3600)
    witness.sign(log)
    log.write(t=NOW - before)
    answer = witness.ask(log.request(1))
    assert answer.status_code == (200 if alarm is None else 422)
    assert stopped(witness, log) == alarm


def test_an_old_log_can_be_followed_from_its_beginning(witness: Asked, log: Log) -> None:
    log.write(3, t=NOW - 10_000_000)
    assert witness.sign(log) == NOW


def test_a_leaf_that_waits_cannot_be_overtaken_by_repeating_a_checkpoint(
    witness: Asked, log: Log, world: World
) -> None:
    """A stranger repeats the newest checkpoint while the directory is being repaired: if that
    moved our last cosignature on, the leaf that waits there could never be signed.
    """
    log.write(2)
    witness.sign(log)
    repeated = log.request(2)
    log.write(1)
    world.pass_time(300)
    assert witness.ask(repeated).status_code == 200
    world.pass_time(GIVEN_AGAIN)
    assert refused(witness.ask(repeated)) == (503, "leaf_waiting")
    world.directories.away = True
    world.pass_time(3600)
    assert refused(witness.ask(repeated)) == (503, "directory_away")
    world.directories.away = False
    assert refused(witness.ask(repeated)) == (503, "leaf_waiting")
    witness.sign(log)


def rotated(log: Log, key_name: str) -> Log:
    """The log after a root file, signed by the coordinators, that names another key of it."""
    version_1 = parse_root(log.root_file())
    file = make_root(
        net=log.net,
        log=signing_key(key_name).public,
        hubs=[],
        coordinators=listed(),
        version=version_1.version + 1,
    )
    heading = first_heading(net=log.net, by=COORDINATORS[0].id, iat=NOW)
    signers = [one.key for one in COORDINATORS[: version_1.majority]]
    statement = root_statement(heading, *signers, file=parse_statement(file).body)
    read_content(statement)
    log.put(encode_leaf(Leaf(statement, log.clock())))
    return log


@pytest.mark.parametrize("signed_by", ["the old key", "the new key", "both"])
def test_a_new_key_of_the_log_is_followed_through_its_root_file(
    witness: Asked, log: Log, world: World, signed_by: str
) -> None:
    log.write(2)
    witness.sign(log)
    rotated(log, "second key")
    old, new = log.note(), log.note(key=signing_key("second key"))
    both = with_lines(old, *new.signatures)
    note = {"the old key": old, "the new key": new, "both": both}[signed_by]
    witness.time_in(witness.ask(log.request(2, note=note)), log.note())
    for restarted in (witness, world.witness()):
        assert refused(restarted.ask(log.request(3, note=old))) == (403, "not_signed")
        restarted.time_in(restarted.ask(log.request(3, note=new)), log.note())


def test_a_key_in_no_root_file_is_not_followed(witness: Asked, log: Log) -> None:
    log.write(2)
    witness.sign(log)
    log.write(2)
    stranger = log.note(key=signing_key("second key"))
    assert refused(witness.ask(log.request(2, note=stranger))) == (403, "not_signed")
    assert stopped(witness, log) is None


def test_a_stranger_with_a_key_of_his_own_raises_no_alarm(witness: Asked, log: Log) -> None:
    log.write(2)
    witness.sign(log)
    fork = log.fork(1)
    fork.write(says="another past")
    fork.write(3)
    fork.key = signing_key("stranger")
    for body in (fork.request(2), fork.request(2, 2), fork.request(0, 1)):
        assert refused(witness.ask(body)) == (403, "not_signed")
    assert stopped(witness, log) is None


def test_several_logs_do_not_mix(tmp_path: Path) -> None:
    world = World(tmp_path, "demo.a.example", "demo.b.example", "demo.b.example/other")
    witness = world.witness()
    for count, log in enumerate(world.logs, start=1):
        log.write(count)
        witness.sign(log)
    first, second, _ = world.logs
    forged = Log(second.net, world.directory_clock, first.key)
    forged.write(4)
    assert refused(witness.ask(forged.request(2))) == (403, "not_signed")
    fork = first.fork(0)
    fork.write(says="another past")
    assert witness.ask(fork.request(1)).status_code == 409
    assert stopped(witness, first) == "other_root"
    assert stopped(witness, second) is None
    for log in world.logs:
        query = {"origin": log.net, "from": "0", "to": "10"}
        given = witness.client.get("/log/leaves", query_string=query)
        assert split_leaves(given.data) == tuple(log.leaves)
    assert witness.client.get("/healthz").get_json() == {
        "status": "stopped",
        "logs": 3,
        "stopped": 1,
    }
    world.close()


def test_a_directory_put_back_from_a_backup_refills_from_the_witness(
    witness: Asked, log: Log, world: World
) -> None:
    log.write(7)
    witness.sign(log)
    restored = log.fork(4)
    query = {"origin": log.net, "from": str(restored.size), "to": "1000"}
    for data in split_leaves(witness.client.get("/log/leaves", query_string=query).data):
        restored.put(data)
    note = parse_note(witness.client.get(f"/log/checkpoint?origin={log.net}").data)
    assert note.text == restored.note().text
    restored.write(1)
    world.directories.serve(restored)
    witness.sign(restored)


def test_leaves_that_are_not_signed_yet_are_not_given(witness: Asked, log: Log) -> None:
    log.write(3)
    witness.sign(log)
    log.write(2)
    witness.ask(log.request(3, proof=[bytes(32)]))
    given = witness.client.get("/log/leaves", query_string={"origin": log.net})
    assert given.data == join_leaves(log.leaves[:3])


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 404),
        ({"origin": "demo.unknown.example"}, 404),
        ({"origin": "demo.a.example", "from": "-1"}, 422),
        ({"origin": "demo.a.example", "to": "x"}, 422),
        ({"origin": "demo.a.example", "from": "9" * 16}, 422),
        ({"origin": "demo.a.example", "from": "5", "to": "3"}, 200),
    ],
)
def test_strange_questions_for_leaves(witness: Asked, query: dict[str, str], status: int) -> None:
    assert witness.client.get("/log/leaves", query_string=query).status_code == status
    assert witness.client.get("/log/checkpoint", query_string=query).status_code == 404


def test_a_witness_put_back_from_an_old_backup_catches_up_and_signs_no_fork(
    world: World, log: Log, witness: Asked
) -> None:
    """Its key lies elsewhere, and beside it the mark of what it has signed."""
    log.write(3)
    witness.sign(log)
    _back_up(world, witness)
    log.write(4)
    witness.sign(log)
    restored = _put_back(world)
    answer = restored.ask(log.request(7))
    assert (answer.status_code, answer.data) == (409, b"3\n")
    assert refused(restored.ask(log.request(3, 5))) == (503, "behind_mark")
    fork = log.fork(5)
    fork.write(3, says="another past")
    world.directories.serve(fork)
    assert refused(restored.ask(fork.request(3))) == (422, "other_past")
    assert stopped(restored, log) == "other_past"
    restored.store.resolve(log.net, at=NOW)
    world.directories.serve(log)
    restored.sign(log)


def test_a_witness_that_lost_its_database_signs_no_fork(
    world: World, log: Log, witness: Asked
) -> None:
    log.write(3)
    witness.sign(log)
    witness.engine.dispose()
    for file in world.folder.glob("witness.db*"):
        file.unlink()
    fork = log.fork(2)
    fork.write(2, says="another past")
    world.directories.serve(fork)
    assert refused(world.witness().ask(fork.request(0))) == (422, "other_past")


def test_backup_of_database_key_and_mark_alike_is_the_limit_that_is_said(
    world: World, log: Log, witness: Asked
) -> None:
    """What cannot be prevented, so that nobody believes it is: all three from one old backup."""
    log.write(3)
    witness.sign(log)
    _back_up(world, witness)
    marks = world.folder / "witness.key.signed"
    shutil.copytree(marks, world.folder / "old marks")
    log.write(1)
    witness.sign(log)
    restored = _put_back(world)
    shutil.rmtree(marks)
    shutil.copytree(world.folder / "old marks", marks)
    fork = log.fork(3)
    fork.write(says="another past")
    world.directories.serve(fork)
    restored.sign(fork)


def _back_up(world: World, witness: Asked) -> None:
    witness.engine.dispose()
    shutil.copy(world.database, world.folder / "backup")


def _put_back(world: World) -> Asked:
    world.close()
    for file in world.folder.glob("witness.db*"):
        file.unlink()
    shutil.copy(world.folder / "backup", world.database)
    return world.witness()
