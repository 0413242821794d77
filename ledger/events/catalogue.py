"""What can happen to the reason catalogue. The stream is CATALOGUE; a code is never renamed."""

from msgspec import Struct

from ledger.events.registry import exogenous, fact


@fact("ReasonCodeAdded", exogenous)
class ReasonCodeAdded(Struct, frozen=True, omit_defaults=True):
    """A NO may give this reason. `companion` says what it asks for besides its text; None: nothing."""

    code: str
    meaning: str
    companion: str | None = None


@fact("ReasonCodeRetired", exogenous)
class ReasonCodeRetired(Struct, frozen=True):
    """No new NO may give this reason; those that did keep it."""

    code: str
    reason: str
