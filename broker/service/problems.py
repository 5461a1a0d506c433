"""Answers to a request that cannot be served, as RFC 9457 problem details.

    return problem(409, "other_envelope", detail="This message id was used for other bytes.")

`code` is stable and for programs; `detail` is a sentence of ours for people. Nothing a peer sent
is quoted, and a failure of our own says nothing of its cause: that is in the log, by type.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from broker.service.logs import logger

MEDIA_TYPE: Final = "application/problem+json"

_log = logger("broker.service.problems")

# What the framework itself answers: status → (code, sentence).
_ANSWERS: Final[dict[int, tuple[str, str]]] = {
    400: ("bad_request", "The request could not be understood; nothing was done."),
    401: ("login_required", "Log in first; nothing was done."),
    403: ("forbidden", "This is not allowed; nothing was done."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not answer this method."),
    413: ("too_large", "The request is larger than this address accepts; nothing was done."),
    415: ("unsupported_media_type", "This address does not accept this kind of content."),
    429: ("too_many_requests", "Too many requests; try again later."),
    503: ("unavailable", "The service cannot answer now; nothing was done. Try again later."),
}
_OTHER: Final = ("refused", "The request was refused; nothing was done.")
_OURS: Final = ("internal", "Something failed here, not on your side. Try again later.")


def problem(
    status: int, code: str, *, detail: str, field: str = "", retry_after: int | None = None
) -> Response:
    """A problem answer. `retry_after` is in seconds; `field` names the member that is wrong."""
    body: dict[str, object] = {
        "type": f"urn:rujukan:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    if field:
        body["field"] = field
    answer = Response(json.dumps(body), status=status, content_type=MEDIA_TYPE)
    if retry_after is not None:
        answer.headers["Retry-After"] = str(retry_after)
    return answer


def install_problem_answers(app: Flask) -> None:
    """Answer every refusal of the framework, and every failure of our own, as a problem.

    A more particular error handler of the app, or of one of its blueprints, goes first.
    """
    app.register_error_handler(HTTPException, _refusal)
    app.register_error_handler(Exception, _failure)


def _refusal(error: HTTPException) -> Response:
    """The framework's own description may quote the request, so only its status is used."""
    status = error.code or 500
    if status < 400:
        # A redirect is an exception too.
        return _as_is(error)
    code, detail = _ANSWERS.get(status, _OTHER if status < 500 else _OURS)
    answer = problem(status, code, detail=detail)
    for name, value in error.get_headers():
        if name.lower() in {"allow", "retry-after", "www-authenticate"}:
            answer.headers[name] = value
    return answer


def _as_is(error: HTTPException) -> Response:
    answer = error.get_response()
    return Response(answer.get_data(), status=answer.status, headers=answer.headers)


def _failure(error: Exception) -> Response:
    _log.error("request_failed", exc_info=error)
    code, detail = _OURS
    return problem(500, code, detail=detail)
