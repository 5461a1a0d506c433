"""The mirror's decision, without its database and its network: what new leaves mean.

Takes what is known (a view) and leaf data in order; returns the view after them, and says which
statements had no effect and whether the log contradicts itself or what was pinned. It stores
nothing, fetches nothing, and does not know whether a checkpoint covers the leaves
(`broker.mirror.judging`).

    growth = grow(view, leaves)         # the register is copied once, however many leaves
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from broker.mirror.signatures import Later
from broker.mirror.stops import Stop
from contracts.errors import Malformed, Refused
from contracts.identifiers import OrgId
from contracts.log import decode_leaf, leaf_hash
from contracts.register import Register, RootChanged
from contracts.root import RulesUnknown
from contracts.signers import Check
from contracts.signing import verify_bytes
from contracts.standing import Organisation
from contracts.tree import Tree

# Somebody signed a second beginning for an organisation: an alarm, but the log can be followed.
_ALARM: Final = "root_changed"
# From so many leaves on, a second processor is worth the hand-over.
_MANY: Final = 64


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
class View:
    """A log as far as it is known: its tree, and the register and pins after its last leaf."""

    register: Register
    tree: Tree = field(default_factory=Tree)
    pins: Mapping[OrgId, Pin] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many leaves that is."""
        return self.tree.size


@dataclass(frozen=True, slots=True)
class Growth:
    """A view after more leaves, and the pins that moved.

    `alarm` goes with leaves that are kept; with a `stop` the view ends before the leaf that the
    log cannot be followed past, and nothing of it may be kept.
    """

    view: View
    refused: tuple[RefusedLeaf, ...]
    moved: tuple[Pin, ...] = ()
    alarm: Stop | None = None
    stop: Stop | None = None


def grow(view: View, data: Sequence[bytes], *, tree: Tree | None = None) -> Growth:
    """The view after these further leaves; the one given stays as it is.

    `tree` is the tree that has them already, if there is one.
    """
    if len(data) >= _MANY:
        with Later() as later:
            growth = _grown(view, data, tree, later.check)
            if later.all_good():
                return growth
    return _grown(view, data, tree, verify_bytes)


def _grown(view: View, data: Sequence[bytes], tree: Tree | None, check: Check) -> Growth:
    register, refused, alarm = view.register.copy(), list[RefusedLeaf](), None
    grown = view.tree.copy() if tree is None else tree
    for number, leaf in enumerate(data, start=view.size):
        broken, stop = _apply(register, leaf, view.pins, number, check)
        if broken is not None:
            refused.append(broken)
            alarm = alarm or stop
        elif stop is not None:
            return Growth(View(register, view.tree, view.pins), tuple(refused), stop=stop)
        if tree is None:
            grown.append(leaf_hash(leaf))
    moved = newer_pins(view.pins, register)
    pins = {**view.pins, **{pin.org: pin for pin in moved}}
    return Growth(View(register, grown, pins), tuple(refused), moved, alarm)


def newer_pins(pins: Mapping[OrgId, Pin], register: Register) -> tuple[Pin, ...]:
    """What the register knows beyond the pins. A pin's number is never lowered.

    A change of root moves the pin when it comes into force, which is later than its statement.
    """
    found = (_pin(organisation, register.time) for organisation in register.organisations)
    return tuple(pin for pin in found if pin.org not in pins or _newer(pins[pin.org], pin))


def missing(view: View) -> Stop | None:
    """A complete log must lead to everything that was pinned; the first organisation it lacks."""
    for pin in view.pins.values():
        organisation = view.register.organisation(pin.org)
        if organisation is None or organisation.seq < pin.seq:
            return Stop("pin_broken", pin.org)
    return None


def _apply(
    register: Register, data: bytes, pins: Mapping[OrgId, Pin], number: int, check: Check
) -> tuple[RefusedLeaf | None, Stop | None]:
    try:
        author = register.apply(decode_leaf(data), check=check).by
    except Malformed:
        return None, Stop("malformed_log")
    except RootChanged as error:
        return RefusedLeaf(number, error.code, error.field), Stop(_ALARM, error.org)
    except RulesUnknown as error:
        return None, Stop(error.code)
    except Refused as error:
        return RefusedLeaf(number, error.code, error.field), None
    return None, _contradiction(register, pins.get(author))


def _contradiction(register: Register, pin: Pin | None) -> Stop | None:
    """The chain that passes the pin's number must be the one that was pinned.

    Its hash stands for all before it. The root may since have come into force that was only
    announced at this number.
    """
    organisation = None if pin is None else register.organisation(pin.org)
    if pin is None or organisation is None or organisation.seq != pin.seq:
        return None
    roots = {organisation.root, organisation.root_at(register.time)}
    roots |= {organisation.pending.root} if organisation.pending else set()
    same = organisation.head == pin.head and pin.root in roots
    return None if same else Stop("pin_broken", pin.org)


def _newer(known: Pin, found: Pin) -> bool:
    return known.seq < found.seq or (known.seq == found.seq and known.root != found.root)


def _pin(organisation: Organisation, time: int) -> Pin:
    root = organisation.root_at(time)
    return Pin(organisation.id, root, organisation.seq, organisation.head)
