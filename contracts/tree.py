"""The log's Merkle tree: one hash stands for every leaf, and proofs that a reader checks alone.

Hashes and proofs are those of RFC 6962 §2.1, checked as RFC 9162 §2.1.3.2 and §2.1.4.2 say. This
file knows hashes only, not what a leaf says nor who signed a root: a proof is worth no more than
the root it is checked against, and that root must never come out of the same answer.

    tree = Tree()
    tree.append(leaf_hash(data))
    check_inclusion(leaf_hash(data), 0, tree.size, tree.inclusion(0), tree.root())
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from contracts.encoding import h256
from contracts.errors import Malformed, Refused

HASH_SIZE: Final = 32
EMPTY_ROOT: Final = h256(b"")  # RFC 6962 §2.1: the hash of an empty tree


class Tree:
    """An append-only tree that still answers for every size it ever had.

    It keeps the hash of each complete subtree, level by level: 64 bytes a leaf, 6.4 MB for
    100,000. `append` hashes once on average; a root or a proof takes O(log n) for any size.
    """

    __slots__ = ("_levels",)

    def __init__(self) -> None:
        # _levels[h] holds, end to end, the hashes of the complete subtrees of 2**h leaves.
        self._levels = [bytearray()]

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return len(self._levels[0]) // HASH_SIZE

    def append(self, leaf_hash: bytes) -> None:
        """Put a leaf at the end. Raises `Malformed`."""
        if len(leaf_hash) != HASH_SIZE:
            raise Malformed("wrong_length", "leaf")
        found, level, odd = leaf_hash, 0, self.size
        self._levels[0] += found
        while odd & 1:
            level, odd = level + 1, odd >> 1
            found = node_hash(bytes(self._levels[level - 1][-2 * HASH_SIZE : -HASH_SIZE]), found)
            if level == len(self._levels):
                self._levels.append(bytearray())
            self._levels[level] += found

    def root(self, size: int | None = None) -> bytes:
        """The root over the first `size` leaves, all by default. Raises `Refused`."""
        size = self._sized(size)
        return self._hash(0, size) if size else EMPTY_ROOT

    def inclusion(self, index: int, size: int | None = None) -> tuple[bytes, ...]:
        """The proof that leaf `index` stands under `root(size)`, from the leaf up.

        Raises `Refused("out_of_range")`.
        """
        size = self._sized(size)
        if not 0 <= index < size:
            raise Refused("out_of_range", "index")
        return tuple(self._path(index, 0, size))

    def consistency(self, old: int, new: int | None = None) -> tuple[bytes, ...]:
        """The proof that `root(new)` only adds to `root(old)`; empty if `old` is 0 or `new`.

        Raises `Refused("out_of_range")`.
        """
        new = self._sized(new)
        if not 0 <= old <= new:
            raise Refused("out_of_range", "old")
        return tuple(self._growth(old, 0, new, whole=True)) if 0 < old < new else ()

    def copy(self) -> Tree:
        """Another tree with the same leaves, that grows apart from this one."""
        other = Tree()
        other._levels = [bytearray(level) for level in self._levels]
        return other

    def _sized(self, size: int | None) -> int:
        if size is None:
            return self.size
        if not 0 <= size <= self.size:
            raise Refused("out_of_range", "size")
        return size

    def _hash(self, start: int, end: int) -> bytes:
        """The hash over leaves `start` to `end`; `start` is where such a subtree may begin."""
        size = end - start
        if size & (size - 1):
            middle = start + _split(size)
            return node_hash(self._hash(start, middle), self._hash(middle, end))
        at = start // size * HASH_SIZE
        return bytes(self._levels[size.bit_length() - 1][at : at + HASH_SIZE])

    def _path(self, index: int, start: int, end: int) -> Iterator[bytes]:
        """RFC 6962 §2.1.1, over a part of the tree."""
        if end - start == 1:
            return
        middle = start + _split(end - start)
        if index < middle:
            yield from self._path(index, start, middle)
            yield self._hash(middle, end)
        else:
            yield from self._path(index, middle, end)
            yield self._hash(start, middle)

    def _growth(self, old: int, start: int, end: int, *, whole: bool) -> Iterator[bytes]:
        """RFC 6962 §2.1.2, SUBPROOF: `whole` while the old root itself is still what is shown."""
        if old == end:
            if not whole:
                yield self._hash(start, end)
            return
        middle = start + _split(end - start)
        if old <= middle:
            yield from self._growth(old, start, middle, whole=whole)
            yield self._hash(middle, end)
        else:
            yield from self._growth(old, middle, end, whole=False)
            yield self._hash(start, middle)


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees (RFC 6962 §2.1): a one byte keeps nodes apart from leaves."""
    return h256(b"\x01" + left + right)


def check_inclusion(
    leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Leaf `index` of the `size` leaves under `root` is this one (RFC 9162 §2.1.3.2).

    Raises `Refused("bad_proof", "proof")`.
    """
    _check_hashes(leaf_hash, root, *proof)
    if not 0 <= index < size:
        raise _bad_proof()
    found, place, last = leaf_hash, index, size - 1
    for step in proof:
        if not last:
            raise _bad_proof()
        if place & 1 or place == last:
            found = node_hash(step, found)
            place, last = _up_from_left(place, last)
        else:
            found = node_hash(found, step)
        place, last = place >> 1, last >> 1
    if last or found != root:
        raise _bad_proof()


def check_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """The `new` leaves under `new_root` begin with the `old` ones under `old_root`
    (RFC 9162 §2.1.4.2). From size 0 everything grows: its proof is empty, as C2SP tlog-witness
    wants it, and so is the proof from a size to itself.

    Raises `Refused("bad_proof", "proof")`.
    """
    _check_hashes(old_root, new_root, *proof)
    if not 0 <= old <= new:
        raise _bad_proof()
    for size, root in ((old, old_root), (new, new_root)):
        if (size == 0) != (root == EMPTY_ROOT):
            raise _bad_proof()
    if old in (0, new):
        if proof or (old and old_root != new_root):
            raise _bad_proof()
        return
    _check_growth(old, new, old_root, new_root, proof)


def _check_growth(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """`check_consistency` where 0 < old < new."""
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    # Where the old tree is one complete subtree, the walk begins at its root, which is known.
    steps = iter(proof if place else (old_root, *proof))
    first = next(steps, None)
    if first is None:
        raise _bad_proof()
    before = after = first
    for step in steps:
        if not last:
            raise _bad_proof()
        if place & 1 or place == last:
            before, after = node_hash(step, before), node_hash(step, after)
            place, last = _up_from_left(place, last)
        else:
            after = node_hash(after, step)
        place, last = place >> 1, last >> 1
    if last or before != old_root or after != new_root:
        raise _bad_proof()


def _up_from_left(place: int, last: int) -> tuple[int, int]:
    """Climb past the levels at which a node has no sibling on its right."""
    while place and not place & 1:
        place, last = place >> 1, last >> 1
    return place, last


def _split(size: int) -> int:
    """The largest power of two smaller than `size`: how many leaves the left part has."""
    return 1 << ((size - 1).bit_length() - 1)


def _check_hashes(*hashes: bytes) -> None:
    if any(len(one) != HASH_SIZE for one in hashes):
        raise _bad_proof()


def _bad_proof() -> Refused:
    return Refused("bad_proof", "proof")
