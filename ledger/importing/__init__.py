"""Outside histories → facts, through the same domain and store as everything else."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledger.importing.histories import import_histories
    from ledger.importing.report import BadLine, FileReport, ImportReport, Interrupted, Progress

__all__ = ["BadLine", "FileReport", "ImportReport", "Interrupted", "Progress", "import_histories"]


def __getattr__(name: str) -> object:
    """This will load what is asked for: a process that only decides lines is there in half the time without the rest."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ledger.importing import histories, report  # noqa: PLC0415

    return getattr(histories if name == "import_histories" else report, name)
