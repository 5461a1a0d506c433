"""Reads a vector file: header lines, an empty line, the body as it is.

It knows the form and refuses to know what a check does with it. Files come from anybody, so
everything is bounded, and a header line that is not known here is an error: a fact that is
passed over would make a vector pass for the wrong reason. Errors name a header line or a rule.

    vector = parse(data)
    vector.number("now")
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# The names a header may have, and how often.
ONCE: Final = frozenset(
    (
        "expect", "check", "comment", "now", "own-org", "own-device", "contracts", "eid",
        "message-sha256", "own", "login", "signed-routes", "hub-key", "server", "nonce", "t",
        "hash", "leaf-hash", "contract", "field", "rule", "state", "lead",
    )
)  # fmt: skip
OFTEN: Final = frozenset(("device", "key", "signer", "place"))
MAX_HEADER: Final = 128 * 1024  # bytes; 64 desks, the most there may be, take 30 KiB
MAX_LINES: Final = 400

_NUMBER: Final = re.compile(r"[0-9]{1,16}")
_HEX: Final = re.compile(r"(?:[0-9a-f]{2})*")


class UnknownHeader(Exception):
    """The file is no vector, or its header says something that a reader would pass over.

    `rule` is a fixed word and `line` one of the known names, or "" : the file may hold anything.
    """

    def __init__(self, rule: str, line: str = "") -> None:
        super().__init__(rule, line)
        self.rule = rule
        self.line = line


@dataclass(frozen=True, slots=True)
class VectorFile:
    """`facts` holds what may stand once, `lists` the rest in order."""

    facts: Mapping[str, str]
    lists: Mapping[str, tuple[str, ...]]
    body: bytes

    @property
    def expect(self) -> str:
        """The outcome that the header tells. Raises `UnknownHeader`, as all below do."""
        return self.text("expect")

    @property
    def now(self) -> int:
        """The reader's clock, Unix seconds."""
        return self.number("now")

    def text(self, name: str) -> str:
        """A fact that must be there."""
        if name not in self.facts:
            raise UnknownHeader("missing", name)
        return self.facts[name]

    def number(self, name: str) -> int:
        """A fact that is a whole number."""
        return whole_number(self.text(name), name)

    def octets(self, name: str, size: int | None = None) -> bytes:
        """A fact that is bytes, in hexadecimal; with `size`, exactly so many."""
        return octets(self.text(name), name, size)

    def words(self, name: str, count: int) -> list[str]:
        """A fact of so many words."""
        words = self.text(name).split(" ")
        if len(words) != count:
            raise UnknownHeader("not_understood", name)
        return words


def parse(data: bytes) -> VectorFile:
    """Header up to the first empty line, then the body, untouched. Raises `UnknownHeader`."""
    end = data.find(b"\n\n", 0, MAX_HEADER)
    if end < 0:
        raise UnknownHeader("no_header")
    try:
        lines = data[:end].decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise UnknownHeader("not_utf_8") from None
    if len(lines) > MAX_LINES:
        raise UnknownHeader("too_many_lines")
    facts: dict[str, str] = {}
    lists: dict[str, list[str]] = {name: [] for name in OFTEN}
    for line in lines:
        name, separator, value = line.partition(": ")
        if not separator or name not in ONCE | OFTEN:
            raise UnknownHeader("unknown_line")
        if name in OFTEN:
            lists[name].append(value)
        elif name in facts:
            raise UnknownHeader("stands_twice", name)
        else:
            facts[name] = value
    return VectorFile(facts, {name: tuple(found) for name, found in lists.items()}, data[end + 2 :])


def named_words(line: str, name: str, plain: int, *wanted: str) -> tuple[list[str], dict[str, str]]:
    """`plain` words first, then `word=value` for each of `wanted`, as in a `device` line."""
    words = line.split(" ")
    named = dict(word.split("=", 1) for word in words[plain:] if "=" in word)
    if len(words) != plain + len(wanted) or set(named) != set(wanted):
        raise UnknownHeader("not_understood", name)
    return words[:plain], named


def whole_number(text: str, name: str) -> int:
    """Digits, of the header line `name`."""
    if not _NUMBER.fullmatch(text):
        raise UnknownHeader("not_a_number", name)
    return int(text)


def octets(text: str, name: str, size: int | None = None) -> bytes:
    """Bytes in hexadecimal, of the header line `name`."""
    if not _HEX.fullmatch(text) or (size is not None and len(text) != 2 * size):
        raise UnknownHeader("not_hexadecimal", name)
    return bytes.fromhex(text)
