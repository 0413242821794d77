"""What a ledger tells, in the forms that these tests compare."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from msgspec import Struct

from ledger.domain.proposal.evolving import evolve
from ledger.domain.proposal.state import ProposalState
from ledger.events import Event
from ledger.importing.naming import Names
from ledger.store.application import Ledger


def lines_of(records: Sequence[dict[str, Any] | bytes]) -> bytes:
    return b"".join((r if isinstance(r, bytes) else json.dumps(r).encode()) + b"\n" for r in records)


def proposal(external_id: str = "pear-1", *facts: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A record with its facts numbered; the first is the submission, on the first of May 2020."""
    told = [{"type": "proposed", "at": "2020-05-01T08:00:00Z"}, *facts]
    return {
        "id": external_id,
        "title": f"Prune {external_id}",
        "source": {"repo": "example/orchard"},
        "facts": [{"seq": number, **fact} for number, fact in enumerate(told, start=1)],
        **more,
    }


class Log:
    """All events of a ledger, once read."""

    def __init__(self, ledger: Ledger) -> None:
        self.events: list[Event] = []
        while page := ledger.read(len(self.events), 5_000):
            self.events += page

    def of(self, kind: type[Struct], system: str = "example/orchard") -> list[Event]:
        return [e for e in self.events if isinstance(e.fact, kind) and e.source and e.source.system == system]

    def proposal(self, external_id: str, system: str = "example/orchard") -> list[Event]:
        stream = Names(system).proposal(external_id)
        return [event for event in self.events if event.stream_id == stream]

    def states(self) -> dict[UUID, ProposalState]:
        teams = {e.stream_id for e in self.events if type(e.fact).__name__ == "TeamFormed"}
        found: dict[UUID, ProposalState] = {}
        for event in self.events:
            if event.stream_id not in teams:
                found[event.stream_id] = evolve(found.get(event.stream_id), event)
        return found

    def counts(self) -> Counter[str]:
        return Counter(type(event.fact).__name__ for event in self.events)

    def story(self) -> list[tuple[Any, ...]]:
        """What was recorded, in order, without what the ledger itself adds: positions and its own clock."""
        return [
            (e.stream_id, e.version, e.event_id, e.command_id, e.occurred_at, e.actor, e.source, e.fact)
            for e in self.events
        ]
