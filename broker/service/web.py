"""One way to serve a Flask app: gunicorn with threads, configured here and nowhere else.

    run_web(lambda: create_app(settings), host="127.0.0.1", port=8001, workers=2, threads=8)

Each worker process calls the factory itself after the fork, so no connection to a database or a
broker is ever shared by two processes. Nothing is read from the environment or from a file of
gunicorn's, its control socket is off, and no forwarding header is believed. Its access log is
off, because a path and a query hold what people search for; what an operator needs of a request
(method, route template, status, duration) is logged here.
"""

from __future__ import annotations

import logging
import socket
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from flask import Flask, Response, g, request
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]  # it has no types
from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]  # it has no types
from gunicorn.glogging import Logger  # type: ignore[import-untyped]  # it has no types
from gunicorn.http import wsgi  # type: ignore[import-untyped]  # it has no types
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]  # it has no types

from broker.service.failures import Failure
from broker.service.logs import logger

__all__ = ["install_request_log", "run_web"]

_log = logger(__name__)

# Seconds a stopping worker has for the requests it is answering.
GRACE: Final = 20
# A search address with a long text in a script of three UTF-8 bytes a letter, escaped, fits.
_LONGEST_LINE: Final = 4094
# A browser sends about twenty headers; a desk's longest is its token.
_MOST_HEADERS: Final = 64
_LONGEST_HEADER: Final = 4096
# Seconds. A whole request: the largest envelope over 35 kbit/s. Waiting for one more byte, and
# taking an answer: a telephone between two cells is silent for half a minute. A connection that
# has died without a word would otherwise keep its thread for ever, and sixteen of them all.
_REQUEST_SECONDS: Final = 120.0
_SILENT_SECONDS: Final = 30.0
_ANSWER_SECONDS: Final = 300.0
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - files in it are gunicorn's, private and unlinked


def run_web(
    factory: Callable[[], Flask], *, host: str, port: int, workers: int, threads: int
) -> None:
    """Serve what `factory` makes until SIGTERM or SIGINT; does not return.

    SIGTERM lets running requests end. Raises `Failure` if the port is taken, and ends with exit
    code 4 if the factory fails, whose sentence or place is on stderr.
    """
    _refuse_taken_port(host, port)
    # The answer's Server header otherwise names the server program.
    wsgi.SERVER = "rujukan"
    _Server(factory, _configuration(host, port, workers, threads)).run()


def install_request_log(app: Flask) -> None:
    """Log each request's method, route template, status and duration; `run_web` does it itself."""
    if "rujukan_request_log" in app.extensions:
        return
    app.extensions["rujukan_request_log"] = True

    @app.before_request
    def start() -> None:
        g.request_started = time.perf_counter()

    @app.after_request
    def end(response: Response) -> Response:
        took = time.perf_counter() - g.get("request_started", time.perf_counter())
        rule = request.url_rule
        _log.info(
            "request_answered",
            method=request.method if request.method in _METHODS else "other",
            route="unmatched" if rule is None else rule.rule,
            status=response.status_code,
            duration_ms=round(took * 1000, 1),
        )
        return response


def _configuration(host: str, port: int, workers: int, threads: int) -> dict[str, Any]:
    name = f"[{host}]" if ":" in host else host
    return {
        "bind": f"{name}:{port}",
        "workers": workers,
        "threads": threads,
        "worker_class": _Worker,
        "preload_app": False,
        "control_socket_disable": True,
        "logger_class": _GunicornLog,
        "accesslog": None,
        "errorlog": None,
        "forwarded_allow_ips": "",
        "forwarder_headers": "",
        "proxy_allow_ips": "",
        "graceful_timeout": GRACE,
        "keepalive": 5,
        "limit_request_line": _LONGEST_LINE,
        "limit_request_fields": _MOST_HEADERS,
        "limit_request_field_size": _LONGEST_HEADER,
        # On a slow disk the heartbeat blocks a worker, and gunicorn then kills it.
        "worker_tmp_dir": str(_MEMORY) if _MEMORY.is_dir() else None,
    }


def _refuse_taken_port(host: str, port: int) -> None:
    """Gunicorn tries five times and says why only in its log."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError):
            raise Failure(
                f"Port {port} cannot be opened: another program has it, or this user may not."
                " Nothing was started. Stop that program or set another port."
            ) from None


class _Connection(socket.socket):
    """A connection that counts as closed by the other side when that has been silent too long."""

    ends = 0.0

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        left = self.ends - time.monotonic()
        if left <= 0:
            return b""
        self.settimeout(min(left, _SILENT_SECONDS))
        try:
            return super().recv(size, flags)
        except TimeoutError:
            return b""
        finally:
            self.settimeout(_ANSWER_SECONDS)  # for what is sent next


class _Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's threads, which by themselves wait without end for the rest of a request."""

    def enqueue_req(self, conn: Any) -> None:
        if not isinstance(conn.sock, _Connection):
            conn.sock = _Connection(fileno=conn.sock.detach())
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        conn.sock.ends = time.monotonic() + _REQUEST_SECONDS
        return super().handle(conn)


class _WholeBodies:
    """Let a body that ends before its declared length be an error.

    Gunicorn says that it ends its bodies itself, and then half a form is read as a whole one: a
    telephone number without its last digits.
    """

    def __init__(self, app: Callable[..., Any]) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if environ.get("CONTENT_LENGTH"):
            environ.pop("wsgi.input_terminated", None)
        return self._app(environ, start_response)


class _Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn, told everything here; it reads no file and no command line."""

    def __init__(self, factory: Callable[[], Flask], options: dict[str, Any]) -> None:
        self._factory = factory
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        try:
            app = self._factory()
        except Failure as failure:
            sys.stderr.write(f"{failure}\n")
            sys.exit(Arbiter.APP_LOAD_ERROR)
        except Exception as error:  # noqa: BLE001 - gunicorn would print its text
            _log.critical("app_failed_to_start", exc_info=error)
            sys.exit(Arbiter.APP_LOAD_ERROR)
        install_request_log(app)
        app.wsgi_app = _WholeBodies(app.wsgi_app)  # type: ignore[method-assign]  # Flask's own way
        return app


class _GunicornLog(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's log without handlers of its own: its records go the way of all libraries'."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self._access_log_enabled = False
        self.error_log.propagate = True
        self.error_log.setLevel(logging.INFO)
        # Called directly, a record names the line in gunicorn that speaks.
        for level in ("critical", "error", "warning", "info", "debug", "exception"):
            setattr(self, level, getattr(self.error_log, level))

    def access(self, *_: object) -> None:
        """Paths and queries are not logged."""
