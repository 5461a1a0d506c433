"""Finding a service in the directory, and telling who can be written to.

The directory only says where to look. What is shown is what was signed (`broker.desk.signed`), and
whether an organisation can receive comes from the verified log; a service of which neither speaks
is left out and counted. What is searched for travels in a request's body and is kept nowhere.

    found = find(desk, Wanted(text="shelter", country="bd"))
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from broker.desk.client import HubRefused, Unreachable
from broker.desk.errors import DeskError
from broker.desk.signed import Signed
from broker.desk.unlocking import SYNC_EVERY, Desk
from broker.mirror import DirectoryUnreachable
from contracts.errors import ContractError
from contracts.identifiers import OrgId, parse_org_id
from contracts.register import Register

SCHEME = "rujukan"  # the scheme under which a listing names the organisation's id


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for: free text, ISO 3166-1 country, service code, ISO 639-3 language."""

    text: str = ""
    country: str = ""
    service: str = ""
    language: str = ""
    page: int = 1


@dataclass(frozen=True, slots=True)
class Found:
    """One service, as it was signed. `unconfirmed`: by one coordinator, and nobody else looked."""

    service_id: str
    name: str
    organisation: str
    org: OrgId
    can_receive: bool
    unconfirmed: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """One page of services, and of how many in all.

    `left_out`: how many of this page are not what anybody signed.
    """

    total: int
    found: tuple[Found, ...]
    left_out: int = 0


def find(desk: Desk, wanted: Wanted) -> Page:
    """Ask the directory. Raises `DeskError` where it cannot be reached or read, `HardStop`."""
    try:
        page = desk.directory.search(_parameters(wanted))
    except Unreachable:
        raise DeskError("directory_unreachable") from None
    except HubRefused as refused:
        raise DeskError("directory_refused", rule=refused.code.replace("_", " ")) from None
    contents = page.get("contents", [])
    if not isinstance(contents, list):
        raise DeskError("directory_unreadable")
    items = [item for item in contents if isinstance(item, dict)]
    try:
        found = _all_found(desk, items)
    except Unreachable:
        raise DeskError("directory_unreachable") from None
    total = page.get("total_items", len(items))
    total = total if isinstance(total, int) else len(items)
    return Page(total, found, left_out=len(items) - len(found))


def org_of_listing(service: Mapping[str, Any]) -> OrgId | None:
    """The organisation of this network that a listed service names as its own, if it names one."""
    organisation = service.get("organization")
    listed = organisation if isinstance(organisation, dict) else {}
    identifiers = listed.get("organization_identifiers", [])
    for one in identifiers if isinstance(identifiers, list) else []:
        if isinstance(one, dict) and one.get("identifier_scheme") == SCHEME:
            try:
                return parse_org_id(_text(one.get("identifier")))
            except ContractError:
                return None
    return None


def _all_found(desk: Desk, items: Sequence[Mapping[str, Any]]) -> tuple[Found, ...]:
    """What was signed of these; the log is looked at once more where something does not fit, since
    it may have been signed a moment ago.
    """
    found = _fitting(desk, items, _register(desk))
    if len(found) == len(items):
        return found
    with contextlib.suppress(DirectoryUnreachable):
        desk.log.sync()
    return _fitting(desk, items, desk.log.register)


def _fitting(
    desk: Desk, items: Sequence[Mapping[str, Any]], register: Register
) -> tuple[Found, ...]:
    signed, now = Signed(desk.directory, register), desk.clock()
    found = (_found(item, signed, register, now=now) for item in items)
    return tuple(one for one in found if one is not None)


def _register(desk: Desk) -> Register:
    """The log as far as it is known: a search need not fail where only the log is old."""
    with contextlib.suppress(DirectoryUnreachable):
        desk.log.ensure_fresh(SYNC_EVERY)
    return desk.log.register


def _parameters(wanted: Wanted) -> Mapping[str, str]:
    given = {
        "search": wanted.text,
        "country": wanted.country,
        "service": wanted.service,
        "language": wanted.language,
    }
    asked = {name: value for name, value in given.items() if value}
    return asked | {"page": str(wanted.page), "per_page": "20", "full": "true"}


def _found(
    item: Mapping[str, Any], signed: Signed, register: Register, *, now: int
) -> Found | None:
    org, service_id = org_of_listing(item), _text(item.get("id"))
    one = None if org is None else signed.service(org, service_id)
    if org is None or one is None:
        return None
    listed = register.listing(org)
    return Found(
        service_id=service_id,
        name=_text(one.service.name),
        organisation=_text(one.entry.name),
        org=org,
        can_receive=register.can_receive(org, now),
        unconfirmed=listed is not None and listed.unconfirmed,
    )


def _text(value: object) -> str:
    """A text for a terminal: control characters could rewrite what is on the screen."""
    text = value if isinstance(value, str) else ""
    return "".join(letter for letter in text if letter.isprintable())[:200]
