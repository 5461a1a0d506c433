"""The passphrase at a real terminal: asked for, not shown, twice for a new desk."""

from __future__ import annotations

import os
import pty
import select
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from contracts.root import Hub
from contracts.signing import SigningKey
from tests.journeys.network import BIN
from tests.vouching import demo_root

PASSPHRASE = "fig lantern meadow quartz"
STICK = "stick of drift wood and salt"
_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Session:
    """What stood on the terminal, and how the command ended."""

    screen: str
    code: int


def at_terminal(
    words: Sequence[str | Path], typed: Sequence[str], environ: Mapping[str, str]
) -> Session:
    """Run a command on a terminal of its own, typing one answer at each prompt."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(words[0], [str(word) for word in words], dict(environ))  # noqa: S606 - the child
    screen, answers, until = b"", list(typed), time.monotonic() + _SECONDS
    answered = 0
    while time.monotonic() < until:
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            screen += os.read(terminal, 4096)
        except OSError:  # Linux says so when the command has ended
            break
        if screen.endswith(b": ") and answers and len(screen) > answered:
            os.write(terminal, answers.pop(0).encode() + b"\n")
            answered = len(screen)
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return Session(screen.decode(), os.waitstatus_to_exitcode(status))


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    hub = Hub.of(url="http://127.0.0.1:9", key=SigningKey.generate().public)
    root = demo_root(net="demo.prompt", hubs=[hub])
    (tmp_path / "root.json").write_bytes(root)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RUJUKAN_")}
    return plain | {
        "RUJUKAN_HOME": str(tmp_path / "home"),
        "RUJUKAN_ROOT_FILE": str(tmp_path / "root.json"),
        "RUJUKAN_DIRECTORY_URL": "http://127.0.0.1:9",
    }


def init(folder: Path, key: Path) -> Sequence[str | Path]:
    return [
        BIN / "rujukan", "init", "--country", "my", "--kind", "ngo", "--root-key-file", str(key),
        "--admission-file", str(folder / "admission.json"),
    ]  # fmt: skip


def test_a_desk_is_made_and_opened_with_typed_passphrases(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    made = at_terminal(
        init(tmp_path, tmp_path / "stick.key"),
        [PASSPHRASE, PASSPHRASE, STICK, STICK],
        environ,
    )
    assert made.code == 0, made.screen
    assert "Fingerprint" in made.screen
    assert PASSPHRASE not in made.screen
    assert STICK not in made.screen
    wrong = at_terminal([BIN / "rujukan", "show", "ABCDEF"], [STICK], environ)
    assert (wrong.code, "does not open" in wrong.screen) == (1, True)
    right = at_terminal([BIN / "rujukan", "show", "ABCDEF"], [PASSPHRASE], environ)
    assert (right.code, "no case ABCDEF" in right.screen) == (1, True)


@pytest.mark.parametrize(
    "typed", [["too short"], [PASSPHRASE, STICK], [PASSPHRASE, PASSPHRASE, "12345678901234567"]]
)
def test_a_weak_or_mistyped_passphrase_makes_no_desk(
    tmp_path: Path, environ: dict[str, str], typed: list[str]
) -> None:
    refused = at_terminal(init(tmp_path, tmp_path / "stick.key"), typed, environ)
    assert refused.code == 1
    assert not (tmp_path / "home").exists()
    assert not (tmp_path / "stick.key").exists()


def test_a_root_key_in_the_desks_own_folder_is_warned_about(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    made = at_terminal(
        init(tmp_path, tmp_path / "home" / "stick.key"),
        [PASSPHRASE, PASSPHRASE, STICK, STICK],
        environ,
    )
    assert made.code == 0, made.screen
    assert "stick kept offline" in made.screen.split("Passphrase")[0]
