"""The deciding of one line: its facts by the domain, and the commands that record them."""

from uuid import UUID

from msgspec import Struct

from ledger.domain.imported import decide_import
from ledger.domain.proposal.evolving import evolve
from ledger.domain.proposal.state import ProposalState
from ledger.domain.rejected import Rejected
from ledger.domain.source_fact import ImportingTeam
from ledger.events import Event, event_id
from ledger.events.proposal import SourceNoted
from ledger.importing.form import MICROSECOND, UNIX_EPOCH
from ledger.importing.naming import IMPORTER
from ledger.importing.placed import Placed
from ledger.importing.record import Entry, Record, conflicting
from ledger.store import codec
from ledger.store.rendering import rendered
from ledger.values import Actor, Role

_ACTOR = Actor(IMPORTER, Role.INTEGRATOR)


def decided(one: Record, line: int, team: ImportingTeam, known: dict[UUID, bytes], events: list[Event]) -> list[Placed]:
    """This will decide the facts of a line that the ledger does not have, after those that it has. Raises Rejected."""
    state: ProposalState | None = None
    told = events
    version = len(events)
    rows: list[Placed] = []
    for entry in one.entries:
        command_id = entry.command_id
        recorded = known.get(command_id) if known else None
        if recorded is not None:
            if recorded != entry.content_hash:
                raise conflicting(entry)
            continue
        for event in told:  # only what a later fact is decided on
            if type(event.fact) is not SourceNoted:  # which changes nothing, and is most of what many sources say
                state = evolve(state, event)
        try:
            facts = decide_import(state, entry.fact, team)
        except Rejected as rejected:
            where = entry.source.external_id.rpartition("#")[2]
            raise Rejected(rejected.code, f"fact {where}: {rejected.message}", *rejected.path) from None
        is_first = version == 0
        told = [_event(one, entry, version + number, fact, number) for number, fact in enumerate(facts, start=1)]
        version += len(told)
        known_at = (entry.known - UNIX_EPOCH) // MICROSECOND
        body = rendered(command_id, entry.content_hash, entry.known, [codec.encode(event) for event in told])
        rows.append(Placed(known_at, line, len(rows), is_first, len(told), body))
    return rows


def _event(one: Record, entry: Entry, version: int, fact: Struct, number: int) -> Event:
    """This will give a fact, the number-th of its command, its envelope."""
    command_id = entry.command_id
    return Event(
        entry.event_id if number == 1 else event_id(command_id, number - 1),
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
