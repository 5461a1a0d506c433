"""What coordinators and witnesses hand to whoever writes the network's root file.

Small JSON files with public halves only, as `rujukan coordinator init` and `rujukan-directory
witness-key` write them. Whether they may stand together in one root file is `contracts.root`'s to
say, which reads what was made of them once more.

    read_coordinator(b'{"id": "my-…", "country": "my", "key": "B64"}')
    read_witness(b'{"country": "my", "url": "https://…", "key": "name+hash+B64"}')
"""

from __future__ import annotations

from typing import Final

from contracts.encoding import bytes_of, members, parse_object, text_of
from contracts.identifiers import parse_org_id
from contracts.root import WITNESS_KEY, Coordinator, Witness, parse_vkey
from contracts.signing import PUBLIC_KEY_SIZE

MAX_PUBLIC: Final = 4096


def read_coordinator(data: bytes) -> Coordinator:
    """A coordinator's public file. Raises `Malformed`."""
    fields = parse_object(data, limit=MAX_PUBLIC)
    members(fields, required={"id", "country", "key"})
    coordinator = parse_org_id(text_of(fields, "id"), field="id")
    key = bytes_of(fields, "key", size=PUBLIC_KEY_SIZE)
    return Coordinator(coordinator, text_of(fields, "country"), key)


def read_witness(data: bytes) -> Witness:
    """A witness's public file. Raises `Malformed`."""
    fields = parse_object(data, limit=MAX_PUBLIC)
    members(fields, required={"country", "url", "key"})
    key = parse_vkey(text_of(fields, "key"), kind=WITNESS_KEY, field="key")
    return Witness(text_of(fields, "country"), text_of(fields, "url"), key)
