"""The referral's states, as one table that both sides run.

An event moves a referral from one state to the next, or is refused and moves nothing. The file
knows no message, no clock and no person: whoever calls it has already checked whether the same
event was seen before. Use: `check_author(event, by)`, then `next_state(state, event)`.

Three kinds of event share the table. What machines say about the envelope (the hub's notice, the
recipient's receipts) may come late, twice or from several devices of the recipient, so it never
undoes what is known already. What people answer comes from the receiver only, and whatever the
receiver says proves that the referral arrived, even where the receipt was lost. Expiry is each
side's own clock.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from contracts.errors import Refused


class State(StrEnum):
    """Where a referral stands. `SENT`: the hub has accepted it; `DELIVERED`: stored there."""

    DRAFT = "draft"
    SENT = "sent"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"
    FAILED = "failed"


class Event(StrEnum):
    """What can happen to a referral. `HUB_REFUSED` stands for refused and undeliverable alike."""

    HUB_ACCEPTED = "hub_accepted"
    HUB_REFUSED = "hub_refused"
    STORED = "stored"
    REJECTED = "rejected"
    ACKNOWLEDGED = "acknowledged"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"


class Side(StrEnum):
    """The two ends of a referral."""

    REFERRER = "referrer"
    RECEIVER = "receiver"


FIRST_STATE: Final[Mapping[Side, State]] = MappingProxyType(
    {Side.REFERRER: State.DRAFT, Side.RECEIVER: State.DELIVERED}
)
ANSWERS: Final = (Event.ACKNOWLEDGED, Event.ACCEPTED, Event.DECLINED)
EVENT_OF_MESSAGE: Final[Mapping[str, Event]] = MappingProxyType(
    {
        "referral.acknowledged": Event.ACKNOWLEDGED,
        "referral.accepted": Event.ACCEPTED,
        "referral.declined": Event.DECLINED,
    }
)

# The same word for what happened to the envelope, wherever it changes nothing any more.
_NOTHING_NEW: Final = (Event.HUB_ACCEPTED, Event.HUB_REFUSED, Event.STORED, Event.REJECTED)


def _settled(state: State) -> dict[Event, State]:
    return dict.fromkeys(_NOTHING_NEW, state)


TABLE: Final[Mapping[State, Mapping[Event, State]]] = MappingProxyType(
    {
        State.DRAFT: {
            Event.HUB_ACCEPTED: State.SENT,
            Event.HUB_REFUSED: State.FAILED,
            # The hub's notice can be lost or be overtaken by the recipient.
            Event.STORED: State.DELIVERED,
            Event.REJECTED: State.FAILED,
            Event.ACKNOWLEDGED: State.ACKNOWLEDGED,
            Event.DECLINED: State.DECLINED,
            Event.EXPIRED: State.EXPIRED,
        },
        State.SENT: {
            Event.HUB_ACCEPTED: State.SENT,
            Event.HUB_REFUSED: State.FAILED,
            Event.STORED: State.DELIVERED,
            Event.REJECTED: State.FAILED,
            Event.ACKNOWLEDGED: State.ACKNOWLEDGED,
            Event.DECLINED: State.DECLINED,
            Event.EXPIRED: State.EXPIRED,
        },
        State.DELIVERED: _settled(State.DELIVERED)
        | {
            Event.ACKNOWLEDGED: State.ACKNOWLEDGED,
            Event.DECLINED: State.DECLINED,
            Event.EXPIRED: State.EXPIRED,
        },
        State.ACKNOWLEDGED: _settled(State.ACKNOWLEDGED)
        | {
            Event.ACCEPTED: State.ACCEPTED,
            Event.DECLINED: State.DECLINED,
            Event.EXPIRED: State.EXPIRED,
        },
        State.ACCEPTED: _settled(State.ACCEPTED),
        State.DECLINED: _settled(State.DECLINED),
        State.EXPIRED: _settled(State.EXPIRED),
        # One device of the recipient could not read it; `stored` from another settles it.
        State.FAILED: _settled(State.FAILED)
        | {
            Event.STORED: State.DELIVERED,
            Event.ACKNOWLEDGED: State.ACKNOWLEDGED,
            Event.DECLINED: State.DECLINED,
        },
    }
)


def next_state(state: State, event: Event) -> State:
    """The state after `event`.

    Raises `Refused("illegal_transition")` where the table has no such step; nothing has happened.
    """
    following = TABLE[state].get(event)
    if following is None:
        raise Refused("illegal_transition", "event")
    return following


def may_come_later(state: State, event: Event) -> bool:
    """Whether an event illegal now can become legal: then it waits for its cause.

    No order is promised on the way, so `accepted` can arrive before `acknowledged`.
    """
    return event not in TABLE[state] and any(event in TABLE[there] for there in _reachable(state))


def check_author(event: Event, by: Side) -> None:
    """Raise `Refused("wrong_author")` unless this side may say this: only the receiver answers."""
    if event in ANSWERS and by is not Side.RECEIVER:
        raise Refused("wrong_author", "event")


def messages_for(state: State, answer: Event) -> tuple[Event, ...]:
    """What has to be sent, in order, to give this answer; empty where it cannot be given.

    Accepting what nobody has acknowledged yet is two messages, so that the referrer's table has
    one way only.
    """
    if state not in _RECEIVER_STATES or answer not in ANSWERS:
        return ()
    if answer in TABLE[state]:
        return (answer,)
    if answer is Event.ACCEPTED and state is State.DELIVERED:
        return (Event.ACKNOWLEDGED, Event.ACCEPTED)
    return ()


def allowed_answers(state: State) -> tuple[Event, ...]:
    """The answers that the receiver's screen offers now: exactly those that can be sent."""
    return tuple(answer for answer in ANSWERS if messages_for(state, answer))


def _reachable(start: State) -> frozenset[State]:
    found, frontier = {start}, [start]
    while frontier:
        for state in TABLE[frontier.pop()].values():
            if state not in found:
                found.add(state)
                frontier.append(state)
    return frozenset(found - {start})


# What can be seen by a receiver at all: a draft, a sent or a failed referral is the referrer's.
_RECEIVER_STATES: Final = _reachable(State.DELIVERED) | {State.DELIVERED}
