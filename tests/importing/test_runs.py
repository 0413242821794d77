"""What waits comes out in the order of knowing, however little of it may be in memory at once."""

from pathlib import Path
from random import Random

import pytest

from benchmarks.synthetic_histories import write
from ledger.importing import import_histories, runs
from ledger.importing.placed import Placed
from ledger.importing.runs import Runs
from ledger.store.application import Ledger
from tests.importing.told import Log


def placed(random: Random, line: int) -> Placed:
    """This will make up one; many are known at the same time."""
    return Placed(random.randrange(-50, 50), line, random.randrange(3), random.random() < 0.5, 1, random.randbytes(40))


@pytest.mark.parametrize("run_bytes", [1, 400, 1 << 20])
def test_many_small_runs_are_one_order(monkeypatch: pytest.MonkeyPatch, run_bytes: int) -> None:
    monkeypatch.setattr(runs, "RUN_BYTES", run_bytes)
    monkeypatch.setattr(runs, "PAGE_BYTES", 100)
    monkeypatch.setattr(runs, "ORDERED_ROWS", 7)
    random = Random(3)
    with Runs() as waiting:
        for _ in range(2):  # the second file finds nothing of the first
            given = [placed(random, line) for line in range(100)]
            for start in range(0, 100, 10):
                waiting.add(given[start : start + 10], 400)
            pages = list(waiting.before(None))
            assert [one for page in pages for one in page] == sorted(given)
            assert max(map(len, pages)) == 7
            waiting.clear()


@pytest.mark.parametrize("run_bytes", [1, 400, 1 << 20])
def test_what_is_known_before_a_time_is_given_while_more_is_added(
    monkeypatch: pytest.MonkeyPatch, run_bytes: int
) -> None:
    monkeypatch.setattr(runs, "RUN_BYTES", run_bytes)
    monkeypatch.setattr(runs, "PAGE_BYTES", 100)
    monkeypatch.setattr(runs, "ORDERED_ROWS", 7)
    random = Random(5)
    given = sorted(placed(random, line) for line in range(200))
    with Runs() as waiting:
        pages: list[list[Placed]] = []
        left = list(given)
        for before in range(-50, 50, 5):
            added = [one for one in left if one.known < before or random.random() < 0.3]
            left = [one for one in left if one not in added]
            waiting.add(random.sample(added, len(added)), 40 * len(added))
            pages += waiting.before(before)
            told = sum(map(len, pages))
            assert {len(page) for page in pages} <= {7}, "whole pages until the end"
            assert sum(one.known < before for one in given) - told < 7
        waiting.add(left, 40 * len(left))
        pages += waiting.before(None)
    assert [one for page in pages for one in page] == given


def test_what_comes_too_late_for_its_place_is_a_fault_of_the_program() -> None:
    with Runs() as waiting:
        assert list(waiting.before(10)) == []
        waiting.add([Placed(9, 3, 0, True, 1, b"")], 0)
        with pytest.raises(RuntimeError, match="line 3 tells of something from before it begins"):
            list(waiting.before(20))


def test_a_page_is_bounded_by_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "ORDERED_BYTES", 100)
    with Runs() as waiting:
        waiting.add([placed(Random(line), line) for line in range(10)], 400)
        assert [len(page) for page in waiting.before(None)] == [3, 3, 3, 1]


def test_an_import_over_the_disk_ends_in_the_same_ledger(
    monkeypatch: pytest.MonkeyPatch, ledger: Ledger, database_url: str, other: tuple[Ledger, str], tmp_path: Path
) -> None:
    path = tmp_path / "history.jsonl"
    write(path, 60, seed=9)
    import_histories(ledger, database_url, [path])
    monkeypatch.setattr(runs, "RUN_BYTES", 10_000)
    monkeypatch.setattr("ledger.importing.ordering.CHUNK_LINES", 3)
    import_histories(*other, [path])
    assert Log(ledger).story() == Log(other[0]).story()
