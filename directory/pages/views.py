"""The addresses of the public pages.

A search is sent by POST, so that its words stay out of the browser's history, the address bar
and every log on the way; the same address answers GET with the same parameters, for a link that
somebody wants to keep. Whatever goes wrong under a page's address is said on a page, in its
language; programs have addresses of their own, and problem details there.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Final
from uuid import UUID

from flask import Blueprint, Response, abort, make_response, render_template, request, url_for
from werkzeug.exceptions import HTTPException

from broker.service.language import OWN_NAMES, current_language, direction, ngettext
from broker.service.language import gettext as _
from broker.service.logs import logger
from directory.db import db
from directory.listings import service_by_id, services_by_id
from directory.models import Service
from directory.pages.entries import Entry, entry_of, reason_text
from directory.pages.form import choices, parameters, read_form
from directory.runtime import runtime
from directory.search.query import Query, Reason, Results
from directory.taxonomies import INTERFACE_LANGUAGES

# Languages whose catalogue somebody who speaks it has read and vouched for.
_REVIEWED: Final = frozenset({"en"})
# Where "leave this page" leads: dull, and reachable where the language is read.
_LEAVE_TO: Final = "https://www.wikipedia.org/"
_LEAVE_TO_BY_LANGUAGE: Final = {"zh": "https://www.baidu.com/"}
# Nothing is kept for the next person at a shared computer, except what one step back must show:
# without it, a browser asks whether to send the search again and shows nothing but that question.
_NOT_KEPT: Final = "no-store"
_KEPT_FOR_ONE_STEP_BACK: Final = "private, no-cache"
_OFFERED: Final = f"any({','.join(INTERFACE_LANGUAGES)})"
_SAME_IN_ALL_LANGUAGES: Final = frozenset({"pages.search", "pages.entry"})

_log = logger(__name__)

blueprint = Blueprint(
    "pages",
    __name__,
    template_folder="templates",
    static_folder="static",
    static_url_path="/static",
)


@blueprint.route("/<lang>/", methods=["GET", "POST"])
def search(lang: str) -> Response:
    """The search form and one page of what it finds."""
    query, problems = read_form(request.form if request.method == "POST" else request.args)
    query, results, pages = _find(query)
    offered = choices(
        query,
        found=results,
        all_of_them=runtime().search.find(Query(per_page=1)),
        language=lang,
    )
    return _page(
        "pages/search.html",
        query=query,
        again=parameters(query),
        problems=problems,
        results=results,
        entries=_found(results, lang),
        pages=pages,
        choices=offered,
    )


@blueprint.get("/<lang>/services/<uuid:service_id>")
def entry(lang: str, service_id: UUID) -> Response:
    """One service."""
    service = service_by_id(db.session, str(service_id))
    if service is None:
        abort(HTTPStatus.NOT_FOUND)
    receives = runtime().log.receivers()
    return _page("pages/entry.html", entry=_entry(service, lang, _today(), receives))


@blueprint.route(f"/<{_OFFERED}:lang>/<path:anything>", methods=["GET", "POST"])
def nothing_here(lang: str, anything: str) -> Response:  # noqa: ARG001 - the address's own parts
    """Any other address under a language: a person mistyped it, or followed an old link."""
    abort(HTTPStatus.NOT_FOUND)


@blueprint.errorhandler(HTTPException)
def _refused(error: HTTPException) -> Response:
    status = error.code or 500
    if status == HTTPStatus.NOT_FOUND:
        return _page("pages/missing.html", status=status)
    return _page("pages/failed.html", status=status, ours=status >= 500)


@blueprint.errorhandler(Exception)
def _failed(error: Exception) -> Response:
    _log.error("request_failed", exc_info=error)
    return _page("pages/failed.html", status=HTTPStatus.INTERNAL_SERVER_ERROR, ours=True)


@blueprint.app_context_processor
def _frame() -> dict[str, object]:
    language = current_language()
    return {
        "_": _,
        "ngettext": ngettext,
        "demonstration": runtime().root.demonstration,
        "unreviewed": language not in _REVIEWED,
        "leave_to": _LEAVE_TO_BY_LANGUAGE.get(language, _LEAVE_TO),
        "language_links": [
            (tag, OWN_NAMES[tag], direction(tag), _same_page_in(tag)) for tag in INTERFACE_LANGUAGES
        ],
    }


def _same_page_in(language: str) -> str:
    if request.endpoint not in _SAME_IN_ALL_LANGUAGES:
        return url_for("pages.search", lang=language)
    return url_for(request.endpoint, **{**(request.view_args or {}), "lang": language})


def _page(template: str, *, status: int = HTTPStatus.OK, **values: object) -> Response:
    answer = make_response(render_template(template, **values), status)
    answer.headers["Vary"] = "Accept, Accept-Language"
    posted = request.method == "POST"
    answer.headers["Cache-Control"] = _KEPT_FOR_ONE_STEP_BACK if posted else _NOT_KEPT
    return answer


def _find(query: Query) -> tuple[Query, Results, int]:
    """What is found, and how many pages of it there are; past the last page, the last page."""
    results = runtime().search.find(query)
    pages = -(-results.total // query.per_page)
    if query.page > max(1, pages):
        query = replace(query, page=max(1, pages))
        results = runtime().search.find(query)
    return query, results, pages


def _found(results: Results, language: str) -> list[Entry]:
    reasons = {hit.service_id: hit.reason for hit in results.hits}
    today, receives = _today(), runtime().log.receivers()
    return [
        _entry(service, language, today, receives, reasons[service.id])
        for service in services_by_id(db.session, list(reasons))
    ]


def _entry(
    service: Service,
    language: str,
    today: date,
    receives: Callable[[str], bool],
    reason: Reason | None = None,
) -> Entry:
    return entry_of(
        service,
        language=language,
        today=today,
        can_receive=receives(service.organisation.org_id),
        reason=reason_text(reason, language) if reason else "",
    )


def _today() -> date:
    return datetime.fromtimestamp(runtime().clock(), UTC).date()
