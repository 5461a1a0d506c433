"""The vectors for the course of a referral: what both sides said, and where the case then stands.

The outcome of each is written down by hand from the agreed table, not computed. Whoever folds
these events, in whichever order they arrive, must come to this state, this lead, and this place
of every event: applied, waiting for its cause, or void with a code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from contracts.vectors.draft import NOW, compact, seed
from contracts.vectors.messages import example
from contracts.vectors.vector import Vector, now_fact

REQUEST: Final = "request"
LONG_AFTER: Final = NOW + 60 * 86400  # the consent of the example has ended by then
# What a body says beside the example's; the word after the type in `Said.what` chooses.
_NEVER_THERE: Final = tuple(
    {"place": place, "result": "never_there"} for place in ("case_system", "paper", "backups")
)
_BODIES: Final[dict[str, dict[str, Any]]] = {
    "erased": {"places": [{"place": "desk", "result": "erased"}, *_NEVER_THERE]},
    "held": {
        "places": [
            {"place": "desk", "result": "held", "hold": {"ground": "court_order"}},
            *_NEVER_THERE,
        ]
    },
    "entered_in_error": {"reason": "entered_in_error"},
    "unsafe_to_continue": {"reason": "unsafe_to_continue"},
    "outcome": {"consent": example("consent.updated")["body"]["consent"] | {"feedback": "outcome"}},
}


@dataclass(frozen=True)
class Said:
    """One event: `name` stands for its id, `after` names others, `place` is what becomes of it."""

    by: str
    what: str  # a message type and, where it matters, a word of its body
    name: str
    after: Sequence[str]
    place: str = "applied"
    at: int = NOW


@dataclass
class Story:
    """A case told event by event."""

    said: list[Said] = field(default_factory=list)

    def then(self, by: str, what: str, place: str = "applied", **more: Any) -> Story:
        """Somebody who knew everything before says something."""
        name = f"{len(self.said)} {what}"
        applied = [one.name for one in self.said if one.place == "applied"]
        known = {"name": name, "after": applied[-1:] or [REQUEST]} | more
        return Story([*self.said, Said(by, what, place=place, **known)])


def vectors() -> list[Vector]:
    """All of this file."""
    return [*_straight(), *_crossing(), *_void()]


def _straight() -> list[Vector]:
    taken_up, under_way = _taken_up(), _under_way()
    end = (
        under_way.then("referrer", "journey.planned")
        .then("receiver", "journey.met")
        .then("referrer", "contact.safety_alert")
        .then("referrer", "lead.offered")
        .then("receiver", "lead.taken")
        .then("receiver", "referral.outcome")
        .then("receiver", "referral.closed")
        .then("referrer", "consent.withdrawn")
        .then("receiver", "erasure.confirmed held")
        .then("receiver", "erasure.confirmed erased")
    )
    asked = (
        Story()
        .then("receiver", "referral.acknowledged")
        .then("receiver", "referral.info_requested")
    )
    return [
        _course("just-arrived", "delivered", "Nothing but the request.", Story()),
        _course("acknowledged", "acknowledged", "A human has seen it.",
                Story().then("receiver", "referral.acknowledged")),
        _course("info-needed", "info_needed", "The referrer's turn.", asked),
        _course("info-given", "acknowledged", "The receiver's turn again.",
                asked.then("referrer", "referral.info_provided")),
        _course("declined", "declined", "With a next step.",
                Story().then("receiver", "referral.declined")),
        _course("accepted", "accepted", "Taken up.", taken_up),
        _course("waitlisted", "waitlisted", "Taken up, not yet served.",
                taken_up.then("receiver", "referral.status waitlisted")),
        _course("on-hold", "on_hold", "Paused.",
                under_way.then("receiver", "referral.status on_hold")),
        _course("in-progress", "in_progress", "Served.", under_way),
        _course("completed", "completed", "An outcome.",
                under_way.then("receiver", "referral.outcome")),
        _course("closed-without-outcome", "closed", "She wants none told, so none is waited for.",
                under_way.then("referrer", "referral.closed")),
        _course("cancelled", "cancelled", "By whoever leads.",
                under_way.then("referrer", "referral.cancelled unsafe_to_continue")),
        _course("entered-in-error", "entered_in_error", "Even after it was declined.",
                Story().then("receiver", "referral.declined")
                .then("referrer", "referral.cancelled entered_in_error")),
        _course("longest", "erased", "From request to erasure.", end, lead="receiver"),
        _course("held", "withdrawn", "The law keeps what she wants erased.",
                taken_up.then("referrer", "consent.withdrawn")
                .then("receiver", "erasure.confirmed held")),
        _course("expired", "expired", "Nobody took it up in time.",
                Story().then("receiver", "referral.acknowledged"), now=LONG_AFTER),
        _course("taken-up-does-not-expire", "accepted", "What was taken up goes on.", taken_up,
                now=LONG_AFTER),
    ]  # fmt: skip


def _crossing() -> list[Vector]:
    """Events whose authors did not know of each other."""
    seen = Story().then("receiver", "referral.acknowledged")
    last = [seen.said[-1].name]
    cancelled = seen.then("referrer", "referral.cancelled unsafe_to_continue", after=last)
    withdrawn = seen.then("referrer", "consent.withdrawn", after=last)
    void = "void illegal_transition"
    return [
        _course("cancelled-before-accepted", "cancelled", "Cancellation goes first.",
                cancelled.then("receiver", "referral.accepted", void, after=last)),
        _course("withdrawn-before-accepted", "withdrawn", "Withdrawal goes first.",
                withdrawn.then("receiver", "referral.accepted", void, after=last)),
        _course("withdrawn-before-cancelled", "withdrawn", "Withdrawal goes before cancellation.",
                withdrawn.then("referrer", "referral.cancelled unsafe_to_continue", void,
                               after=last)),
        _course("cancelled-before-declined", "cancelled", "Cancellation goes before a decline.",
                cancelled.then("receiver", "referral.declined", void, after=last)),
        _course("withdrawn-on-both-sides", "withdrawn", "She told both.",
                withdrawn.then("receiver", "consent.withdrawn", after=last)),
        _course("alert-beside-accepted", "accepted", "An alert moves nothing and stands.",
                seen.then("referrer", "contact.safety_alert", after=last)
                .then("receiver", "referral.accepted", after=last)),
        _course("one-id-on-both-sides", "accepted", "An id is its author's own.",
                seen.then("receiver", "referral.accepted", name="same", after=last)
                .then("referrer", "contact.safety_alert", name="same", after=last)),
        _course("cause-missing", "acknowledged", "An answer to what has not arrived waits.",
                seen.then("receiver", "referral.accepted", "waiting", after=["never seen"])),
        _course("withdrawal-waits-for-nothing", "withdrawn", "Whatever else is missing.",
                seen.then("referrer", "consent.withdrawn", after=["never seen"])),
        _course("withdrawn-when-closed", "withdrawn", "From every state.",
                _under_way().then("receiver", "referral.outcome")
                .then("referrer", "referral.closed").then("receiver", "consent.withdrawn")),
    ]  # fmt: skip


def _void() -> list[Vector]:
    """What is illegal where it stands moves nothing, on both sides alike."""

    def void(
        name: str,
        state: str,
        story: Story,
        by: str,
        what: str,
        code: str,
        lead: str = "referrer",
        **more: Any,
    ) -> Vector:
        told = story.then(by, what, f"void {code}", **more)
        return _course(f"void-{name}", state, f"{by}: {what}.", told, lead=lead)

    seen, taken_up, under_way = _seen(), _taken_up(), _under_way()
    led = under_way.then("referrer", "lead.offered").then("receiver", "lead.taken")
    step = "illegal_transition"
    return [
        void("accepted-before-seen", "delivered", Story(), "receiver", "referral.accepted", step),
        void("referrer-accepts", "acknowledged", seen, "referrer", "referral.accepted",
             "wrong_author"),
        void("receiver-releases-identity", "accepted", taken_up, "receiver", "identity.released",
             "wrong_author"),
        void("identity-before-accepted", "acknowledged", seen, "referrer", "identity.released",
             step),
        void("journey-before-identity", "accepted", taken_up, "referrer", "journey.planned",
             "identity_not_released"),
        void("journey-changed-before-planned", "in_progress", under_way, "referrer",
             "journey.changed", "journey_not_planned"),
        void("met-without-a-journey", "in_progress", under_way, "receiver", "journey.met",
             "journey_not_planned"),
        void("lead-taken-unasked", "in_progress", under_way, "receiver", "lead.taken",
             "lead_not_offered"),
        void("former-lead-cancels", "in_progress", led, "referrer",
             "referral.cancelled unsafe_to_continue", "wrong_author", lead="receiver"),
        void("accepted-after-declined", "declined", Story().then("receiver", "referral.declined"),
             "receiver", "referral.accepted", step),
        void("erased-unasked", "withdrawn", taken_up.then("receiver", "consent.withdrawn"),
             "referrer", "erasure.confirmed erased", "erasure_not_asked"),
        void("closed-without-the-outcome-she-wants", "in_progress",
             under_way.then("referrer", "consent.updated outcome"), "referrer", "referral.closed",
             "outcome_awaited"),
        void("identity-after-consent", "accepted", taken_up, "referrer", "identity.released",
             "consent_not_standing", at=LONG_AFTER),
        void("too-late", "acknowledged", seen, "receiver", "referral.accepted", step,
             at=LONG_AFTER),
    ]  # fmt: skip


def _seen() -> Story:
    return Story().then("receiver", "referral.acknowledged")


def _taken_up() -> Story:
    return _seen().then("receiver", "referral.accepted")


def _under_way() -> Story:
    return (
        _taken_up()
        .then("referrer", "identity.released")
        .then("receiver", "referral.status started")
    )


def _course(
    name: str, state: str, comment: str, story: Story, *, lead: str = "referrer", now: int = NOW
) -> Vector:
    request = Said("referrer", "referral.requested", REQUEST, ())
    said = [request, *story.said]
    events = [{"by": one.by, "message": _message(one)} for one in said]
    places = [("place", f"{one.by} {_id(one.name)} {one.place}") for one in said]
    facts = (now_fact(now), ("state", state), ("lead", lead), *places)
    return Vector(name, "course", "ok", comment, facts, compact({"events": events}))


def _message(one: Said) -> dict[str, Any]:
    name, _, word = one.what.partition(" ")
    message = example(name)
    if name == "referral.status":
        message["body"] = {"status": word}
    elif word:
        message["body"] |= _BODIES[word]
    at = datetime.fromtimestamp(one.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return message | {"id": _id(one.name), "after": [_id(name) for name in one.after], "at": at}


def _id(name: str) -> str:
    return seed(f"event {name}").hex()[:32]
