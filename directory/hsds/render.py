"""Listings as HSDS 3.2 JSON. Pure: models in, dictionaries out.

What HSDS has no word for is said as attributes, each a term of one of our published taxonomies
(`directory.taxonomies`): kind of help, population, availability, kind of organisation, whether
the place is confidential, whether referrals are accepted, and whether the organisation's desk
can receive an encrypted one (`sealed_referrals`: `can_receive` or `cannot_receive_yet`).

HSDS traps kept in mind: no nulls, so what is unsaid is left out; an address needs all its parts,
so a place known only by city has no location; a confidential service has no location at all.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from contracts.record_ids import entity_id
from directory import taxonomies
from directory.models import Organisation, Phone, Place, Service

Json: TypeAlias = dict[str, Any]

# HSDS names the scheme and the type of an identifier; ours has one word for both.
IDENTIFIER: Final = "rujukan"
_DEMO_ALERT: Final = "DEMO: this organisation is fictional. Nobody answers its numbers."
_UNCONFIRMED: Final = "Entered by one coordinator, unconfirmed: phone before you send anybody."


def service_json(service: Service, *, can_receive: bool) -> Json:
    """A service, fully nested."""
    return _said(
        **_service_head(service),
        phones=[_phone(phone, service.organisation) for phone in service.phones],
        languages=[_language(service, code) for code in service.languages],
        service_areas=_areas(service),
        service_at_locations=_at_locations(service),
        organization=organisation_json(service.organisation, can_receive=can_receive),
        attributes=_service_attributes(service),
    )


def service_in_list(service: Service) -> Json:
    """A service as lists show it: itself, its organisation's name, its kinds of help."""
    organisation = service.organisation
    return _said(
        **_service_head(service),
        organization=_said(
            id=organisation.id, name=organisation.name, description=organisation.description
        ),
        attributes=_service_attributes(service),
    )


def service_minimal(service: Service) -> Json:
    """Only which service and when it changed, under HSDS's name and its OpenAPI file's."""
    changed = _instant(service.last_modified)
    return {"id": service.id, "modified_date": changed, "last_modified": changed}


def organisation_json(organisation: Organisation, *, can_receive: bool) -> Json:
    """An organisation without its services."""
    codes = [
        ("organisation_kind", organisation.kind),
        ("sealed_referrals", "can_receive" if can_receive else "cannot_receive_yet"),
    ]
    identifier = {
        "id": entity_id("organization_identifier", organisation.org_id),
        "organization_id": organisation.id,
        "identifier_scheme": IDENTIFIER,
        "identifier_type": IDENTIFIER,
        "identifier": organisation.org_id,
    }
    return _said(
        id=organisation.id,
        name=organisation.name,
        alternate_name="; ".join(organisation.alternate_names),
        description=organisation.description,
        email=organisation.email,
        website=organisation.website,
        organization_identifiers=[identifier],
        attributes=[_attribute("organization", organisation.id, *code) for code in codes],
    )


def page_json(contents: list[Json], *, total: int, page: int, per_page: int) -> Json:
    """HSDS's page object round the contents of one page; pages count from 1."""
    pages = -(-total // per_page)
    return {
        "total_items": total,
        "total_pages": pages,
        "page_number": page,
        "size": len(contents),
        "first_page": page == 1,
        "last_page": page >= pages,
        "empty": not contents,
        "contents": contents,
    }


def _service_head(service: Service) -> Json:
    others = dict.fromkeys(name for name in service.names.values() if name != service.name)
    confirmed = service.confirmed_on
    return {
        "id": service.id,
        "organization_id": service.organisation_id,
        "name": service.name,
        "alternate_name": "; ".join(others),
        "description": service.description,
        "url": service.organisation.website,
        "email": service.organisation.email,
        "status": "active",
        "application_process": service.referral_how,
        "assured_date": confirmed.isoformat() if confirmed else None,
        "alert": " ".join(_alerts(service.organisation)),
        "last_modified": _instant(service.last_modified),
    }


def _alerts(organisation: Organisation) -> Iterator[str]:
    if organisation.demo:
        yield _DEMO_ALERT
    if organisation.unconfirmed:
        yield _UNCONFIRMED


def _service_attributes(service: Service) -> list[Json]:
    unconfirmed = service.organisation.unconfirmed
    # A number that one coordinator entered is shown, and is no hotline.
    shown = [code for code in service.services if code != "hotline" or not unconfirmed]
    codes = [("service", code) for code in shown]
    codes += [("population", code) for code in service.populations]
    codes += [("availability", code) for code in service.availability]
    codes.append(
        ("referrals", "accepts_referrals" if service.accepts_referrals else "no_referrals")
    )
    if service.confidential:
        codes.append(("place", "confidential"))
    return [_attribute("service", service.id, *code) for code in codes]


def _attribute(entity: str, entity_key: str, taxonomy: str, code: str) -> Json:
    return {
        "id": entity_id("attribute", entity_key, taxonomy, code),
        "link_id": entity_key,
        "link_type": taxonomy,
        "link_entity": entity,
        "taxonomy_term_id": taxonomies.term_id(taxonomy, code),
        "taxonomy_term": _term(taxonomy, code),
        "label": taxonomies.label(taxonomy, code, "en"),
    }


def _term(taxonomy: str, code: str) -> Json:
    name = taxonomies.label(taxonomy, code, "en")
    detail = taxonomies.taxonomy(taxonomy)
    return {
        "id": taxonomies.term_id(taxonomy, code),
        "code": code,
        "name": name,
        "description": name,
        "taxonomy": detail.name,
        "taxonomy_id": taxonomies.taxonomy_id(taxonomy),
        "taxonomy_detail": {
            "id": taxonomies.taxonomy_id(taxonomy),
            "name": detail.name,
            "description": detail.description,
        },
        "language": "en",
    }


def _phone(phone: Phone, organisation: Organisation) -> Json:
    return {
        "id": entity_id("phone", phone.service_id, str(phone.position)),
        "service_id": phone.service_id,
        "number": phone.number,
        "type": "voice" if organisation.unconfirmed else phone.kind,
    }


def _language(service: Service, code: str) -> Json:
    return {
        "id": entity_id("language", service.id, code),
        "service_id": service.id,
        "name": taxonomies.language_name(code, "en"),
        "code": code,
    }


def _areas(service: Service) -> list[Json]:
    """The country first, by its code, then the places that the service names itself."""
    country = service.country.upper()
    named = taxonomies.country_name(country, "en")
    areas = [_area(service, country, name=named, extent=country)]
    places = dict.fromkeys((service.region, *service.coverage))
    return areas + [_area(service, place, name=place, extent=place) for place in places if place]


def _area(service: Service, key: str, *, name: str, extent: str) -> Json:
    return {
        "id": entity_id("service_area", service.id, key),
        "service_id": service.id,
        "name": name,
        "extent": extent,
        "extent_type": "text",
    }


def _at_locations(service: Service) -> list[Json]:
    if service.place is None:
        return []
    location = _location(service, service.place)
    return [{"id": entity_id("service_at_location", service.id), "location": location}]


def _location(service: Service, place: Place) -> Json:
    address = {
        "id": entity_id("address", service.id),
        "address_1": place.address_1,
        "city": place.city,
        "state_province": place.state_province,
        "postal_code": place.postal_code,
        "country": service.country.upper(),
        "address_type": "physical",
    }
    return _said(
        id=entity_id("location", service.id),
        location_type="physical",
        latitude=place.latitude,
        longitude=place.longitude,
        addresses=[address],
    )


def _instant(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _said(**members: object) -> Json:
    """The members that say something: HSDS knows no null, and an empty text says nothing."""
    return {name: value for name, value in members.items() if value not in _UNSAID}


_UNSAID: Iterable[object] = (None, "", [])
