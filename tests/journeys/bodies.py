"""The bodies that a story's people write: the published examples, addressed and dated now.

    body = request_to(org, service, now=now)
    said("referral.accepted", own_case="DEMO-2026-002")

Names, places and numbers here are invented; no number can be dialled. The words of the identity
stand in no other text, so that finding one elsewhere proves something.
"""

from __future__ import annotations

from typing import Any, Final

from contracts.codes import PLACES
from contracts.examples import example_body, example_request
from contracts.identifiers import parse_org_id
from contracts.messages import render_body
from contracts.times import utc_text

Json = dict[str, Any]

HOUR: Final = 3600
DAY: Final = 24 * HOUR
NAME: Final = "Moyurakkhi Shalik"
NUMBER: Final = "+000 0000 0000"
BANGLA_NUMBER: Final = "০০০০০০০০০০০"
PAPER: Final = "ZZ0000000"
VILLAGE: Final = "Tamarindpur"
CODE_WORDS: Final = ("kingfisher lantern", "monsoon tamarind")
# What only `show --note` may print.
PRIVATE: Final = (NAME, NUMBER, PAPER, VILLAGE, *CODE_WORDS)

_WINDOW: Final = {
    "zone": "Asia/Kuala_Lumpur",
    "days": ["mon", "thu"],
    "from": "10:00",
    "to": "12:00",
}


def said(message_type: str, **changes: object) -> Json:
    """The example of a body with these members changed; None takes one away."""
    body = {**example_body(message_type), **changes}
    return {name: value for name, value in body.items() if value is not None}


def request_to(org: str, service: str, *, now: int) -> Json:
    """A referral whose person has opted in to being called and to one messenger."""
    request = example_request(recipient=parse_org_id(org), service_id=service, now=now)
    body: Json = dict(render_body(request))
    body["safety"] |= {
        "contact_mode": "direct",
        "channels": ["call", "messenger"],
        "windows": [_WINDOW],
        "code_word_agreed": "yes",
    }
    return body


def identity(*, by: str | None = "messenger") -> Json:
    """Who she is; reached by this channel, or None: she is not to be contacted."""
    contact = {
        "mode": "direct",
        "channels": [{"kind": by, "value": NUMBER}],
        "windows": [_WINDOW],
    }
    return said(
        "identity.released",
        name={"full": NAME, "script": "Latn"},
        contact=contact if by is not None else None,
        district={"region": "BD-C", "text": VILLAGE},
        code_words=dict(zip(("caller_says", "person_answers"), CODE_WORDS, strict=True)),
        documents=[{"kind": "passport", "number": PAPER, "held_by": "employer"}],
        do_not_contact=None,
    )


def journey(message_type: str, *, arrives: int) -> Json:
    """A journey that ends at this moment, Unix seconds."""
    body = said(message_type)
    body["leaving"] |= {"at": utc_text(arrives - 4 * HOUR)}
    body["arriving"] |= {"at": utc_text(arrives)}
    return body


def consent_updated(request: Json, *, version: int, **changes: object) -> Json:
    """The request's consent, asked for again."""
    return {"consent": {**request["consent"], "version": version, **changes}}


def erasure(*, on: int, held: str = "") -> Json:
    """A statement about every place; `held` is the one that a court still needs."""
    erased: Json = {"result": "erased", "on": utc_text(on)[:10]}
    hold: Json = {"result": "held", "hold": {"ground": "ongoing_proceedings", "until": "unknown"}}
    said_of: dict[str, Json] = {place: erased for place in PLACES} | {
        "paper": {"result": "never_there"}
    }
    said_of |= {held: hold} if held else {}
    return {"places": [{"place": place} | result for place, result in said_of.items()]}
