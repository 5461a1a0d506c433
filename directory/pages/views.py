"""The addresses of the public pages.

A search is sent by POST, so that its words stay out of the browser's history, the address bar
and every log on the way; the same address answers GET with the same parameters, for a link that
somebody wants to keep. A parameter that is not understood is said on the page and left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Final

from flask import Blueprint, Response, make_response, render_template, request, url_for

from broker.service.language import OWN_NAMES, current_language, ngettext
from broker.service.language import gettext as _
from contracts.identifiers import OrgId
from directory import taxonomies
from directory.db import db
from directory.listings import service_by_id, services_by_id
from directory.models import Service
from directory.pages.entries import Entry, code_label, entry_of, reason_text
from directory.runtime import runtime
from directory.search.query import Query, Reason, Results

_PER_PAGE: Final = 20
_MAX_PAGE: Final = 10_000  # deeper than any reader goes; bounds the work of one request
_MAX_TEXT: Final = 200
_FILTERS: Final = ("country", "service", "language", "population")
# Languages whose catalogue somebody who speaks it has read and vouched for.
_REVIEWED: Final = frozenset({"en"})
# Where "leave this page" leads: dull, and reachable where the language is read.
_LEAVE_TO: Final = "https://www.wikipedia.org/"
_LEAVE_TO_BY_LANGUAGE: Final = {"zh": "https://www.baidu.com/"}

blueprint = Blueprint(
    "pages",
    __name__,
    url_prefix="/<lang>",
    template_folder="templates",
    static_folder="static",
    static_url_path="/static",
)


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a filter; `count` is how many of the services found have it."""

    code: str
    label: str
    count: int | None


@blueprint.route("/", methods=["GET", "POST"])
def search(lang: str) -> Response:
    """The search form and one page of what it finds."""
    given = request.form if request.method == "POST" else request.args
    query, problems = _query(given)
    results = runtime().search.find(query)
    return _page(
        "pages/search.html",
        query=query,
        problems=problems,
        results=results,
        entries=_found(results, lang),
        pages=-(-results.total // query.per_page),
        choices=_choices(query, results, lang),
    )


@blueprint.get("/services/<uuid:service_id>")
def entry(lang: str, service_id: object) -> Response:
    """One service."""
    service = service_by_id(db.session, str(service_id))
    if service is None:
        return _page("pages/missing.html", status=HTTPStatus.NOT_FOUND)
    return _page("pages/entry.html", entry=_entry(service, lang, _today()))


@blueprint.app_context_processor
def _frame() -> dict[str, object]:
    language = current_language()
    return {
        "_": _,
        "ngettext": ngettext,
        "demonstration": runtime().root.k == 0,
        "unreviewed": language not in _REVIEWED,
        "leave_to": _LEAVE_TO_BY_LANGUAGE.get(language, _LEAVE_TO),
        "language_links": [(tag, OWN_NAMES[tag], _same_page_in(tag)) for tag in _offered()],
    }


def _offered() -> tuple[str, ...]:
    return taxonomies.INTERFACE_LANGUAGES


def _same_page_in(language: str) -> str:
    endpoint, values = request.endpoint, dict(request.view_args or {})
    if endpoint not in {"pages.search", "pages.entry"}:
        return url_for("pages.search", lang=language)
    return url_for(endpoint, **{**values, "lang": language})


def _page(template: str, *, status: HTTPStatus = HTTPStatus.OK, **values: object) -> Response:
    answer = make_response(render_template(template, **values), status)
    answer.headers["Vary"] = "Accept, Accept-Language"
    # A shared computer must not show the last reader's search to the next one.
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _query(given: Mapping[str, str]) -> tuple[Query, list[str]]:
    """What the form asks for, and a sentence for each part that was not understood."""
    chosen = {name: given.get(name) or None for name in _FILTERS}
    known = {name: code for name, code in chosen.items() if _known(name, code)}
    page = given.get("page", "1")
    right_page = page.isascii() and page.isdigit() and 1 <= int(page[:6]) <= _MAX_PAGE
    query = Query(
        text=given.get("search", "")[:_MAX_TEXT],
        country=known.get("country"),
        service=known.get("service"),
        language=known.get("language"),
        population=known.get("population"),
        page=int(page) if right_page else 1,
        per_page=_PER_PAGE,
    )
    if known == chosen:
        return query, []
    return query, [_("One of the filters was not understood and was left out.")]


def _known(facet: str, code: str | None) -> bool:
    if code is None:
        return True
    if facet == "country":
        return taxonomies.is_country(code)
    if facet == "language":
        return code in taxonomies.SPOKEN_LANGUAGES
    return code in taxonomies.CODES[facet]


def _choices(query: Query, results: Results, language: str) -> dict[str, list[Choice]]:
    return {
        facet: _choices_of(facet, _offered_codes(facet, query, results), results, language)
        for facet in _FILTERS
    }


def _choices_of(facet: str, codes: set[str], results: Results, language: str) -> list[Choice]:
    counts = results.facets.get(facet, {})
    choices = (Choice(code, code_label(facet, code, language), counts.get(code)) for code in codes)
    return sorted(choices, key=lambda choice: choice.label.casefold())


def _offered_codes(facet: str, query: Query, results: Results) -> set[str]:
    """Every code that some service found has, and the chosen one, so that it can be seen."""
    chosen = getattr(query, facet)
    return set(results.facets.get(facet, {})) | ({chosen} if chosen else set())


def _found(results: Results, language: str) -> list[Entry]:
    reasons = {hit.service_id: hit.reason for hit in results.hits}
    today = _today()
    return [
        _entry(service, language, today, reasons[service.id])
        for service in services_by_id(db.session, list(reasons))
    ]


def _entry(service: Service, language: str, today: date, reason: Reason | None = None) -> Entry:
    return entry_of(
        service,
        language=language,
        today=today,
        can_receive=runtime().log.can_receive(OrgId(service.organisation.org_id)),
        reason=reason_text(reason, language) if reason else "",
    )


def _today() -> date:
    return datetime.fromtimestamp(runtime().clock(), UTC).date()
