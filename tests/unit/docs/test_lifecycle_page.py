"""The page about the lifecycle shows the table that the software runs, and all of it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from contracts import diagram
from contracts.lifecycle import MOVES, TABLE, WAY, Author, Need, State

PAGE = Path(__file__).parents[3] / "docs" / "lifecycle.md"
EDGE = re.compile(r"^    (\S+) --> (\S+?)(?:: (.+))?$")
DECLARED = re.compile(r'^    state "[^"]+" as (\w+)$')


def test_a_page_that_the_table_has_left_behind() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.count(diagram.BEGIN) == text.count(diagram.END) == 1
    shown = text.partition(diagram.BEGIN)[2].partition(diagram.END)[0]
    assert shown.strip() == diagram.generated().strip(), "run python -m contracts.diagram"


def test_the_command_prints_something_else() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "contracts.diagram"], capture_output=True, text=True, check=True
    )
    assert ran.stdout == diagram.generated()


def test_a_diagram_that_mermaid_cannot_read() -> None:
    lines = diagram.diagram().splitlines()
    assert lines[0] == "stateDiagram-v2"
    declared = {match[1] for line in lines if (match := DECLARED.match(line))}
    edges = [match.groups() for line in lines if (match := EDGE.match(line))]
    assert len(declared) + len(edges) + 1 == len(lines)
    ends = {end for origin, target, _ in edges for end in (origin, target)}
    assert ends == {"[*]", *declared, *(state.value for state in State)}
    assert len(edges) == len(set(edges))
    assert not any(mark in label for *_, label in edges if label for mark in ":;")


def test_a_step_that_the_page_keeps_to_itself() -> None:
    table = diagram.table()
    assert len(table.splitlines()) == len(TABLE) + 2
    assert all(f"| `{move}` |" in table for move in MOVES)
    drawn = diagram.diagram()
    for row in TABLE:
        moved = any(origin is not target for origin, target in row.moves.items())
        assert (f": {row.move} (" in drawn) >= moved
    assert all(f": {way.value}\n" in drawn for way in WAY)


def test_a_need_or_an_author_without_words() -> None:
    assert diagram.NEEDS.keys() == set(Need)
    assert len(set(diagram.NEEDS.values())) == len(Need)
    assert diagram.AUTHORS.keys() == set(Author)
