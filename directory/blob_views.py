"""Entries' bytes over HTTP: whoever signs a listing posts them first; anybody reads what is listed.

No key and no login: the bytes of an entry are public, and whether they are shown is decided by who
signs their hash.
"""

from __future__ import annotations

import re
from typing import Final

from flask import Blueprint, Response, jsonify, request

from broker.service.problems import problem
from contracts.entries import MAX_ENTRY, entry_hash
from contracts.errors import ContractError
from directory.blobs import keep_bytes, listed_bytes
from directory.db import db
from directory.entries import EntryRefused
from directory.runtime import runtime

blueprint = Blueprint("blobs", __name__)

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_FORM: Final = "These bytes are not an entry in its one form. Nothing was kept."


@blueprint.get("/blobs/<name>")
def entry(name: str) -> Response:
    """The exact bytes of a listed entry."""
    data = listed_bytes(db.engine, name) if _HASH.fullmatch(name) else None
    if data is None:
        return problem(404, "not_found", detail="No listing names an entry of this hash.")
    answer = Response(data, content_type="application/json")
    # Not to be kept by others: what is replaced may hold an address that is confidential now.
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Access-Control-Allow-Origin"] = "*"
    return answer


@blueprint.post("/blobs")
def keep() -> Response:
    """Keep an entry's bytes until a statement names them, or for a day: 201 with their hash."""
    request.max_content_length = MAX_ENTRY
    parts = runtime()
    demonstration = parts.log.register().root.demonstration
    data = request.get_data()
    given_out = listed_bytes(db.engine, entry_hash(data)) is not None
    try:
        name = keep_bytes(db.engine, data, demonstration=demonstration, now=parts.clock())
    except EntryRefused as refused:
        return problem(
            422, refused.code, detail=f"{refused} Nothing was kept.", field=refused.field
        )
    except ContractError as error:
        return problem(422, error.code, detail=_FORM, field=error.field)
    # Lost with a disk, and brought back. Not where they were here: strangers repeat them at will.
    if not given_out and any(one.entry == name for one in parts.log.register().listings):
        parts.publication.refresh()
    answer = jsonify({"hash": name})
    answer.status_code = 201
    answer.headers["Cache-Control"] = "no-store"
    return answer
