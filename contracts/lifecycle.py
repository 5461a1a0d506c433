"""The states of a referral and every step between them, as one table that both sides run.

    step = step_for(Move("referral.accepted"), state=State.ACKNOWLEDGED, by=Side.RECEIVER, ...)

A row says: this message, from this author, moves a referral from these states to those, as long as
what it needs is there. What is in no row is illegal; whoever meets it changes nothing. The file
knows no clock, no person and no order of events: `fold` puts the events in order and asks here.
State names are those of BSeR and NHS e-RS where they have one; the mapping tables say which.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
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
    INFO_NEEDED = "info_needed"
    ACCEPTED = "accepted"
    WAITLISTED = "waitlisted"
    ON_HOLD = "on_hold"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CLOSED = "closed"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FAILED = "failed"
    ENTERED_IN_ERROR = "entered_in_error"
    WITHDRAWN = "withdrawn"
    ERASED = "erased"


class Side(StrEnum):
    """The two ends of a referral."""

    REFERRER = "referrer"
    RECEIVER = "receiver"

    @property
    def other(self) -> "Side":
        """The side across from this one."""
        return Side.RECEIVER if self is Side.REFERRER else Side.REFERRER


class Author(StrEnum):
    """Who may take a step. `LEAD`: whichever side leads the case, the referrer at first."""

    REFERRER = "referrer"
    RECEIVER = "receiver"
    LEAD = "lead"
    EITHER = "either"


class Need(StrEnum):
    """What must be there before a step; the value is the code of the refusal without it."""

    CONSENT = "consent_not_standing"
    IDENTITY = "identity_not_released"
    JOURNEY = "journey_not_planned"
    OFFER = "lead_not_offered"
    OWED = "erasure_not_asked"  # the author has been asked to erase
    LAST_OWED = "erasure_asked_of_both"  # and nobody else still has to
    SILENCE = "outcome_awaited"  # the person wants no outcome told, so none is waited for


class Way(StrEnum):
    """What machines say of the request's envelope, seen by the referrer only."""

    HUB_ACCEPTED = "hub accepted"
    HUB_REFUSED = "hub refused"
    STORED = "stored"
    LAPSED = "lapsed"  # not delivered within the envelope's lifetime


@dataclass(frozen=True, slots=True)
class Move:
    """What somebody did: a message's type, and the one word of its body that moves the case."""

    type: str
    word: str = ""

    def __str__(self) -> str:
        return f"{self.type} {self.word}".rstrip()


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table. A state that maps to itself is one in which the step is legal."""

    move: Move
    by: Author
    moves: Mapping[State, State]
    needs: tuple[Need, ...] = ()


BEFORE_ANSWER: Final = (State.DELIVERED, State.ACKNOWLEDGED, State.INFO_NEEDED)
TAKEN_UP: Final = (State.ACCEPTED, State.WAITLISTED, State.ON_HOLD, State.IN_PROGRESS)
ACTIVE: Final = (*BEFORE_ANSWER, *TAKEN_UP)
# The referrer alone can see these; what people do there counts as done after delivery.
ON_ITS_WAY: Final = (State.DRAFT, State.SENT, State.FAILED)
# A referral that nobody has taken up ends with the consent it travels under.
ENDS_WITH_CONSENT: Final = BEFORE_ANSWER
ENDED: Final = (
    State.COMPLETED,
    State.CLOSED,
    State.DECLINED,
    State.CANCELLED,
    State.EXPIRED,
    State.ENTERED_IN_ERROR,
)
ALL: Final = (*ACTIVE, *ENDED, State.WITHDRAWN, State.ERASED)

# These wait for no cause: one lost envelope must not hold up what ends a referral, or a warning.
# The table says where they are legal; a withdrawal and a safety alert are in every state.
WAIT_FOR_NOTHING: Final = frozenset(
    {
        "consent.withdrawn",
        "contact.safety_alert",
        "erasure.requested",
        "journey.not_met",
        "referral.cancelled",
    }
)
# A message with one of these types is sealed again until the other side has stored it.
UNTIL_STORED: Final = frozenset(
    {"consent.withdrawn", "contact.safety_alert", "erasure.requested", "journey.not_met"}
)


def _to(state: State, *origins: State) -> dict[State, State]:
    return dict.fromkeys(origins, state)


def _in(*states: State) -> dict[State, State]:
    return {state: state for state in states}


TABLE: Final[tuple[Row, ...]] = (
    # The receiver's first answers.
    Row(Move("referral.acknowledged"), Author.RECEIVER, _to(State.ACKNOWLEDGED, State.DELIVERED)),
    Row(
        Move("referral.info_requested"),
        Author.RECEIVER,
        _to(State.INFO_NEEDED, State.ACKNOWLEDGED, State.INFO_NEEDED),
        needs=(Need.CONSENT,),
    ),
    Row(
        Move("referral.info_provided"),
        Author.REFERRER,
        _to(State.ACKNOWLEDGED, State.INFO_NEEDED),
        needs=(Need.CONSENT,),
    ),
    Row(
        Move("referral.accepted"),
        Author.RECEIVER,
        # A receiver need not wait for the answer to its question.
        _to(State.ACCEPTED, State.ACKNOWLEDGED, State.INFO_NEEDED),
        needs=(Need.CONSENT,),
    ),
    Row(Move("referral.declined"), Author.RECEIVER, _to(State.DECLINED, *BEFORE_ANSWER)),
    # Once it is taken up, either side may ask the other, and nothing moves.
    Row(Move("referral.info_requested"), Author.EITHER, _in(*TAKEN_UP), needs=(Need.CONSENT,)),
    Row(Move("referral.info_provided"), Author.EITHER, _in(*TAKEN_UP), needs=(Need.CONSENT,)),
    Row(Move("identity.released"), Author.REFERRER, _in(*TAKEN_UP), needs=(Need.CONSENT,)),
    # How the service goes.
    Row(
        Move("referral.status", "waitlisted"),
        Author.RECEIVER,
        _to(State.WAITLISTED, State.ACCEPTED, State.WAITLISTED),
    ),
    Row(
        Move("referral.status", "scheduled"),
        Author.RECEIVER,
        _to(State.ACCEPTED, State.ACCEPTED, State.WAITLISTED, State.ON_HOLD),
    ),
    Row(
        Move("referral.status", "started"),
        Author.RECEIVER,
        _to(State.IN_PROGRESS, State.ACCEPTED, State.WAITLISTED, State.ON_HOLD),
    ),
    Row(
        Move("referral.status", "on_hold"),
        Author.RECEIVER,
        _to(State.ON_HOLD, State.ACCEPTED, State.ON_HOLD, State.IN_PROGRESS),
    ),
    Row(
        Move("referral.status", "unattended"),
        Author.RECEIVER,
        _in(State.ACCEPTED, State.IN_PROGRESS),
    ),
    # The journey. Whether she was met is told even after everything else has ended.
    Row(
        Move("journey.planned"),
        Author.EITHER,
        _in(*TAKEN_UP),
        needs=(Need.IDENTITY, Need.CONSENT),
    ),
    Row(
        Move("journey.changed"),
        Author.EITHER,
        _in(*TAKEN_UP),
        needs=(Need.JOURNEY, Need.CONSENT),
    ),
    Row(Move("journey.met"), Author.RECEIVER, _in(*ALL), needs=(Need.JOURNEY,)),
    Row(Move("journey.not_met"), Author.RECEIVER, _in(*ALL), needs=(Need.JOURNEY,)),
    # Who leads.
    Row(Move("lead.offered"), Author.REFERRER, _in(State.IN_PROGRESS), needs=(Need.CONSENT,)),
    Row(Move("lead.taken"), Author.RECEIVER, _in(State.IN_PROGRESS), needs=(Need.OFFER,)),
    # The end.
    Row(Move("referral.outcome"), Author.RECEIVER, _to(State.COMPLETED, *TAKEN_UP)),
    Row(Move("referral.closed"), Author.LEAD, _to(State.CLOSED, State.COMPLETED)),
    Row(Move("referral.closed"), Author.LEAD, _to(State.CLOSED, *TAKEN_UP), needs=(Need.SILENCE,)),
    Row(Move("referral.cancelled"), Author.LEAD, _to(State.CANCELLED, *ACTIVE)),
    Row(
        Move("referral.cancelled", "entered_in_error"),
        Author.LEAD,
        _to(State.ENTERED_IN_ERROR, *ACTIVE, *ENDED),
    ),
    # What the person says, whomever she tells it, and whenever.
    Row(Move("consent.updated"), Author.LEAD, _in(*ACTIVE, State.COMPLETED)),
    Row(
        Move("consent.withdrawn"),
        Author.EITHER,
        {**_to(State.WITHDRAWN, *ALL), State.ERASED: State.ERASED},
    ),
    Row(
        Move("erasure.requested"),
        Author.EITHER,
        {**_to(State.WITHDRAWN, *ALL), State.ERASED: State.ERASED},
    ),
    Row(
        Move("erasure.confirmed", "erased"),
        Author.EITHER,
        _to(State.ERASED, State.WITHDRAWN, State.ERASED),
        needs=(Need.OWED, Need.LAST_OWED),
    ),
    Row(
        Move("erasure.confirmed", "erased"),
        Author.EITHER,
        _in(State.WITHDRAWN, State.ERASED),
        needs=(Need.OWED,),
    ),
    Row(
        Move("erasure.confirmed", "held"),
        Author.EITHER,
        _in(State.WITHDRAWN, State.ERASED),
        needs=(Need.OWED,),
    ),
    Row(Move("contact.safety_alert"), Author.EITHER, _in(*ALL)),
)

# The request's own way, which only the referrer's machines can tell. It never undoes what is
# known already: notices and receipts come late, twice, or from several devices of the receiver.
WAY: Final[Mapping[Way, Mapping[State, State]]] = MappingProxyType(
    {
        Way.HUB_ACCEPTED: _to(State.SENT, State.DRAFT),
        Way.HUB_REFUSED: _to(State.FAILED, State.DRAFT, State.SENT),
        Way.STORED: _to(State.DELIVERED, State.DRAFT, State.SENT, State.FAILED),
        Way.LAPSED: _to(State.EXPIRED, State.DRAFT, State.SENT),
    }
)

MOVES: Final = tuple(dict.fromkeys(row.move for row in TABLE))
EVENT_TYPES: Final = frozenset(move.type for move in MOVES)
_ROWS: Final = {move: tuple(row for row in TABLE if row.move == move) for move in MOVES}


def step_for(move: Move, *, state: State, by: Side, lead: Side, missing: Collection[Need]) -> State:
    """The state after this step. `missing` is what is not there for this author now.

    Raises `Refused`: "wrong_author" where only the other side may do this, the need's code where
    something is missing, else "illegal_transition". Nothing has happened then.
    """
    rows = [row for row in _ROWS.get(move, ()) if state in row.moves]
    if not rows:
        raise Refused("illegal_transition", "event")
    allowed = [row for row in rows if _may(row.by, by, lead)]
    if not allowed:
        raise Refused("wrong_author", "event")
    for row in allowed:
        if not any(need in missing for need in row.needs):
            return row.moves[state]
    lacking = next(need for need in allowed[-1].needs if need in missing)
    raise Refused(lacking.value, "event")


def moves_from(state: State, *, by: Side, lead: Side, missing: Collection[Need]) -> Iterator[Move]:
    """Every step that this side may take now, in the table's order, each once."""
    for move in MOVES:
        try:
            step_for(move, state=state, by=by, lead=lead, missing=missing)
        except Refused:
            continue
        yield move


def on_its_way(said: Collection[Way]) -> State:
    """Where the request stands on its way, by what machines have said so far."""
    state = State.DRAFT
    for way in Way:  # in the order in which the one can overtake the other
        if way in said:
            state = WAY[way].get(state, state)
    return state


def _may(author: Author, by: Side, lead: Side) -> bool:
    if author is Author.LEAD:
        return by is lead
    return author is Author.EITHER or author.value == by.value
