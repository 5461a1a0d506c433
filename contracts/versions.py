"""Which versions of what was agreed can talk to each other.

A published schema file never changes. A minor version may add: optional members, message types,
codes. It never removes, narrows or changes the meaning of what stands; `breaks` names every place
where one schema does that to another. Objects are closed, so a receiver upgrades first: its
devices say which minors they read, and `version_for` takes the highest that all of them do.

Pure but for `published_now` and `published_before`, which read the package's own files.

    breaks(published, new)  →  (Break("/$defs/body/required", "required"),)
    version_for([["case-referral/1.0"], ["case-referral/1.1", "case-referral/1.0"]], ours=OURS)
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from contracts.encoding import JsonObject
from contracts.errors import Refused

__all__ = [
    "Break",
    "breaks",
    "breaks_in_any",
    "highest_common",
    "published_before",
    "published_now",
    "version_for",
]

SCHEMAS: Final = Path(__file__).parent / "schemas"
PUBLISHED: Final = Path(__file__).parent / "published.json"  # not among the schemas: it is none

_MINOR: Final = re.compile(r"([a-z][a-z0-9-]{0,39})/([0-9]{1,3})\.([0-9]{1,3})")
_MAJOR_FOLDER: Final = re.compile(r"[1-9][0-9]*")  # 0 is a draft and may change


@dataclass(frozen=True, slots=True, order=True)
class Break:
    """A place in a schema (JSON Pointer, RFC 6901) and the keyword that got stricter or other."""

    path: str
    rule: str


def highest_common(
    reads: Collection[Collection[str]], ours: Collection[str], *, family: str = "case-referral"
) -> str | None:
    """The highest minor of `family` that every device reads and we write; None if there is none.

    `reads` has, for each device of the recipient, the minors of its `keys` statement, such as
    "case-referral/1.0". Whatever is no such name counts for nothing.
    """
    common = set(ours)
    for device in reads:
        common &= set(device)
    if not reads:
        return None
    ranked = [(rank, name) for name in common if (rank := _rank(name, family)) is not None]
    return max(ranked)[1] if ranked else None


def version_for(
    reads: Collection[Collection[str]], ours: Collection[str], *, family: str = "case-referral"
) -> str:
    """`highest_common`, or `Refused("version_unsupported", "reads")`: the recipient is too old."""
    found = highest_common(reads, ours, family=family)
    if found is None:
        raise Refused("version_unsupported", "reads")
    return found


def _rank(name: str, family: str) -> tuple[int, int] | None:
    found = _MINOR.fullmatch(name)
    if found is None or found[1] != family:
        return None
    # "1.01" would be a second spelling of 1.1, and two devices could mean different things.
    if any(number != str(int(number)) for number in (found[2], found[3])):
        return None
    return int(found[2]), int(found[3])


def published_now() -> dict[str, str]:
    """The SHA-256 of every file of a published major, by its path below `schemas/`."""
    found = sorted(SCHEMAS.glob("*/*/*.json"))
    return {
        path.relative_to(SCHEMAS).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in found
        if _MAJOR_FOLDER.fullmatch(path.parent.name)
    }


def published_before() -> dict[str, str]:
    """The hashes as committed by `python -m contracts published > contracts/published.json`.

    Once a major is out, only lines for new files may be added to that file.
    """
    hashes: dict[str, str] = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    return hashes


def breaks_in_any(
    published: Mapping[str, JsonObject], new: Mapping[str, JsonObject]
) -> tuple[Break, ...]:
    """Every break between two sets of schemas by name; a path begins with the schema's name."""
    gone = [Break(name, "removed") for name in published.keys() - new.keys()]
    changed = [
        Break(f"{name}#{found.path}", found.rule)
        for name in published.keys() & new.keys()
        for found in breaks(published[name], new[name])
    ]
    return tuple(sorted(gone + changed))


def breaks(published: JsonObject, new: JsonObject) -> tuple[Break, ...]:
    """Where `new` refuses, or reads otherwise, what `published` takes; empty if nowhere.

    Two schemas of one name are compared keyword by keyword. Errs on the side of telling: a change
    that no rule here knows to be harmless is a break, and so is any within a condition. References
    are not followed: their targets are compared where they stand.
    """
    return tuple(sorted(set(_schema_breaks(published, new, ""))))


def _schema_breaks(old: Any, new: Any, path: str) -> Iterator[Break]:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        if old != new:  # `true` and `false` are schemas too
            yield Break(path, "schema")
        return
    if "const" in old and "const" not in new and old["const"] in new.get("enum", ()):
        new = {key: value for key, value in new.items() if key != "enum"} | {"const": old["const"]}
    for keyword in sorted((old.keys() | new.keys()) - _ANNOTATIONS):
        place = f"{path}/{_escaped(keyword)}"
        before, after = old.get(keyword), new.get(keyword)
        if keyword == "properties" and not _closed(old):
            yield from (_break(place) for _name in (after or {}).keys() - (before or {}).keys())
        yield from _RULES.get(keyword, _same)(before, after, place)


def _closed(schema: Mapping[str, Any]) -> bool:
    """Whether a member that is not declared here was refused, so that declaring it only widens."""
    return False in (schema.get("additionalProperties"), schema.get("unevaluatedProperties"))


def _same(old: Any, new: Any, path: str) -> Iterator[Break]:
    """Whatever changes here may change the meaning; so do a part's conditions and branches."""
    if json.dumps(old, sort_keys=True) != json.dumps(new, sort_keys=True):
        yield _break(path)


def _same_set(old: Any, new: Any, path: str) -> Iterator[Break]:
    """Like `_same` for a list whose order says nothing."""
    if _as_set(old) != _as_set(new):
        yield _break(path)


def _as_set(value: Any) -> Any:
    return frozenset(value) if isinstance(value, list) else value


def _members(old: Any, new: Any, path: str) -> Iterator[Break]:
    """Members may be added, and each that stands may only be widened."""
    old, new = old or {}, new or {}
    for name in sorted(old.keys() - new.keys()):
        yield Break(f"{path}/{_escaped(name)}", "removed")
    for name in sorted(old.keys() & new.keys()):
        yield from _schema_breaks(old[name], new[name], f"{path}/{_escaped(name)}")


def _items(old: Any, new: Any, path: str) -> Iterator[Break]:
    if old is None or new is None:
        yield from _same(old, new, path)
    else:
        yield from _schema_breaks(old, new, path)


def _codes(old: Any, new: Any, path: str) -> Iterator[Break]:
    """Codes may be added: a reader of the older minor is never sent them."""
    if old is None or new is None or any(code not in new for code in old):
        yield _break(path)


def _at_most(old: Any, new: Any, path: str) -> Iterator[Break]:
    if new is not None and (old is None or new < old):
        yield _break(path)


def _at_least(old: Any, new: Any, path: str) -> Iterator[Break]:
    if new is not None and (old is None or new > old):
        yield _break(path)


def _parts(old: Any, new: Any, path: str) -> Iterator[Break]:
    """All parts of `allOf` hold, so each may be widened, and none be added."""
    if len(old or ()) != len(new or ()):
        yield _break(path)
        return
    for number, (before, after) in enumerate(zip(old or (), new or (), strict=True)):
        yield from _schema_breaks(before, after, f"{path}/{number}")


def _break(path: str) -> Break:
    return Break(path, path.rpartition("/")[2])


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


# What no reader acts on. A default is not among them: absent means the default.
_ANNOTATIONS: Final = frozenset({"title", "description", "$comment", "examples"})
Rule = Callable[[Any, Any, str], Iterator[Break]]
_RULES: Final[Mapping[str, Rule]] = {
    "properties": _members,
    "$defs": _members,
    "items": _items,
    "enum": _codes,
    "maxItems": _at_most,
    "maxLength": _at_most,
    "maximum": _at_most,
    "maxProperties": _at_most,
    "minItems": _at_least,
    "minLength": _at_least,
    "minimum": _at_least,
    "minProperties": _at_least,
    "allOf": _parts,
    "required": _same_set,
    "type": _same_set,
}
