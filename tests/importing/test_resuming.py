"""Running an import again adds nothing, and one that was interrupted ends in the same ledger."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from signal import SIGKILL

import msgspec
import pytest

from benchmarks.synthetic_histories import write
from ledger.events.proposal import ProposalSubmitted
from ledger.events.team import TeamFormed
from ledger.importing import ImportReport, Interrupted, Progress, import_histories, runs
from ledger.importing.naming import Names
from ledger.store.application import Ledger
from ledger.store.migrations import migrate
from tests.importing.told import Log, proposal

Load = Callable[..., ImportReport]
Other = tuple[Ledger, str]

IMPORTING = """
import sys
from ledger.importing import import_histories
from ledger.store.application import Ledger
with Ledger(sys.argv[1]) as ledger:
    import_histories(ledger, sys.argv[1], sys.argv[2:], progress=lambda p: print(p.phase, p.done, p.total, flush=True))
"""


def test_a_second_import_adds_nothing(load: Load, log: Callable[[], Log], orchard: Path) -> None:
    first = load(orchard)
    before = log().story()
    again = load(orchard)
    assert first.facts_recorded == again.files[0].facts_known > 0
    assert (again.facts_recorded, again.events_recorded, again.files[0].proposals_new, again.ok) == (0, 0, 0, True)
    assert log().story() == before


def test_the_same_file_twice_in_one_import_is_recorded_once(load: Load, orchard: Path) -> None:
    report = load(orchard, orchard)
    assert report.ok
    assert [file.facts_recorded > 0 for file in report.files] == [True, False]


def test_a_source_that_has_grown_adds_what_is_new(
    load: Load, log: Callable[[], Log], written: Callable[..., Path]
) -> None:
    deferred = {"type": "decided", "at": "2020-06-01", "verdict": "deferred"}
    load(written(proposal("pear-1", deferred)))
    before = log().story()
    report = load(written(proposal("pear-1", deferred, {"type": "withdrawn", "at": "2020-07-01"})))
    assert (report.facts_recorded, report.files[0].facts_known, report.files[0].proposals_new) == (1, 2, 0)
    told = log()
    assert told.story()[:-1] == before
    (state,) = told.states().values()
    assert state.status == "WITHDRAWN"
    assert [event.version for event in told.proposal("pear-1")] == [1, 2, 3]


def test_a_file_cut_off_in_the_middle_resumes_to_the_same_facts(
    ledger: Ledger, database_url: str, other: Other, tmp_path: Path
) -> None:
    whole, cut = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    write(whole, 120, seed=7)
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    report = import_histories(ledger, database_url, [cut])
    assert report.files[0].bad_line_count == 1
    assert report.files[0].bad_lines[0].line == report.files[0].lines
    assert import_histories(ledger, database_url, [whole]).ok
    import_histories(*other, [whole])
    assert by_stream(Log(ledger)) == by_stream(Log(other[0]))


def test_a_kill_in_the_middle_resumes_to_the_same_ledger(
    ledger: Ledger, database_url: str, other: Other, tmp_path: Path
) -> None:
    path = tmp_path / "long.jsonl"
    facts = write(path, 1_500, seed=3)
    child = subprocess.Popen(
        [sys.executable, "-c", IMPORTING, database_url, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout
    with child.stdout:
        for line in child.stdout:
            phase, done, total = line.split()
            if phase == "READING" and int(done) > int(total) / 2:  # what was decided before is recorded meanwhile
                child.send_signal(SIGKILL)
                break
    assert child.wait() == -SIGKILL
    recorded = ledger.head()
    assert 0 < recorded < facts  # it was in the middle
    report = import_histories(ledger, database_url, [path])
    assert report.ok
    assert report.files[0].facts_known > 0
    assert report.facts_recorded + report.files[0].facts_known == facts
    import_histories(*other, [path])
    assert Log(ledger).story() == Log(other[0]).story()


def test_an_interrupted_import_says_what_is_recorded_and_the_next_goes_on(
    ledger: Ledger, database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "history.jsonl"
    write(path, 1_500, seed=3)

    def interrupt(at: Progress) -> None:
        if at.phase == "RECORDING" and at.done:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as interrupted:
        import_histories(ledger, database_url, [path], progress=interrupt)
    told = interrupted.value.report.facts_recorded
    again = import_histories(ledger, database_url, [path])
    assert 0 < told <= again.files[0].facts_known
    assert again.ok
    assert again.facts_recorded > 0


def test_two_imports_at_once_record_everything_once(
    ledger: Ledger, database_url: str, other: Other, tmp_path: Path
) -> None:
    path = tmp_path / "both.jsonl"
    facts = write(path, 200, seed=5)
    reports: list[ImportReport] = []

    def run() -> None:
        reports.append(import_histories(ledger, database_url, [path]))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    import_histories(ledger, database_url, [path])
    assert sum(report.facts_recorded for report in reports) <= facts
    import_histories(*other, [path])
    assert Log(ledger).story() == Log(other[0]).story()


def test_what_another_import_records_meanwhile_is_passed_over_and_the_rest_keeps_its_order(
    ledger: Ledger, database_url: str, other: Other, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "ORDERED_ROWS", 50)  # so that pages of both kinds are on their way at once
    whole, half = tmp_path / "whole.jsonl", tmp_path / "half.jsonl"
    facts, faster = write(whole, 60, seed=2), write(half, 30, seed=2)

    def meanwhile(at: Progress) -> None:
        if at.phase == "READING":
            assert import_histories(ledger, database_url, [half]).facts_recorded == faster

    file = import_histories(ledger, database_url, [whole], progress=meanwhile).files[0]
    assert (file.facts_recorded, file.facts_known, file.bad_line_count) == (facts - faster, faster, 0)
    import_histories(*other, [half])
    import_histories(*other, [whole])
    assert Log(ledger).story() == Log(other[0]).story()


def test_a_story_ledger_records_when_the_source_knew_and_never_runs_backwards(
    empty_database_url: str, written: Callable[..., Path]
) -> None:
    migrate(empty_database_url, clock="story")
    early = written(proposal("pear-1", {"type": "withdrawn", "at": "2021-01-01T00:00:00Z"}), name="early.jsonl")
    late = written(proposal("pear-2"), name="late.jsonl")  # of May 2020
    with Ledger(empty_database_url) as story:
        assert import_histories(story, empty_database_url, [early, late]).ok
        recorded = [event.recorded_at for event in Log(story).events]
    begun, end = datetime(2020, 5, 1, 8, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)
    assert recorded == [begun, begun, end, end]


def test_a_team_that_is_there_already_keeps_its_hours(
    load: Load, ledger: Ledger, log: Callable[[], Log], written: Callable[..., Path]
) -> None:
    load(written(proposal("pear-1")))
    load(written(proposal("pear-2")))
    assert len(log().of(TeamFormed)) == 1
    assert {e.fact.team_id for e in log().of(ProposalSubmitted)} == {Names("example/orchard").team_id}


def test_a_report_is_json_as_it_is(load: Load, written: Callable[..., Path]) -> None:
    report = load(written(proposal("pear-1"), b"{"))
    told = json.loads(msgspec.json.encode(report))
    (file,) = told["files"]
    assert (file["lines"], file["proposals_new"], file["facts_recorded"], file["bad_line_count"]) == (2, 1, 1, 1)
    assert file["bad_lines"][0]["line"] == 2
    assert report.events_recorded == 1


def by_stream(log: Log) -> list[object]:
    return sorted((str(told[0]), told[1], told[2:]) for told in log.story())
