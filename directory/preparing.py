"""What an import would enter: entries for somebody to sign, and how they differ from the log's.

Pure. An organisation that has keys lists itself, so its rows are refused here and not only when a
coordinator has signed them.

    prepared = prepare(listings, register=register, shown=lambda name: bytes_or_none)
    render_entries(prepared.entries)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from contracts.entries import Entry, EntryService, entry_hash, parse_entry, render_entry
from contracts.identifiers import OrgId
from contracts.register import Register
from directory.entries import entries_of
from directory.imports import ImportRefused, Listing, Problem


@dataclass(frozen=True, slots=True)
class Counts:
    """How many an import would add, change, take out and leave as they are."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.added + other.added,
            self.changed + other.changed,
            self.removed + other.removed,
            self.unchanged + other.unchanged,
        )


@dataclass(frozen=True, slots=True)
class Prepared:
    """One unsigned entry for each organisation of a file, and what signing them would change."""

    entries: tuple[Entry, ...]
    organisations: Counts
    services: Counts


def prepare(
    listings: Sequence[Listing], *, register: Register, shown: Callable[[str], bytes | None]
) -> Prepared:
    """Entries for these rows. `shown` gives the bytes of a listed entry by its hash.

    Raises `ImportRefused` where rows are of an organisation that has keys of its own.
    """
    problems = list(_speak_for_themselves(listings, register))
    if problems:
        raise ImportRefused(problems)
    entries = entries_of(listings)
    organisations, services = Counts(), Counts()
    for entry in entries:
        listed = register.listing(entry.org)
        same = listed is not None and listed.entry == entry_hash(render_entry(entry))
        organisations += Counts(
            added=listed is None, changed=listed is not None and not same, unchanged=same
        )
        data = shown(listed.entry) if listed is not None else None
        services += _compared(parse_entry(data).services if data else (), entry.services)
    return Prepared(entries, organisations, services)


def _speak_for_themselves(listings: Sequence[Listing], register: Register) -> Iterator[Problem]:
    own = {one.id for one in register.organisations}
    for listing in listings:
        if OrgId(listing.values["org_id"]) in own:
            rule = "an organisation that has keys and lists itself"
            remedy = "Take its rows out; ask it to publish its own entry."
            yield Problem(listing.row, "org_id", rule, remedy)


def _compared(before: Sequence[EntryService], after: Sequence[EntryService]) -> Counts:
    old, new = ({one.key: one for one in some} for some in (before, after))
    both = old.keys() & new.keys()
    unchanged = sum(old[key] == new[key] for key in both)
    return Counts(
        added=len(new.keys() - both),
        changed=len(both) - unchanged,
        removed=len(old.keys() - both),
        unchanged=unchanged,
    )
