"""`make bench`: every benchmark of this folder, each figure beside its floor of the same run.

Exits 1 if one of them is over its bound.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

from tests import benchmarks


def main() -> int:
    """Run all, so that one bad figure does not hide another."""
    worst = 0
    for found in pkgutil.iter_modules(benchmarks.__path__):
        if found.name.startswith("_"):
            continue
        module = importlib.import_module(f"{benchmarks.__name__}.{found.name}")
        print(f"== {found.name}", flush=True)  # noqa: T201 - what `make bench` is for
        worst = max(worst, module.main())
    return worst


if __name__ == "__main__":
    sys.exit(main())
