"""RabbitMQ's management interface, as far as the hub uses it: users, rights, queues, connections.

Every call is one request and may be repeated. What RabbitMQ says is reduced to plain values.
It refuses to know what a device is, never sees a password (RabbitMQ is given a salted hash), and
no error of it holds what was asked or answered.

    api = Management(queue_url, management_url)
    api.put_user("name", secret_hash("secret"))
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import quote, unquote, urlsplit

import httpx

from broker import amqp
from broker.hub import topology
from broker.service.addresses import is_loopback
from broker.service.failures import Failure

SECONDS: Final = 10.0
_HASHING: Final = "rabbit_password_hashing_sha256"
_SALT_SIZE: Final = 4  # RabbitMQ's own; what it salts here has 256 bits already


class ManagementUnavailable(Failure):
    """The management API could not be reached or refused."""


@dataclass(frozen=True, slots=True)
class Connection:
    """An open connection and whose it is."""

    name: str
    user: str


@dataclass(frozen=True, slots=True)
class QueueState:
    """Counters of one queue; they lag some seconds, and read 0 for a while after a restart."""

    name: str
    messages: int
    consumers: int


class QueueOffice(Protocol):
    """What is asked of RabbitMQ about users and their queues."""

    @property
    def vhost(self) -> str: ...
    def put_box(self, token: str) -> None: ...
    def put_user(self, name: str, secret_hash: str, rights: topology.Rights) -> None: ...
    def users(self) -> frozenset[str]: ...
    def delete_user(self, name: str) -> None: ...
    def connections(self) -> tuple[Connection, ...]: ...
    def close_connection(self, name: str) -> None: ...
    def boxes(self) -> Mapping[str, QueueState]: ...
    def unbind_box(self, token: str) -> None: ...
    def delete_box(self, token: str) -> None: ...


class Management:
    """One RabbitMQ and one vhost of it, both as the queue's URL names them."""

    def __init__(self, queue_url: str, management_url: str) -> None:
        parts = urlsplit(queue_url)
        user, password = unquote(parts.username or "guest"), unquote(parts.password or "guest")
        here = is_loopback(urlsplit(management_url).hostname or "")
        self.vhost = amqp.virtual_host(queue_url)
        self._in_vhost = quote(self.vhost, safe="")
        self._http = httpx.Client(
            base_url=management_url, auth=(user, password), timeout=SECONDS, trust_env=not here
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # -- for `declare` ----------------------------------------------------------------------------

    def put_policy(self, policy: topology.Policy) -> None:
        """Set it, in place of one of that name."""
        body = {
            "pattern": policy.pattern,
            "definition": dict(policy.definition),
            "apply-to": "queues",
        }
        self._put(f"/api/policies/{self._in_vhost}/{policy.name}", body)

    def readable(self, path: str) -> list[dict[str, Any]]:
        """What an operator's user may see; a user without that right sees nothing, and so do we."""
        try:
            return self._list(path)
        except _Denied:
            return []

    # -- users ------------------------------------------------------------------------------------

    def put_user(self, name: str, secret_hash: str, rights: topology.Rights) -> None:
        """Make the user, or give it this secret; open connections of it stay."""
        user, vhost = quote(name, safe=""), self._in_vhost
        made = {"password_hash": secret_hash, "hashing_algorithm": _HASHING, "tags": ""}
        self._put(f"/api/users/{user}", made)
        for limit, value in topology.USER_LIMITS.items():
            self._put(f"/api/user-limits/{user}/{limit}", {"value": value})
        # Last: until then it may enter no vhost.
        topic = {"exchange": topology.SUBMIT, "write": rights.topic, "read": "^$"}
        self._put(f"/api/topic-permissions/{vhost}/{user}", topic)
        plain = {"configure": rights.configure, "write": rights.write, "read": rights.read}
        self._put(f"/api/permissions/{vhost}/{user}", plain)

    def users(self) -> frozenset[str]:
        """Everybody who may enter this vhost."""
        found = self._list(f"/api/vhosts/{self._in_vhost}/permissions")
        return frozenset(str(one.get("user", "")) for one in found)

    def delete_user(self, name: str) -> None:
        """From here on nobody logs in by this name. Nothing where there is none."""
        self._delete(f"/api/users/{quote(name, safe='')}")

    def connections(self) -> tuple[Connection, ...]:
        """Those into this vhost; one that was opened within the last seconds may be missing."""
        found = self._list(f"/api/vhosts/{self._in_vhost}/connections?columns=name,user")
        return tuple(
            Connection(one["name"], one["user"])
            for one in found
            if isinstance(one.get("name"), str) and isinstance(one.get("user"), str)
        )

    def close_connection(self, name: str) -> None:
        """End it. Nothing where it has ended."""
        self._delete(f"/api/connections/{quote(name, safe='')}")

    # -- the devices' own queues ------------------------------------------------------------------

    def put_box(self, token: str) -> None:
        """Make the queue and bind it; nothing where it stands."""
        queue = topology.box_queue(token)
        body = {"durable": True, "auto_delete": False, "arguments": dict(queue.arguments)}
        self._put(f"/api/queues/{self._in_vhost}/{queue.name}", body)
        binding = {"routing_key": token, "arguments": {}}
        self._request("POST", self._bindings(queue.name), binding)

    def unbind_box(self, token: str) -> None:
        """Nothing new comes into it. Nothing where that is so already."""
        self._delete(f"{self._bindings(topology.box_queue(token).name)}/{token}")

    def delete_box(self, token: str) -> None:
        """Take the queue away, with whatever is in it."""
        self._delete(f"/api/queues/{self._in_vhost}/{topology.box_queue(token).name}")

    def boxes(self) -> Mapping[str, QueueState]:
        """The devices' queues there are, by token."""
        found = self._list(f"/api/queues/{self._in_vhost}?columns=name,messages,consumers")
        states = [
            QueueState(str(one.get("name", "")), _count(one, "messages"), _count(one, "consumers"))
            for one in found
        ]
        return {token: one for one in states if (token := topology.token_of(one.name)) is not None}

    def _bindings(self, queue: str) -> str:
        return f"/api/bindings/{self._in_vhost}/e/{topology.DELIVER}/q/{queue}"

    def _put(self, path: str, body: Mapping[str, object]) -> None:
        self._request("PUT", path, body)

    def _delete(self, path: str) -> None:
        self._request("DELETE", path, None, missing_is_fine=True)

    def _list(self, path: str) -> list[dict[str, Any]]:
        try:
            value = self._request("GET", path, None).json()
        except ValueError:
            raise _unavailable() from None
        return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []

    def _request(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None,
        *,
        missing_is_fine: bool = False,
    ) -> httpx.Response:
        try:
            answer = self._http.request(method, path, json=body)
        except httpx.HTTPError:
            raise _unavailable() from None
        if answer.is_success or (missing_is_fine and answer.status_code == httpx.codes.NOT_FOUND):
            return answer
        raise _Denied(str(_unavailable()))


class _Denied(ManagementUnavailable):
    """It answered, and not with what was asked for."""


def secret_hash(secret: str) -> str:
    """What RabbitMQ compares a login's password with."""
    salt = secrets.token_bytes(_SALT_SIZE)
    return base64.b64encode(salt + hashlib.sha256(salt + secret.encode()).digest()).decode()


def _count(one: Mapping[str, Any], name: str) -> int:
    value = one.get(name)
    return value if isinstance(value, int) else 0


def _unavailable() -> ManagementUnavailable:
    return ManagementUnavailable(
        "RabbitMQ's management API could not be reached or refused this user. The queues stand "
        "and no message is lost, but limits may not be set. Check RUJUKAN_QUEUE_MANAGEMENT_URL "
        "and that the queue's user has the tag policymaker (administrator where devices get users "
        "of their own), then repeat rujukan-hub declare."
    )
