"""Checkpoints and leaves from the directory, over HTTPS. Only here the mirror uses the network.

Nothing that comes back is believed: sizes are bounded before bytes are kept, redirects are not
followed, and an answer that has not the form of leaves is no answer. Whether checkpoint and
leaves are true is for `broker.mirror.fold` and `broker.mirror.judging`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import httpx

from broker.mirror.stops import DirectoryUnreachable
from broker.service.line import CutOff, Line
from contracts.errors import Malformed
from contracts.log import MAX_LEAF, split_leaves
from contracts.notes import MAX_NOTE

# Leaves asked for at once: half of what a directory gives, about 0.4 MB of honest leaves.
BATCH: Final = 500
_MAX_ANSWER: Final = BATCH * (8 + MAX_LEAF)
_LEAVES_TYPE: Final = "application/octet-stream"
_NOTE_TYPE: Final = "text/plain"
_CONNECT_SECONDS: Final = 5.0
_READ_SECONDS: Final = 15.0
# A whole answer: a line of 100 kbit/s carries a batch of honest leaves in half a minute.
_ANSWER_SECONDS: Final = 90.0


class LeafSource:
    """`GET /log/checkpoint` and `GET /log/leaves` of one directory."""

    def __init__(self, directory_url: str, transport: httpx.BaseTransport | None = None) -> None:
        # Proxies and credentials from the environment or a .netrc would send this elsewhere.
        self._client = httpx.Client(
            base_url=directory_url,
            transport=transport,
            timeout=httpx.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS),
            follow_redirects=False,
            trust_env=False,
            headers={"Accept-Encoding": "identity"},
            limits=httpx.Limits(max_connections=1),
        )
        self._line = Line()

    def checkpoint(self) -> bytes:
        """The signed note of the newest checkpoint, as it came.

        Raises `DirectoryUnreachable`, also where what answered is not a directory.
        """
        return self._get("/log/checkpoint", {}, kind=_NOTE_TYPE, limit=MAX_NOTE)

    def leaves(self, start: int, end: int | None = None) -> tuple[bytes, ...]:
        """The data of at most `BATCH` leaves from number `start` on, all before number `end`.

        None where the directory has none to give. Raises `DirectoryUnreachable`.
        """
        stop = start + BATCH if end is None else min(end, start + BATCH)
        span = {"from": start, "to": stop}
        body = self._get("/log/leaves", span, kind=_LEAVES_TYPE, limit=_MAX_ANSWER)
        try:
            leaves = split_leaves(body)
        except Malformed:
            raise DirectoryUnreachable("cut_off") from None
        if len(leaves) > stop - start:
            raise DirectoryUnreachable("oversized")
        return leaves

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _get(self, path: str, query: Mapping[str, int], *, kind: str, limit: int) -> bytes:
        try:
            with self._line.cut_after(_ANSWER_SECONDS):
                return self._fetch(path, query, kind, limit)
        except (CutOff, httpx.HTTPError):
            raise DirectoryUnreachable from None

    def _fetch(self, path: str, query: Mapping[str, int], kind: str, limit: int) -> bytes:
        watched, headers = {"trace": self._line.trace}, {"Accept": kind}
        with self._client.stream(
            "GET", path, params=query, headers=headers, extensions=watched
        ) as answer:
            if answer.status_code >= 500:
                raise DirectoryUnreachable
            found = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            packed = answer.headers.get("Content-Encoding", "identity") != "identity"
            if answer.status_code != 200 or found != kind or packed:
                raise DirectoryUnreachable("not_a_directory")
            return _read(answer, limit)


def _read(answer: httpx.Response, limit: int) -> bytes:
    """The body, as long as it stays within its bound of size."""
    read = bytearray()
    for chunk in answer.iter_raw():
        read += chunk
        if len(read) > limit:
            raise DirectoryUnreachable("oversized")
    return bytes(read)
