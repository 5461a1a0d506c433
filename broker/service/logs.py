"""What our processes say to their operator: JSON lines on stderr, and nothing else.

    configure_logging("hub", settings.log_level)
    log = logger(__name__)
    log.info("envelope_accepted", mid=mid, size=len(body), duration_ms=took)

A log is copied, shipped and kept by people who must not read a case. So nothing is logged that
is not on a list: a static event name, and the fields of `FIELDS`, each a number or a short
identifier. Whatever else is passed is dropped and counted (`dropped_fields`). An exception is
logged as its type and the places in the code it came through, never its text or its variables. A
library's record is reduced to who spoke, how loudly and from which line, because libraries put
URLs, parameters and bodies into their messages; only the messages of `LIBRARY_EVENTS` are named.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Iterator, MutableMapping
from types import MappingProxyType, TracebackType
from typing import Any, Final

import structlog
from structlog.typing import FilteringBoundLogger

from contracts.errors import ContractError

__all__ = ["FIELDS", "LIBRARY_EVENTS", "FilteringBoundLogger", "configure_logging", "logger"]

# The one list of what may be logged. Left out on purpose: the recipient (with the sender it is
# who wrote to whom, which the hub keeps only as long as its accounting needs), addresses, tokens,
# leases, search texts, paths, and every reference a caseworker would recognise.
FIELDS: Final = MappingProxyType(
    {
        "module": "the file of a library that spoke",
        "line": "the line in it",
        "package": "whose migrations",
        "revision": "a migration",
        "version": "a version of ours",
        "pid": "a process of the operating system",
        "port": "where we listen",
        "workers": "how many processes serve",
        "threads": "how many threads serve",
        "signal": "a signal's name",
        "org": "the organisation a request came from, never the one it goes to",
        "device": "key id of the device a request came from",
        "hub": "a hub's id",
        "net": "the network's name",
        "mid": "a message's id",
        "eid": "an envelope's hash",
        "country": "two letters",
        "language": "a language tag",
        "index": "a place in the log of statements",
        "seq": "an organisation's statement number",
        "generation": "the number of a rebuilt index",
        "typ": "a type from a contract",
        "contract": "a contract's name",
        "state": "a state from a table of ours",
        "code": "a stable code of ours",
        "field": "a member that the agreement names",
        "keyword": "a rule of a schema",
        "row": "a row's number in an imported file",
        "column": "a column's name from our own list",
        "queue": "a queue's name from the topology",
        "method": "an HTTP method",
        "route": "a route's template, never the path that was asked for",
        "status": "an HTTP status",
        "size": "bytes",
        "count": "how many",
        "total": "of how many",
        "accepted": "how many were accepted",
        "refused": "how many were refused",
        "pending": "how many are waiting",
        "removed": "how many were removed",
        "attempt": "which try",
        "redelivered": "whether the broker had delivered it before",
        "duration_ms": "milliseconds it took",
        "wait_seconds": "seconds until the next try",
        "age_seconds": "seconds since",
        "exit_code": "a program's exit code",
    }
)

# Messages of libraries, before their values are put in, that say something an operator needs.
LIBRARY_EVENTS: Final = MappingProxyType(
    {
        ("gunicorn.error", "Booting worker with pid: %s"): "worker_started",
        ("gunicorn.error", "Worker exiting (pid: %s)"): "worker_stopped",
        ("gunicorn.error", "WORKER TIMEOUT (pid:%s)"): "worker_timed_out",
        ("gunicorn.error", "Worker (pid:%s) exited with code %s."): "worker_failed",
        ("gunicorn.error", "Listening at: %s (%s)"): "listening",
        ("gunicorn.error", "Handling signal: %s"): "signal_received",
        ("gunicorn.error", "Shutting down: %s"): "server_stopped",
    }
)

_EVENT: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+){0,9}")
_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9_.:/<>-]{1,100}")
_OURS: Final = frozenset({"contracts", "countries", "directory", "broker"})
_PLACES: Final = 16
_CAUSES: Final = 6
# Below this, libraries are not heard at all, whatever level we speak at ourselves.
_LIBRARY_LEVEL: Final = logging.WARNING

_process = "unnamed"


def configure_logging(process: str, level: str = "INFO") -> None:
    """Start logging as `process`, from `level` up; once, before anything else of the process.

    Also takes over what Python would print by itself: warnings, uncaught exceptions of any
    thread, and those of finalisers.
    """
    global _process
    _process = process
    _configure(level)
    _route_libraries()
    sys.excepthook = _uncaught
    sys.unraisablehook = _unraisable
    threading.excepthook = _uncaught_in_thread


def logger(name: str) -> FilteringBoundLogger:
    """The logger of the module `name`. Safe to use before `configure_logging`."""
    bound: FilteringBoundLogger = structlog.get_logger(name)
    return bound


def _configure(level: str) -> None:
    structlog.configure(
        processors=[structlog.processors.add_log_level, _render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Stderr,
        cache_logger_on_first_use=False,
    )


class _Stderr:
    """Writes a line in one call, so that lines of several threads do not mix."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def line(self, message: str) -> None:
        if sys.stderr is not None:
            sys.stderr.write(message + "\n")
            sys.stderr.flush()

    debug = info = warning = error = critical = line


def _render(spoken: _Stderr, _method: str, said: MutableMapping[str, Any]) -> str:
    """The line for what was said: only what is on the list."""
    event, level, exc_info = said.pop("event", ""), said.pop("level"), said.pop("exc_info", None)
    known = isinstance(event, str) and _EVENT.fullmatch(event)
    line: dict[str, object] = {
        "at": structlog.processors.TimeStamper(fmt="iso", utc=True, key="at")(None, "", {})["at"],
        "level": level,
        "process": _process,
        "logger": spoken.name if _IDENTIFIER.fullmatch(spoken.name) else "unnamed_logger",
        "event": event if known else "unnamed_event",
    }
    safe = {name: value for name, value in said.items() if _may_be_logged(name, value)}
    line |= safe
    if len(safe) < len(said):
        line["dropped_fields"] = len(said) - len(safe)
    exception = _exception(exc_info)
    if exception is not None:
        line |= _described(exception)
    return json.dumps(line)


def _may_be_logged(name: str, value: object) -> bool:
    if name not in FIELDS:
        return False
    if isinstance(value, str):
        return _IDENTIFIER.fullmatch(value) is not None
    return value is None or isinstance(value, bool | int | float)


def _exception(exc_info: object) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None


def _described(exception: BaseException) -> dict[str, object]:
    """An exception without its text: types, outermost first, and places, innermost last."""
    chain = list(_chain(exception))
    described: dict[str, object] = {
        "error": [_type_name(one) for one in chain],
        "where": [place for one in reversed(chain) for place in _places(one.__traceback__)][
            -_PLACES:
        ],
    }
    if isinstance(exception, ContractError):
        described |= {
            name: value
            for name, value in (("code", exception.code), ("field", exception.field))
            if _may_be_logged(name, value)
        }
    return described


def _chain(exception: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = exception
    for _ in range(_CAUSES):
        if current is None:
            return
        yield current
        implicit = None if current.__suppress_context__ else current.__context__
        current = current.__cause__ or implicit


def _type_name(exception: BaseException) -> str:
    kind = type(exception)
    name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    return name if _IDENTIFIER.fullmatch(name) else "unnamed_type"


def _places(traceback: TracebackType | None) -> Iterator[str]:
    """Our own frames, and the last of all, which shows what a library was doing."""
    while traceback is not None:
        frame, line, traceback = traceback.tb_frame, traceback.tb_lineno, traceback.tb_next
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] in _OURS or traceback is None:
            place = f"{module}:{line}:{frame.f_code.co_name}"
            yield place if _IDENTIFIER.fullmatch(place) else "unnamed_place"


class _Reduced(logging.Handler):
    """Records of libraries, reduced to what cannot hold a value."""

    def emit(self, record: logging.LogRecord) -> None:
        event = LIBRARY_EVENTS.get((record.name, str(record.msg)))
        if event is None and record.levelno < _LIBRARY_LEVEL:
            return
        said = {
            "event": event or "library_record",
            "level": record.levelname.lower(),
            "module": record.module,
            "line": record.lineno,
            "exc_info": record.exc_info,
        }
        stderr = _Stderr(record.name)
        stderr.line(_render(stderr, "", said))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """A record that cannot be logged is lost: the default prints its arguments."""


def _route_libraries() -> None:
    root = logging.getLogger()
    root.handlers[:] = [_Reduced()]
    root.setLevel(_LIBRARY_LEVEL)
    for name, _ in LIBRARY_EVENTS:
        logging.getLogger(name).setLevel(logging.INFO)
    logging.captureWarnings(True)
    logging.raiseExceptions = False


def _uncaught(
    kind: type[BaseException], exception: BaseException, traceback: TracebackType | None
) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        logger(__name__).critical(
            "uncaught_exception", exc_info=exception.with_traceback(traceback)
        )


def _uncaught_in_thread(uncaught: threading.ExceptHookArgs) -> None:
    if not issubclass(uncaught.exc_type, SystemExit):
        logger(__name__).critical("uncaught_exception_in_thread", exc_info=uncaught.exc_value)


def _unraisable(uncaught: sys.UnraisableHookArgs) -> None:
    logger(__name__).error("exception_in_finaliser", exc_info=uncaught.exc_value)


# Unconfigured, structlog prints everything, with the variables of every frame.
_configure("INFO")
