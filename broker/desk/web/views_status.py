"""How the desk stands, and who we are: the digits others compare with what their screens show."""

from __future__ import annotations

import contextlib

from flask import Blueprint, Response

from broker.desk.keys_standing import KeysStanding, keys_standing
from broker.desk.standing import look
from broker.desk.unlocking import SYNC_EVERY, Desk
from broker.desk.web.pages import page, runtime
from broker.desk.web.sentences import sentence_of
from broker.service.failures import Failure

blueprint = Blueprint("standing", __name__)


@blueprint.get("/status")
def status() -> Response:
    """What is outstanding, and whether the machinery works."""
    shared = runtime()
    with shared.vault.use() as desk:
        _catch_up(desk)
        standing, org, keys = look(desk), desk.org, _our_keys(desk)
    return page(
        "status.html",
        standing=standing,
        org=org,
        keys=keys,
        digits=keys.digits if keys is not None and keys.admitted is not None else "",
        net=shared.root.net,
        root_hash=shared.root.hash,
        troubles=[sentence_of(one) for one in shared.vault.troubles],
    )


def _catch_up(desk: Desk) -> None:
    """Take over what the errands' own copy of the log has read; what hinders them, they say."""
    with contextlib.suppress(Failure):
        desk.log.ensure_fresh(SYNC_EVERY)


def _our_keys(desk: Desk) -> KeysStanding | None:
    """None where the log is not believed."""
    try:
        return keys_standing(desk)
    except Failure:
        return None
