"""The nine compulsory parts as a person fills them in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from broker.desk.unlocking import Desk
from tests.unit.desk.simulated import SERVICE, World

COMPULSORY: Final = (
    ("urgency", "urgent_72h"),
    ("needs", "counselling"),
    ("where.now.country", "my"),
    ("where.now.setting", "shelter"),
    ("where.wants.country", "bd"),
    ("person.age_band", "20_24"),
    ("person.languages", "ben"),
    ("safety.contact_mode", "none"),
    ("consent.recipients", "yes"),
    ("consent.fields", "where"),
    ("consent.fields", "person"),
    ("consent.fields", "safety"),
    ("consent.fields", "needs"),
    ("consent.purposes", "assess"),
    ("consent.method", "verbal"),
    ("consent.language", "ben"),
    ("consent.obtained_by", "caseworker"),
    ("consent.free_to_leave", "yes"),
)


def filled_in(world: World, to: Desk) -> list[tuple[str, str]]:
    """A form that is complete today."""
    now = datetime.fromtimestamp(world.clock(), UTC).astimezone()
    return [
        ("to", to.org),
        ("service", SERVICE),
        ("listed_service", "Asha shelter"),
        ("listed_organisation", "Asha"),
        ("consent.id", "0123456789abcdef0123456789abcdef"),
        *COMPULSORY,
        ("consent.obtained_at", (now - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M")),
        ("consent.expires_at", (now + timedelta(days=30)).date().isoformat()),
    ]
