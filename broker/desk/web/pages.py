"""How a page of the desk is made: its frame, its status, and the words every template may use.

What is on the frame is who we are (the DEMO mark, the language, whether the translation was
reviewed) and, for the browser that holds the session, the token its forms send back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast

from flask import Flask, Response, current_app, g, make_response, render_template

from broker.desk.web import labels, moments
from broker.desk.web.sentences import sentence_of
from broker.service.language import OWN_NAMES, current_language, ngettext
from broker.service.language import gettext as _
from contracts.root import RootFile

if TYPE_CHECKING:
    from broker.desk.web.guard import Keeper, Session
    from broker.desk.web.patience import Patience
    from broker.desk.web.vault import Vault

LANGUAGES: Final = ("en", "ms", "bn")
# Languages whose catalogue somebody who speaks it has read and vouched for.
REVIEWED: Final = frozenset({"en"})
_EXTENSION: Final = "rujukan_desk"


@dataclass(frozen=True, slots=True)
class Runtime:
    """What the views of one app share. `patience`: seconds a page waits for the network at most."""

    vault: Vault
    keeper: Keeper
    root: RootFile
    idle_seconds: float
    clock: Callable[[], int]
    tries: Patience
    patience: float = 4.0


def install_pages(app: Flask, runtime: Runtime) -> None:
    """Give `app` its runtime, and its templates their words."""
    app.extensions[_EXTENSION] = runtime
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters["moment"] = moments.moment
    app.jinja_env.filters["utc_moment"] = moments.utc_moment
    app.context_processor(_frame)


def runtime() -> Runtime:
    """The runtime of this request's app."""
    return cast("Runtime", current_app.extensions[_EXTENSION])


def session() -> Session:
    """The session of this request; the guard has seen to it that there is one."""
    return cast("Session", g.session)


def page(template: str, *, status: HTTPStatus = HTTPStatus.OK, **values: object) -> Response:
    """One page."""
    return make_response(render_template(f"desk/{template}", **values), status)


def _frame() -> dict[str, object]:
    language = current_language()
    shared = runtime()
    return {
        "_": _,
        "ngettext": ngettext,
        "labels": labels,
        "sentence_of": sentence_of,
        "demonstration": shared.root.demonstration,
        "unreviewed": language not in REVIEWED,
        "language_names": [(tag, OWN_NAMES[tag]) for tag in LANGUAGES],
        "session": g.get("session"),
        "idle_seconds": int(shared.idle_seconds),
    }
