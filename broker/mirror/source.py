"""Leaves from the directory, over HTTPS. The only file of the mirror that uses the network.

Nothing that comes back is believed: sizes are bounded before bytes are kept, redirects are not
followed, and an answer that has not the form of leaves is no answer. Whether the leaves are true
is for `broker.mirror.fold`.
"""

from __future__ import annotations

from typing import Final

import httpx

from broker.mirror.stops import DirectoryUnreachable
from broker.service.line import CutOff, Line
from contracts.errors import Malformed
from contracts.log import MAX_LEAF, split_leaves

# Leaves asked for at once: half of what a directory gives, about 0.4 MB of honest leaves.
BATCH: Final = 500
_MAX_ANSWER: Final = BATCH * (8 + MAX_LEAF)
_MEDIA_TYPE: Final = "application/octet-stream"
_CONNECT_SECONDS: Final = 5.0
_READ_SECONDS: Final = 15.0
# A whole answer: a line of 100 kbit/s carries a batch of honest leaves in half a minute.
_ANSWER_SECONDS: Final = 90.0


class LeafSource:
    """`GET /log/leaves` of one directory."""

    def __init__(self, directory_url: str, transport: httpx.BaseTransport | None = None) -> None:
        # Proxies and credentials from the environment or a .netrc would send this elsewhere.
        self._client = httpx.Client(
            base_url=directory_url,
            transport=transport,
            timeout=httpx.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS),
            follow_redirects=False,
            trust_env=False,
            headers={"Accept": _MEDIA_TYPE, "Accept-Encoding": "identity"},
            limits=httpx.Limits(max_connections=1),
        )
        self._line = Line()

    def leaves(self, start: int) -> tuple[bytes, ...]:
        """The data of at most `BATCH` leaves from number `start` on; none past the log's end.

        Raises `DirectoryUnreachable`, also where what answered is not a directory.
        """
        try:
            with self._line.cut_after(_ANSWER_SECONDS):
                leaves = split_leaves(self._fetch(start))
        except Malformed:
            raise DirectoryUnreachable("cut_off") from None
        except (CutOff, httpx.HTTPError):
            raise DirectoryUnreachable from None
        if len(leaves) > BATCH:
            raise DirectoryUnreachable("oversized")
        return leaves

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _fetch(self, start: int) -> bytes:
        span = {"from": start, "to": start + BATCH}
        watched = {"trace": self._line.trace}
        with self._client.stream("GET", "/log/leaves", params=span, extensions=watched) as answer:
            if answer.status_code >= 500:
                raise DirectoryUnreachable
            kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            packed = answer.headers.get("Content-Encoding", "identity") != "identity"
            if answer.status_code != 200 or kind != _MEDIA_TYPE or packed:
                raise DirectoryUnreachable("not_a_directory")
            return _read(answer)


def _read(answer: httpx.Response) -> bytes:
    """The body, as long as it stays within its bound of size."""
    read = bytearray()
    for chunk in answer.iter_raw():
        read += chunk
        if len(read) > _MAX_ANSWER:
            raise DirectoryUnreachable("oversized")
    return bytes(read)
