"""Outside histories → facts, through the same domain and store as everything else."""

from ledger.importing.histories import import_histories
from ledger.importing.report import BadLine, FileReport, ImportReport, Progress

__all__ = ["BadLine", "FileReport", "ImportReport", "Progress", "import_histories"]
