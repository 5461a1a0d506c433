"""Reading listings for whoever shows them: each with its organisation, numbers and place.

    services = services_by_id(db.session, [hit.service_id for hit in results.hits])
    service.organisation.name, service.phones, service.place

The objects are the models' own and only to be read.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload, scoped_session, selectinload
from sqlalchemy.sql.base import ExecutableOption

from directory.models import Organisation, Service

AnySession: TypeAlias = Session | scoped_session[Any]


def services_by_id(session: AnySession, ids: Sequence[str]) -> list[Service]:
    """The services of these UUIDs in the same order; those that are gone are left out."""
    query = select(Service).where(Service.id.in_(ids)).options(*_whole_service())
    found = {service.id: service for service in session.scalars(query)}
    return [found[service_id] for service_id in ids if service_id in found]


def service_by_id(session: AnySession, service_id: str) -> Service | None:
    """One service, or None."""
    return next(iter(services_by_id(session, [service_id])), None)


def organisation_by_id(session: AnySession, organisation_id: str) -> Organisation | None:
    """One organisation by its published UUID, or None."""
    return session.get(Organisation, organisation_id)


def organisation_by_org_id(session: AnySession, org_id: str) -> Organisation | None:
    """One organisation by the id that the statement log knows it by, or None."""
    return session.scalars(select(Organisation).where(Organisation.org_id == org_id)).first()


def organisations(session: AnySession, *, offset: int, limit: int) -> list[Organisation]:
    """Organisations in the order of their names."""
    query = select(Organisation).order_by(Organisation.name, Organisation.id)
    return list(session.scalars(query.offset(offset).limit(limit)))


def count_organisations(session: AnySession) -> int:
    """How many organisations are listed."""
    return session.scalar(select(func.count()).select_from(Organisation)) or 0


def _whole_service() -> tuple[ExecutableOption, ...]:
    return (
        joinedload(Service.organisation),
        selectinload(Service.phones),
        joinedload(Service.place),
    )
