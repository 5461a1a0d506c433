"""Sending a referral: the form, then to whom exactly it goes, and only then it is sealed.

What was typed travels with the form from page to page and is kept nowhere here. The last step
checks everything again: also that the recipient's root key is the one whose digits were shown,
and that this form has not become a case already.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

from flask import Blueprint, Response, redirect, request, url_for

from broker.desk.errors import DeskError
from broker.desk.peers import check_ourselves, check_recipient, register_with
from broker.desk.sending import corridor_of, findings, read_request, send_referral
from broker.desk.unlocking import Desk
from broker.desk.web.fields import COMPULSORY, CONSENT, OPTIONAL, REQUEST, all_fields
from broker.desk.web.forms import GENERAL, Filled, Form, judged, known, read
from broker.desk.web.pages import page, runtime, session
from broker.desk.web.sentences import sentence_of, sentence_of_code
from broker.desk.web.sheets import Line, sheet
from broker.service.failures import Failure
from broker.service.language import Text
from broker.service.language import lazy_gettext as _l
from contracts.errors import ContractError
from contracts.fingerprint import fingerprint
from contracts.identifiers import OrgId, country_of, parse_org_id
from contracts.safety import Finding, Weight
from countries.corridor import Requirement, outstanding

REQUESTED: Final = "referral.requested"
FIELDS: Final = all_fields(REQUEST)
# Where on the form somebody mends what a safety rule refuses; a consent's rule names its member.
_MENDED_AT: Final = {
    "best_interest_not_asked": "guardian.best_interest",
    "child_does_not_agree": "guardian.assent",
    "guardian_in_harm": "consent.method",
    "guardian_not_asked": "guardian.status",
    "receiver_not_to_be_contacted": "safety.do_not_contact",
    "return_without_own_wish": "return.own_wish",
    "return_without_risk": "return.risk_assessment.date",
    "separate_consent_needed": "consent.purposes",
    "text_has_address": "note.text",
    "text_has_number": "note.text",
    "text_repeats_identity": "note.text",
    "wish_before_risk": "return.risk_assessment.date",
}
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


@dataclass(frozen=True, slots=True)
class Checked:
    """What everything that sending will ask has found; `refused` by field of the form."""

    to: Addressee
    refused: Mapping[str, str]
    remarks: tuple[str, ...] = ()
    requirements: tuple[Requirement, ...] = ()

    @property
    def unmet(self) -> tuple[Requirement, ...]:
        """What the two countries ask for and is not there yet."""
        return outstanding(self.requirements)

    @property
    def stuck(self) -> bool:
        """Whether some of that changes only with the referral itself."""
        return any(not one.confirmable for one in self.unmet)


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
    except (Failure, ContractError) as error:
        return _form(to, form, replace(filled, problems={GENERAL: sentence_of(error)}))
    if checked.refused:
        return _form(to, form, replace(filled, problems=checked.refused))
    return _confirm(checked, form, filled, refused=checked.stuck)


def _confirm(checked: Checked, form: Form, filled: Filled, *, refused: bool) -> Response:
    """To whom exactly, what, and what the two countries ask for; `refused`: some is not there."""
    lines: tuple[Line, ...] = sheet(REQUESTED, filled.body)
    problem = sentence_of(DeskError("corridor_unmet", unmet="")) if refused else ""
    return page(
        "confirm.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK,
        to=checked.to,
        remarks=checked.remarks,
        requirements=checked.requirements,
        consent_id=_consent_id(),
        form=form,
        lines=lines,
        problem=problem,
        stuck=checked.stuck,
    )


def _send(to: Addressee) -> Response:
    form, filled = known(FIELDS, request.form), _filled(to)
    already = session().sent.get(_consent_id())
    if already is not None:
        return _seen(already)
    if filled.problems:
        return _form(to, form, filled)
    try:
        with runtime().vault.use() as desk:
            checked = _checked(desk, to, filled)
            if checked.refused:
                return _form(to, form, replace(filled, problems=checked.refused))
            if checked.unmet:
                return _confirm(checked, form, filled, refused=True)
            row = _sent(desk, checked.to, filled)
    except (Failure, ContractError) as error:
        return _form(to, form, replace(filled, problems={GENERAL: sentence_of(error)}))
    runtime().vault.hurry(patience=runtime().patience)
    return _seen(row)


def _sent(desk: Desk, to: Addressee, filled: Filled) -> str:
    """The case that this form becomes."""
    if to.digits != request.form.get("digits"):
        raise DeskError("recipient_changed")
    sent = send_referral(desk, to=to.org, body=filled.body, confirmed=_confirmed())
    row = "" if sent.case is None else sent.case.row
    session().remember_sent(_consent_id(), row)
    return row


def _checked(desk: Desk, to: Addressee, filled: Filled) -> Checked:
    """Everything that sending will ask. Raises `DeskError`."""
    now = desk.clock()
    register = register_with(desk, to.org, now=now)
    check_ourselves(register, desk, now=now)
    check_recipient(register, desk.routes_in(register), ours=desk.org, to=to.org, now=now)
    organisation = register.organisation(to.org)
    if organisation is None:
        raise DeskError("unknown_organisation", org=to.org)
    asked = read_request(filled.body)
    found = findings(desk, asked, to=to.org, now=now)
    digits = fingerprint(to.org, root=organisation.root)
    return Checked(
        to=replace(to, kind=organisation.kind, digits=digits),
        refused=_refused(one for one in found if one.weight is Weight.REFUSE),
        remarks=tuple(_sentence(one) for one in found if one.weight is not Weight.REFUSE),
        requirements=corridor_of(desk, asked, to=to.org, confirmed=_confirmed()),
    )


def _confirmed() -> tuple[str, ...]:
    """What somebody has ticked as seen to, by code."""
    return tuple(request.form.getlist("confirmed"))


def _filled(to: Addressee) -> Filled:
    filled = read(FIELDS, request.form, to=to.org)
    consent = filled.body.setdefault("consent", {})
    if isinstance(consent, dict):
        consent |= {"id": _consent_id(), "version": 1, "onward_sharing": False}
    filled.body["to"] = {"service_id": to.service}
    return judged(REQUESTED, FIELDS, filled)


def _refused(found: Iterable[Finding]) -> Mapping[str, str]:
    """What stands against sending, at the fields that mend it."""
    problems: dict[str, str] = {}
    for one in found:
        name = _MENDED_AT.get(one.code, GENERAL)
        member = one.field.rpartition("/")[2]
        if one.code == "consent" and member in _OF_CONSENT:
            problems.setdefault(f"consent.{member}", str(_OF_CONSENT[member]))
        elif name in problems:
            problems[name] += f" {_sentence(one)}"
        else:
            problems[name] = _sentence(one)
    return problems


_OF_CONSENT: Final[Mapping[str, Text]] = {
    "recipients": _l("The consent must name exactly this recipient."),
    "fields": _l(
        "The referral tells more than is ticked here. Tick it, after asking, or leave it out above."
    ),
    "obtained_at": _l("This is in the future."),
    "expires_at": _l("The consent must hold today, and end after it was given."),
}


def _sentence(one: Finding) -> str:
    return sentence_of_code(one.code, field=one.field)


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
