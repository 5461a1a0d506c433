"""The desk's pages as a Flask app: guard, languages, views. It makes nothing that outlives it.

app = create_app(vault, keeper, root)
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Final

from flask import Flask, Response, g
from werkzeug.exceptions import HTTPException

from broker.desk.errors import DeskError
from broker.desk.unlocking import local_time
from broker.desk.web import opening, views_cases, views_find, views_keys, views_refer, views_status
from broker.desk.web.guard import Keeper, install_guard
from broker.desk.web.pages import LANGUAGES, Runtime, install_pages, page
from broker.desk.web.patience import Patience
from broker.desk.web.sentences import sentence_of
from broker.desk.web.vault import IDLE_SECONDS, Locked, Vault
from broker.service.failures import Failure
from broker.service.headers import install_security_headers
from broker.service.language import gettext as _
from broker.service.language import install_languages
from broker.service.logs import logger
from contracts.errors import ContractError
from contracts.root import RootFile

TRANSLATIONS: Final = Path(__file__).parent.parent / "translations"
CSP: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# A note of 4,000 characters of four bytes, escaped for a form, and every other field.
_MOST_BYTES: Final = 128 * 1024

_log = logger(__name__)


def create_app(
    vault: Vault,
    keeper: Keeper,
    root: RootFile,
    *,
    idle_seconds: float = IDLE_SECONDS,
    clock: Callable[[], int] = local_time,
) -> Flask:
    """The app of one desk. `clock` gives Unix seconds, as the desk's own does."""
    app = Flask(__name__)
    app.config.update(MAX_CONTENT_LENGTH=_MOST_BYTES, MAX_FORM_MEMORY_SIZE=_MOST_BYTES)
    tries = Patience(vault.clock)
    install_pages(app, Runtime(vault, keeper, root, idle_seconds, clock, tries))
    _send_origin(app)
    install_security_headers(app, csp=CSP, cache="no-store")
    install_languages(app, languages=LANGUAGES, translations=TRANSLATIONS, selector=_language)
    install_guard(app, keeper, vault)
    _install_answers(app)
    for views in (opening, views_find, views_refer, views_cases, views_status, views_keys):
        app.register_blueprint(views.blueprint)
    return app


def _language() -> str | None:
    session = g.get("session")
    return None if session is None else session.language


def _send_origin(app: Flask) -> None:
    """Under `no-referrer` browsers send `Origin: null` with a form, and the guard needs the true
    one (Fetch, "append a request Origin header"). No other origin is ever sent a referrer.
    """

    @app.after_request
    def add(response: Response) -> Response:
        response.headers["Referrer-Policy"] = "same-origin"
        return response


def _install_answers(app: Flask) -> None:
    app.register_error_handler(Locked, _locked)
    app.register_error_handler(HTTPException, _refusal)
    app.register_error_handler(Failure, _failure)
    app.register_error_handler(ContractError, _failure)
    app.register_error_handler(Exception, _fault)


def _locked(_error: Exception) -> Response:
    return opening.unlock_page()


def _refusal(error: HTTPException) -> Response:
    """The framework's own words may quote the request, so only its status is used."""
    status = HTTPStatus(error.code or 500)
    sentence = _("This page cannot answer that. Nothing was done.")
    if status is HTTPStatus.NOT_FOUND:
        sentence = _("There is nothing at this address.")
    elif status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        sentence = _("This is too large. Nothing was sent; shorten the note.")
    return page("refused.html", status=status, sentence=sentence)


def _failure(error: Exception) -> Response:
    missing = isinstance(error, DeskError) and error.code == "no_case"
    status = HTTPStatus.NOT_FOUND if missing else HTTPStatus.CONFLICT
    return page("refused.html", status=status, sentence=sentence_of(error))


def _fault(error: Exception) -> Response:
    _log.error("page_failed", exc_info=error)
    sentence = _(
        "Something failed in the program itself. What was stored before is still there. Please "
        "tell the people who maintain Rujukan."
    )
    return page("refused.html", status=HTTPStatus.INTERNAL_SERVER_ERROR, sentence=sentence)
