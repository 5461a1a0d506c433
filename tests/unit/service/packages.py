"""Makes packages with migrations, as ours have them, for the tests of migrating."""

from __future__ import annotations

from pathlib import Path

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


def add_migration(versions: Path, number: int, down: str | None, body: str) -> None:
    """Write one migration; `body` is indented here."""
    revision = f"{number:04}"
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    text = HEAD.format(revision=revision, down=down) + lines
    (versions / f"{revision}_step.py").write_text(text)
