"""How much may be written into the log on one day, and by whom.

Every client keeps and folds each statement for ever, and follows no log of over a million; so one
loop, or one stolen computer, could end the network. The bounds are fair: whoever floods is stopped
first, and what ends harm (a freeze, a revocation) is taken when nothing else is any more. Pure; it
refuses to know what the log holds besides today's counts.

    day = day.after(author, t=leaf.t, size=len(data))
    check_allowance(day, author, typ="keys", size=len(data), coordinator=False, now=now)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from contracts.errors import Refused
from contracts.identifiers import OrgId
from contracts.times import DAY

# A board that enrols fifty computers on one day stays below.
MAX_A_DAY: Final = 200
# A coordinator begins by entering a country's list, a statement for each organisation.
MAX_A_DAY_COORDINATOR: Final = 1000
# Above the bound, for what stops harm alone: otherwise whoever holds a stolen computer need only
# write 200 statements in a minute, and its organisation could not freeze it until tomorrow.
RESERVE: Final = 50
ENDING: Final = frozenset({"freeze", "thaw", "revoke", "recover"})
# Leaf data of all authors together: about 10,000 statements. A desk that was away for a week
# fetches at most 28 MiB.
MAX_BYTES_A_DAY: Final = 4 * 1024 * 1024
# When that is used up, everybody still has these few: a desk that tops up its keys.
FAIR_SHARE: Final = 8


@dataclass(frozen=True, slots=True)
class Written:
    """What stands in the log from one day (`day` since 1970, UTC): statements by author, bytes."""

    day: int = 0
    statements: Mapping[OrgId, int] = field(default_factory=dict)
    size: int = 0

    def on(self, now: int) -> Written:
        """The same, if `now` is on that day; else a day nothing was written on."""
        return self if self.day == now // DAY else Written(now // DAY)

    def after(self, author: OrgId, *, t: int, size: int) -> Written:
        """With one more statement, of log time `t` and of `size` bytes."""
        today = self.on(t)
        statements = {**today.statements, author: today.statements.get(author, 0) + 1}
        return Written(today.day, statements, today.size + size)


def check_allowance(
    written: Written, author: OrgId, *, typ: str, size: int, coordinator: bool, now: int
) -> None:
    """Raise `Refused` where one more statement is too many for today.

    `too_many_statements`: this author's are; `log_is_full_today`: everybody's together are.
    """
    today = written.on(now)
    own = today.statements.get(author, 0)
    most = MAX_A_DAY_COORDINATOR if coordinator else MAX_A_DAY
    if own >= most + (RESERVE if typ in ENDING else 0):
        raise Refused("too_many_statements", "org")
    crowded = today.size + size > MAX_BYTES_A_DAY
    if crowded and own >= FAIR_SHARE and typ not in ENDING:
        raise Refused("log_is_full_today", "org")
