"""Our keys on a page: who we are, our devices, what waits, and freezing a device.

What needs the stick is not done here but explained with its command: a browser never asks for a
root key. Freezing is asked twice, with everything that it does in between.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from broker.desk.errors import DeskError
from broker.desk.keys_standing import KeysStanding, keys_standing, last_to_receive
from broker.desk.paper import fingerprint_code, qr_image
from broker.desk.stopping import check_admin, freeze_device, our_device
from broker.desk.unlocking import SYNC_EVERY, Desk
from broker.desk.web.pages import page, runtime
from broker.service.failures import Failure
from broker.service.language import gettext as _
from broker.service.language import lazy_gettext as _l
from contracts.standing import Device

blueprint = Blueprint("keys", __name__)

STATES: Final[Mapping[str, object]] = {
    "in_force": _l("In force"),
    "waits": _l("Does not count yet"),
    "not_yet": _l("Has not begun"),
    "over": _l("Has ended: make a new device"),
    "paused": _l("Silent while the organisation is frozen"),
    "frozen": _l("Frozen for good"),
    "revoked": _l("Given up"),
}
ROLES: Final[Mapping[str, object]] = {
    "admin": _l("Administrator"),
    "caseworker": _l("Caseworker"),
    "system": _l("Own system"),
}


@blueprint.get("/keys")
def show() -> Response:
    """Who we are in the network, and how our keys stand."""
    with runtime().vault.use() as desk:
        _catch_up(desk)
        return _page(keys_standing(desk), may_freeze=_may_freeze(desk))


@blueprint.post("/keys/freeze")
def freeze() -> AnyResponse:
    """Ask once more, then freeze a device for good. Nothing happens without the second answer."""
    named = request.form.get("device", "")
    with runtime().vault.use() as desk:
        _catch_up(desk)
        check_admin(desk)
        device = our_device(desk.log.register, desk.org, named)
        if request.form.get("step") != "freeze":
            return _ask(desk, device)
        problem, since = _since(request.form.get("since", ""), now=desk.clock())
        if request.form.get("sure") != "yes":
            problem = problem or _("Tick that you have read what happens. Nothing was done.")
        if problem:
            return _ask(desk, device, problem=problem)
        freeze_device(desk, device.key_id, since=since)
    return redirect(url_for("keys.show"), code=303)


def _page(standing: KeysStanding, *, may_freeze: bool) -> Response:
    code = ""
    if standing.digits:
        code = qr_image(fingerprint_code(standing.org, standing.digits))
    return page(
        "keys.html",
        keys=standing,
        code=code,
        may_freeze=may_freeze,
        device_states=STATES,
        device_roles=ROLES,
    )


def _ask(desk: Desk, device: Device, *, problem: str = "") -> Response:
    organisation = desk.log.register.organisation(desk.org)
    devices = () if organisation is None else organisation.devices
    return page(
        "keys_freeze.html",
        device=device,
        problem=problem,
        since=request.form.get("since", ""),
        device_is_here=device.key_id == desk.ring.device,
        device_roles=ROLES,
        last=last_to_receive(devices, device.key_id, now=desk.clock()),
    )


def _catch_up(desk: Desk) -> None:
    """What hinders reading the log, the Status page says."""
    with contextlib.suppress(Failure):
        desk.log.ensure_fresh(SYNC_EVERY)


def _may_freeze(desk: Desk) -> bool:
    try:
        check_admin(desk)
    except DeskError:
        return False
    return True


def _since(text: str, *, now: int) -> tuple[str, int]:
    """A problem as a sentence, or "" and the time in Unix seconds; the field is in UTC."""
    try:
        at = int(datetime.strptime(text, "%Y-%m-%dT%H:%M").replace(tzinfo=UTC).timestamp())
    except ValueError:
        at = -1
    if not 0 <= at <= now:
        return _("Say since when, not in the future. Nothing was done."), 0
    return "", at
