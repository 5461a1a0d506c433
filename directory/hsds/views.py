"""The HSDS addresses: what is asked, which listings answer, headers. Rendering is elsewhere.

Anybody may read, from any page on the web (CORS), without a key. Answers carry an ETag and are
to be revalidated: a number that has been taken out must not live on in a cache. Each list has a
POST twin that takes the same parameters in its body, so that a search stays out of addresses,
histories and proxies' logs.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from flask import Flask, Response, redirect, request
from flask_smorest import Api, Blueprint
from marshmallow import RAISE
from werkzeug.exceptions import UnprocessableEntity
from werkzeug.wrappers import Response as AnyResponse

from broker.service.language import negotiate
from broker.service.problems import problem
from contracts.encoding import parse_json
from contracts.errors import Malformed
from directory.db import db
from directory.hsds import openapi
from directory.hsds.parameters import (
    OrganizationParameters,
    OrganizationsParameters,
    ServicesParameters,
    service_query,
)
from directory.hsds.render import (
    Json,
    organisation_json,
    page_json,
    service_in_list,
    service_json,
    service_minimal,
)
from directory.listings import (
    count_organisations,
    organisation_by_id,
    organisations,
    service_by_id,
    services_by_id,
)
from directory.models import Service
from directory.runtime import runtime
from directory.taxonomies import INTERFACE_LANGUAGES

VERSION: Final = "3.2"
PUBLISHER: Final = "Rujukan directory"

blueprint = Blueprint("hsds", __name__, description="HSDS 3.2")


class _Api(Api):  # type: ignore[misc]  # flask-smorest has no types
    """flask-smorest for the description of the interface; errors are answered in our own form."""

    def _register_error_handlers(self) -> None:
        """Left out: it would take over every error of the application."""


def install_hsds(app: Flask) -> None:
    """Add the addresses to `app`, and the description of them at `/openapi.json`."""
    app.config |= openapi.CONFIGURATION
    api = _Api(app)
    openapi.describe(api.spec)
    api.register_blueprint(blueprint)
    description = json.dumps(api.spec.to_dict(), ensure_ascii=False).encode()
    app.add_url_rule(
        "/openapi.json", "openapi", lambda: _open_to_all(_answer(description)), methods=["GET"]
    )


@blueprint.route("/", methods=["GET"])
@blueprint.alt_response(200, schema=openapi.reference("Base"))
def base() -> AnyResponse:
    """What this is, for programs; people's browsers are sent to the pages in their language."""
    asked = request.accept_mimetypes
    if asked["text/html"] > asked["application/json"]:
        language = negotiate(request.headers.get("Accept-Language", ""), INTERFACE_LANGUAGES)
        answer: AnyResponse = redirect(f"/{language}/", code=303)
    else:
        answer = _json(_base(runtime().settings.public_url or request.url_root.rstrip("/")))
    answer.headers["Vary"] = "Accept, Accept-Language"
    return answer


@blueprint.route("/services", methods=["GET"])
@blueprint.arguments(ServicesParameters, location="query", unknown=RAISE)
@blueprint.alt_response(200, schema=openapi.page_of("Service"))
def services(parameters: Mapping[str, Any]) -> Response:
    """Services, best first where words are given, else the freshest first."""
    return _json(_services(parameters))


@blueprint.route("/services", methods=["POST"])
@blueprint.arguments(ServicesParameters, location="json", unknown=RAISE)
@blueprint.alt_response(200, schema=openapi.page_of("Service"))
def services_privately(parameters: Mapping[str, Any]) -> Response:
    """The same list, asked for in the body."""
    return _unstored(_json(_services(parameters)))


@blueprint.route("/services/<uuid:service_id>", methods=["GET"])
@blueprint.alt_response(200, schema=openapi.reference("Service"))
def service(service_id: UUID) -> Response:
    """One service, fully nested."""
    found = service_by_id(db.session, str(service_id))
    if found is None:
        return _gone("There is no such service. It may have been taken out of the directory.")
    return _json(_full([found])[0])


@blueprint.route("/organizations", methods=["GET"])
@blueprint.arguments(OrganizationsParameters, location="query", unknown=RAISE)
@blueprint.alt_response(200, schema=openapi.page_of("Organization"))
def organizations(parameters: Mapping[str, Any]) -> Response:
    """Organisations in the order of their names."""
    return _json(_organizations(parameters))


@blueprint.route("/organizations", methods=["POST"])
@blueprint.arguments(OrganizationsParameters, location="json", unknown=RAISE)
@blueprint.alt_response(200, schema=openapi.page_of("Organization"))
def organizations_privately(parameters: Mapping[str, Any]) -> Response:
    """The same list, asked for in the body."""
    return _unstored(_json(_organizations(parameters)))


@blueprint.route("/organizations/<uuid:organization_id>", methods=["GET"])
@blueprint.arguments(OrganizationParameters, location="query", unknown=RAISE)
@blueprint.alt_response(200, schema=openapi.reference("Organization"))
def organization(parameters: Mapping[str, Any], organization_id: UUID) -> Response:
    """One organisation, with its services if asked for."""
    found = organisation_by_id(db.session, str(organization_id))
    if found is None:
        return _gone("There is no such organisation in the directory.")
    receives = runtime().log.receivers()
    answer = organisation_json(found, can_receive=receives(found.org_id))
    if parameters["full_service"]:
        ids = [one.id for one in found.services]
        answer["services"] = _full(services_by_id(db.session, ids))
    return _json(answer)


@blueprint.route("/profile", methods=["GET"])
@blueprint.alt_response(200, schema={"type": "object"})
def profile() -> Response:
    """What our profile adds to HSDS, in words and with the codes of its taxonomies."""
    return _json(openapi.profile())


@blueprint.before_request
def _refuse_other_bodies() -> Response | None:
    """A body that is not JSON would be read as no parameters: everything would be listed.

    JSON is read strictly before anything else reads it: the framework's reader fails on what is
    nested too deep or has a number too long.
    """
    if request.method != "POST":
        return None
    if not request.is_json:
        detail = "Send the parameters as JSON (Content-Type: application/json); nothing was"
        return problem(415, "unsupported_media_type", detail=f"{detail} searched.")
    body = request.get_data()
    try:
        parse_json(body or b"{}", limit=len(body) + 2)
    except Malformed as error:
        detail = "The parameters are not JSON as this address reads it; nothing was searched."
        return problem(400, error.code, detail=detail)
    return None


@blueprint.after_request
def _open_to_all(response: AnyResponse) -> AnyResponse:
    """Public data: any page on the web may read it, and no credentials are ever looked at."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = "GET, POST"
        response.headers["Access-Control-Allow-Headers"] = "Content-Type"
    return response


@blueprint.errorhandler(UnprocessableEntity)
def _refused_parameter(error: UnprocessableEntity) -> Response:
    """Name the first parameter that is wrong; what stood in it is not repeated."""
    messages: Mapping[str, Any] = getattr(error, "data", {}).get("messages", {})
    wrong: object = next(iter(messages.values()), {})
    name = next(iter(wrong), "") if isinstance(wrong, Mapping) else ""
    known = openapi.PARAMETER.fullmatch(str(name)) is not None
    return problem(
        422,
        "bad_parameter",
        detail="A parameter is unknown here or its value is not of its kind; nothing was searched."
        " The parameters are described at /openapi.json.",
        field=str(name) if known else "",
    )


def _base(url: str) -> Json:
    return {
        "version": VERSION,
        "profile": f"{url}/profile",
        "openapi_url": f"{url}/openapi.json",
        "publisher": PUBLISHER,
    }


def _services(parameters: Mapping[str, Any]) -> Json:
    query = service_query(parameters)
    results = runtime().search.find(query) if query else None
    ids = [hit.service_id for hit in results.hits] if results else []
    found = services_by_id(db.session, ids)
    if parameters["minimal"]:
        contents = [service_minimal(one) for one in found]
    elif parameters["full"]:
        contents = _full(found)
    else:
        contents = [service_in_list(one) for one in found]
    total = results.total if results else 0
    return page_json(
        contents, total=total, page=parameters["page"], per_page=parameters["per_page"]
    )


def _organizations(parameters: Mapping[str, Any]) -> Json:
    page, per_page = parameters["page"], parameters["per_page"]
    found = organisations(db.session, offset=(page - 1) * per_page, limit=per_page)
    receives = runtime().log.receivers()
    contents = [organisation_json(one, can_receive=receives(one.org_id)) for one in found]
    total = count_organisations(db.session)
    return page_json(contents, total=total, page=page, per_page=per_page)


def _full(found: Sequence[Service]) -> list[Json]:
    receives = runtime().log.receivers()
    return [service_json(one, can_receive=receives(one.organisation.org_id)) for one in found]


def _json(value: Json) -> Response:
    return _answer(json.dumps(value, ensure_ascii=False).encode())


def _answer(body: bytes) -> Response:
    answer = Response(body, content_type="application/json")
    answer.headers["Cache-Control"] = "no-cache"
    answer.set_etag(hashlib.sha256(body).hexdigest()[:32])
    answer.make_conditional(request)
    return answer


def _unstored(answer: Response) -> Response:
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _gone(detail: str) -> Response:
    return problem(404, "not_found", detail=detail)
