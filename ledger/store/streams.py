"""Streams read by tasks: one statement at a time for all who ask meanwhile, and only what they do not know yet."""

import asyncio
from collections.abc import Mapping
from typing import LiteralString
from uuid import UUID

import psycopg

from ledger.events import Event
from ledger.store.codec import PAYLOAD, decode
from ledger.store.connections import READER, AsyncConnection, async_connection, is_quiet

#: Less than every version there is.
NOTHING = -1

_AFTER: LiteralString = (
    f"SELECT e.stream_id, position, recorded_at, topic, meta, {PAYLOAD}"  # noqa: S608 - literal pieces
    " FROM unnest(%s::uuid[], %s::integer[]) AS k (stream_id, version)"
    " JOIN ledger.events AS e ON e.stream_id = k.stream_id AND e.version > k.version ORDER BY e.stream_id, e.version"
)
#: The ledger's end, and the streams of what was redacted between a position (NULL: the end) and it. The log is read from there by position.
_REDACTED: LiteralString = """
SELECT h.position, ARRAY(
    SELECT (convert_from(e.payload, 'UTF8')::json ->> 'stream_id')::uuid FROM ledger.events AS e
     WHERE e.position > COALESCE(%s::bigint, h.position) AND e.topic = 'FactRedacted')
  FROM ledger.head AS h
"""
#: The planner expects a hundred streams of any length, and would read the whole log for them.
_PLANNING = b"SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off"

_Asked = tuple[Mapping[UUID, int], "asyncio.Future[dict[UUID, list[Event]]]"]


class StreamReader:
    """One connection, opened when it is needed and again after it is lost. For the tasks of one event loop."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: AsyncConnection | None = None
        self._asked: list[_Asked] = []
        self._reading: asyncio.Task[None] | None = None
        #: Whoever holds it has the connection to itself: a statement under way looks like a server that says something by itself.
        self._turn = asyncio.Lock()

    async def after(self, known: Mapping[UUID, int]) -> dict[UUID, list[Event]]:
        """This will give the events of each stream after the version that is known of it (NOTHING: all), as of one moment after this call.

        Raises psycopg.Error.
        """
        answer: asyncio.Future[dict[UUID, list[Event]]] = asyncio.get_running_loop().create_future()
        self._asked.append((known, answer))
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_all())
        return await answer

    async def redacted(self, after: int | None) -> tuple[int, list[UUID]]:
        """This will give the last position, and the streams of which words were taken out after another (None: of none).

        Raises psycopg.Error.
        """
        async with self._turn:
            connection = await self._ready()
            cursor = await connection.execute(_REDACTED, [after])
            position, stream_ids = await cursor.fetchone() or (0, [])
        return position, stream_ids

    async def close(self) -> None:
        """This will close the connection."""
        if self._reading is not None:
            await self._reading
        if self._connection is not None:
            await self._connection.close()

    async def _read_all(self) -> None:
        while self._asked:
            asked, self._asked = self._asked, []
            least: dict[UUID, int] = {}
            for known, _ in asked:
                for stream_id, version in known.items():
                    least[stream_id] = min(version, least.get(stream_id, version))
            try:
                async with self._turn:
                    found = await self._read(least)
            except Exception as error:
                for _, answer in asked:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for known, answer in asked:
                if not answer.done():
                    answer.set_result(
                        {
                            stream_id: [event for event in found.get(stream_id, ()) if event.version > version]
                            for stream_id, version in known.items()
                        }
                    )
        self._reading = None

    async def _read(self, known: Mapping[UUID, int]) -> dict[UUID, list[Event]]:
        connection = await self._ready()
        try:
            cursor = connection.cursor(binary=True)
            await cursor.execute(_AFTER, [list(known), list(known.values())], prepare=True)
            rows = await cursor.fetchall()
        except psycopg.OperationalError:
            await connection.close()
            raise
        found: dict[UUID, list[Event]] = {}
        for stream_id, *row in rows:
            found.setdefault(stream_id, []).append(decode(*row))
        return found

    async def _ready(self) -> AsyncConnection:
        connection = self._connection
        if connection is not None and not connection.closed and is_quiet(connection):
            return connection
        if connection is not None:
            await connection.close()
        connection = await async_connection(self._url, READER)
        await connection.execute(_PLANNING)
        self._connection = connection
        return connection
