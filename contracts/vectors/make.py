"""Writes accept/ and reject/: `python -m contracts.vectors.make [FOLDER]`.

The files are committed; a test makes them again and compares every byte. Names and outcomes
are explained in README.md. What each vector holds stands in forms.py, envelopes.py, contents.py,
papers.py, messages.py and courses.py.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

from contracts.vectors import contents, courses, envelopes, forms, messages, papers
from contracts.vectors.vector import Vector


@cache
def vectors() -> tuple[Vector, ...]:
    """All vectors; no name comes twice."""
    parts = (forms, envelopes, contents, papers, messages, courses)
    return tuple(vector for part in parts for vector in part.vectors())


def write(folder: Path) -> None:
    """Write all vectors below `folder`, and take away files that are none any more."""
    wanted = {folder / one.path: one.render() for one in vectors()}
    for old in {*folder.glob("accept/*.txt"), *folder.glob("reject/*.txt")} - wanted.keys():
        old.unlink()
    for path, data in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
