"""Putting imported listings into the database: all or nothing, and nothing that did not change.

An organisation is known by its `org_id`, a service by that and its key. What the file does not
name stays as it is. A row that says what is stored already touches nothing, so that times of
change and the index's generation mean something.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, joinedload, selectinload

from broker.service.database import writing
from directory.ids import organisation_id, service_id
from directory.imports import Listing
from directory.models import Generation, Organisation, Phone, Place, Service
from directory.taxonomies import INTERFACE_LANGUAGES

# SQLite takes at most 32,766 parameters in a query, older ones 999.
_CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class Report:
    """How many organisations and services an import added, changed and found unchanged."""

    organisations_added: int
    organisations_changed: int
    services_added: int
    services_changed: int
    services_unchanged: int

    @property
    def changes(self) -> int:
        """How many records are not as they were."""
        organisations = self.organisations_added + self.organisations_changed
        return organisations + self.services_added + self.services_changed


def store_listings(
    engine: Engine, listings: Sequence[Listing], *, now: int, dry_run: bool
) -> Report:
    """Store the listings and say what that changed; `now` is in Unix seconds.

    With `dry_run` everything is done and taken back, so that its report is the true one.
    """
    with Session(writing(engine)) as session:
        # Held until the end: two imports never mix, and the number moves with its changes.
        generation = session.scalars(select(Generation).with_for_update()).one()
        organisations = _Counter()
        services = _Counter()
        _store_organisations(session, listings, now, organisations)
        _store_services(session, listings, now, services)
        report = Report(
            organisations.added,
            organisations.changed,
            services.added,
            services.changed,
            services.unchanged,
        )
        generation.number += 1 if report.changes else 0
        session.flush()
        if not dry_run:
            session.commit()
        return report


@dataclass(slots=True)
class _Counter:
    added: int = 0
    changed: int = 0
    unchanged: int = 0

    def count(self, *, new: bool, changed: bool) -> None:
        if new:
            self.added += 1
        elif changed:
            self.changed += 1
        else:
            self.unchanged += 1


def _store_organisations(
    session: Session, listings: Sequence[Listing], now: int, counter: _Counter
) -> None:
    wanted = {listing.values["org_id"]: listing.values for listing in listings}
    known: dict[str, Organisation] = {}
    for chunk in _chunks(list(wanted)):
        query = select(Organisation).where(Organisation.org_id.in_(chunk))
        known |= {found.org_id: found for found in session.scalars(query)}
    for org, values in wanted.items():
        fields = _organisation_fields(values)
        organisation = known.get(org)
        if organisation is None:
            session.add(Organisation(id=organisation_id(org), last_modified=now, **fields))
            counter.count(new=True, changed=True)
        else:
            counter.count(new=False, changed=_apply(organisation, fields, now))
    session.flush()


def _store_services(
    session: Session, listings: Sequence[Listing], now: int, counter: _Counter
) -> None:
    for chunk in _chunks(listings):
        ids = {service_id(*listing.key): listing.values for listing in chunk}
        parts = (selectinload(Service.phones), joinedload(Service.place))
        query = select(Service).where(Service.id.in_(ids)).options(*parts)
        known = {service.id: service for service in session.scalars(query)}
        for service_uuid, values in ids.items():
            service = known.get(service_uuid)
            if service is None:
                session.add(_new_service(service_uuid, values, now))
                counter.count(new=True, changed=True)
            else:
                changed = _change_service(session, service, values, now)
                counter.count(new=False, changed=changed)
        session.flush()


def _new_service(service_uuid: str, values: Mapping[str, Any], now: int) -> Service:
    service = Service(id=service_uuid, last_modified=now, **_service_fields(values))
    service.phones = _phones(values)
    service.place = _place(values)
    return service


def _change_service(
    session: Session, service: Service, values: Mapping[str, Any], now: int
) -> bool:
    place, phones = _place(values), _phones(values)
    moved = _same(service.place, _PLACE_FIELDS) != _same(place, _PLACE_FIELDS)
    if moved:
        # Gone before the service may become confidential: the database allows no other order.
        service.place = None
        session.flush()
    rung = [(phone.number, phone.kind) for phone in service.phones]
    renumbered = rung != [(phone.number, phone.kind) for phone in phones]
    if renumbered:
        service.phones = []
        session.flush()
        service.phones = phones
    changed = _apply(service, _service_fields(values), now) or moved or renumbered
    if moved:
        session.flush()
        service.place = place
    if changed:
        service.last_modified = now
    return changed


_PLACE_FIELDS: Final = (
    "address_1",
    "city",
    "state_province",
    "postal_code",
    "latitude",
    "longitude",
)
_Row = TypeVar("_Row", Organisation, Service)


def _apply(row: _Row, fields: Mapping[str, object], now: int) -> bool:
    different = {name: value for name, value in fields.items() if getattr(row, name) != value}
    for name, value in different.items():
        setattr(row, name, value)
    if different:
        row.last_modified = now
    return bool(different)


def _same(place: Place | None, fields: Iterable[str]) -> tuple[object, ...] | None:
    return None if place is None else tuple(getattr(place, name) for name in fields)


def _organisation_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "org_id": values["org_id"],
        "kind": values["org_kind"],
        "name": values["org_name"],
        "alternate_names": list(values["org_alternate_names"]),
        "description": values["org_description"],
        "website": values["org_website"],
        "email": values["org_email"],
        "demo": values["demo"],
    }


def _service_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    names = {language: values[f"name_{language}"] for language in INTERFACE_LANGUAGES}
    lists = ("services", "populations", "languages", "availability", "coverage")
    plain = ("description", "country", "region", "referral_how", "confirmed_on")
    return {
        "organisation_id": organisation_id(values["org_id"]),
        "key": values["service_key"],
        "name": values["service_name"],
        "names": {language: name for language, name in names.items() if name},
        "accepts_referrals": values["accepts_referrals"],
        "confidential": values["confidential"],
        **{name: list(values[name]) for name in lists},
        **{name: values[name] for name in plain},
    }


def _phones(values: Mapping[str, Any]) -> list[Phone]:
    numbers = [(number, "hotline") for number in values["hotline"]]
    numbers += [(number, "voice") for number in values["phone"]]
    return [Phone(position=i, number=n, kind=kind) for i, (n, kind) in enumerate(numbers)]


def _place(values: Mapping[str, Any]) -> Place | None:
    if values["confidential"] or not values["address_1"]:
        return None
    return Place(confidential=False, **{name: values[name] for name in _PLACE_FIELDS})


_T = TypeVar("_T")


def _chunks(items: Sequence[_T]) -> Iterable[Sequence[_T]]:
    return (items[i : i + _CHUNK] for i in range(0, len(items), _CHUNK))
