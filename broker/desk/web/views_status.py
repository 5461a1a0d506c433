"""How the desk stands, and who we are: the digits others compare with what their screens show."""

from __future__ import annotations

import contextlib

from flask import Blueprint, Response

from broker.desk.standing import look
from broker.desk.unlocking import SYNC_EVERY, Desk
from broker.desk.web.pages import page, runtime
from broker.desk.web.sentences import sentence_of
from broker.service.failures import Failure
from contracts.fingerprint import fingerprint

blueprint = Blueprint("standing", __name__)


@blueprint.get("/status")
def status() -> Response:
    """What is outstanding, and whether the machinery works."""
    shared = runtime()
    with shared.vault.use() as desk:
        _catch_up(desk)
        standing, org, digits = look(desk), desk.org, _our_digits(desk)
    return page(
        "status.html",
        standing=standing,
        org=org,
        digits=digits,
        net=shared.root.net,
        root_hash=shared.root.hash,
        troubles=[sentence_of(one) for one in shared.vault.troubles],
    )


def _catch_up(desk: Desk) -> None:
    """Take over what the errands' own copy of the log has read; what hinders them, they say."""
    with contextlib.suppress(Failure):
        desk.log.ensure_fresh(SYNC_EVERY)


def _our_digits(desk: Desk) -> str:
    """Empty before the network has admitted us, or where its log is not believed."""
    try:
        ours = desk.log.register.organisation(desk.org)
    except Failure:
        return ""
    return "" if ours is None else fingerprint(desk.org, root=ours.root)
