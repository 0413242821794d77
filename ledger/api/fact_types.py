"""Facts as they are recorded, as the schema shows them."""

from ledger.api import values  # noqa: F401 - what these types show is shown first
from ledger.api.shown import shown
from projections.audit.facts import LedgerEvent
from projections.audit.timeline import TimelineEntry

RECORDED = {
    "position": "Where it is in the ledger.",
    "version": "Its number in its stream, from 1.",
    "kind": "The type of the fact.",
    "summary": "What happened, in a sentence.",
    "occurred_at": "When it was true.",
    "recorded_at": "When the ledger recorded it.",
    "known_at": "Imported: when the source itself recorded it; null: it does not say, or it was recorded here.",
    "actor": "Who acted.",
    "body": "The fact as it is recorded.",
    "command_id": "The command that caused it.",
    "correlation_id": "What belongs together.",
    "causation_id": "The fact that caused it; null: a command alone did.",
    "source": "Where it was imported from; null: recorded here.",
}
TIMELINE_ENTRY = shown(TimelineEntry, "One recorded fact.", **RECORDED)
LEDGER_EVENT = shown(
    LedgerEvent,
    "One fact, as it is recorded in the ledger.",
    stream_id="The proposal, review, team or policy that it is about.",
    team_id="The team that it concerns; null: none, and only those who read every team get it.",
    **RECORDED,
)
