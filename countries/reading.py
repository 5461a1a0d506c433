"""Reads a hand-written JSON file and collects everything wrong with it, each with a remedy.

Whoever edits such a file is a coordinator, not a programmer: they get all faults at once, with the
file, the place in it and what to do. A wrong member reads as a stand-in, so that reading goes on;
whoever reads must ask for the faults before using what was read.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from contracts.encoding import JsonObject, JsonValue, parse_object
from contracts.errors import ContractError

MAX_BYTES: Final = 1024 * 1024  # a pack is some kilobytes; the bound keeps a wrong file out
MAX_TEXT: Final = 500


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing wrong: the file, the JSON path in it (`$.hotlines[0].number`), and the way out."""

    file: str
    path: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}: {self.path}: {self.what}. {self.remedy}."


class BadCountryData(ContractError):
    """A country's file breaks its rules. Nothing of it is used until all faults are mended."""

    meaning = "A country's file breaks its rules"

    def __init__(self, faults: Collection[Fault]) -> None:
        super().__init__("bad_country_data")
        self.faults = tuple(sorted(faults))

    def __str__(self) -> str:
        count = len(self.faults)
        head = f"{count} fault{'s' if count > 1 else ''} in country data; nothing of it is used:"
        return "\n".join([head, *(f"  {fault}" for fault in self.faults)])


class Page:
    """One file being read, with the faults found so far."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.faults: list[Fault] = []

    def fault(self, path: str, what: str, remedy: str) -> None:
        """Note one fault."""
        self.faults.append(Fault(self.file, path, what, remedy))

    def parse(self, data: bytes) -> "Place":
        """The outermost object; an empty one where the bytes are not strict JSON."""
        try:
            return Place(self, "$", parse_object(data, limit=MAX_BYTES))
        except ContractError as error:
            self.fault(
                "$",
                f"is not a strict JSON object ({error.code.replace('_', ' ')})",
                "Write one UTF-8 JSON object, each name once, whole numbers only, under 1 MiB",
            )
            return Place(self, "$", {})


class Place:
    """One object in a page. Every reader returns a value of its type, whatever stands there."""

    def __init__(self, page: Page, path: str, members: JsonObject) -> None:
        self.page = page
        self.path = path
        self._members = members

    def closed(self, *names: str) -> None:
        """Fault every member that is not among `names`."""
        for name in sorted(self._members.keys() - set(names)):
            self.fault(name, "is not known here", f"Use only: {', '.join(names)}")

    def fault(self, name: str, what: str, remedy: str) -> None:
        """Note a fault of the member `name`."""
        self.page.fault(f"{self.path}.{name}", what, remedy)

    def has(self, name: str) -> bool:
        """Whether the member stands here with another value than null."""
        return self._members.get(name) is not None

    def text(self, name: str, *, pattern: str = r"[^\x00-\x1f\x7f]+", meaning: str = "text") -> str:
        """A string of at most 500 characters that matches `pattern` whole."""
        value = self._members.get(name)
        if isinstance(value, str) and len(value) <= MAX_TEXT and re.fullmatch(pattern, value):
            return value
        self.fault(name, self._state(name), f"Write {meaning}")
        return ""

    def optional_text(self, name: str) -> str:
        """A string, or "" where the member is absent."""
        return self.text(name) if self.has(name) else ""

    def choice(self, name: str, choices: Collection[str], *, default: str | None = None) -> str:
        """One of `choices`; the first of them stands in for a wrong one."""
        value = self._members.get(name, default)
        if isinstance(value, str) and value in choices:
            return value
        self.fault(name, self._state(name), f"Use one of: {', '.join(choices)}")
        return next(iter(choices))

    def choices(self, name: str, choices: Collection[str], *, least: int) -> tuple[str, ...]:
        """A list of distinct `choices` with at least `least` of them."""
        value = self._members.get(name, [] if least == 0 else None)
        if isinstance(value, list) and _distinct(value, choices) and len(value) >= least:
            return tuple(str(item) for item in value)
        self.fault(name, self._state(name), f"Write a list of: {', '.join(choices)}, each once")
        return ()

    def truth(self, name: str, *, default: bool) -> bool:
        """`true` or `false`."""
        value = self._members.get(name, default)
        if isinstance(value, bool):
            return value
        self.fault(name, self._state(name), "Write true or false")
        return default

    def number(self, name: str, *, least: int, most: int) -> int:
        """A whole number from `least` to `most`; `least` stands in for a wrong one."""
        value = self._members.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        self.fault(name, self._state(name), f"Write a whole number from {least} to {most}")
        return least

    def day(self, name: str) -> date | None:
        """A day as YYYY-MM-DD, or null."""
        value = self._members.get(name)
        try:
            return None if value is None else date.fromisoformat(_plain_day(value))
        except ValueError:
            self.fault(name, "is not a day", "Write YYYY-MM-DD, or null where nobody has checked")
            return None

    def object(self, name: str) -> "Place":
        """The object `name`; an empty one where it is missing."""
        value = self._members.get(name)
        if not isinstance(value, dict):
            self.fault(name, self._state(name), "Write an object { … }")
            value = {}
        return Place(self.page, f"{self.path}.{name}", value)

    def items(self, name: str, *, least: int = 1) -> Iterator["Place"]:
        """The objects of the list `name`, which needs at least `least` of them."""
        value = self._members.get(name)
        if not isinstance(value, list) or len(value) < least:
            self.fault(name, self._state(name), f"Write a list with at least {least} object(s)")
            return
        for index, item in enumerate(value):
            path = f"{self.path}.{name}[{index}]"
            if isinstance(item, dict):
                yield Place(self.page, path, item)
            else:
                self.page.fault(path, "is not an object", "Write an object { … }")

    def pair(self, name: str, choices: Collection[str]) -> tuple[str, str]:
        """A list of exactly two different `choices`."""
        value = self._members.get(name)
        if isinstance(value, list) and _distinct(value, choices) and len(value) == 2:
            return str(value[0]), str(value[1])
        self.fault(name, self._state(name), f"Write two different of: {', '.join(choices)}")
        return "", ""

    def _state(self, name: str) -> str:
        return "does not hold what it must" if self.has(name) else "is missing"


def _distinct(value: list[JsonValue], choices: Collection[str]) -> bool:
    strings = [item for item in value if isinstance(item, str) and item in choices]
    return len(strings) == len(value) == len(set(strings))


def _plain_day(value: JsonValue) -> str:
    # Python also reads "20260101" and week dates; a file has one form.
    if not (isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value)):
        raise ValueError
    return value
