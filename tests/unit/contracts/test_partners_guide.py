"""The guide for partners names only what is there, and every label as it is signed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from contracts.__main__ import main
from contracts.sealing import _KEY_LABEL
from contracts.signing import Label

ROOT: Final = Path(__file__).parents[3]
GUIDE: Final = (ROOT / "docs" / "partners.md").read_text(encoding="utf-8")
VECTORS: Final = {path.stem for path in (ROOT / "contracts" / "vectors").rglob("*.txt")}


def test_every_file_it_names_is_there() -> None:
    named = set(re.findall(r"`((?:contracts|tests)/[a-z0-9_./-]*)`", GUIDE))
    assert len(named) >= 6
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_group_of_vectors_it_names_has_members() -> None:
    named = re.findall(r"`([a-z0-9-]+)-\*`", GUIDE)
    assert len(named) >= 8
    assert [one for one in named if not any(name.startswith(f"{one}-") for name in VECTORS)] == []


def test_every_group_of_vectors_is_named() -> None:
    named = tuple(re.findall(r"`([a-z0-9-]+-)\*`", GUIDE))
    assert [name for name in sorted(VECTORS) if not name.startswith(named)] == []


def test_it_gives_every_label_that_is_signed() -> None:
    assert set(re.findall(r'LP\("(rujukan-[a-z]+/1)"\)', GUIDE)) == {one.value for one in Label}
    assert _KEY_LABEL.decode().replace("\0", "\\0") in GUIDE


def test_the_kit_takes_the_command_it_gives(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["verify", "--help"])
    assert ended.value.code == 0
    usage = capsys.readouterr().out
    assert "python -m contracts verify" in GUIDE
    assert all(option in usage for option in ("DIR", "--answers FILE"))
