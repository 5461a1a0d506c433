"""Times as messages write them (RFC 3339, UTC, whole seconds, with Z), and the weeks of keys.

Reads no clock.
"""

import re
from datetime import UTC, date, datetime
from typing import Final, NewType

from contracts.errors import Malformed

Utc = NewType("Utc", str)  # "2026-11-21T08:30:00Z"
Day = NewType("Day", str)  # "2026-11-21", the calendar of whoever wrote it

DAY: Final = 86_400  # seconds
WEEK: Final = 7 * DAY

_FIRST_MONDAY: Final = 4 * DAY  # 1970-01-01 was a Thursday
_UTC: Final = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_DAY: Final = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}")


def utc_text(seconds: int) -> Utc:
    """Unix seconds as the text of a message."""
    return Utc(datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))


def unix_seconds(text: str, *, field: str = "at") -> int:
    """The Unix seconds of such a text.

    Raises `Malformed("bad_time", field)`, also for a day that is not in the calendar, which
    a pattern in a schema cannot see.
    """
    if not _UTC.fullmatch(text):
        raise Malformed("bad_time", field)
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except ValueError:
        raise Malformed("bad_time", field) from None


def parse_day(text: str, *, field: str = "date") -> Day:
    """A day of the calendar, or `Malformed("bad_date", field)`."""
    if not _DAY.fullmatch(text):
        raise Malformed("bad_date", field)
    try:
        date.fromisoformat(text)
    except ValueError:
        raise Malformed("bad_date", field) from None
    return Day(text)


def monday(at: int) -> int:
    """The Monday 00:00 UTC at or before a Unix time: when that time's key week began."""
    return at - (at - _FIRST_MONDAY) % WEEK
