"""The commands: requests that the domain may reject, a file per kind of stream. One mutation each."""

from ledger.commands import catalogue, member, policy, proposal, review, simulation, team
from ledger.commands.issued import Issued, derived_id, request_hash

__all__ = [
    "Issued",
    "catalogue",
    "derived_id",
    "member",
    "policy",
    "proposal",
    "request_hash",
    "review",
    "simulation",
    "team",
]
