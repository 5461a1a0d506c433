"""The 40 digits that two people compare over the phone before they trust a key.

They depend on the organisation and its root key alone, so they are the same on every screen and
stay the same as long as that key does. This file does not know who called whom.

    fingerprint(org, root=organisation.root)  →  "01234 56789 …", eight groups
"""

from __future__ import annotations

import hashlib
from typing import Final

from contracts.identifiers import OrgId

_LABEL: Final = b"rujukan-fingerprint/1\0"
_GROUPS: Final = 8
_GROUP_BYTES: Final = 5


def fingerprint(org: OrgId, *, root: bytes) -> str:
    """Eight groups of five decimal digits of an organisation and its 32-byte root key.

    Each group is five bytes of the hash modulo 100000; the bias of that is under one in ten
    million. 40 digits hold about 132 bits: nobody finds a second key with the same digits.
    """
    digest = hashlib.sha512(_LABEL + org.encode("ascii") + root).digest()
    starts = range(0, _GROUPS * _GROUP_BYTES, _GROUP_BYTES)
    numbers = (int.from_bytes(digest[start : start + _GROUP_BYTES], "big") for start in starts)
    return " ".join(f"{number % 100_000:05d}" for number in numbers)
