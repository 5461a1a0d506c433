"""The vectors for plaintext messages and receipts: each type, each rule that it has.

They are made from the published schemas and examples, as JSON files, by changing one place of a
good message and looking what that breaks. Deterministic: the same schemas give the same bytes.
A vector names the place of its fault (`field`) and the keyword that finds it (`rule`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from contracts.vectors.changes import (
    RECEIPTS,
    SCHEMAS,
    additions,
    edits,
    grown,
    removals,
    rules,
    without,
)
from contracts.vectors.draft import CONTRACT, compact, seed
from contracts.vectors.rules import Fault, Schema
from contracts.vectors.vector import Fact, Vector

VERSION: Final = "1.0"

_COMMENTS: Final = {
    "additionalProperties": "A member that nobody declared.",
    "anyOf": "None of the alternatives.",
    "const": "Another value than the only one.",
    "contains": "None of the items that must be there.",
    "dependentRequired": "A member without the one it needs beside it.",
    "enum": "A word that is in no list.",
    "false": "A member that may not stand beside what is there.",
    "maxItems": "One item too many.",
    "maxLength": "One character too many.",
    "maximum": "One too much.",
    "minItems": "Too few items.",
    "minLength": "Too short.",
    "minimum": "Too little.",
    "not": "A control character.",
    "oneOf": "Not exactly one of the alternatives.",
    "pattern": "Another form than the agreed one.",
    "required": "A member is missing.",
    "type": "Another kind of value.",
    "uniqueItems": "An item twice.",
    "then": "What must hold in this case does not.",
    "else": "What must hold in every other case does not.",
}


def vectors() -> list[Vector]:
    """All of this file."""
    made = [vector for name in message_types() for vector in _of_type(name)]
    return [*made, *_of_receipts(), *_versions(), *_strict_form()]


def message_types() -> list[str]:
    """Every message type, by name."""
    found = (SCHEMAS / CONTRACT).glob("*.json")
    return sorted(path.stem for path in found if path.stem != "terms")


def schema_id(contract: str, name: str) -> str:
    """The `$id` of a schema."""
    return f"urn:rujukan:{contract.replace('/', ':')}:{name}"


def keywords_of(identifier: str) -> frozenset[str]:
    """Every keyword that a message of this schema can break, references followed."""
    found: set[str] = set()
    seen: set[int] = set()

    def walk(schema: Any, home: str) -> None:
        if schema is False:
            found.add("false")
        if not isinstance(schema, dict) or id(schema) in seen:
            return
        seen.add(id(schema))
        found.update(schema.keys() & _COMMENTS.keys())
        target, there = rules().resolved(schema, home)
        walk(target, there)
        for part in _parts(schema):
            walk(part, home)

    walk(rules().documents[identifier], identifier)
    return frozenset(found - {"const"} if _only_const(identifier) else found)


def example(name: str) -> dict[str, Any]:
    """A message of this type that holds the published example."""
    text = (SCHEMAS / "examples" / f"{name}.json").read_text(encoding="utf-8")
    message: dict[str, Any] = {"type": name, "v": VERSION, "id": _id("event")}
    if "referral_ref" in rules().documents[schema_id(CONTRACT, name)]["required"]:
        message |= {"referral_ref": _id("referral"), "after": [_id("cause")]}
    return message | {"at": "2026-11-24T23:59:00Z", "body": json.loads(text)}


def _id(name: str) -> str:
    return seed(name).hex()[:32]


def _parts(schema: Schema) -> Iterator[Any]:
    for keyword in ("properties", "dependentSchemas"):
        yield from schema.get(keyword, {}).values()
    for keyword in ("items", "then", "else"):
        yield schema.get(keyword)
    yield from schema.get("allOf", ())


def _only_const(identifier: str) -> bool:
    """Whether `const` stands at type and version alone, where another value is another version."""
    texts = [json.dumps(part) for part in _bodies(identifier)]
    return not any('"const"' in text for text in texts)


def _bodies(identifier: str) -> Iterator[Any]:
    """The parts of a schema whose constants are more than its name and version."""
    properties = dict(rules().documents[identifier]["properties"])
    for name in ("type", "v"):
        properties.pop(name, None)
    pending, seen = [(part, identifier) for part in properties.values()], set[int]()
    while pending:
        schema, home = rules().resolved(*pending.pop())
        if isinstance(schema, dict) and id(schema) not in seen:
            seen.add(id(schema))
            yield {"const": schema["const"]} if "const" in schema else {}
            pending.extend((part, home) for part in _parts(schema))


# What no example shows, because nobody should copy it unless the person has opted in to it.
_ALSO: Final[Mapping[str, Sequence[dict[str, Any]]]] = {
    "identity.released": (
        {
            "contact": {
                "mode": "direct",
                "channels": [{"kind": "messenger", "value": "+000 0000 0000"}],
                "windows": [
                    {"zone": "Asia/Kuala_Lumpur", "days": ["mon"], "from": "10:00", "to": "12:00"}
                ],
            }
        },
    ),
}


def _of_type(name: str) -> list[Vector]:
    identifier = schema_id(CONTRACT, name)
    good = example(name)
    bases = _bases(identifier, good)
    also = [good | {"body": good["body"] | more} for more in _ALSO.get(name, ())]
    later = good | {"v": "2.0"}
    return [
        *_accepted("message", CONTRACT, name, bases),
        *(_vector("message", CONTRACT, f"{name}-also", "ok", one) for one in also),
        _vector("message", CONTRACT, f"{name}-v", "version-unsupported", later, "v"),
        _about_the_case(name, good),
        *_refused("message", CONTRACT, name, identifier, (*bases, *also)),
    ]


def _about_the_case(name: str, good: dict[str, Any]) -> Vector:
    """A message about a case names it, and another one must not: else it would lead to one."""
    if "referral_ref" in good:
        bad = without(good, "referral_ref")
    else:
        bad = good | {"referral_ref": _id("referral")}
    (fault,) = rules().look(schema_id(CONTRACT, name), bad).faults
    suffix = "no-case" if "referral_ref" in good else "case"
    return _vector("message", CONTRACT, f"{name}-{suffix}", "schema", bad, _field(fault))


def _of_receipts() -> list[Vector]:
    identifier = schema_id(RECEIPTS, "receipt")
    text = (SCHEMAS / "examples" / "receipt.json").read_text(encoding="utf-8")
    good: dict[str, Any] = json.loads(text)
    bases = _bases(identifier, good)
    made = _accepted("receipt", RECEIPTS, "receipt", bases)
    codes = rules().documents[identifier]["properties"]["code"]["enum"]
    rejected = good | {"status": "rejected"}
    made += (
        _vector("receipt", RECEIPTS, f"rejected-{code}", "ok", rejected | {"code": code})
        for code in codes
    )
    return [*made, *_refused("receipt", RECEIPTS, "receipt", identifier, bases)]


def _versions() -> list[Vector]:
    good = example("referral.acknowledged")

    def other(name: str, comment: str, **changes: object) -> Vector:
        return _vector(
            "message", CONTRACT, name, "version-unsupported", good | changes, "v", comment=comment
        )

    return [
        other("newer-minor", "Objects are closed: a newer minor is not guessed at.", v="1.1"),
        other("draft", "What came before the first version.", v="0.1"),
        other("unknown-type", "A type of some later version.", type="referral.teleported"),
    ]


def _strict_form() -> list[Vector]:
    """Faults that no schema sees: the strict form of JSON, the calendar, control characters."""
    good = example("referral.acknowledged")
    text = compact(good)
    month = good | {"at": "2026-02-30T08:00:00Z"}
    body = good | {"body": good["body"] | {"decide_by": "2026-04-31T08:00:00Z"}}
    line_feed = good | {"id": good["id"] + "\n"}

    def bad(name: str, comment: str, data: bytes, field: str | None = None) -> Vector:
        facts: list[Fact] = [("contract", CONTRACT)]
        if field is not None:
            facts.append(("field", field))
        return Vector(f"form-{name}", "message", "schema", comment, tuple(facts), data)

    return [
        bad("empty", "Nothing at all.", b""),
        bad("array", "Not an object.", b"[" + text + b"]"),
        bad("not-json", "Cut off.", text[:-1]),
        bad("byte-order-mark", "Three bytes before the text.", b"\xef\xbb\xbf" + text),
        bad("bad-utf-8", "A byte that begins nothing.", text.replace(b'"v"', b'"v\xff"')),
        bad("duplicate-name", "type twice.", text[:-1] + b',"type":"referral.acknowledged"}'),
        bad("float", "A number with a point.", text[:-1] + b',"x":1.0}'),
        bad("negative", "A number below zero.", text[:-1] + b',"x":-1}'),
        bad("too-deep", "Seventeen levels.", text[:-1] + b',"x":' + b"[" * 16 + b"]" * 16 + b"}"),
        bad("lone-surrogate", "Half a character.", text[:-1] + b',"x":"\\ud800"}'),
        bad("too-large", "A byte over 256 KiB.", text.ljust(256 * 1024 + 1)),
        bad("no-type", "What kind of message?", compact(without(good, "type"))),
        bad("no-version", "Of which version?", compact(without(good, "v"))),
        bad("version-a-number", "Not a text.", compact(good | {"v": 1})),
        bad("no-such-day", "30 February.", compact(month)),
        bad("no-such-day-inside", "31 April.", compact(body)),
        bad("line-feed-at-the-end", "What a lax $ lets through.", compact(line_feed), "/id"),
    ]


def _accepted(check: str, contract: str, name: str, bases: Bases) -> list[Vector]:
    """The example; with nothing but what must be there; with everything that may be there."""
    return [
        _vector(check, contract, name + suffix, "ok", value, comment=comment)
        for suffix, comment, value in zip(_SUFFIXES, _OK_COMMENTS, bases, strict=True)
        if not suffix or value != bases[0]
    ]


Bases = tuple[dict[str, Any], dict[str, Any], dict[str, Any]]
_SUFFIXES: Final = ("", "-full", "-least")
_OK_COMMENTS: Final = (
    "The published example.", "All that may be there.", "No more than must be there.",
)  # fmt: skip


def _bases(identifier: str, good: dict[str, Any]) -> Bases:
    if faults := rules().look(identifier, good).faults:
        raise ValueError(f"{identifier}: the example is not valid: {faults}")
    return good, grown(identifier, good, additions), grown(identifier, good, removals)


def _vector(
    check: str, contract: str, name: str, expect: str, value: object,
    field: str | None = None, rule: str = "", comment: str = "",
) -> Vector:  # fmt: skip
    facts: list[Fact] = [("contract", contract)]
    if field is not None:
        facts.append(("field", field))
    if rule:
        facts.append(("rule", rule))
    said = comment or _COMMENTS.get(rule) or _BY_OUTCOME[expect]
    return Vector(name, check, expect, said, tuple(facts), compact(value))


_BY_OUTCOME: Final = {
    "ok": "Well formed.",
    "schema": "About a case, or not about one.",
    "version-unsupported": "A version to come.",
}


def _refused(
    check: str, contract: str, name: str, identifier: str, bases: Sequence[dict[str, Any]]
) -> list[Vector]:
    """For each rule of this schema one message that breaks it, at one place."""
    wanted = keywords_of(identifier)
    found: dict[str, Bad] = {}
    less = (fewer for _name, fewer in removals(rules().look(identifier, bases[0]), bases[0]))
    for base in (*bases, *less):
        if not rules().look(identifier, base).faults:
            _break(identifier, base, wanted, found)
        if found.keys() == wanted:
            return [
                _vector(check, contract, f"{name}-{keyword}", "schema", bad, field, keyword)
                for keyword, (bad, field, _alone) in sorted(found.items())
            ]
    raise ValueError(f"{identifier}: nothing breaks {sorted(wanted - found.keys())}")


Bad = tuple[dict[str, Any], str, bool]  # the message, its fault's place, whether one rule sees it


def _break(
    identifier: str, base: dict[str, Any], wanted: frozenset[str], found: dict[str, Bad]
) -> None:
    """Find messages for the rules not found yet; one that a rule alone sees is preferred."""
    for bad, here in edits(identifier, base):
        if not _hopeful(here, wanted, found):
            continue
        faults = rules().look(identifier, bad).faults
        alone = len(faults) == 1
        for keyword in _broken(faults) & wanted:
            if keyword not in found or (alone and not found[keyword][2]):
                found[keyword] = bad, _field(faults[0]), alone
        if all(keyword in found and found[keyword][2] for keyword in wanted):
            return


def _hopeful(here: list[Fault], wanted: frozenset[str], found: dict[str, Bad]) -> bool:
    """Whether a change can bring anything new, by what the changed part itself says to it.

    Only then is the whole message looked at: that takes most of the time.
    """
    if not here:  # what stands around it may have a condition
        return found.keys() != wanted
    keywords = {keyword for fault in here for keyword in fault.trail} & wanted
    alone = len(here) == 1
    return any(one not in found or (alone and not found[one][2]) for one in keywords)


def _broken(faults: list[Fault]) -> set[str]:
    """The rules that a message breaks, if all its faults are at one place."""
    # At type and version it is another version, not a fault of form.
    if len({fault.place for fault in faults}) != 1 or faults[0].place in (("type",), ("v",)):
        return set()
    return {keyword for fault in faults for keyword in fault.trail}


def _field(fault: Fault) -> str:
    return "".join(f"/{part}" for part in fault.place)
