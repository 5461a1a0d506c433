"""Where a passphrase comes from, and whether it is good enough to be chosen.

From a prompt or from the file that RUJUKAN_PASSPHRASE_FILE names; never from an argument or an
environment variable, which other people on the computer can read. Nothing here keeps one.

    passphrase = read_passphrase(settings.passphrase_file, ask=ask_terminal)
"""

from __future__ import annotations

import getpass
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Final

from broker.desk.errors import DeskError

LEAST_LENGTH: Final = 12
LEAST_DIFFERENT: Final = 6
MOST_BYTES: Final = 4096
_GUESSED_FIRST: Final = ("password", "passphrase", "rujukan", "qwerty", "123456", "letmein")


def read_passphrase(file: Path | None, *, ask: Callable[[str], str], prompt: str) -> bytes:
    """An existing desk's passphrase: the file's first line, else what the person types."""
    if file is not None:
        return _bytes(_first_line(file))
    return _bytes(ask(prompt))


def choose_passphrase(file: Path | None, *, ask: Callable[[str], str], prompt: str) -> bytes:
    """A new passphrase: asked for twice, and refused in a sentence where it is too weak."""
    text = _first_line(file) if file is not None else ask(prompt)
    check_strength(text)
    if file is None and _bytes(ask("The same once more")) != _bytes(text):
        raise DeskError("passphrases_differ")
    return _bytes(text)


def ask_terminal(prompt: str) -> str:
    """What the person at the terminal types, unseen. Raises `DeskError` where there is none."""
    try:
        with Path("/dev/tty").open("rb"):
            pass
    except OSError:
        raise DeskError("no_passphrase") from None
    return getpass.getpass(f"{prompt}: ")


def check_strength(text: str) -> None:
    """Refuse what a stolen key file would give away within hours.

    Length counts most (NIST SP 800-63B-4 §3.1.1.2: no rules about kinds of characters); words
    that every guessing program tries first may be a part of it, but not the most of it.
    """
    if len(text) < LEAST_LENGTH:
        raise DeskError("passphrase_short", least=LEAST_LENGTH)
    rest = text.casefold()
    for word in _GUESSED_FIRST:
        rest = rest.replace(word, "")
    if len(rest) < LEAST_LENGTH // 2 or len(set(text)) < LEAST_DIFFERENT or text.isdigit():
        raise DeskError("passphrase_weak")


def _bytes(text: str) -> bytes:
    # Two keyboards may compose the same letter differently; both must open the file.
    return unicodedata.normalize("NFC", text).encode("utf-8")


def _first_line(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            data = opened.read(MOST_BYTES)
        return data.decode("utf-8").split("\n", 1)[0].rstrip("\r")
    except (OSError, UnicodeDecodeError):
        raise DeskError("passphrase_file_unreadable", path=str(file)) from None
