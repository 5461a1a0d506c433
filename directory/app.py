"""The directory as a Flask application: public pages, HSDS interface, statement log.

It keeps no key and no case, sets no cookie of its own accord, and logs no search. Every answer
can be had by anybody.

    create_app(read_settings(DirectorySettings, os.environ))
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from flask import Flask, Response, jsonify

from broker.service.database import migrate
from broker.service.headers import install_security_headers
from broker.service.language import install_languages
from broker.service.problems import install_problem_answers
from contracts.root import parse_root
from directory import log_views, pages
from directory.db import db
from directory.hsds.views import install_hsds
from directory.runtime import Runtime, install_runtime
from directory.search.current import Search
from directory.search.labels import Labels
from directory.settings import DirectorySettings
from directory.statements import StatementLog
from directory.taxonomies import INTERFACE_LANGUAGES

# Pages bring their own style sheet and script and nothing else, and may be shown nowhere else.
CSP: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# No form and no statement is larger.
_MAX_BODY: Final = 64 * 1024


def create_app(
    settings: DirectorySettings, *, clock: Callable[[], int] = lambda: int(time.time())
) -> Flask:
    """The application, its database brought up to date. Raises what the root file breaks."""
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
    search = Search(engine, settings.index_file)
    log = StatementLog(engine, net=root.net, clock=clock)
    install_runtime(app, Runtime(settings, root, search, log, clock))
    app.register_blueprint(log_views.blueprint)
    app.register_blueprint(pages.blueprint)
    install_hsds(app)
    app.add_url_rule("/healthz", "healthz", _healthz)
    return app


def _healthz() -> Response:
    answer = jsonify({"status": "ok"})
    answer.headers["Cache-Control"] = "no-store"
    return answer
