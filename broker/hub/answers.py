"""The four answers the hub has to a message from RabbitMQ that it cannot simply carry.

One table of when; `refusals` is the same for HTTPS. It refuses to act: what each answer does is
said here and done by whoever took the message.

    match answer_to(error): ...
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from broker.hub.acceptance import DUPLICATE_CONFLICT
from broker.hub.known import MirrorContradicted, MirrorTooOld
from contracts.errors import ContractError


@dataclass(frozen=True, slots=True)
class RetryLater:
    """The world is not ready: keep the message in hand and try again after a pause."""

    code: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """The peer's doing, and for good: a signed refusal for the sender, then acknowledge."""

    code: str


@dataclass(frozen=True, slots=True)
class Poison:
    """Nobody can be answered for it: into the dead letters, for a person, then acknowledge."""

    code: str


@dataclass(frozen=True, slots=True)
class Halt:
    """Going on could do harm: stop the process, acknowledge nothing, raise the alarm."""

    code: str


Answer = RetryLater | Refuse | Poison | Halt

NO_USER: Final = "no_user"

# A refusal is signed only for a sender whose device the broker has authenticated; before that
# point of the check there is nobody to answer. A second `eid` under a known `mid` is for a
# person: a refusal would stand in the way of the first one's acceptance.
BY_CODE: Final[Mapping[str, type[Refuse] | type[Poison]]] = {
    NO_USER: Poison,
    "malformed": Poison,
    "too_large": Poison,
    "not_your_device": Poison,
    DUPLICATE_CONFLICT: Poison,
    "device_not_certified": Refuse,
    "bad_signature": Refuse,
    "version_unsupported": Refuse,
    "unknown_recipient": Refuse,
    "no_route": Refuse,
    "keys_changed": Refuse,
    "expired": Refuse,
    "from_the_future": Refuse,
}

BY_ERROR: Final[Mapping[type[Exception], RetryLater | Halt]] = {
    MirrorTooOld: RetryLater("directory_away"),
    OperationalError: RetryLater("database_away"),
    InterfaceError: RetryLater("database_away"),
    PoolTimeout: RetryLater("database_away"),
    MirrorContradicted: Halt("directory_contradicted"),
}

# Not about one message. Anything beside these and `ContractError` is a fault of ours.
OF_THE_WORLD: Final = tuple(BY_ERROR)


def answer_to(error: Exception) -> Answer:
    """The answer to a `ContractError` or one of `OF_THE_WORLD`; raises TypeError for any other.

    A code nobody put into the table is for a person.
    """
    if isinstance(error, ContractError):
        return BY_CODE.get(error.code, Poison)(error.code)
    for kind, answer in BY_ERROR.items():
        if isinstance(error, kind):
            return answer
    raise TypeError("not a foreseen error") from None
