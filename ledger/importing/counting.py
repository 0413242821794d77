"""The counts of one file while it is imported."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

from ledger.domain.rejected import Rejected
from ledger.importing.report import BAD_LINES_NAMED, BadLine, FileReport, Progress


class Counting:
    """What has been counted so far, and who is told of it."""

    def __init__(
        self, path: str, progress: Callable[[Progress], None] | None, bad_line: Callable[[BadLine], None] | None
    ) -> None:
        self.path = path
        self.total_bytes = 0
        self._done_bytes = 0
        self.lines = 0
        self.proposals = 0
        self.proposals_new = 0
        self.facts_staged = 0
        self.facts_recorded = 0
        self.facts_known = 0
        self.events_recorded = 0
        self.bad_count = 0
        self._bad: list[BadLine] = []
        self._found: list[BadLine] = []
        self._progress = progress
        self._bad_line = bad_line
        self._started = perf_counter()
        self._seconds = {"decode": 0.0, "decide": 0.0, "order": 0.0, "append": 0.0}

    def bad(self, line: int, rejected: Rejected, external_id: str | None = None) -> None:
        """This will note a bad line; `tell` counts it."""
        self._found.append(BadLine(self.path, line, rejected.code.value, rejected.message, external_id))

    def tell(self, *, first_only: bool) -> bool:
        """This will count the bad lines noted since the last call, or the first only, and tell of them. True: there was one."""
        found = sorted(self._found, key=lambda bad: bad.line)[: 1 if first_only else None]
        self._found.clear()
        for bad in found:
            self.bad_count += 1
            if len(self._bad) < BAD_LINES_NAMED:
                self._bad.append(bad)
            if self._bad_line is not None:
                self._bad_line(bad)
        return bool(found)

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """This will add the time of the block to a part of the work: decode, decide, order or append."""
        started = perf_counter()
        try:
            yield
        finally:
            self._seconds[part] += perf_counter() - started

    def reading(self, more_bytes: int, *, is_last: bool) -> None:
        """This will tell how far the reading is, now that so many bytes more are decided."""
        self._done_bytes = self.total_bytes if is_last else self._done_bytes + more_bytes
        if self._progress is not None:
            self._progress(Progress(self.path, "READING", self._done_bytes, self.total_bytes))

    def recording(self, done: int) -> None:
        """This will tell how far the recording is, in facts that waited."""
        if self._progress is not None:
            self._progress(Progress(self.path, "RECORDING", done, self.facts_staged))

    def report(self) -> FileReport:
        """This will sum the file up."""
        seconds = perf_counter() - self._started
        return FileReport(
            self.path,
            self.lines,
            self.proposals,
            self.proposals_new,
            self.facts_recorded,
            self.facts_known,
            self.events_recorded,
            self.bad_count,
            tuple(sorted(self._bad, key=lambda bad: bad.line)),
            seconds,
            self._seconds["decode"],
            self._seconds["decide"],
            self._seconds["order"],
            self._seconds["append"],
            (self.facts_recorded + self.facts_known) / seconds if seconds else 0.0,
        )
