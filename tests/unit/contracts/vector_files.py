"""The packaged vectors for the tests: where they lie, and what the code says to each.

The runner itself is the conformance kit's, so that a partner runs what these tests run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from contracts.vectors.judging import UNSIGNED, judged
from contracts.vectors.reading import UnknownHeader, VectorFile, parse
from contracts.verify import PACKAGED, packaged_paths

__all__ = ["FOLDER", "UNSIGNED", "UnknownHeader", "VectorFile", "outcome", "parse", "paths", "read"]

FOLDER: Final = PACKAGED


def paths() -> list[Path]:
    """Every committed vector."""
    return packaged_paths()


def read(path: Path) -> VectorFile:
    """One committed vector."""
    return parse(path.read_bytes())


def outcome(vector: VectorFile) -> str:
    """What the code under test says to it; it must agree in every fact that the header tells."""
    verdict = judged(vector)
    assert verdict.differs == ()
    return verdict.outcome
