"""Times between people and messages: people read and write this computer's zone, messages UTC.

moment(1795200000)  →  "21 Nov 2026, 16:00", in the page's language
utc_of_moment("2026-11-21T16:00")  →  "2026-11-21T08:00:00Z"
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale
from babel.dates import format_date, format_datetime

from broker.service.language import current_language
from contracts.errors import ContractError
from contracts.times import Utc, parse_day, unix_seconds, utc_text


def moment(seconds: int) -> str:
    """Unix seconds as a reader of this page reads them."""
    return _written(datetime.fromtimestamp(seconds, UTC).astimezone())


def utc_moment(text: str) -> str:
    """A message's time, as a reader reads it; as it stands where it is no time."""
    try:
        return moment(unix_seconds(text))
    except ContractError:
        return text


def utc_moment_in(text: str, zone: str) -> str:
    """A message's time by the clocks of an IANA zone, which it names; by ours where none has it."""
    try:
        there = datetime.fromtimestamp(unix_seconds(text), ZoneInfo(zone))
    except (ContractError, ZoneInfoNotFoundError, ValueError, OSError):
        return f"{utc_moment(text)} ({zone}?)"
    return f"{_written(there)} ({zone})"


def day(text: str) -> str:
    """A message's day, as a reader reads it."""
    try:
        return str(format_date(date.fromisoformat(parse_day(text)), "d MMM yyyy", locale=_locale()))
    except ContractError:
        return text


def utc_of_moment(text: str) -> Utc | None:
    """What a `datetime-local` input holds, as UTC; None where it is no time."""
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if local.tzinfo is not None else _utc(local)


def utc_of_last_second(text: str) -> Utc | None:
    """The end of the day that a `date` input holds; None where it is no day."""
    try:
        return _utc(datetime.combine(date.fromisoformat(text), time(23, 59, 59)))
    except ValueError:
        return None


def _written(when: datetime) -> str:
    return str(format_datetime(when, "d MMM yyyy, HH:mm", tzinfo=when.tzinfo, locale=_locale()))


def _utc(local: datetime) -> Utc | None:
    try:
        return utc_text(int(local.astimezone().timestamp()))
    except (OverflowError, OSError, ValueError):
        return None


def _locale() -> Locale:
    return Locale.parse(current_language())
