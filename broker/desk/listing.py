"""An organisation's entry in the directory: look at it, publish it, say that it is still true.

The desk signs the hash of the exact bytes, so that no directory can show another telephone number
under the organisation's name and go unnoticed. Which words may stand in an entry is the
directory's to say; this file shows what is signed and repeats nothing that a directory made up.

    entry = read_entry_file(path)
    publish_own(desk, door, entry, now=now)
    confirm_own(desk, listed, now=now)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from broker.desk.client import HubRefused
from broker.desk.errors import DeskError
from broker.desk.publishing import Publishing, publish
from broker.desk.unlocking import Desk
from broker.service.failures import Failure
from contracts.contents import Role
from contracts.drafting import confirm_statement, listing_statement
from contracts.entries import (
    MAX_ENTRY,
    Entry,
    EntryService,
    entry_hash,
    parse_entry,
    read_entry,
    render_entry,
)
from contracts.errors import ContractError
from contracts.identifiers import OrgId
from contracts.register import Listed, Register
from contracts.statements import Statement

_REMEDY: Final = "docs/import.md says what may stand there."


class EntryDoor(Protocol):
    """What is needed of the directory besides its log: where entries' bytes are left and found."""

    def keep_entry(self, data: bytes) -> None: ...
    def entry(self, name: str) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """What the log lists of an organisation, and its entry where the directory has the bytes."""

    listed: Listed
    entry: Entry | None


def read_entry_file(path: Path) -> Entry:
    """The entry that somebody wrote into a file. Raises `Failure` in a sentence."""
    try:
        with path.open("rb") as file:
            return read_entry(file.read(MAX_ENTRY + 1))
    except OSError:
        raise Failure(f"{path} cannot be read. Nothing was published.") from None
    except ContractError as error:
        where = f", in {error.field}" if error.field else ""
        raise Failure(
            f"{path} is not an entry ({error.code.replace('_', ' ')}{where}). Nothing was"
            f" published. {_REMEDY}"
        ) from None


def publish_own(desk: Desk, door: EntryDoor, entry: Entry, *, now: int) -> bool:
    """List this entry as our organisation's; False if it stood in the log already."""
    if entry.org != desk.org:
        raise Failure(
            f"This is the entry of {entry.org}, not of your organisation, {desk.org}. Nothing was"
            " published."
        )
    data = render_entry(entry)
    keep(door, data)
    name = entry_hash(data)

    def make(register: Register) -> Statement | None:
        _check_admin(desk, register)
        listed = register.listing(desk.org)
        if listed is not None and (listed.entry, listed.by) == (name, desk.org):
            return None
        heading = register.next_heading(desk.org, iat=now)
        return listing_statement(heading, desk.ring.signing, entry=name)

    return publish_listing(desk, make)


def confirm_own(desk: Desk, listed: Listed, *, now: int) -> None:
    """Say that the entry which was looked at is still true. Raises `Failure`, `DeskError`."""

    def make(register: Register) -> Statement:
        _check_admin(desk, register)
        check_same(register, listed)
        heading = register.next_heading(desk.org, iat=now)
        return confirm_statement(heading, desk.ring.signing, entry=listed.entry)

    publish_listing(desk, make)


def publish_listing(place: Publishing, make: Callable[[Register], Statement | None]) -> bool:
    """Publish a listing or confirmation, naming what to do where its bytes are not there."""
    try:
        return publish(place, make)
    except DeskError as error:
        if error.details.get("rule") == "entry missing":
            raise Failure(
                "The directory does not have the entry's bytes any more, so nothing was published."
                " Run the same command again."
            ) from None
        raise


def standing(register: Register, door: EntryDoor, org: OrgId) -> Standing:
    """What is listed of an organisation. Raises `Failure` where nothing is."""
    listed = register.listing(org)
    if listed is None:
        raise Failure(f"Nothing is listed of {org} in the network's log. Nothing was done.")
    data = door.entry(listed.entry)
    return Standing(listed, None if data is None else _shown(data))


def known_entry(found: Standing) -> Entry:
    """The entry, where its bytes were found: nobody confirms what they cannot see."""
    if found.entry is None:
        raise Failure(
            f"The directory does not show the bytes of the entry that the log lists for"
            f" {found.listed.org}, so nobody can look at it. Nothing was signed. Publish the"
            " entry again from its file."
        )
    return found.entry


def check_same(register: Register, listed: Listed) -> None:
    """Refuse where another entry was listed since somebody looked."""
    now_listed = register.listing(listed.org)
    if now_listed is None or now_listed.entry != listed.entry:
        raise Failure(
            "Another entry was listed meanwhile. Nothing was signed. Look at it and try again."
        )


def keep(door: EntryDoor, data: bytes) -> None:
    """Leave an entry's bytes with the directory. Raises `Failure` naming the rule they break."""
    try:
        door.keep_entry(data)
    except HubRefused as refused:
        where = f", in {refused.field}" if refused.field else ""
        raise Failure(
            f"The directory does not take this entry ({refused.code.replace('_', ' ')}{where})."
            f" Nothing was published. {_REMEDY}"
        ) from None


def entry_text(entry: Entry) -> str:
    """An entry for somebody who is about to sign it: all that the public will see."""
    lines = [
        f"{entry.org}  {plain(entry.name)} ({entry.kind}{', fictional' if entry.demo else ''})",
        f"  {plain(entry.description)}",
        *_line("also called", entry.alternate_names),
        *_line("web", (entry.website,)),
        *_line("e-mail", (entry.email,)),
    ]
    for service in entry.services:
        lines += _service_lines(service)
    return "\n".join(lines)


def plain(text: str) -> str:
    """An entry's text for a terminal: control characters could rewrite what is on the screen."""
    return "".join(letter for letter in text if letter.isprintable())


def _service_lines(service: EntryService) -> list[str]:
    place = service.place
    address = "" if place is None else f"{place.address_1}, {place.postal_code} {place.city}"
    refer = service.referral_how or ("yes" if service.accepts_referrals else "no")
    return [
        plain(f"  - {service.name} [{service.key}]: {', '.join(service.services)}"),
        *_line("  phone", service.phones),
        *_line("  hotline", service.hotlines),
        *_line("  languages", service.languages),
        *_line("  where", (service.country.upper(), service.region, *service.coverage)),
        *_line("  address", ("confidential" if service.confidential else address,)),
        *_line("  for", service.populations),
        *_line("  when", service.availability),
        *_line("  referrals", (refer,)),
        *_line("  about", (service.description,)),
    ]


def _line(label: str, values: tuple[str, ...]) -> list[str]:
    said = [plain(value) for value in values if value]
    return [f"  {label}: {'; '.join(said)}"] if said else []


def _shown(data: bytes) -> Entry | None:
    try:
        return parse_entry(data)
    except ContractError:
        return None


def _check_admin(desk: Desk, register: Register) -> None:
    device = register.device(desk.org, desk.ring.device)
    if device is None or device.role is not Role.ADMIN:
        raise DeskError("not_an_admin")
