"""Every committed vector, and that the committed script still makes exactly these bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.vectors import make
from tests.unit.contracts import vector_files


@pytest.mark.parametrize("path", vector_files.paths(), ids=lambda path: path.stem)
def test_the_code_says_what_the_vector_expects(path: Path) -> None:
    vector = vector_files.parse(path.read_bytes(), path)
    assert vector_files.outcome(vector) == vector.expect


@pytest.mark.parametrize("path", vector_files.paths(), ids=lambda path: path.stem)
def test_a_vector_lies_in_the_folder_of_its_outcome(path: Path) -> None:
    accepted = vector_files.parse(path.read_bytes()).expect in ("ok", "not-for-this-device")
    assert path.parent.name == ("accept" if accepted else "reject")


def test_the_script_makes_the_committed_bytes_again(tmp_path: Path) -> None:
    make.write(tmp_path)
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.txt")}
    committed = {
        path.relative_to(vector_files.FOLDER): path.read_bytes() for path in vector_files.paths()
    }
    assert made == committed
    assert len(made) == len(make.vectors())


def test_every_kind_of_refusal_has_a_vector() -> None:
    seen = {vector_files.parse(path.read_bytes()).expect for path in vector_files.paths()}
    assert seen >= {
        "ok", "not-for-this-device", "malformed", "too-large", "device-not-certified",
        "bad-signature", "version-unsupported", "not-for-me", "time", "contract-unknown",
        "undecryptable", "not-your-device", "no-route", "unknown-recipient", "keys-changed",
        "expired", "from-the-future",
    }  # fmt: skip


@pytest.mark.parametrize(
    "line", ["kind: new", "expect: ok", "now", ""], ids=["unknown", "twice", "no value", "empty"]
)
def test_an_unknown_header_line_stops_the_runner(line: str) -> None:
    data = f"expect: ok\n{line}\nnow: 1\n".encode() + b"\n\nbody"
    with pytest.raises((vector_files.UnknownHeader, ValueError)):
        vector_files.parse(data if line else b"expect: ok")
