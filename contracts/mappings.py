"""What our codes and states are called elsewhere: HTCDS 2.0, BSeR and e-RS, Primero v2.

    htcds("genders", "woman")                                       # "Feminine"
    primero_status(State.ACCEPTED, kind="service", lead=Side.REFERRER)  # "accepted"

Outward only: what comes in is written by people in our own words. The tables are data in
`mappings/`, each with its source and licence; where nothing corresponds they hold a reason instead
of a code, and the answer here is None. Nothing is guessed: trafficking and smuggling never become
one code, and a legal basis never becomes a consent.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from contracts.bodies import Basis, Consent
from contracts.errors import Malformed
from contracts.lifecycle import Side, State

_TRANSFER: Final = "Transfer"


@dataclass(frozen=True, slots=True)
class Table:
    """One of our lists and what its words are called in one field elsewhere.

    `codes` and `none` together hold every word of the list; `none` says why there is no code.
    `only_about`: the concern outside of which no word of it may be translated.
    """

    list: str
    field: str
    codes: Mapping[str, str]
    none: Mapping[str, str]
    only_about: str = ""

    def code(self, word: str, *, about: str = "") -> str | None:
        """Theirs for ours, or None. Raises `Malformed("unknown_code", "code")`."""
        if word not in self.codes and word not in self.none:
            raise Malformed("unknown_code", "code")
        if self.only_about and about != self.only_about:
            return None
        return self.codes.get(word)


@dataclass(frozen=True, slots=True)
class PrimeroConsent:
    """By what right a transition is made. Never both, and `overridden` only with a basis.

    It is about this one transition. The record's own flags, which open it to any organisation,
    are not ours to set.
    """

    given: bool
    overridden: bool


def htcds(table: str, word: str, *, about: str = "") -> str | None:
    """The HTCDS code of a word of one of our lists, exactly as the standard writes it.

    `about` is the concern (`tip`, `som`, `both`, `undetermined`) that a decision is about: only
    what was decided on trafficking has a code, so that no smuggled person is counted as trafficked.
    Raises `Malformed("unknown_table" | "unknown_code", ...)`.
    """
    if table not in htcds_tables():
        raise Malformed("unknown_table", "table")
    return htcds_tables()[table].code(word, about=about)


def htcds_country(country: str) -> str:
    """ISO 3166-1 alpha-2 as HTCDS writes it: in capitals."""
    return country.upper()


def htcds_language(language: str) -> str | None:
    """ISO 639-2 for ISO 639-3, or None for a language that has none or is not in the table."""
    codes: Mapping[str, str] = _file("htcds")["languages"]["codes"]
    return codes.get(language)


def htcds_in_survey_form(name: str) -> str:
    """A field or code of HTCDS as its survey form spells it, spaces included."""
    names: Mapping[str, str] = _file("htcds")["survey_form"]["names"]
    return names.get(name, name)


def bser_task_status(state: State) -> str | None:
    """The status of a FHIR Task."""
    return state_table("bser", "task_status").code(state)


def bser_business_status(state: State) -> str | None:
    """BSeR's business status of that Task."""
    return state_table("bser", "business_status").code(state)


def bser_status_of_word(word: str) -> str | None:
    """BSeR's business status for a word of `referral.status`, which moves no state over there."""
    return state_table("bser", "business_status_of_words").code(word)


def ers_state(state: State) -> str | None:
    """The referral state of NHS e-RS."""
    return state_table("bser", "ers_state").code(state)


def primero_transition(kind: str) -> str:
    """`Referral`, or `Transfer` where the lead is to pass.

    Raises `Malformed("unknown_code", "kind")`.
    """
    kinds: Mapping[str, str] = _file("primero")["transitions"]
    if kind not in kinds:
        raise Malformed("unknown_code", "kind")
    return kinds[kind]


def primero_status(state: State, *, kind: str, lead: Side) -> str | None:
    """The status of a Primero transition of this kind, while this side leads."""
    transition = primero_transition(kind)
    if transition == _TRANSFER and lead is Side.RECEIVER:
        owned: Mapping[str, str] = _file("primero")[_TRANSFER]["once_the_receiver_leads"]
        if state in owned:
            return owned[state]
    return state_table("primero", transition).code(state)


def primero_consent(carried: Consent | Basis | None) -> PrimeroConsent:
    """By what right: what a basis allows was never consented to, whatever else is said."""
    return PrimeroConsent(given=isinstance(carried, Consent), overridden=isinstance(carried, Basis))


@cache
def htcds_tables() -> Mapping[str, Table]:
    """Every table of HTCDS, by its name; that of a list has the list's name."""
    return {
        name: Table(
            list=table["list"],
            field=table["field"],
            codes=table["codes"],
            none=table["none"],
            only_about=table.get("only_about", ""),
        )
        for name, table in _file("htcds")["tables"].items()
    }


@cache
def state_table(file: str, name: str) -> Table:
    """One of the tables of states in `bser` or `primero`."""
    table = _file(file)[name]
    return Table(list="", field=name, codes=table["codes"], none=table["none"])


@cache
def _file(name: str) -> dict[str, Any]:
    text = (files("contracts") / "mappings" / f"{name}.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded
