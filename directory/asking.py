"""One witness over HTTPS: the only file of the directory that uses the network as a client.

Nothing that comes back is believed: sizes are bounded before bytes are kept, redirects are not
followed, no answer takes longer than its limit. Whether a signature, a checkpoint or a leaf is
true is for `directory.witnessing`.

    asked = WitnessLine(witness.url)
    asked.add_checkpoint(request)            -> Answer(status=200, body=b"...")
    asked.checkpoint(origin)                 -> the note it holds, or None
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import httpx

from broker.service.line import CutOff, Line
from contracts.errors import Malformed
from contracts.log import MAX_LEAF, split_leaves

# Leaves asked for at once, as every mirror asks.
BATCH: Final = 500
_MAX_LEAVES: Final = BATCH * (8 + MAX_LEAF)
# A log's and 64 witnesses' signature lines are about 16 KB.
_MAX_NOTE: Final = 32 * 1024
_CONNECT_SECONDS: Final = 5.0
_READ_SECONDS: Final = 10.0
# A whole answer. To sign, a witness may first fetch what is new; leaves come as mirrors get them.
_SIGNING_SECONDS: Final = 20.0
_LEAVES_SECONDS: Final = 90.0


class WitnessAway(Exception):
    """It did not answer, or not as a witness does; it is asked again later."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What it said to a checkpoint: an HTTP status of tlog-witness, and the body."""

    status: int
    body: bytes


class Asked(Protocol):
    """A witness as the directory asks it. Every call may raise `WitnessAway`."""

    def add_checkpoint(self, request: bytes) -> Answer:
        """Ask for its signature."""

    def checkpoint(self, origin: str) -> bytes | None:
        """The note of the newest checkpoint it signed of this log; None if it never signed one."""

    def leaves(self, origin: str, start: int, end: int) -> tuple[bytes, ...]:
        """Leaves of this log from number `start` to before `end`, at most `BATCH` of them."""

    def close(self) -> None:
        """Close the connections."""


class WitnessLine:
    """A witness at its address."""

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        self._url = url
        # Proxies and credentials from the environment or a .netrc would send this elsewhere.
        self._client = httpx.Client(
            transport=transport,
            timeout=httpx.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS),
            follow_redirects=False,
            trust_env=False,
            headers={"Accept-Encoding": "identity"},
            limits=httpx.Limits(max_connections=1),
        )
        self._line = Line()

    def add_checkpoint(self, request: bytes) -> Answer:
        """POST /add-checkpoint."""
        return self._ask("POST", "/add-checkpoint", _SIGNING_SECONDS, _MAX_NOTE, content=request)

    def checkpoint(self, origin: str) -> bytes | None:
        """GET /log/checkpoint of this log."""
        query = {"origin": origin}
        answer = self._ask("GET", "/log/checkpoint", _SIGNING_SECONDS, _MAX_NOTE, query=query)
        if answer.status not in (200, 404):
            raise WitnessAway
        return answer.body if answer.status == 200 else None

    def leaves(self, origin: str, start: int, end: int) -> tuple[bytes, ...]:
        """GET /log/leaves of this log."""
        stop = min(end, start + BATCH)
        query = {"origin": origin, "from": str(start), "to": str(stop)}
        answer = self._ask("GET", "/log/leaves", _LEAVES_SECONDS, _MAX_LEAVES, query=query)
        try:
            leaves = split_leaves(answer.body)
        except Malformed:
            raise WitnessAway from None
        if answer.status != 200 or len(leaves) > stop - start:
            raise WitnessAway
        return leaves

    def close(self) -> None:
        """Close the connections, and let none begin."""
        self._line.close()
        self._client.close()

    def _ask(
        self,
        method: str,
        path: str,
        seconds: float,
        limit: int,
        *,
        query: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        watched = {"trace": self._line.trace}
        asking = self._client.stream(
            method, f"{self._url}{path}", params=query, content=content, extensions=watched
        )
        try:
            with self._line.cut_after(seconds), asking as answer:
                return Answer(answer.status_code, _read(answer, limit))
        except (CutOff, httpx.HTTPError, httpx.InvalidURL):
            raise WitnessAway from None


def _read(answer: httpx.Response, limit: int) -> bytes:
    """The body, as long as it stays within its bound of size."""
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise WitnessAway
    read = bytearray()
    for chunk in answer.iter_raw():
        read += chunk
        if len(read) > limit:
            raise WitnessAway
    return bytes(read)
