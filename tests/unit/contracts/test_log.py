"""Leaves: one byte form, and nothing that only looks like one."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.encoding import MAX_NUMBER, lp
from contracts.errors import Malformed
from contracts.log import (
    MAX_LEAF,
    Leaf,
    decode_leaf,
    encode_leaf,
    join_leaves,
    leaf_hash,
    split_leaves,
)
from contracts.statements import MAX_BODY, MAX_SIGNATURES, Statement
from tests.unit.contracts.authors import NOW, Author, leaves

ADMISSION = leaves(*Author().admission())


@pytest.mark.parametrize("leaf", ADMISSION, ids=["org", "device", "keys"])
def test_a_leaf_comes_back_to_the_byte(leaf: Leaf) -> None:
    data = encode_leaf(leaf)
    assert decode_leaf(data) == leaf
    assert encode_leaf(decode_leaf(data)) == data


def test_a_leaf_is_body_signatures_and_time_in_that_order() -> None:
    leaf = ADMISSION[1]
    first, second = leaf.statement.signatures
    signed = bytes.fromhex(first.key_id) + first.value + bytes.fromhex(second.key_id) + second.value
    assert encode_leaf(leaf) == lp(leaf.statement.body) + lp(signed) + NOW.to_bytes(8, "big")


def test_leaf_and_node_hashes_cannot_be_taken_for_each_other() -> None:
    assert leaf_hash(b"x") == hashlib.sha256(b"\x00x").digest()


@given(st.data())
def test_a_leaf_cut_off_or_lengthened_is_no_leaf(data: st.DataObject) -> None:
    whole = encode_leaf(ADMISSION[1])
    end = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(Malformed):
        decode_leaf(whole[:end])
    with pytest.raises(Malformed):
        decode_leaf(whole + bytes(data.draw(st.integers(1, 80))))


def test_a_leaf_with_its_signatures_out_of_order_is_no_leaf() -> None:
    leaf = ADMISSION[1]
    backwards = Statement(leaf.statement.body, leaf.statement.signatures[::-1])
    with pytest.raises(Malformed, match="signatures not in order"):
        decode_leaf(encode_leaf(Leaf(backwards, NOW)))


def test_a_time_no_javascript_reader_could_hold_is_no_time() -> None:
    decode_leaf(encode_leaf(Leaf(ADMISSION[0].statement, MAX_NUMBER)))
    with pytest.raises(Malformed, match="bad number"):
        decode_leaf(encode_leaf(Leaf(ADMISSION[0].statement, MAX_NUMBER + 1)))


def test_the_largest_statement_makes_the_largest_leaf() -> None:
    signatures = MAX_SIGNATURES * 80
    assert len(lp(bytes(MAX_BODY)) + lp(bytes(signatures)) + bytes(8)) == MAX_LEAF
    with pytest.raises(Malformed, match="too large"):
        decode_leaf(bytes(MAX_LEAF + 1))
    with pytest.raises(Malformed, match="too large"):
        decode_leaf(lp(bytes(MAX_BODY + 1)) + lp(b"") + bytes(8))


@given(st.lists(st.binary(max_size=50), max_size=8))
def test_an_answer_of_leaves_splits_into_the_same_leaves(parts: list[bytes]) -> None:
    assert list(split_leaves(join_leaves(parts))) == parts


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=5), st.data())
def test_a_cut_off_answer_is_seen_unless_cut_between_leaves(
    parts: list[bytes], data: st.DataObject
) -> None:
    whole = join_leaves(parts)
    between = {len(join_leaves(parts[:count])) for count in range(len(parts) + 1)}
    end = data.draw(st.integers(0, len(whole)).filter(lambda place: place not in between))
    with pytest.raises(Malformed, match="cut off"):
        split_leaves(whole[:end])


def test_a_length_larger_than_any_memory_is_refused_before_anything_is_read() -> None:
    with pytest.raises(Malformed, match="cut off"):
        split_leaves(b"\xff" * 8 + b"x")
