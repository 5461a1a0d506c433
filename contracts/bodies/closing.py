"""Who leads, how it went, and the end."""

from dataclasses import dataclass

from contracts.bodies.parts import NOT_ASKED, Answer, Answers, Note, Quiet
from contracts.times import Day


@dataclass(frozen=True, slots=True, repr=False)
class LeadOffered(Quiet):
    """The referrer hands over the right to update consent, to cancel and to close."""

    first_contact_on: Day
    note: Note | None = None


@dataclass(frozen=True, slots=True, repr=False)
class LeadTaken(Quiet):
    """The receiver takes it; from here on both desks show that the receiver leads."""

    role: str
    note: Note | None = None


@dataclass(frozen=True, slots=True, repr=False)
class SaidByPerson(Quiet):
    """What the person themselves said, if they wanted to be asked."""

    helped: Answer = NOT_ASKED
    felt_safe: Answer = NOT_ASKED
    would_return: Answer = NOT_ASKED


@dataclass(frozen=True, slots=True, repr=False)
class ReferralOutcome(Quiet):
    """What came of it, as far as `feedback` in the consent allows; `other` needs the note."""

    outcome: str
    follow_up_safe: Answer
    needs_met: Answers = NOT_ASKED
    said_by_person: SaidByPerson | None = None
    note: Note | None = None


@dataclass(frozen=True, slots=True, repr=False)
class ReferralClosed(Quiet):
    """The end, and the day after which both sides no longer keep it."""

    purge_after: Day


@dataclass(frozen=True, slots=True, repr=False)
class ReferralCancelled(Quiet):
    """Whoever leads takes it back; `other` needs the note."""

    reason: str
    purge_after: Day | None = None
    note: Note | None = None
