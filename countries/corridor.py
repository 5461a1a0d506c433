"""What a pair of countries asks for before a referral is sent.

    corridor = Corridor.of(request, ours="my", theirs="vn", receiver_kind="ngo")
    for item in check(corridor): ...                # all that applies, with ticks, on a screen
    outstanding(check(corridor, confirmed=codes))   # must be empty before sealing

Pure: the packs and the table of routes are data that come with the software or are handed in. The
check sees codes only, never a note or a name, and decides nothing about a person; what the referral
itself shows is ticked, and what no software can see is confirmed by somebody. It stands beside the
agreement's safety rules and replaces none of them. Where a duty is known from memory only
(confidence C) it is to be looked at and does not block: nobody could say what would meet it.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Self

from contracts.ages import Minority, is_minor, may_be_under_majority, minority, years
from contracts.bodies import Quiet, ReferralRequested
from contracts.codes import BEST_INTEREST, GUARDIAN_STATUSES, STATE_KINDS
from contracts.consent import fields_told
from contracts.country import CHILD_BELOW, LawProfile
from contracts.routing import RouteState, RouteTable
from countries.facts import Confidence, Duty, Fact
from countries.law import age_fact, profile_in
from countries.names import bcp47
from countries.packs import Pack, load_packs
from countries.requirements import OWN_RULES, Requirement, Source, Weight, requirement
from countries.routes import default_routes

__all__ = ["Corridor", "Requirement", "Source", "Weight", "check", "outstanding"]

# Of these only asking tells whether they act for a state.
MAY_BE_STATE_KINDS: Final = frozenset({"health", "legal"})

_CLAIMS: Final = frozenset({"wishes", "pending", "recognised"})
_BEST_INTEREST_KNOWN: Final = frozenset(BEST_INTEREST) - {"in_progress", "not_begun"}
_WARNINGS: Final = {
    "calls_recorded_by_decree": "recorded_hotline",
    "complaints_passed_to_police": "complaint_passed_to_police",
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Corridor(Quiet):
    """From our country to theirs, and the codes of a referral that the check looks at.

    Words as in the referral, "not_asked" where nothing was said. `ground` is "consent", one of
    `GROUNDS`, or "" while there is neither.
    """

    ours: str
    theirs: str
    receiver_kind: str
    age_band: str
    languages: tuple[str, ...] = ()
    nationality: str = "not_asked"
    interpreter_needed: str = "not_asked"
    told: frozenset[str] = field(default=frozenset())
    needs: tuple[str, ...] = ()
    guardian_status: str = "not_asked"
    best_interest: str = "not_asked"
    own_wish: str = "not_asked"
    risk_assessed: bool = False
    fear_of: tuple[str, ...] = ()
    protection_claim: str = "not_asked"
    ground: str = ""
    free_to_leave: str = "not_asked"

    @classmethod
    def of(cls, request: ReferralRequested, *, ours: str, theirs: str, receiver_kind: str) -> Self:
        """The corridor of a request; `ours` and `theirs` are the two organisations' countries."""
        person, guardian, return_ = request.person, request.guardian, request.return_
        corridor = cls(
            ours=ours,
            theirs=theirs,
            receiver_kind=receiver_kind,
            age_band=person.age_band,
            languages=person.languages,
            nationality=person.nationality,
            interpreter_needed=person.interpreter.needed,
            told=fields_told(request),
            needs=request.needs,
            ground=_ground(request),
            free_to_leave=request.consent.free_to_leave if request.consent else "not_asked",
        )
        if guardian is not None:
            corridor = replace(
                corridor, guardian_status=guardian.status, best_interest=guardian.best_interest
            )
        if return_ is None:
            return corridor
        return replace(
            corridor,
            own_wish=return_.own_wish,
            risk_assessed=return_.risk_assessment is not None,
            fear_of=return_.fear_of if isinstance(return_.fear_of, tuple) else (),
            protection_claim=return_.protection_claim,
        )

    @property
    def crosses_border(self) -> bool:
        """Whether the two organisations are in two countries."""
        return self.ours != self.theirs

    @property
    def countries(self) -> tuple[str, ...]:
        """Ours and theirs, once each."""
        return tuple(dict.fromkeys((self.ours, self.theirs)))

    @property
    def needs_protection(self) -> bool:
        """Whether the person fears a state or seeks protection from one."""
        return "state" in self.fear_of or self.protection_claim in _CLAIMS


def check(
    corridor: Corridor,
    *,
    confirmed: Collection[str] = (),
    packs: Mapping[str, Pack] | None = None,
    routes: RouteTable | None = None,
) -> tuple[Requirement, ...]:
    """All that applies, what concerns asylum first. Without `packs` and `routes`: those shipped.

    `confirmed`: codes of what somebody has seen to; one that is not confirmable changes nothing.
    """
    packs = load_packs() if packs is None else packs
    case = _Case(corridor, packs, default_routes(packs) if routes is None else routes)
    return tuple(
        replace(item, met=True) if item.confirmable and item.code in confirmed else item
        for rule in _RULES
        for item in rule(case)
    )


def outstanding(requirements: Collection[Requirement]) -> tuple[Requirement, ...]:
    """What still stands in the way of sending."""
    return tuple(item for item in requirements if item.weight is Weight.BLOCKING and not item.met)


@dataclass(frozen=True, slots=True)
class _Case:
    """The corridor with the data that the rules read."""

    corridor: Corridor
    packs: Mapping[str, Pack]
    routes: RouteTable

    def of_both(self) -> Iterator[Pack]:
        return (self.packs[code] for code in self.corridor.countries if code in self.packs)

    def profiles(self) -> tuple[LawProfile, ...]:
        return tuple(profile_in(self.packs, code) for code in self.corridor.countries)

    def profiles_and_nationality(self) -> tuple[LawProfile, ...]:
        # A nationality that was not said is the name of no country and has an empty profile.
        return (*self.profiles(), profile_in(self.packs, self.corridor.nationality))

    def minority(self) -> Minority:
        return minority(self.corridor.age_band, self.profiles())


def _asylum(case: _Case) -> Iterator[Requirement]:
    corridor = case.corridor
    if not corridor.needs_protection:
        return
    yield requirement("asylum_advice_first", Weight.BLOCKING)
    if corridor.receiver_kind in STATE_KINDS:
        yield requirement("no_feared_state_body", _weight(_may_be_feared(corridor)))
    elif corridor.receiver_kind in MAY_BE_STATE_KINDS:
        yield requirement("receiver_may_be_state", Weight.LOOK_AT)
    if "return" in corridor.told and corridor.receiver_kind in STATE_KINDS | MAY_BE_STATE_KINDS:
        yield requirement("fear_told_to_state", Weight.LOOK_AT)


def _may_be_feared(corridor: Corridor) -> bool:
    """Whether this state body may be one of the feared country; a mission's country is not told."""
    another = len(corridor.nationality) == 2 and corridor.nationality != corridor.theirs
    return corridor.receiver_kind == "mission" or not another


def _route(case: _Case) -> Iterator[Requirement]:
    corridor = case.corridor
    if not corridor.crosses_border:
        return
    state = case.routes.state(corridor.ours, corridor.theirs)
    civil = state is RouteState.PROPOSED and corridor.receiver_kind not in STATE_KINDS
    yield requirement(
        "route_open",
        _weight(not civil),
        source=_route_source(case),
        met=state is RouteState.SIGNED,
    )


def _route_source(case: _Case) -> Source:
    ours = case.packs.get(case.corridor.ours)
    for fact in ours.routes if ours else ():
        if fact.value.to == case.corridor.theirs:
            return _source(fact, title="Recommended memoranda", country=case.corridor.ours)
    return OWN_RULES


def _consent(case: _Case) -> Iterator[Requirement]:
    corridor = case.corridor
    yield requirement("consent_or_basis", Weight.BLOCKING, met=bool(corridor.ground))
    for pack in case.of_both():
        for fact in pack.consent_form:
            if _consent_duty_applies(fact.value, corridor):
                yield _duty(fact, pack.country, blocking=False)
    if corridor.ground == "consent" and corridor.free_to_leave != "yes":
        yield requirement("given_in_custody", Weight.LOOK_AT)
    if corridor.ground == "consent" and corridor.receiver_kind in {"enforcement", "court"}:
        yield requirement("separate_consent", Weight.BLOCKING)


def _consent_duty_applies(duty: Duty, corridor: Corridor) -> bool:
    if duty.code == "under_14_sensitive":
        youngest, _ = years(corridor.age_band)
        return youngest < 14
    return corridor.ground in {"consent", ""}


def _data_law(case: _Case) -> Iterator[Requirement]:
    theirs = case.packs.get(case.corridor.theirs)
    for fact in theirs.data_protection if theirs else ():
        if fact.value.state == "none_enacted":
            source = _source(fact, title="", country=case.corridor.theirs)
            yield requirement("no_data_law", Weight.LOOK_AT, source=source)


def _return(case: _Case) -> Iterator[Requirement]:
    corridor = case.corridor
    back = {"repatriation", "reintegration"} if corridor.crosses_border else {"repatriation"}
    if back & set(corridor.needs):
        wished = corridor.own_wish == "yes" and corridor.risk_assessed
        yield requirement("own_wish_to_return", Weight.BLOCKING, met=wished)


def _minor(case: _Case) -> Iterator[Requirement]:
    corridor, source = case.corridor, _minority_source(case)
    if case.minority() is Minority.ADULT:
        return
    weight = _weight(case.minority() is Minority.CHILD)
    known = corridor.guardian_status in GUARDIAN_STATUSES
    yield requirement("guardian_status", Weight.BLOCKING, source=source, met=known)
    assessed = corridor.best_interest in _BEST_INTEREST_KNOWN
    begun = Weight.LOOK_AT if corridor.best_interest == "in_progress" else weight
    yield requirement("best_interest", begun, source=source, met=assessed)
    yield requirement("child_competent_receiver", weight, source=source)
    if corridor.guardian_status == "suspected_in_harm":
        yield requirement("guardian_not_told", Weight.LOOK_AT)


def _minority_source(case: _Case) -> Source:
    """The rule that makes a minor: ours under 18, else the law with the highest age."""
    youngest, _ = years(case.corridor.age_band)
    return OWN_RULES if youngest < CHILD_BELOW else _highest_age(case, case.corridor.countries)


def _near_majority(case: _Case) -> Iterator[Requirement]:
    corridor = case.corridor
    if case.minority() is not Minority.ADULT:
        return
    profiles = case.profiles_and_nationality()
    if is_minor(corridor.age_band, profiles) or may_be_under_majority(corridor.age_band, profiles):
        source = _highest_age(case, (*corridor.countries, corridor.nationality))
        yield requirement("may_be_under_majority", Weight.LOOK_AT, source=source)


def _highest_age(case: _Case, countries: Collection[str]) -> Source:
    found = [
        (fact.value.age, country, fact)
        for country in countries
        for about in ("child_below", "child_in_trafficking_below", "majority")
        if (fact := age_fact(case.packs, country, about)) is not None
    ]
    if not found:
        return OWN_RULES
    _, country, fact = max(found, key=lambda each: each[0])
    return _source(fact, title=fact.value.law, country=country)


def _transfer(case: _Case) -> Iterator[Requirement]:
    """What the sender's country asks for blocks; the other's is looked at: answers come back."""
    if not case.corridor.crosses_border:
        return
    for pack in case.of_both():
        for fact in pack.transfer:
            yield _duty(fact, pack.country, blocking=pack.country == case.corridor.ours)


def _languages(case: _Case) -> Iterator[Requirement]:
    corridor = case.corridor
    spoken = {bcp47(code) for code in corridor.languages}
    there = _languages_of(case, corridor.theirs)
    if corridor.interpreter_needed == "yes" or not spoken & there:
        yield requirement("interpreter", Weight.LOOK_AT)
    if not there & _languages_of(case, corridor.ours):
        yield requirement("working_language", Weight.LOOK_AT)


def _languages_of(case: _Case, country: str) -> set[str]:
    pack = case.packs.get(country)
    return {fact.value.bcp47 for fact in pack.languages} if pack else set()


def _hotlines(case: _Case) -> Iterator[Requirement]:
    for pack in case.of_both():
        for fact in pack.hotlines:
            for warning in fact.value.warnings:
                source = _source(
                    fact, title=f"Public hotline {fact.value.number}", country=pack.country
                )
                yield requirement(_WARNINGS[warning], Weight.LOOK_AT, source=source)


def _duty(fact: Fact[Duty], country: str, *, blocking: bool) -> Requirement:
    weight = _weight(blocking and fact.confidence is not Confidence.C)
    source = _source(fact, title=fact.value.law, country=country)
    return requirement(fact.value.code, weight, source=source)


def _source(fact: Fact[object], *, title: str, country: str) -> Source:
    return Source(title, country, fact.confidence, fact.verified_on)


def _weight(blocking: bool) -> Weight:
    return Weight.BLOCKING if blocking else Weight.LOOK_AT


def _ground(request: ReferralRequested) -> str:
    if request.basis is not None:
        return request.basis.ground
    return "" if request.consent is None else "consent"


# In the order of the screen: what may end the matter comes first.
_RULES: Final[tuple[Callable[[_Case], Iterator[Requirement]], ...]] = (
    _asylum,
    _route,
    _consent,
    _data_law,
    _return,
    _minor,
    _near_majority,
    _transfer,
    _languages,
    _hotlines,
)
