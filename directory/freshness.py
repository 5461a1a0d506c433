"""How long ago somebody vouched that a listing is true. Pure."""

from datetime import date
from enum import StrEnum
from typing import Final


class Freshness(StrEnum):
    """How much a reader may rely on an entry; the bounds are whole days since it was confirmed."""

    FRESH = "fresh"
    RECENT = "recent"
    AGEING = "ageing"
    OVERDUE = "overdue"
    UNCONFIRMED = "unconfirmed"


_BOUNDS: Final = ((90, Freshness.FRESH), (180, Freshness.RECENT), (365, Freshness.AGEING))


def freshness(confirmed_on: date | None, *, today: date) -> Freshness:
    """The freshness on `today` of what was confirmed on a day, or never."""
    if confirmed_on is None:
        return Freshness.UNCONFIRMED
    age = (today - confirmed_on).days
    return next((name for bound, name in _BOUNDS if age <= bound), Freshness.OVERDUE)
