"""What to do about a service this machine does not have: skip, or in CI fail.

A test that was skipped in silence proves nothing, so `CI=true` turns the skip into an error.
"""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


class Missing(Exception):
    """A program that the tests need is not installed; the text says which package has it."""


def skip_or_fail(missing: Missing) -> NoReturn:
    """Skip the test for want of a service, or fail it where nothing may be missing."""
    if os.environ.get("CI", "").lower() in {"1", "true", "yes"}:
        pytest.fail(f"{missing} (CI is set, so this is an error and not a skip)", pytrace=False)
    pytest.skip(str(missing))
