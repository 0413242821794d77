"""How far the views are, so that an answer can say which state of the ledger it shows, and a query can wait for one."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from time import monotonic
from typing import Any
from uuid import UUID

import psycopg
from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from ledger.api.errors import VIEW_LATE, bad_input, refusal
from projections.catalogue import BUILT_AS

Connection = AsyncConnection[TupleRow]
Pool = AsyncConnectionPool[Connection]

#: Longest wait for a view, and how often it is looked at meanwhile.
WAIT_S = 2.0
POLL_S = 0.01

#: One row per view, or one with NULLs where there is none. A story ledger's times are not the clock's: its lag is reckoned from when the
#: view last moved. The fact that a view lacks is looked up by itself: joined, it lets the planner of a new ledger read the whole log.
#: The limits tell the planner how few rows there are, or it takes the statement for one that is worth compiling.
STANDINGS = f"""
SELECT h.position, p.view, p.position, p.fault,
       CASE WHEN p.position >= h.position THEN 0 ELSE GREATEST(0, 1000 * extract(epoch FROM clock_timestamp() -
            CASE i.clock WHEN 'wall' THEN (SELECT recorded_at FROM ledger.events WHERE position = p.position + 1)
            ELSE p.updated_at END))::bigint END
  FROM (SELECT position FROM ledger.head LIMIT 1) AS h CROSS JOIN (SELECT clock FROM ledger.identity LIMIT 1) AS i
  LEFT JOIN views.positions AS p ON p.definition IN ({BUILT_AS})
"""  # noqa: S608 - hashes of our own
POSITION_AT = "SELECT ledger.position_at(%s)"
KNOWLEDGE_POSITION = b"""
SELECT (convert_from(o.payload, 'UTF8')::json ->> 'knowledge_position')::bigint,
       (convert_from(s.payload, 'UTF8')::json ->> 'team_id')::uuid
  FROM ledger.events AS o JOIN ledger.events AS s ON s.stream_id = o.stream_id AND s.topic = 'ReviewScheduled'
 WHERE o.stream_id = %s AND o.topic = 'ReviewOpened' ORDER BY o.version DESC LIMIT 1
"""
OPENED_AT = "SELECT max(recorded_at) FROM ledger.events WHERE stream_id = %s AND topic = 'ReviewOpened'"


class Standing(Struct, frozen=True):
    """Where a view stands beside the ledger. `lag_ms`: how long the first fact that it lacks has been there; 0: it lacks none."""

    view: str
    position: int
    head: int
    lag_ms: int = 0
    #: Why the view has stopped; None: it has not.
    fault: str | None = None


class Standings(Struct, frozen=True):
    """All views at one moment, and the last position of the ledger."""

    head: int
    views: dict[str, Standing]

    def of(self, view: str) -> Standing:
        """This will give one view's standing; one that is not built yet stands before the first fact."""
        return self.views.get(view) or Standing(view, 0, self.head)


async def standings(connection: Connection) -> Standings:
    """This will read where all views stand, in one statement."""
    try:
        cursor = await connection.execute(STANDINGS)
        rows = await cursor.fetchall()
    except psycopg.errors.UndefinedTable:  # no view was ever built
        cursor = await connection.execute("SELECT position FROM ledger.head")
        rows = [(*row, None, None, None, None) for row in await cursor.fetchall()]
    head = rows[0][0] if rows else 0
    return Standings(
        head, {v: Standing(v, at, head, lag or 0, fault) for _, v, at, fault, lag in rows if v is not None}
    )


async def reached(pool: Pool, view: str, wanted: int, wait_s: float = WAIT_S) -> Standings:
    """This will wait until the view is there and has got to the position.

    Raises the error VIEW_LATE when that takes too long, or the view has stopped.
    """
    deadline = monotonic() + wait_s
    while True:
        async with pool.connection() as connection:
            found = await standings(connection)
        standing = found.of(view)
        if standing.position >= wanted and view in found.views:
            return found
        if standing.fault is not None or monotonic() >= deadline:
            raise late(standing, wanted)
        await asyncio.sleep(POLL_S)


def late(standing: Standing, wanted: int) -> Exception:
    """This will make the error that says how far a view is and why it is not further."""
    why = "It has stopped at a fact and needs an operator." if standing.fault is not None else "Ask again in a moment."
    return refusal(
        VIEW_LATE,
        f"The view {standing.view} is being built. {why}"
        if wanted <= standing.position
        else f"The view {standing.view} is at position {standing.position}, and {wanted} was asked for. {why}",
        view=standing.view,
        position=str(standing.position),
        lagMs=standing.lag_ms,
    )


async def position_at(connection: Connection, at: datetime) -> int:
    """This will give the last position that was recorded by an instant; 0: nothing was."""
    return await _one(connection, POSITION_AT, at) or 0


async def position_of_review(connection: Connection, review_id: UUID, may_see: Callable[[UUID], bool]) -> int:
    """This will give the last position that a review could know when it opened; `may_see` says of its team whether who asks may know it."""
    cursor = await connection.execute(KNOWLEDGE_POSITION, [review_id])
    row = await cursor.fetchone()
    if row is None or not may_see(row[1]):
        raise bad_input(f"asOf: there is no review {review_id} that was opened, or you may not see it.")
    position: int = row[0]
    return position


async def opened_at(connection: Connection, review_id: UUID) -> datetime:
    """This will give when the ledger recorded that a review opened, which it did."""
    at: datetime = await _one(connection, OPENED_AT, review_id)
    return at


async def _one(connection: Connection, statement: str, value: Any) -> Any:
    cursor = await connection.execute(statement.encode(), [value])
    row = await cursor.fetchone()
    return None if row is None else row[0]
