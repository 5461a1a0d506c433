"""How a referral comes to stand in each state: what the two sides say, one after the other.

bring(world, State.WAITLISTED, referrer=ours, receiver=theirs)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from broker.desk.courier import tick
from broker.desk.saying import say
from broker.desk.sending import send_referral
from broker.desk.unlocking import Desk
from contracts.encoding import JsonObject, JsonValue
from contracts.lifecycle import ON_ITS_WAY, Side, State
from contracts.routing import RouteTable
from tests.unit.desk.simulated import DAY, World, only_case

Step = tuple[Side, str, JsonObject]

# A name that nobody may find on a list or on a case's page.
NAME: Final = "Canary Tamarind-Ninefold"
WORD: Final = "canary-umbrella"
PLACE: Final = "canary-quay"

_LATE: Final = 31 * DAY
_HERE, _THERE = Side.REFERRER, Side.RECEIVER

ACKNOWLEDGED: Final[Step] = (_THERE, "referral.acknowledged", {"by_role": "caseworker"})
ACCEPTED: Final[Step] = (_THERE, "referral.accepted", {"focal_role": "caseworker"})
NAMED: Final[Step] = (
    _HERE,
    "identity.released",
    {
        "name": {"full": NAME},
        "code_words": {"caller_says": WORD, "person_answers": "canary-rain"},
        "documents": [{"kind": "passport", "held_by": "employer"}],
    },
)
PLANNED: Final[Step] = (
    _HERE,
    "journey.planned",
    {
        "leaving": {"place": PLACE, "at": "2026-12-01T05:00:00Z", "zone": "Asia/Kuala_Lumpur"},
        "arriving": {"place": PLACE, "at": "2026-12-01T09:00:00Z", "zone": "Asia/Dhaka"},
        "by": "aeroplane",
        "with_whom": "referrer_staff",
        "travel_document": {"kind": "passport", "held_by": "person"},
        "exit_permission": {"needed": "no", "had": "no"},
        "paid_by": "igo",
        "met_by": {"role": "caseworker", "recognition_word": WORD},
        "if_nobody_there": {"call": "duty_officer", "text": PLACE},
        "family_told": "no",
    },
)
ALERT: Final[Step] = (_THERE, "contact.safety_alert", {"means": ["all"], "reason": "phone_taken"})
WITHDRAWN: Final[Step] = (
    _HERE,
    "consent.withdrawn",
    {"told_to": "caseworker", "told_at": "2026-11-18T01:00:00Z", "wish": "stop_and_erase"},
)
_EMPTY: Final[tuple[JsonValue, ...]] = tuple(
    {"place": place, "result": "never_there"} for place in ("case_system", "paper", "backups")
)
HELD: Final[Step] = (
    _THERE,
    "erasure.confirmed",
    {"places": [{"place": "desk", "result": "held", "hold": {"ground": "court_order"}}, *_EMPTY]},
)


def _status(word: str) -> Step:
    return (_THERE, "referral.status", {"status": word})


_OUTCOME: Final[Step] = (
    _THERE, "referral.outcome", {"outcome": "provided", "follow_up_safe": "yes"},
)  # fmt: skip
_CLOSED: Final[Step] = (_HERE, "referral.closed", {"purge_after": "2027-05-20"})
_ERASED: Final[Step] = (
    _THERE, "erasure.confirmed", {"places": [{"place": "desk", "result": "erased"}, *_EMPTY]},
)  # fmt: skip
_TAKEN_UP: Final = (ACKNOWLEDGED, ACCEPTED)

STORIES: Final[Mapping[State, tuple[Step, ...]]] = {
    State.DRAFT: (),
    State.SENT: (),
    State.FAILED: (),
    State.EXPIRED: (),
    State.DELIVERED: (),
    State.ACKNOWLEDGED: (ACKNOWLEDGED,),
    State.INFO_NEEDED: (
        ACKNOWLEDGED,
        (_THERE, "referral.info_requested", {"questions": ["travel_document", "fears_on_return"]}),
    ),
    State.ACCEPTED: _TAKEN_UP,
    State.WAITLISTED: (*_TAKEN_UP, _status("waitlisted")),
    State.ON_HOLD: (*_TAKEN_UP, _status("on_hold")),
    State.IN_PROGRESS: (*_TAKEN_UP, NAMED, PLANNED, _status("started")),
    State.COMPLETED: (*_TAKEN_UP, _OUTCOME),
    State.CLOSED: (*_TAKEN_UP, _OUTCOME, _CLOSED),
    State.DECLINED: (
        (_THERE, "referral.declined", {"reason": "no_capacity", "next_step": "phone_us"}),
    ),
    State.CANCELLED: ((_HERE, "referral.cancelled", {"reason": "moved_on"}),),
    State.ENTERED_IN_ERROR: ((_HERE, "referral.cancelled", {"reason": "entered_in_error"}),),
    State.WITHDRAWN: (*_TAKEN_UP, WITHDRAWN),
    State.ERASED: (*_TAKEN_UP, WITHDRAWN, _ERASED),
}

# What the receiving side can ever see.
AT_RECEIVER: Final = tuple(state for state in STORIES if state not in ON_ITS_WAY)


def bring(world: World, state: State, *, referrer: Desk, receiver: Desk) -> None:
    """Let a new referral come to stand so, on both desks where both can see it."""
    begin(world, referrer=referrer, receiver=receiver, arrives=state not in ON_ITS_WAY)
    if state is State.SENT:
        tick(referrer)
    elif state is State.FAILED:
        world.hub.routes = RouteTable.of({})
        tick(referrer)
    elif state is State.EXPIRED:
        world.clock.pass_(_LATE)
    tell(world, STORIES[state], referrer=referrer, receiver=receiver)


def begin(world: World, *, referrer: Desk, receiver: Desk, arrives: bool = True) -> None:
    """A new referral whose person agreed that all of what follows is told."""
    body = world.request(receiver)
    consent = body["consent"]
    assert isinstance(consent, dict)
    consent["feedback"] = "outcome"
    send_referral(referrer, to=receiver.org, body=body)
    if arrives:
        world.settle(referrer, receiver)


def tell(world: World, steps: tuple[Step, ...], *, referrer: Desk, receiver: Desk) -> None:
    """Say these, one after the other, each heard before the next."""
    for side, message_type, body in steps:
        desk = referrer if side is Side.REFERRER else receiver
        say(desk, only_case(desk), message_type, body)
        world.settle(referrer, receiver)
