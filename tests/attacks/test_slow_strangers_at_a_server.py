"""Strangers who begin a request and do not end it, against the web server as it really runs."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.services import free_port, start, wait_for_port

THREADS = 2
_SERVER = """
import sys
from flask import Flask, request
from broker.service import web
from broker.service.problems import install_problem_answers

web._SILENT_SECONDS, web._REQUEST_SECONDS = 0.5, 1.0

def factory():
    app = Flask("toy")
    install_problem_answers(app)

    @app.get("/here")
    def here():
        return "here"

    @app.post("/form")
    def form():
        return request.form.get("phone", "")
    return app

web.run_web(factory, host="127.0.0.1", port=int(sys.argv[1]), workers=1, threads=2)
"""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder: Path = tmp_path_factory.mktemp("slow")
    chosen = free_port()
    command = [sys.executable, "-c", _SERVER, str(chosen)]
    with start("toy", command, log=folder / "log", environ={}, folder=folder) as child:
        wait_for_port(chosen, child=child)
        yield chosen


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"GET /here HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\nphone=",
    ],
    ids=["nothing", "half a header", "half a body"],
)
def test_requests_that_do_not_end_do_not_keep_the_server_from_others(
    port: int, beginning: bytes
) -> None:
    with ExitStack() as strangers:
        for _ in range(2 * THREADS):
            stranger = socket.create_connection(("127.0.0.1", port))
            strangers.enter_context(stranger)
            stranger.sendall(beginning)
        answer = httpx.get(f"http://127.0.0.1:{port}/here", timeout=20, trust_env=False)
    assert answer.text == "here"


def test_half_a_form_is_not_read_as_a_whole_one(port: int) -> None:
    body = b"phone=%2B60312345678"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        line.sendall(
            b"POST /form HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body)
        )
        line.sendall(body[:-3])
        line.shutdown(socket.SHUT_WR)
        answer = line.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"60312345" not in answer
