"""Everything that can happen at the hub's door, brought about: an act for each answer it can give.

    answer = ACTS[("submit", 422, "expired")](stage)

Names of operations are those of the OpenAPI document. It does not judge the answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from broker.hub import gateway, sessions
from broker.hub.known import MirrorContradicted, MirrorTooOld
from broker.hub.parts import Hub
from broker.hub.store import Limits
from contracts import envelope, login
from contracts.encoding import dump_json
from contracts.envelope import parse_envelope, render_body, transcript_of
from contracts.identifiers import KeyId
from contracts.register import Register
from contracts.signing import SigningKey
from tests.unit.contracts.documents import OPENAPI, document
from tests.unit.hub.hubs import Caller, Directory, knock, make_hub, sqlite
from tests.unit.hub.network import Desk, Network, Organisation
from tests.unit.hub.offices import FakeOffice, queue_users

DAY: Final = 24 * 3600
OPERATIONS: Final = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, methods in document(OPENAPI)["paths"].items()
    for method, operation in methods.items()
}
ABOUT, NONCE, LOGIN, SUBMIT, NOTICE, LEASE, SETTLE, QUEUE, HEALTH = OPERATIONS
# An answer: operation, status, and the problem's code ("" where it is no problem).
Named = tuple[str, int, str]


@dataclass
class Stage:
    """A network and its hubs: one for most of what can happen, and one of a kind where asked."""

    folder: Path
    network: Network = field(default_factory=Network)
    shelter: Organisation = field(init=False)
    clinic: Organisation = field(init=False)
    hubs: list[Hub] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.shelter, self.clinic = (self.network.organisation(it) for it in ("my", "bd"))
        self.hub()

    def hub(self, **options: Any) -> Hub:
        if self.hubs and not options:
            return self.hubs[0]
        folder = self.folder / str(len(self.hubs))
        folder.mkdir()
        self.hubs.append(make_hub(self.network, sqlite(folder), **options))
        return self.hubs[-1]

    def caller(self, **options: Any) -> Caller:
        """The shelter's desk, logged in."""
        return knock(self.hub(**options), self.shelter.desk)

    def stranger(self, **options: Any) -> Caller:
        """The shelter's desk, not logged in."""
        return Caller(self.hub(**options), self.shelter.desk)

    def at_another(self, caller: Caller, hub: Hub) -> Caller:
        """The same desk with the same token, at another hub over the same database."""
        other = Caller(hub, caller.desk)
        other.token = caller.token
        return other


Act = Callable[[Stage], TestResponse]

GOOD: Final[dict[str, tuple[bytes, str]]] = {
    ABOUT: (b"", ""),
    NONCE: (b"{}", gateway.JSON),
    LOGIN: (b"{}", gateway.JSON),
    SUBMIT: (b"{}", envelope.MEDIA_TYPE),
    NOTICE: (b"", ""),
    LEASE: (b'{"max":1}', gateway.JSON),
    SETTLE: (b'{"acknowledge":[],"give_back":[]}', gateway.JSON),
    QUEUE: (b"{}", gateway.JSON),
    HEALTH: (b"", ""),
}


def ask(caller: Caller, operation: str, data: bytes | None = None, **more: Any) -> TestResponse:
    """The operation's request, good but for what is said."""
    method, path, _ = OPERATIONS[operation]
    good, kind = GOOD[operation]
    request: dict[str, Any] = {"data": good if data is None else data, "content_type": kind}
    url = path.replace("{mid}", "0" * 32)
    return caller.client.open(url, method=method, headers=caller.headers, **request | more)


def resealed(desk: Desk, body: bytes, **changes: Any) -> bytes:
    """The envelope with these members of its header changed, signed anew by this desk."""
    old = parse_envelope(body)
    header = dump_json(json.loads(old.header_bytes) | changes)
    parts = (header, old.wraps, old.commitment, old.nonce, old.ciphertext)
    return render_body(*parts, signature=desk.key.sign_bytes(transcript_of(*parts)))


class Trouble:
    """A register that cannot be asked."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def current(self, **_: object) -> Register:
        raise self._error

    def with_device(self, *_: object, **__: object) -> Register:
        raise self._error


TROUBLES: Final = {
    "directory_too_old": MirrorTooOld(),
    "directory_contradicts": MirrorContradicted(),
    "database_away": OperationalError("", {}, Exception()),
}


def put_off(operation: str, code: str) -> Act:
    """The world is not ready, whatever is asked."""

    def act(stage: Stage) -> TestResponse:
        caller = stage.caller()
        hub = stage.hub()
        logins = sessions.Logins(hub.engine, key=hub.key, known=Trouble(TROUBLES[code]))
        there = stage.at_another(caller, replace(hub, logins=logins))
        if operation == LOGIN:
            return there.login(caller.desk.proof(caller.nonce()))
        return ask(there, operation)

    return act


def fails(operation: str) -> Act:
    """Something in the hub itself is broken."""

    def broken() -> int:
        raise RuntimeError

    def act(stage: Stage) -> TestResponse:
        caller = stage.caller()
        return ask(stage.at_another(caller, replace(stage.hub(), clock=broken)), operation)

    return act


def asks(operation: str, data: bytes | None = None, **more: Any) -> Act:
    """A request of a device that has logged in."""
    return lambda stage: ask(stage.caller(), operation, data, **more)


def asks_as_a_stranger(operation: str) -> Act:
    """A request without a token."""
    return lambda stage: ask(stage.stranger(), operation)


def cut_off(operation: str) -> Act:
    """The connection ends in the middle of the body."""

    def act(stage: Stage) -> TestResponse:
        return ask(stage.caller(), operation, environ_overrides={"CONTENT_LENGTH": "999"})

    return act


def proves(make: Callable[[Stage, bytes], bytes]) -> Act:
    """A login with this proof of the nonce."""

    def act(stage: Stage) -> TestResponse:
        caller = stage.stranger()
        return caller.login(make(stage, caller.nonce()))

    return act


def hands_in(make: Callable[[Stage], bytes], **options: Any) -> Act:
    """An envelope from the shelter's desk."""

    def act(stage: Stage) -> TestResponse:
        caller, body = stage.caller(**options), make(stage)
        return caller.submit(body)

    return act


def sealed(stage: Stage, **more: Any) -> bytes:
    return stage.shelter.desk.seal(to=stage.clinic, **more).body


def changed(**changes: Any) -> Callable[[Stage], bytes]:
    return lambda stage: resealed(stage.shelter.desk, sealed(stage), **changes)


def with_a_colleague_s_key(stage: Stage) -> bytes:
    third = stage.network.organisation("bd")
    other = parse_envelope(stage.shelter.desk.seal(to=third).body).header.keys
    return resealed(stage.shelter.desk, sealed(stage), keys=list(other))


def to_a_country_without_a_route(stage: Stage) -> bytes:
    return stage.shelter.desk.seal(to=stage.network.organisation("th")).body


def with_another_signature(stage: Stage) -> bytes:
    old = parse_envelope(sealed(stage))
    return render_body(
        old.header_bytes, old.wraps, old.commitment, old.nonce, old.ciphertext, signature=bytes(64)
    )


def too_late(stage: Stage) -> bytes:
    body = sealed(stage, lifetime=10)
    stage.network.clock.now += 20
    return body


def twice_under_one_id(stage: Stage) -> TestResponse:
    caller = stage.caller()
    first = stage.shelter.desk.seal(to=stage.clinic)
    caller.submit(first.body)
    return caller.submit(sealed(stage, mid=first.mid))


def too_often(stage: Stage) -> TestResponse:
    caller = stage.caller(a_minute=1)
    caller.submit(b"")
    return caller.submit(b"")


def too_much_waiting(stage: Stage) -> TestResponse:
    caller = stage.caller(limits=Limits(box_envelopes=1))
    caller.submit(sealed(stage))
    return caller.submit(sealed(stage))


def fetched(stage: Stage) -> TestResponse:
    hub = stage.hub()
    knock(hub, stage.shelter.desk).submit(sealed(stage))
    return ask(knock(hub, stage.clinic.desk), LEASE)


def asked_after(stage: Stage) -> TestResponse:
    caller = stage.caller()
    one = stage.shelter.desk.seal(to=stage.clinic)
    caller.submit(one.body)
    return caller.notice(one.mid)


def asks_for_a_queue(office: FakeOffice, **options: Any) -> Act:
    """A device that asks for a user at a hub with this RabbitMQ."""

    def act(stage: Stage) -> TestResponse:
        hub = stage.hub(**options) if options else stage.hub()
        there = replace(hub, queue_users=queue_users(hub, office))
        return ask(knock(there, stage.shelter.desk), QUEUE)

    return act


def without_a_directory(stage: Stage) -> TestResponse:
    directory = Directory(stage.network)
    directory.reachable = False
    return ask(stage.stranger(directory=directory), HEALTH)


# What is no JSON object of ours, wherever one is asked for.
FORMS: Final = {
    "not_json": b"{",
    "not_an_object": b"[]",
    "duplicate_name": b'{"max":1,"max":1}',
    "bad_number": b'{"max":1.5}',
    "lone_surrogate": b'{"max":"\\ud800"}',
    "too_deep": b'{"max":' + b"[" * 16 + b"]" * 16 + b"}",
}
POSTS: Final = (NONCE, LOGIN, SUBMIT, LEASE, SETTLE, QUEUE)
AUTHORISED: Final = (SUBMIT, NOTICE, LEASE, SETTLE, QUEUE)
SIZES: Final = {
    NONCE: gateway.MAX_SMALL_REQUEST,
    LOGIN: login.MAX_LOGIN,
    SUBMIT: envelope.MAX_BODY,
    LEASE: gateway.MAX_SMALL_REQUEST,
    SETTLE: gateway.MAX_SMALL_REQUEST,
    QUEUE: gateway.MAX_SMALL_REQUEST,
}

ACTS: Final[dict[Named, Act]] = {
    **{(it, 500, "internal"): fails(it) for it in OPERATIONS},
    **{(it, 400, "bad_request"): cut_off(it) for it in POSTS},
    **{(it, 413, "too_large"): asks(it, b" " * (SIZES[it] + 1)) for it in POSTS},
    **{(it, 415, "unsupported_media_type"): asks(it, content_type="text/plain") for it in POSTS},
    **{(it, 401, "login_required"): asks_as_a_stranger(it) for it in AUTHORISED},
    **{(it, 503, code): put_off(it, code) for it in (LOGIN, *AUTHORISED) for code in TROUBLES},
    **{
        (it, 400, code): asks(it, data)
        for it in (NONCE, LEASE, SETTLE, QUEUE)
        for code, data in FORMS.items()
    },
    (ABOUT, 200, ""): asks(ABOUT),
    (NONCE, 200, ""): asks(NONCE),
    (NONCE, 400, "unknown_member"): asks(NONCE, b'{"device":1}'),
    (LOGIN, 200, ""): proves(lambda stage, nonce: stage.shelter.desk.proof(nonce)),
    (LOGIN, 401, "bad_proof"): proves(lambda *_: b"{}"),
    (LOGIN, 401, "another_nonce"): proves(lambda stage, _: stage.shelter.desk.proof(bytes(32))),
    (LOGIN, 401, "another_server"): proves(
        lambda stage, nonce: stage.shelter.desk.proof(nonce, server=KeyId("0" * 32))
    ),
    (LOGIN, 401, "clock"): proves(
        lambda stage, nonce: stage.shelter.desk.proof(
            nonce, iat=stage.network.clock.now - login.CLOCK_SKEW - 1
        )
    ),
    (LOGIN, 401, "device_not_certified"): proves(
        lambda stage, nonce: replace(stage.shelter.desk, key=SigningKey.generate()).proof(nonce)
    ),
    (SUBMIT, 202, ""): hands_in(sealed),
    (SUBMIT, 409, "duplicate_conflict"): twice_under_one_id,
    (SUBMIT, 422, "malformed"): hands_in(lambda _: b"{}"),
    (SUBMIT, 422, "not_your_device"): hands_in(
        lambda stage: stage.clinic.desk.seal(to=stage.shelter).body
    ),
    (SUBMIT, 422, "device_not_certified"): hands_in(
        lambda stage: sealed(stage, iat=stage.network.clock.now - DAY)
    ),
    (SUBMIT, 422, "bad_signature"): hands_in(with_another_signature),
    (SUBMIT, 422, "version_unsupported"): hands_in(changed(suite=2)),
    (SUBMIT, 422, "no_route"): hands_in(to_a_country_without_a_route),
    (SUBMIT, 422, "unknown_recipient"): hands_in(changed(to="bd-0123456789abcdef")),
    (SUBMIT, 422, "keys_changed"): hands_in(with_a_colleague_s_key),
    (SUBMIT, 422, "expired"): hands_in(too_late),
    (SUBMIT, 422, "from_the_future"): hands_in(
        lambda stage: sealed(stage, iat=stage.network.clock.now + envelope.CLOCK_SKEW + 1)
    ),
    (SUBMIT, 429, "too_many_requests"): too_often,
    (SUBMIT, 503, "queue_away"): hands_in(sealed, queue=True, limits=Limits(outbox_envelopes=0)),
    (SUBMIT, 507, "box_full"): too_much_waiting,
    (NOTICE, 200, ""): asked_after,
    (NOTICE, 400, "bad_identifier"): lambda stage: stage.caller().notice("x"),
    (NOTICE, 404, "no_notice"): asks(NOTICE),
    (LEASE, 200, ""): fetched,
    (LEASE, 400, "missing_member"): asks(LEASE, b"{}"),
    (LEASE, 400, "unknown_member"): asks(LEASE, b'{"max":1,"device":1}'),
    (LEASE, 400, "wrong_type"): asks(LEASE, b'{"max":true}'),
    (LEASE, 400, "out_of_range"): asks(LEASE, b'{"max":101}'),
    (SETTLE, 200, ""): asks(SETTLE),
    (SETTLE, 400, "missing_member"): asks(SETTLE, b'{"acknowledge":[]}'),
    (SETTLE, 400, "unknown_member"): asks(SETTLE, b'{"acknowledge":[],"give_back":[],"x":1}'),
    (SETTLE, 400, "wrong_type"): asks(SETTLE, b'{"acknowledge":[1],"give_back":[]}'),
    (SETTLE, 400, "too_many"): asks(
        SETTLE, dump_json({"acknowledge": ["x"] * 201, "give_back": []})
    ),
    (QUEUE, 200, ""): asks_for_a_queue(FakeOffice()),
    (QUEUE, 400, "unknown_member"): asks(QUEUE, b'{"device":1}'),
    (QUEUE, 404, "no_queue"): asks(QUEUE),
    (QUEUE, 429, "too_many_requests"): asks_for_a_queue(FakeOffice(), a_minute=0),
    (QUEUE, 503, "queue_away"): asks_for_a_queue(FakeOffice(away=True)),
    (HEALTH, 200, ""): asks(HEALTH),
    (HEALTH, 503, ""): without_a_directory,
}
