"""The desk's two servers over HTTPS: the hub that carries, the directory that lists.

Neither is believed. The hub's id, address and key come from the root file; what it says of an
envelope counts only as a notice signed with that key, checked by the caller. A token lives in
this process's memory. Nothing here logs, and no error holds a body, an address or a header.

    hub = HubClient(root.hubs[0], org=ring.org, key=ring.signing)
    answer = hub.submit(body)
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from broker.desk.errors import DeskError
from broker.service.addresses import is_loopback
from broker.service.line import CutOff, Line
from contracts.encoding import (
    JsonObject,
    b64decode,
    bytes_of,
    dump_json,
    list_of,
    number_of,
    parse_object,
    text_of,
)
from contracts.entries import MAX_ENTRY, entry_hash
from contracts.envelope import MAX_BODY
from contracts.envelope import MEDIA_TYPE as ENVELOPE_TYPE
from contracts.errors import ContractError
from contracts.identifiers import Eid, Mid, OrgId, parse_eid
from contracts.login import NONCE_SIZE, LoginProof, sign_login
from contracts.root import Hub
from contracts.signing import SigningKey
from contracts.statements import Statement

Clock = Callable[[], int]

TIMEOUT: Final = httpx.Timeout(20.0, connect=10.0)  # bad connections are the normal case
# A whole answer: a line of 100 kbit/s carries four referrals of the largest size in that time.
ANSWER_SECONDS: Final = 90.0
LEASE_AT_ONCE: Final = 20
# A batch of envelopes in Base64 within JSON, with room for leases; a search is far smaller.
_MAX_ANSWER: Final = LEASE_AT_ONCE * (MAX_BODY * 4 // 3 + 1024)
_MAX_PROBLEM: Final = 16 * 1024
PROBLEM_TYPE: Final = "application/problem+json"
_IDENTIFIER: Final = re.compile(r"[a-z0-9_]{1,64}")
_MOST_PATIENCE: Final = 3600  # seconds; longer than this no server's Retry-After binds us


class Unreachable(Exception):
    """The world: no connection, a timeout, 429, 503, 507. Try again after `retry_after` seconds."""

    def __init__(self, retry_after: int | None = None) -> None:
        super().__init__("unreachable")
        self.retry_after = retry_after


class HubRefused(Exception):
    """The hub refused this envelope for good; `code` is from its problem answer."""

    def __init__(self, code: str, field: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.field = field


@dataclass(frozen=True, slots=True)
class Lease:
    """An envelope lent by the mailbox until it is acknowledged or given back."""

    id: str
    eid: Eid
    attempt: int
    body: bytes = field(repr=False)


class HubClient:
    """One device's conversation with one hub; logs in by itself when it must."""

    def __init__(
        self,
        hub: Hub,
        *,
        org: OrgId,
        key: SigningKey,
        clock: Clock,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._hub, self._org, self._clock = hub, org, clock
        self._key: SigningKey | None = key
        self._http, self._line = web_client(hub.url, transport), Line()
        self._token: str | None = None

    def check(self) -> None:
        """Ask who is there. Raises `Unreachable`, or `DeskError` where it is not our hub."""
        fields = _fields(self._send("GET", "/v1/hub"))
        if fields.get("hub") != self._hub.id:
            raise DeskError("hub_not_itself")

    def submit(self, body: bytes) -> bytes:
        """Hand an envelope over; the notice's bytes, still to be verified.

        Raises `HubRefused`, `Unreachable`, `DeskError("login_refused")`.
        """
        answer = self._authorised("POST", "/v1/envelopes", content=body, content_type=ENVELOPE_TYPE)
        return answer.content

    def notice(self, mid: Mid) -> bytes | None:
        """The newest notice about an envelope of ours, or none."""
        try:
            return self._authorised("GET", f"/v1/notices/{mid}").content
        except HubRefused:
            return None  # it knows nothing of that envelope

    def lease(self) -> tuple[Lease, ...]:
        """What has arrived for this device, a batch at most."""
        content = dump_json({"max": LEASE_AT_ONCE})
        fields = _fields(self._granted("/v1/mailbox/lease", content))
        try:
            return tuple(_lease(item) for item in list_of(fields, "items"))
        except ContractError:
            raise Unreachable from None

    def settle(self, *, acknowledge: Iterable[str] = (), give_back: Iterable[str] = ()) -> None:
        """Tell the mailbox which leases are done with, and which to lend again uncounted."""
        content = dump_json({"acknowledge": list(acknowledge), "give_back": list(give_back)})
        self._granted("/v1/mailbox/ack", content)

    def close(self) -> None:
        """Close the connections, forget the token and the key."""
        self._token = self._key = None
        self._line.close()
        self._http.close()

    def _granted(self, path: str, content: bytes) -> _Answer:
        """A request that our hub has no reason to refuse."""
        try:
            return self._authorised("POST", path, content=content)
        except HubRefused as refused:
            raise DeskError("hub_refuses", rule=refused.code.replace("_", " ")) from None

    def _authorised(
        self,
        method: str,
        path: str,
        *,
        content: bytes = b"",
        content_type: str = "application/json",
    ) -> _Answer:
        headers = {"Content-Type": content_type} if content else {}
        for fresh in (False, True):
            token = self._log_in() if fresh or self._token is None else self._token
            answer = self._try(
                method,
                path,
                content=content,
                headers=headers | {"Authorization": f"Bearer {token}"},
            )
            if answer.status != 401:
                return _checked(answer)
            self._token = None
        rule = _member(answer, "code") or "no token"
        raise DeskError("login_refused", rule=rule.replace("_", " "))

    def _log_in(self) -> str:
        nonce, key = _fields(self._send("POST", "/v1/login/nonce", content=b"{}")), self._key
        if key is None:
            raise Unreachable  # locked meanwhile: another unlocking sends what is left
        try:
            proof = LoginProof(
                server=self._hub.id,  # as the root file names it, never as the server says
                org=self._org,
                device=key.key_id,
                nonce=bytes_of(nonce, "nonce", size=NONCE_SIZE),
                iat=self._clock(),
            )
            answer = self._send("POST", "/v1/login", content=sign_login(proof, key))
            self._token = text_of(_fields(answer), "token")
        except ContractError:
            raise DeskError("hub_not_itself") from None
        return self._token

    def _send(self, method: str, path: str, *, content: bytes = b"") -> _Answer:
        headers = {"Content-Type": "application/json"} if content else {}
        try:
            return _checked(self._try(method, path, content=content, headers=headers))
        except HubRefused as refused:
            raise DeskError("login_refused", rule=refused.code.replace("_", " ")) from None

    def _try(
        self, method: str, path: str, *, content: bytes, headers: Mapping[str, str]
    ) -> _Answer:
        return _request(self._http, self._line, method, path, content=content, headers=headers)


class DirectoryClient:
    """The directory's public search, and the door for our own organisation's statements."""

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        self._http, self._line = web_client(url, transport), Line()

    def search(self, parameters: Mapping[str, str]) -> Mapping[str, Any]:
        """A page of services. The query travels in the body: addresses end in logs.

        HSDS JSON has fractions (coordinates), so it is not the strict JSON of the contracts; it
        is shown, never believed.
        """
        answer = _request(
            self._http,
            self._line,
            "POST",
            "/services",
            content=dump_json(dict(parameters)),
            headers={"Content-Type": "application/json", "Accept": "application/json"},
        )
        return _shown_object(answer)

    def publish(self, statement: Statement) -> int:
        """Add a statement to the log; its place there. Raises `HubRefused`, `Unreachable`."""
        headers = {"Content-Type": "application/json"}
        content = statement.render()
        answer = _request(
            self._http, self._line, "POST", "/log/statements", content=content, headers=headers
        )
        try:
            return number_of(_fields(_checked(answer)), "index")
        except ContractError:
            raise DeskError("directory_unreadable") from None

    def keep_entry(self, data: bytes) -> None:
        """Hand over an entry's bytes, before the statement that names their hash.

        Raises `HubRefused` with the rule that they break, `Unreachable`.
        """
        headers = {"Content-Type": "application/json"}
        _checked(_request(self._http, self._line, "POST", "/blobs", content=data, headers=headers))

    def entry(self, name: str) -> bytes | None:
        """The bytes of the listed entry of this hash, if the directory has them.

        Only bytes with that hash are handed on: a directory that answers others has none.
        """
        answer = _request(
            self._http,
            self._line,
            "GET",
            f"/blobs/{name}",
            content=b"",
            headers={},
            limit=MAX_ENTRY,
        )
        try:
            data = _checked(answer).content
        except HubRefused:
            return None
        return data if entry_hash(data) == name else None

    def close(self) -> None:
        """Close the connections."""
        self._line.close()
        self._http.close()


def web_client(url: str, transport: httpx.BaseTransport | None = None) -> httpx.Client:
    """A client for one server: TLS verified, no redirect followed to somewhere else.

    An organisation's own proxy (`HTTPS_PROXY`) is used, except towards this computer itself.
    """
    here = is_loopback(urlsplit(url).hostname or "")
    return httpx.Client(
        base_url=url,
        timeout=TIMEOUT,
        follow_redirects=False,
        trust_env=not here,
        transport=transport,
        # A small answer that unpacks to gigabytes would fill the memory before it is measured.
        headers={"Accept-Encoding": "identity"},
        limits=httpx.Limits(max_connections=1),  # the one that `Line` can cut off
    )


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a server said, no longer than it may be."""

    status: int
    kind: str
    retry_after: str
    content: bytes = field(repr=False)


def _request(
    http: httpx.Client,
    line: Line,
    method: str,
    path: str,
    *,
    content: bytes,
    headers: Mapping[str, str],
    limit: int = _MAX_ANSWER,
) -> _Answer:
    wanted = http.build_request(
        method, path, content=content or None, headers=headers, extensions={"trace": line.trace}
    )
    try:
        with line.cut_after(ANSWER_SECONDS), closing(http.send(wanted, stream=True)) as answer:
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise Unreachable
            return _Answer(
                status=answer.status_code,
                kind=answer.headers.get("Content-Type", "").partition(";")[0].strip(),
                retry_after=answer.headers.get("Retry-After", ""),
                content=_bounded(answer.iter_bytes(), limit),
            )
    except (CutOff, httpx.HTTPError, httpx.InvalidURL, httpx.StreamError):
        raise Unreachable from None  # the original holds the request


def _bounded(chunks: Iterable[bytes], limit: int) -> bytes:
    """At most `limit` bytes: a server must not be able to fill this computer's memory."""
    found = bytearray()
    for chunk in chunks:
        found += chunk
        if len(found) > limit:
            raise Unreachable
    return bytes(found)


def _checked(answer: _Answer) -> _Answer:
    """The answer of a success.

    Only a problem answer with a code, in our servers' own form, is a refusal. Whatever else
    stands in the way (a café's login page, a proxy's 403) is the world: try again later.
    """
    if 200 <= answer.status < 300:
        return answer
    code = _member(answer, "code")
    if not 400 <= answer.status < 500 or answer.status in (408, 429) or not code:
        raise Unreachable(_retry_after(answer.retry_after))
    raise HubRefused(code, _member(answer, "field"))


def _shown_object(answer: _Answer) -> Mapping[str, Any]:
    try:
        found = json.loads(_checked(answer).content)
    except (ValueError, RecursionError):  # the latter: brackets within brackets, for ever
        raise DeskError("directory_unreadable") from None
    if not isinstance(found, dict):
        raise DeskError("directory_unreadable")
    return found


def _fields(answer: _Answer, *, limit: int = _MAX_ANSWER) -> JsonObject:
    try:
        return parse_object(answer.content, limit=limit)
    except ContractError:
        raise Unreachable from None  # something else answers there


def _lease(item: object) -> Lease:
    fields = item if isinstance(item, dict) else {}
    return Lease(
        id=text_of(fields, "lease"),
        eid=parse_eid(text_of(fields, "eid")),
        attempt=number_of(fields, "attempt"),
        body=b64decode(text_of(fields, "envelope"), field="envelope"),
    )


def _member(answer: _Answer, name: str) -> str:
    """A short identifier out of a problem answer; anything else a server says is not repeated."""
    if answer.kind != PROBLEM_TYPE:
        return ""
    try:
        value = parse_object(answer.content, limit=_MAX_PROBLEM).get(name)
    except ContractError:
        return ""
    return value if isinstance(value, str) and _IDENTIFIER.fullmatch(value) else ""


def _retry_after(value: str) -> int | None:
    """Seconds; a date, by the server's clock, counts as a minute."""
    if value.isascii() and value.isdecimal():
        return min(int(value[:6]), _MOST_PATIENCE)
    return 60 if value else None
