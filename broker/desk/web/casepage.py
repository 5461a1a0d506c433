"""What a case's page says, read once: where the case stands, what was said, what may be said now.

Messages that may name somebody are not read into the page at all; they are opened one by one.
Decides nothing: the state and the steps are the fold's, the marks are the safety rules'.

    read_case(rows, desk, case)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from broker.desk.cases import ACCEPT, ACKNOWLEDGE, CaseView, claim_of, view
from broker.desk.records import Case, Entry
from broker.desk.saying import marks_of
from broker.desk.standing import due_in
from broker.desk.store import Rows
from broker.desk.unlocking import Desk
from broker.desk.web import fields
from broker.desk.web.fields import Section
from broker.desk.web.labels import TABLES, label
from broker.desk.web.sentences import sentence_of_code
from broker.desk.web.sheets import OPENED, Line, flags, note_of, sheet
from contracts.encoding import JsonObject, parse_object
from contracts.envelope import MAX_MESSAGE
from contracts.fold import Place
from contracts.lifecycle import Move, State
from contracts.timers import Due, Level

DECLINE: Final = Move("referral.declined")
# The steps that this desk has forms for; the rest is said with the command line.
FORMS: Final[Mapping[Move, tuple[Section, ...]]] = {
    ACKNOWLEDGE: fields.ACKNOWLEDGE,
    ACCEPT: fields.ACCEPT,
    DECLINE: fields.DECLINE,
}
# In these nothing is told on a consent any more, whatever its date.
_CONSENT_GONE: Final = frozenset({State.WITHDRAWN, State.ERASED})


@dataclass(frozen=True, slots=True)
class Said:
    """One event of a case, for its page. `opened`: what it says has a page of its own."""

    entry: Entry
    lines: tuple[Line, ...] = field(repr=False)
    has_note: bool
    opened: bool
    why: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A step with a form, and the types of what is then sent."""

    move: Move
    sections: tuple[Section, ...]
    types: tuple[str, ...]

    @property
    def name(self) -> str:
        """The last word of its type; names the form on the page."""
        return name_of(self.move)


@dataclass(frozen=True, slots=True)
class CasePage:
    """One case. `marks` are sentences; `claimed`: by another desk of ours."""

    view: CaseView
    said: tuple[Said, ...]
    flags: tuple[str, ...]
    marks: tuple[str, ...]
    dues: tuple[tuple[Due, Level], ...]
    claimed: bool
    consent_stands: bool | None  # None: it was withdrawn

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The legal steps that have a form."""
        return answers(self.view.moves)

    @property
    def others(self) -> tuple[Move, ...]:
        """The legal steps that have none."""
        return tuple(move for move in self.view.moves if move not in FORMS)


def name_of(move: Move) -> str:
    """A step's name in a form: the last word of its type."""
    return move.type.rpartition(".")[2]


def answers(moves: Iterable[Move]) -> tuple[Answer, ...]:
    """Those of these steps that have a form. Accepting what nobody has acknowledged says both."""
    legal = tuple(moves)
    both = (ACKNOWLEDGE.type, ACCEPT.type)
    return tuple(
        Answer(
            move,
            FORMS[move],
            both if move == ACCEPT and ACKNOWLEDGE in legal else (move.type,),
        )
        for move in legal
        if move in FORMS
    )


def read_case(rows: Rows, desk: Desk, case: Case) -> CasePage:
    """A case for its page, as it stands now."""
    now = desk.clock()
    seen = view(rows, case, now=now)
    dues = due_in(desk, seen.case, seen.entries, now=now)
    claim = claim_of(seen.entries, device=desk.ring.device)
    gone = seen.course.state in _CONSENT_GONE
    return CasePage(
        view=seen,
        said=tuple(said(rows, entry) for entry in seen.entries),
        flags=flags(body_of(rows, request_entry(seen))),
        marks=tuple(
            sentence_of_code(one.code, field=one.field) for one in marks_of(rows, desk, case)
        ),
        dues=tuple((due, due.level(now)) for due in dues),
        claimed=claim is not None and not claim.ours,
        consent_stands=None if gone else now < seen.course.consent_until,
    )


def said(rows: Rows, entry: Entry) -> Said:
    """One event, without its note, and without a word of what may name somebody."""
    body = body_of(rows, entry)
    opened = entry.type in OPENED
    lines = () if opened else sheet(entry.type, body)
    return Said(entry, lines, note_of(body) is not None, opened, _why(entry))


def body_of(rows: Rows, entry: Entry) -> JsonObject:
    """What a message says."""
    body = parse_object(rows.message(entry.row), limit=MAX_MESSAGE).get("body")
    return body if isinstance(body, dict) else {}


def request_entry(seen: CaseView) -> Entry:
    """The event that began a case."""
    return next(entry for entry in seen.entries if entry.is_request)


def _why(entry: Entry) -> str:
    if entry.place is Place.VOID:
        return label("void", entry.code) if entry.code in TABLES["void"] else ""
    return sentence_of_code(entry.code) if entry.code else ""
