"""The vectors for what a desk asks of an opened message before it keeps it: `read`.

Form and schema of the content, and whether the consent it carries is for this organisation, for
what is told, and still stands. The envelope around each is good.
"""

from __future__ import annotations

import json
from typing import Any, Final

from contracts.vectors.changes import RECEIPTS, SCHEMAS
from contracts.vectors.draft import BD_1, BD_2, MY_2, TH_1, Draft, compact, pad, seed
from contracts.vectors.messages import example
from contracts.vectors.vector import Vector, opening

_RECEIPT: Final = {"typ": "rcpt", "re": seed("re").hex()[:32], "contract": RECEIPTS}


def vectors() -> list[Vector]:
    """All of this file."""
    return [*_contents(), *_consents()]


def _read(
    name: str, expect: str, comment: str, content: object, draft: Draft | None = None
) -> Vector:
    message = content if isinstance(content, bytes) else compact(content)
    body = (draft or Draft(padded=pad(message))).body()
    told = message if expect == "ok" else None
    return opening(name, expect, comment, body, message=told, check="read")


def _contents() -> list[Vector]:
    good, declined = _request(), example("referral.declined")
    text = (SCHEMAS / "examples" / "receipt.json").read_text(encoding="utf-8")
    receipt = json.loads(text)

    def as_receipt(content: object) -> Draft:
        return Draft(padded=pad(compact(content)), changes=_RECEIPT)

    colleague = Draft(recipients=(BD_2,), padded=pad(compact(good)))
    without = {name: value for name, value in declined.items() if name != "at"}
    return [
        _read("request", "ok", "A referral for this organisation.", good),
        _read("answer", "ok", "Without a consent of its own.", declined),
        _read("receipt", "ok", "Of the receipts' contract.", receipt, as_receipt(receipt)),
        _read("another-desk-of-ours", "not-for-this-device", "Nothing to read.", good, colleague),
        _read("nothing", "schema", "An empty message.", b""),
        _read("not-json", "schema", "Text.", b"Dear colleague,"),
        _read("member-missing", "schema", "No time.", without),
        _read("later-major", "version-unsupported", "v 2.0.", declined | {"v": "2.0"}),
        _read("unknown-type", "version-unsupported", "Of a later version.",
              declined | {"type": "referral.teleported"}),
        _read("receipt-as-a-message", "schema", "Under the wrong contract.", receipt),
        _read("message-as-a-receipt", "schema", "Under the wrong contract.", declined,
              as_receipt(declined)),
    ]  # fmt: skip


def _consents() -> list[Vector]:
    """The receiver asks again what the sender should have asked."""

    def consent(name: str, comment: str, **changes: object) -> Vector:
        return _read(name, "consent", comment, _request(**changes))

    request = _request()
    told = [field for field in request["body"]["consent"]["fields"] if field != "note"]
    basis = {
        "ground": "vital_interest", "code": "life_at_risk", "recipients": [BD_1.org],
        "fields": request["body"]["consent"]["fields"], "decided_by": "caseworker",
        "decided_at": "2026-11-24T02:30:00Z", "expires_at": "2026-11-26T02:30:00Z",
        "second_person": "coordinator",
    }  # fmt: skip
    late = {"obtained_at": "2026-11-25T00:05:00Z"}
    return [
        _read("basis", "ok", "A vital interest instead of consent.", _on(basis)),
        _read("basis-over", "consent", "It has ended.",
              _on(basis | {"expires_at": "2026-11-25T00:00:00Z"})),
        _read("basis-for-another", "consent", "Names another organisation.",
              _on(basis | {"recipients": [TH_1.org]})),
        _read("consent-300-s-ahead", "ok", "Two clocks may differ so much.", _request(**late)),
        consent("consent-from-the-future", "A second more.", obtained_at="2026-11-25T00:05:01Z"),
        consent("consent-for-another", "Names another organisation.", recipients=[TH_1.org]),
        consent("consent-for-the-sender", "Names the sender.", recipients=[MY_2.org]),
        consent("consent-over", "It ends now.", expires_at="2026-11-25T00:00:00Z"),
        consent("consent-over-before-it-began", "Ends before it was given.",
                obtained_at="2026-11-25T00:04:00Z", expires_at="2026-11-25T00:03:00Z"),
        consent("consent-not-for-the-note", "Tells more than was consented to.", fields=told),
    ]  # fmt: skip


def _request(**consent: object) -> dict[str, Any]:
    """The example, for this organisation."""
    message = example("referral.requested")
    message["body"]["consent"] |= {"recipients": [BD_1.org]} | consent
    return message


def _on(basis: dict[str, object]) -> dict[str, Any]:
    """The example on a legal basis instead of a consent."""
    message = _request()
    del message["body"]["consent"]
    message["body"]["basis"] = basis
    return message
