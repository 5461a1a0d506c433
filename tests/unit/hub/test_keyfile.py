"""The hub's key: made once, readable by one user, never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.hub.keyfile import make_key, read_key, read_or_make_key
from broker.service.failures import Failure
from contracts.encoding import b64encode


def test_a_key_is_made_once_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "hub.key"
    made = read_or_make_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_or_make_key(path).public == read_key(path).public == made.public


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "hub.key"
    made = make_key(path)
    with pytest.raises(Failure):
        make_key(path)
    assert read_key(path).public == made.public


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_key_that_others_may_read_is_not_used(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "hub.key"
    seed = b64encode(make_key(path).seed)
    path.chmod(mode)
    with pytest.raises(Failure) as failure:
        read_key(path)
    assert "chmod 600" in str(failure.value)
    assert seed not in str(failure.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"\xff" * 40,
        b'{"v":1,"seed":"QUJD"}',
        b'{"v":2,"seed":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}',
        b'{"v":1,"seed":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","w":1}',
        b" " * 5000,
    ],
)
def test_a_damaged_key_file_is_a_sentence_without_its_content(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "hub.key"
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(Failure) as failure:
        read_key(path)
    assert "backup" in str(failure.value)
    assert failure.value.__context__ is None or failure.value.__suppress_context__


def test_a_missing_key_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="rujukan-hub key"):
        read_key(tmp_path / "none")
