"""Sending a referral: the form, then to whom exactly it goes, and only then it is sealed.

What was typed travels with the form from page to page and is kept nowhere here. The last step
checks everything again: also that the recipient's root key is the one whose digits were shown,
and that this form has not become a case already.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

from flask import Blueprint, Response, redirect, request, url_for

from broker.desk.errors import DeskError
from broker.desk.sending import (
    check_ourselves,
    check_recipient,
    read_request,
    register_with,
    send_referral,
)
from broker.desk.unlocking import Desk
from broker.desk.web.fields import COMPULSORY, CONSENT, OPTIONAL, REQUEST, all_fields
from broker.desk.web.forms import GENERAL, Filled, Form, judged, known, read
from broker.desk.web.pages import page, runtime, session
from broker.desk.web.sentences import sentence_of
from broker.desk.web.sheets import Line, sheet
from broker.service.failures import Failure
from broker.service.language import gettext as _
from contracts.consent import check_consent
from contracts.errors import ContractError, Refused
from contracts.fingerprint import fingerprint
from contracts.identifiers import OrgId, country_of, parse_org_id

REQUESTED: Final = "referral.requested"
FIELDS: Final = all_fields(REQUEST)
_MOST_NAME: Final = 200

blueprint = Blueprint("refer", __name__)


@dataclass(frozen=True, slots=True)
class Addressee:
    """To whom it goes. `listed_*` are the directory's words, the rest is from the verified log."""

    org: OrgId
    service: str
    listed_service: str
    listed_organisation: str
    kind: str = ""
    digits: str = ""

    @property
    def country(self) -> str:
        """ISO 3166-1, lower case."""
        return country_of(self.org)


@blueprint.post("/refer")
def refer() -> Response:
    """Each step posts here; `step` says which."""
    try:
        to = _addressee()
    except ContractError:
        raise DeskError("not_an_organisation_id") from None
    step = request.form.get("step")
    if step == "check":
        return _check(to)
    if step == "send":
        return _send(to)
    return _form(to, known(FIELDS, request.form))


def _form(to: Addressee, form: Form, filled: Filled | None = None) -> Response:
    problems = {} if filled is None else filled.problems
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK
    return page(
        "refer.html",
        status=status,
        to=to,
        consent_id=_consent_id(),
        form=form,
        problems=problems,
        fields={one.name: one for one in FIELDS},
        compulsory=COMPULSORY,
        optional=OPTIONAL,
        consent=CONSENT,
    )


def _check(to: Addressee) -> Response:
    form, filled = known(FIELDS, request.form), _filled(to)
    if filled.problems:
        return _form(to, form, filled)
    try:
        with runtime().vault.use() as desk:
            checked = _checked(desk, to, filled)
    except Refused as refused:
        return _form(to, form, _refused(filled, refused))
    except (Failure, ContractError) as error:
        return _form(to, form, replace(filled, problems={GENERAL: sentence_of(error)}))
    lines: tuple[Line, ...] = sheet(filled.body)
    return page("confirm.html", to=checked, consent_id=_consent_id(), form=form, lines=lines)


def _send(to: Addressee) -> Response:
    form, filled = known(FIELDS, request.form), _filled(to)
    if filled.problems:
        return _form(to, form, filled)
    try:
        with runtime().vault.use() as desk:
            row = _sent(desk, to, filled)
    except Refused as refused:
        return _form(to, form, _refused(filled, refused))
    except (Failure, ContractError) as error:
        return _form(to, form, replace(filled, problems={GENERAL: sentence_of(error)}))
    runtime().vault.hurry(patience=runtime().patience)
    return _seen(row)


def _sent(desk: Desk, to: Addressee, filled: Filled) -> str:
    """The case that this form has become, now or when its button was pressed before."""
    already = session().sent.get(_consent_id())
    if already is not None:
        return already
    if _checked(desk, to, filled).digits != request.form.get("digits"):
        raise DeskError("recipient_changed")
    row = send_referral(desk, to=to.org, body=filled.body).case.row
    session().remember_sent(_consent_id(), row)
    return row


def _checked(desk: Desk, to: Addressee, filled: Filled) -> Addressee:
    """Everything that sending will ask. Raises `DeskError`, `Refused`."""
    now = desk.clock()
    register = register_with(desk, to.org, now=now)
    check_ourselves(register, desk, now=now)
    check_recipient(register, desk.routes, ours=desk.org, to=to.org, now=now)
    check_consent(read_request(filled.body), recipient=to.org, now=now)
    organisation = register.organisation(to.org)
    if organisation is None:
        raise DeskError("unknown_organisation", org=to.org)
    digits = fingerprint(to.org, root=organisation.root)
    return replace(to, kind=organisation.kind, digits=digits)


def _filled(to: Addressee) -> Filled:
    filled = read(FIELDS, request.form, to=to.org)
    consent = filled.body.setdefault("consent", {})
    if isinstance(consent, dict):
        consent |= {"id": _consent_id(), "version": 1, "onward_sharing": False}
    filled.body["to"] = {"service_id": to.service}
    return judged(REQUESTED, FIELDS, filled)


def _refused(filled: Filled, refused: Refused) -> Filled:
    """What a consent does not cover, at its own field."""
    sentences = {
        "recipients": _("The consent must name exactly this recipient."),
        "fields": _("The referral tells more than is ticked here. Tick it, after asking, or leave "
                    "it out above."),
        "obtained_at": _("This is in the future."),
        "expires_at": _("The consent must hold today, and end after it was given."),
    }  # fmt: skip
    field = refused.field.rpartition("/")[2]
    if refused.code != "consent" or field not in sentences:
        return replace(filled, problems={GENERAL: sentence_of(refused)})
    return replace(filled, problems={f"consent.{field}": sentences[field]})


def _addressee() -> Addressee:
    given = request.form
    return Addressee(
        org=parse_org_id(given.get("to", "")),
        service=given.get("service", "")[:_MOST_NAME],
        listed_service=given.get("listed_service", "")[:_MOST_NAME],
        listed_organisation=given.get("listed_organisation", "")[:_MOST_NAME],
    )


def _consent_id() -> str:
    """The consent's number: made with the form, so that pressing a button twice sends once."""
    given = request.form.get("consent.id", "")
    right = len(given) == 32 and set(given) <= set("0123456789abcdef")
    return given if right else secrets.token_hex(16)


def _seen(row: str) -> Response:
    answer = redirect(url_for("cases.case", row=row), code=HTTPStatus.SEE_OTHER)
    return Response(answer.get_data(), status=answer.status_code, headers=answer.headers)
