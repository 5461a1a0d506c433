"""`make bench`: every benchmark of this folder, each figure beside its floor of the same run.

A new one is a module with a `main` that prints its figures and answers 0 or 1, and a line in
`BENCHMARKS`. Exits 1 if one of them is over its bound.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Final

from tests.benchmarks import envelope, log, messages

BENCHMARKS: Final[Mapping[str, Callable[[], int]]] = {
    "envelope": envelope.main,
    "messages": messages.main,
    "log": log.main,
}


def main() -> int:
    """Run all, so that one bad figure does not hide another."""
    worst = 0
    for name, benchmark in BENCHMARKS.items():
        print(f"== {name}", flush=True)  # noqa: T201 - what `make bench` is for
        worst = max(worst, benchmark())
    return worst


if __name__ == "__main__":
    sys.exit(main())
