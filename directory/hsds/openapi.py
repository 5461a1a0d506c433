"""How the interface describes itself: the OpenAPI document's parts, and the profile.

The shapes of HSDS itself are Open Referral's and are named, not repeated; what is declared here
is the least a reader of the document needs, and what our profile adds.
"""

import re
from typing import Any, Final

from directory import taxonomies

CONFIGURATION: Final = {
    "API_TITLE": "Rujukan directory",
    "API_VERSION": "3.2",
    "OPENAPI_VERSION": "3.1.0",
}
# A parameter's name may be told back to the asker; anything else may be a search gone astray.
PARAMETER: Final = re.compile(r"[a-z_]{1,32}")
_HSDS: Final = "https://docs.openreferral.org/en/v3.2.3/hsds/schema_reference.html"
_UUID: Final = {"type": "string", "format": "uuid"}
_TEXT: Final = {"type": "string"}

SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "Base": {
        "type": "object",
        "required": ["version", "profile", "openapi_url"],
        "properties": {
            "version": {"const": "3.2"},
            "profile": {"type": "string", "format": "uri"},
            "openapi_url": {"type": "string", "format": "uri"},
            "publisher": _TEXT,
        },
    },
    "Service": {
        "type": "object",
        "description": "An HSDS service.",
        "externalDocs": {"url": f"{_HSDS}#service"},
        "required": ["id"],
        "properties": {"id": _UUID, "name": _TEXT, "status": {"const": "active"}},
    },
    "Organization": {
        "type": "object",
        "description": "An HSDS organization.",
        "externalDocs": {"url": f"{_HSDS}#organization"},
        "required": ["id", "name", "description"],
        "properties": {"id": _UUID, "name": _TEXT, "description": _TEXT},
    },
}
_PAGE: Final = {
    **{n: {"type": "integer"} for n in ("total_items", "total_pages", "page_number", "size")},
    **{n: {"type": "boolean"} for n in ("first_page", "last_page", "empty")},
}
_PROFILE_TEXT: Final = (
    "HSDS 3.2. Attributes use the taxonomies below. An organisation's attribute of the taxonomy"
    " sealed_referrals says whether its desk has published keys, so that a case can be sent to it"
    " encrypted. A service with the attribute place/confidential has no location, anywhere. The"
    " lists take the further parameters country, language, population and service. Every list can"
    " be asked with POST and the parameters in a JSON body. Identifiers of organisations in the"
    " network stand in organization_identifiers with scheme and type rujukan."
)


def reference(name: str) -> dict[str, str]:
    """A reference to one of `SCHEMAS`."""
    return {"$ref": f"#/components/schemas/{name}"}


def page_of(name: str) -> dict[str, Any]:
    """The page object with contents of one of `SCHEMAS`."""
    contents = {"type": "array", "items": reference(name)}
    properties = {**_PAGE, "contents": contents}
    return {"type": "object", "required": list(properties), "properties": properties}


def describe(spec: Any) -> None:
    """Put `SCHEMAS` into an apispec document."""
    for name, schema in SCHEMAS.items():
        spec.components.schema(name, schema)


def profile() -> dict[str, Any]:
    """What the profile adds, with every taxonomy's codes and labels."""
    return {
        "name": "rujukan",
        "hsds_version": "3.2",
        "description": _PROFILE_TEXT,
        "taxonomies": [_taxonomy(name) for name in taxonomies.CODES],
    }


def _taxonomy(name: str) -> dict[str, Any]:
    found = taxonomies.taxonomy(name)
    return {
        "id": taxonomies.taxonomy_id(name),
        "name": name,
        "description": found.description,
        "review": found.review,
        "terms": [
            {
                "id": taxonomies.term_id(name, code),
                "code": code,
                "labels": {language: words[0] for language, words in labels.items()},
            }
            for code, labels in found.terms.items()
        ],
    }
