"""A referral's course: all that both sides said of it, folded in causal order into one state.

    course = fold(request, events)
    seen(course, side=Side.REFERRER, way={Way.STORED}, now=now).state

Both desks run this over the same events and so cannot disagree, in whichever order the events
arrived. An event comes after those it names; of several that are ready, withdrawal, safety alert
and erasure go first, then cancellation, then the rest, the referrer's before the receiver's and
the smaller id before the larger, and last a decline. What is illegal where it stands is void: it
changes nothing, on both sides alike. What waits for a cause that has not arrived moves nothing
yet; withdrawal, safety alert and their like (`WAIT_FOR_NOTHING`) wait for none.

Pure: no clock but `now`, and of a message no more than its type, one word and two moments.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, TypeAlias

from contracts.bodies import (
    Basis,
    Consent,
    ConsentUpdated,
    ErasureConfirmed,
    JourneyChanged,
    JourneyPlanned,
    ReferralCancelled,
    ReferralRequested,
    ReferralStatus,
)
from contracts.errors import Refused
from contracts.identifiers import EventId
from contracts.lifecycle import (
    ENDS_WITH_CONSENT,
    ON_ITS_WAY,
    WAIT_FOR_NOTHING,
    Move,
    Need,
    Side,
    State,
    Way,
    moves_from,
    on_its_way,
    step_for,
)
from contracts.messages import Message
from contracts.times import unix_seconds

Key: TypeAlias = tuple[Side, EventId]

DAY: Final = 24 * 3600
# A caseworker alone on shift has this long until a second person has looked, seconds.
SECOND_PERSON_WITHIN: Final = DAY
# How many events a new one names, as the schemas bound it: more would make it unsendable, and a
# peer that says many things at once must not be able to keep a withdrawal from being sent.
MOST_AFTER: Final = 32

_RANK: Final[Mapping[str, int]] = {
    "consent.withdrawn": 0,
    "contact.safety_alert": 0,
    "erasure.requested": 0,
    "erasure.confirmed": 0,
    "referral.cancelled": 1,
    # After the rest: where one of the receiver's desks accepts and another declines, the referrer
    # may already have told the accepting one who the person is, and she may be on her way.
    "referral.declined": 3,
}
_REST: Final = 2


class Place(StrEnum):
    """Whether an event has moved its case."""

    APPLIED = "applied"
    WAITING = "waiting"  # its cause has not arrived
    VOID = "void"  # illegal where it stands; both sides agree on that


class JourneyStands(StrEnum):
    """How far a journey has come."""

    NONE = "none"
    PLANNED = "planned"
    MET = "met"
    NOT_MET = "not_met"


@dataclass(frozen=True, slots=True)
class Told:
    """One event as the fold sees it; times are Unix seconds by its author's clock.

    `moment`: when the consent or basis that it carries ends; for a journey, when it arrives.
    `second_by`: until when a second person must have confirmed the basis; None where none must.
    `feedback`: how far news may go back, where it carries a consent or basis.
    """

    id: EventId
    type: str
    by: Side
    at: int
    after: tuple[EventId, ...] = ()
    word: str = ""
    moment: int | None = None
    second_by: int | None = None
    feedback: str = ""

    @property
    def key(self) -> "Key":
        """What tells it apart: an id is its author's own, and the other side may use the same."""
        return self.by, self.id

    @property
    def move(self) -> Move:
        """What the table knows it as."""
        return Move(self.type, self.word)


@dataclass(frozen=True, slots=True)
class Course:
    """What has become of a referral; the same on both sides once both hold the same events.

    `consent_until` is Unix seconds. `owed` names who still has to confirm an erasure, and since
    when; `held` who has named a legal hold. `void` gives each void event the refusal's code.
    """

    state: State
    lead: Side
    consent_until: int
    second_by: int | None = None
    feedback: str = ""
    identity_released: bool = False
    lead_offered: bool = False
    journey: JourneyStands = JourneyStands.NONE
    arrives: int | None = None
    contact_stopped: bool = False
    owed: Mapping[Side, int] = field(default_factory=dict)
    held: frozenset[Side] = frozenset()
    answered: bool = False  # the receiver has said something that counted: so it has arrived
    places: Mapping[Key, Place] = field(default_factory=dict)
    void: Mapping[Key, str] = field(default_factory=dict)

    def missing(self, by: Side, at: int) -> frozenset[Need]:
        """What is not there for an event of this author, made at this time."""
        there = {
            Need.CONSENT: at < self.consent_until,
            Need.IDENTITY: self.identity_released,
            Need.JOURNEY: self.journey is not JourneyStands.NONE,
            Need.OFFER: self.lead_offered,
            Need.OWED: by in self.owed,
            Need.LAST_OWED: not self.owed.keys() - {by},
            Need.SILENCE: self.feedback != "outcome",
        }
        return frozenset(need for need, is_there in there.items() if not is_there)

    def state_at(self, at: int) -> State:
        """The state for whoever acts at this time: what nobody took up ends with its consent."""
        ended = self.state in ENDS_WITH_CONSENT and at >= self.consent_until
        return State.EXPIRED if ended else self.state


def told(message: Message, *, by: Side) -> Told:
    """What the fold needs of a message from this side, and nothing else of it."""
    carried = _carried(message)
    return Told(
        id=message.id,
        type=message.type,
        by=by,
        at=unix_seconds(message.at),
        after=message.after,
        word=_word(message),
        moment=_moment(message, carried),
        second_by=_second_by(carried),
        feedback=feedback_of(carried),
    )


def fold(request: Told, events: Iterable[Told]) -> Course:
    """The course of a referral after its request and these events, in whatever order they come.

    Takes the square of their number; a desk bounds how many it keeps.
    """
    course = _begun(request)
    waiting = {event.key: event for event in events if event.key != request.key}
    follows = _how_many_each_follows(waiting.values())
    while (event := _next(waiting.values(), course.places, follows)) is not None:
        del waiting[event.key]
        course = _applied(course, event)
    left = dict.fromkeys(waiting, Place.WAITING)
    return replace(course, places={**course.places, **left})


def seen(course: Course, *, side: Side, now: int, way: Collection[Way] = ()) -> Course:
    """The course as one side sees it now: with the clock, and for the referrer with the way.

    A word of the receiver proves that the request arrived, even where its receipt was lost.
    """
    state = course.state_at(now)
    if side is Side.REFERRER and course.state is State.DELIVERED and not course.answered:
        on_way = on_its_way(way)
        state = on_way if on_way is State.FAILED or state is State.DELIVERED else state
    return replace(course, state=state)


def offered(course: Course, *, side: Side, now: int) -> tuple[Move, ...]:
    """What this side may say now: exactly what the table allows, for a screen or a command."""
    missing = course.missing(side, now)
    return tuple(
        moves_from(_place_in_table(course, now), by=side, lead=course.lead, missing=missing)
    )


def check(course: Course, move: Move, *, by: Side, now: int) -> None:
    """Raise `Refused`, as `lifecycle.step_for` does, unless this side may say that now."""
    missing = course.missing(by, now)
    state = _place_in_table(course, now)
    step_for(move, state=state, by=by, lead=course.lead, missing=missing)


def feedback_of(carried: Consent | Basis | None) -> str:
    """How far news may go back; a legal basis carries no wish, so nothing beyond `received`."""
    if carried is None:
        return ""
    return carried.feedback if isinstance(carried, Consent) else "received"


def heads(course: Course, events: Iterable[Told]) -> tuple[EventId, ...]:
    """What a new event names as `after`: the placed events that no other placed one follows.

    Void ones too: whoever names them comes after them, so that what was void, and was answered as
    void, stays so when somebody says more. At most `MOST_AFTER`, the newest; each id once.
    """
    after = {event.key: event.after for event in events}
    placed = [key for key in after if course.places.get(key, Place.WAITING) is not Place.WAITING]
    order = {key: number for number, key in enumerate(course.places)}
    named: set[EventId] = set()
    newest: list[EventId] = []
    for key in sorted(placed, key=order.__getitem__, reverse=True):
        if key[1] not in named:
            newest.append(key[1])
        named.update((key[1], *after[key]))
    return tuple(sorted(newest[:MOST_AFTER]))


def _begun(request: Told) -> Course:
    return Course(
        state=State.DELIVERED,
        lead=Side.REFERRER,
        consent_until=request.moment or 0,
        second_by=request.second_by,
        feedback=request.feedback,
        places={request.key: Place.APPLIED},
    )


def _place_in_table(course: Course, now: int) -> State:
    """Where somebody who acts now stands: what is on its way counts as delivered."""
    travelling = course.state in ON_ITS_WAY
    arrived = replace(course, state=State.DELIVERED) if travelling else course
    return arrived.state_at(now)


def _next(
    waiting: Collection[Told], places: Mapping[Key, Place], follows: Mapping[Key, int]
) -> Told | None:
    placed = {event_id for _, event_id in places}
    ready = [event for event in waiting if placed.issuperset(event.after)]
    if ready:
        return min(ready, key=_order)
    # The causes of these are missing. But one that follows another must not overtake it, or what
    # both sides said in between, and applied, would turn void.
    stuck = (event for event in waiting if event.key in follows)
    return min(stuck, key=lambda event: (follows[event.key], _order(event)), default=None)


def _how_many_each_follows(events: Collection[Told]) -> dict[Key, int]:
    """Of each event that waits for nothing: how many it follows, directly or through others."""
    after: dict[EventId, set[EventId]] = {}
    for event in events:
        after.setdefault(event.id, set()).update(event.after)
    return {
        event.key: len(_followed(event, after))
        for event in events
        if event.type in WAIT_FOR_NOTHING
    }


def _followed(event: Told, after: Mapping[EventId, set[EventId]]) -> set[EventId]:
    found: set[EventId] = set()
    ahead = [cause for cause in event.after if cause in after]
    while ahead:
        if (one := ahead.pop()) not in found:  # a circle ends here
            found.add(one)
            ahead += (cause for cause in after[one] if cause in after)
    return found


def _order(event: Told) -> tuple[int, bool, EventId]:
    return _RANK.get(event.type, _REST), event.by is not Side.REFERRER, event.id


def _applied(course: Course, event: Told) -> Course:
    before = course.state_at(event.at)
    try:
        state = step_for(
            event.move,
            state=before,
            by=event.by,
            lead=course.lead,
            missing=course.missing(event.by, event.at),
        )
    except Refused as refused:
        places = {**course.places, event.key: Place.VOID}
        return replace(course, places=places, void={**course.void, event.key: refused.code})
    return replace(
        _with_effects(course, event),
        # A step that moves nothing leaves the state for those who acted before the clock did.
        state=course.state if state is before else state,
        answered=course.answered or event.by is Side.RECEIVER,
        places={**course.places, event.key: Place.APPLIED},
    )


def _with_effects(course: Course, event: Told) -> Course:
    """What a step changes besides the state."""
    effect = _EFFECTS.get(event.type)
    return course if effect is None else effect(course, event)


def _withdrawn(course: Course, event: Told) -> Course:
    """Her consent was to one release, so it is the receiver's copy that must go, once."""
    return course if course.state is State.ERASED else _owing(course, Side.RECEIVER, event.at)


def _owing(course: Course, side: Side, at: int) -> Course:
    return replace(course, owed={**course.owed, side: course.owed.get(side, at)})


def _confirmed(course: Course, event: Told) -> Course:
    if event.word == "held":
        return replace(course, held=course.held | {event.by})
    owed = {side: since for side, since in course.owed.items() if side is not event.by}
    return replace(course, owed=owed, held=course.held - {event.by})


def _renewed(course: Course, event: Told) -> Course:
    until = course.consent_until if event.moment is None else event.moment
    return replace(course, consent_until=until, second_by=event.second_by, feedback=event.feedback)


def _planned(course: Course, event: Told) -> Course:
    return replace(course, journey=JourneyStands.PLANNED, arrives=event.moment)


_EFFECTS: Final[Mapping[str, Callable[[Course, Told], Course]]] = {
    "identity.released": lambda course, _: replace(course, identity_released=True),
    "journey.planned": _planned,
    "journey.changed": _planned,
    "journey.met": lambda course, _: replace(course, journey=JourneyStands.MET),
    "journey.not_met": lambda course, event: replace(
        course, journey=JourneyStands.NOT_MET, arrives=event.at
    ),
    "lead.offered": lambda course, _: replace(course, lead_offered=True),
    "lead.taken": lambda course, _: replace(course, lead_offered=False, lead=Side.RECEIVER),
    "consent.updated": _renewed,
    "consent.withdrawn": _withdrawn,
    "erasure.requested": lambda course, event: _owing(course, event.by.other, event.at),
    "erasure.confirmed": _confirmed,
    "contact.safety_alert": lambda course, _: replace(course, contact_stopped=True),
}


def _word(message: Message) -> str:
    body = message.body
    if isinstance(body, ReferralStatus):
        return body.status
    if isinstance(body, ReferralCancelled):
        return body.reason if body.reason == "entered_in_error" else ""
    if isinstance(body, ErasureConfirmed):
        return "held" if any(place.result == "held" for place in body.places) else "erased"
    return ""


def _carried(message: Message) -> Consent | Basis | None:
    body = message.body
    if isinstance(body, ReferralRequested | ConsentUpdated):
        return body.consent or body.basis
    return None


def _moment(message: Message, carried: Consent | Basis | None) -> int | None:
    if carried is not None:
        return unix_seconds(carried.expires_at)
    if isinstance(message.body, JourneyPlanned | JourneyChanged):
        return unix_seconds(message.body.arriving.at)
    return None


def _second_by(carried: Consent | Basis | None) -> int | None:
    if not isinstance(carried, Basis) or carried.second_person is not None:
        return None
    return unix_seconds(carried.decided_at) + SECOND_PERSON_WITHIN
