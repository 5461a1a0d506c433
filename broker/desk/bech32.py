"""Bech32 (BIP-173): bytes as text that a person can copy by hand without an unseen slip.

A checksum of six characters notices every slip of up to four. This file does not know what the
bytes are; it takes text of one case only, 90 characters at most, as the specification says.

    text = encode("rjk-root", data)
    hrp, data = decode(text)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from contracts.errors import Malformed

MOST: Final = 90  # beyond it the checksum promises less (BIP-173, "Checksum design")
_CHARSET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_CHECKSUM: Final = 6
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def encode(hrp: str, data: bytes) -> str:
    """The text of `data`, in lower case, after the human-readable part."""
    words = _regrouped(data, 8, 5, pad=True)
    text = "".join(_CHARSET[word] for word in (*words, *_checksum(hrp, words)))
    if len(hrp) + 1 + len(text) > MOST:
        raise Malformed("too_long", "text")
    return f"{hrp}1{text}"


def decode(text: str) -> tuple[str, bytes]:
    """Human-readable part and bytes. Raises `Malformed`; one slip and nothing is told."""
    hrp, words = decode_words(text)
    return hrp, bytes(_regrouped(words, 5, 8, pad=False))


def decode_words(text: str) -> tuple[str, tuple[int, ...]]:
    """Human-readable part and the groups of five bits, checked but not yet put together."""
    if len(text) > MOST or any(not 33 <= ord(one) <= 126 for one in text):
        raise Malformed("bad_bech32", "text")
    if text.lower() != text != text.upper():
        raise Malformed("bad_bech32", "text")
    hrp, one, tail = text.lower().rpartition("1")
    if not one or not hrp or len(tail) < _CHECKSUM or any(c not in _CHARSET for c in tail):
        raise Malformed("bad_bech32", "text")
    words = tuple(_CHARSET.index(character) for character in tail)
    if _polymod((*_expanded(hrp), *words)) != 1:
        raise Malformed("bad_checksum", "text")
    return hrp, words[:-_CHECKSUM]


def _checksum(hrp: str, words: Sequence[int]) -> tuple[int, ...]:
    found = _polymod((*_expanded(hrp), *words, *(0,) * _CHECKSUM)) ^ 1
    return tuple((found >> 5 * (_CHECKSUM - 1 - place)) & 31 for place in range(_CHECKSUM))


def _polymod(values: Iterable[int]) -> int:
    found = 1
    for value in values:
        top = found >> 25
        found = (found & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate(_GENERATOR):
            found ^= generator if (top >> place) & 1 else 0
    return found


def _expanded(hrp: str) -> tuple[int, ...]:
    high, low = (ord(one) >> 5 for one in hrp), (ord(one) & 31 for one in hrp)
    return (*high, 0, *low)


def _regrouped(values: Iterable[int], width: int, to: int, *, pad: bool) -> tuple[int, ...]:
    """Groups of `width` bits as groups of `to` bits; what is left over must be zeros."""
    held = bits = 0
    found: list[int] = []
    for value in values:
        held, bits = (held << width) | value, bits + width
        while bits >= to:
            bits -= to
            found.append((held >> bits) & ((1 << to) - 1))
        held &= (1 << bits) - 1
    if pad and bits:
        found.append((held << (to - bits)) & ((1 << to) - 1))
    elif not pad and (bits >= width or held):
        raise Malformed("bad_padding", "text")
    return tuple(found)
