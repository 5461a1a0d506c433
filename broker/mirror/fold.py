"""The mirror's decision, without its database and its network: what new leaves mean.

Takes what is known (a view) and leaf data in order; returns the view after them, and says which
statements had no effect and whether the log contradicts itself or what was pinned. It stores
nothing and fetches nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from broker.mirror.stops import Stop
from contracts.errors import Malformed, Refused
from contracts.identifiers import OrgId
from contracts.log import decode_leaf
from contracts.register import Organisation, Register, RootChanged

# The refusal that is an alarm: somebody signed a second beginning for an organisation.
_ALARM: Final = "root_changed"


@dataclass(frozen=True, slots=True)
class Pin:
    """What this computer has seen of an organisation: its root key and the head of its chain."""

    org: OrgId
    root: bytes
    seq: int
    head: str


@dataclass(frozen=True, slots=True)
class RefusedLeaf:
    """A statement in the log that broke a rule and had no effect."""

    number: int
    code: str
    field: str


@dataclass(frozen=True, slots=True)
class KeptLeaf:
    """A leaf to be stored under its number; `refused` is the broken rule, if it broke one."""

    number: int
    data: bytes
    refused: str | None


@dataclass(frozen=True, slots=True)
class View:
    """A log as far as it is known: the register after `size` leaves, the last one's data."""

    register: Register
    size: int = 0
    last: bytes = b""
    pins: Mapping[OrgId, Pin] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Growth:
    """A view after more leaves. With a `stop`, `leaves` ends where the log can be followed to."""

    view: View
    leaves: tuple[KeptLeaf, ...]
    refused: tuple[RefusedLeaf, ...]
    stop: Stop | None


def grow(view: View, data: Sequence[bytes], *, replayed: bool = False) -> Growth:
    """The view after these further leaves; the one given stays as it is.

    `replayed` leaves were stored here before: an alarm they raised was raised then.
    """
    register, kept, refused = view.register.copy(), list[KeptLeaf](), list[RefusedLeaf]()
    stop = None
    for number, leaf in enumerate(data, start=view.size):
        broken, stop = _apply(register, leaf, view.pins, number)
        if stop is not None and stop.code != _ALARM:
            break
        kept.append(KeptLeaf(number, leaf, broken.code if broken else None))
        refused += [broken] if broken else []
        if stop is not None and not replayed:
            break
        stop = None
    last = kept[-1].data if kept else view.last
    pins = {**view.pins, **{pin.org: pin for pin in newer_pins(view.pins, register)}}
    grown = View(register, view.size + len(kept), last, pins)
    return Growth(grown, tuple(kept), tuple(refused), stop)


def newer_pins(pins: Mapping[OrgId, Pin], register: Register) -> tuple[Pin, ...]:
    """What the register knows beyond the pins. A pin is never lowered."""
    return tuple(
        _pin(organisation)
        for organisation in register.organisations
        if organisation.id not in pins or pins[organisation.id].seq < organisation.seq
    )


def missing(view: View) -> Stop | None:
    """A complete log must lead to everything that was pinned; the first organisation it lacks."""
    for pin in view.pins.values():
        organisation = view.register.organisation(pin.org)
        if organisation is None or organisation.seq < pin.seq:
            return Stop("pin_broken", pin.org)
    return None


def _apply(
    register: Register, data: bytes, pins: Mapping[OrgId, Pin], number: int
) -> tuple[RefusedLeaf | None, Stop | None]:
    try:
        organisation = register.apply(decode_leaf(data))
    except Malformed:
        return None, Stop("malformed_log")
    except RootChanged as error:
        return RefusedLeaf(number, error.code, error.field), Stop(_ALARM, error.org)
    except Refused as error:
        return RefusedLeaf(number, error.code, error.field), None
    return None, _contradiction(organisation, pins.get(organisation.id))


def _contradiction(organisation: Organisation, pin: Pin | None) -> Stop | None:
    if pin is None:
        return None
    same = organisation.root == pin.root
    if organisation.seq == pin.seq:
        same = same and organisation.head == pin.head
    return None if same else Stop("pin_broken", pin.org)


def _pin(organisation: Organisation) -> Pin:
    return Pin(organisation.id, organisation.root, organisation.seq, organisation.head)
