"""What was seen of an organisation once: its chain goes on from there, or everything stops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from broker.mirror.fold import Pin, View, grow, missing, newer_pins
from contracts.contents import Role
from contracts.drafting import device_statement, org_statement, recover_statement
from contracts.identifiers import OrgId
from contracts.log import Leaf, encode_leaf
from contracts.register import Register
from contracts.statements import Statement
from contracts.times import DAY
from tests.unit.contracts.authors import MALAYSIA, NET, NOW, Author, signing_key
from tests.unit.mirror.directories import root_file
from tests.vouching import Vouchers

DAYS_3 = 3 * DAY
NEW_ROOT = signing_key("the next root")
RECOVERY = tuple(signing_key(f"recovery {number}") for number in range(3))


def _leaves(*statements: Statement, t: int = NOW) -> list[bytes]:
    return [encode_leaf(Leaf(statement, t)) for statement in statements]


def _admitted() -> tuple[Author, list[bytes]]:
    author = Author()
    enrolled = author.enrol(recovery=[key.public for key in RECOVERY])
    admission = (enrolled, author.certify(), author.publish())
    return author, _leaves(*Vouchers(NET).admitted(*admission, iat=NOW))


def _said(author: Author, statement: Statement) -> Statement:
    author.heading = author.heading.following(statement, iat=NOW)
    return statement


def _view(leaves: Sequence[bytes], *, pin: Pin | None = None) -> View:
    pins = {} if pin is None else {pin.org: pin}
    growth = grow(View(Register(root_file()), pins=pins), leaves)
    assert (growth.stop, growth.refused) == (None, ())
    return growth.view


def _pin(view: View, org: OrgId = MALAYSIA) -> Pin:
    return view.pins[org]


def test_a_pin_is_the_end_of_the_chain_and_the_root_in_force() -> None:
    author, leaves = _admitted()
    pin = _pin(_view(leaves))
    assert (pin.seq, pin.root, pin.head) == (3, author.root.public, author.heading.prev)


def test_a_change_of_root_that_the_rules_allow_moves_the_pin_when_it_counts() -> None:
    author, leaves = _admitted()
    recovery = [key.public for key in RECOVERY]
    changed = org_statement(
        author.heading, root=author.root, kind="ngo", recovery=recovery, new_root=NEW_ROOT.public
    )
    announced = _view([*leaves, *_leaves(_said(author, changed))])
    assert (_pin(announced).seq, _pin(announced).root) == (4, author.root.public)
    later = _leaves(author.publish(), t=NOW + DAYS_3)
    counted = grow(announced, later)
    assert (counted.stop, counted.refused) == (None, ())
    assert _pin(counted.view).root == NEW_ROOT.public
    assert missing(counted.view) is None


def test_a_pin_moves_although_its_organisation_says_nothing_more() -> None:
    author, leaves = _admitted()
    changed = org_statement(author.heading, root=author.root, kind="ngo", new_root=NEW_ROOT.public)
    announced = _view([*leaves, *_leaves(changed)])
    other = Author(org=OrgId("bd-00000000000000bb"))
    counted = grow(announced, _leaves(other.enrol(), t=NOW + DAYS_3)).view
    assert (_pin(counted).seq, _pin(counted).root) == (4, NEW_ROOT.public)
    # and whoever reads the log anew with that pin finds no contradiction on the way
    _view([*leaves, *_leaves(changed)], pin=_pin(counted))


def test_a_recovery_by_two_keys_moves_the_pin() -> None:
    author, leaves = _admitted()
    recovered = recover_statement(
        author.heading,
        *RECOVERY[:2],
        NEW_ROOT,
        root=NEW_ROOT.public,
        recovery=[key.public for key in RECOVERY],
    )
    view = _view([*leaves, *_leaves(_said(author, recovered))])
    device = device_statement(
        author.heading,
        root=NEW_ROOT,
        device=signing_key("after the loss"),
        role=Role.ADMIN,
        nbf=NOW,
        naf=NOW + 2 * DAYS_3,
    )
    grown = grow(view, _leaves(device, t=NOW + DAYS_3))
    assert (grown.stop, grown.refused) == (None, ())
    assert (_pin(grown.view).seq, _pin(grown.view).root) == (5, NEW_ROOT.public)


@pytest.mark.parametrize(
    "changed",
    [
        lambda pin: replace(pin, root=NEW_ROOT.public),
        lambda pin: replace(pin, head="f" * 64),
    ],
    ids=["root", "head"],
)
def test_a_chain_that_does_not_lead_to_the_pin_is_a_contradiction(
    changed: Callable[[Pin], Pin],
) -> None:
    _, leaves = _admitted()
    pin = changed(_pin(_view(leaves)))
    pinned = View(Register(root_file()), pins={MALAYSIA: pin})
    growth = grow(pinned, leaves)
    assert growth.stop is not None
    assert (growth.stop.code, growth.stop.org) == ("pin_broken", MALAYSIA)


def test_a_chain_that_ends_before_the_pin_is_missed() -> None:
    _, leaves = _admitted()
    view = _view(leaves[:-1], pin=_pin(_view(leaves)))
    lost = missing(view)
    assert lost is not None
    assert lost.org == MALAYSIA
    assert newer_pins(view.pins, view.register) == ()
