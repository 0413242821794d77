"""The Merkle tree of RFC 6962 (section 2.1) over the leaves of the log: roots, proofs, and their verification.

A leaf's index is its position less one. A *node* (level, index) is the hash over the 2^level leaves from index × 2^level on; only
complete ones have a number, and all else is put together from them.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

#: Gives the hash of a complete node: level, index.
Nodes = Callable[[int, int], bytes]

HASH_BYTES = 32
#: The root of a tree without leaves.
EMPTY_ROOT = sha256(b"").digest()


class BadProof(ValueError):  # noqa: N818 - named for what it is
    """A proof does not lead from what it starts with to the root that it claims."""


def node_hash(left: bytes, right: bytes) -> bytes:
    """This will give the hash of a node over its two children."""
    return sha256(b"\x01" + left + right).digest()


def parents(row: Sequence[bytes]) -> list[bytes]:
    """This will give the nodes above a row of them; one that is left over is left out."""
    pairs = iter(row)
    return [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)]


class Frontier:
    """The right edge of a growing tree: enough to add leaves and to give the root, in as many hashes as its size has bits."""

    def __init__(self, edge: Iterable[tuple[int, bytes]] = ()) -> None:
        """`edge`: what another's `edge()` gave."""
        self._edge: list[bytes | None] = []
        self.size = 0
        for level, node in edge:
            self.extend([node], level)

    def extend(self, row: Sequence[bytes], level: int = 0) -> None:
        """This will add leaves, or complete nodes of a level of which the tree is a multiple; ValueError if it is not."""
        if self.size % (1 << level):
            raise ValueError(f"a node of level {level} does not fit a tree of {self.size} leaves")
        self.size += len(row) << level
        while len(self._edge) < level:
            self._edge.append(None)
        while row:
            if level == len(self._edge):
                self._edge.append(None)
            left = self._edge[level]
            if left is not None:
                row = [left, *row]
            self._edge[level] = row[-1] if len(row) % 2 else None
            row = parents(row)
            level += 1

    def edge(self) -> list[tuple[int, bytes]]:
        """This will give the complete nodes that the tree consists of, with their levels, from left to right."""
        return [(level, node) for level, node in reversed(list(enumerate(self._edge))) if node is not None]

    def root(self) -> bytes:
        """This will give the root of what was added so far."""
        found: bytes | None = None
        for node in self._edge:
            if node is not None:
                found = node if found is None else node_hash(node, found)
        return EMPTY_ROOT if found is None else found


def top(row: Sequence[bytes]) -> bytes:
    """This will give the root of the tree over some leaves, or over nodes of one level."""
    frontier = Frontier()
    frontier.extend(row)
    return frontier.root()


def root(size: int, nodes: Nodes) -> bytes:
    """This will give the root of the first `size` leaves."""
    return _subtree(0, size, nodes) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """This will give the audit path of a leaf in the tree of `size` leaves, from the leaf up (RFC 6962, 2.1.1)."""
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size}")
    path = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_subtree(middle, end, nodes))
            end = middle
        else:
            path.append(_subtree(start, middle, nodes))
            start = middle
    return path[::-1]


def consistency_proof(first: int, second: int, nodes: Nodes) -> list[bytes]:
    """This will give the proof that the first `first` leaves are the beginning of the first `second` (RFC 6962, 2.1.2)."""
    if not 0 < first <= second:
        raise ValueError(f"a tree of {first} leaves is no beginning of one of {second}")
    path = []
    start, end, whole = 0, second, True
    while first != end:
        middle = start + _split(end - start)
        if first <= middle:
            path.append(_subtree(middle, end, nodes))
            end = middle
        else:
            path.append(_subtree(start, middle, nodes))
            start, whole = middle, False
    if not whole:
        path.append(_subtree(start, end, nodes))
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """This will check an audit path against a root (RFC 9162, 2.1.3.2). Raises BadProof."""
    if not 0 <= index < size:
        raise BadProof(f"there is no leaf {index} in a tree of {size}")
    place, last, found = index, size - 1, leaf
    for node in proof:
        if last == 0:
            raise BadProof("the proof is too long")
        if place % 2 or place == last:
            found = node_hash(node, found)
            while place % 2 == 0 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, node)
        place, last = place >> 1, last >> 1
    if last:
        raise BadProof("the proof is too short")
    if found != root:
        raise BadProof("the proof leads to another root")


def verify_consistency(first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]) -> None:
    """This will check that the one tree is the beginning of the other (RFC 9162, 2.1.4.2). Raises BadProof."""
    if not 0 <= first <= second:
        raise BadProof(f"a tree of {first} leaves is no beginning of one of {second}")
    if first in (0, second):  # nothing is the beginning of everything
        if proof:
            raise BadProof("the proof is too long")
        if first_root != (second_root if first else EMPTY_ROOT):
            raise BadProof("the roots differ")
        return
    old, new = _roots(first, second, [first_root, *proof] if first & (first - 1) == 0 else proof)
    if old != first_root:
        raise BadProof("the proof leads to another root of the first tree")
    if new != second_root:
        raise BadProof("the proof leads to another root of the second tree")


def _roots(first: int, second: int, nodes: Sequence[bytes]) -> tuple[bytes, bytes]:
    """This will give the roots of both trees to which a consistency proof leads."""
    if not nodes:
        raise BadProof("the proof is too short")
    place, last = first - 1, second - 1
    while place % 2:
        place, last = place >> 1, last >> 1
    old = new = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            raise BadProof("the proof is too long")
        if place % 2 or place == last:
            old, new = node_hash(node, old), node_hash(node, new)
            while place % 2 == 0 and place:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, node)
        place, last = place >> 1, last >> 1
    if last:
        raise BadProof("the proof is too short")
    return old, new


def _split(size: int) -> int:
    """This will give the largest power of two that is less than a size of at least 2."""
    return 1 << ((size - 1).bit_length() - 1)


def _subtree(start: int, end: int, nodes: Nodes) -> bytes:
    size = end - start
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return nodes(level, start >> level)
    middle = start + _split(size)
    return node_hash(_subtree(start, middle, nodes), _subtree(middle, end, nodes))
