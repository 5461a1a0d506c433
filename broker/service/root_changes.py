"""What differs between two versions of a root file, in words, before anybody signs the second.

Pure; whoever writes a version and whoever signs it are told the same.

    root_changes(before, after)        # ("Coordinator added: my-…", …)
"""

from __future__ import annotations

from collections.abc import Iterable

from contracts.root import RootFile


def root_changes(before: RootFile, after: RootFile) -> tuple[str, ...]:
    """Each difference but the version's number; nothing where there is none."""
    asked = f"Witnesses that must have seen the log: {before.k} before, {after.k} after."
    return (
        *(() if before.k == after.k else (asked,)),
        *_difference("Coordinator", before.coordinators, after.coordinators),
        *_difference("Witness", before.witnesses, after.witnesses),
        *_difference("Hub", before.hubs, after.hubs),
        *(() if before.log == after.log else ("The log gets another key.",)),
        *(() if before.statistics == after.statistics else ("Who gets statistics changes.",)),
    )


def _difference(what: str, before: Iterable[object], after: Iterable[object]) -> tuple[str, ...]:
    old, new = ({_name(one): one for one in some} for some in (before, after))
    return (
        *(f"{what} added: {name}" for name in new if name not in old),
        *(f"{what} taken out: {name}" for name in old if name not in new),
        *(f"{what} changed: {name}" for name in old if name in new and old[name] != new[name]),
    )


def _name(one: object) -> str:
    """An id, or where there is none, an address."""
    return str(getattr(one, "id", None) or getattr(one, "url", ""))
