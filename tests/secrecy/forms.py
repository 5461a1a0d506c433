"""How a secret looks after something has encoded it: the byte strings to search for.

    needles = needles_of("শিউলি", thorough=True)

Logs escape, databases print hex, protocols use Base64, tracebacks show the repr of bytes. In
Base64 the same bytes look different at each of three offsets; from each, only those characters
are searched that the bytes around it do not change. It does not know where anything is searched.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

# Shorter than this, a needle is found by chance in random data: 48 bits in 100 MB, hardly ever.
LEAST: Final = 8
_URLSAFE: Final = bytes.maketrans(b"+/", b"-_")


@dataclass(frozen=True, slots=True)
class Needle:
    """What to search for. `folded`: capital ASCII letters count as small ones, here and there."""

    form: str
    data: bytes = field(repr=False)
    folded: bool


def needles_of(secret: str | bytes, *, thorough: bool = True) -> tuple[Needle, ...]:
    """Every form of `secret`, each once. Without `thorough`: as it is, in hex and in Base64."""
    found: dict[tuple[bytes, bool], Needle] = {}
    for needle in _needles(secret, thorough=thorough):
        found.setdefault((needle.data, needle.folded), needle)
    if any(len(needle.data) < LEAST for needle in found.values()):
        raise ValueError("too short to search for")
    return tuple(found.values())


def base64_fragments(data: bytes) -> tuple[bytes, ...]:
    """What Base64 makes of `data` wherever it begins in what is encoded: one for each offset."""
    return tuple(_fragment(data, offset) for offset in range(3))


def _fragment(data: bytes, offset: int) -> bytes:
    encoded = base64.b64encode(bytes(offset) + data)
    return encoded[-(-offset * 8 // 6) : (offset + len(data)) * 8 // 6]


def _needles(secret: str | bytes, *, thorough: bool) -> Iterator[Needle]:
    plain = dict(_plain(secret, thorough=thorough))
    for name, data in plain.items():
        yield _folded(name, data)
        yield _folded(f"hex of {name}", data.hex().encode())
        yield from _base64(name, data)
    if not thorough:
        return
    first = next(iter(plain.values()))
    for name, data in _escaped(first):
        yield _folded(name, data)
    if isinstance(secret, str):
        for name, data in _escaped_text(secret):
            yield _folded(name, data)
    for fragment in base64_fragments(first):
        yield from _base64("base64", fragment)


def _plain(secret: str | bytes, *, thorough: bool) -> Iterator[tuple[str, bytes]]:
    if isinstance(secret, bytes):
        yield "bytes", secret
        return
    yield "utf-8", secret.encode()
    if thorough:
        yield "utf-16-le", secret.encode("utf-16-le")
        yield "utf-16-be", secret.encode("utf-16-be")


def _escaped(data: bytes) -> Iterator[tuple[str, bytes]]:
    """What is made of bytes, whatever they mean."""
    yield "url, every byte", "".join(f"%{byte:02x}" for byte in data).encode()
    yield "url", quote(data, safe="").encode()
    yield "repr of bytes", repr(data)[2:-1].encode()
    yield "hex escapes", "".join(f"\\x{byte:02x}" for byte in data).encode()
    yield "octal escapes", "".join(f"\\{byte:03o}" for byte in data).encode()
    for comma in (",", ", "):  # Erlang's binaries, Python's and JavaScript's arrays
        yield "decimal numbers", comma.join(map(str, data)).encode()


def _escaped_text(text: str) -> Iterator[tuple[str, bytes]]:
    """What is made of letters."""
    units = memoryview(text.encode("utf-16-le")).cast("H")
    yield "json, every letter", "".join(f"\\u{unit:04x}" for unit in units).encode()
    yield "json", json.dumps(text)[1:-1].encode()
    for errors in ("xmlcharrefreplace", "backslashreplace"):  # only what ASCII has not
        yield errors, text.encode("ascii", errors)
    yield "html, decimal", "".join(f"&#{ord(letter)};" for letter in text).encode()
    yield "html, hex", "".join(f"&#x{ord(letter):x};" for letter in text).encode()
    yield "utf-32", text.encode("utf-32-le")


def _base64(name: str, data: bytes) -> Iterator[Needle]:
    for offset, fragment in enumerate(base64_fragments(data)):
        yield Needle(f"base64 of {name} at offset {offset}", fragment, folded=False)
        safe = fragment.translate(_URLSAFE)
        yield Needle(f"url-safe base64 of {name} at offset {offset}", safe, folded=False)


def _folded(name: str, data: bytes) -> Needle:
    return Needle(name, data.lower(), folded=True)
