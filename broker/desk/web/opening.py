"""Coming in and locking: the link of the start, the passphrase, the lock button, the language.

A form that arrives at a locked desk is not lost: the page that asks for the passphrase carries it
along, and it is dealt with once the desk is open. Wrong passphrases make the next try wait.
"""

from __future__ import annotations

import math
import unicodedata
from http import HTTPStatus
from typing import Final

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.datastructures import MultiDict

from broker.desk.web.pages import LANGUAGES, page, runtime, session
from broker.desk.web.patience import TooSoon
from broker.desk.web.sentences import sentence_of
from broker.desk.web.vault import Vault
from broker.service.failures import Failure
from broker.service.language import gettext as _

blueprint = Blueprint("opening", __name__)


@blueprint.get("/start/<token>")
def start(token: str) -> Response:
    """Begin the session, once. A browser that has the session is just let through."""
    shared = runtime()
    if request.method == "HEAD":
        return Response(status=HTTPStatus.METHOD_NOT_ALLOWED)
    if shared.keeper.session(request.cookies.get(shared.keeper.cookie)) is None:
        begun = shared.keeper.begin(token)
        if begun is None:
            return page("no_session.html", status=HTTPStatus.FORBIDDEN)
        answer = _to("cases.inbox")
        answer.set_cookie(
            shared.keeper.cookie, begun.id, httponly=True, samesite="Strict", path="/"
        )
        return answer
    return _to("cases.inbox")


@blueprint.post("/unlock")
def unlock() -> Response:
    """Open the desk again."""
    shared = runtime()
    refusal = unlock_with_form(shared.vault) if shared.vault.locked else None
    return refusal or _to("cases.inbox")


@blueprint.post("/lock")
def lock() -> Response:
    """Lock it now."""
    runtime().vault.lock()
    return _to("cases.inbox")


@blueprint.post("/language")
def language() -> Response:
    """Show the pages in another language."""
    wanted = request.form.get("language", "")
    if wanted in LANGUAGES:
        session().language = wanted
    return _to("cases.inbox")


@blueprint.post("/here")
def here() -> Response:
    """Somebody is typing: the desk is not idle. Only the guard's work is asked for."""
    return Response(status=HTTPStatus.NO_CONTENT)


def unlock_with_form(vault: Vault) -> Response | None:
    """Open `vault` with the passphrase of this form; the page to show where it stays locked."""
    passphrase = request.form.get("passphrase", "") if request.method == "POST" else ""
    if not passphrase:
        return unlock_page()
    # Two keyboards may compose the same letter differently; both must open the file.
    secret = unicodedata.normalize("NFC", passphrase).encode("utf-8", "replace")
    try:
        runtime().tries.attempt(lambda: vault.unlock(secret))
    except TooSoon as soon:
        return unlock_page(_wait(soon), status=HTTPStatus.TOO_MANY_REQUESTS)
    except Failure as error:
        return unlock_page(sentence_of(error))
    return None


def unlock_page(sentence: str = "", *, status: HTTPStatus = HTTPStatus.LOCKED) -> Response:
    """Ask for the passphrase, and show nothing else; a form that was sent goes along unseen."""
    carried: MultiDict[str, str] = MultiDict()
    action = url_for("opening.unlock")
    if request.method == "POST" and request.endpoint not in ("opening.unlock", "opening.here"):
        carried, action = request.form, request.path
    kept = [(name, value) for name, value in carried.items(multi=True) if name not in _NOT_KEPT]
    return page("unlock.html", status=status, sentence=sentence, action=action, kept=kept)


_NOT_KEPT: Final = frozenset({"passphrase", "csrf"})


def _wait(soon: TooSoon) -> str:
    seconds = math.ceil(soon.seconds)
    return _("Too many wrong tries. Try again in %(seconds)s seconds.", seconds=seconds)


def _to(endpoint: str) -> Response:
    answer = redirect(url_for(endpoint), code=HTTPStatus.SEE_OTHER)
    return Response(answer.get_data(), status=answer.status_code, headers=answer.headers)
