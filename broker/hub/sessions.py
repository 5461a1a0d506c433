"""Login by signature, tokens, and how often a device may knock.

There are no passwords. A nonce costs the hub nothing to give out: it is its own proof of when
it was made and by whom, so a stranger who asks for a million of them fills no table. Only the
one a login used up is written down, so that it works once. A token is 32 random bytes of which
the hub keeps a hash; whoever reads the database cannot log in with it. A token says which
device called, never that the device may still: that is looked up in the register each time.

    nonce = logins.nonce(now=now)
    token = logins.login(proof, now=now)
    box = logins.caller(token, now=now)
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

from sqlalchemy import Connection, Engine, delete, select

from broker.hub import models
from broker.hub.known import Known
from broker.hub.store import Box, insert_new
from broker.service.database import begin_immediate
from contracts.encoding import b64encode, h256
from contracts.errors import ContractError, Refused
from contracts.identifiers import KeyId, OrgId
from contracts.login import LoginProof, claimed_nonce, read_login
from contracts.signing import SigningKey

NONCE_SECONDS: Final = 60
TOKEN_SECONDS: Final = 900
# A device is one computer; more sessions than this are a loop that forgets its tokens.
SESSIONS_PER_DEVICE: Final = 8

_TOKEN_SIZE: Final = 32
_TIME_SIZE: Final = 5
_RANDOM_SIZE: Final = 11
_MAC_SIZE: Final = 16


class NotLoggedIn(Exception):
    """No token, an old one, or one of a device that the register no longer lets in."""


class Logins:
    """Nonces, proofs and tokens of one hub, whichever of its processes gave them out."""

    def __init__(self, engine: Engine, *, key: SigningKey, known: Known) -> None:
        self._engine = engine
        self._server = key.key_id
        self._known = known
        self._secret = hashlib.blake2b(key=key.seed, person=b"rujukan-nonce/1").digest()

    def nonce(self, *, now: int) -> bytes:
        """32 bytes, good for one login within 60 s."""
        made = now.to_bytes(_TIME_SIZE, "big") + secrets.token_bytes(_RANDOM_SIZE)
        return made + self._mac(made)

    def login(self, data: bytes, *, now: int) -> str:
        """A token for the device that signed `data`.

        Raises `Refused`, `Malformed` or `BadSignature`: the proof is not good, or its nonce is
        old, used, or none of ours. Raises `MirrorTooOld`, `MirrorContradicted`.
        """
        nonce = claimed_nonce(data)
        self._check_nonce(nonce, now)
        proof = read_login(
            data,
            server=self._server,
            nonce=nonce,
            now=now,
            lookup=lambda org, device: self._public_key(org, device, now),
        )
        token = b64encode(secrets.token_bytes(_TOKEN_SIZE))
        with begin_immediate(self._engine) as connection:
            _use_up(connection, nonce, until=now + NONCE_SECONDS)
            _remember(connection, proof, token, now)
        return token

    def caller(self, token: str, *, now: int) -> Box:
        """The device a token was given to, if it may still come in; raises `NotLoggedIn`."""
        rows = models.session.c
        wanted = select(rows.org, rows.device).where(
            rows.token_digest == _digest(token), rows.until > now
        )
        with self._engine.connect() as connection:
            row = connection.execute(wanted).first()
        if row is None:
            raise NotLoggedIn
        box = Box(OrgId(row.org), KeyId(row.device))
        device = self._known.current(now=now).device(box.org, box.device)
        if device is None or not device.in_force(now):
            raise NotLoggedIn
        return box

    def _check_nonce(self, nonce: bytes, now: int) -> None:
        made, mac = nonce[:-_MAC_SIZE], nonce[-_MAC_SIZE:]
        age = now - int.from_bytes(made[:_TIME_SIZE], "big")
        # Another process of this hub may have read its clock a moment later.
        if not hmac.compare_digest(self._mac(made), mac) or not -1 <= age < NONCE_SECONDS:
            raise Refused("another_nonce", "nonce")

    def _mac(self, made: bytes) -> bytes:
        return hashlib.blake2b(made, key=self._secret, digest_size=_MAC_SIZE).digest()

    def _public_key(self, org: OrgId, device: KeyId, now: int) -> bytes | None:
        found = self._known.with_device(org, device, now=now).device(org, device)
        return found.public if found is not None and found.in_force(now) else None


class Rates:
    """A fixed window of a minute for each device, in the database, so for all processes."""

    def __init__(self, engine: Engine, *, a_minute: int) -> None:
        self._engine = engine
        self._a_minute = a_minute

    def wait_seconds(self, box: Box, *, now: int) -> int:
        """Count one request; 0 if it may go on, else the seconds until it may."""
        minute, second = divmod(now, 60)
        with begin_immediate(self._engine) as connection:
            requests = _count(connection, box, minute)
        return 60 - second if requests > self._a_minute else 0


def login_code(error: ContractError) -> str:
    """Why a login failed, as one of a few codes; nothing in a proof that failed is believed."""
    return error.code if isinstance(error, Refused) else "bad_proof"


def _use_up(connection: Connection, nonce: bytes, *, until: int) -> None:
    inserting = insert_new(connection, models.login_nonce).values(
        digest=h256(nonce).hex(), until=until
    )
    unused = inserting.on_conflict_do_nothing().returning(models.login_nonce.c.digest)
    if connection.execute(unused).first() is None:
        raise Refused("another_nonce", "nonce")


def _remember(connection: Connection, proof: LoginProof, token: str, now: int) -> None:
    rows = models.session.c
    older = (
        select(rows.token_digest)
        .where(rows.device == proof.device)
        .order_by(rows.until.desc())
        .offset(SESSIONS_PER_DEVICE - 1)
        # SQLite has no OFFSET without LIMIT.
        .limit(1000)
    )
    connection.execute(delete(models.session).where(rows.token_digest.in_(older)))
    connection.execute(
        models.session.insert().values(
            token_digest=_digest(token),
            org=proof.org,
            device=proof.device,
            until=now + TOKEN_SECONDS,
        )
    )


def _count(connection: Connection, box: Box, minute: int) -> int:
    inserting = insert_new(connection, models.request_count).values(
        device=box.device, minute=minute, requests=1
    )
    counted = inserting.on_conflict_do_update(
        index_elements=["device", "minute"],
        set_={"requests": models.request_count.c.requests + 1},
    ).returning(models.request_count.c.requests)
    requests: int = connection.execute(counted).scalar_one()
    return requests


def _digest(token: str) -> str:
    return h256(token.encode("utf-8", "surrogateescape")).hex()
