"""Searches places for secrets, in every form; says where and in which form, and nothing more.

    scanner = Scanner([Secret("note", "case", text)])
    report = scanner.scan(places)
    assert not report.traces, report

A place that cannot be read, or has nothing in it, is a failure and not a pass: `Unread`. What is
compressed with zlib or gzip is looked into.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.secrecy.forms import needles_of

# A preallocated log is little else. No needle holds so many, but one may begin or end with three.
_ZEROS: Final = bytes(64)
_FEW_ZEROS: Final = bytes(4)
_COMPRESSED: Final = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]")
_MOST_INFLATED: Final = 4 * 1024 * 1024
_MOST_DEEP: Final = 2
_EITHER: Final = 32 + zlib.MAX_WBITS  # zlib's or gzip's header


class Unread(AssertionError):
    """A place was not searched, so nothing can be said about it."""


@dataclass(frozen=True, slots=True)
class Secret:
    """What must not be found. `group` is the rule that says where it may be after all."""

    name: str
    group: str
    value: str | bytes = field(repr=False)
    thorough: bool = True


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes and where in a place they are."""

    where: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere to look; `read` gives all of it or raises."""

    name: str
    read: Callable[[], Iterable[Piece]] = field(repr=False)


@dataclass(frozen=True, slots=True, order=True)
class Trace:
    """A secret was there."""

    place: str
    where: str
    secret: str
    group: str
    form: str

    def __str__(self) -> str:
        return f"{self.place}: {self.where}: {self.secret} as {self.form}"


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, and how many bytes of each place were searched."""

    traces: tuple[Trace, ...]
    searched: Counter[str]

    def __str__(self) -> str:
        return "\n".join(map(str, self.traces)) or "nothing"

    def at(self, place: str) -> frozenset[tuple[str, str]]:
        """The secrets and forms found in one place."""
        return frozenset((one.secret, one.form) for one in self.traces if one.place == place)


class Scanner:
    """Searches for some secrets; remembers what it has searched, for files come in copies."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._needles = [
            (secret, needle)
            for secret in secrets
            for needle in needles_of(secret.value, thorough=secret.thorough)
        ]
        self._known: dict[bytes, frozenset[tuple[Secret, str]]] = {}

    def scan(self, places: Sequence[Place]) -> Report:
        """Search every place whole. Raises `Unread`."""
        traces: set[Trace] = set()
        searched: Counter[str] = Counter()
        for place in places:
            for piece in place.read():
                searched[place.name] += len(piece.data)
                traces |= set(self._traces(place, piece))
            if not searched[place.name]:
                raise Unread(f"{place.name}: there was nothing to search")
        return Report(tuple(sorted(traces)), searched)

    def search(self, data: bytes) -> frozenset[tuple[Secret, str]]:
        """The secrets in `data`, each with the form it has there."""
        digest = hashlib.blake2b(data, digest_size=16).digest()
        if digest not in self._known:
            self._known[digest] = frozenset(self._search(data, deep=0))
        return self._known[digest]

    def _traces(self, place: Place, piece: Piece) -> Iterator[Trace]:
        where = piece.where
        for secret, form in self.search(where.encode("utf-8", "surrogateescape")):
            where = "(a name that is a secret itself)"
            yield Trace(place.name, where, secret.name, secret.group, f"name, {form}")
        for secret, form in self.search(piece.data):
            yield Trace(place.name, where, secret.name, secret.group, form)

    def _search(self, data: bytes, *, deep: int) -> Iterator[tuple[Secret, str]]:
        data = data.replace(_ZEROS, _FEW_ZEROS)
        folded = data.lower()
        for secret, needle in self._needles:
            if needle.data in (folded if needle.folded else data):
                yield secret, needle.form
        if deep < _MOST_DEEP:
            for inflated in _inflated(data):
                for secret, form in self._search(inflated, deep=deep + 1):
                    yield secret, f"compressed, {form}"


def _inflated(data: bytes) -> Iterator[bytes]:
    view = memoryview(data)
    for found in _COMPRESSED.finditer(data):
        stream = zlib.decompressobj(_EITHER)
        try:
            begin = found.start()
            inflated = stream.decompress(view[begin : begin + _MOST_INFLATED], _MOST_INFLATED)
        except zlib.error:
            continue  # two bytes that only look like a header
        if inflated:
            yield inflated
