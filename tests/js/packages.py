"""The locked npm packages of this folder, installed once by whoever needs them first.

schema = installed() / "@asyncapi" / "specs" / "schemas" / "3.0.0.json"
"""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
BIN: Final = Path(sys.executable).parent
SECONDS: Final = 120


def installed() -> Path:
    """The folder `node_modules`, holding exactly what the lock names."""
    with (HERE / "package.json").open() as turnstile:  # one worker installs, the others wait
        fcntl.flock(turnstile, fcntl.LOCK_EX)
        if not _is_installed():
            command = [str(BIN / "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(
                command, cwd=HERE, capture_output=True, timeout=SECONDS, check=False
            )
            assert done.returncode == 0, done.stderr.decode(errors="replace")
    return HERE / "node_modules"


def _is_installed() -> bool:
    have = HERE / "node_modules" / ".package-lock.json"
    if not have.exists():
        return False
    wanted = json.loads((HERE / "package-lock.json").read_text())["packages"]
    del wanted[""]  # this project itself
    return bool(json.loads(have.read_text())["packages"] == wanted)
