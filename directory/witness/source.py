"""New leaves from the directory of one log, over HTTPS. The witness's only way out.

Nothing that comes back is believed: sizes are bounded before bytes are kept, redirects are not
followed, an answer that has not the form of leaves is no answer, and one byte at a time is cut
off. Whether the leaves are true is for `directory.witness.rules`.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from broker.service.line import CutOff, Line
from contracts.errors import Malformed
from contracts.log import MAX_LEAF, split_leaves
from directory.witness.rules import Refusal

# Leaves asked for at once: half of what a directory gives, about 0.2 MB of honest leaves.
BATCH: Final = 500
# What is new is held in memory until it is judged: over 300,000 honest leaves.
_MAX_NEW: Final = 128 * 1024 * 1024
_MEDIA_TYPE: Final = "application/octet-stream"
_CONNECT_SECONDS: Final = 5.0
_READ_SECONDS: Final = 15.0
# Everything together: a new witness of an old log has some megabytes to fetch.
_ALL_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """Leaves as the directory gave them, the one after them if there is one, and its clock.

    `date` is Unix seconds, None where the directory did not tell.
    """

    leaves: tuple[bytes, ...]
    waiting: bytes | None
    date: int | None


class Source:
    """`GET /log/leaves` of one directory. Safe to share between threads: it keeps nothing."""

    def __init__(self, directory_url: str, transport: httpx.BaseTransport | None = None) -> None:
        self._url = directory_url
        self._transport = transport

    def fetch(self, start: int, end: int) -> Fetched:
        """The leaves from `start` to before `end`, or fewer, and one more if the log has more.

        Raises `Refusal("directory_away")`.
        """
        line = Line()
        # Proxies and credentials from the environment or a .netrc would send this elsewhere.
        client = httpx.Client(
            base_url=self._url,
            transport=self._transport,
            timeout=httpx.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS),
            follow_redirects=False,
            trust_env=False,
            headers={"Accept": _MEDIA_TYPE, "Accept-Encoding": "identity"},
            limits=httpx.Limits(max_connections=1),
        )
        try:
            with client, line.cut_after(_ALL_SECONDS):
                return _fetch(client, line, start, end)
        except (CutOff, Malformed, httpx.HTTPError):
            raise Refusal("directory_away") from None


def _fetch(client: httpx.Client, line: Line, start: int, end: int) -> Fetched:
    leaves: list[bytes] = []
    size = 0
    while True:
        at = start + len(leaves)
        wanted = min(BATCH, end + 1 - at)
        body, date = _ask(client, line, at, at + wanted)
        found = split_leaves(body)
        size += len(body)
        if len(found) > wanted or size > _MAX_NEW:
            raise Refusal("directory_away")
        leaves += found
        total = start + len(leaves)
        # A short answer is the log's end, or a directory that gives fewer at once.
        if total > end or not found or (total == end and len(found) < wanted):
            waiting = leaves[end - start] if total > end else None
            return Fetched(tuple(leaves[: end - start]), waiting, date)


def _ask(client: httpx.Client, line: Line, start: int, end: int) -> tuple[bytes, int | None]:
    span = {"from": start, "to": end}
    watched = {"trace": line.trace}
    with client.stream("GET", "/log/leaves", params=span, extensions=watched) as answer:
        kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        packed = answer.headers.get("Content-Encoding", "identity") != "identity"
        if answer.status_code != 200 or kind != _MEDIA_TYPE or packed:
            raise Refusal("directory_away")
        return _read(answer, (end - start) * (8 + MAX_LEAF)), _date(answer)


def _read(answer: httpx.Response, limit: int) -> bytes:
    read = bytearray()
    for chunk in answer.iter_raw():
        read += chunk
        if len(read) > limit:
            raise Refusal("directory_away")
    return bytes(read)


def _date(answer: httpx.Response) -> int | None:
    try:
        return int(parsedate_to_datetime(answer.headers.get("Date", "")).timestamp())
    except (ValueError, OverflowError):
        return None
