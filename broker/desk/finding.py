"""Finding a service in the directory, and telling who can be written to.

The directory's listing is public and shown as it is; whether an organisation can receive comes
from the verified log, never from the listing. What is searched for travels in a request's body and
is kept nowhere.

    found = find(desk, Wanted(text="shelter", country="bd"))
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from broker.desk.client import HubRefused, Unreachable
from broker.desk.errors import DeskError
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
    """One service. `org` is None where the listing names no organisation of this network."""

    service_id: str
    name: str
    organisation: str
    org: OrgId | None
    can_receive: bool


@dataclass(frozen=True, slots=True)
class Page:
    """One page of services, and of how many in all."""

    total: int
    found: tuple[Found, ...]


def find(desk: Desk, wanted: Wanted) -> Page:
    """Ask the directory. Raises `DeskError` where it cannot be reached or read, `HardStop`."""
    try:
        page = desk.directory.search(_parameters(wanted))
    except Unreachable:
        raise DeskError("directory_unreachable") from None
    except HubRefused as refused:
        raise DeskError("directory_refused", rule=refused.code.replace("_", " ")) from None
    register, now = _register(desk), desk.clock()
    contents = page.get("contents", [])
    if not isinstance(contents, list):
        raise DeskError("directory_unreadable")
    found = tuple(_found(item, register, now=now) for item in contents if isinstance(item, dict))
    total = page.get("total_items", len(found))
    return Page(total if isinstance(total, int) else len(found), found)


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


def _found(item: Mapping[str, Any], register: Register, *, now: int) -> Found:
    organisation = item.get("organization")
    listed = organisation if isinstance(organisation, dict) else {}
    org = org_of_listing(item)
    return Found(
        service_id=_text(item.get("id")),
        name=_text(item.get("name")),
        organisation=_text(listed.get("name")),
        org=org,
        can_receive=org is not None and register.can_receive(org, now),
    )


def _text(value: object) -> str:
    """A listing's text for a terminal: control characters could rewrite what is on the screen."""
    text = value if isinstance(value, str) else ""
    return "".join(letter for letter in text if letter.isprintable())[:200]
