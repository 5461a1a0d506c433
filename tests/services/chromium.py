"""Debian's Chromium, driven by Playwright, quiet on the network.

Playwright's own browsers are not downloaded: what the tests drive is what Debian ships and
updates. Everything that would speak to somebody else's server by itself is off.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from shutil import which
from typing import Final

from playwright.sync_api import Browser, sync_playwright

from tests.services.missing import Missing

_QUIET: Final = (
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@contextmanager
def run_browser() -> Iterator[Browser]:
    """A headless browser, gone afterwards. `Missing` where Chromium is not there."""
    program = which("chromium") or which("chromium-browser")
    if program is None:
        raise Missing("Chromium is not installed (Debian: chromium)")
    # Chromium's sandbox refuses to run as root.
    root = ("--no-sandbox",) if os.geteuid() == 0 else ()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*_QUIET, *root])
        try:
            yield browser
        finally:
            browser.close()
