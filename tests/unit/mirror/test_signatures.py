"""Checking signatures beside the fold must come to what checking them in it comes to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.mirror import fold
from broker.mirror.fold import RefusedLeaf, View, grow
from broker.mirror.signatures import Later
from contracts.identifiers import OrgId
from contracts.log import Leaf, decode_leaf, encode_leaf
from contracts.register import Register
from contracts.signing import Label, signed_bytes
from tests.unit.contracts.authors import NET, NOW, Author, signing_key
from tests.unit.mirror.directories import root_file
from tests.vouching import Vouchers

ORGANISATIONS = 20


def _log() -> list[bytes]:
    """A hundred leaves, more than are checked one by one."""
    vouchers, leaves = Vouchers(NET), list[bytes]()
    for number in range(ORGANISATIONS):
        author = Author(org=OrgId(f"my-{number:016x}"))
        for statement in vouchers.admitted(*author.admission(), iat=NOW):
            leaves.append(encode_leaf(Leaf(statement, NOW)))
    return leaves


LOG = _log()


def _forged(data: bytes) -> bytes:
    leaf = decode_leaf(data)
    first, *others = leaf.statement.signatures
    bad = replace(first, value=bytes((first.value[0] ^ 1, *first.value[1:])))
    return encode_leaf(Leaf(replace(leaf.statement, signatures=(bad, *others)), leaf.t))


@settings(max_examples=15, deadline=None)
@given(st.sets(st.integers(0, len(LOG) - 1), max_size=4))
def test_one_bad_signature_among_many_is_found_and_has_no_effect(places: set[int]) -> None:
    data = [_forged(leaf) if number in places else leaf for number, leaf in enumerate(LOG)]
    at_once, one_by_one = grow(View(Register(root_file())), data), View(Register(root_file()))
    refused: list[RefusedLeaf] = []
    for leaf in data:
        growth = grow(one_by_one, [leaf])
        refused += growth.refused
        one_by_one = growth.view
    assert at_once.refused == tuple(refused)
    assert places <= {one.number for one in refused}
    assert at_once.view.register.organisations == one_by_one.register.organisations
    assert at_once.view.tree.root() == one_by_one.tree.root()


@pytest.mark.parametrize("bad", [None, 0, 127, 128, 299])
def test_wherever_it_stands_a_bad_one_is_told(bad: int | None) -> None:
    key, signed = signing_key("one"), signed_bytes(Label.STATEMENT, b"x")
    good = key.sign_bytes(signed)
    with Later() as later:
        for number in range(300):
            later.check(key.public, good if number != bad else bytes(64), signed)
        assert later.all_good() is (bad is None)


def test_the_log_of_this_file_is_long_enough() -> None:
    assert len(LOG) >= fold._MANY
