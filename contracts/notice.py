"""The hub's signed word about an envelope: accepted, refused, or undeliverable.

A sender may rely on a notice only because it is signed with the hub's key from the root file;
a queue's confirm is no such thing. A notice knows ids and a code, never a content or a size.

    data = sign_notice(notice, hub_key)
    notice = read_notice(data, hub_key=hub.key)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, cast

from contracts.encoding import (
    JsonInput,
    JsonObject,
    dump_json,
    members,
    number_of,
    parse_object,
    text_of,
)
from contracts.errors import Malformed, Refused
from contracts.identifiers import (
    Eid,
    KeyId,
    Mid,
    OrgId,
    parse_eid,
    parse_key_id,
    parse_mid,
    parse_org_id,
)
from contracts.signing import Label, SigningKey, key_id, parse_signed, render_signed, verify

MEDIA_TYPE: Final = "application/vnd.rujukan.notice.v1+json"
MAX_NOTICE: Final = 2048  # bytes; the longest is under 700
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_STATUSES: Final = frozenset(("accepted", "refused", "undeliverable"))

NoticeStatus = Literal["accepted", "refused", "undeliverable"]


@dataclass(frozen=True, slots=True)
class Notice:
    """What a hub says of the envelope `eid`; `at` in Unix seconds, `code` None when accepted."""

    hub: KeyId
    sender: OrgId  # "from"
    mid: Mid
    eid: Eid
    status: NoticeStatus
    code: str | None
    at: int


def sign_notice(notice: Notice, key: SigningKey) -> bytes:
    """The notice as JSON text {"b", "s"}.

    Raises `Malformed` where code and status do not fit together or the key is another hub's.
    """
    body = _rendered(notice)
    if _parsed(body) != notice or notice.hub != key.key_id:
        raise Malformed("not_a_notice")
    return render_signed(body, key.sign(Label.ACCEPTANCE, body))


def read_notice(data: bytes, *, hub_key: bytes) -> Notice:
    """The notice of the hub whose public key is `hub_key`.

    Raises `Malformed`, `BadSignature`, or `Refused("another_hub")` where it names another hub.
    """
    body, signature = parse_signed(data, limit=MAX_NOTICE)
    verify(hub_key, signature, Label.ACCEPTANCE, body)
    notice = _parsed(body)
    if notice.hub != key_id(hub_key):
        raise Refused("another_hub", "hub")
    return notice


def _rendered(notice: Notice) -> bytes:
    fields: dict[str, JsonInput] = {
        "v": 1,
        "hub": notice.hub,
        "from": notice.sender,
        "mid": notice.mid,
        "eid": notice.eid,
        "status": notice.status,
    }
    if notice.code is not None:
        fields["code"] = notice.code
    return dump_json(fields | {"at": notice.at})


def _parsed(body: bytes) -> Notice:
    fields = parse_object(body, limit=MAX_NOTICE)
    status = text_of(fields, "status")
    if status not in _STATUSES:
        raise Malformed("unknown_status", "status")
    code = frozenset[str]() if status == "accepted" else frozenset({"code"})
    members(fields, required={"v", "hub", "from", "mid", "eid", "status", "at"} | code)
    if number_of(fields, "v") != 1:
        raise Malformed("unknown_version", "v")
    return Notice(
        hub=parse_key_id(text_of(fields, "hub"), field="hub"),
        sender=parse_org_id(text_of(fields, "from"), field="from"),
        mid=parse_mid(text_of(fields, "mid")),
        eid=parse_eid(text_of(fields, "eid")),
        status=cast(NoticeStatus, status),
        code=_code(fields) if code else None,
        at=number_of(fields, "at"),
    )


def _code(fields: JsonObject) -> str:
    code = text_of(fields, "code")
    if not _CODE.fullmatch(code):
        raise Malformed("bad_code", "code")
    return code
