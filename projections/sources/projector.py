"""From imported facts to how far each source's knowledge goes.

An import records a source's facts in the order in which the source itself came to know them. So what a source knew by an instant is the
ledger up to before the first fact that the source learned later.
"""

from datetime import datetime

from msgspec import Struct

from ledger.events.envelope import Event
from ledger.events.registry import FACT_TYPES
from projections.projector import View
from projections.rows import Rows
from projections.table import Column, Index, Table


class Known(Struct, frozen=True, array_like=True, gc=False):
    """The latest that a source is known to have recorded a fact, and the first position that is so late."""

    system: str
    known_at: datetime
    position: int


KNOWN = Table(
    "sources_known",
    Known,
    key=("system",),
    columns=(Column("system", "text"), Column("known_at", "timestamptz"), Column("position", "bigint")),
    indexes=(Index("known_at, position", current=False), Index("system, known_at, position", current=False)),
)


def recorded(rows: Rows, event: Event, fact: Struct) -> None:
    """This will note a fact that its source recorded later than all of its facts before; a live fact changes nothing."""
    source = event.source
    if source is None or source.known_at is None:
        return
    latest = rows.get(KNOWN, source.system)
    if latest is None or source.known_at > latest.known_at:
        rows.put(KNOWN, Known(source.system, source.known_at, event.position))


VIEW = View("sources", (KNOWN,), {topic.type: recorded for topic in FACT_TYPES.values()})
