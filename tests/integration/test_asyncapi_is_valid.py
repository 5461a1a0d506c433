"""The AsyncAPI document by AsyncAPI's own JSON Schema, as its authors publish it on npm; and the
rights it tells operators to give, as the tests of a real broker give them.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any, cast

import jsonschema
import pytest

from contracts.identifiers import OrgId
from contracts.sealing import EncryptionKeyPair
from contracts.signing import SigningKey
from tests.integration.hub.network import Device, add_user
from tests.js.packages import installed
from tests.services.rabbitmq import Vhost
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


class Recorder:
    """A vhost that only writes down what it is told."""

    def __init__(self) -> None:
        self.node, self.told = self, dict[str, Any]()

    def api(self, _method: str, path: str, body: Any) -> None:
        self.told[path.split("/")[1]] = body

    def url_for(self, *_: str) -> str:
        return ""


def test_the_rights_are_those_that_were_tried_on_a_real_broker() -> None:
    org, recorder = OrgId("my-0123456789abcdef"), Recorder()
    device = Device(org, SigningKey.generate(), EncryptionKeyPair.generate())
    add_user(cast(Vhost, recorder), device)
    rights = document(ASYNCAPI)["x-rujukan-rights"]
    assert recorder.told["permissions"] == {
        name: rights[name] for name in ("configure", "write", "read")
    }
    topic = {name: value.replace("{from}", org) for name, value in rights["topic"].items()}
    assert recorder.told["topic-permissions"] == topic
