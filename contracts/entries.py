"""The entry of an organisation: the exact bytes whose hash a `listing` statement signs.

One JSON object, one spelling: members in the order written here, nothing said twice, what is
unsaid left out, so that who renders the same entry again gets the same bytes and the same hash. An
entry without services takes the organisation off the public list: the log cannot forget, but
nobody should ring a door that is closed.
Coordinates are decimal text, because the contracts know no fractions. An entry whose service is
confidential has no place: there is no member in which its address could stand.

This file reads the form. It refuses to know which words, numbers and web addresses may stand in an
entry; that is the directory's, as for every row of an import.

    data = render_entry(entry)
    entry_hash(data)                      # what the statement names
    entry = parse_entry(data)             # Malformed, or Refused("confidential_place", "place")
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from contracts.codes import ORG_KINDS
from contracts.encoding import (
    JsonInput,
    JsonObject,
    JsonValue,
    dump_json,
    h256,
    list_of,
    members,
    number_of,
    object_of,
    parse_object,
    text_of,
    texts_of,
)
from contracts.errors import Malformed, Refused
from contracts.identifiers import OrgId, parse_org_id

VERSION: Final = 1
# Two hundred services with long descriptions; what a directory keeps for each organisation.
MAX_ENTRY: Final = 256 * 1024
MAX_SERVICES: Final = 400
# A country's whole list, prepared for a coordinator: the bound of the import's own file.
MAX_ENTRIES: Final = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class EntryPlace:
    """Where an open service is found; coordinates are decimal degrees, "" if unsaid."""

    address_1: str
    city: str
    state_province: str
    postal_code: str
    latitude: str = ""
    longitude: str = ""


@dataclass(frozen=True, slots=True)
class EntryService:
    """One service of an organisation. Texts are "" and lists empty where nothing is said.

    `key` is the organisation's own and stays; `names` maps interface languages to the service's
    name in them. A confidential service has no `place`.
    """

    key: str
    name: str
    services: tuple[str, ...]
    languages: tuple[str, ...]
    country: str
    confidential: bool
    names: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    populations: tuple[str, ...] = ()
    region: str = ""
    coverage: tuple[str, ...] = ()
    availability: tuple[str, ...] = ()
    accepts_referrals: bool = False
    referral_how: str = ""
    phones: tuple[str, ...] = ()
    hotlines: tuple[str, ...] = ()
    place: EntryPlace | None = None

    def __post_init__(self) -> None:
        if self.confidential and self.place is not None:
            raise Refused("confidential_place", "place")


@dataclass(frozen=True, slots=True)
class Entry:
    """What the directory shows of an organisation: itself, and at least one service."""

    org: OrgId
    kind: str
    name: str
    description: str
    services: tuple[EntryService, ...]
    alternate_names: tuple[str, ...] = ()
    website: str = ""
    email: str = ""
    demo: bool = False


def entry_hash(data: bytes) -> str:
    """The name of these bytes in statements and addresses: SHA-256, 64 hex digits."""
    return h256(data).hex()


def render_entry(entry: Entry) -> bytes:
    """The one byte form of an entry."""
    return dump_json(_entry_json(entry))


def parse_entry(data: bytes) -> Entry:
    """The entry of exact bytes. Raises as `read_entry`, and `Malformed("not_canonical")` where
    the same entry is spelt in another way than `render_entry` does.
    """
    entry = read_entry(data)
    if render_entry(entry) != data:
        raise Malformed("not_canonical")
    return entry


def read_entry(data: bytes) -> Entry:
    """An entry as people write it: any spacing, members in any order.

    Raises `Malformed`, or `Refused("confidential_place", "place")`.
    """
    return _read_entry(parse_object(data, limit=MAX_ENTRY))


def render_entries(entries: Sequence[Entry]) -> bytes:
    """A file of entries that nobody has signed yet, one a line, for a coordinator to look at."""
    lines = b",\n".join(render_entry(entry) for entry in entries)
    return b'{"v":1,"entries":[\n' + lines + b"\n]}\n"


def parse_entries(data: bytes) -> tuple[Entry, ...]:
    """The entries of such a file, one for each organisation. Raises as `read_entry`."""
    fields = parse_object(data, limit=MAX_ENTRIES)
    members(fields, required={"v", "entries"})
    _check_version(fields)
    entries = tuple(_read_entry(_object(item, "entries")) for item in list_of(fields, "entries"))
    if len({entry.org for entry in entries}) != len(entries):
        raise Malformed("id_repeated", "org")
    return entries


_REQUIRED: Final = frozenset({"v", "org", "kind", "name", "description", "services"})
_OPTIONAL: Final = frozenset({"alternate_names", "website", "email", "demo"})
_SERVICE_REQUIRED: Final = frozenset(
    {"key", "name", "services", "languages", "country", "confidential"}
)
_SERVICE_OPTIONAL: Final = frozenset(
    {
        "names",
        "description",
        "populations",
        "region",
        "coverage",
        "availability",
        "accepts_referrals",
        "referral_how",
        "phones",
        "hotlines",
        "place",
    }
)
_PLACE_REQUIRED: Final = frozenset({"address_1", "city", "state_province", "postal_code"})
_PLACE_OPTIONAL: Final = frozenset({"latitude", "longitude"})
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}")


def _said(**written: JsonInput) -> dict[str, JsonInput]:
    """The members that say something, and those that must always be there.

    Whether a place may be known is never left to a default.
    """
    must = _REQUIRED | _SERVICE_REQUIRED
    return {name: value for name, value in written.items() if value or name in must}


def _entry_json(entry: Entry) -> dict[str, JsonInput]:
    return _said(
        v=VERSION,
        org=entry.org,
        kind=entry.kind,
        name=entry.name,
        alternate_names=list(entry.alternate_names),
        description=entry.description,
        website=entry.website,
        email=entry.email,
        demo=entry.demo,
        services=[_service_json(service) for service in entry.services],
    )


def _service_json(service: EntryService) -> dict[str, JsonInput]:
    return _said(
        key=service.key,
        name=service.name,
        names={language: name for language, name in sorted(service.names.items()) if name},
        description=service.description,
        services=list(service.services),
        populations=list(service.populations),
        languages=list(service.languages),
        country=service.country,
        region=service.region,
        coverage=list(service.coverage),
        availability=list(service.availability),
        accepts_referrals=service.accepts_referrals,
        referral_how=service.referral_how,
        confidential=service.confidential,
        place=_place_json(service.place),
        phones=list(service.phones),
        hotlines=list(service.hotlines),
    )


def _place_json(place: EntryPlace | None) -> dict[str, JsonInput] | None:
    if place is None:
        return None
    whole: dict[str, JsonInput] = {
        "address_1": place.address_1,
        "city": place.city,
        "state_province": place.state_province,
        "postal_code": place.postal_code,
    }
    return whole | _said(latitude=place.latitude, longitude=place.longitude)


def _read_entry(fields: JsonObject) -> Entry:
    members(fields, required=_REQUIRED, optional=_OPTIONAL)
    _check_version(fields)
    services = list_of(fields, "services")
    if len(services) > MAX_SERVICES:
        raise Malformed("wrong_count", "services")
    entry = Entry(
        org=parse_org_id(text_of(fields, "org")),
        kind=text_of(fields, "kind"),
        name=text_of(fields, "name"),
        alternate_names=_texts(fields, "alternate_names"),
        description=text_of(fields, "description"),
        website=_text(fields, "website"),
        email=_text(fields, "email"),
        demo=_flag(fields, "demo"),
        services=tuple(_read_service(_object(item, "services")) for item in services),
    )
    if entry.kind not in ORG_KINDS:
        raise Malformed("unknown_kind", "kind")
    if len({service.key for service in entry.services}) != len(entry.services):
        raise Malformed("key_repeated", "key")
    return entry


def _read_service(fields: JsonObject) -> EntryService:
    members(fields, required=_SERVICE_REQUIRED, optional=_SERVICE_OPTIONAL)
    confidential = _flag(fields, "confidential")
    if confidential and "place" in fields:
        raise Refused("confidential_place", "place")
    return EntryService(
        key=text_of(fields, "key"),
        name=text_of(fields, "name"),
        names=_names(fields),
        description=_text(fields, "description"),
        services=_texts(fields, "services"),
        populations=_texts(fields, "populations"),
        languages=_texts(fields, "languages"),
        country=text_of(fields, "country"),
        region=_text(fields, "region"),
        coverage=_texts(fields, "coverage"),
        availability=_texts(fields, "availability"),
        accepts_referrals=_flag(fields, "accepts_referrals"),
        referral_how=_text(fields, "referral_how"),
        confidential=confidential,
        place=_read_place(object_of(fields, "place")) if "place" in fields else None,
        phones=_texts(fields, "phones"),
        hotlines=_texts(fields, "hotlines"),
    )


def _read_place(fields: JsonObject) -> EntryPlace:
    members(fields, required=_PLACE_REQUIRED, optional=_PLACE_OPTIONAL)
    return EntryPlace(
        address_1=text_of(fields, "address_1"),
        city=text_of(fields, "city"),
        state_province=text_of(fields, "state_province"),
        postal_code=text_of(fields, "postal_code"),
        latitude=_text(fields, "latitude"),
        longitude=_text(fields, "longitude"),
    )


def _names(fields: JsonObject) -> dict[str, str]:
    found = object_of(fields, "names") if "names" in fields else {}
    if not all(_LANGUAGE.fullmatch(language) for language in found):
        raise Malformed("not_a_language", "names")
    if not all(isinstance(name, str) for name in found.values()):
        raise Malformed("wrong_type", "names")
    return {language: str(name) for language, name in found.items()}


def _text(fields: JsonObject, name: str) -> str:
    return text_of(fields, name) if name in fields else ""


def _texts(fields: JsonObject, name: str) -> tuple[str, ...]:
    found = texts_of(fields, name) if name in fields else ()
    if not all(found) or len(set(found)) != len(found):
        raise Malformed("empty" if not all(found) else "repeated", name)
    return found


def _flag(fields: JsonObject, name: str) -> bool:
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise Malformed("wrong_type", name)
    return value


def _object(item: JsonValue, name: str) -> JsonObject:
    if not isinstance(item, dict):
        raise Malformed("wrong_type", name)
    return item


def _check_version(fields: JsonObject) -> None:
    if number_of(fields, "v") != VERSION:
        raise Malformed("unknown_version", "v")
