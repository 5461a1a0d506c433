"""The rows of what is shown: what the log's listings say, and no row touched that says it already.

An organisation is known by its `org_id`, a service by that and its key. An entry is the whole of
an organisation: a service that it does not name any more goes. A row that says what is stored
already touches nothing, so that times of change and the index's generation mean something.

This file does not look whether anybody has signed: `directory.publication` does, and is the only
one who may ask for it.

    report = store_listings(session, [Shown(origin, listings)], gone=[], now=now)
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from contracts.record_ids import organisation_id, service_id
from directory.imports import Listing
from directory.models import Generation, Organisation, Phone, Place, Service
from directory.taxonomies import INTERFACE_LANGUAGES

# SQLite takes at most 32,766 parameters in a query, older ones 999.
_CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a shown entry came from; times are the log's own, Unix seconds.

    `confirmed_at` is None while one coordinator's word is all there is.
    """

    entry: str
    listed_by: str
    listed_at: int
    confirmed_at: int | None
    unconfirmed: bool

    @property
    def confirmed_on(self) -> date | None:
        """The day, in UTC, on which somebody last vouched for it."""
        at = self.confirmed_at
        return None if at is None else datetime.fromtimestamp(at, UTC).date()


@dataclass(frozen=True, slots=True)
class Shown:
    """What is to be shown of one organisation: its rows, at least one, and their origin."""

    origin: Origin
    listings: Sequence[Listing]

    @property
    def org(self) -> str:
        """The organisation's id in the log."""
        return str(self.listings[0].values["org_id"])


@dataclass(frozen=True, slots=True)
class Report:
    """How many organisations and services were added, changed, taken out and left as they were."""

    organisations_added: int
    organisations_changed: int
    organisations_removed: int
    services_added: int
    services_changed: int
    services_removed: int
    services_unchanged: int

    @property
    def changes(self) -> int:
        """How many records are not as they were."""
        return (
            self.organisations_added
            + self.organisations_changed
            + self.organisations_removed
            + self.services_added
            + self.services_changed
            + self.services_removed
        )


def store_listings(
    session: Session, shown: Sequence[Shown], *, gone: Sequence[str] = (), now: int
) -> Report:
    """Show these, take out the organisations `gone`, and say what that changed.

    `now` is in Unix seconds. Nothing is committed: that is the caller's.
    """
    # Held until the end: two projections never mix, and the number moves with its changes.
    generation = session.scalars(select(Generation).with_for_update()).one()
    organisations, services = _Counter(), _Counter()
    for chunk in _chunks(gone):
        query = select(Organisation).where(Organisation.org_id.in_(chunk))
        for organisation in session.scalars(query).all():
            _remove(session, organisation.services, services)
            session.delete(organisation)
            organisations.removed += 1
        session.flush()
    _store_organisations(session, shown, now, organisations)
    for one in shown:
        _store_services(session, one, now, services)
    report = Report(
        organisations.added,
        organisations.changed,
        organisations.removed,
        services.added,
        services.changed,
        services.removed,
        services.unchanged,
    )
    generation.number += 1 if report.changes else 0
    session.flush()
    return report


@dataclass(slots=True)
class _Counter:
    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0

    def count(self, *, new: bool, changed: bool) -> None:
        if new:
            self.added += 1
        elif changed:
            self.changed += 1
        else:
            self.unchanged += 1


def _store_organisations(
    session: Session, shown: Sequence[Shown], now: int, counter: _Counter
) -> None:
    known: dict[str, Organisation] = {}
    for chunk in _chunks([one.org for one in shown]):
        query = select(Organisation).where(Organisation.org_id.in_(chunk))
        known |= {found.org_id: found for found in session.scalars(query)}
    for one in shown:
        fields = _organisation_fields(one)
        organisation = known.get(one.org)
        if organisation is None:
            session.add(Organisation(id=organisation_id(one.org), last_modified=now, **fields))
            counter.count(new=True, changed=True)
        else:
            counter.count(new=False, changed=_apply(organisation, fields, now))
    session.flush()


def _store_services(session: Session, shown: Shown, now: int, counter: _Counter) -> None:
    confirmed_on = shown.origin.confirmed_on
    wanted = {
        service_id(*listing.key): {**listing.values, "confirmed_on": confirmed_on}
        for listing in shown.listings
    }
    parts = (selectinload(Service.phones), joinedload(Service.place))
    of_it = Service.organisation_id == organisation_id(shown.org)
    known = {one.id: one for one in session.scalars(select(Service).where(of_it).options(*parts))}
    _remove(session, [one for one in known.values() if one.id not in wanted], counter)
    for service_uuid, values in wanted.items():
        service = known.get(service_uuid)
        if service is None:
            session.add(_new_service(service_uuid, values, now))
            counter.count(new=True, changed=True)
        else:
            counter.count(new=False, changed=_change_service(session, service, values, now))
    session.flush()


def _remove(session: Session, services: Sequence[Service], counter: _Counter) -> None:
    for service in services:
        session.delete(service)
        counter.removed += 1
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


def _organisation_fields(shown: Shown) -> dict[str, Any]:
    values, origin = shown.listings[0].values, shown.origin
    return {
        "org_id": values["org_id"],
        "kind": values["org_kind"],
        "name": values["org_name"],
        "alternate_names": list(values["org_alternate_names"]),
        "description": values["org_description"],
        "website": values["org_website"],
        "email": values["org_email"],
        "demo": values["demo"],
        "entry": origin.entry,
        "listed_by": origin.listed_by,
        "listed_at": origin.listed_at,
        "confirmed_at": origin.confirmed_at,
        "unconfirmed": origin.unconfirmed,
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
