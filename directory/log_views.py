"""The statement log over HTTP: mirrors read leaves, desks post what they have signed.

No key, no cookie, no login: leaves are public, and a statement is admitted by its signatures. An
organisation's first statement is not taken here: an operator who has looked at the organisation
admits it with `rujukan-directory import-org`.
"""

from typing import Final

from flask import Blueprint, Response, jsonify, request

from broker.service.problems import problem
from contracts.encoding import parse_object, text_of
from contracts.errors import BadSignature, ContractError, Malformed, Refused
from contracts.log import join_leaves
from contracts.statements import DAY, MAX_BODY, MAX_CARRIED, Statement, parse_statement
from directory.runtime import runtime
from directory.statements import MAX_LEAVES

blueprint = Blueprint("log", __name__)

_MOST_DIGITS: Final = 15
# What the sender should do: at a gap fetch the log, sign anew, post again; else see below.
_STATUS: Final = {"gap_in_seq": 409, "chain_broken": 409, "too_many_statements": 429}
_SENTENCES: Final = {
    "gap_in_seq": "The statement does not continue its author's chain. Nothing was added. Fetch"
    " the log and sign again with the next number.",
    "chain_broken": "The statement does not continue its author's chain. Nothing was added. Fetch"
    " the log and sign again with the newest hash.",
    "too_many_statements": "The organisation has written very many statements today. Nothing was"
    " added. Post it again tomorrow; if nobody wrote so many, look which computer does.",
}
_RULE: Final = "The statement breaks a rule of the log. Nothing was added."
_FORM: Final = "The statement does not have the agreed form. Nothing was added."


@blueprint.get("/log/leaves")
def leaves() -> Response:
    """The leaves from `from` to before `to`, each with its length before it."""
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
        typ = _type_of(statement)
    except ContractError as error:
        return problem(400, error.code, detail=_FORM, field=error.field)
    index = runtime().log.find(statement)
    if index is not None:
        return _answer(index, 200)
    if typ == "org":
        detail = (
            "An organisation is admitted by an operator, not over the network. Nothing was added."
            " Hand the admission file to the operator of the directory."
        )
        return problem(403, "org_needs_operator", detail=detail)
    return _append(statement)


def _append(statement: Statement) -> Response:
    try:
        appended = runtime().log.append(statement)
    except (Refused, Malformed, BadSignature) as error:
        status = _STATUS.get(error.code, 422)
        detail = _SENTENCES.get(error.code, _RULE)
        wait = DAY - runtime().clock() % DAY if status == 429 else None
        return problem(status, error.code, detail=detail, field=error.field, retry_after=wait)
    return _answer(appended.index, 201 if appended.new else 200)


def _answer(index: int, status: int) -> Response:
    answer = jsonify({"index": index})
    answer.status_code = status
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _type_of(statement: Statement) -> str:
    return text_of(parse_object(statement.body, limit=MAX_BODY), "typ")


def _index(name: str, default: int) -> int:
    value = request.args.get(name)
    if value is None:
        return default
    if not (value.isascii() and value.isdecimal()) or len(value) > _MOST_DIGITS:
        raise Malformed("bad_number", name)
    return int(value)
