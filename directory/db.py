"""The only file that holds Flask-SQLAlchemy: a session per request for the directory's views.

    db.init_app(app)                  # with SQLALCHEMY_DATABASE_URI set
    db.session.scalars(select(Service))

Everything else in the directory takes a plain session or engine as an argument, so that commands
and tests need no application. `commit` on a request's session is for nobody: views only read.
"""

from typing import Any

import flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine

from broker.service.database import open_engine
from directory.models import Base


class _Database(SQLAlchemy):
    """Flask-SQLAlchemy over the project's one way of opening a database.

    Overriding `_make_engine` is what its documentation of 3.1 leaves for this; the release is
    pinned by hash, and tests/unit/directory fail should the hook ever not be called.
    """

    def _make_engine(
        self,
        bind_key: str | None,  # noqa: ARG002 - the signature is the library's
        options: dict[str, Any],
        app: flask.Flask,  # noqa: ARG002 - the signature is the library's
    ) -> Engine:
        return open_engine(options["url"])


db = _Database(metadata=Base.metadata)
