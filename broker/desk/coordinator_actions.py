"""What a coordinator's action will do, in sentences, before they say yes to it.

Pure: facts in, an `Intent` out, as for an organisation's own keys. Drafts of others are put into
plain words here, so that nobody signs what they have not read.

    intent = vouching(applicant)
    intent = countersigning(content, register)          # Failure where it is no draft for us
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from broker.desk.coordinator import Applicant, ListingPlan
from broker.desk.key_actions import Intent, moment
from broker.desk.listing import entry_text, plain
from broker.service.failures import Failure
from broker.service.root_changes import root_changes
from contracts.contents import (
    Content,
    FreezeContent,
    RootContent,
    RouteContent,
    ThawContent,
)
from contracts.entries import Entry
from contracts.errors import ContractError
from contracts.fingerprint import fingerprint
from contracts.identifiers import KeyId, OrgId
from contracts.register import Listed, Register
from contracts.root import RootFile, next_root
from contracts.routing import RouteState
from contracts.standing import FREEZE_LASTS

_KEPT: Final = "It stands in the network's log for good, under your id, for everybody to read."
# More names than this nobody compares on a screen; the file holds them all.
_SHOWN: Final = 20
_HOURS: Final = FREEZE_LASTS // 3600


def vouching(applicant: Applicant) -> Intent:
    """A coordinator's word for an organisation."""
    return Intent(
        title=f"Give your word that {applicant.org} is who it says it is.",
        effects=(
            f"It says that it is of the kind {applicant.kind}, in {applicant.country.upper()}.",
            f"Digits of its root key: {fingerprint(applicant.org, root=applicant.root)}",
            "With a second coordinator of another country it is admitted, and can send and"
            " receive referrals.",
        ),
        undo=f"Your word cannot be taken back; an organisation can be frozen. {_KEPT}",
        phone="Do not go on unless the digits agree, group by group, in a call that you began.",
    )


def entering(plan: ListingPlan) -> Intent:
    """Listings entered for organisations that have no keys."""
    return Intent(
        title=f"List {_count(plan.to_enter)} in the public directory, signed by you.",
        effects=(
            *_entries("New", plan.new),
            *_entries("Changed", plan.changed),
            *_orgs("Listed so already, nothing to do", plan.same),
            *_orgs("Entered so by another coordinator; yours to confirm", plan.waiting),
            *_orgs("Have keys and list themselves; left alone", plan.themselves),
            'Until a second coordinator confirms, each is shown as "entered by one coordinator,'
            ' unconfirmed": not printed, not among hotlines.',
        ),
        undo=f"A later listing replaces an earlier one. {_KEPT}",
        phone="Enter no address and no number that you have not checked.",
    )


def confirming(listed: Listed, entry: Entry) -> Intent:
    """The second coordinator's word for an entry, or anybody's that it is still true."""
    by = "the organisation itself" if listed.by == listed.org else f"coordinator {listed.by}"
    return Intent(
        title=f"Say that this entry is true:\n{entry_text(entry)}",
        effects=(
            f"It was listed by {by} on {moment(listed.t)}.",
            "It is shown as confirmed from today.",
        ),
        undo=f"This cannot be taken back; another listing replaces the entry. {_KEPT}",
        phone="Do not go on unless you have phoned its numbers, or know that they are right.",
    )


def publishing(entry: Entry, *, listed: Listed | None) -> Intent:
    """An organisation's own entry."""
    before = (
        "Nothing is listed of you so far."
        if listed is None
        else f"It replaces what was listed on {moment(listed.t)}."
    )
    return Intent(
        title=f"Publish this entry of your organisation:\n{entry_text(entry)}",
        effects=("Everybody can read it.", before),
        undo="A later entry replaces it. Its hash stays in the network's log.",
        phone="Look once more at every address and number: what is public may be copied.",
    )


def withdrawing(entry: Entry) -> Intent:
    """An organisation takes itself off the public list."""
    return Intent(
        title=f"Take your organisation, {entry.name}, off the public directory.",
        effects=(
            "Nobody finds its services and numbers there any more.",
            "Its keys stay: running cases go on, and partners can still reach it.",
        ),
        undo="Publishing an entry again brings it back. The old entry's hash stays in the log.",
        phone="Tell your coordinator, and whoever refers to you by telephone.",
    )


def freezing(org: OrgId, device: KeyId | None, *, since: int) -> Intent:
    """An emergency stop by a coordinator."""
    since_text = f"What it sent after {moment(since)} is marked as doubtful everywhere."
    if device is not None:
        return Intent(
            title=f"Freeze the device {device} of {org}, for good.",
            effects=("It can neither send nor receive any more.", since_text),
            undo="This cannot be undone. The organisation goes on with its other devices.",
            phone="Phone the organisation first, if there is time.",
        )
    return Intent(
        title=f"Freeze the whole organisation {org}.",
        effects=(
            "None of its devices can send or receive.",
            since_text,
            f"It ends by itself after {_HOURS} hours, unless a coordinator of another country"
            " freezes it too.",
        ),
        undo="Its root key and one coordinator together end it sooner.",
        phone="Phone the organisation, and a coordinator of another country.",
    )


def routing(pair: tuple[str, str], state: RouteState, contracts: Iterable[str]) -> Intent:
    """A route between two countries."""
    countries = " and ".join(country.upper() for country in sorted(pair))
    return Intent(
        title=f"Say that the route between {countries} is {state.value}.",
        effects=(
            f"It is about: {', '.join(contracts)}.",
            _ROUTES[state],
            "It counts once a coordinator of each of the two countries has signed.",
        ),
        undo=f"Both sign anew to change it. {_KEPT}",
    )


_ROUTES: Final = {
    RouteState.PROPOSED: "Civil organisations may refer to one another; state bodies not yet.",
    RouteState.SIGNED: "Every organisation of the two countries may refer.",
    RouteState.SUSPENDED: "No new referrals are carried; running cases go on.",
    RouteState.CLOSED: "Nothing is carried any more.",
}


def countersigning(content: Content, register: Register) -> Intent:
    """Somebody else's draft, in plain words. Raises `Failure` where it is none for coordinators."""
    match content:
        case ThawContent():
            return Intent(
                title=f"End the freeze of {content.heading.org}.",
                effects=("Its devices can send and receive again.",),
                undo="It can be frozen again.",
                phone="Phone the organisation at a number that you knew before.",
            )
        case RouteContent():
            return routing(content.pair, content.mou, content.contracts)
        case FreezeContent():
            return freezing(content.heading.org, content.device, since=content.suspected_since)
        case RootContent():
            return _new_root(register.root, content)
        case _:
            raise Failure(
                "This is not a draft that a coordinator signs with others: those are a thaw, a"
                " route, a freeze and a root file. Nothing was signed."
            )


def posting(content: Content, register: Register) -> Intent:
    """A finished draft, put into the log."""
    said = countersigning(content, register)
    return Intent(
        title=f"Post to the network's log: {said.title}",
        effects=said.effects,
        undo=said.undo,
        phone=said.phone,
    )


def _new_root(before: RootFile, content: RootContent) -> Intent:
    try:
        after = next_root(before, content.file)
    except ContractError as error:
        why = f"The root file in this draft cannot follow: {error} Nothing was signed."
        raise Failure(why) from None
    return Intent(
        title=f"Put version {after.version} of the network's root file in force.",
        effects=(
            f"Its hash: {after.hash}",
            f"{before.majority} of the {len(before.coordinators)} coordinators must sign.",
            f"Witnesses that must have seen the log from then on: {after.k}.",
            *root_changes(before, after),
        ),
        undo=f"Only a later version, signed by most of its own coordinators, changes it. {_KEPT}",
        phone="Compare the hash by phone with whoever prepared it.",
    )


def _count(entries: tuple[Entry, ...]) -> str:
    return f"{len(entries)} organisation{'' if len(entries) == 1 else 's'}"


def _entries(label: str, entries: tuple[Entry, ...]) -> tuple[str, ...]:
    named = [
        f"{label}: {one.org}  {plain(one.name)}  ({len(one.services)} services)" for one in entries
    ]
    return _cut(named, len(entries), label)


def _orgs(label: str, orgs: tuple[OrgId, ...]) -> tuple[str, ...]:
    return _cut([f"{label}: {org}" for org in orgs], len(orgs), label)


def _cut(lines: list[str], total: int, label: str) -> tuple[str, ...]:
    more = total - _SHOWN
    return (*lines[:_SHOWN], *((f"{label}: and {more} more.",) if more > 0 else ()))
