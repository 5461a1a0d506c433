"""c2sp.org/tlog-witness, its answers one by one, and the form of what is signed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from contracts.checkpoints import cosign, sign_checkpoint
from contracts.encoding import b64encode
from contracts.notes import NoteSignature, parse_note, parse_signatures, render_note
from contracts.signing import verify_bytes
from tests.unit.contracts.authors import NOW, signing_key
from tests.unit.directory.witness.logs import WITNESS, Asked, Log, World, code_of, with_lines

# The log holds 7 leaves, of which the witness has signed 4.
KEPT = 4
Body = Callable[[Log], bytes]


@pytest.fixture
def asked(witness: Asked, log: Log) -> Asked:
    log.write(KEPT)
    witness.sign(log)
    log.write(3)
    return witness


def _head(line: str) -> Body:
    """The good request with another first line."""
    return lambda log: line.encode() + log.request(KEPT).removeprefix(b"old 4\n")


def _without_signature(log: Log) -> bytes:
    return log.request(KEPT).rpartition(b"\n\n")[0] + b"\n\n"


def _with_extension(log: Log) -> bytes:
    return log.request(KEPT).replace(b"\n\n\xe2", b"\nextension\n\n\xe2", 1)


def _proof_of_64(log: Log) -> bytes:
    return log.request(KEPT, proof=[bytes(32)] * 64)


MALFORMED: dict[str, Body] = {
    "nothing": lambda _: b"",
    "text": lambda _: b"old\n",
    "no old line": lambda log: log.request(KEPT).removeprefix(b"old 4\n"),
    "old with a zero before it": _head("old 04\n"),
    "old negative": _head("old -4\n"),
    "old with two spaces": _head("old  4\n"),
    "old in Bangla digits": _head("old ৪\n"),
    "old with a carriage return": _head("old 4\r\n"),
    "old of 400 digits": _head("old " + "9" * 400 + "\n"),
    "old above the size": lambda log: log.request(8, 7, proof=()),
    "a proof line that is no hash": _head("old 4\nAAAA\n"),
    "64 proof lines": _proof_of_64,
    "no signature": _without_signature,
    "an extension line": _with_extension,
    "a body that ends early": lambda log: log.request(KEPT)[:-1],
    "bytes that are no text": lambda log: log.request(KEPT).replace(b"old", b"\xff\xfe\xfd"),
}


@pytest.mark.parametrize("broken", MALFORMED)
def test_400_where_the_request_has_not_the_form(asked: Asked, log: Log, broken: str) -> None:
    answer = asked.ask(MALFORMED[broken](log))
    assert (answer.status_code, code_of(answer)) == (400, "malformed")


def test_404_where_the_origin_is_unknown(asked: Asked, world: World) -> None:
    other = Log("demo.unknown.example", world.directory_clock, world.log.key)
    other.write(2)
    answer = asked.ask(other.request(0))
    assert (answer.status_code, code_of(answer)) == (404, "unknown_origin")


def test_403_where_the_log_did_not_sign(asked: Asked, log: Log) -> None:
    stranger = log.note(key=signing_key("stranger"))
    answer = asked.ask(log.request(KEPT, note=stranger))
    assert (answer.status_code, code_of(answer)) == (403, "not_signed")


def test_403_where_the_signature_is_over_another_text(asked: Asked, log: Log) -> None:
    note = log.note(6)
    forged = log.request(KEPT).replace(log.note().text, note.text)
    assert asked.ask(forged).status_code == 403


def test_403_comes_before_a_size_is_told(asked: Asked, log: Log) -> None:
    stranger = log.note(key=signing_key("stranger"))
    assert asked.ask(log.request(0, note=stranger)).status_code == 403


@pytest.mark.parametrize("old", [0, 3, 5, 7])
def test_409_with_the_size_where_old_is_another(asked: Asked, log: Log, old: int) -> None:
    answer = asked.ask(log.request(old))
    assert answer.status_code == 409
    assert answer.headers["Content-Type"] == "text/x.tlog.size"
    assert answer.data == b"4\n"


def test_409_where_the_size_is_the_same_and_the_root_is_not(asked: Asked, log: Log) -> None:
    fork = log.fork(KEPT - 1)
    fork.write(says="another past")
    answer = asked.ask(fork.request(KEPT))
    assert (answer.status_code, answer.data) == (409, b"4\n")
    assert answer.headers["Content-Type"] == "text/x.tlog.size"


@pytest.mark.parametrize("proof", [(), (bytes(32),), (bytes(32),) * 2, (bytes(32),) * 63], ids=len)
def test_422_where_the_proof_is_bad(asked: Asked, log: Log, proof: tuple[bytes, ...]) -> None:
    answer = asked.ask(log.request(KEPT, proof=proof))
    assert (answer.status_code, code_of(answer)) == (422, "bad_proof")


def test_422_where_a_proof_is_given_from_nothing(witness: Asked, log: Log) -> None:
    log.write(3)
    assert witness.ask(log.request(0, proof=[bytes(32)])).status_code == 422


def test_a_bad_proof_from_a_stranger_stops_nothing(asked: Asked, log: Log) -> None:
    asked.ask(log.request(KEPT, proof=[bytes(32)]))
    asked.ask(log.request(0))
    asked.sign(log)


def test_200_with_one_cosignature_line(asked: Asked, log: Log, world: World) -> None:
    answer = asked.ask(log.request(KEPT))
    assert asked.time_in(answer, log.note()) == world.clock()
    assert answer.data.startswith(f"— {WITNESS} ".encode())
    assert answer.data.endswith(b"\n")
    assert answer.data.count(b"\n") == 1


def test_what_is_signed_is_the_specification_s_bytes(asked: Asked, log: Log) -> None:
    (line,) = parse_signatures(asked.ask(log.request(KEPT)).data)
    root = b64encode(log.tree.root())
    text = f"cosignature/v1\ntime {NOW}\n{log.net}\n7\n{root}\n"
    assert line.value[:8] == NOW.to_bytes(8, "big")
    verify_bytes(asked.vkey.public, line.value[8:], text.encode())


def test_the_same_checkpoint_is_signed_again_with_a_later_time(
    asked: Asked, log: Log, world: World
) -> None:
    first = asked.sign(log)
    world.pass_time(3600)
    assert asked.sign(log) == first + 3600


def test_the_first_tree_may_be_empty(witness: Asked, log: Log) -> None:
    assert witness.sign(log) == NOW
    log.write(2)
    witness.sign(log)


def test_signatures_by_others_are_passed_over(asked: Asked, log: Log) -> None:
    stranger = sign_checkpoint(log.checkpoint(), signing_key("stranger"))
    witness = cosign(log.note().text, name="other.example", key=signing_key("other"), at=NOW)
    strange = NoteSignature("post-quantum.example", b"\x06abc", bytes(2428))
    note = with_lines(log.note(), stranger, witness, strange)
    answer = asked.ask(log.request(KEPT, note=note))
    asked.time_in(answer, log.note())
    kept = parse_note(asked.client.get(f"/log/checkpoint?origin={log.net}").data)
    assert [one.name for one in kept.signatures] == [log.net, WITNESS]


def test_the_newest_note_is_given_to_whoever_asks(asked: Asked, log: Log) -> None:
    answer = asked.client.get("/log/checkpoint", query_string={"origin": log.net})
    note = parse_note(answer.data)
    assert render_note(note) == answer.data
    assert note.text == log.note(KEPT).text
    asked.sign(log)
    answer = asked.client.get("/log/checkpoint", query_string={"origin": log.net})
    assert parse_note(answer.data).text == log.note().text


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
def test_only_post_asks_for_a_signature(asked: Asked, method: str) -> None:
    assert asked.client.open("/add-checkpoint", method=method).status_code == 405


def test_a_request_larger_than_any_right_one_is_refused(asked: Asked) -> None:
    assert asked.ask(b"old 4\n" + bytes(200_000)).status_code == 413


def test_every_answer_has_the_security_headers(asked: Asked, log: Log) -> None:
    for answer in (asked.ask(log.request(KEPT)), asked.ask(b""), asked.client.get("/nowhere")):
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
