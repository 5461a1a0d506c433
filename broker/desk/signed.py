"""What an organisation itself signed of a service, or two coordinators for it: never the page.

The directory says where to look; which words and numbers are true is in the entry whose hash
stands in the verified log. A directory that puts another name, or another organisation, under a
service is found out here, before anybody writes to whom it names.

    signed = Signed(desk.directory, register)
    signed.service(org, service_id)              # None: not what was signed
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from contracts.entries import Entry, EntryService, entry_hash, parse_entry
from contracts.errors import ContractError
from contracts.identifiers import OrgId
from contracts.record_ids import service_id
from contracts.register import Register


class EntryDoor(Protocol):
    """What is needed of the directory: an entry's bytes by their hash."""

    def entry(self, name: str) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class SignedService:
    """A service as its organisation signed it."""

    entry: Entry
    service: EntryService


class Signed:
    """Entries as the log lists them, each fetched once. Raises `Unreachable` of the directory."""

    def __init__(self, door: EntryDoor, register: Register) -> None:
        self._door = door
        self._register = register
        self._entries: dict[OrgId, Entry | None] = {}

    def service(self, org: OrgId, wanted: str) -> SignedService | None:
        """The service with this published id, or None where nobody signed such a one."""
        if org not in self._entries:
            self._entries[org] = self._entry(org)
        entry = self._entries[org]
        for service in () if entry is None else entry.services:
            if entry is not None and service_id(org, service.key) == wanted:
                return SignedService(entry, service)
        return None

    def _entry(self, org: OrgId) -> Entry | None:
        listed = self._register.listing(org)
        data = None if listed is None else self._door.entry(listed.entry)
        if listed is None or data is None or entry_hash(data) != listed.entry:
            return None
        try:
            entry = parse_entry(data)
        except ContractError:
            return None
        return entry if entry.org == org else None
