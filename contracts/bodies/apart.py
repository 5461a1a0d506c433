"""What organisations tell each other apart from any case, and what is wrong with a message.

Only `ResendRequest`, `OrgEvent` and `MessageProblem` know ids; none knows a person.
"""

from dataclasses import dataclass

from contracts.bodies.parts import NOT_ASKED, Answer, Note, Quiet
from contracts.identifiers import EventId, KeyId, Mid, OrgId, Ref
from contracts.times import Day, Utc


@dataclass(frozen=True, slots=True, repr=False)
class Heads(Quiet):
    """How many people of an age band and a gender: numbers, never a person."""

    age_band: str
    count: int
    gender: Answer = NOT_ASKED


@dataclass(frozen=True, slots=True, repr=False)
class InterpreterBooking(Quiet):
    """An interpreter to be booked."""

    language: str
    dialect: str | None = None
    gender: Answer = NOT_ASKED
    by: Answer = NOT_ASKED


@dataclass(frozen=True, slots=True, repr=False)
class CapacityQuery(Quiet):
    """Could you take up so many people with these needs?"""

    needs: tuple[str, ...]
    headcount: tuple[Heads, ...]
    languages: tuple[str, ...] = ()
    from_date: Day | None = None
    until_date: Day | None = None
    interpreter: InterpreterBooking | None = None
    country: str | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class CapacityReply(Quiet):
    """The answer to a query, until a time; it reserves nothing."""

    of: EventId
    answer: str
    valid_until: Utc
    service_ids: tuple[str, ...] = ()
    note: Note | None = None


@dataclass(frozen=True, slots=True, repr=False)
class ResendRequest(Quiet):
    """Please seal these again: mids or event ids."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class ConcernReported(Quiet):
    """Something is wrong with a service: to a coordinator of another country, never case data."""

    kinds: tuple[str, ...]
    seen_by: str
    still_going_on: Answer
    service_id: str | None = None
    about_org: OrgId | None = None
    note: Note | None = None


@dataclass(frozen=True, slots=True, repr=False)
class OrgEvent(Quiet):
    """One desk tells the other desks of its own organisation who is at work on a case."""

    kind: str
    referral_ref: Ref
    peer: OrgId
    role: str | None = None
    of: EventId | None = None
    to_device: KeyId | None = None


@dataclass(frozen=True, slots=True, repr=False)
class ProblemDetail(Quiet):
    """RFC 9457's members. `field` is a declared name; no member ever holds a value."""

    type: str
    title: str
    code: str
    status: int | None = None
    field: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class MessageProblem(Quiet):
    """Why an event could not be applied or answered: which one, and the rule."""

    problem: ProblemDetail
    about: EventId | None = None
    mid: Mid | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Receipt(Quiet):
    """What a recipient's device says of one envelope; `code` only when rejected."""

    of_eid: str
    status: str
    at: Utc
    code: str | None = None
    v: str = "1.0"
