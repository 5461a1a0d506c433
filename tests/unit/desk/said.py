"""Bodies to say in a test, from the fictional examples; and a desk that breaks the rules.

say(desk, case, "referral.status", body("referral.status", status="started"))
speak(desk, "referral.accepted")                            # the same in the only case
forge(desk, case, "lead.taken", body("lead.taken"))         # signed, and illegal there
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from broker.desk.cases import heads, refold
from broker.desk.permissions import permission_of
from broker.desk.records import Case, Entry
from broker.desk.saying import say
from broker.desk.sending import keep_in_case, new_id, read_typed, send_referral
from broker.desk.unlocking import Desk
from contracts.bodies import Consent, ConsentUpdated
from contracts.codes import PLACES
from contracts.encoding import JsonObject, JsonValue
from contracts.envelope import MAX_LIFETIME
from contracts.examples import example_body
from contracts.identifiers import EventId
from contracts.messages import new_message, render_body
from contracts.times import utc_text
from tests.unit.desk.simulated import SimulatedHub, World, only_case


def body(message_type: str, **changes: JsonValue) -> JsonObject:
    """The example of a type; an identity without a contact, as it may go after a warning too."""
    found = example_body(message_type)
    if message_type == "identity.released":
        found.pop("contact", None)
    return found | changes


def identity_with_contact() -> JsonObject:
    """Whom to write to directly: only for a person who has opted in to it."""
    channels: list[JsonValue] = [{"kind": "messenger", "value": "+000 0000 0000"}]
    return body("identity.released", contact={"mode": "direct", "channels": channels})


def renewed(desk: Desk, case: Case, **changes: object) -> JsonObject:
    """The consent of a case in its next version."""
    with desk.store.reading() as rows:
        permission = permission_of(rows, case)
    assert isinstance(permission, Consent)
    changed = replace(permission, version=permission.version + 1, **changes)  # type: ignore[arg-type]  # by name
    return dict(render_body(ConsentUpdated(consent=changed)))  # type: ignore[arg-type]  # JSON


def forge(
    desk: Desk,
    case: Case,
    message_type: str,
    what: JsonObject,
    *,
    after: Iterable[EventId] | None = None,
    event: EventId | None = None,
) -> EventId:
    """Sign and keep an event that this desk's own rules would not let out."""
    now = desk.clock()
    desk.log.sync()
    with desk.store.writing() as rows:
        known = heads(case, rows.entries(case.row))
        message = new_message(
            read_typed(message_type, what),
            event_id=event or EventId(new_id()),
            referral_ref=case.ref,
            at=utc_text(now),
            after=known if after is None else tuple(after),
        )
        keep_in_case(rows, desk, rows.case(case.row), message, exp=now + MAX_LIFETIME, now=now)
        refold(rows, rows.case(case.row), now=now)
    return message.id


def referred(world: World, ours: Desk, theirs: Desk, **changes: JsonValue) -> None:
    """One referral from us to them, stored there and known here to be."""
    send_referral(ours, to=theirs.org, body=world.request(theirs) | changes)
    world.settle(ours, theirs)


def speak(desk: Desk, message_type: str, **changes: JsonValue) -> None:
    """Say it in the only case; it leaves when the desk delivers."""
    say(desk, only_case(desk), message_type, body(message_type, **changes))


def tell(world: World, desk: Desk, other: Desk, message_type: str, **changes: JsonValue) -> None:
    """Say it in the only case, and let it arrive."""
    speak(desk, message_type, **changes)
    world.settle(desk, other)


@contextmanager
def away(hub: SimulatedHub) -> Iterator[None]:
    """The hub out of reach for the length of the block."""
    hub.reachable = False
    yield
    hub.reachable = True


def accepted(world: World, ours: Desk, theirs: Desk, **changes: JsonValue) -> None:
    """One referral that they have accepted."""
    referred(world, ours, theirs, **changes)
    tell(world, theirs, ours, "referral.accepted")


def of_type(entries: Iterable[Entry], message_type: str) -> list[Entry]:
    """The entries of one type."""
    return [entry for entry in entries if entry.type == message_type]


def every_place(said: JsonObject) -> list[JsonValue]:
    """What is said of one place, and that the others never had anything."""
    others: list[JsonValue] = [
        {"place": place, "result": "never_there"} for place in PLACES if place != said["place"]
    ]
    return [said, *others]
