"""What every ledger has from its first day: the organisation, and the reasons that a NO may give."""

from datetime import datetime
from hashlib import sha256
from uuid import UUID

import msgspec
from msgspec import Struct

from ledger.domain import catalogue, team
from ledger.domain.catalogue import CatalogueState
from ledger.domain.codes import initial_catalogue
from ledger.domain.team import TeamState
from ledger.events import Event, event_id
from ledger.store.application import Ledger
from ledger.store.faults import VersionConflict
from ledger.store.receipt import Receipt
from ledger.values import CATALOGUE, ORGANISATION, SYSTEM, Actor, Role, utc

ATTEMPTS_MAX = 3


def bootstrap(ledger: Ledger, at: datetime, command_id: UUID) -> Receipt | None:
    """This will form the organisation and add the reason codes that were never there, by SYSTEM; None: nothing was missing.

    A code that was retired stays retired. Safe to run at every start, in several processes at once. Raises as `Ledger.append` does.
    """
    for attempt in range(ATTEMPTS_MAX):
        events = _missing(ledger, at, command_id)
        if not events:
            return None
        facts = msgspec.json.encode([event.fact for event in events])
        try:
            return ledger.append(
                events, command_id=command_id, request_hash=sha256(b"Bootstrap\0" + facts).digest(), at=utc(at)
            )
        except VersionConflict:
            if attempt == ATTEMPTS_MAX - 1:
                raise
    return None


def _missing(ledger: Ledger, at: datetime, command_id: UUID) -> list[Event]:
    organisation: TeamState | None
    codes: CatalogueState | None
    organisation, formed = ledger.load(ORGANISATION, team.evolve, None)
    codes, added = ledger.load(CATALOGUE, catalogue.evolve, None)
    known = {} if codes is None else codes.codes
    facts: list[tuple[UUID, int, Struct]] = [
        (ORGANISATION, formed + number, fact)
        for number, fact in enumerate(team.decide_form_organisation(organisation), 1)
    ]
    lacking = [fact for fact in initial_catalogue() if fact.code not in known]
    facts += [(CATALOGUE, added + number, fact) for number, fact in enumerate(lacking, 1)]
    return [
        Event(
            event_id=event_id(command_id, index),
            stream_id=stream_id,
            version=version,
            occurred_at=utc(at),
            actor=Actor(SYSTEM, Role.STEWARD),
            command_id=command_id,
            correlation_id=command_id,
            fact=fact,
        )
        for index, (stream_id, version, fact) in enumerate(facts)
    ]
