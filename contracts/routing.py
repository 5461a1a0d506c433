"""Between which countries the network carries envelopes.

A route belongs to two countries and has no direction. Coordinators decide about routes, by
statements in the log; where they have not, what the country packs say holds. This file only holds
what was decided. Where a memorandum is only proposed, civil organisations may
refer to one another already, and a state body may not. It does not know messages: the network
cannot tell a withdrawn consent from a referral, so a suspended route goes on carrying and the
desk refuses new referrals on it.

    table = RouteTable.of({("my", "bd"): RouteState.PROPOSED})
    table.carries("bd", "my", kinds=("ngo", "mission"))  →  False
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum, unique
from types import MappingProxyType
from typing import Final, Self

from contracts.codes import STATE_KINDS
from contracts.errors import Malformed


@unique
class RouteState(StrEnum):
    """How far two countries have come with each other. What is not written is closed."""

    PROPOSED = "proposed"
    SIGNED = "signed"
    SUSPENDED = "suspended"
    CLOSED = "closed"


_CARRYING: Final = frozenset({RouteState.SIGNED, RouteState.SUSPENDED})
_COUNTRY: Final = re.compile(r"[a-z]{2}")


@dataclass(frozen=True, slots=True)
class RouteTable:
    """Every route that is not closed. Countries are ISO 3166-1 alpha-2, lower case."""

    states: Mapping[tuple[str, str], RouteState] = field(
        default_factory=lambda: MappingProxyType({})
    )

    @classmethod
    def of(cls, routes: Mapping[tuple[str, str], RouteState]) -> Self:
        """The table of pairs in either order.

        Raises `Malformed` for a pair that stands twice, a pair of one country, or no country.
        """
        states: dict[tuple[str, str], RouteState] = {}
        for (first, second), state in routes.items():
            if not (_COUNTRY.fullmatch(first) and _COUNTRY.fullmatch(second)):
                raise Malformed("not_a_country", "pair")
            if first == second:
                raise Malformed("same_country", "pair")
            if _pair(first, second) in states:
                raise Malformed("pair_repeated", "pair")
            states[_pair(first, second)] = RouteState(state)
        return cls(MappingProxyType(states))

    def overlaid(self, newer: RouteTable) -> RouteTable:
        """This table, except where `newer` knows a pair: there its word holds, `closed` too."""
        if not newer.states:
            return self
        return RouteTable(MappingProxyType({**self.states, **newer.states}))

    def state(self, a: str, b: str) -> RouteState:
        """The state of the route between two countries; within one country always signed."""
        if a == b:
            return RouteState.SIGNED
        return self.states.get(_pair(a, b), RouteState.CLOSED)

    def carries(self, a: str, b: str, *, kinds: Collection[str]) -> bool:
        """Whether the hub takes envelopes between two countries.

        `kinds` are those of the two organisations, of `ORG_KINDS`.
        """
        return self.state(a, b) in _CARRYING or self.open_to(a, b, kinds=kinds)

    def open_to(self, a: str, b: str, *, kinds: Collection[str]) -> bool:
        """Whether organisations of these kinds may begin something new between two countries."""
        state = self.state(a, b)
        civil = not STATE_KINDS.intersection(kinds)
        return state is RouteState.SIGNED or (state is RouteState.PROPOSED and civil)


def _pair(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a < b else (b, a)
