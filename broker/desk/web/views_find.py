"""Looking for a service. What is looked for is posted: it stays out of addresses and histories."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, request

from broker.desk.errors import DeskError
from broker.desk.finding import Page, Wanted, find
from broker.desk.web.pages import page, runtime
from broker.desk.web.sentences import sentence_of
from broker.service.failures import Failure

PER_PAGE: Final = 20
_MOST_TEXT: Final = 200
_LAST_PAGE: Final = 10_000

blueprint = Blueprint("finding", __name__)


@blueprint.get("/find")
def form() -> Response:
    """The empty form."""
    return page("find.html", wanted=Wanted(), found=None, trouble="", pages=0)


@blueprint.post("/find")
def results() -> Response:
    """What the directory lists, and who of them can receive."""
    wanted = _wanted()
    found, trouble = _found(wanted)
    pages = 0 if found is None else -(-found.total // PER_PAGE)
    return page("find.html", wanted=wanted, found=found, trouble=trouble, pages=pages)


def _found(wanted: Wanted) -> tuple[Page | None, str]:
    try:
        with runtime().vault.use() as desk:
            return find(desk, wanted), ""
    except (DeskError, Failure) as error:
        return None, sentence_of(error)


def _wanted() -> Wanted:
    given = request.form
    number = given.get("page", "1")
    right = number.isascii() and number.isdigit() and 1 <= int(number[:6]) <= _LAST_PAGE
    return Wanted(
        text=given.get("text", "")[:_MOST_TEXT],
        country=given.get("country", "")[:2],
        service=given.get("service", "")[:40],
        language=given.get("language", "")[:3],
        page=int(number) if right else 1,
    )
