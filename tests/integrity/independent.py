"""Another implementation of RFC 6962's tree, straight from its recursive definitions and sharing nothing with ours."""

import hashlib
from collections.abc import Sequence


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf, of section 2.1."""
    return hashlib.sha256(b"\0" + entry).digest()


def mth(entries: Sequence[bytes]) -> bytes:
    """MTH of section 2.1."""
    if not entries:
        return hashlib.sha256().digest()
    if len(entries) == 1:
        return leaf_hash(entries[0])
    k = largest_power_below(len(entries))
    return hashlib.sha256(b"\1" + mth(entries[:k]) + mth(entries[k:])).digest()


def path(m: int, entries: Sequence[bytes]) -> list[bytes]:
    """PATH of section 2.1.1."""
    if len(entries) == 1:
        return []
    k = largest_power_below(len(entries))
    if m < k:
        return [*path(m, entries[:k]), mth(entries[k:])]
    return [*path(m - k, entries[k:]), mth(entries[:k])]


def proof(m: int, entries: Sequence[bytes]) -> list[bytes]:
    """PROOF of section 2.1.2."""
    return subproof(m, entries, whole=True)


def subproof(m: int, entries: Sequence[bytes], *, whole: bool) -> list[bytes]:
    if m == len(entries):
        return [] if whole else [mth(entries)]
    k = largest_power_below(len(entries))
    if m <= k:
        return [*subproof(m, entries[:k], whole=whole), mth(entries[k:])]
    return [*subproof(m - k, entries[k:], whole=False), mth(entries[:k])]


def root_by_path(entry: bytes, m: int, size: int, audit_path: Sequence[bytes]) -> bytes:
    """The root to which an audit path leads, by the recursion of PATH read backwards."""
    if size == 1:
        assert not audit_path
        return hashlib.sha256(b"\0" + entry).digest()
    k = largest_power_below(size)
    if m < k:
        return hashlib.sha256(b"\1" + root_by_path(entry, m, k, audit_path[:-1]) + audit_path[-1]).digest()
    return hashlib.sha256(b"\1" + audit_path[-1] + root_by_path(entry, m - k, size - k, audit_path[:-1])).digest()


def largest_power_below(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k
