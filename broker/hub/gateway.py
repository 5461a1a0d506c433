"""The hub's HTTPS door: a thin edge that reads a request, asks one decision, writes the answer.

Devices log in by signature, hand in envelopes, fetch their own copies and acknowledge them, or
ask for a user at RabbitMQ to fetch there. A view reads the clock once. Whatever is refused is
answered as problem details with a stable code, the member's name and never a value; what was
refused has left nothing behind. Logs get ids, sizes and outcomes; no body, token, nonce, lease or
password, and not who wrote to whom.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Final

from flask import Blueprint, Response, request

from broker.hub.health import health
from broker.hub.mailbox import MAX_ITEMS
from broker.hub.parts import Hub
from broker.hub.refusals import TooMany, WrongMediaType, answer_failures, login_refused, refused
from broker.hub.sessions import NONCE_SECONDS, TOKEN_SECONDS, NotLoggedIn, login_code
from broker.hub.store import Box
from broker.service.logs import logger
from broker.service.problems import problem
from contracts import notice as notices
from contracts.encoding import (
    JsonInput,
    JsonObject,
    b64encode,
    dump_json,
    members,
    number_of,
    parse_object,
    texts_of,
)
from contracts.envelope import MAX_BODY, MEDIA_TYPE
from contracts.errors import ContractError, Malformed, Refused
from contracts.identifiers import parse_mid
from contracts.login import MAX_LOGIN

JSON: Final = "application/json"
# One byte more than an envelope may have, so that "too large" is said by the one check of it.
MAX_REQUEST: Final = MAX_BODY + 1
# A fetch of 100 is settled in one request, with room for those of an earlier one.
MAX_LEASES: Final = 200
MAX_SMALL_REQUEST: Final = 32 * 1024
_BEARER: Final = "Bearer "

_log = logger(__name__)


def gateway(hub: Hub) -> Blueprint:
    """The routes of the hub. Changed only with a new version number in the path."""
    door = Blueprint("gateway", __name__)
    for method, path, name, view in (
        ("GET", "/v1/hub", "about", _about),
        ("POST", "/v1/login/nonce", "nonce", _nonce),
        ("POST", "/v1/login", "login", _login),
        ("POST", "/v1/envelopes", "submit", _submit),
        ("GET", "/v1/notices/<mid>", "notice", _notice),
        ("POST", "/v1/mailbox/lease", "lease", _lease),
        ("POST", "/v1/mailbox/ack", "settle", _settle),
        ("POST", "/v1/queue/credentials", "credentials", _credentials),
        ("GET", "/healthz", "health", _health),
    ):
        door.add_url_rule(path, name, _bound(view, hub), methods=[method])
    answer_failures(door)
    return door


def _bound(view: Callable[..., Response], hub: Hub) -> Callable[..., Response]:
    return lambda **arguments: view(hub, **arguments)


def _about(hub: Hub) -> Response:
    return _json(
        {
            "hub": hub.key.key_id,
            "net": hub.root.net,
            "time": hub.clock(),
            "version": version("rujukan"),
        }
    )


def _nonce(hub: Hub) -> Response:
    members(_body(JSON), required=frozenset())
    return _json(
        {"nonce": b64encode(hub.logins.nonce(now=hub.clock())), "expires_in": NONCE_SECONDS}
    )


def _login(hub: Hub) -> Response:
    proof = _bytes(JSON, limit=MAX_LOGIN)
    try:
        token = hub.logins.login(proof, now=hub.clock())
    except ContractError as error:
        _log.info("login_refused", code=login_code(error))
        return login_refused(login_code(error))
    return _json({"token": token, "expires_in": TOKEN_SECONDS})


def _submit(hub: Hub) -> Response:
    now = hub.clock()
    box = _caller(hub, now)
    _count_request(hub, box, now)
    body = _bytes(MEDIA_TYPE, limit=MAX_REQUEST)
    try:
        accepted = hub.acceptance.accept(body, org=box.org, device=box.device, now=now)
    except Refused as error:
        _log.info("envelope_refused", code=error.code, field=error.field or None, size=len(body))
        return refused(error.code, error.field)
    _log.info(
        "envelope_accepted" if accepted.new else "envelope_accepted_before",
        mid=accepted.mid,
        eid=accepted.eid,
        size=len(body),
    )
    return Response(accepted.notice, status=202, content_type=notices.MEDIA_TYPE)


def _notice(hub: Hub, mid: str) -> Response:
    box = _caller(hub, hub.clock())
    found = hub.store.newest_notice(box.org, parse_mid(mid))
    if found is None:
        return problem(
            404,
            "no_notice",
            detail="This hub knows nothing of that message of your organisation. Send it again.",
        )
    return Response(found, content_type=notices.MEDIA_TYPE)


def _lease(hub: Hub) -> Response:
    now = hub.clock()
    box = _caller(hub, now)
    fields = _body(JSON)
    members(fields, required={"max"})
    most = number_of(fields, "max")
    if not 1 <= most <= MAX_ITEMS:
        raise Malformed("out_of_range", "max")
    leased = hub.mailbox.lease(box, most=most, now=now)
    _log.info("copies_leased", count=len(leased))
    items: list[JsonInput] = [
        {
            "lease": one.lease,
            "eid": one.eid,
            "attempt": one.attempt,
            "envelope": b64encode(one.body),
        }
        for one in leased
    ]
    return _json({"items": items})


def _settle(hub: Hub) -> Response:
    box = _caller(hub, hub.clock())
    fields = _body(JSON)
    members(fields, required={"acknowledge", "give_back"})
    acknowledge, give_back = texts_of(fields, "acknowledge"), texts_of(fields, "give_back")
    if len(acknowledge) + len(give_back) > MAX_LEASES:
        raise Malformed("too_many", "acknowledge")
    settled = hub.mailbox.settle(box, acknowledge=acknowledge, give_back=give_back)
    _log.info("copies_settled", count=settled.acknowledged, removed=settled.given_back)
    return _json({"acknowledged": settled.acknowledged, "given_back": settled.given_back})


def _credentials(hub: Hub) -> Response:
    now = hub.clock()
    box = _caller(hub, now)
    members(_body(JSON), required=frozenset())
    if hub.queue_users is None:
        return problem(
            404,
            "no_queue",
            detail="This hub has no queue for devices. Nothing is lost: fetch over HTTPS.",
        )
    _count_request(hub, box, now)
    given = hub.queue_users.issue(box, now=now)
    _log.info("queue_user_made", org=box.org, device=box.device)
    return _json(
        {
            "url": given.url,
            "vhost": given.vhost,
            "user": given.user,
            "password": given.password,
            "queue": given.queue,
            "expires_at": given.expires_at,
        }
    )


def _health(hub: Hub) -> Response:
    found = health(hub, now=hub.clock())
    return _json(found.report, status=200 if found.carries else 503)


def _caller(hub: Hub, now: int) -> Box:
    """The device this request's token belongs to; raises `NotLoggedIn`."""
    given = request.headers.get("Authorization", "")
    if not given.startswith(_BEARER):
        raise NotLoggedIn
    return hub.logins.caller(given.removeprefix(_BEARER), now=now)


def _count_request(hub: Hub, box: Box, now: int) -> None:
    wait = hub.rates.wait_seconds(box, now=now)
    if wait:
        raise TooMany(wait)


def _bytes(media_type: str, *, limit: int) -> bytes:
    """The request's body, read no further than `limit`."""
    if request.mimetype != media_type:
        raise WrongMediaType
    request.max_content_length = limit
    return request.get_data(cache=False)


def _body(media_type: str) -> JsonObject:
    return parse_object(_bytes(media_type, limit=MAX_SMALL_REQUEST), limit=MAX_SMALL_REQUEST)


def _json(value: JsonInput, *, status: int = 200) -> Response:
    return Response(dump_json(value), status=status, content_type=JSON)
