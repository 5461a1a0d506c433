"""The tree: roots and proofs as RFC 6962 defines them, and no proof that is not one."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

import contracts.tree
from contracts.errors import Malformed, Refused
from contracts.log import leaf_hash
from contracts.tree import EMPTY_ROOT, Tree, check_consistency, check_inclusion

LARGEST: Final = 300

# Leaves, roots of their first 1 … 8, and proofs of the reference tree of Certificate Transparency:
# public vectors, repository transparency-dev/merkle, file proof/verify_test.go (Apache-2.0).
LEAVES: Final = [
    bytes.fromhex(text)
    for text in (
        *("", "00", "10", "2021", "3031", "40414243", "5051525354555657"),
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS: Final = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION: Final = [  # index, size, proof
    (0, 1, ()),
    (
        0,
        8,
        (
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ),
    ),
    (
        5,
        8,
        (
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ),
    ),
    (2, 3, ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",)),
    (
        1,
        5,
        (
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ),
    ),
]
CONSISTENCY: Final = [  # old size, new size, proof
    (1, 1, ()),
    (
        1,
        8,
        (
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ),
    ),
    (
        6,
        8,
        (
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ),
    ),
    (
        2,
        5,
        (
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ),
    ),
    (
        6,
        7,
        (
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ),
    ),
]


def tree_of(hashes: Sequence[bytes]) -> Tree:
    """A tree of these leaves."""
    tree = Tree()
    for one in hashes:
        tree.append(one)
    return tree


def hashes_of(size: int) -> list[bytes]:
    """`size` leaves, no two alike."""
    return [leaf_hash(number.to_bytes(4, "big")) for number in range(size)]


# What RFC 6962 §2.1 defines, word for word: slow, and with nothing in common with the code.


def mth(leaves: Sequence[bytes]) -> bytes:
    """The Merkle Tree Hash; `leaves` are leaf hashes already."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = below(len(leaves))
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def below(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D[n])."""
    if len(leaves) == 1:
        return []
    k = below(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
    """SUBPROOF(m, D[n], b)."""
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = below(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], whole=whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], whole=False), mth(leaves[:k])]


def test_the_reference_tree_has_another_root() -> None:
    tree = tree_of([leaf_hash(leaf) for leaf in LEAVES])
    assert [tree.root(size).hex() for size in range(1, 9)] == ROOTS
    assert tree.root(0) == EMPTY_ROOT == hashlib.sha256(b"").digest()


@pytest.mark.parametrize(("index", "size", "proof"), INCLUSION)
def test_the_reference_proof_of_inclusion_differs(
    index: int, size: int, proof: tuple[str, ...]
) -> None:
    known = tuple(map(bytes.fromhex, proof))
    tree = tree_of([leaf_hash(leaf) for leaf in LEAVES])
    assert tree.inclusion(index, size) == known
    check_inclusion(leaf_hash(LEAVES[index]), index, size, known, bytes.fromhex(ROOTS[size - 1]))


@pytest.mark.parametrize(("old", "new", "proof"), CONSISTENCY)
def test_the_reference_proof_of_consistency_differs(
    old: int, new: int, proof: tuple[str, ...]
) -> None:
    known = tuple(map(bytes.fromhex, proof))
    tree = tree_of([leaf_hash(leaf) for leaf in LEAVES])
    assert tree.consistency(old, new) == known
    roots = (bytes.fromhex(ROOTS[old - 1]), bytes.fromhex(ROOTS[new - 1]))
    check_consistency(old, new, *roots, known)


# The probes of the same file: sizes changed, roots changed or swapped, hashes before and after.
@pytest.mark.parametrize(("old", "new", "proof"), CONSISTENCY[1:])
def test_the_reference_proof_stands_though_something_is_wrong(
    old: int, new: int, proof: tuple[str, ...]
) -> None:
    known = tuple(map(bytes.fromhex, proof))
    first, last = bytes.fromhex(ROOTS[old - 1]), bytes.fromhex(ROOTS[new - 1])
    sizes = [(old - 1, new), (old + 1, new), (old ^ 2, new), (old, new * 2), (old, new // 2)]
    roots = [(b"WrongRoot", last), (first, b"WrongRoot"), (last, first), (first, EMPTY_ROOT)]
    proofs = [(), (*known, b""), (*known, first), (*known, last), known[:-1], known[::-1]]
    proofs += [(extra, *known) for extra in (b"", first, last, known[0])]
    probes = [(*one, first, last, known) for one in sizes]
    probes += [(old, new, *one, known) for one in roots]
    probes += [(old, new, first, last, one) for one in proofs]
    for probe in probes:
        with pytest.raises(Refused, match="bad proof"):
            check_consistency(*probe)


def test_the_definition_says_something_else_for_a_small_tree() -> None:
    leaves = hashes_of(35)
    tree = tree_of(leaves)
    for size in range(len(leaves) + 1):
        assert tree.root(size) == mth(leaves[:size])
        for index in range(size):
            assert list(tree.inclusion(index, size)) == path(index, leaves[:size])
        for old in range(1, size + 1):
            wanted = subproof(old, leaves[:size], whole=True)
            assert list(tree.consistency(old, size)) == wanted


@given(st.lists(st.binary(max_size=8), max_size=LARGEST), st.data())
def test_the_definition_says_something_else(leaves: list[bytes], data: st.DataObject) -> None:
    hashes = [leaf_hash(leaf) for leaf in leaves]
    size = data.draw(st.integers(0, len(hashes)))
    tree = tree_of(hashes)
    assert tree.size == len(hashes)
    assert tree.root() == mth(hashes)
    assert tree.root(size) == mth(hashes[:size])
    if size:
        index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
        assert list(tree.inclusion(index, size)) == path(index, hashes[:size])
        assert list(tree.consistency(old, size)) == subproof(old, hashes[:size], whole=True)


WHOLE: Final = tree_of(hashes_of(LARGEST))
SIZES: Final = st.integers(1, LARGEST)


def test_a_true_proof_is_refused() -> None:
    for size in (1, 2, 3, 7, 8, 9, 63, 64, 65, 100, LARGEST):
        root = WHOLE.root(size)
        for index, leaf in enumerate(hashes_of(size)):
            check_inclusion(leaf, index, size, WHOLE.inclusion(index, size), root)
        for old in range(size + 1):
            proof = WHOLE.consistency(old, size)
            check_consistency(old, size, WHOLE.root(old), root, proof)


@st.composite
def spoiled(draw: st.DrawFn, proof: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The proof with one bit flipped, a hash too few or too many, or two of them swapped."""
    at = draw(st.integers(0, max(0, len(proof) - 1)))
    some = st.sampled_from((*proof, EMPTY_ROOT, WHOLE.root()))
    found = [
        (*proof[:at], draw(some), *proof[at:]),
        (*proof, draw(some)),
        (*proof, b""),
        (*proof, draw(some)[:31]),
    ]
    if proof:
        bit = draw(st.integers(0, 255))
        flipped = (int.from_bytes(proof[at], "big") ^ 1 << bit).to_bytes(32, "big")
        found += [(*proof[:at], flipped, *proof[at + 1 :])] * 3
        found += [(*proof[:at], *proof[at + 1 :]), proof[:-1], proof[1:]]
        found += [(*proof[:at], proof[at] + b"\0", *proof[at + 1 :])]
    if len(proof) > 1:
        found.append((*proof[1:], proof[0]))
    return draw(st.sampled_from(found))


@given(SIZES, st.data())
def test_a_spoiled_proof_of_inclusion_passes(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = data.draw(spoiled(WHOLE.inclusion(index, size)))
    with pytest.raises(Refused, match="bad proof"):
        check_inclusion(hashes_of(size)[index], index, size, proof, WHOLE.root(size))


@given(SIZES, st.data())
def test_a_spoiled_proof_of_consistency_passes(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(0, size))
    proof = data.draw(spoiled(WHOLE.consistency(old, size)))
    with pytest.raises(Refused, match="bad proof"):
        check_consistency(old, size, WHOLE.root(old), WHOLE.root(size), proof)


def test_a_proof_of_a_larger_tree_passes_for_a_smaller_one() -> None:
    """Every hash in it is right; there are more than a tree of the stated size can ask for."""
    leaves = hashes_of(8)
    with pytest.raises(Refused):
        check_inclusion(leaves[1], 0, 1, WHOLE.inclusion(1, 2), WHOLE.root(2))
    with pytest.raises(Refused):
        check_inclusion(leaves[7], 3, 4, WHOLE.inclusion(7, 8), WHOLE.root(8))
    with pytest.raises(Refused):
        check_consistency(3, 4, WHOLE.root(7), WHOLE.root(8), WHOLE.consistency(7, 8))


def test_two_hashes_are_divided_at_another_byte() -> None:
    """A node's hash is over two joined hashes: 31 and 33 bytes join to what 32 and 32 do."""
    first, second = hashes_of(2)
    with pytest.raises(Refused):
        check_inclusion(first[31:] + second, 1, 2, (first[:31],), WHOLE.root(2))
    with pytest.raises(Refused):
        check_consistency(1, 2, first + second[:1], WHOLE.root(2), (second[1:],))


def test_a_single_bit_may_differ() -> None:
    size, old = 13, 6
    root, leaves = WHOLE.root(size), hashes_of(size)
    for index in range(size):
        proof = WHOLE.inclusion(index, size)
        for changed in bit_flips(proof):
            with pytest.raises(Refused):
                check_inclusion(leaves[index], index, size, changed, root)
    for changed in bit_flips(WHOLE.consistency(old, size)):
        with pytest.raises(Refused):
            check_consistency(old, size, WHOLE.root(old), root, changed)


def bit_flips(proof: tuple[bytes, ...]) -> list[tuple[bytes, ...]]:
    """The proof with each of its bits flipped in turn."""
    whole = b"".join(proof)
    found = []
    for bit in range(len(whole) * 8):
        changed = (int.from_bytes(whole, "big") ^ 1 << bit).to_bytes(len(whole), "big")
        found.append(tuple(changed[at : at + 32] for at in range(0, len(changed), 32)))
    return found


@given(st.integers(2, LARGEST), st.data())
def test_a_leaf_is_shown_at_another_place(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.one_of(st.integers(0, size - 1), st.sampled_from([index - 1, index + 1])))
    leaf, proof, root = hashes_of(size)[index], WHOLE.inclusion(index, size), WHOLE.root(size)
    if other != index:
        with pytest.raises(Refused):
            check_inclusion(leaf, other, size, proof, root)
        with pytest.raises(Refused):
            check_inclusion(hashes_of(LARGEST + 1)[other], index, size, proof, root)


@given(SIZES, SIZES, SIZES)
def test_a_root_is_consistent_with_the_root_of_another_size(old: int, other: int, new: int) -> None:
    old, other, new = *sorted((old, other)), max(old, other, new)
    if old != other:
        for proof in (WHOLE.consistency(old, new), WHOLE.consistency(other, new)):
            with pytest.raises(Refused):
                check_consistency(old, new, WHOLE.root(other), WHOLE.root(new), proof)


@given(st.integers(2, 64), st.data())
def test_a_log_that_changed_an_old_leaf_shows_a_proof(size: int, data: st.DataObject) -> None:
    leaves = hashes_of(size)
    old = data.draw(st.integers(1, size - 1))
    changed = data.draw(st.integers(0, old - 1))
    forked = tree_of([*leaves[:changed], EMPTY_ROOT, *leaves[changed + 1 :]])
    honest = tree_of(leaves)
    for proof in (forked.consistency(old), honest.consistency(old)):
        with pytest.raises(Refused):
            check_consistency(old, size, honest.root(old), forked.root(), proof)


def test_the_empty_tree_proves_what_it_should_not() -> None:
    root = WHOLE.root(5)
    check_consistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, ())
    check_consistency(0, 5, EMPTY_ROOT, root, ())
    for case in (
        (0, 5, EMPTY_ROOT, root, (root,)),
        (0, 5, root, root, ()),
        (0, 0, EMPTY_ROOT, root, ()),
        (0, 0, root, root, ()),
        (0, 0, EMPTY_ROOT, EMPTY_ROOT, (EMPTY_ROOT,)),
        (5, 5, EMPTY_ROOT, EMPTY_ROOT, ()),
        (5, 5, root, root, (root,)),
        (5, 5, WHOLE.root(4), root, ()),
        (0, 5, EMPTY_ROOT, EMPTY_ROOT, ()),
        (5, 0, root, EMPTY_ROOT, ()),
        (-1, 5, EMPTY_ROOT, root, ()),
    ):
        with pytest.raises(Refused, match="bad proof"):
            check_consistency(*case)
    for index, size in ((0, 0), (0, -1), (-1, 1), (1, 1)):
        with pytest.raises(Refused, match="bad proof"):
            check_inclusion(root, index, size, (), root)


def test_a_size_is_asked_for_that_never_was() -> None:
    tree = tree_of(hashes_of(5))
    with pytest.raises(Refused, match="out of range, in size"):
        tree.root(6)
    with pytest.raises(Refused, match="out of range, in size"):
        tree.root(-1)
    with pytest.raises(Refused, match="out of range, in index"):
        tree.inclusion(5)
    with pytest.raises(Refused, match="out of range, in index"):
        tree.inclusion(0, 0)
    with pytest.raises(Refused, match="out of range, in old"):
        tree.consistency(4, 3)


@pytest.mark.parametrize("leaf", [b"", b"x" * 31, b"x" * 33])
def test_what_is_no_hash_becomes_a_leaf(leaf: bytes) -> None:
    tree = tree_of(hashes_of(2))
    with pytest.raises(Malformed):
        tree.append(leaf)
    assert (tree.size, tree.root()) == (2, WHOLE.root(2))


def test_a_copy_grows_with_its_original() -> None:
    tree = tree_of(hashes_of(7))
    other = tree.copy()
    tree.append(EMPTY_ROOT)
    other.append(hashes_of(8)[7])
    assert other.root() == WHOLE.root(8) != tree.root()
    assert tree.root(7) == other.root(7) == WHOLE.root(7)


def test_the_tree_fills_the_memory() -> None:
    leaves = hashes_of(8192)
    tracemalloc.start()
    try:
        tree = tree_of(leaves)
        held, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # 64 bytes a leaf; a bytearray that grows keeps an eighth in reserve.
    assert held < 8192 * 64 * 5 / 4
    assert tree.size == 8192


def test_an_old_size_costs_a_walk_through_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    tree, count = tree_of(hashes_of(8191)), 0

    def counted(data: bytes) -> bytes:
        nonlocal count
        count += 1
        return hashlib.sha256(data).digest()

    monkeypatch.setattr(contracts.tree, "h256", counted)
    costs = []
    for size in (4096, 4097, 5461, 8190, 8191):
        tree.root(size), tree.inclusion(size // 3, size), tree.consistency(size // 5, size)
        costs.append(count)
    assert all(after - before <= 3 * 13 for before, after in pairwise([0, *costs]))
