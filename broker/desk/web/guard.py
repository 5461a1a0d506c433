"""Who may speak to this desk: its own browser window and nothing else on this computer or beyond.

Other programs and other web sites can reach 127.0.0.1 too. Against a site whose name was pointed
here (DNS rebinding) stands the Host header; against a site that makes the browser send a form,
the Origin, Sec-Fetch-Site, a token and a SameSite cookie; against another user of this computer,
a session that only the link printed at the start begins, once. The cookie is a random number;
everything else about a session stays in this process's memory.

    install_guard(app, keeper, vault)
"""

from __future__ import annotations

import hmac
import secrets
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from flask import Flask, Response, g, request

from broker.desk.web.pages import page
from broker.desk.web.vault import Vault
from broker.service.language import gettext as _

HOST: Final = "127.0.0.1"
TOKEN_BYTES: Final = 32
CSRF_FIELD: Final = "csrf"
MOST_REMEMBERED: Final = 200
# Answered without a session: the style sheet of the page that says there is none, and the link.
_OPEN: Final = frozenset({"static", "opening.start"})
# Answered while the desk is locked.
_WHILE_LOCKED: Final = _OPEN | {"opening.unlock", "opening.lock", "opening.language"}


@dataclass(slots=True)
class Session:
    """One browser window's session; prints nothing. `sent`: what was sent, so that twice is once.

    `language` None: whatever the browser asks for.
    """

    id: str = field(default_factory=lambda: secrets.token_urlsafe(TOKEN_BYTES), repr=False)
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(TOKEN_BYTES), repr=False)
    language: str | None = None
    sent: dict[str, str] = field(default_factory=dict, repr=False)

    def remember_sent(self, consent_id: str, case_row: str) -> None:
        """That this form has become this case."""
        self.sent[consent_id] = case_row
        while len(self.sent) > MOST_REMEMBERED:
            del self.sent[next(iter(self.sent))]


class Keeper:
    """The one-time link and the one session that it begins."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._change = threading.Lock()
        self._token: str | None = secrets.token_urlsafe(TOKEN_BYTES)
        self._session: Session | None = None

    @property
    def host(self) -> str:
        """The only Host this desk answers to."""
        return f"{HOST}:{self.port}"

    @property
    def origin(self) -> str:
        """The only Origin whose forms it takes."""
        return f"http://{self.host}"

    @property
    def cookie(self) -> str:
        """The cookie's name. Browsers share cookies between ports, so it says the port."""
        return f"rujukan-desk-{self.port}"

    @property
    def link(self) -> str:
        """The link that begins the session; worth nothing once it was used."""
        return f"{self.origin}/start/{self._token or ''}"

    def begin(self, token: str) -> Session | None:
        """The session, if this is the token and nobody has used it; None for anybody else."""
        with self._change:
            if self._token is None or not _same(self._token, token):
                return None
            self._token = None
            self._session = Session()
            return self._session

    def session(self, cookie: str | None) -> Session | None:
        """The session of this cookie, or None."""
        session = self._session
        if session is None or cookie is None or not _same(session.id, cookie):
            return None
        return session


def install_guard(app: Flask, keeper: Keeper, vault: Vault) -> None:
    """Let `app` answer only what may be answered; the views below it need not ask again."""

    @app.before_request
    def guard() -> Response | None:
        if request.environ.get("HTTP_HOST") != keeper.host:
            return _refused(HTTPStatus.MISDIRECTED_REQUEST, _("This is not an address of a desk."))
        g.session = keeper.session(request.cookies.get(keeper.cookie))
        if request.endpoint in _OPEN:
            return None
        if g.session is None:
            return page("no_session.html", status=HTTPStatus.FORBIDDEN)
        if request.headers.get("Sec-Fetch-Site") in ("same-site", "cross-site"):
            # Pages at other ports are "same-site": their requests carry the cookie, and would
            # keep a desk open that nobody uses.
            return _refused(HTTPStatus.FORBIDDEN, _foreign())
        if request.method not in ("GET", "HEAD") and not _from_our_page(keeper, g.session):
            return _refused(HTTPStatus.FORBIDDEN, _foreign())
        return None if request.endpoint in _WHILE_LOCKED else _open_or_unlock(vault)


def _open_or_unlock(vault: Vault) -> Response | None:
    from broker.desk.web.opening import unlock_with_form

    if vault.locked:
        refusal = unlock_with_form(vault)
        if refusal is not None:
            return refusal
    vault.touch()
    return None


def _from_our_page(keeper: Keeper, session: Session) -> bool:
    return (
        request.headers.get("Origin") == keeper.origin
        and request.headers.get("Sec-Fetch-Site", "same-origin") == "same-origin"
        and _same(session.csrf, request.form.get(CSRF_FIELD, ""))
    )


def _foreign() -> str:
    return _("This did not come from a page of this desk. Nothing was done.")


def _same(ours: str, theirs: str) -> bool:
    return hmac.compare_digest(ours.encode(), theirs.encode("utf-8", "surrogatepass"))


def _refused(status: HTTPStatus, sentence: str) -> Response:
    g.session = None  # nothing of the session, its token least of all, goes to a stranger
    return page("refused.html", status=status, sentence=sentence)
