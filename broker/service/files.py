"""Writing a file that is its owner's alone, for commands that leave one where somebody names it.

write_private(path, data)          # OSError: it is there already, or its folder cannot be written
"""

from __future__ import annotations

import os
from pathlib import Path


def write_private(path: Path, data: bytes) -> None:
    """A new file of mode 0600, on disk before this returns; never one that is there already."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
