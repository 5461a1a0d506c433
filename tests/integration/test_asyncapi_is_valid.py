"""The AsyncAPI document by AsyncAPI's own JSON Schema, as its authors publish it on npm."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from tests.js.packages import installed
from tests.unit.contracts.documents import ASYNCAPI, document


@pytest.fixture(scope="module")
def asyncapi() -> Any:
    """A validator for the version that the document names."""
    version = document(ASYNCAPI)["asyncapi"]
    path = installed() / "@asyncapi" / "specs" / "schemas" / f"{version}.json"
    schema = json.loads(path.read_bytes())
    return jsonschema.validators.validator_for(schema)(schema)


def test_it_is_valid_asyncapi_3(asyncapi: Any) -> None:
    assert document(ASYNCAPI)["asyncapi"].startswith("3.")
    assert [error.json_path for error in asyncapi.iter_errors(document(ASYNCAPI))] == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda it: it["operations"]["submit"].update(action="publish"),
        lambda it: it["channels"]["submit"]["bindings"]["amqp"]["exchange"].update(type="topical"),
        lambda it: it["components"]["securitySchemes"]["device"].update(type="password"),
        lambda it: it["components"]["messages"]["submitted"].update(body={}),
    ],
    ids=["action", "exchange type", "security", "unknown member"],
)
def test_that_schema_sees_a_fault(asyncapi: Any, spoil: Callable[[Any], None]) -> None:
    spoilt = copy.deepcopy(document(ASYNCAPI))
    spoil(spoilt)
    assert list(asyncapi.iter_errors(spoilt)) != []
