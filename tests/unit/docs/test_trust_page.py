"""The page about trust: each attacker has a row, and each row names tests that are there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = (ROOT / "docs" / "trust.md").read_text(encoding="utf-8")
NAMED: Final = re.compile(r"`(tests/[a-z_0-9/]+\.py)::(\w+)`")
PARTS: Final = ("Lost", "Not lost", "Noticed", "Shown by")

# Words of the heading, by which a reader looks for what frightens them.
ATTACKS: Final = (
    "directory's operator",
    "forked log",
    "rolled back",
    "directory put back from an old backup",
    "withheld",
    "training log",
    "root out of the same answer",
    "gap in its number",
    "second beginning",
    "very long log",
    "fewer than k witnesses",
    "sign twice for one size",
    "witness with a wrong clock",
    "witness put back from an old backup",
    "hub",
    "watches the lines",
    "one coordinator",
    "coordinator who wants to replace a key",
    "two coordinators of one country",
    "two coordinators of two countries",
    "more than half of all coordinators",
    "former coordinator",
    "stolen root stick, with its passphrase",
    "stolen root stick against a recovery",
    "one recovery key",
    "two recovery keys",
    "stolen computer, unlocked",
    "stolen computer, locked",
    "asks for messages again",
    "frozen device's messages",
    "two desks of one organisation",
    "clock, a year ahead or a year back",
)


def rows(page: str) -> dict[str, str]:
    """What stands under each heading of the third rank."""
    parts = re.split(r"^### (.+)$", page, flags=re.M)[1:]
    return {
        heading: re.split(r"^## ", text, flags=re.M)[0]
        for heading, text in zip(parts[::2], parts[1::2], strict=True)
    }


@cache
def collected(path: Path) -> frozenset[str]:
    """The tests that a file collects and runs: functions, and state machines by their name."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            marks = " ".join(ast.unparse(mark) for mark in node.decorator_list)
            if not re.search(r"\b(skip|skipif|xfail)\b", marks):
                found.add(node.name)
        if isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            found.update(name for name in names if name.startswith("Test"))
    return frozenset(found)


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_without_a_row(attack: str) -> None:
    begun = [one for one in rows(PAGE) if re.search(rf"\b{re.escape(attack)}", one, re.I)]
    assert begun, attack


@pytest.mark.parametrize("heading", rows(PAGE))
def test_a_row_that_leaves_a_question_open(heading: str) -> None:
    said = dict(re.findall(r"^- \*\*([A-Z][a-z ]+):\*\*((?:.|\n  )*)", rows(PAGE)[heading], re.M))
    assert tuple(said) == PARTS
    assert all(text.strip() for text in said.values())


@pytest.mark.parametrize("heading", rows(PAGE))
def test_a_row_that_names_a_test_that_is_not_there(heading: str) -> None:
    _, _, shown = rows(PAGE)[heading].partition("**Shown by:**")
    named = NAMED.findall(shown)
    assert named
    assert len(named) == shown.count("  - "), "a line that names no test"
    for path, test in named:
        assert (ROOT / path).is_file(), path
        assert test in collected(ROOT / path), f"{path}::{test}"


def test_a_name_that_is_no_test_is_noticed() -> None:
    here = collected(Path(__file__))
    assert "test_a_name_that_is_no_test_is_noticed" in here
    assert "rows" not in here
    assert "test_that_was_renamed" not in here
