"""The tree as static files, byte for byte as c2sp.org/tlog-tiles lays them out."""

from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.store.integrity.tiles import (
    EntryTooLong,
    Tiles,
    bundle,
    entries_path,
    number_path,
    tile_path,
    unbundled,
)
from ledger.store.integrity.tree import Frontier, consistency_proof, inclusion_proof, root
from tests.integrity import independent
from tests.integrity.independent import leaf_hash


def log(size: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(size)]


def grown(folder: Path, *sizes: int) -> Tiles:
    tiles, at = Tiles(folder), 0
    entries = log(sizes[-1])
    for size in sizes:
        tiles.grow(at, [leaf_hash(entry) for entry in entries[at:size]], entries[at:size])
        at = size
    return tiles


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_paths_are_those_of_the_specification() -> None:
    assert number_path(1_234_067) == "x001/x234/067"
    assert [number_path(number) for number in (0, 5, 999, 1000)] == ["000", "005", "999", "x001/000"]
    assert tile_path(2, 1_234_067) == "tile/2/x001/x234/067"
    assert tile_path(0, 273, 17) == "tile/0/273.p/17"
    assert entries_path(273, 17) == "tile/entries/273.p/17"
    assert entries_path(273) == "tile/entries/273"


@pytest.mark.parametrize("width", [0, 257])
def test_a_tile_is_1_to_256_wide(width: int) -> None:
    with pytest.raises(ValueError, match="wide"):
        tile_path(0, 0, width)


def test_the_files_of_70_000_facts_are_the_specification_s_example(tmp_path: Path) -> None:
    """A log of 70,000 entries has 273 full tiles at level 0 and one of 112, one full and one of 17 at level 1, one of 1 at level 2."""
    size = 70_000
    grown(tmp_path, size)
    wanted = {tile_path(0, number) for number in range(273)} | {entries_path(number) for number in range(273)}
    wanted |= {"tile/0/273.p/112", "tile/entries/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"}
    assert files(tmp_path) == wanted
    hashes = [sha256(b"\0" + entry).digest() for entry in log(size)]
    assert (tmp_path / "tile/0/273.p/112").read_bytes() == b"".join(hashes[273 * 256 :])
    assert (tmp_path / "tile/0/007").read_bytes() == b"".join(hashes[7 * 256 : 8 * 256])
    subtrees = [independent.mth(log(size)[at : at + 256]) for at in range(0, 273 * 256, 256)]
    assert (tmp_path / "tile/1/000").read_bytes() == b"".join(subtrees[:256])
    assert (tmp_path / "tile/1/001.p/17").read_bytes() == b"".join(subtrees[256:])
    assert (tmp_path / "tile/2/000.p/1").read_bytes() == independent.mth(log(65_536))


def test_a_bundle_is_entries_each_after_its_length(tmp_path: Path) -> None:
    grown(tmp_path, 3)
    assert (tmp_path / "tile/entries/000.p/3").read_bytes() == b"\0\x07entry 0\0\x07entry 1\0\x07entry 2"
    assert unbundled(bundle([b"", b"a" * 300])) == [b"", b"a" * 300]
    with pytest.raises(ValueError, match="cut off"):
        unbundled(b"\0\x05abc")
    with pytest.raises(EntryTooLong):
        bundle([b"a" * 65_536])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=4), st.data())
def test_however_it_grew_it_proves_the_same(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("tiles")
    sizes = [sum(steps[: number + 1]) for number in range(len(steps))]
    tiles, size, entries = grown(folder, *sizes), sizes[-1], log(sizes[-1])
    index, first = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    assert root(size, tiles.node) == independent.mth(entries)
    assert inclusion_proof(index, size, tiles.node) == independent.path(index, entries)
    assert consistency_proof(first, size, tiles.node) == independent.proof(first, entries)
    assert tiles.leaves(index, size) == [leaf_hash(entry) for entry in entries[index:]]
    frontier = Frontier()
    frontier.extend(tiles.leaves(0, first))
    assert frontier.root() == independent.mth(entries[:first])


def test_a_narrower_tile_goes_once_the_full_one_is_there(tmp_path: Path) -> None:
    grown(tmp_path, 3, 255)
    assert "tile/0/000.p/3" in files(tmp_path)
    assert "tile/0/000.p/255" in files(tmp_path)
    tiles = grown(tmp_path, 3, 255, 256)
    assert files(tmp_path) == {"tile/0/000", "tile/entries/000", "tile/1/000.p/1"}
    assert tiles.hashes(0, 0, 3) == [leaf_hash(entry) for entry in log(3)]
    assert tiles.entries(0, 3) == log(3)


def test_a_tile_that_is_cut_off_or_gone_is_told(tmp_path: Path) -> None:
    tiles = grown(tmp_path, 256)
    (tmp_path / "tile/0/000").write_bytes(b"\0" * 40)
    with pytest.raises(ValueError, match="fewer hashes"):
        tiles.leaves(0, 256)
    (tmp_path / "tile/0/000").unlink()
    with pytest.raises(FileNotFoundError):
        tiles.node(0, 5)
