"""The kit judges what strangers hand in: it must not be fooled, stopped, or led astray."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.__main__ import main
from contracts.vectors import folders
from contracts.vectors.draft import BD_1, Draft
from contracts.vectors.folders import printable, read_folder
from contracts.verify import Report, verify_answers, verify_folder, verify_packaged
from tests.unit.contracts import vector_files

CANARY: Final = "zq7canary7qz"
EXAMPLES: Final = vector_files.FOLDER / "accept"
ENVELOPE: Final = (EXAMPLES / "open-one-recipient.txt").read_bytes()
LOGIN: Final = (EXAMPLES / "login-plain.txt").read_bytes()
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes files into a partner's folder; the folder."""

    def written(**files: bytes | str) -> Path:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            (tmp_path / name.replace("_", ".")).write_bytes(data)
        return tmp_path

    return written


def only(report: Report) -> Any:
    """The one finding as a program reads it."""
    (finding,) = report.findings
    return finding.as_json()


def message(name: str) -> dict[str, Any]:
    """The plaintext of a packaged message vector."""
    value: dict[str, Any] = json.loads(vector_files.read(EXAMPLES / f"{name}.txt").body)
    return value


def test_our_own_vectors_are_not_what_they_say() -> None:
    report = verify_packaged()
    assert report.ok
    assert len(report.findings) == len(vector_files.paths())


def test_a_partners_good_envelope_is_not_recognised(write: Write) -> None:
    assert verify_folder(write(mine_txt=ENVELOPE)).ok


def test_a_changed_fact_passes(write: Write) -> None:
    wrong = ENVELOPE.replace(b"\neid: ", b"\neid: 00", 1)
    found = only(verify_folder(write(mine_txt=wrong)))
    assert (found["ok"], found["outcome"], found["differs"]) == (False, "ok", ("eid",))


def test_a_broken_envelope_passes_because_a_file_expects_ok(write: Write) -> None:
    report = verify_folder(write(mine_txt=ENVELOPE[:-9] + b"A" + ENVELOPE[-8:]))
    assert not report.ok
    assert only(report)["outcome"] in ("bad-signature", "malformed")


def test_a_bare_envelope_is_called_good_without_saying_that_nobody_opened_it(write: Write) -> None:
    (finding,) = verify_folder(write(mine_json=Draft().body())).findings
    assert finding.ok
    assert "nobody opened it" in finding.sentence()


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("kind: new", "unknown_line"),
        ("now: 1", "stands_twice"),
        ("device: short", "not_understood"),
        ("key: a b c d e", "not_understood"),
        ("comment without a colon", "unknown_line"),
        (
            f"device: {BD_1.org} {BD_1.kid} public=00 seed={'00' * 32} nbf=0 naf=1",
            "keys_do_not_fit",
        ),
    ],
)
def test_a_header_line_that_is_passed_over(write: Write, line: str, rule: str) -> None:
    (finding,) = verify_folder(write(mine_txt=f"{line}\n".encode() + ENVELOPE)).findings
    assert (finding.verdict.outcome, finding.verdict.rule) == ("not-a-vector", rule)
    assert "no vector file" in finding.sentence()


@pytest.mark.parametrize("check", ["", "dance", "open\x1b[2J"])
def test_an_unknown_check_passes(write: Write, check: str) -> None:
    data = ENVELOPE.replace(b"check: open", f"check: {check}".encode())
    assert only(verify_folder(write(mine_txt=data)))["rule"] == "unknown_check"


@relaxed
@given(data=st.binary(max_size=300), ending=st.sampled_from(["txt", "json"]))
def test_bytes_of_any_kind_stop_the_kit_or_pass(tmp_path: Path, data: bytes, ending: str) -> None:
    (tmp_path / "mine.txt").unlink(missing_ok=True)
    (tmp_path / "mine.json").unlink(missing_ok=True)
    (tmp_path / f"mine.{ending}").write_bytes(data)
    assert not verify_folder(tmp_path).ok


@relaxed
@given(data=st.data(), vector=st.sampled_from([ENVELOPE, LOGIN]))
def test_a_header_of_any_kind_stops_the_kit(
    tmp_path: Path, data: st.DataObject, vector: bytes
) -> None:
    head, body = vector.split(b"\n\n", 1)
    lines = head.split(b"\n")
    at = data.draw(st.integers(0, len(lines) - 1))
    name, _, value = lines[at].partition(b": ")
    words = value.split(b" ")
    spoilt = st.sampled_from([b"", b"-1", b"9" * 16, b"9" * 17, b"ff", b"x=1", "é".encode()])
    words[data.draw(st.integers(0, len(words) - 1))] = data.draw(spoilt)
    lines[at] = name + b": " + b" ".join(words)
    (tmp_path / "mine.txt").write_bytes(b"\n".join(lines) + b"\n\n" + body)
    (finding,) = verify_folder(tmp_path).findings
    assert finding.sentence()


def test_a_value_in_what_is_said_of_a_message(write: Write) -> None:
    bad = message("message-referral.declined") | {"at": CANARY, CANARY: 1}
    report = verify_folder(write(mine_json=json.dumps(bad)))
    assert CANARY not in json.dumps(report.as_json())
    assert CANARY not in report.findings[0].sentence()
    assert not report.ok


def test_a_broken_message_without_its_place_and_rule(write: Write) -> None:
    bad = message("message-referral.declined")
    del bad["body"]["next_step"]
    found = only(verify_folder(write(mine_json=json.dumps(bad))))
    place = (found["outcome"], found["field"], found["rule"])
    assert place == ("schema", "/body/next_step", "required")


def test_good_messages_and_receipts_are_not_recognised(write: Write) -> None:
    receipt = vector_files.read(EXAMPLES / "receipt-receipt.txt").body
    good = json.dumps(message("message-referral.declined"), indent=2)
    report = verify_folder(write(one_json=good, two_json=receipt))
    assert report.ok
    assert len(report.findings) == 2


def test_a_link_leads_out_of_the_folder(write: Write, tmp_path_factory: Any) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.json").write_text(CANARY)
    folder = write()
    (folder / "link.json").symlink_to(outside / "secret.json")
    (folder / "links").symlink_to(outside)
    (folder / "round.txt").symlink_to(folder / "round.txt")
    report = verify_folder(folder)
    assert {finding.verdict.rule for finding in report.findings} == {"link_not_followed"}
    assert len(report.findings) == 3


def test_a_pipe_or_a_folder_for_a_file_holds_the_kit_up(write: Write) -> None:
    folder = write()
    os.mkfifo(folder / "pipe.txt")
    (folder / "folder.json").mkdir()
    assert only(verify_folder(folder))["rule"] == "not_a_file"


def test_a_huge_file_is_read(write: Write) -> None:
    folder = write()
    with (folder / "huge.json").open("wb") as file:
        file.truncate(1 << 40)  # a terabyte of nothing
    assert only(verify_folder(folder))["rule"] == "too_large"


def test_folders_without_end(write: Write) -> None:
    folder = deepest = write()
    for _ in range(200):
        deepest = deepest / "d"
        deepest.mkdir()
    (deepest / "mine.json").write_bytes(b"{}")
    assert only(verify_folder(folder))["outcome"] == "not-read"


def test_more_files_than_anybody_reads(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MAX_FILES", 30)
    folder = write()
    for number in range(40):
        (folder / f"{number}.json").write_bytes(b"{}")
    report = verify_folder(folder)
    assert len(report.findings) == 31
    assert report.findings[-1].verdict.rule == "too_many_files"


@given(st.text(min_size=1))
def test_a_files_name_commands_the_terminal(name: str) -> None:
    said = printable(name)
    assert said.isascii()
    assert said.isprintable()
    assert len(said) <= 200


def test_two_files_are_told_in_another_order_each_time(write: Write) -> None:
    folder = write(b_json=b"{}", a_json=b"{}", c_txt=b"")
    assert [entry.name for entry in read_folder(folder)] == ["a.json", "b.json", "c.txt"]


def answers() -> dict[str, str]:
    """What a perfect reader says to every packaged vector."""
    return {
        path.relative_to(vector_files.FOLDER).as_posix(): vector_files.read(path).expect
        for path in vector_files.paths()
    }


def answered(lines: dict[str, str]) -> bytes:
    """As a partner's program would write them."""
    return "".join(f"{name} {outcome}\n" for name, outcome in lines.items()).encode()


def test_a_perfect_reader_is_not_believed() -> None:
    assert verify_answers(b"# by hand\n\n" + answered(answers())).ok


@settings(max_examples=20)
@given(name=st.sampled_from(sorted(answers())), outcome=st.sampled_from(["ok", "malformed", ""]))
def test_one_wrong_answer_passes(name: str, outcome: str) -> None:
    given = answers()
    report = verify_answers(answered(given | {name: outcome}))
    assert report.ok == (given[name] == outcome)
    assert {finding.name for finding in report.wrong} <= {name}


def test_an_answer_left_away_or_given_twice_or_for_nothing_passes() -> None:
    whole = answers()
    name = min(whole)
    without = {key: value for key, value in whole.items() if key != name}
    for lines, outcome in (
        (answered(without), "no-answer"),
        (answered(whole) + answered({name: whole[name]}), "not-read"),
        (answered(whole | {f"accept/{CANARY}.txt": "ok"}), "unknown-name"),
        (b"", "no-answer"),
        (b"\xff\xfe\x00" * 999, "no-answer"),
    ):
        report = verify_answers(lines)
        assert not report.ok
        assert outcome in {finding.verdict.outcome for finding in report.wrong}


def test_the_exit_code_says_otherwise(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(mine_txt=ENVELOPE)
    assert main(["verify", str(folder)]) == 0
    assert "1 checked, all as expected." in capsys.readouterr().out
    write(bad_json=b"{}")
    assert main(["verify", str(folder), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["checked"], told["wrong"]) == (False, 2, 1)


def test_nothing_to_check_is_called_fine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(tmp_path)]) == 2
    assert main(["verify", str(tmp_path / "nowhere")]) == 2
    assert main(["verify", "--answers", str(tmp_path / "nowhere")]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 3


@pytest.mark.parametrize("asked", [[], ["dance"], ["verify", "a", "b"], ["verify", "--loud"]])
def test_wrong_usage_is_taken_for_something(asked: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(asked)
    assert left.value.code == 2


def test_answers_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "answers"
    path.write_bytes(answered(answers()))
    assert main(["verify", "--answers", str(path)]) == 0
    path.write_bytes(answered(dict.fromkeys(answers(), "ok")))
    assert main(["verify", "--answers", str(path)]) == 1
    assert "expected malformed, found ok" in capsys.readouterr().out


COURSE: Final = (EXAMPLES / "course-longest.txt").read_bytes()


@pytest.mark.parametrize(
    ("old", "new", "differs"),
    [
        (b"state: erased", b"state: closed", ("state",)),
        (b"lead: receiver", b"lead: referrer", ("lead",)),
        (b" applied\n", b" waiting\n", ("place",)),
        (b"\nplace: ", b"\nplace: referrer 00 applied\nplace: ", ("place",)),
    ],
)
def test_a_course_that_came_out_otherwise(
    write: Write, old: bytes, new: bytes, differs: tuple[str, ...]
) -> None:
    found = only(verify_folder(write(mine_txt=COURSE.replace(old, new, 1))))
    assert (found["ok"], found["differs"]) == (False, differs)


@pytest.mark.parametrize(
    "body", [b"{}", b'{"events":[]}', b'{"events":[7]}', b"[]", b'{"events":7}']
)
def test_a_course_without_a_beginning(write: Write, body: bytes) -> None:
    head = COURSE.split(b"\n\n", 1)[0]
    assert only(verify_folder(write(mine_txt=head + b"\n\n" + body)))["outcome"] == "malformed"


def test_a_course_that_takes_for_ever(write: Write) -> None:
    head, body = COURSE.split(b"\n\n", 1)
    events = json.loads(body)["events"]
    many = json.dumps({"events": events[:1] + events[1:2] * 500}).encode()
    found = only(verify_folder(write(mine_txt=head + b"\n\n" + many)))
    assert (found["outcome"], found["rule"]) in (
        ("malformed", "no_course"),
        ("malformed", "too_large"),
    )


def test_an_envelope_opens_and_what_it_holds_is_not_read(write: Write) -> None:
    data = ENVELOPE.replace(b"check: open", b"check: read", 1)
    assert only(verify_folder(write(mine_txt=data)))["outcome"] == "schema"
