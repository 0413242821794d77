"""JSON Lines histories into the ledger, in the order in which their sources knew each thing.

Twice through the facts: the first time a file is read, each line is checked and decided whole, and its commands wait on disk in sorted
runs; then they are appended in order. So a line that can't be leaves nothing behind, and memory doesn't grow with the file.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from time import perf_counter

from ledger.collector import without_collector
from ledger.importing.appending import append_in_order
from ledger.importing.counting import Counting
from ledger.importing.deciding import Deciding
from ledger.importing.drafting import Drafting
from ledger.importing.lines import Line, lines
from ledger.importing.naming import IMPORTER, IMPORTER_NAME
from ledger.importing.report import BadLine, FileReport, ImportReport, Progress
from ledger.importing.runs import Runs
from ledger.importing.staging import Staging
from ledger.store.application import Ledger

#: Lines and bytes that are looked up and decided together.
CHUNK_LINES = 250
CHUNK_BYTES = 8 * 1024 * 1024


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
    the database is at fault: run it again then.
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
            stopped = _import_file(ledger, staging, runs, Path(path), counting, strict=strict)
            reports.append(counting.report())
            if stopped:
                return ImportReport(tuple(reports), perf_counter() - started, stopped=True)
            staging.clear()
            runs.clear()
    return ImportReport(tuple(reports), perf_counter() - started)


def _import_file(ledger: Ledger, staging: Staging, runs: Runs, path: Path, counting: Counting, *, strict: bool) -> bool:
    """This will import one file; True if a bad line stopped it."""
    counting.total_bytes = path.stat().st_size
    deciding = Deciding(ledger, staging, runs, counting)
    with path.open("rb") as file, Drafting(counting.total_bytes) as drafting:
        for chunk, drafts in drafting.ahead(_chunks(lines(file)), deciding.importing_teams):
            if not deciding.decide(chunk, drafts):
                drafting.stop()
            if counting.tell(first_only=strict) and strict:
                return True
    append_in_order(ledger, staging, runs, counting, deciding.teams())
    return counting.tell(first_only=False) and strict


def _chunks(found: Iterable[Line]) -> Iterator[list[Line]]:
    chunk, size = [], 0
    for line in found:
        chunk.append(line)
        size += len(line.content or b"")
        if len(chunk) >= CHUNK_LINES or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
