"""What happened to one proposal, review or team, in order, straight from the log.

The log itself is the timeline: it has the order, both times and the bodies, and a table of our own would only be a second copy of
every fact. So this one query reads `ledger.events`, whose index by stream and version serves it, and no view keeps it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from ledger.events.registry import TOPICS
from ledger.store.codec import PAYLOAD, decode
from ledger.values import Actor, Source
from projections.audit.sentences import sentence
from projections.conditions import Conditions, Connection, Teams, rows, total


class TimelineEntry(Struct, frozen=True):
    """One fact: who, when it was true, when it was recorded, when its source knew it, in answer to what, and what it says."""

    position: int
    version: int
    kind: str
    occurred_at: datetime
    recorded_at: datetime
    actor: Actor
    summary: str
    body: dict[str, Any]
    command_id: UUID
    correlation_id: UUID
    causation_id: UUID | None
    source: Source | None

    @property
    def known_at(self) -> datetime | None:
        """This will give when the source of an imported fact itself recorded it; None where it does not say."""
        return self.source.known_at if self.source else None


async def timeline(
    connection: Connection,
    teams: Teams,
    stream_id: UUID,
    *,
    limit: int,
    after: int = 0,
    kinds: Sequence[str] | None = None,
    as_of: int | None = None,
) -> list[TimelineEntry]:
    """This will give a stream's facts after a version of it, in order; nothing for one that may not be seen.

    `kinds` are topics, such as DecisionTaken.
    """
    where = _timeline(teams, stream_id, kinds=kinds, as_of=as_of).add("e.version > %(after)s", after=after)
    found = await rows(
        connection,
        f"SELECT e.position, e.recorded_at, e.topic, e.meta, {PAYLOAD} FROM ledger.events AS e"
        f" WHERE {where} ORDER BY e.version LIMIT {limit:d}",
        where.values,
    )
    return [entry(*row) for row in found]


async def timeline_total(connection: Connection, teams: Teams, stream_id: UUID, **chosen: Any) -> int:
    """This will count the facts that `timeline` gives on all pages."""
    return await total(connection, "ledger.events AS e", _timeline(teams, stream_id, **chosen))


def _timeline(teams: Teams, stream_id: UUID, *, kinds: Sequence[str] | None, as_of: int | None) -> Conditions:
    where = Conditions().add("e.stream_id = %(stream)s", stream=stream_id)
    where.given("e.position <= %(position)s", position=as_of).among("e.topic", "kinds", kinds)
    if teams is not None:
        where.add(
            "(%(stream)s = ANY(%(visible)s) OR EXISTS (SELECT FROM views.audit_proposals AS p WHERE p.proposal_id = %(stream)s"
            " AND p.valid_to IS NULL AND p.team_id = ANY(%(visible)s)) OR EXISTS (SELECT FROM views.reviews AS r"
            " WHERE r.review_id = %(stream)s AND r.valid_to IS NULL AND r.team_id = ANY(%(visible)s)))",
            visible=list(teams),
        )
    return where


def entry(position: int, recorded_at: datetime, topic: str, meta: bytes, payload: bytes) -> TimelineEntry:
    """This will show one stored fact."""
    event = decode(position, recorded_at, topic, meta, payload)
    return TimelineEntry(
        position,
        event.version,
        TOPICS[type(event.fact)],
        event.occurred_at,
        recorded_at,
        event.actor,
        sentence(event.fact),
        msgspec.to_builtins(event.fact),
        event.command_id,
        event.correlation_id,
        event.causation_id,
        event.source,
    )
