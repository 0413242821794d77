"""JSON Lines histories into the ledger, in the order in which their sources knew each thing.

The lines of a file are decided as what they tell of begins, each of them whole, so that one that can't be leaves nothing behind. Their
commands wait, on disk if there are many, until no other line can have anything from before them; then they are appended, while the
next lines are decided. So both processors are busy to the end, and memory doesn't grow with the file.
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from time import perf_counter

from ledger.collector import without_collector
from ledger.importing.appending import Appending
from ledger.importing.counting import Counting
from ledger.importing.deciding import Deciding
from ledger.importing.drafting import Drafting
from ledger.importing.naming import IMPORTER, IMPORTER_NAME
from ledger.importing.ordering import as_they_begin, as_they_stand
from ledger.importing.report import BadLine, FileReport, ImportReport, Interrupted, Progress
from ledger.importing.runs import Runs
from ledger.importing.staging import Staging
from ledger.store.application import Ledger


def import_histories(
    ledger: Ledger,
    database_url: str,
    paths: Sequence[Path | str],
    *,
    strict: bool = False,
    progress: Callable[[Progress], None] | None = None,
    bad_line: Callable[[BadLine], None] | None = None,
) -> ImportReport:
    """This will import files one after the other, and report what became of each.

    What is recorded already is passed over, so that it may be run again, and after an interruption. `bad_line` hears of a bad line
    when it is found; with `strict` the first one ends the import, and nothing of its file is recorded.
    Raises OSError for a file that can't be read, psycopg.OperationalError, LedgerUnavailable, LedgerBusy or OutcomeUnknown where
    the database is at fault: run it again then. Raises Interrupted on Ctrl-C.
    """
    started = perf_counter()
    for path in paths:
        with Path(path).open("rb"):
            pass  # all can be read, or nothing begins
    reports: list[FileReport] = []
    with Staging(database_url) as staging, Runs() as runs, without_collector():
        staging.add_people({IMPORTER: IMPORTER_NAME})
        for path in paths:
            counting = Counting(str(path), progress, bad_line)
            try:
                stopped = _import_file(ledger, staging, runs, Path(path), counting, strict=strict)
            except KeyboardInterrupt as interrupt:
                report = ImportReport((*reports, counting.report()), perf_counter() - started, stopped=True)
                raise Interrupted(report) from interrupt
            reports.append(counting.report())
            if stopped:
                return ImportReport(tuple(reports), perf_counter() - started, stopped=True)
            staging.clear()
            runs.clear()
    return ImportReport(tuple(reports), perf_counter() - started)


def _import_file(ledger: Ledger, staging: Staging, runs: Runs, path: Path, counting: Counting, *, strict: bool) -> bool:
    """This will import one file; True if a bad line stopped it."""
    counting.total_bytes = path.stat().st_size
    until = staging.until()
    deciding = Deciding(ledger, staging, runs, counting, until)
    appending = Appending(ledger, staging, runs, counting, deciding.new_teams)
    with path.open("rb") as file, Drafting(counting.total_bytes, until) as drafting, closing(appending):
        # Where one line may undo all others, nothing is recorded before the last.
        with counting.timed("order"):
            chunks = as_they_stand(file) if strict else as_they_begin(file, staging)
        for chunk, drafts in drafting.ahead(chunks, deciding.importing_teams):
            if not deciding.decide(chunk, drafts):
                drafting.stop()
            if counting.tell(first_only=strict) and strict:
                return True
            appending.append(chunk.next_begins)
    return counting.tell(first_only=False) and strict
