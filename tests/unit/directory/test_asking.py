"""What a witness may do to the directory that asks it: nothing but answer or be away."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from contracts.log import MAX_LEAF, join_leaves
from directory.asking import BATCH, Answer, WitnessAway, WitnessLine

URL = "https://witness.example/path"
Handler = Callable[[httpx.Request], httpx.Response]


def raw(status: int, body: bytes, **headers: str) -> httpx.Response:
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))


def line(handler: Handler) -> WitnessLine:
    return WitnessLine(URL, httpx.MockTransport(handler))


def test_it_is_asked_at_its_address_for_this_log() -> None:
    asked: list[tuple[str, str]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, str(request.url)))
        return raw(200, join_leaves([b"a", b"b"]) if "leaves" in request.url.path else b"note")

    witness = line(handler)
    assert witness.add_checkpoint(b"old 0\n") == Answer(200, b"note")
    assert witness.checkpoint("demo.test") == b"note"
    assert witness.leaves("demo.test", 3, 5) == (b"a", b"b")
    assert asked == [
        ("POST", f"{URL}/add-checkpoint"),
        ("GET", f"{URL}/log/checkpoint?origin=demo.test"),
        ("GET", f"{URL}/log/leaves?origin=demo.test&from=3&to=5"),
    ]


def test_one_that_never_signed_this_log_holds_nothing() -> None:
    assert line(lambda _: raw(404, b"")).checkpoint("demo.test") is None


@pytest.mark.parametrize("status", [500, 503, 403, 301])
def test_one_that_fails_has_not_said_that_it_holds_nothing(status: int) -> None:
    with pytest.raises(WitnessAway):
        line(lambda _: raw(status, b"")).checkpoint("demo.test")


def test_a_redirect_is_not_followed() -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return raw(307, b"", Location="https://elsewhere.example/add-checkpoint")

    assert line(handler).add_checkpoint(b"old 0\n").status == 307
    assert asked == ["witness.example"]


class Endless(httpx.SyncByteStream):
    """An answer that does not end by itself."""

    def __init__(self) -> None:
        self.sent = 0

    def __iter__(self) -> Iterator[bytes]:
        while True:
            self.sent += 1
            yield b"x" * 4096


@pytest.mark.parametrize(
    ("ask", "most"),
    [
        (lambda one: one.add_checkpoint(b""), 32 * 1024),
        (lambda one: one.checkpoint("demo.test"), 32 * 1024),
        (lambda one: one.leaves("demo.test", 0, 10), BATCH * (8 + MAX_LEAF)),
    ],
)
def test_an_answer_without_end_is_left_early(
    ask: Callable[[WitnessLine], object], most: int
) -> None:
    stream = Endless()
    with pytest.raises(WitnessAway):
        ask(line(lambda _: httpx.Response(200, stream=stream)))
    assert stream.sent * 4096 <= most + 2 * 4096


@pytest.mark.parametrize(
    "body", [join_leaves([b"a", b"b", b"c"]), join_leaves([b"a"])[:-1], b"\xff" * 9]
)
def test_leaves_that_were_not_asked_for_or_are_cut_off_are_none(body: bytes) -> None:
    with pytest.raises(WitnessAway):
        line(lambda _: raw(200, body)).leaves("demo.test", 0, 2)


def test_a_packed_answer_and_a_dead_line_are_no_answer() -> None:
    def dead(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody")

    packed = line(lambda _: raw(200, b"x", **{"Content-Encoding": "gzip"}))
    for witness in (packed, line(dead)):
        with pytest.raises(WitnessAway):
            witness.add_checkpoint(b"old 0\n")


def test_a_line_that_was_closed_asks_no_more() -> None:
    witness = line(lambda _: raw(200, b""))
    witness.close()
    with pytest.raises(WitnessAway):
        witness.add_checkpoint(b"")
