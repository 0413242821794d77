"""How full the disk under the ledger is. From 90 % on nothing is appended.

A PostgreSQL that can't write its own log stops, and reads with it.
"""

import shutil
from pathlib import Path
from time import monotonic

from ledger.store.faults import LedgerFull

PERCENT_MAX = 90
#: How long a look counts, in seconds.
LOOKED_S = 0.5


class Disk:
    """The file system that a folder lies on, as whoever may write there sees it. Safe for many threads: at worst two look at once."""

    def __init__(self, folder: Path, percent_max: int = PERCENT_MAX) -> None:
        self.folder = folder
        self.percent_max = percent_max
        self._look_at = 0.0
        self._fault: LedgerFull | None = None

    def fault(self) -> LedgerFull | None:
        """This will say why nothing may be appended now; None: there is room. A folder that is not there has no say."""
        now = monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOKED_S
            self._fault = self._looked()
        return self._fault

    def _looked(self) -> LedgerFull | None:
        try:
            found = shutil.disk_usage(self.folder)
        except OSError:
            return None
        percent = (
            100 * found.used / (found.used + found.free)
        )  # as `df` has it: what the system keeps for itself is nobody's
        return LedgerFull(percent, self.percent_max) if percent >= self.percent_max else None
