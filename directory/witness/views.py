"""The witness over HTTP: c2sp.org/tlog-witness as it is, and the two questions of a restored log.

Bodies that the specification defines are to its byte; every other refusal is a problem answer.
There is no login: a request speaks by the log's signature, and all that is read here is public.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

from flask import Blueprint, Response, current_app, jsonify, request

from broker.service.problems import problem
from contracts.checkpoints import MAX_REQUEST
from contracts.errors import Malformed
from contracts.log import join_leaves
from directory.witness.rules import Refusal
from directory.witness.store import MAX_LEAVES, Store
from directory.witness.witness import Witness

blueprint = Blueprint("witness", __name__)

NAME: Final = "rujukan_witness"
_MOST_DIGITS: Final = 15
_RETRY_SECONDS: Final = 30
_TEXT: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Runtime:
    """What the views work with."""

    witness: Witness
    store: Store


_KEPT: Final = " Nothing was signed, and what was signed before is kept."
_STOPPED: Final = " No more of this log is signed until the witness's operator has looked at it."
# code → status and sentence. 4xx as the specification says; 503: it may be asked again.
_ANSWERS: Final[dict[str, tuple[int, str]]] = {
    "malformed": (400, "The request does not have the agreed form." + _KEPT),
    "not_signed": (403, "No key of this log that is known here signed the checkpoint." + _KEPT),
    "unknown_origin": (404, "This witness follows no log of this origin." + _KEPT),
    "other_size": (409, ""),
    "other_root": (409, ""),
    "bad_proof": (422, "The proof does not lead from the tree signed last to this one." + _KEPT),
    "other_leaves": (
        422,
        "The directory's leaves do not make the tree that its log signed." + _KEPT + _STOPPED,
    ),
    "other_past": (
        422,
        "The tree does not continue what this witness's key has signed before." + _KEPT + _STOPPED,
    ),
    "behind_mark": (
        503,
        "This witness's database has lost what its key has signed." + _KEPT + " Ask again with a"
        " checkpoint that covers all the log.",
    ),
    "malformed_leaf": (422, "A leaf does not have the agreed form." + _KEPT + _STOPPED),
    "time_fell": (422, "A leaf's time lies before the leaf in front of it." + _KEPT + _STOPPED),
    "time_behind": (
        422,
        "A leaf's time lies over 600 seconds before this witness's last signature."
        + _KEPT
        + _STOPPED,
    ),
    "time_ahead": (
        422,
        "A leaf's time lies over 600 seconds ahead of this witness's clock."
        + _KEPT
        + " The operators of log and witness look whose clock is wrong.",
    ),
    "leaves_missing": (503, "The directory does not give the new leaves yet." + _KEPT),
    "directory_away": (503, "The log's directory gives no usable answer." + _KEPT),
    "leaf_waiting": (
        503,
        "The directory holds a leaf that has waited over 300 seconds for a checkpoint."
        + _KEPT
        + " Ask again with a checkpoint that covers it.",
    ),
    "clock_differs": (
        503,
        "The clocks of witness and directory differ by over 300 seconds."
        + _KEPT
        + " Their operators look whose clock is wrong.",
    ),
    "clock_fell": (
        503,
        "This witness's clock lies before its last signature."
        + _KEPT
        + " Its operator sets it right; if it was ahead when it signed, the witness needs a new"
        " key.",
    ),
    "busy": (503, "Others ask about this log at this moment." + _KEPT),
    "stopped": (503, "This log contradicted itself." + _KEPT + _STOPPED),
    "damaged": (
        503,
        "What this witness remembers of the log is damaged." + _KEPT + " Its operator has to look.",
    ),
    "unknown_rules": (
        503,
        "The network follows rules that this witness does not know."
        + _KEPT
        + " Its operator installs a newer version.",
    ),
}


@blueprint.post("/add-checkpoint")
def add_checkpoint() -> Response:
    """The cosignature on a checkpoint, or why there is none."""
    request.max_content_length = MAX_REQUEST
    try:
        lines = _runtime().witness.add_checkpoint(request.get_data())
    except Refusal as refusal:
        return _refused(refusal)
    return _fresh(Response(lines, content_type=_TEXT))


@blueprint.get("/log/checkpoint")
def checkpoint() -> Response:
    """The newest note signed, with the log's signature and our own."""
    net = _net()
    note = None if net is None else _runtime().store.kept(net).note
    if note is None:
        return problem(404, "no_checkpoint", detail="No checkpoint of such a log was signed here.")
    return _fresh(Response(note, content_type=_TEXT))


@blueprint.get("/log/leaves")
def leaves() -> Response:
    """The leaves signed, from `from` to before `to`, each with its length before it."""
    net = _net()
    if net is None:
        return _refused(Refusal("unknown_origin"))
    try:
        start = _index("from", 0)
        end = _index("to", start + MAX_LEAVES)
    except Malformed as error:
        detail = "It must be a whole number, the place of a leaf in the log."
        return problem(422, error.code, detail=detail, field=error.field)
    found = _runtime().store.leaves(net, start, min(end, start + MAX_LEAVES))
    return _fresh(Response(join_leaves(found), content_type="application/octet-stream"))


@blueprint.get("/healthz")
def healthz() -> Response:
    """Whether it answers, and how many of its logs are stopped; a stop is no fault of its own."""
    parts = _runtime()
    nets = parts.witness.nets
    stopped = {stop.net for stop in parts.store.stops()} & set(nets)
    status = "stopped" if stopped else "ok"
    return _fresh(jsonify({"status": status, "logs": len(nets), "stopped": len(stopped)}))


def _refused(refusal: Refusal) -> Response:
    status, sentence = _ANSWERS[refusal.code]
    if refusal.size is not None:
        # The specification's own body; a charset would make it another type.
        size = Response(f"{refusal.size}\n", status=status, content_type="text/x.tlog.size")
        return _fresh(size)
    wait = _RETRY_SECONDS if status == 503 else None
    return problem(status, refusal.code, detail=sentence, retry_after=wait)


def _fresh(answer: Response) -> Response:
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _runtime() -> Runtime:
    return cast("Runtime", current_app.extensions[NAME])


def _net() -> str | None:
    """The origin asked for, if it is followed."""
    net = request.args.get("origin", "")
    return net if _runtime().witness.follows(net) else None


def _index(name: str, default: int) -> int:
    value = request.args.get(name)
    if value is None:
        return default
    if not (value.isascii() and value.isdecimal()) or len(value) > _MOST_DIGITS:
        raise Malformed("bad_number", name)
    return int(value)
