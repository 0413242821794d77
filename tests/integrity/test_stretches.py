"""A ledger that is checked in stretches, by one process or several, is found to be the same as one that is checked whole."""

from pathlib import Path

import psycopg
import pytest

from ledger.store.application import Ledger
from ledger.store.connections import Connection
from ledger.store.integrity import reading, sealer, verifying
from ledger.store.integrity.checking import Kind
from ledger.store.integrity.checkpoint import Checkpoint
from ledger.store.integrity.keeping import Kept
from ledger.store.integrity.logtree import LogTree
from ledger.store.integrity.note import Signer
from ledger.store.integrity.sealer import Sealer
from ledger.store.integrity.tree import Frontier, consistency_proof, inclusion_proof, root
from ledger.store.integrity.verifying import verify
from tests.integrity.conftest import FACTS, do

OTHER_VERSION = """UPDATE ledger.events SET version = 77, meta = convert_to(
    replace(convert_from(meta, 'UTF8'), '"version":5,', '"version":77,'), 'UTF8') WHERE position = 65"""
RELEAF = """UPDATE ledger.events SET leaf = sha256('\\x00'::bytea || int8send(position)
    || int8send((extract(epoch FROM recorded_at) * 1000000)::bigint) || meta) WHERE position = 65"""


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stretches of 64 facts, and pages of 25, so that streams, times and the tree cross their joints."""
    monkeypatch.setattr(reading, "PAGE", 25)
    monkeypatch.setattr(verifying, "STRETCH", 64)
    monkeypatch.setattr(sealer, "STRETCH", 64)


def beginning(reads: Connection, size: int) -> Checkpoint:
    frontier = Frontier()
    frontier.extend(reading.leaves(reads, 0, size))
    return Checkpoint("log", size, frontier.root())


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("processes", [1, 2])
def test_each_checkpoint_is_the_beginning(database_url: str, reads: Connection, processes: int) -> None:
    sizes = (0, 1, 64, 65, 191, FACTS) if processes == 1 else (100,)
    for size in sizes:
        told: list[tuple[int, int]] = []
        found = verify(
            database_url,
            checkpoint=beginning(reads, size) if size else None,
            processes=processes,
            progress=lambda done, total, told=told: told.append((done, total)),  # type: ignore[misc]
        )
        assert (found.fault, found.facts, found.root) == (None, FACTS, beginning(reads, FACTS).root)
        assert told[0] == (0, FACTS)
        assert told[-1] == (FACTS, FACTS)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("statement", "kind", "position"),
    [
        ("UPDATE ledger.events SET salt = sha256('x') WHERE position IN (120, 290)", Kind.PAYLOAD, 120),
        ("DELETE FROM ledger.events WHERE position BETWEEN 65 AND 128", Kind.MISSING, 65),
        ("DELETE FROM ledger.events WHERE position = 128", Kind.MISSING, 128),
        ("UPDATE ledger.events SET recorded_at = 'infinity' WHERE position = 70", Kind.LEAF, 70),
        ("SELECT 'nothing'", None, 0),
    ],
)
def test_the_first_fault_is_named(
    superuser: psycopg.Connection, database_url: str, statement: str, kind: Kind | None, position: int
) -> None:
    do(superuser, [statement])
    for processes in (1, 2):
        fault = verify(database_url, processes=processes).fault
        assert (None if fault is None else (fault.kind, fault.position)) == (kind and (kind, position))


@pytest.mark.usefixtures("filled")
def test_a_version_that_does_not_follow_across_a_joint_is_found(
    superuser: psycopg.Connection, database_url: str
) -> None:
    """Position 65 is the fifth of its stream: rewritten with its leaf as another one, the joint alone can tell."""
    (version,) = superuser.execute("SELECT version FROM ledger.events WHERE position = 65").fetchone() or (0,)
    assert version == 5
    do(superuser, [OTHER_VERSION, RELEAF])
    fault = verify(database_url).fault
    assert fault is not None
    assert (fault.kind, fault.position) == (Kind.VERSION, 65)


def test_a_sealer_that_grows_in_odd_steps_signs_the_same_root(
    filled: Ledger, reads: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Sealer(reads, Kept(tmp_path / "one"), Signer.generate("log"))
    for head in (1, 63, 64, 130, 257, FACTS):
        monkeypatch.setattr(reading, "head", lambda _, head=head: head)
        found = one.seal()
        assert found is not None
        assert (found.size, found.root) == (head, beginning(reads, head).root)
    assert Sealer(reads, Kept(tmp_path / "two"), Signer.generate("log")).seal() == found
    assert root(FACTS, Kept(tmp_path / "one").tiles.node) == found.root


@pytest.mark.usefixtures("filled")
def test_proofs_on_demand_are_those_of_the_leaves(reads: Connection) -> None:
    leaves = reading.leaves(reads, 0, FACTS)

    def node(level: int, index: int) -> bytes:
        frontier = Frontier()
        frontier.extend(leaves[index << level : (index + 1) << level])
        return frontier.root()

    tree = LogTree()
    for size in (1, 2, 100, 256, 257, FACTS):
        assert tree.root(reads, size) == root(size, node)
        for position in {1, (size + 1) // 2, size}:
            assert tree.inclusion(reads, position, size) == inclusion_proof(position - 1, size, node)
            assert tree.consistency(reads, position, size) == consistency_proof(position, size, node)
    with pytest.raises(ValueError, match="fewer"):
        tree.root(reads, FACTS + 1)
