"""The log: nothing gets into it that is not on the list, whoever speaks."""

from __future__ import annotations

import ast
import json
import logging
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from broker.service import logs
from broker.service.logs import FIELDS, configure_logging, logger
from contracts.errors import Refused

CANARY = "CANARY-7f3a Siti binti Ahmad"
ROOT = Path(__file__).parents[3]
LIBRARIES = ["pika.adapters", "httpx", "httpcore", "sqlalchemy.engine", "alembic", "gunicorn.error"]


@pytest.fixture(autouse=True)
def _configured() -> Iterator[None]:
    """Logging at DEBUG for one test; everything global is put back."""
    root, hooks = logging.getLogger(), (sys.excepthook, sys.unraisablehook)
    before = (root.handlers[:], root.level, logging.raiseExceptions)
    thread_hook = threading.excepthook
    configure_logging("test", "DEBUG")
    yield
    logging.captureWarnings(False)
    root.handlers[:], logging.raiseExceptions = before[0], before[2]
    root.setLevel(before[1])
    sys.excepthook, sys.unraisablehook = hooks
    threading.excepthook = thread_hook


def said(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    output = capsys.readouterr()
    assert output.out == ""
    return [json.loads(line) for line in output.err.splitlines()]


def test_a_line_has_its_time_level_process_and_event(capsys: pytest.CaptureFixture[str]) -> None:
    logger("broker.hub").info("envelope_accepted", mid="ab12", size=4096)
    (line,) = said(capsys)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", str(line.pop("at")))
    assert line == {
        "level": "info",
        "process": "test",
        "logger": "broker.hub",
        "event": "envelope_accepted",
        "mid": "ab12",
        "size": 4096,
    }


def test_a_field_that_is_not_on_the_list_is_dropped_and_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logger("x").info("stored", mid="ab", text=CANARY, to="bd-00", body=b"...")
    (line,) = said(capsys)
    assert line["dropped_fields"] == 3
    assert not {"text", "to", "body"} & line.keys()


@pytest.mark.parametrize("value", [CANARY, [CANARY], {"a": CANARY}, CANARY.encode(), "a" * 101, ""])
def test_a_listed_field_cannot_carry_a_text(
    value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    logger("x").info("stored", code=value)
    (line,) = said(capsys)
    assert "code" not in line
    assert line["dropped_fields"] == 1


@pytest.mark.parametrize("event", [CANARY, "", "Stored It", "stored %s", "a" * 500 + "!"])
def test_an_event_is_a_static_name(event: str, capsys: pytest.CaptureFixture[str]) -> None:
    logger("x").info(event)
    (line,) = said(capsys)
    assert line["event"] == "unnamed_event"


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    st.dictionaries(
        st.text(min_size=1).filter(lambda name: name not in {"event", "self", "exc_info"}),
        st.recursive(st.text() | st.binary() | st.floats() | st.none(), st.lists),
        max_size=4,
    )
)
def test_whatever_is_passed_one_line_of_json_comes_out(
    capsys: pytest.CaptureFixture[str], fields: dict[str, object]
) -> None:
    capsys.readouterr()
    logger("x").info("stored", **fields)
    (line,) = said(capsys)
    kept = line.keys() & fields.keys() & FIELDS.keys()
    assert line.get("dropped_fields", 0) == len(fields) - len(kept)


def test_an_exception_is_named_by_type_and_place_through_all_its_causes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    survivor = CANARY
    try:
        try:
            int(survivor)
        except ValueError as error:
            error.add_note(CANARY)
            raise RuntimeError(CANARY) from error
    except RuntimeError:
        logger("x").exception("opening_failed")
    (line,) = said(capsys)
    assert line["error"] == ["RuntimeError", "ValueError"]
    assert "CANARY" not in json.dumps(line)
    assert "test_logs" in str(line["where"])


def test_an_exception_hidden_by_from_none_stays_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        try:
            int(CANARY)
        except ValueError:
            raise RuntimeError(CANARY) from None
    except RuntimeError:
        logger("x").exception("opening_failed")
    (line,) = said(capsys)
    assert line["error"] == ["RuntimeError"]


def test_a_contract_s_code_and_field_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    logger("x").error("refused", exc_info=Refused("no_route", "to"))
    (line,) = said(capsys)
    assert (line["code"], line["field"]) == ("no_route", "to")


@contextmanager
def _heard(name: str) -> Iterator[None]:
    parent = logging.getLogger(name)
    before = parent.level
    parent.setLevel(logging.NOTSET)
    try:
        yield
    finally:
        parent.setLevel(before)


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("number", [logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR])
def test_a_library_s_record_is_reduced(
    name: str, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    # One file of ours silences pika altogether when it is imported, whichever test came first.
    with _heard(name.partition(".")[0]):
        library = logging.getLogger(name)
        library.log(number, "https://x/?q=%s", CANARY, extra={"body": CANARY})
        library.log(number, f"f-string {CANARY}")
    lines = said(capsys)
    assert "CANARY" not in json.dumps(lines)
    assert len(lines) == (2 if number >= logging.WARNING else 0)
    assert all(line["event"] == "library_record" for line in lines)


def test_a_library_s_exception_is_reduced(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError(CANARY)
    except ValueError:
        logging.getLogger("httpx").exception("request to %s", CANARY)
    (line,) = said(capsys)
    assert line["error"] == ["ValueError"]
    assert "CANARY" not in json.dumps(line)


def test_a_record_with_wrong_arguments_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("pika").error("no place for it", CANARY)
    assert "CANARY" not in json.dumps(said(capsys))


def test_a_known_message_of_a_library_is_named_without_its_values(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logging.getLogger("gunicorn.error").info("Booting worker with pid: %s", CANARY)
    (line,) = said(capsys)
    assert line["event"] == "worker_started"
    assert "CANARY" not in json.dumps(line)


_DYING = f"""
import sys, threading, warnings
from broker.service.logs import configure_logging
configure_logging("dying", "DEBUG")
class Unraisable:
    def __del__(self): raise ValueError({CANARY!r})
Unraisable()
warnings.warn({CANARY!r})
def fail(survivor): raise ValueError(survivor)
thread = threading.Thread(target=fail, args=({CANARY!r},)); thread.start(); thread.join()
try:
    fail({CANARY!r})
except ValueError as error:
    raise KeyError({CANARY!r}) from error
"""


def test_nothing_python_prints_by_itself_holds_a_value() -> None:
    died = subprocess.run(
        [sys.executable, "-c", _DYING], capture_output=True, text=True, check=False
    )
    assert died.returncode == 1
    assert "CANARY" not in died.stdout + died.stderr
    events = [json.loads(line)["event"] for line in died.stderr.splitlines()]
    assert events == [
        "exception_in_finaliser",
        "library_record",
        "uncaught_exception_in_thread",
        "uncaught_exception",
    ]


def test_logging_before_it_is_configured_is_as_careful() -> None:
    code = (
        "from broker.service.logs import logger\n"
        f"try: int({CANARY!r})\n"
        "except ValueError: logger('early').exception('failed', text='CANARY')"
    )
    early = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "CANARY" not in early.stdout + early.stderr
    assert json.loads(early.stderr)["error"] == ["ValueError"]


def test_every_call_in_the_tree_names_its_event_and_listed_fields_only() -> None:
    """What the log would drop at run time is a mistake that can be seen before."""
    wrong = []
    for package in ("directory", "broker"):
        for path in sorted((ROOT / package).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            wrong += [f"{path.relative_to(ROOT)}:{call.lineno}" for call in _wrong_calls(tree)]
    assert wrong == []


def _wrong_calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _is_log_call(node):
            event = node.args[0] if len(node.args) == 1 else None
            static = event is not None and all(map(_is_event, _alternatives(event)))
            listed = all(
                keyword.arg in FIELDS or keyword.arg == "exc_info" for keyword in node.keywords
            )
            if not (static and listed):
                yield node


def _alternatives(event: ast.expr) -> tuple[ast.expr, ...]:
    return (event.body, event.orelse) if isinstance(event, ast.IfExp) else (event,)


def _is_event(event: ast.expr) -> bool:
    named = isinstance(event, ast.Constant) and logs._EVENT.fullmatch(str(event.value))
    return bool(named)


def _is_log_call(call: ast.Call) -> bool:
    levels = {"debug", "info", "warning", "error", "exception", "critical"}
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in levels:
        return False
    return re.search(r"\b_?log(ger)?$", ast.unparse(call.func.value)) is not None
