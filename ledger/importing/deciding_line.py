"""The deciding of one line: its facts by the domain, and the commands that record them."""

from uuid import UUID

from msgspec import Struct

from ledger.domain.imported import decide_import
from ledger.domain.proposal.evolving import evolve
from ledger.domain.proposal.state import ProposalState
from ledger.domain.rejected import Rejected
from ledger.domain.source_fact import ImportingTeam
from ledger.events import Event
from ledger.importing.naming import IMPORTER, named
from ledger.importing.record import Entry, Record, conflicting
from ledger.importing.staging import Staged
from ledger.store.application import prepared
from ledger.store.receipt import CommandEvents
from ledger.values import Actor, Role

_ACTOR = Actor(IMPORTER, Role.INTEGRATOR)


def decided(one: Record, team: ImportingTeam, known: dict[UUID, bytes], events: list[Event]) -> list[Staged]:
    """This will decide the facts of a line that the ledger does not have, after those that it has. Raises Rejected."""
    state: ProposalState | None = None
    for event in events:
        state = evolve(state, event)
    version = len(events)
    staged: list[Staged] = []
    for entry in one.entries:
        recorded = known.get(entry.command_id)
        if recorded is not None:
            if recorded != entry.content_hash:
                raise conflicting(entry)
            continue
        try:
            facts = decide_import(state, entry.fact, team)
        except Rejected as rejected:
            where = entry.source.external_id.rpartition("#")[2]
            raise Rejected(rejected.code, f"fact {where}: {rejected.message}", *rejected.path) from None
        recording = []
        for index, fact in enumerate(facts, start=1):
            event = _event(one, entry, version + index, fact, index - 1)
            state = evolve(state, event)
            recording.append(event)
        command = prepared(CommandEvents(recording, entry.command_id, entry.content_hash, entry.known))
        staged.append(Staged(entry.known, one.external_id, version == 0, command))
        version += len(facts)
    return staged


def _event(one: Record, entry: Entry, version: int, fact: Struct, index: int) -> Event:
    """This will give a fact, the index-th of its command, its envelope."""
    command_id = entry.command_id
    return Event(
        named(command_id.bytes, str(index)),
        one.proposal_id,
        version,
        entry.occurred_at,
        _ACTOR,
        command_id,
        command_id,
        fact,
        None,
        entry.source,
    )
