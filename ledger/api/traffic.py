"""What the requests of one process have in common: what is known, and how much may be asked for. Its numbers are for the metrics."""

from ledger.api.persisted import TrustedDocuments
from ledger.api.rate import POINTS_PER_MINUTE, Gate, Rates
from ledger.api.response_cache import ResponseCache
from ledger.api.snapshot import Snapshots, Viewers


class Traffic:
    """One process's. Everything is done on the event loop."""

    def __init__(
        self,
        documents: TrustedDocuments | None = None,
        points_per_minute: int = POINTS_PER_MINUTE,
        cache: ResponseCache | None = None,
        gate: Gate | None = None,
    ) -> None:
        self.documents = documents or TrustedDocuments()
        self.rates = Rates(points_per_minute)
        self.cache = cache or ResponseCache()
        self.gate = gate or Gate()
        self.snapshots = Snapshots()
        self.viewers = Viewers()
