"""The witness as a Flask application.

create_app(read_settings(WitnessSettings, os.environ))
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import httpx
from flask import Flask

from broker.service.database import open_engine
from broker.service.headers import install_security_headers
from broker.service.problems import install_problem_answers
from contracts.checkpoints import MAX_REQUEST
from directory.witness import views
from directory.witness.keyfile import Marks, witness_key
from directory.witness.settings import WitnessSettings, read_logs
from directory.witness.store import Store
from directory.witness.witness import Witness

CSP: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def create_app(
    settings: WitnessSettings,
    *,
    clock: Callable[[], int] = lambda: int(time.time()),
    transport: httpx.BaseTransport | None = None,
) -> Flask:
    """The application, its tables made and its key there. Raises `Failure` in a sentence."""
    logs = read_logs(settings.logs_file)
    store = Store(open_engine(settings.database_url))
    store.open(log.root.net for log in logs)
    key = witness_key(settings.key_file)
    witness = Witness(
        store=store,
        logs=logs,
        name=settings.name,
        key=key,
        marks=Marks.beside(settings.key_file),
        clock=clock,
        transport=transport,
    )
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST
    install_problem_answers(app)
    install_security_headers(app, csp=CSP, cache="no-store")
    app.extensions[views.NAME] = views.Runtime(witness, store)
    app.register_blueprint(views.blueprint)
    return app
