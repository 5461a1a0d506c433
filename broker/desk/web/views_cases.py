"""The inbox and one case: where it stands, what was said, and exactly what it allows now.

Lists carry nothing that anybody wrote. A note, or a message that may name somebody, is opened on
a page of its own, one click each.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from flask import Blueprint, Response, redirect, request, url_for
from sqlalchemy.exc import NoResultFound

from broker.desk.errors import DeskError
from broker.desk.records import Case, Entry
from broker.desk.saying import say
from broker.desk.store import Rows
from broker.desk.web.casepage import FORMS, body_of, name_of, read_case, said
from broker.desk.web.fields import all_fields
from broker.desk.web.forms import GENERAL, Filled, Form, judged, known, read
from broker.desk.web.pages import page, runtime
from broker.desk.web.sentences import sentence_of, sentence_of_code
from broker.desk.web.sheets import OPENED, flags, note_of, sheet
from broker.service.failures import Failure
from contracts.encoding import JsonObject
from contracts.errors import ContractError
from contracts.lifecycle import Move
from countries.names import bcp47

blueprint = Blueprint("cases", __name__)


@blueprint.get("/")
def inbox() -> Response:
    """All cases, what changed last first, then what belongs to no case."""
    with runtime().vault.use() as desk, desk.store.reading() as rows:
        cases = sorted(rows.cases(), key=lambda case: -case.changed)
        apart = sorted(rows.apart(), key=lambda entry: -entry.kept)
    return page("inbox.html", cases=cases, apart=apart, troubles=_troubles())


@blueprint.post("/look")
def look_again() -> Response:
    """Fetch and send now, then show the inbox."""
    runtime().vault.hurry(patience=runtime().patience)
    return _to(url_for("cases.inbox"))


@blueprint.get("/cases/<row>")
def case(row: str) -> Response:
    """One case."""
    return _case_page(row)


@blueprint.get("/cases/<row>/notes/<entry_row>")
def note(row: str, entry_row: str) -> Response:
    """One note, or one message that may name somebody, after its own click."""
    with runtime().vault.use() as desk, desk.store.reading() as rows:
        found = _case(rows, row)
        entries = rows.entries(row)
        entry = next((one for one in entries if one.row == entry_row), None)
        if entry is None:
            raise DeskError("no_case", ref="")
        body = body_of(rows, entry)
        began = next(one for one in entries if one.is_request)
        warned = flags(body_of(rows, began))
    back = url_for("cases.case", row=row)
    return _note_page(entry, body, name=found.spoken, back=back, warned=warned)


@blueprint.get("/messages/<entry_row>")
def message(entry_row: str) -> Response:
    """One message that belongs to no case."""
    with runtime().vault.use() as desk, desk.store.reading() as rows:
        one = said(rows, _apart(rows, entry_row))
    return page("message.html", one=one)


@blueprint.get("/messages/<entry_row>/note")
def message_note(entry_row: str) -> Response:
    """Its note, after its own click."""
    with runtime().vault.use() as desk, desk.store.reading() as rows:
        entry = _apart(rows, entry_row)
        body = body_of(rows, entry)
    back = url_for("cases.message", entry_row=entry_row)
    return _note_page(entry, body, name="", back=back, warned=())


@blueprint.post("/cases/<row>/answer")
def give_answer(row: str) -> Response:
    """Acknowledge, accept or decline."""
    move = _move()
    fields = all_fields(FORMS[move])
    filled = judged(move.type, fields, read(fields, request.form))
    problems = filled.problems or _refusal(row, move, filled)
    if problems:
        return _case_page(row, asked=move, form=known(fields, request.form), problems=problems)
    runtime().vault.hurry(patience=runtime().patience)
    return _to(url_for("cases.case", row=row))


def _refusal(row: str, move: Move, filled: Filled) -> Mapping[str, str]:
    """Say it; what stood against it."""
    try:
        with runtime().vault.use() as desk:
            with desk.store.reading() as rows:
                found = _case(rows, row)
            say(desk, found, move.type, filled.body)
    except (Failure, ContractError) as error:
        return {GENERAL: sentence_of(error)}
    return {}


def _case_page(
    row: str,
    *,
    asked: Move | None = None,
    form: Form | None = None,
    problems: Mapping[str, str] | None = None,
) -> Response:
    with runtime().vault.use() as desk, desk.store.reading() as rows:
        shown = read_case(rows, desk, _case(rows, row))
    return page(
        "case.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK,
        shown=shown,
        case=shown.view.case,
        course=shown.view.course,
        why=sentence_of_code(shown.view.case.why) if shown.view.case.why else "",
        asked=name_of(asked) if asked else "",
        form=form or Form(),
        empty=Form(),
        problems=problems or {},
        fields={one.name: one for move in FORMS for one in all_fields(FORMS[move])},
        troubles=_troubles(),
    )


def _note_page(
    entry: Entry, body: JsonObject, *, name: str, back: str, warned: tuple[str, ...]
) -> Response:
    text, language = note_of(body) or ("", "")
    return page(
        "note.html",
        entry=entry,
        name=name,
        back=back,
        lines=sheet(entry.type, body) if entry.type in OPENED else (),
        text=text,
        language_tag=bcp47(language) if language else "",
        flags=warned,
    )


def _case(rows: Rows, row: str) -> Case:
    try:
        return rows.case(row)
    except NoResultFound:
        raise DeskError("no_case", ref="") from None


def _apart(rows: Rows, row: str) -> Entry:
    entry = next((one for one in rows.apart() if one.row == row), None)
    if entry is None:
        raise DeskError("no_case", ref="")
    return entry


def _move() -> Move:
    for move in FORMS:
        if request.form.get("answer") == name_of(move):
            return move
    raise DeskError("illegal_transition", state="", allowed="")


def _troubles() -> list[str]:
    return [sentence_of(one) for one in runtime().vault.troubles]


def _to(address: str) -> Response:
    answer = redirect(address, code=HTTPStatus.SEE_OTHER)
    return Response(answer.get_data(), status=answer.status_code, headers=answer.headers)
