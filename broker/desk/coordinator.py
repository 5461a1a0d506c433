"""What a coordinator does: vouch, enter listings, confirm, freeze, and sign with others.

A coordinator has one key in one file and no desk: no case, no mailbox. What they sign is decided
by people who have phoned; this file makes sure that they see what they sign, that it is said in
the network's own log, and that nothing is said twice. Whether it counts is the register's to say.

    coordinator = Coordinator(network, secret)
    vouch(coordinator, applicant, now=now)
    plan = plan_listings(entries, register, coordinator.id)
    enter_listings(coordinator, door, plan, clock=clock, progress=print)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from broker.desk.client import HubRefused, Unreachable
from broker.desk.enrolment import new_org_id, read_admission
from broker.desk.errors import DeskError
from broker.desk.listing import EntryDoor, check_same, keep, publish_listing
from broker.desk.publishing import TAKEN, TRIES, Network, publish, refusal
from broker.desk.secretfile import Kind, Secret
from broker.service.failures import Failure
from contracts.contents import OrgContent, read_content
from contracts.drafting import (
    confirm_statement,
    freeze_statement,
    listing_statement,
    root_statement,
    route_statement,
    vouch_statement,
)
from contracts.encoding import b64encode, dump_json
from contracts.entries import MAX_ENTRIES, Entry, entry_hash, parse_entries, render_entry
from contracts.errors import ContractError
from contracts.identifiers import KeyId, OrgId, country_of
from contracts.register import Listed, Register
from contracts.routing import RouteState
from contracts.signing import SigningKey
from contracts.standing import Organisation
from contracts.statements import MAX_CARRIED, Heading, Statement, parse_statement

# What somebody has done before they give their word; the answers are theirs, nobody's to check.
QUESTIONS: Final = (
    "Have you phoned a number of this organisation that you knew before, not one from this file?",
    "Did they read the digits to you, and were all eight groups the same as above?",
    "Have you seen its registration?",
    "Have you seen its safeguarding policy?",
    "Have you seen how a person complains, to the organisation and to somebody outside it?",
    "Have two organisations that you know given you their word for it?",
)


@dataclass(frozen=True, slots=True)
class Coordinator:
    """A coordinator at work: the network as this computer has verified it, and the key."""

    network: Network
    secret: Secret

    @property
    def id(self) -> OrgId:
        """The id that the root file lists."""
        return self.secret.org

    @property
    def key(self) -> SigningKey:
        """What signs."""
        return self.secret.key

    @property
    def register(self) -> Register:
        """The log as this computer has verified it."""
        return self.network.log.register


@dataclass(frozen=True, slots=True)
class Applicant:
    """Who asks to be admitted, or was: `of` is the hash of its first statement."""

    org: OrgId
    country: str
    kind: str
    root: bytes
    of: str


@dataclass(frozen=True, slots=True)
class ListingPlan:
    """What entering some entries would do, organisation by organisation.

    `waiting` are listed so by another coordinator: they want confirming, not entering again.
    """

    new: tuple[Entry, ...] = ()
    changed: tuple[Entry, ...] = ()
    same: tuple[OrgId, ...] = ()
    waiting: tuple[OrgId, ...] = ()
    themselves: tuple[OrgId, ...] = ()  # have keys, and list themselves

    @property
    def to_enter(self) -> tuple[Entry, ...]:
        """What needs a statement."""
        return self.new + self.changed


@dataclass(slots=True)
class Entered:
    """How far entering came; `seen` counts what the verified log shows afterwards."""

    posted: int = 0
    seen: int = 0
    orgs: list[OrgId] = field(default_factory=list)


def new_coordinator(country: str, net: str) -> Secret:
    """A new key and id. Raises `DeskError("unknown_country")`."""
    if len(country) != 2 or not (country.isascii() and country.isalpha() and country.islower()):
        raise DeskError("unknown_country")
    return Secret(Kind.COORDINATOR, net, new_org_id(country), SigningKey.generate())


def render_public(secret: Secret) -> bytes:
    """What goes into the root file: id, country, public key. Nothing secret."""
    public = {
        "id": secret.org,
        "country": country_of(secret.org),
        "key": b64encode(secret.key.public),
    }
    return dump_json(public) + b"\n"


def check_listed(coordinator: Coordinator) -> None:
    """Refuse, before anything is asked, where the root file in force does not name this key."""
    found = coordinator.register.root.coordinator(coordinator.id)
    if found is None or found.key != coordinator.key.public:
        raise Failure(
            f"The root file in force does not list {coordinator.id} with this key as a"
            " coordinator, so nothing it signs would count. Nothing was done. Hand the public file"
            " to whoever prepares the next root file."
        )


def read_applicant(path: Path) -> Applicant:
    """Who asks, out of an admission file. Raises `DeskError`, `Failure`."""
    first = next(iter(read_admission(path)), None)
    try:
        content = None if first is None else read_content(first)
    except ContractError:
        content = None
    if first is None or not isinstance(content, OrgContent) or content.heading.seq != 1:
        raise Failure(f"{path} does not begin with an organisation. Nothing was signed.")
    org = content.heading.org
    return Applicant(org, content.country, content.kind, content.root, first.hash)


def known_applicant(register: Register, org: OrgId) -> Applicant:
    """An organisation that is in the log, to be vouched for again after twelve months."""
    known = _known(register, org)
    return Applicant(org, known.country, known.kind, known.root, known.first)


def vouch(coordinator: Coordinator, applicant: Applicant, *, now: int) -> None:
    """Give our word for this beginning of this organisation."""

    def make(register: Register) -> Statement:
        known = register.organisation(applicant.org)
        if known is not None and known.first != applicant.of:
            raise Failure(
                f"{applicant.org} is in the log already, and began with another statement than"
                " this file's. Nothing was signed. Phone the other coordinators: somebody may be"
                " putting another organisation in its place."
            )
        heading = register.next_heading(coordinator.id, iat=now, org=applicant.org)
        return vouch_statement(heading, coordinator.key, of=applicant.of)

    publish(coordinator.network, make)


def read_entries(path: Path) -> tuple[Entry, ...]:
    """The entries of a file that an import wrote. Raises `Failure`."""
    try:
        with path.open("rb") as file:
            return parse_entries(file.read(MAX_ENTRIES + 1))
    except OSError:
        raise Failure(f"{path} cannot be read. Nothing was entered.") from None
    except ContractError as error:
        where = f", in {error.field}" if error.field else ""
        raise Failure(
            f"{path} is not a file of entries ({error.code.replace('_', ' ')}{where}). Nothing was"
            " entered. `rujukan-directory import --out` writes one."
        ) from None


def plan_listings(entries: Sequence[Entry], register: Register, us: OrgId) -> ListingPlan:
    """What is to be said of these, as the log stands. Pure."""
    kinds = [(_kind(entry, register, us), entry) for entry in entries]

    def of(kind: str) -> tuple[Entry, ...]:
        return tuple(entry for found, entry in kinds if found == kind)

    return ListingPlan(
        new=of("new"),
        changed=of("changed"),
        same=tuple(entry.org for entry in of("same")),
        waiting=tuple(entry.org for entry in of("waiting")),
        themselves=tuple(entry.org for entry in of("themselves")),
    )


def _kind(entry: Entry, register: Register, us: OrgId) -> str:
    listed = register.listing(entry.org)
    if register.organisation(entry.org) is not None:
        return "themselves"
    if listed is None:
        return "new"
    if listed.entry != entry_hash(render_entry(entry)):
        return "changed"
    return "waiting" if listed.unconfirmed and listed.by != us else "same"


def enter_listings(
    coordinator: Coordinator,
    door: EntryDoor,
    entries: Sequence[Entry],
    *,
    clock: Callable[[], int],
    progress: Callable[[int, int], None],
) -> Entered:
    """Post each entry's bytes and the statement that lists it, one after the other.

    May be cut off anywhere: what is in the log then is planned no more the next time. Raises
    `Failure` saying how far it came.
    """
    done = Entered()
    heading: Heading | None = None
    for entry in entries:
        try:
            heading = _enter(coordinator, door, entry, heading, now=clock())
        except (Unreachable, DeskError, Failure) as stopped:
            raise _stopped(stopped, done.posted, len(entries)) from None
        done.posted += 1
        done.orgs.append(entry.org)
        progress(done.posted, len(entries))
    coordinator.network.log.sync()
    done.seen = sum(_listed_as(coordinator.register, entry) for entry in entries)
    return done


def confirm(coordinator: Coordinator, listed: Listed, *, now: int) -> None:
    """Say that an entry which was looked at is true: the second coordinator's word."""

    def make(register: Register) -> Statement:
        check_same(register, listed)
        heading = register.next_heading(coordinator.id, iat=now, org=listed.org)
        return confirm_statement(heading, coordinator.key, entry=listed.entry)

    publish_listing(coordinator.network, make)


def freeze(
    coordinator: Coordinator, org: OrgId, device: KeyId | None, *, since: int, now: int
) -> None:
    """Stop an organisation, or one device of it for good."""

    def make(register: Register) -> Statement:
        _known(register, org)
        heading = register.next_heading(coordinator.id, iat=now, org=org)
        return freeze_statement(heading, coordinator.key, suspected_since=since, device=device)

    publish(coordinator.network, make)


def find_device(register: Register, org: OrgId, beginning: str) -> KeyId:
    """The one device of an organisation whose key id begins so. Raises `DeskError`, `Failure`."""
    found = [
        one.key_id for one in _known(register, org).devices if one.key_id.startswith(beginning)
    ]
    if len(found) != 1:
        raise Failure(
            f"{org} has {'several devices' if found else 'no device'} whose id begins so. Nothing"
            " was signed."
        )
    return found[0]


def draft_route(
    coordinator: Coordinator,
    pair: tuple[str, str],
    state: RouteState,
    contracts: Sequence[str],
    *,
    now: int,
) -> Statement:
    """How far two countries have come, with our signature; the other country adds one."""
    heading = coordinator.register.next_heading(coordinator.id, iat=now)
    return route_statement(heading, coordinator.key, pair=pair, mou=state, contracts=contracts)


def draft_root(coordinator: Coordinator, path: Path, *, now: int) -> Statement:
    """The next root file, out of a file like the one in force, with our signature."""
    try:
        with path.open("rb") as file:
            body = parse_statement(file.read(MAX_CARRIED + 1)).body
    except (OSError, ContractError):
        raise Failure(f"{path} is not a root file. Nothing was signed.") from None
    heading = coordinator.register.next_heading(coordinator.id, iat=now)
    return root_statement(heading, coordinator.key, file=body)


def _enter(
    coordinator: Coordinator,
    door: EntryDoor,
    entry: Entry,
    before: Heading | None,
    *,
    now: int,
) -> Heading:
    """List one entry; the heading of our next statement."""
    data = render_entry(entry)
    keep(door, data)
    for attempt in range(1, TRIES + 1):
        if before is None:
            coordinator.network.log.sync()
            before = coordinator.register.next_heading(coordinator.id, iat=now)
        heading = replace(before, org=entry.org, iat=now)
        statement = listing_statement(heading, coordinator.key, entry=entry_hash(data))
        try:
            coordinator.network.directory.publish(statement)
        except HubRefused as refused:
            again = {"entry_missing"} | TAKEN
            if refused.code not in again or attempt == TRIES:
                raise refusal(refused) from None
            keep(door, data)
            before = None
            continue
        return heading.following(statement, iat=now)
    raise AssertionError("the last attempt returns or raises")


def _stopped(cause: Exception, posted: int, total: int) -> Failure:
    rest = f"{posted} of {total} are entered. Run the same command again: it goes on from there."
    if isinstance(cause, Unreachable):
        wait = cause.retry_after or 0
        when = f" It asks for patience: {-(-wait // 60)} minutes." if wait > 60 else ""
        return Failure(f"The directory cannot be reached or takes no more now.{when} {rest}")
    return Failure(f"{cause} {rest}")


def _listed_as(register: Register, entry: Entry) -> bool:
    listed = register.listing(entry.org)
    return listed is not None and listed.entry == entry_hash(render_entry(entry))


def _known(register: Register, org: OrgId) -> Organisation:
    found = register.organisation(org)
    if found is None:
        raise DeskError("unknown_organisation", org=org)
    return found
