"""What a reader sees for a code: the agreement's own labels, and the few that the desk alone has.

    label("urgencies", "urgent_72h")      choices("settings")

A code that a newer partner sends is shown as it is. Names of countries and languages come from
CLDR, not from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from broker.desk.records import Case, Sending
from broker.desk.standing import Outstanding
from broker.service.language import Text, current_language
from broker.service.language import lazy_gettext as _l
from contracts import labels as agreed
from contracts.codes import Unsaid
from contracts.lifecycle import Need, Side, State
from contracts.timers import Due, Level, Stage
from countries.names import country_name, language_name
from countries.packs import COUNTRIES, load_packs

# Where people are trafficked to and from, besides the network's own countries.
_MORE_COUNTRIES: Final = (
    "ae", "af", "au", "bh", "bn", "gb", "hk", "in", "iq", "ir", "jo", "jp", "kh", "kr", "kw",
    "la", "lb", "mm", "mo", "mv", "np", "om", "ph", "qa", "sa", "sg", "tl", "tr", "tw", "us",
)  # fmt: skip
# Languages of people who come through these countries and are not in their packs.
_MORE_LANGUAGES: Final = (
    "ara", "eng", "fas", "fil", "guj", "hin", "hmn", "jav", "khm", "lao", "mad", "mya", "nep",
    "pan", "pus", "rhg", "snd", "sun", "tam", "tel", "tet", "uig", "urd", "yue", "zho",
)  # fmt: skip


_UNSAID: Final = frozenset(Unsaid)


def label(table: str, code: str) -> str:
    """A code of a list as a reader of this page sees it."""
    if code in _UNSAID:
        return agreed.label("unsaid", code, current_language())
    if table == "country" or (table == "nationality" and code != "stateless"):
        return country_name(code, current_language())
    if table == "language":
        return language_name(code, current_language())
    if table not in TABLES:
        return agreed.label(table, code, current_language())
    known = TABLES[table].get(code)
    return code.replace("_", " ") if known is None else str(known)


def choices(table: str) -> tuple[tuple[str, str], ...]:
    """Codes and labels in the order in which they are offered."""
    if table == "country":
        more = _by_label("country", set(_MORE_COUNTRIES) - set(COUNTRIES))
        return _by_label("country", set(COUNTRIES)) + more
    if table == "nationality":
        return (("stateless", label("nationality", "stateless")), *choices("country"))
    if table == "language":
        packs = load_packs().values()
        spoken = {one.value.iso639_3 for pack in packs for one in pack.languages}
        return _by_label("language", spoken | set(_MORE_LANGUAGES))
    return tuple(agreed.labels(table, current_language()).items())


def state_of(case: Case) -> str:
    """Where a case stands, to this side of it."""
    ours = _STATES.get((case.side, case.state))
    return label("state", case.state) if ours is None else str(ours)


def awaited(due: Due) -> str:
    """What is due."""
    return label("due", due.stage)


def outstanding(one: Outstanding) -> str:
    """What is outstanding, to us."""
    return label("outstanding", one.kind)


def overdue(stage: str, level: Level) -> str:
    """How far a breach has gone, and whom it is time to tell; "" where nothing is overdue."""
    if level is Level.AWAITED:
        return ""
    return label("levels", level.name if stage in _ESCALATED else Level.REMIND.name)


def _by_label(table: str, codes: set[str]) -> tuple[tuple[str, str], ...]:
    labelled = ((code, label(table, code)) for code in codes)
    return tuple(sorted(labelled, key=lambda pair: pair[1].casefold()))


# Stages at which a second focal person and the alternatives help; elsewhere people telephone.
_ESCALATED: Final = frozenset({Stage.ACKNOWLEDGE, Stage.DECIDE, Stage.SERVE})

# Where the agreement's words for a state would not be the whole truth to one side.
_STATES: Final[Mapping[tuple[Side, State], Text]] = {
    (Side.RECEIVER, State.DELIVERED): _l("new: nobody here has acknowledged it"),
}

TABLES: Final[Mapping[str, Mapping[str, Text]]] = {
    "nationality": {"stateless": _l("Stateless")},
    "sending": {
        Sending.KEPT: _l("Kept here, not yet sent."),
        Sending.ACCEPTED: _l("The hub has signed for it; it is not on their desk yet."),
        Sending.STORED: _l("Stored on their desk; that does not mean that somebody has read it."),
        Sending.FAILED: _l("It did not arrive."),
        Sending.EXPIRED: _l("It was not delivered in time."),
        Sending.SUPERSEDED: _l("It was sealed again and sent anew."),
        Sending.GIVEN_UP: _l("It was taken back before it left."),
        Sending.RECEIVED: _l("Received."),
    },
    # Why an event has no effect, where more is known than that it did not fit.
    "void": {
        "wrong_author": _l("Only the other organisation may say this."),
        Need.CONSENT: _l("The consent had run out."),
        Need.IDENTITY: _l("Name and contact had not been released."),
        Need.JOURNEY: _l("No journey had been planned."),
        Need.OFFER: _l("The lead had not been offered."),
        Need.OWED: _l("Nobody had asked for this erasure."),
        Need.LAST_OWED: _l("The other organisation had yet to confirm its own erasure."),
        Need.SILENCE: _l("The outcome was still to be told."),
    },
    "due": {
        Stage.ACKNOWLEDGE: _l("a first sign that somebody has seen it"),
        Stage.DECIDE: _l("the decision"),
        "inform": _l("answers to the questions"),
        Stage.SERVE: _l("that the service begins"),
        Stage.MEET: _l("word whether the person was met"),
        Stage.ERASE: _l("confirmation of the erasure, or the legal hold"),
        Stage.SECOND_PERSON: _l("confirmation by a second person"),
    },
    "outstanding": {
        "not_sent": _l("Kept here and not yet accepted by the hub."),
        "not_stored": _l("Sent, but their desk has not confirmed it. Phone them."),
        "failed": _l("It did not arrive."),
        "unknown_case": _l("A warning came about a case that this desk does not know. Phone them."),
        "frozen": _l("The other organisation was frozen. Phone them on a number you know."),
        "doubtful": _l("It came from a computer that may have been in wrong hands. Phone and ask."),
        "gap": _l("It waits for an earlier message that has not come. Phone them."),
        "ours_acknowledge": _l("It waits for your first sign that somebody has seen it."),
        "theirs_acknowledge": _l("There is no sign that anybody has seen it. Phone them."),
        "ours_decide": _l("It waits for your decision."),
        "theirs_decide": _l("They have not decided in time. Phone them."),
        "ours_inform": _l("It waits for your answers to their questions."),
        "theirs_inform": _l("They have not answered your questions in time. Phone them."),
        "ours_serve": _l("It was accepted and waits for you to begin."),
        "theirs_serve": _l("It was accepted and has not begun in time. Phone them."),
        "ours_meet": _l(
            "JOURNEY: say whether the person was met. If not, phone the other duty desk now."
        ),
        "theirs_meet": _l(
            "JOURNEY: nobody has said that the person was met. Phone both duty desks now."
        ),
        "ours_erase": _l("It waits for you to confirm the erasure or name the legal hold."),
        "theirs_erase": _l("They have not confirmed the erasure in time. Phone them."),
        "ours_second_person": _l(
            "It was decided by one person alone. A second one of you must confirm it."
        ),
        "theirs_second_person": _l(
            "It was decided by one person alone and never confirmed. Phone them."
        ),
    },
    "levels": {
        Level.REMIND.name: _l("Overdue"),
        Level.SECOND_PERSON.name: _l("Overdue: tell the second focal person"),
        Level.TELL_BOTH.name: _l(
            "Overdue: tell the referrer, with the alternatives already agreed to"
        ),
    },
}
