"""A file of which every other chunk is decided by a second process ends in the same ledger as one read by one."""

import json
from pathlib import Path

import pytest

from benchmarks.synthetic_histories import write
from ledger.importing import ImportReport, drafting, histories, import_histories
from ledger.store.application import Ledger
from tests.importing.told import Log

READY_TIMEOUT_S = 60


@pytest.fixture
def drafted(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Small chunks, a second process that is waited for, and whether each of the chunks it was given had drafts only."""
    found: list[bool] = []

    class Waited(drafting.Drafting):
        def ready(self) -> bool:
            if self._connection is not None and not self._ready:
                assert self._connection.poll(READY_TIMEOUT_S)
            return super().ready()

        def drafts(self, lines: object) -> drafting.Drafts:
            drafts = super().drafts(lines)  # type: ignore[arg-type]
            found.append(all(drafts))
            return drafts

    monkeypatch.setattr(drafting, "DRAFTED_BYTES_MIN", 0)
    monkeypatch.setattr(histories, "CHUNK_LINES", 10)
    monkeypatch.setattr(histories, "Drafting", Waited)
    return found


def counts(report: ImportReport) -> list[object]:
    """This will give all that a report counts, without its times and its path."""
    (file,) = report.files
    return [
        (file.lines, file.proposals, file.proposals_new, file.facts_recorded, file.facts_known, file.events_recorded),
        [(bad.line, bad.code, bad.reason, bad.external_id) for bad in file.bad_lines],
    ]


def odd_file(path: Path) -> None:
    """This will write a history in which a draft may be bad, and may repeat a line that was decided here before."""
    write(path, 100, seed=11)
    lines = path.read_bytes().splitlines()
    bad = json.loads(lines[24])
    bad["facts"][1]["seq"] = 9
    lines[24] = json.dumps(bad).encode()
    lines[35] = lines[22]
    lines[44] = lines[32]
    path.write_bytes(b"\n".join(lines))


def test_drafts_end_in_the_same_ledger(
    drafted: list[bool],
    monkeypatch: pytest.MonkeyPatch,
    ledger: Ledger,
    database_url: str,
    other: tuple[Ledger, str],
    tmp_path: Path,
) -> None:
    path = tmp_path / "odd.jsonl"
    odd_file(path)
    with_drafts = import_histories(ledger, database_url, [path])
    assert drafted.count(True) >= 3
    assert drafted.count(False) == 1  # the chunk with the bad line
    monkeypatch.setattr(drafting, "DRAFTED_BYTES_MIN", 1 << 40)
    alone = import_histories(*other[:1], other[1], [path])
    assert with_drafts.files[0].bad_line_count == 3
    assert counts(with_drafts) == counts(alone)
    assert Log(ledger).story() == Log(other[0]).story()


def test_drafts_of_what_the_ledger_has_are_decided_again(
    drafted: list[bool], ledger: Ledger, database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "half.jsonl"
    write(path, 60, seed=3)
    import_histories(ledger, database_url, [path])
    before, given = Log(ledger).story(), len(drafted)
    write(path, 120, seed=3)
    report = import_histories(ledger, database_url, [path]).files[0]
    assert len(drafted) == given + 1, "one draft was of no use: no more are asked for"
    assert (report.lines, report.proposals, report.proposals_new, report.bad_line_count) == (120, 120, 60, 0)
    assert Log(ledger).story()[: len(before)] == before
    again = import_histories(ledger, database_url, [path]).files[0]
    assert (again.facts_recorded, again.facts_known) == (0, report.facts_recorded + report.facts_known)


def test_a_second_process_that_dies_costs_time_only(
    drafted: list[bool], monkeypatch: pytest.MonkeyPatch, ledger: Ledger, database_url: str, tmp_path: Path
) -> None:
    begin = drafting.Drafting.begin

    def killed(self: drafting.Drafting, *given: object) -> None:
        self._process.kill()
        self._process.wait()
        begin(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr("ledger.importing.histories.Drafting.begin", killed)
    path = tmp_path / "whole.jsonl"
    facts = write(path, 60, seed=5)
    report = import_histories(ledger, database_url, [path])
    assert report.ok
    assert report.facts_recorded == facts
    assert drafted == [False]
