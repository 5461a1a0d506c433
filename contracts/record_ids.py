"""Stable identifiers of what a directory publishes.

HSDS wants a UUID for every record, the nested ones too. Each is a version 5 UUID (RFC 9562) of the
record's own lasting key, so that two directories, and a client that holds the signed entry, give
one record one identifier. Nothing secret goes in: anybody who knows the key can compute it.

    service_id(org, "night-shelter")
"""

from __future__ import annotations

import uuid

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:rujukan:directory")


def entity_id(kind: str, *key: str) -> str:
    """The UUID, as text, of the record of this kind with this lasting key."""
    return str(uuid.uuid5(_NAMESPACE, "\x1f".join((kind, *key))))


def organisation_id(org_id: str) -> str:
    """The UUID of the organisation that the statement log knows as `org_id`."""
    return entity_id("organization", org_id)


def service_id(org_id: str, service_key: str) -> str:
    """The UUID of one service; the organisation chooses `service_key` and keeps it."""
    return entity_id("service", org_id, service_key)
