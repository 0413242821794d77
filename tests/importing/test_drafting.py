"""A file that other processes decide ends in the same ledger as one that is decided here."""

import json
import os
import subprocess
from concurrent.futures import Future, wait
from datetime import datetime
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest

from benchmarks.synthetic_histories import write
from ledger.importing import ImportReport, drafting, histories, import_histories, ordering
from ledger.importing.draft import Drafts, Teams
from ledger.importing.lines import Line
from ledger.store.application import Ledger
from tests.importing.told import Log

READY_TIMEOUT_S = 60


@pytest.fixture
def drafted(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Small chunks, processes that are waited for, and whether each of the chunks they were given had drafts only."""
    found: list[bool] = []

    class Waited(drafting.Drafting):
        def __init__(self, size_bytes: int, until: datetime) -> None:
            super().__init__(size_bytes, until)
            wait([worker.started for worker in self._workers], READY_TIMEOUT_S)

    def noted(chunk: list[Line], drafts: Future[Drafts]) -> Drafts:
        had = finished(chunk, drafts)
        found.append(all(had))
        return had

    finished = drafting.finished
    monkeypatch.setattr(drafting, "DRAFTED_BYTES_MIN", 0)
    monkeypatch.setattr(drafting, "finished", noted)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr(ordering, "CHUNK_LINES", 10)
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
    before = Log(ledger).story()
    drafted.clear()
    write(path, 120, seed=3)
    report = import_histories(ledger, database_url, [path]).files[0]
    assert len(drafted) <= 1 + 2 * drafting.CHUNKS_AHEAD, "one draft was of no use: no more are asked for"
    assert (report.lines, report.proposals, report.proposals_new, report.bad_line_count) == (120, 120, 60, 0)
    assert Log(ledger).story()[: len(before)] == before
    again = import_histories(ledger, database_url, [path]).files[0]
    assert (again.facts_recorded, again.facts_known) == (0, report.facts_recorded + report.facts_known)


def test_processes_that_die_cost_time_only(
    drafted: list[bool], monkeypatch: pytest.MonkeyPatch, ledger: Ledger, database_url: str, tmp_path: Path
) -> None:
    begin, start = drafting.Worker.begin, subprocess.Popen.__init__
    groups: list[int] = []

    def started(self: subprocess.Popen[bytes], *given: Any, **named: Any) -> None:
        start(self, *given, **named)
        groups.append(self.pid)

    def killed(self: drafting.Worker, lines: list[Line], teams: Teams) -> Future[Drafts]:
        os.killpg(groups[0], SIGKILL)
        return begin(self, lines, teams)

    monkeypatch.setattr(subprocess.Popen, "__init__", started)
    monkeypatch.setattr(drafting.Worker, "begin", killed)
    path = tmp_path / "whole.jsonl"
    facts = write(path, 60, seed=5)
    report = import_histories(ledger, database_url, [path])
    assert report.ok
    assert report.facts_recorded == facts
    assert not any(drafted)
    assert 1 <= len(drafted) <= 2 * drafting.CHUNKS_AHEAD, "who is gone is asked no more"
