"""The facts: a file per kind of stream, in the order of its life. Importing this package registers every topic."""

from ledger.events import catalogue, member, policy, proposal, redaction, review, simulation, team
from ledger.events.envelope import Event, event_id
from ledger.events.registry import FACT_TYPES, TOPICS, Cause, FactType

__all__ = [
    "FACT_TYPES",
    "TOPICS",
    "Cause",
    "Event",
    "FactType",
    "catalogue",
    "event_id",
    "member",
    "policy",
    "proposal",
    "redaction",
    "review",
    "simulation",
    "team",
]
