"""The card that a fact is about."""

from ledger.events.envelope import Event
from ledger.values import ProposalId
from projections.backlog.structs import Card, Origin
from projections.backlog.tables import CARDS
from projections.rows import Rows


def card_of(rows: Rows, event: Event) -> Card:
    """This will give the card of the proposal, an empty one where a source tells something of it before its submission."""
    return rows.get(CARDS, event.stream_id) or Card(ProposalId(event.stream_id))


def origin_of(event: Event) -> Origin | None:
    """This will say where an imported fact comes from; None for a live one."""
    source = event.source
    return None if source is None else Origin(source.system, source.external_id, source.url, source.dating)
