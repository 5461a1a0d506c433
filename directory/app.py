"""The directory as a Flask application: public pages, HSDS interface, statement log.

It keeps no key and no case, sets no cookie of its own accord, and logs no search. Every answer
can be had by anybody.

    create_app(read_settings(DirectorySettings, os.environ))
    serving_app(settings)                    # and signs the log, and asks its witnesses
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from flask import Flask, Response, jsonify

from broker.service.database import migrate
from broker.service.headers import install_security_headers
from broker.service.language import install_languages
from broker.service.logs import logger
from broker.service.problems import install_problem_answers
from contracts.root import Witness, parse_root
from directory import blob_views, log_views, pages
from directory.asking import Asked
from directory.db import db
from directory.hsds.views import install_hsds
from directory.logbook import Logbook, connect, open_logbook
from directory.runtime import Runtime, install_runtime, runtime
from directory.search.current import Search
from directory.search.labels import Labels
from directory.settings import DirectorySettings
from directory.statements import LogClosed
from directory.taxonomies import INTERFACE_LANGUAGES

# Pages bring their own style sheet and script and nothing else, and may be shown nowhere else.
CSP: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# No form and no statement is larger.
_MAX_BODY: Final = 64 * 1024

_log = logger(__name__)


def create_app(
    settings: DirectorySettings,
    *,
    clock: Callable[[], int] = lambda: int(time.time()),
    connect: Callable[[Witness], Asked] = connect,
) -> Flask:
    """The application, its database brought up to date. Raises what the root file breaks.

    Nothing is asked over the network here: a log with witnesses is shut until `serving_app`'s
    thread, or `runtime().logbook.open()`, has asked them.
    """
    root = parse_root(settings.root_file.read_bytes())
    app = Flask(__name__, static_folder=None)
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    app.config["MAX_CONTENT_LENGTH"] = _MAX_BODY
    install_problem_answers(app)
    install_security_headers(app, csp=CSP)
    languages = Path(__file__).parent / "translations"
    install_languages(app, languages=INTERFACE_LANGUAGES, translations=languages)
    db.init_app(app)
    with app.app_context():
        engine = db.engine
    migrate(engine, "directory")
    Labels.load()  # half a second that the first searcher need not wait
    logbook = open_logbook(
        engine, root=root, key_file=settings.log_key_file, clock=clock, connect=connect
    )
    logbook.publication.refresh()
    if root.demonstration:
        _open_at_once(logbook)
    search = Search(engine, settings.index_file)
    install_runtime(app, Runtime(settings, root, search, logbook, clock))
    for blueprint in (log_views.blueprint, blob_views.blueprint, pages.blueprint):
        app.register_blueprint(blueprint)
    install_hsds(app)
    app.add_url_rule("/healthz", "healthz", _healthz)
    return app


def serving_app(settings: DirectorySettings) -> Flask:
    """`create_app`, and the thread that signs the log and asks the witnesses, while it lives."""
    app = create_app(settings)
    with app.app_context():
        runtime().logbook.rounds.start()
    return app


def _open_at_once(logbook: Logbook) -> None:
    """Nobody need be asked. If it stays shut, the pages are served and posts are told why."""
    try:
        logbook.open()
    except LogClosed as closed:
        _log.error("log_closed", code=closed.code)
    else:
        logbook.advance()


def _healthz() -> Response:
    answer = jsonify({"status": "ok"})
    answer.headers["Cache-Control"] = "no-store"
    return answer
