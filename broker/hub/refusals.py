"""How the hub says no: one table from a reason to a status, a sentence and a time to try again.

Each sentence says what happened, that nothing was kept, and who does what next; it is the same
whatever was in the request. A code that is not in the table is answered as 422 with a general
sentence, never as a failure.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, NamedTuple

from flask import Blueprint, Response
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from broker.hub.known import MirrorContradicted, MirrorTooOld
from broker.hub.management import ManagementUnavailable
from broker.hub.sessions import NotLoggedIn
from broker.hub.store import BoxFull, OutboxFull
from broker.service.logs import logger
from broker.service.problems import problem
from contracts.errors import ContractError

_log = logger(__name__)


class WrongMediaType(Exception):
    """The request's content is of another type than this address takes."""


class TooMany(Exception):
    """A device asked too often; `seconds` until it may ask again."""

    def __init__(self, seconds: int) -> None:
        super().__init__()
        self.seconds = seconds


class Answer(NamedTuple):
    """What a reason is answered with."""

    status: int
    detail: str


_GENERAL: Final = Answer(422, "The request was refused; nothing was kept. Correct it first.")

REFUSED: Final = MappingProxyType(
    {
        "malformed": Answer(
            422, "This is not an envelope of version 1. Nothing was kept. Update the sending desk."
        ),
        "too_large": Answer(
            413, "The envelope is larger than the agreed limit. Nothing was kept. Send less."
        ),
        "not_your_device": Answer(
            422,
            "The envelope names another organisation or device than the one that logged in."
            " Nothing was kept. Send it from the device that sealed it.",
        ),
        "device_not_certified": Answer(
            422,
            "The directory does not certify this device now. Nothing was kept. Your organisation's"
            " administrator must renew its certificate.",
        ),
        "bad_signature": Answer(
            422,
            "The signature does not fit the envelope: it was changed on the way. Nothing was kept."
            " Send the identical bytes again.",
        ),
        "version_unsupported": Answer(
            422, "This hub does not carry envelopes of that suite yet. Nothing was kept."
        ),
        "unknown_recipient": Answer(
            422, "The directory has no such organisation. Nothing was kept. Search for it again."
        ),
        "no_route": Answer(
            422,
            "No route between the two countries is open to organisations of these kinds, so the"
            " network does not carry this. Nothing was kept. Your country's coordinator can say"
            " what is possible.",
        ),
        "keys_changed": Answer(
            422,
            "The receiver's devices have changed since the envelope was sealed. Nothing was kept."
            " Update the directory's copy, seal again and send.",
        ),
        "expired": Answer(
            422, "The envelope has expired. Nothing was kept. Decide whether to send it anew."
        ),
        "from_the_future": Answer(
            422,
            "The sending computer's clock runs ahead. Nothing was kept. Set its clock, seal again.",
        ),
        "duplicate_conflict": Answer(
            409,
            "Other bytes were accepted before under this message id. The first stay as they are,"
            " these were not kept. Somebody must look why the desk used one id twice.",
        ),
    }
)

LOGIN: Final = MappingProxyType(
    {
        "device_not_certified": "The directory does not certify this device now."
        " Your organisation's administrator must add it or renew its certificate.",
        "another_server": "The proof was made for another hub. Check the root file of this desk.",
        "another_nonce": "The nonce is too old, was used before, or is not this hub's."
        " Ask for a new one and log in again.",
        "clock": "This computer's clock differs by more than five minutes. Set it and try again.",
    }
)
_LOGIN_GENERAL: Final = "The proof of who you are is not good. Log in again; nothing was lost."

# What is wrong with the world, not with the request: the same request is good later.
_LATER: Final = MappingProxyType(
    {
        BoxFull: (
            507,
            "box_full",
            3600,
            "The receiver has not fetched its mail for long and no more can be kept for it."
            " Nothing of this envelope was kept. Phone them, and send it again later.",
        ),
        OutboxFull: (
            503,
            "queue_away",
            120,
            "The hub's queue is away and no more can be kept for it. Nothing of this envelope was"
            " kept. Send it again later; the operator has been told.",
        ),
        ManagementUnavailable: (
            503,
            "queue_away",
            60,
            "The hub's queue does not answer. Nothing is lost. Try again later; fetch what has"
            " arrived over HTTPS meanwhile.",
        ),
        MirrorTooOld: (
            503,
            "directory_too_old",
            120,
            "The hub has not reached the directory for a day and cannot tell who may send."
            " Nothing was kept. Send it again later; the operator must bring the directory back.",
        ),
        MirrorContradicted: (
            503,
            "directory_contradicts",
            900,
            "The directory contradicts what it said before, so the hub carries nothing until a"
            " person has looked. Nothing was kept. Keep what you wanted to send.",
        ),
        OperationalError: (
            503,
            "database_away",
            30,
            "The hub's database does not answer. Nothing was kept. Send it again later.",
        ),
        InterfaceError: (
            503,
            "database_away",
            30,
            "The hub's database does not answer. Nothing was kept. Send it again later.",
        ),
        PoolTimeout: (
            503,
            "database_away",
            30,
            "The hub's database does not answer. Nothing was kept. Send it again later.",
        ),
    }
)


def refused(code: str, field: str) -> Response:
    """The answer to an envelope that may not be carried."""
    answer = REFUSED.get(code, _GENERAL)
    return problem(answer.status, code, detail=answer.detail, field=field)


def login_refused(code: str) -> Response:
    """The answer to a proof that is not good. No field: a stranger learns the code alone."""
    answer = problem(401, code, detail=LOGIN.get(code, _LOGIN_GENERAL))
    answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def answer_failures(door: Blueprint) -> None:
    """Install the answers for what views raise."""
    door.register_error_handler(NotLoggedIn, _not_logged_in)
    door.register_error_handler(WrongMediaType, _wrong_media_type)
    door.register_error_handler(TooMany, _too_many)
    door.register_error_handler(ContractError, _bad_request)
    for kind in _LATER:
        door.register_error_handler(kind, _later)


def _later(error: Exception) -> Response:
    status, code, seconds, detail = next(
        answer for kind, answer in _LATER.items() if isinstance(error, kind)
    )
    _log.warning("request_put_off", code=code, exc_info=error)
    return problem(status, code, detail=detail, retry_after=seconds)


def _not_logged_in(_error: Exception) -> Response:
    return login_refused("login_required")


def _too_many(error: TooMany) -> Response:
    return problem(
        429,
        "too_many_requests",
        detail="This device has asked for much within a minute. Nothing of this request was kept."
        " Send it again when the time in Retry-After has passed.",
        retry_after=error.seconds,
    )


def _wrong_media_type(_error: Exception) -> Response:
    return problem(
        415,
        "unsupported_media_type",
        detail="This address does not take that kind of content. Nothing was kept.",
    )


def _bad_request(error: ContractError) -> Response:
    return problem(
        400,
        error.code,
        detail="The request does not have the agreed form. Nothing was done.",
        field=error.field,
    )
