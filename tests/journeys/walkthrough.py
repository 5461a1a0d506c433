"""A written walk-through that is walked: its commands, typed at a terminal by the people it names.

    steps = Steps(document)                             # by the words before each block
    walked = ours.walk(steps["On the organisation's computer"])

A step is a ```sh block; "**On …:**" before it says who types. Words in CAPITALS are replaced by
what a person knows under that name, and nothing else is changed: each line goes to a shell as it
stands, with the lines that export settings before it. What a command asks, the person answers at
the terminal. It knows no step and no sentence of any command but how a prompt ends.
"""

from __future__ import annotations

import os
import pty
import re
import select
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.journeys.network import BIN
from tests.services.processes import Child, start

STAYS: Final = "# keeps running"
PATIENCE: Final = 120.0
_IDLE: Final = 0.1
_STEP: Final = re.compile(r"\*\*(On [^*\n]+):\*\*\n\n```sh\n(.*?)```", re.DOTALL)
_NAME: Final = re.compile(r"\b[A-Z]{3,}\b")
_PROMPT: Final = re.compile(r"([^\r\n]*): \Z")

# What is asked, after all that stood on the screen by then; what the person types.
Answer = Callable[[str, str], str]


class Steps:
    """Every step of a document, by who types it. `left` are those that nobody asked for yet."""

    def __init__(self, document: str) -> None:
        found = [(who, tuple(block.strip().splitlines())) for who, block in _STEP.findall(document)]
        assert len(found) == document.count("```sh\n") > 0, "a block does not say who types it"
        assert len({who for who, _ in found}) == len(found), "two steps have one name"
        self._lines = dict(found)
        self.left = set(self._lines)

    def __getitem__(self, who: str) -> tuple[str, ...]:
        self.left.discard(who)
        found: tuple[str, ...] = self._lines[who]
        return found


@dataclass
class Person:
    """Somebody at a computer: a folder, what they call things, and how they answer."""

    folder: Path
    calls: dict[str, str]
    answer: Answer = field(repr=False)
    environ: dict[str, str] = field(default_factory=dict, repr=False)
    typed: list[str] = field(default_factory=list)
    _exports: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        (self.folder / "stick").mkdir(mode=0o700)
        self.calls = {"STICK": "stick", **self.calls}

    def walk(self, lines: Sequence[str]) -> str:
        """Type these lines; what stood on the screen. Every command must succeed."""
        return "".join(self._type(line) for line in lines)

    @contextmanager
    def running(self, lines: Sequence[str]) -> Iterator[Child]:
        """Type these lines; the last one keeps running for the length of the block."""
        self.walk(lines[:-1])
        command, stays, _ = lines[-1].partition(STAYS)
        assert stays
        log = self.folder / f"{self.folder.name}.log"
        words = ["bash", "-c", self._script(f"exec {command}")]
        with start(
            self.folder.name, words, log=log, environ=self._environ(), folder=self.folder
        ) as child:
            yield child

    def _type(self, line: str) -> str:
        assert STAYS not in line
        if line.startswith("export "):
            self._exports.append(self._named(line))
            return ""
        screen, code = self._at_terminal(self._script(line))
        assert code == 0, f"{line}\n{screen}"
        return screen

    def _script(self, line: str) -> str:
        self.typed.append(self._named(line))
        return "\n".join((*self._exports, self.typed[-1]))

    def _named(self, line: str) -> str:
        return _NAME.sub(lambda found: self.calls.get(found[0], found[0]), line)

    def _environ(self) -> dict[str, str]:
        plain = {k: v for k, v in os.environ.items() if not k.startswith("RUJUKAN_")}
        home = {"PATH": f"{BIN}:{plain['PATH']}", "HOME": str(self.folder)}
        return plain | home | self.environ

    def _at_terminal(self, script: str) -> tuple[str, int]:
        """The screen and the exit code of a script on a terminal of its own."""
        words = ["setpriv", "--pdeathsig", "KILL", "bash", "-c", script]
        environ = self._environ()
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.folder)
            os.execvpe(words[0], words, environ)  # noqa: S606 - the child
        with ExitStack() as stack:
            stack.callback(os.close, terminal)
            screen = self._answered(terminal)
        _, status = os.waitpid(pid, 0)
        return screen, os.waitstatus_to_exitcode(status)

    def _answered(self, terminal: int) -> str:
        screen, answered, until = b"", 0, time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if select.select([terminal], [], [], _IDLE)[0]:
                try:
                    screen += os.read(terminal, 4096)
                except OSError:  # Linux says so when the command has ended
                    return _text(screen)
                continue
            asked = _PROMPT.search(_text(screen))
            if asked and len(screen) > answered:  # it says no more until somebody types
                os.write(terminal, self.answer(asked[1], _text(screen)).encode() + b"\n")
                answered = len(screen)
        raise AssertionError(f"a command did not end: {_text(screen)}")


def _text(screen: bytes) -> str:
    return screen.decode(errors="replace").replace("\r\n", "\n")
