"""The statement log over HTTP: mirrors read, desks and coordinators post what they have signed.

No key, no cookie, no login: leaves are public, and a statement is admitted by its signatures. An
organisation's first statement is taken like any other, once two coordinators have vouched for it.
A post is answered when the statement is committed; that it is then signed for and witnessed is
repeated until it has happened.
"""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, jsonify, request

from broker.service.problems import problem
from contracts.errors import BadSignature, ContractError, Malformed, Refused
from contracts.log import join_leaves
from contracts.statements import MAX_CARRIED, Statement, parse_statement
from contracts.times import DAY
from directory.entries import EntryRefused
from directory.runtime import runtime
from directory.statements import MAX_LEAVES, LogClosed

blueprint = Blueprint("log", __name__)

_MOST_DIGITS: Final = 15
# Seconds until a first checkpoint may have its signatures.
_SOON: Final = 10
# What the sender should do: at a gap fetch the log, sign anew, post again; else see below.
_STATUS: Final = {
    "gap_in_seq": 409,
    "chain_broken": 409,
    "entry_missing": 409,
    "too_many_statements": 429,
    "log_is_full_today": 429,
}
_SENTENCES: Final = {
    "gap_in_seq": "The statement does not continue its author's chain. Nothing was added. Fetch"
    " the log and sign again with the next number.",
    "chain_broken": "The statement does not continue its author's chain. Nothing was added. Fetch"
    " the log and sign again with the newest hash.",
    "entry_missing": "The statement names an entry whose bytes are not here. Nothing was added."
    " Post the entry first, then the statement again.",
    "too_many_statements": "The author has written very many statements today. Nothing was"
    " added. Post it again tomorrow; if nobody wrote so many, look which computer does.",
    "log_is_full_today": "Very many statements were written today, by this author too. Nothing was"
    " added. Post it again tomorrow; what ends harm, such as a freeze, is taken today.",
}
_RULE: Final = "The statement breaks a rule of the log. Nothing was added."
_FORM: Final = "The statement does not have the agreed form. Nothing was added."
_NONE_YET: Final = (
    "No checkpoint of the log has enough witnesses' signatures yet. Nothing is lost; the directory"
    " asks them by itself. Ask again in a minute."
)


@blueprint.get("/log/checkpoint")
def checkpoint() -> Response:
    """The newest checkpoint that has its signatures, as a C2SP signed note."""
    try:
        note = runtime().logbook.checkpoints.published()
    except LogClosed as closed:
        return _closed(closed)
    if note is None:
        return problem(503, "no_checkpoint_yet", detail=_NONE_YET, retry_after=_SOON)
    answer = Response(note, content_type="text/plain; charset=utf-8")
    answer.headers["Cache-Control"] = "no-cache"
    return answer


@blueprint.get("/log/leaves")
def leaves() -> Response:
    """The leaves from `from` to before `to`, each with its length before it.

    Those that no checkpoint covers yet too: a witness needs them before it can sign one.
    """
    try:
        start = _index("from", 0)
        end = _index("to", start + MAX_LEAVES)
    except Malformed as error:
        detail = "It must be a whole number, the place of a leaf in the log."
        return problem(422, error.code, detail=detail, field=error.field)
    body = join_leaves(runtime().log.leaves(start, end))
    answer = Response(body, content_type="application/octet-stream")
    answer.headers["Cache-Control"] = "no-cache"
    return answer


@blueprint.post("/log/statements")
def append() -> Response:
    """Admit one statement: 201 with its index, 200 if it stood there already."""
    request.max_content_length = MAX_CARRIED
    try:
        statement = parse_statement(request.get_data())
    except ContractError as error:
        return problem(400, error.code, detail=_FORM, field=error.field)
    index = runtime().log.find(statement)
    return _append(statement) if index is None else _answer(index, 200)


def _append(statement: Statement) -> Response:
    logbook = runtime().logbook
    try:
        appended = logbook.log.append(statement)
    except LogClosed as closed:
        return _closed(closed)
    except (Refused, Malformed, BadSignature) as error:
        return _refused(error)
    logbook.publication.after(statement)
    logbook.advance()
    return _answer(appended.index, 201 if appended.new else 200)


def _refused(error: ContractError) -> Response:
    status = _STATUS.get(error.code, 422)
    detail = _SENTENCES.get(error.code, _RULE)
    if isinstance(error, EntryRefused):
        detail = f"{error} Nothing was added."
    wait = DAY - runtime().clock() % DAY if status == 429 else None
    return problem(status, error.code, detail=detail, field=error.field, retry_after=wait)


def _closed(closed: LogClosed) -> Response:
    return problem(503, "log_closed", detail=str(closed), retry_after=closed.wait)


def _answer(index: int, status: int) -> Response:
    answer = jsonify({"index": index})
    answer.status_code = status
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _index(name: str, default: int) -> int:
    value = request.args.get(name)
    if value is None:
        return default
    if not (value.isascii() and value.isdecimal()) or len(value) > _MOST_DIGITS:
        raise Malformed("bad_number", name)
    return int(value)
