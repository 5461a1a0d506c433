"""A key file under attack: guessed, forged, left open to others, cut off by a crash."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.desk.errors import DeskError
from broker.desk.keyfile import (
    LEAST_MEM,
    MOST_MEM,
    Cost,
    OpenedFile,
    Wrapping,
    new_wrapping,
    open_key_file,
    reopen_key_file,
    write_key_file,
)
from broker.desk.passphrases import check_strength, choose_passphrase, read_passphrase
from contracts.encoding import b64decode, b64encode
from contracts.errors import Malformed

PASSPHRASE = b"fig lantern meadow quartz"
SECRET = b"the secret of a key file"
FAST = Cost(mem=LEAST_MEM)
WRAPPING = Wrapping(FAST, bytes(16), bytes(range(32)))


@pytest.fixture(scope="module")
def wrapping() -> Wrapping:
    return new_wrapping(PASSPHRASE, FAST)


@pytest.fixture
def path(tmp_path: Path, wrapping: Wrapping) -> Path:
    path = tmp_path / "desk.key"
    write_key_file(path, SECRET, wrapping, new=True)
    return path


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(DeskError) as caught:
        act()
    assert SECRET.decode() not in str(caught.value)
    return caught.value.code


def test_the_right_passphrase_opens_it(path: Path) -> None:
    assert open_key_file(path, PASSPHRASE).content == SECRET


def test_the_wrong_passphrase_is_a_sentence(path: Path) -> None:
    with pytest.raises(DeskError) as caught:
        open_key_file(path, PASSPHRASE + b"!")
    assert caught.value.code == "wrong_passphrase"
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o666])
def test_a_file_that_others_may_read_is_refused_with_the_remedy(path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(DeskError) as caught:
        open_key_file(path, PASSPHRASE)
    assert f"chmod 600 {path}" in str(caught.value)


@pytest.mark.parametrize("ops", [0, 2, 11, 2**40])
def test_a_forged_number_of_passes_is_not_worked_through(path: Path, ops: int) -> None:
    rewrite_header(path, ops=ops)
    assert code_of(lambda: open_key_file(path, PASSPHRASE)) == "key_file_unreadable"


@pytest.mark.parametrize("mem", [0, LEAST_MEM - 1, MOST_MEM + 1, 2**50])
def test_a_forged_amount_of_memory_is_not_taken(path: Path, mem: int) -> None:
    rewrite_header(path, mem=mem)
    assert code_of(lambda: open_key_file(path, PASSPHRASE)) == "key_file_unreadable"


def test_a_cost_outside_the_readers_bounds_is_never_written() -> None:
    with pytest.raises(Malformed):
        Cost(ops=2)
    with pytest.raises(Malformed):
        Cost(mem=LEAST_MEM - 1)


def test_a_header_with_one_more_member_is_refused(path: Path) -> None:
    rewrite_header(path, comment="x")
    assert code_of(lambda: open_key_file(path, PASSPHRASE)) == "key_file_unreadable"


def test_the_header_is_bound_to_the_content(path: Path) -> None:
    """The same bounds in another spelling open nothing: the header's bytes are authenticated."""
    outer = json.loads(path.read_bytes())
    spelled = json.dumps(json.loads(b64decode(outer["h"], field="h"))).encode()
    path.write_text(json.dumps({"h": b64encode(spelled), "c": outer["c"]}))
    path.chmod(0o600)
    assert code_of(lambda: open_key_file(path, PASSPHRASE)) == "wrong_passphrase"


@given(place=st.integers(min_value=0), bit=st.integers(0, 7))
def test_any_flipped_bit_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, place: int, bit: int
) -> None:
    path = tmp_path_factory.mktemp("flip") / "desk.key"
    write_key_file(path, SECRET, WRAPPING)
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= 1 << bit
    path.write_bytes(data)
    with pytest.raises(DeskError):
        reopen_key_file(path, WRAPPING)


def test_a_new_key_file_replaces_nothing(path: Path, wrapping: Wrapping) -> None:
    assert code_of(lambda: write_key_file(path, b"other", wrapping, new=True)) == "key_file_exists"
    assert reopen_key_file(path, wrapping) == SECRET


def test_a_crash_while_writing_leaves_the_old_file(
    path: Path, wrapping: Wrapping, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(KeyboardInterrupt):
        write_key_file(path, b"other", wrapping)
    assert reopen_key_file(path, wrapping) == SECRET


def test_every_writing_takes_a_fresh_nonce(path: Path, wrapping: Wrapping) -> None:
    first = path.read_bytes()
    write_key_file(path, SECRET, wrapping)
    assert path.read_bytes() != first
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_stick_that_is_not_there_is_a_sentence(tmp_path: Path, wrapping: Wrapping) -> None:
    missing = tmp_path / "no stick" / "root.key"
    assert code_of(lambda: write_key_file(missing, SECRET, wrapping)) == "key_file_folder"


def test_secrets_are_not_in_a_repr(wrapping: Wrapping) -> None:
    shown = repr(OpenedFile(SECRET, wrapping))
    assert SECRET.decode() not in shown
    assert repr(wrapping.key) not in shown


@pytest.mark.parametrize(
    "weak",
    ["", "short one", "aaaaaaaaaaaaaaaaaaaa", "123456789012345678", "password1234",
     "Passphrase12!", "rujukanrujukan", "ababababababab"],
)  # fmt: skip
def test_a_passphrase_that_is_guessed_first_is_refused_in_a_sentence(weak: str) -> None:
    with pytest.raises(DeskError) as caught:
        check_strength(weak)
    assert caught.value.code in ("passphrase_short", "passphrase_weak")
    assert not weak or weak not in str(caught.value)


@pytest.mark.parametrize(
    "good", ["fig lantern meadow quartz", "হাতি নদী আকাশ পাথর", "马 桥 灯 河 山 云 雨 雪 风 月"]
)
def test_unrelated_words_in_any_script_are_good(good: str) -> None:
    check_strength(good)


def test_a_passphrase_is_asked_twice_and_must_agree() -> None:
    answers = iter(["fig lantern meadow quartz", "fig lantern meadow quarts"])
    with pytest.raises(DeskError) as caught:
        choose_passphrase(None, ask=lambda _: next(answers), prompt="")
    assert caught.value.code == "passphrases_differ"


def test_two_keyboards_that_compose_letters_differently_open_one_file() -> None:
    composed, decomposed = "caf\u00e9 caf\u00e9 caf\u00e9", "cafe\u0301 cafe\u0301 cafe\u0301"
    first, second = (
        read_passphrase(None, ask=lambda _, text=text: text, prompt="")  # type: ignore[misc]
        for text in (composed, decomposed)
    )
    assert first == second


def test_a_passphrase_files_line_end_is_not_part_of_it(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_bytes(PASSPHRASE + b"\r\nanother line\n")
    assert read_passphrase(file, ask=lambda _: "", prompt="") == PASSPHRASE


def rewrite_header(path: Path, **changes: object) -> None:
    outer = json.loads(path.read_bytes())
    header = json.loads(b64decode(outer["h"], field="h")) | changes
    rewritten = json.dumps(header, separators=(",", ":")).encode()
    path.write_text(json.dumps({"h": b64encode(rewritten), "c": outer["c"]}))
    path.chmod(0o600)
