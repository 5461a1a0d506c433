"""Makes packages with migrations, as ours have them, for the tests of migrating."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

_START: Final = """
import sys
sys.path.insert(0, sys.argv[1])
from broker.service.database import migrate, open_engine
engine = open_engine(sys.argv[2])
print("ready", flush=True)
sys.stdin.read(1)
migrate(engine, sys.argv[3])
"""
_LOADED: Final = """
print(*[name for name in sys.modules if "." not in name])
"""

HEAD = """
import sqlalchemy as sa
from alembic import op
revision = {revision!r}
down_revision = {down!r}
def upgrade() -> None:
"""


def make_package(folder: Path, name: str, *bodies: str) -> None:
    """Write the package `name` into `folder`, one migration for each body of `upgrade`."""
    versions = folder / name / "migrations" / "versions"
    versions.mkdir(parents=True)
    (folder / name / "__init__.py").touch()
    down = None
    for number, body in enumerate(bodies, 1):
        add_migration(versions, number, down, body)
        down = f"{number:04}"


def migrate_together(folder: Path, name: str, url: str, *, processes: int = 3) -> None:
    """Processes that are told to migrate at the same moment; all of them must end well."""
    command = [sys.executable, "-c", _START, str(folder), url, name]
    runs = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(processes)
    ]
    for run in runs:
        assert run.stdout is not None
        assert run.stdout.readline() == b"ready\n"
    for run in runs:
        assert run.stdin is not None
        run.stdin.write(b"x")
        run.stdin.flush()
    said = [run.communicate(timeout=60)[1].decode() for run in runs]
    assert [run.returncode for run in runs] == [0] * processes, said


def migrated_elsewhere(folder: Path, name: str, url: str) -> list[str]:
    """Migrate in a process of its own; the packages it had loaded in the end."""
    command = [sys.executable, "-c", _START + _LOADED, str(folder), url, name]
    done = subprocess.run(command, input=b"x", capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().split()


def add_migration(versions: Path, number: int, down: str | None, body: str) -> None:
    """Write one migration; `body` is indented here."""
    revision = f"{number:04}"
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    text = HEAD.format(revision=revision, down=down) + lines
    (versions / f"{revision}_step.py").write_text(text)
