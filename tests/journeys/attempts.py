"""What a caseworker might do by mistake and would harm the person: one table, stage by stage.

    for stage in STAGES:
        ...                     # bring the case there, then try stage.attempts

An attempt is a command as it would be typed, and words of the sentence that refuses it. It runs
nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contracts.messages import APART
from contracts.times import unix_seconds, utc_text
from tests.journeys.bodies import (
    BANGLA_NUMBER,
    DAY,
    NAME,
    Json,
    consent_updated,
    erasure,
    identity,
    said,
)
from tests.journeys.pair import Agreed, Pair, Who

CANARY: Final = "canary-91f2-kumquat"
REQUEST: Final = "referral.requested"
_OTHER_ORG: Final = "bd-00000000000000aa"

Make = Callable[[Json], Json]
Before = Callable[[Pair, str, Json], Agreed]


@dataclass(frozen=True, slots=True)
class Attempt:
    """`body` makes the message from a request that could be sent; `sentence` refuses it."""

    name: str
    who: Who
    type: str
    body: Make
    sentence: str = ""
    code: int = 1

    def command(
        self, request: Json, *, to: str, reference: str, draft: Path
    ) -> tuple[list[str], Json]:
        """The command's words, and what it reads."""
        body = self.body(request)
        if self.type == REQUEST:
            return ["send", "--to", to, "--identity", str(draft), "--json", "-"], body
        if self.type in APART:
            return ["send", "--to", to, "--type", self.type, "--json", "-"], body
        return ["answer", reference or "ABCDEF", self.type, "--json", "--body", "-"], body


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the case stands, how it comes there, and what is tried then."""

    name: str
    state: str
    before: tuple[Before, ...]
    attempts: tuple[Attempt, ...]


def part(name: str, **changes: object) -> Make:
    """The request with members of one part changed."""
    return lambda request: request | {name: request.get(name, {}) | changes}


def note(text: str) -> Make:
    """The request with another note."""
    return part("note", text=text)


def always(message_type: str, **changes: object) -> Make:
    """The example of another message."""
    return lambda _: said(message_type, **changes)


def expired(request: Json) -> Json:
    """A consent that ended yesterday."""
    begun = unix_seconds(request["consent"]["obtained_at"])
    return part("consent", obtained_at=utc_text(begun - 9 * DAY), expires_at=utc_text(begun - DAY))(
        request
    )


def without_scope(request: Json) -> Json:
    """It tells of police and courts, which the consent does not."""
    fields = [one for one in request["consent"]["fields"] if one != "legal"]
    return part("consent", fields=fields)(request)


def of_a_child(request: Json) -> Json:
    """A child with a guardian and an assessment, so that only the service is wrong."""
    guardian = {"status": "guardian_elsewhere", "assent": "yes", "best_interest": "assessed"}
    fields = [*request["consent"]["fields"], "guardian"]
    told = part("consent", fields=fields)(part("person", age_band="12_15")(request))
    return told | {"guardian": guardian}


def undeclared(request: Json) -> Json:
    """A member that no schema knows, with words in its name and in its value."""
    return request | {CANARY: {CANARY: CANARY}, "urgency": CANARY}


def acknowledged(pair: Pair, reference: str, _: Json) -> Agreed:
    return pair.say("theirs", reference, "referral.acknowledged", said("referral.acknowledged"))


def accepted(pair: Pair, reference: str, _: Json) -> Agreed:
    plain = {"focal_role": "caseworker"}
    return pair.say("theirs", reference, "referral.accepted", plain)


def sent_for_asylum_advice(pair: Pair, _: str, request: Json) -> Agreed:
    """She seeks protection, so the countries' check is confirmed first; she wants no news told."""
    guarded = seeks_protection(
        part("consent", feedback="received")(part("safety", channels=["call"])(request))
    )
    return pair.agreed(pair.send(guarded, "--confirm", "asylum_advice_first"))


seeks_protection: Final = part("return", protection_claim="pending")


def wider_consent(pair: Pair, reference: str, request: Json) -> Agreed:
    update = consent_updated(request, version=2, feedback="taken_up")
    return pair.say("ours", reference, "consent.updated", update)


def started(pair: Pair, reference: str, _: Json) -> Agreed:
    return pair.say("theirs", reference, "referral.status", {"status": "started"})


def alerted(pair: Pair, reference: str, _: Json) -> Agreed:
    """Said by the side that heard it; both desks show it."""
    said_there = pair.say("theirs", reference, "contact.safety_alert", said("contact.safety_alert"))
    assert said_there.both("contact_stopped") is True
    return said_there


def withdrawn(pair: Pair, reference: str, _: Json) -> Agreed:
    """Told to the receiver, whom nobody refers back to the referrer."""
    heard = pair.say("theirs", reference, "consent.withdrawn", said("consent.withdrawn"))
    assert heard.both("erasure_owed_by") == ["receiver"]
    return heard


STAGES: Final = (
    Stage(
        "nothing is sent yet", "", (), (
            Attempt("name in the note", "ours", REQUEST, note(f"Please help {NAME}."),
                    "repeats something of the person's identity"),
            Attempt("one word of the name", "ours", REQUEST, note(f"{NAME.split()[0].upper()}?"),
                    "repeats something of the person's identity"),
            Attempt("telephone in Bangla digits", "ours", REQUEST, note(BANGLA_NUMBER),
                    "looks like a telephone, document or account number"),
            Attempt("e-mail in the note", "ours", REQUEST, note("x@demo.example"),
                    "looks like an e-mail or web address"),
            Attempt("to whom the consent does not name", "ours", REQUEST,
                    part("consent", recipients=[_OTHER_ORG]),
                    "consent does not cover this (recipients)"),
            Attempt("expired consent", "ours", REQUEST, expired,
                    "consent does not cover this (expires at)"),
            Attempt("field outside the scope", "ours", REQUEST, without_scope,
                    "consent does not cover this (fields)"),
            Attempt("return without her wish", "ours", REQUEST,
                    part("return", own_wish="undecided"), "without the person's own wish"),
            Attempt("child to a service for adults", "ours", REQUEST, of_a_child,
                    "This service does not take children"),
            Attempt("no asylum advice", "ours", REQUEST, seeks_protection,
                    "asylum_advice_first (legal adviser)"),
            Attempt("undeclared member", "ours", REQUEST, undeclared,
                    "breaks the agreed form: / (additionalProperties), /urgency (enum)"),
            Attempt("number in a concern", "ours", "concern.reported",
                    always("concern.reported",
                           note={"text": BANGLA_NUMBER, "language": "ben"}),
                    "looks like a telephone, document or account number"),
            Attempt("unknown message", "ours", "referral.teleported", lambda _: {}, code=2),
        ),
    ),
    Stage(
        "nobody has taken it up", "acknowledged", (sent_for_asylum_advice, acknowledged), (
            Attempt("identity before acceptance", "ours", "identity.released",
                    lambda _: identity(by="call"), "This case is acknowledged"),
            Attempt("referrer accepts", "ours", "referral.accepted",
                    always("referral.accepted"), "Only the other organisation can say this"),
            Attempt("meeting place that feedback does not cover", "theirs", "referral.accepted",
                    always("referral.accepted"), "told back (meeting place)"),
            Attempt("undeclared member in an answer", "theirs", "referral.declined",
                    always("referral.declined", **{CANARY: CANARY}),
                    "breaks the agreed form: / (additionalProperties)"),
        ),
    ),
    Stage(
        "accepted", "accepted", (accepted,), (
            Attempt("journey before identity", "ours", "journey.planned",
                    always("journey.planned"), "Name and contact have not been released"),
            Attempt("contact not opted in", "ours", "identity.released",
                    lambda _: identity(by="messenger"), "did not opt in to this way of contact"),
            Attempt("news that feedback does not cover", "theirs", "referral.status",
                    always("referral.status", status="started"), "told back (status)"),
            Attempt("outcome that feedback does not cover", "theirs", "referral.outcome",
                    always("referral.outcome"), "told back (outcome)"),
            Attempt("close without the lead", "theirs", "referral.closed",
                    always("referral.closed"), "Only the organisation that leads this case"),
            Attempt("consent by who does not lead", "theirs", "consent.updated",
                    lambda request: consent_updated(request, version=2),
                    "Only the organisation that leads this case"),
            Attempt("consent no newer than the last", "ours", "consent.updated",
                    lambda request: consent_updated(request, version=1),
                    "consent does not cover this (version)"),
            Attempt("met without a journey", "theirs", "journey.met",
                    always("journey.met"), "No journey has been planned"),
            Attempt("number in an answer", "theirs", "referral.info_requested",
                    always("referral.info_requested",
                           note={"text": BANGLA_NUMBER, "language": "ben"}),
                    "looks like a telephone, document or account number"),
        ),
    ),
    Stage(
        "the consent covers more", "accepted", (wider_consent,), (
            Attempt("lead not offered yet", "ours", "lead.offered", always("lead.offered"),
                    "This case is accepted"),
        ),
    ),
    Stage(
        "the service has started", "in_progress", (started,), (
            Attempt("lead taken without an offer", "theirs", "lead.taken",
                    always("lead.taken"), "The lead has not been offered to you"),
            Attempt("outcome still not covered", "theirs", "referral.outcome",
                    always("referral.outcome"), "told back (outcome)"),
        ),
    ),
    Stage(
        "contact is not safe", "in_progress", (alerted,), (
            Attempt("contact after a safety alert", "ours", "identity.released",
                    lambda _: identity(by="call"), "warned that contact is not safe"),
        ),
    ),
    Stage(
        "she has withdrawn", "withdrawn", (withdrawn,), (
            Attempt("cancel after withdrawal", "ours", "referral.cancelled",
                    always("referral.cancelled"), "This case is withdrawn"),
            Attempt("identity after withdrawal", "ours", "identity.released",
                    lambda _: identity(by=None), "This case is withdrawn"),
            Attempt("erasure that nobody asked for", "ours", "erasure.confirmed",
                    lambda _: erasure(on=1_795_200_000),
                    "Nobody has asked your organisation to erase this"),
        ),
    ),
)  # fmt: skip
