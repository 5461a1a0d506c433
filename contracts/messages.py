"""The plaintext messages: what is inside an envelope, read strictly and written once.

    message = parse_message(plaintext)          # bytes from an opened envelope
    plaintext = render_message(new_message(body, id=..., referral_ref=..., at=...))

Who sent it is not here: peer and role come from the envelope's verified header, never from a
body. Reprs show the type and the ids that the desk's own log may show, never a body; errors name
a field and a rule, never a value.

A type `IN_A_CASE` has a `referral_ref` and `after`; one that stands `APART` from every case has
neither. `message.problem` is both: about a case's event, or about something that belongs to none.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from contracts import bodies
from contracts.bodies import Body, Receipt, ReferralRequested
from contracts.encoding import (
    JsonInput,
    JsonObject,
    JsonValue,
    dump_json,
    object_of,
    parse_object,
    text_of,
    texts_of,
)
from contracts.errors import Malformed, Rejected
from contracts.identifiers import EventId, Mid, Ref
from contracts.schema import Problem, validate
from contracts.shapes import from_json, to_json
from contracts.times import Utc, unix_seconds

__all__ = [
    "APART",
    "BODIES",
    "CONTRACT",
    "CONTRACTS",
    "IN_A_CASE",
    "RECEIPT_CONTRACT",
    "VERSION",
    "Body",
    "Message",
    "Receipt",
    "ReferralRequested",
    "new_message",
    "parse_message",
    "parse_receipt",
    "problems_in_body",
    "read_body",
    "render_body",
    "render_message",
    "render_receipt",
]

CONTRACT: Final = "case-referral/1"
RECEIPT_CONTRACT: Final = "receipt/1"
CONTRACTS: Final = frozenset({CONTRACT, RECEIPT_CONTRACT})
VERSION: Final = "1.0"
MAX_MESSAGE_BYTES: Final = 256 * 1024  # the envelope's limit; strict JSON is read below it

BODIES: Final[Mapping[str, type[Body]]] = MappingProxyType(
    {
        "referral.requested": bodies.ReferralRequested,
        "referral.acknowledged": bodies.ReferralAcknowledged,
        "referral.info_requested": bodies.InfoRequested,
        "referral.info_provided": bodies.InfoProvided,
        "referral.accepted": bodies.ReferralAccepted,
        "identity.released": bodies.IdentityReleased,
        "referral.declined": bodies.ReferralDeclined,
        "referral.status": bodies.ReferralStatus,
        "journey.planned": bodies.JourneyPlanned,
        "journey.changed": bodies.JourneyChanged,
        "journey.met": bodies.JourneyMet,
        "journey.not_met": bodies.JourneyNotMet,
        "lead.offered": bodies.LeadOffered,
        "lead.taken": bodies.LeadTaken,
        "referral.outcome": bodies.ReferralOutcome,
        "referral.closed": bodies.ReferralClosed,
        "referral.cancelled": bodies.ReferralCancelled,
        "consent.updated": bodies.ConsentUpdated,
        "consent.withdrawn": bodies.ConsentWithdrawn,
        "erasure.requested": bodies.ErasureRequested,
        "erasure.confirmed": bodies.ErasureConfirmed,
        "contact.safety_alert": bodies.SafetyAlert,
        "message.problem": bodies.MessageProblem,
        "capacity.query": bodies.CapacityQuery,
        "capacity.reply": bodies.CapacityReply,
        "resend_request": bodies.ResendRequest,
        "concern.reported": bodies.ConcernReported,
        "org.event": bodies.OrgEvent,
    }
)
_NEVER_IN_A_CASE: Final = frozenset(
    {"capacity.query", "capacity.reply", "resend_request", "concern.reported", "org.event"}
)
APART: Final = _NEVER_IN_A_CASE | {"message.problem"}
IN_A_CASE: Final = frozenset(BODIES) - _NEVER_IN_A_CASE
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_IN_TEXT: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # tab, lines stay
_TYPES: Final[Mapping[type[Body], str]] = MappingProxyType({b: name for name, b in BODIES.items()})


@dataclass(frozen=True, slots=True, repr=False)
class Message:
    """One event of a referral, or one message apart from all: then without `referral_ref`.

    `at` is RFC 3339 UTC; `after` the newest events of the case that its author had applied.
    """

    type: str
    v: str
    id: EventId
    referral_ref: Ref | None
    after: tuple[EventId, ...]
    at: Utc
    body: Body
    resend_of: Mid | None = None

    def __repr__(self) -> str:
        return f"<Message {self.type} {self.id}>"


def new_message(
    body: Body,
    *,
    event_id: EventId,
    referral_ref: Ref | None = None,
    at: Utc,
    after: tuple[EventId, ...] = (),
    resend_of: Mid | None = None,
) -> Message:
    """The message that carries `body`, in the version that this code writes."""
    name = _TYPES[type(body)]
    return Message(name, VERSION, event_id, referral_ref, after, at, body, resend_of)


def parse_message(data: bytes) -> Message:
    """The message in an opened envelope's plaintext.

    Raises `Rejected`, with a receipt's code: `version_unsupported` in `v` for an unknown type or
    another version, a newer minor too, because the objects are closed and receivers upgrade
    first; else `schema`, where `field` is the place of the first broken rule.
    """
    try:
        value = parse_object(data, limit=MAX_MESSAGE_BYTES)
        schema = f"{CONTRACT}/{_known_type(value)}"
        _refuse(_problems(schema, value))
        return _message(value)
    except Malformed as fault:
        raise Rejected("schema", fault.field, signed=True) from None


def render_message(message: Message) -> bytes:
    """The plaintext to seal, checked as the other side will check it.

    Raises `Malformed("schema" | "version_unsupported", field)`: nothing invalid leaves.
    """
    value = _head(message)
    if message.resend_of is not None:
        value["resend_of"] = message.resend_of
    data = dump_json(value | {"body": to_json(message.body)})
    _refuse_own(parse_message, data)
    return data


def read_body(message_type: str, value: JsonObject) -> Body:
    """A typed body from JSON that a person or a program prepared.

    Raises `Malformed("schema", field)` with the first problem; `problems_in_body` has all.
    """
    _refuse(problems_in_body(message_type, value))
    return from_json(BODIES[message_type], value)


def render_body(body: Body) -> dict[str, JsonInput]:
    """The body as a JSON object; the inverse of `read_body`. It is plaintext."""
    return to_json(body)


def problems_in_body(message_type: str, value: JsonValue) -> tuple[Problem, ...]:
    """Everything wrong with a body, for a form. Raises `Malformed("unknown_type", "type")`."""
    if message_type not in BODIES:
        raise Malformed("unknown_type", "type")
    return _problems(f"{CONTRACT}/{message_type}#/$defs/body", value)


def parse_receipt(data: bytes) -> Receipt:
    """The receipt in an opened envelope. Raises `Rejected("schema", field)`."""
    try:
        value = parse_object(data, limit=MAX_MESSAGE_BYTES)
        _refuse(_problems(f"{RECEIPT_CONTRACT}/receipt", value))
        return from_json(Receipt, value)
    except Malformed as fault:
        raise Rejected("schema", fault.field, signed=True) from None


def render_receipt(receipt: Receipt) -> bytes:
    """The receipt's plaintext. Raises `Malformed("schema", field)` for an invalid one."""
    value: dict[str, JsonInput] = {
        "v": receipt.v,
        "of_eid": receipt.of_eid,
        "status": receipt.status,
    }
    if receipt.code is not None:
        value["code"] = receipt.code
    data = dump_json(value | {"at": receipt.at})
    _refuse_own(parse_receipt, data)
    return data


def _head(message: Message) -> dict[str, JsonInput]:
    case: dict[str, JsonInput] = {}
    if message.referral_ref is not None:
        case = {"referral_ref": message.referral_ref, "after": list(message.after)}
    elif message.after:
        raise Malformed("schema", "/after")
    head: dict[str, JsonInput] = {"type": message.type, "v": message.v, "id": message.id}
    return head | case | {"at": message.at}


def _known_type(value: JsonObject) -> str:
    name, version = text_of(value, "type"), text_of(value, "v")
    if name not in BODIES or version != VERSION:
        raise Rejected("version_unsupported", "v", signed=True)
    return name


def _message(value: JsonObject) -> Message:
    name = text_of(value, "type")
    at = text_of(value, "at")
    unix_seconds(at, field="/at")
    return Message(
        type=name,
        v=text_of(value, "v"),
        id=EventId(text_of(value, "id")),
        referral_ref=Ref(text_of(value, "referral_ref")) if "referral_ref" in value else None,
        after=tuple(map(EventId, texts_of(value, "after"))) if "after" in value else (),
        at=Utc(at),
        body=from_json(BODIES[name], object_of(value, "body")),
        resend_of=Mid(text_of(value, "resend_of")) if "resend_of" in value else None,
    )


def _problems(schema: str, value: JsonValue) -> tuple[Problem, ...]:
    """The schema's problems; for a valid value, those that libraries judge differently.

    A control character at a coded word's end passes `$` in some regular expressions.
    """
    return validate(schema, value) or tuple(
        Problem(path, "pattern", "") for path in _control_characters(value, "")
    )


def _control_characters(value: JsonValue, path: str) -> Iterator[str]:
    """Where control characters stand; free text, always a member `text`, may have line breaks."""
    if isinstance(value, str):
        if (_CONTROL_IN_TEXT if path.endswith("/text") else _CONTROL).search(value):
            yield path
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _control_characters(item, f"{path}/{index}")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _control_characters(item, f"{path}/{name}")


def _refuse(problems: tuple[Problem, ...]) -> None:
    if problems:
        raise Malformed("schema", problems[0].instance_path)


def _refuse_own(parse: Callable[[bytes], object], data: bytes) -> None:
    try:
        parse(data)
    except Rejected as fault:
        raise Malformed(fault.code, fault.field) from None
