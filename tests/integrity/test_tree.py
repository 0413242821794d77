"""The tree is RFC 6962's: by its known vectors, by another implementation, and by what its proofs refuse."""

from collections.abc import Callable, Sequence
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.store.integrity.tree import (
    EMPTY_ROOT,
    BadProof,
    Frontier,
    Nodes,
    consistency_proof,
    inclusion_proof,
    root,
    verify_consistency,
    verify_inclusion,
)
from tests.integrity import independent
from tests.integrity.independent import leaf_hash

#: The entries, roots and proofs that certificate-transparency implementations test themselves with.
ENTRIES = [
    bytes.fromhex(entry)
    for entry in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
#: Leaf from 1, size, audit path.
PATHS = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (3, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        2,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
CONSISTENCIES = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
SIZES = st.integers(1, 70)


def nodes_of(leaves: Sequence[bytes]) -> Nodes:
    """Each complete node from its leaves, by the other implementation's rules."""
    return lambda level, index: independent_root(leaves[index << level : (index + 1) << level])


def independent_root(leaves: Sequence[bytes]) -> bytes:
    import hashlib

    if len(leaves) == 1:
        return leaves[0]
    k = independent.largest_power_below(len(leaves))
    return hashlib.sha256(b"\1" + independent_root(leaves[:k]) + independent_root(leaves[k:])).digest()


def log(size: int) -> list[bytes]:
    return [size.to_bytes(2) + number.to_bytes(2) for number in range(size)]


def test_the_root_of_nothing_is_the_hash_of_nothing() -> None:
    assert Frontier().root() == root(0, nodes_of([])) == EMPTY_ROOT
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("size", range(1, 9))
def test_the_roots_are_the_known_ones(size: int) -> None:
    leaves = [leaf_hash(entry) for entry in ENTRIES[:size]]
    frontier = Frontier()
    frontier.extend(leaves)
    assert frontier.root().hex() == root(size, nodes_of(leaves)).hex() == ROOTS[size - 1]


@pytest.mark.parametrize(("leaf", "size", "path"), PATHS)
def test_the_audit_paths_are_the_known_ones(leaf: int, size: int, path: list[str]) -> None:
    leaves = [leaf_hash(entry) for entry in ENTRIES]
    found = inclusion_proof(leaf - 1, size, nodes_of(leaves))
    assert [node.hex() for node in found] == path
    verify_inclusion(leaves[leaf - 1], leaf - 1, size, found, bytes.fromhex(ROOTS[size - 1]))


@pytest.mark.parametrize(("first", "second", "path"), CONSISTENCIES)
def test_the_consistency_proofs_are_the_known_ones(first: int, second: int, path: list[str]) -> None:
    found = consistency_proof(first, second, nodes_of([leaf_hash(entry) for entry in ENTRIES]))
    assert [node.hex() for node in found] == path
    verify_consistency(first, second, bytes.fromhex(ROOTS[first - 1]), bytes.fromhex(ROOTS[second - 1]), found)


@settings(deadline=None)
@given(SIZES, st.data())
def test_every_proof_is_the_other_implementation_s(size: int, data: st.DataObject) -> None:
    entries = log(size)
    nodes = nodes_of([leaf_hash(entry) for entry in entries])
    index, first = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    assert root(size, nodes) == independent.mth(entries)
    assert inclusion_proof(index, size, nodes) == independent.path(index, entries)
    assert consistency_proof(first, size, nodes) == independent.proof(first, entries)
    found = independent.root_by_path(entries[index], index, size, inclusion_proof(index, size, nodes))
    assert found == independent.mth(entries)


@settings(deadline=None)
@given(st.lists(st.integers(0, 20), max_size=8))
def test_a_frontier_that_grows_in_any_steps_has_the_same_root(steps: list[int]) -> None:
    entries = log(sum(steps))
    frontier, at = Frontier(), 0
    for step in steps:
        frontier.extend([leaf_hash(entry) for entry in entries[at : at + step]])
        at += step
        assert frontier.root() == independent.mth(entries[:at])
        assert Frontier(frontier.edge()).root() == frontier.root()


def test_a_frontier_takes_whole_nodes_only_where_they_fit() -> None:
    frontier = Frontier()
    frontier.extend([leaf_hash(b"")])
    with pytest.raises(ValueError, match="does not fit"):
        frontier.extend([leaf_hash(b"")], 1)


def refused(check: Callable[[], None]) -> bool:
    try:
        check()
    except BadProof:
        return True
    return False


@settings(deadline=None)
@given(SIZES, st.data())
def test_an_inclusion_proof_holds_for_its_own_claim_and_no_other(size: int, data: st.DataObject) -> None:
    leaves = [leaf_hash(entry) for entry in log(size)]
    nodes = nodes_of(leaves)
    index = data.draw(st.integers(0, size - 1))
    proof, claim = inclusion_proof(index, size, nodes), root(size, nodes)
    check = partial(verify_inclusion, leaves[index], index, size)
    check(proof, claim)
    assert refused(lambda: check([*proof, leaf_hash(b"more")], claim))
    assert refused(lambda: check(proof, leaf_hash(b"another root")))
    assert refused(lambda: verify_inclusion(leaf_hash(b"another"), index, size, proof, claim))
    assert refused(lambda: verify_inclusion(leaves[index], size, size, proof, claim))
    for at in range(len(proof)):
        assert refused(lambda at=at: check([*proof[:at], leaf_hash(b"no"), *proof[at + 1 :]], claim))  # type: ignore[misc]
        assert refused(lambda at=at: check([*proof[:at], *proof[at + 1 :]], claim))  # type: ignore[misc]
    other = data.draw(st.integers(0, size - 1).filter(lambda found: found != index)) if size > 1 else None
    if other is not None:
        assert refused(lambda: verify_inclusion(leaves[index], other, size, proof, claim))


@settings(deadline=None)
@given(SIZES, st.data())
def test_a_consistency_proof_holds_for_its_own_claim_and_no_other(size: int, data: st.DataObject) -> None:
    nodes = nodes_of([leaf_hash(entry) for entry in log(size)])
    first = data.draw(st.integers(1, size))
    proof, old, new = consistency_proof(first, size, nodes), root(first, nodes), root(size, nodes)
    verify_consistency(first, size, old, new, proof)
    wrong = leaf_hash(b"wrong")
    assert refused(lambda: verify_consistency(first, size, wrong, new, proof))
    assert refused(lambda: verify_consistency(first, size, old, wrong, proof))
    assert refused(lambda: verify_consistency(first, size, old, new, [*proof, wrong]))
    assert refused(lambda: verify_consistency(size + 1, size, old, new, proof))
    for at in range(len(proof)):
        assert refused(lambda at=at: verify_consistency(first, size, old, new, [*proof[:at], wrong, *proof[at + 1 :]]))  # type: ignore[misc]
        assert refused(lambda at=at: verify_consistency(first, size, old, new, [*proof[:at], *proof[at + 1 :]]))  # type: ignore[misc]


def test_nothing_is_the_beginning_of_everything() -> None:
    verify_consistency(0, 3, EMPTY_ROOT, leaf_hash(b"any"), [])
    with pytest.raises(BadProof, match="roots differ"):
        verify_consistency(0, 3, leaf_hash(b""), leaf_hash(b"any"), [])


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_there_is_no_proof_of_what_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_proof(index, size, nodes_of([]))


@pytest.mark.parametrize(("first", "second"), [(0, 3), (4, 3)])
def test_there_is_no_consistency_with_nothing_or_with_the_future(first: int, second: int) -> None:
    with pytest.raises(ValueError, match="no beginning"):
        consistency_proof(first, second, nodes_of([]))
