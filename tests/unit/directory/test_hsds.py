"""The HSDS interface: valid by the official schemas, strict about parameters, open to read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from referencing import Registry, Resource

from contracts.record_ids import organisation_id, service_id
from directory import taxonomies
from tests.unit.directory.support import (
    ADDRESS,
    GOOD,
    NOW,
    ORG,
    OTHER,
    Member,
    Served,
    admit,
    served,
    store,
)

REPOSITORY = Path(__file__).parents[3]
SCHEMAS = Path(os.environ.get("HSDS_SCHEMAS", REPOSITORY.parent / "shared" / "hsds-3.2")) / "schema"
SERVICE = service_id(ORG, "shelter")
ROWS = [
    GOOD,
    {**GOOD, **ADDRESS, "service_key": "office", "hotline": "+60 3-1000 0000"},
    {**GOOD, "service_key": "secret", "confidential": "yes", "confirmed_on": "", "phone": ""},
    {
        **GOOD,
        "org_id": OTHER,
        "org_name": "Shapla DEMO",
        "country": "BD",
        "service_name": "শাপলা",
        "services": "reintegration",
        "org_website": "",
        "org_email": "",
        "languages": "ben",
        "phone": "+880 5-0000000",
    },
]


@pytest.fixture
def directory(tmp_path: Path) -> Served:
    made = served(tmp_path)
    store(made.engine, ROWS)
    admit(made.runtime.log, Member.new(ORG))
    return made


def validator(name: str) -> Draft202012Validator:
    """The official schema `name`, its relative references read from beside it."""
    if not SCHEMAS.is_dir():
        pytest.skip(f"the official HSDS schemas are not at {SCHEMAS}; set HSDS_SCHEMAS")

    def read(uri: str) -> Resource[Any]:
        content = json.loads((SCHEMAS / uri.rpartition("/")[2]).read_text(encoding="utf-8"))
        return Resource.from_contents(
            content | {"$schema": "https://json-schema.org/draft/2020-12/schema"}
        )

    registry: Registry[Any] = Registry(retrieve=read)  # type: ignore[call-arg]  # hidden by attrs
    checker = Draft202012Validator.FORMAT_CHECKER
    schema = {"$ref": f"https://hsds.example/{name}.json"}
    return Draft202012Validator(schema, registry=registry, format_checker=checker)


def get(directory: Served, address: str) -> Any:
    answer = directory.client.get(address)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()


def values_of(value: object) -> Iterator[object]:
    yield value
    if isinstance(value, Mapping):
        for one in value.values():
            yield from values_of(one)
    elif isinstance(value, list):
        for one in value:
            yield from values_of(one)


@pytest.mark.parametrize(
    ("address", "schema"),
    [
        ("/services", "service"),
        ("/services?full=true", "service"),
        ("/services?search=shelter", "service"),
        ("/organizations", "organization"),
    ],
)
def test_everything_in_a_list_is_valid_by_the_official_schema(
    directory: Served, address: str, schema: str
) -> None:
    page = get(directory, address)
    assert page["contents"]
    for one in page["contents"]:
        validator(schema).validate(one)


def test_every_service_and_organisation_is_valid_by_the_official_schema(
    directory: Served,
) -> None:
    for one in get(directory, "/services")["contents"]:
        validator("service").validate(get(directory, f"/services/{one['id']}"))
    for one in get(directory, "/organizations")["contents"]:
        full = get(directory, f"/organizations/{one['id']}?full_service=true")
        validator("organization").validate(full)
        for service in full["services"]:
            validator("service").validate(service)


def test_the_validator_can_fail(directory: Served) -> None:
    broken = get(directory, f"/services/{SERVICE}") | {"status": "open"}
    assert not validator("service").is_valid(broken)
    full = get(directory, f"/services/{service_id(ORG, 'office')}")
    full["service_at_locations"][0]["location"]["addresses"][0].pop("city")
    assert not validator("service").is_valid(full)


@pytest.mark.parametrize(
    "address", ["/services?full=true", "/organizations", f"/services/{SERVICE}", "/", "/profile"]
)
def test_no_answer_holds_a_null(directory: Served, address: str) -> None:
    assert None not in values_of(get(directory, address))


def test_the_entry_says_version_profile_and_description(directory: Served) -> None:
    base = get(directory, "/")
    assert base["version"] == "3.2"
    assert base["publisher"]
    for name in ("profile", "openapi_url"):
        address = base[name].removeprefix("http://localhost")
        assert directory.client.get(address).status_code == 200


@pytest.mark.parametrize(
    ("accept", "language", "status"),
    [
        ("*/*", "bn", 200),
        ("application/json", "bn", 200),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "bn-BD,en;q=0.5", 303),
        ("text/html;q=0.2,application/json", "bn", 200),
    ],
)
def test_a_browser_is_sent_to_the_pages_and_a_program_is_answered(
    directory: Served, accept: str, language: str, status: int
) -> None:
    answer = directory.client.get("/", headers={"Accept": accept, "Accept-Language": language})
    assert answer.status_code == status
    assert answer.headers["Vary"] == "Accept, Accept-Language"
    if status == 303:
        assert answer.headers["Location"] == "/bn/"


def test_an_organisations_id_in_the_network_is_among_its_identifiers(directory: Served) -> None:
    answer = get(directory, f"/organizations/{organisation_id(ORG)}")
    (identifier,) = answer["organization_identifiers"]
    assert identifier["identifier"] == ORG
    assert (identifier["identifier_scheme"], identifier["identifier_type"]) == (
        "rujukan",
        "rujukan",
    )


def test_who_can_receive_a_sealed_referral_is_told_from_the_register(directory: Served) -> None:
    def told(org: str) -> set[str]:
        answer = get(directory, f"/organizations/{organisation_id(org)}")
        terms = [one["taxonomy_term"] for one in answer["attributes"]]
        return {one["code"] for one in terms if one["taxonomy"] == "sealed_referrals"}

    assert told(ORG) == {"can_receive"}
    assert told(OTHER) == {"cannot_receive_yet"}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"country": "BD"}, 1),
        ({"country": "my"}, 3),
        ({"language": "ben"}, 4),
        ({"language": "msa"}, 3),
        ({"population": "men"}, 0),
        ({"service": "legal_aid"}, 3),
        ({"service": "legal_aid", "country": "BD"}, 0),
        ({"organization_id": organisation_id(OTHER)}, 1),
        ({"taxonomy_term_id": taxonomies.term_id("service", "reintegration")}, 1),
        ({"taxonomy_term_id": organisation_id(OTHER)}, 0),
        ({"search": "শাপলা"}, 1),
        ({"search": "tempat perlindungan", "country": "my"}, 3),
        ({"modified_after": "2027-01-15T08:00:00Z"}, 4),
        ({"modified_after": "2027-01-15T16:00:00+08:00"}, 4),
        ({"modified_after": "2027-01-15T08:00:01Z"}, 0),
    ],
)
def test_filters_hold_together_in_addresses_and_bodies_alike(
    directory: Served, filters: dict[str, str], expected: int
) -> None:
    asked = directory.client.get("/services", query_string=filters).get_json()
    posted = directory.client.post("/services", json=filters)
    assert asked["total_items"] == expected
    assert posted.get_json() == asked
    assert posted.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("page", "0"),
        ("page", "x"),
        ("per_page", "101"),
        ("country", "MYS"),
        ("language", "en"),
        ("service", "sheltering"),
        ("population", "all"),
        ("organization_id", "1"),
        ("modified_after", "yesterday"),
        ("minimal", "perhaps"),
        ("search", "x" * 201),
        ("serch", "canary"),
    ],
)
def test_a_bad_or_unknown_parameter_is_refused_by_name_and_not_quoted(
    directory: Served, name: str, value: str
) -> None:
    for answer in (
        directory.client.get("/services", query_string={name: value}),
        directory.client.post("/services", json={name: value}),
    ):
        assert answer.status_code == 422
        assert answer.content_type == "application/problem+json"
        assert answer.get_json()["field"] == name
        assert len(value) < 4 or value not in answer.get_data(as_text=True)


def test_a_search_in_the_place_of_a_name_is_not_repeated(directory: Served) -> None:
    answer = directory.client.get("/services?canary%20text")
    assert answer.status_code == 422
    assert "canary" not in answer.get_data(as_text=True)


def test_a_body_that_is_not_json_does_not_list_everything(directory: Served) -> None:
    assert directory.client.post("/services", data="search=x").status_code == 415
    form = directory.client.post("/services", data={"search": "x"})
    assert form.status_code == 415


def test_the_page_object_counts_right(directory: Served) -> None:
    first = get(directory, "/services?per_page=3")
    last = get(directory, "/services?per_page=3&page=2")
    beyond = get(directory, "/services?per_page=3&page=3")
    assert (first["total_items"], first["total_pages"], first["size"]) == (4, 2, 3)
    assert (first["first_page"], first["last_page"], first["empty"]) == (True, False, False)
    assert (last["size"], last["first_page"], last["last_page"]) == (1, False, True)
    assert (beyond["size"], beyond["empty"], beyond["contents"]) == (0, True, [])


def test_minimal_says_only_which_and_when(directory: Served) -> None:
    page = get(directory, "/services?minimal=true")
    assert {frozenset(one) for one in page["contents"]} == {
        frozenset({"id", "modified_date", "last_modified"})
    }


def test_an_unchanged_answer_is_not_sent_again(directory: Served) -> None:
    first = directory.client.get("/services")
    tag = {"If-None-Match": first.headers["ETag"]}
    assert first.headers["Cache-Control"] == "no-cache"
    assert directory.client.get("/services", headers=tag).status_code == 304
    store(directory.engine, [{**ROWS[-1], "service_name": "Shapla Baharu"}], now=NOW + 1)
    assert directory.client.get("/services", headers=tag).status_code == 200


@pytest.mark.parametrize("address", ["/services", "/services?page=0", "/", "/openapi.json"])
def test_any_page_may_read_it_without_credentials(directory: Served, address: str) -> None:
    answer = directory.client.get(address)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Set-Cookie" not in answer.headers


def test_a_private_search_from_another_page_is_allowed(directory: Served) -> None:
    answer = directory.client.options("/services")
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, POST"
    assert answer.headers["Access-Control-Allow-Headers"] == "Content-Type"


@pytest.mark.parametrize("kind", ["services", "organizations"])
def test_what_is_not_there_is_a_problem(directory: Served, kind: str) -> None:
    answer = directory.client.get(f"/{kind}/00000000-0000-5000-8000-000000000000")
    assert answer.status_code == 404
    assert answer.get_json()["code"] == "not_found"


def test_the_interface_describes_itself_in_valid_openapi(directory: Served) -> None:
    description = get(directory, "/openapi.json")
    validate(description)
    assert {"/", "/services", "/services/{service_id}", "/organizations"} <= set(
        description["paths"]
    )
    names = {one["name"] for one in description["paths"]["/services"]["get"]["parameters"]}
    assert {"search", "page", "per_page", "country", "language", "full", "minimal"} <= names
