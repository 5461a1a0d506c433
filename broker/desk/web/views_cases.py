"""The inbox and one case: where it stands, what was said, and exactly the answers it allows.

Lists carry nothing that anybody wrote. A note is opened on a page of its own, one click each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from flask import Blueprint, Response, redirect, request, url_for
from sqlalchemy.exc import NoResultFound

from broker.desk.cases import CaseView, view
from broker.desk.errors import DeskError
from broker.desk.records import Case, Entry
from broker.desk.sending import TYPES, answer
from broker.desk.store import Rows
from broker.desk.web.fields import ACCEPT, ACKNOWLEDGE, DECLINE, Section, all_fields
from broker.desk.web.forms import GENERAL, Filled, Form, judged, known, read
from broker.desk.web.pages import page, runtime
from broker.desk.web.sentences import sentence_of, sentence_of_code
from broker.desk.web.sheets import Line, flags, note_of, sheet
from broker.service.failures import Failure
from contracts.encoding import JsonObject, parse_object
from contracts.envelope import MAX_MESSAGE
from contracts.errors import ContractError
from contracts.lifecycle import Event, messages_for
from countries.names import bcp47

SECTIONS: Final[Mapping[Event, tuple[Section, ...]]] = {
    Event.ACKNOWLEDGED: ACKNOWLEDGE,
    Event.ACCEPTED: ACCEPT,
    Event.DECLINED: DECLINE,
}

blueprint = Blueprint("cases", __name__)


@dataclass(frozen=True, slots=True)
class Said:
    """One event of a case, for its page."""

    entry: Entry
    lines: tuple[Line, ...] = field(repr=False)
    has_note: bool
    why: str


@blueprint.get("/")
def inbox() -> Response:
    """All cases, what changed last first."""
    with runtime().vault.use() as desk, desk.store.reading() as rows:
        cases = sorted(rows.cases(), key=lambda case: -case.changed)
    return page("inbox.html", cases=cases, troubles=_troubles())


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
    """One note, after its own click."""
    with runtime().vault.use() as desk, desk.store.reading() as rows:
        seen = view(rows, _case(rows, row))
        entry = next((one for one in seen.entries if one.row == entry_row), None)
        if entry is None:
            raise DeskError("no_case", ref="")
        found = note_of(_body(rows, entry))
        warned = flags(_body(rows, seen.entries[0]))
    text, language = found or ("", "")
    tag = bcp47(language) if language else ""
    return page("note.html", case=seen.case, entry=entry, text=text, language_tag=tag, flags=warned)


@blueprint.post("/cases/<row>/answer")
def give_answer(row: str) -> Response:
    """Acknowledge, accept or decline."""
    event = _event()
    fields = all_fields(SECTIONS[event])
    filled = judged(TYPES[event], fields, read(fields, request.form))
    problems = filled.problems or _refusal(row, event, filled)
    if problems:
        return _case_page(row, event=event, form=known(fields, request.form), problems=problems)
    runtime().vault.hurry(patience=runtime().patience)
    return _to(url_for("cases.case", row=row))


def _refusal(row: str, event: Event, filled: Filled) -> Mapping[str, str]:
    """Give the answer; what stood against it."""
    try:
        with runtime().vault.use() as desk:
            with desk.store.reading() as rows:
                found = _case(rows, row)
            answer(desk, found, event, filled.body)
    except (Failure, ContractError) as error:
        return {GENERAL: sentence_of(error)}
    return {}


def _case_page(
    row: str,
    *,
    event: Event | None = None,
    form: Form | None = None,
    problems: Mapping[str, str] | None = None,
) -> Response:
    with runtime().vault.use() as desk, desk.store.reading() as rows:
        seen = view(rows, _case(rows, row))
        said = [_said(rows, entry) for entry in seen.entries]
        warned = flags(_body(rows, seen.entries[0])) if seen.entries else ()
    return page(
        "case.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK,
        case=seen.case,
        said=said,
        flags=warned,
        why=sentence_of_code(seen.case.why) if seen.case.why else "",
        answers=[(one, SECTIONS[one], messages_for(seen.case.state, one)) for one in seen.answers],
        types=TYPES,
        event=event,
        form=form or Form(),
        empty=Form(),
        problems=problems or {},
        fields=_offered(seen),
        troubles=_troubles(),
    )


def _offered(seen: CaseView) -> dict[str, object]:
    return {one.name: one for event in seen.answers for one in all_fields(SECTIONS[event])}


def _said(rows: Rows, entry: Entry) -> Said:
    body = _body(rows, entry)
    why = sentence_of_code(entry.code) if entry.code else ""
    return Said(entry, sheet(body), note_of(body) is not None, why)


def _body(rows: Rows, entry: Entry) -> JsonObject:
    body = parse_object(rows.message(entry.row), limit=MAX_MESSAGE).get("body")
    return body if isinstance(body, dict) else {}


def _case(rows: Rows, row: str) -> Case:
    try:
        return rows.case(row)
    except NoResultFound:
        raise DeskError("no_case", ref="") from None


def _event() -> Event:
    for event in SECTIONS:
        if request.form.get("answer") == event.value:
            return event
    raise DeskError("illegal_transition", state="", allowed="")


def _troubles() -> list[str]:
    return [sentence_of(one) for one in runtime().vault.troubles]


def _to(address: str) -> Response:
    answer = redirect(address, code=HTTPStatus.SEE_OTHER)
    return Response(answer.get_data(), status=answer.status_code, headers=answer.headers)
