"""Between which countries the network carries envelopes: a file of the operator's, or the packs.

The packs say what countries have agreed on so far, which is `proposed` at most; only `signed`
routes carry. A route file replaces the packs as a whole, so that nobody has to guess which of two
sources counts:

    {"demo": true, "routes": [{"pair": ["my", "bd"], "state": "signed", "note": "DEMO: …"}]}
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from contracts.routing import RouteState, RouteTable
from countries.packs import COUNTRIES, Pack, load_packs
from countries.reading import BadCountryData, Fault, Page, Place

Pairs = dict[tuple[str, str], RouteState]

_CANNOT_READ: Final = "cannot be read"


def load_routes(path: Path | None = None) -> RouteTable:
    """The table in the file at `path`, else the packs' defaults. Raises `BadCountryData`."""
    if path is None:
        return default_routes(load_packs())
    try:
        data = path.read_bytes()
    except OSError:
        remedy = "Name an existing file that this user may read"
        raise BadCountryData([Fault(str(path), "$", _CANNOT_READ, remedy)]) from None
    return read_routes(data, file=str(path))


def default_routes(packs: Mapping[str, Pack]) -> RouteTable:
    """What the packs say; both packs of a pair say the same, which their loader has checked."""
    pairs: Pairs = {}
    for pack in packs.values():
        for route in pack.routes:
            pairs[_ordered(pack.country, route.value.to)] = route.value.state
    return RouteTable.of(pairs)


def read_routes(data: bytes, *, file: str) -> RouteTable:
    """The table in these bytes. Raises `BadCountryData` with every fault."""
    page = Page(file)
    top = page.parse(data)
    top.closed("demo", "routes")
    top.truth("demo", default=False)
    pairs: Pairs = {}
    for item in top.items("routes", least=0):
        _add(pairs, item)
    if page.faults:
        raise BadCountryData(page.faults)
    return RouteTable.of(pairs)


def _add(pairs: Pairs, item: Place) -> None:
    item.closed("pair", "state", "note")
    item.optional_text("note")
    first, second = item.pair("pair", COUNTRIES)
    state = RouteState(item.choice("state", tuple(RouteState)))
    if not first:
        return
    if _ordered(first, second) in pairs:
        item.fault("pair", "stands in this file already", "Keep one entry for each two countries")
    pairs[_ordered(first, second)] = state


def _ordered(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a < b else (b, a)
