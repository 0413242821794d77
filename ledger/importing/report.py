"""What an import did, file by file."""

from msgspec import Struct

#: Most bad lines that a report names one by one; all are counted, and told as they are found.
BAD_LINES_NAMED = 1_000


class BadLine(Struct, frozen=True, omit_defaults=True):
    """A line of which nothing was recorded, and why. `line` counts from 1."""

    path: str
    line: int
    code: str
    reason: str
    external_id: str | None = None

    def __str__(self) -> str:
        of = f" ({self.external_id})" if self.external_id else ""
        return f"{self.path}:{self.line}{of}: {self.reason}"


class Progress(Struct, frozen=True):
    """How far one file is. READING counts bytes, and most facts are recorded meanwhile; RECORDING counts facts, when all is read."""

    path: str
    phase: str
    done: int
    total: int


class FileReport(Struct, frozen=True):
    """One file: counts, and the seconds that each part of the work took. Facts are the source's; events are what the log got of them."""

    path: str
    lines: int
    #: Proposals of good lines, and those of them that were new to the ledger.
    proposals: int
    proposals_new: int
    facts_recorded: int
    facts_known: int
    events_recorded: int
    bad_line_count: int
    bad_lines: tuple[BadLine, ...]
    seconds: float
    #: Reading lines and checking them; deciding; putting facts in order; appending.
    decode_seconds: float
    decide_seconds: float
    order_seconds: float
    append_seconds: float
    facts_per_second: float


class ImportReport(Struct, frozen=True):
    """The whole import. `stopped`: a bad line ended it, as `strict` asks."""

    files: tuple[FileReport, ...]
    seconds: float
    stopped: bool = False

    @property
    def ok(self) -> bool:
        """This will say whether each line was good."""
        return not any(file.bad_line_count for file in self.files)

    @property
    def facts_recorded(self) -> int:
        """This will count the source's facts that are new in the ledger."""
        return sum(file.facts_recorded for file in self.files)

    @property
    def events_recorded(self) -> int:
        """This will count the events that the log got."""
        return sum(file.events_recorded for file in self.files)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in the middle. `report` tells of what is recorded for sure; what was on its way may be recorded besides."""

    def __init__(self, report: ImportReport) -> None:
        super().__init__()
        self.report = report
