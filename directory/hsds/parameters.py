"""What the lists may be asked, in the address or in the body of their POST twins.

Unknown parameters are refused: silently ignored, a misspelt filter would widen a search for a
shelter without anybody noticing.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from marshmallow import RAISE, Schema, fields, validate

from directory import taxonomies
from directory.search.index import FACETS
from directory.search.labels import Code
from directory.search.normaliser import MAX_QUERY
from directory.search.query import MAX_PER_PAGE, Query

_LAST_PAGE: Final = 1_000_000


def _code(allowed: tuple[str, ...], meaning: str) -> fields.String:
    return fields.String(validate=validate.OneOf(allowed), metadata={"description": meaning})


class PageParameters(Schema):
    """Which part of a list."""

    class Meta:
        """Refuse what is not declared."""

        unknown = RAISE

    page = fields.Integer(load_default=1, validate=validate.Range(1, _LAST_PAGE), strict=False)
    per_page = fields.Integer(load_default=20, validate=validate.Range(1, MAX_PER_PAGE))


class OrganizationsParameters(PageParameters):
    """`/organizations`."""


class OrganizationParameters(Schema):
    """`/organizations/{id}`."""

    full_service = fields.Boolean(
        load_default=False, metadata={"description": "Add the organisation's services, nested."}
    )


class ServicesParameters(PageParameters):
    """`/services`. Every filter given must hold. The last four are additions of our profile."""

    search = fields.String(
        load_default="",
        validate=validate.Length(max=MAX_QUERY),
        metadata={"description": "Words in any language. Use POST to keep them out of addresses."},
    )
    taxonomy_term_id = fields.UUID(metadata={"description": "A term of our taxonomies."})
    organization_id = fields.UUID(metadata={"description": "Only services of this organisation."})
    modified_after = fields.AwareDateTime(
        format="iso", default_timezone=UTC, metadata={"description": "On or after this instant."}
    )
    minimal = fields.Boolean(load_default=False, metadata={"description": "Only id and time."})
    full = fields.Boolean(load_default=False, metadata={"description": "Fully nested."})
    country = fields.String(
        validate=validate.Regexp(r"^[A-Za-z]{2}\Z"),
        metadata={"description": "Where the service is: ISO 3166-1 alpha-2."},
    )
    language = _code(tuple(taxonomies.SPOKEN_LANGUAGES), "A language spoken: ISO 639-3.")
    population = _code(taxonomies.CODES["population"], "Who is served.")
    service = _code(taxonomies.CODES["service"], "Kind of help.")


def service_query(parameters: Mapping[str, Any]) -> Query | None:
    """The search that these parameters ask for, or None if a term asked for is none of ours."""
    term = parameters.get("taxonomy_term_id")
    codes: tuple[Code, ...] = ()
    if term is not None:
        code = taxonomies.terms_by_id().get(str(term))
        if code is None or code[0] not in FACETS:
            return None
        codes = (code,)
    organisation = parameters.get("organization_id")
    country = parameters.get("country")
    return Query(
        text=parameters["search"],
        country=country.lower() if country else None,
        service=parameters.get("service"),
        language=parameters.get("language"),
        population=parameters.get("population"),
        page=parameters["page"],
        per_page=parameters["per_page"],
        organisation_id=str(organisation) if organisation else None,
        modified_after=_seconds(parameters.get("modified_after")),
        codes=codes,
    )


def _seconds(instant: datetime | None) -> int | None:
    """Rounded up: what changed within the same second before it is not asked for."""
    return None if instant is None else -int(-instant.timestamp() // 1)
