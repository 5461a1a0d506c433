"""What reading a 10 KB message costs: strict JSON, schema, types, and folding a long case.

`python -m tests.benchmarks.messages` prints milliseconds and ratios and exits 1 over a limit. The
floor of reading is the standard library's JSON parser and the bare jsonschema-rs validator on the
same bytes, measured turn by turn with ours. The second opinion of the tests, the pure Python
`jsonschema`, is printed and not judged. Folding is judged by its length: a case of 200 events may
cost no more an event than its square allows, which is what the fold promises.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Final

import jsonschema
import jsonschema_rs
from referencing import Registry, Resource

from contracts.bodies import Note
from contracts.examples import example_request
from contracts.fold import Told, fold
from contracts.identifiers import EventId, OrgId, Ref
from contracts.lifecycle import Side
from contracts.messages import CONTRACT, new_message, parse_message, render_message
from contracts.schema import schema_document, schema_names, validate
from contracts.times import utc_text
from tests.benchmarks.measuring import NOT_JUDGED, Cost, compared, exit_code

NOW: Final = 1_795_300_000
SIZE: Final = 10 * 1024
ROUNDS: Final = 30
REPEATS: Final = 10
VALIDATING_LIMIT: Final = 2.0
READING_LIMIT: Final = 6.0  # strict JSON and frozen types, in Python
FOLD_LIMIT: Final = 1.5
LONG: Final = 200
SHORT: Final = 50


def main() -> int:
    """Measure and print; 0 if every ratio is within its limit."""
    costs = [*_reading(), _folding()]
    for cost in costs:
        judged = NOT_JUDGED if cost.limit is None else f"  (limit {cost.limit})"
        sys.stdout.write(f"{cost.line(30)}{judged}\n")
    return exit_code(costs)


def _reading() -> list[Cost]:
    data = _message()
    value = json.loads(data)
    name = f"{CONTRACT}/referral.requested"
    rust, python = _rust(name), _python(name)

    def floor() -> None:
        json.loads(data)
        rust.is_valid(value)

    return [
        _cost(
            "validate 10 KB",
            lambda: validate(name, value),
            lambda: rust.is_valid(value),
            VALIDATING_LIMIT,
        ),
        _cost("read 10 KB (json + schema)", lambda: parse_message(data), floor, READING_LIMIT),
        _cost("validator alone, jsonschema", lambda: python.is_valid(value), floor, None),
    ]


def _folding() -> Cost:
    """Milliseconds an event in a long and in a short case, the short one's grown by the square."""
    long, short = _events(LONG), _events(SHORT)
    growth = (LONG / SHORT) ** 2
    found = _cost(
        f"fold {LONG} events",
        lambda: fold(long[0], long[1:]),
        lambda: fold(short[0], short[1:]),
        FOLD_LIMIT,
    )
    return replace(found, floor=found.floor * growth)


def _events(count: int) -> Sequence[Told]:
    request = Told(_id(0), "referral.requested", Side.REFERRER, NOW, moment=NOW * 2)
    found = [request]
    for number in range(1, count):
        after = (found[-1].id,)
        kind = "referral.acknowledged" if number == 1 else "contact.safety_alert"
        found.append(Told(_id(number), kind, Side.RECEIVER, NOW + number, after))
    return found


def _id(number: int) -> EventId:
    return EventId(f"{number:032x}")


def _message() -> bytes:
    body = example_request(
        recipient=OrgId("bd-0123456789abcdef"),
        service_id="00000000-0000-4000-8000-000000000000",
        now=NOW,
    )
    text = "x" * 4000
    body = replace(body, note=Note(text, "eng"))
    event = new_message(
        body, event_id=_id(1), referral_ref=Ref("a" * 32), at=utc_text(NOW), after=()
    )
    short = len(render_message(event))
    # Characters of three bytes: a note has 4,000 characters, and the message its 10 KB.
    wide = max(0, (SIZE - short)) // 2
    note = Note("x" * (4000 - wide) + "语" * wide, "zho")
    return render_message(replace(event, body=replace(body, note=note)))


def _rust(name: str) -> jsonschema_rs.Draft202012Validator:
    registry = jsonschema_rs.Registry(
        [(str(schema_document(one)["$id"]), schema_document(one)) for one in schema_names()]
    )
    return jsonschema_rs.Draft202012Validator(schema_document(name), registry=registry)


@cache
def _python(name: str) -> Any:
    documents = [schema_document(one) for one in schema_names()]
    resources = [(str(one["$id"]), Resource.from_contents(one)) for one in documents]
    registry: Any = Registry().with_resources(resources)
    return jsonschema.Draft202012Validator(schema_document(name), registry=registry)


def _cost(
    name: str, ours: Callable[[], object], floor: Callable[[], object], limit: float | None
) -> Cost:
    return compared(name, ours, floor, limit=limit, rounds=ROUNDS, repeats=REPEATS)


if __name__ == "__main__":
    sys.exit(main())
