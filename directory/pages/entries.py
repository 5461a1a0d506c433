"""What a page says of one service, in the reader's language.

Codes become labels, days become words, absent things stay absent: the templates decide nothing.
Confidential services have no place to show, because the database holds none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from babel import Locale
from babel.dates import format_date

from broker.service.language import gettext as _
from directory import taxonomies
from directory.freshness import Freshness, freshness
from directory.models import Organisation, Phone, Place, Service
from directory.search.query import Reason


@dataclass(frozen=True, slots=True)
class Number:
    """A phone number as it is shown."""

    number: str
    hotline: bool
    # The address that rings it; "" where it is fictional.
    call: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One service as the templates show it; texts of listings are plain text."""

    id: str
    org_id: str
    name: str
    other_names: tuple[str, ...]
    organisation: str
    kind: str
    description: str
    country: str
    area: tuple[str, ...]
    services: tuple[str, ...]
    populations: tuple[str, ...]
    languages: tuple[str, ...]
    availability: tuple[str, ...]
    phones: tuple[Number, ...]
    address: str
    confidential: bool
    accepts_referrals: bool
    referral_how: str
    can_receive: bool
    confirmed_on: str
    freshness: Freshness
    # One coordinator's word alone: not printed, not among hotlines.
    unconfirmed: bool
    reason: str = ""


def entry_of(
    service: Service, *, language: str, today: date, can_receive: bool, reason: str = ""
) -> Entry:
    """The service as a reader of `language` sees it on `today`."""
    organisation = service.organisation
    name = service.names.get(language) or service.name
    return Entry(
        id=service.id,
        org_id=organisation.org_id,
        name=name,
        other_names=_others(name, service.name, service.names.get("en", "")),
        organisation=organisation.name,
        kind=taxonomies.label("organisation_kind", organisation.kind, language),
        description=service.description,
        country=taxonomies.country_name(service.country, language),
        area=tuple(dict.fromkeys(filter(None, (service.region, *service.coverage)))),
        services=_labels("service", service.services, language),
        populations=_labels("population", service.populations, language),
        languages=tuple(taxonomies.language_name(code, language) for code in service.languages),
        availability=_labels("availability", service.availability, language),
        phones=tuple(_number(phone, organisation) for phone in service.phones),
        address=_address(service.place),
        confidential=service.confidential,
        accepts_referrals=service.accepts_referrals,
        referral_how=service.referral_how,
        can_receive=can_receive,
        confirmed_on=_day(service.confirmed_on, language),
        freshness=freshness(service.confirmed_on, today=today),
        unconfirmed=organisation.unconfirmed,
        reason=reason,
    )


def reason_text(reason: Reason, language: str) -> str:
    """Why a service was found, in a few words; "" where the reader can see it anyway."""
    if reason.code:
        text = _("Found by: %(label)s", label=code_label(reason.kind, reason.code, language))
    elif reason.kind in {"about", "place", "organisation"}:
        text = {
            "about": _("Found in its description"),
            "place": _("Found by its place"),
            "organisation": _("Found by the organisation's name"),
        }[reason.kind]
    elif reason.kind == "sound":
        text = _("The name is written a little differently")
    else:
        text = ""
    nearly = _("Not exactly what you typed") if reason.nearly else ""
    return " · ".join(filter(None, (text, nearly)))


def code_label(facet: str, code: str, language: str) -> str:
    """What a reader of `language` sees for a code of one of the search's facets."""
    if facet == "country":
        return taxonomies.country_name(code, language)
    if facet == "language":
        return taxonomies.language_name(code, language)
    return taxonomies.label(facet, code, language)


def _others(name: str, *names: str) -> tuple[str, ...]:
    """What else to ask for by phone: its own name, and the English one."""
    return tuple(other for other in dict.fromkeys(names) if other not in {"", name})


def _labels(taxonomy: str, codes: Sequence[str], language: str) -> tuple[str, ...]:
    return tuple(taxonomies.label(taxonomy, code, language) for code in codes)


def _number(phone: Phone, organisation: Organisation) -> Number:
    # RFC 3966: digits, and a plus sign before those of an international number.
    digits = "".join(c for c in phone.number if c in "+0123456789")
    hotline = phone.kind == "hotline" and not organisation.unconfirmed
    return Number(phone.number, hotline=hotline, call="" if organisation.demo else f"tel:{digits}")


def _address(place: Place | None) -> str:
    if place is None:
        return ""
    parts = (place.address_1, place.city, place.state_province, place.postal_code)
    return ", ".join(filter(None, parts))


def _day(day: date | None, language: str) -> str:
    return format_date(day, "long", locale=Locale.parse(language)) if day else ""
