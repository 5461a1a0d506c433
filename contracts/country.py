"""What differs from country to country, as values that the agreement's rules take.

The rules are here, in `contracts`; what a country's law or calendar says is data, which `countries`
builds from its packs. Nothing is looked up in this file and nothing is assumed: a rule that needs
a country's word is handed one of these.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import Final

# Under this age child protection applies everywhere, whatever a country's own law says: the
# Convention on the Rights of the Child, article 1, and the Trafficking Protocol, article 3 (d).
CHILD_BELOW: Final = 18


@dataclass(frozen=True, slots=True)
class LawProfile:
    """The ages in a country's law, in whole years; None where the pack has no such fact.

    `child_below`: the law on children; `child_in_trafficking_below`: the law on trafficking;
    `majority`: full legal capacity.
    """

    country: str
    child_below: int | None = None
    child_in_trafficking_below: int | None = None
    majority: int | None = None


@dataclass(frozen=True, slots=True)
class WorkingDays:
    """When a country works: its time zone (IANA), its weekly days off, its public holidays.

    Weekdays are Monday 0 to Sunday 6. `holidays` is known for `known_years` only; outside of them
    weekends alone are left out, and whoever shows a date says so.
    """

    country: str
    zone: str
    days_off: frozenset[int]
    holidays: frozenset[date] = field(default=frozenset(), repr=False)
    known_years: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        """Refuse a week without a working day: no term counted in such days would ever end."""
        if self.days_off >= frozenset(range(7)):
            raise ValueError("a country has at least one working day a week")

    def is_working_day(self, day: date) -> bool:
        """Whether offices there are normally open on this day."""
        return day.weekday() not in self.days_off and day not in self.holidays
