"""Folders for services: short, outside pytest's (which only its owner may enter), removed again.

A test run that was killed cannot remove its folders; the next run does, because each is named
after the process it belongs to.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "rujukan-tests-"


@contextmanager
def service_folder(name: str) -> Iterator[Path]:
    """A new empty folder, gone afterwards. Its path is short: a Unix socket's is limited."""
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-{name}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned() -> None:
    """Remove the folders of test runs that are no longer there."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdecimal() and not Path("/proc", owner).exists():
            shutil.rmtree(folder, ignore_errors=True)
