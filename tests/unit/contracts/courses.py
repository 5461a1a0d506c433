"""Builds what both sides say in a referral, plays it between two ends, and lists every course.

Events name no person and no text, so a whole history is a handful of `Told` values. Times are
small integers; the consent of `REQUEST` ends at `UNTIL`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from contracts.fold import Course, JourneyStands, Told, fold, heads, offered
from contracts.identifiers import EventId
from contracts.lifecycle import Move, Side, State

REFERRER: Final = Side.REFERRER
RECEIVER: Final = Side.RECEIVER
WITHDRAWN_OR_ERASED: Final = (State.WITHDRAWN, State.ERASED)
NOW: Final = 1_000
UNTIL: Final = 10_000
LATE: Final = 20_000
ARRIVES: Final = 5_000
REQUEST_ID: Final = EventId("0" * 32)
REQUEST: Final = Told(
    id=REQUEST_ID,
    type="referral.requested",
    by=REFERRER,
    at=0,
    moment=UNTIL,
    feedback="outcome",
)
WITHDRAWAL: Final = Move("consent.withdrawn")
ALERT: Final = Move("contact.safety_alert")
MISSING: Final = EventId("dead" * 8)  # the id of an event that nobody sends
# What an event of this type carries beside its word.
MOMENTS: Final = {
    "consent.updated": UNTIL,
    "journey.planned": ARRIVES,
    "journey.changed": ARRIVES + 1,
}
AFTER_WITHDRAWAL: Final = frozenset(
    {
        "consent.withdrawn",
        "erasure.requested",
        "erasure.confirmed",
        "contact.safety_alert",
        "journey.met",
        "journey.not_met",
    }
)


def event_id(number: int) -> EventId:
    """The id with this number; a smaller number sorts first."""
    return EventId(f"{number:032x}")


def made(
    move: Move, *, by: Side, number: int, after: Iterable[EventId] = (REQUEST_ID,), at: int = NOW
) -> Told:
    """An event of this move with all that its type carries."""
    return Told(
        id=event_id(number),
        type=move.type,
        by=by,
        at=at,
        after=tuple(after),
        word=move.word,
        moment=MOMENTS.get(move.type),
        feedback="outcome" if move.type == "consent.updated" else "",
    )


@dataclass
class End:
    """One side's desk, as far as the fold concerns it: it keeps the first of each event."""

    side: Side
    held: dict[tuple[Side, EventId], Told] = field(default_factory=dict)
    _course: Course | None = None

    @property
    def course(self) -> Course:
        if self._course is None:
            self._course = fold(REQUEST, self.held.values())
        return self._course

    def takes(self, event: Told) -> None:
        if event.key not in self.held:
            self.held[event.key] = event
            self._course = None

    def says(self, move: Move, *, number: int, at: int = NOW) -> Told:
        """Make the event that a desk would make now, and keep it."""
        after = heads(self.course, [REQUEST, *self.held.values()])
        event = made(move, by=self.side, number=number, after=after, at=at)
        self.takes(event)
        return event


def chain(*said: tuple[Side, str], at: int = NOW) -> list[Told]:
    """A history in which everybody knew all that went before: `(side, "type word")` each."""
    events: list[Told] = []
    for number, (by, text) in enumerate(said, start=1):
        name, _, word = text.partition(" ")
        end = End(by, {event.key: event for event in events})
        events.append(end.says(Move(name, word), number=number * 16, at=at))
    return events


TO_ACCEPTED: Final = (
    (RECEIVER, "referral.acknowledged"),
    (RECEIVER, "referral.accepted"),
)
TO_IN_PROGRESS: Final = (
    *TO_ACCEPTED,
    (REFERRER, "identity.released"),
    (RECEIVER, "referral.status started"),
)
# The longest legal story: everything that can happen between two organisations, in order.
STORY: Final = (
    (RECEIVER, "referral.acknowledged"),
    (RECEIVER, "referral.info_requested"),
    (REFERRER, "referral.info_provided"),
    (RECEIVER, "referral.accepted"),
    (REFERRER, "identity.released"),
    (RECEIVER, "referral.status waitlisted"),
    (RECEIVER, "referral.status scheduled"),
    (RECEIVER, "referral.status started"),
    (RECEIVER, "referral.status unattended"),
    (RECEIVER, "referral.status on_hold"),
    (RECEIVER, "referral.status started"),
    (REFERRER, "journey.planned"),
    (REFERRER, "journey.changed"),
    (RECEIVER, "journey.met"),
    (REFERRER, "contact.safety_alert"),
    (REFERRER, "lead.offered"),
    (RECEIVER, "lead.taken"),
    (RECEIVER, "consent.updated"),
    (RECEIVER, "referral.outcome"),
    (RECEIVER, "referral.closed"),
    (REFERRER, "consent.withdrawn"),
    (RECEIVER, "erasure.confirmed held"),
    (RECEIVER, "erasure.confirmed erased"),
)


def without_places(course: Course) -> Course:
    """The course itself, without which event stands where."""
    return replace(course, places={}, void={})


def kind_of(course: Course) -> tuple[object, ...]:
    """What distinguishes two courses for the table: what only a screen shows is left out."""
    debts = frozenset(course.owed), course.held
    planned = course.journey is not JourneyStands.NONE
    if course.state in WITHDRAWN_OR_ERASED:
        return course.state, planned, debts
    return course.state, course.lead, course.identity_released, course.lead_offered, planned, debts


def every_course() -> Iterator[tuple[Course, tuple[Told, ...]]]:
    """One shortest history for every kind of course that legal steps reach."""
    begun = fold(REQUEST, ())
    found = {kind_of(begun)}
    ahead: deque[tuple[Course, tuple[Told, ...]]] = deque([(begun, ())])
    while ahead:
        course, events = ahead.popleft()
        yield course, events
        for step in legal_steps(course, events):
            after = fold(REQUEST, (*events, step))
            if kind_of(after) not in found:
                found.add(kind_of(after))
                ahead.append((after, (*events, step)))


def legal_steps(
    course: Course, events: tuple[Told, ...], *, by: Side | None = None, at: int = NOW
) -> Iterator[Told]:
    """Every event that a side, or either, may add to this history at this time."""
    after = heads(course, (REQUEST, *events))
    for side in [by] if by else Side:
        number = 16 * (len(events) + 1) + (side is REFERRER)
        for move in offered(course, side=side, now=at):
            yield made(move, by=side, number=number, after=after, at=at)
