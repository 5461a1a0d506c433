"""One simulated network for each test, and two organisations in it."""

from __future__ import annotations

from tests.unit.desk.pair import ours, theirs, world

__all__ = ["ours", "theirs", "world"]
