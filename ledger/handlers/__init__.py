"""Commands into facts: load, decide, append. `Handlers` is the one way in; a file per noun has a function per command."""

from ledger.handlers.bootstrap import bootstrap
from ledger.handlers.desk import HANDLERS, Handlers
from ledger.handlers.lookups import Lookups
from ledger.handlers.outcome import Outcome

__all__ = ["HANDLERS", "Handlers", "Lookups", "Outcome", "bootstrap"]
