"""Streams read by tasks: one statement at a time for all who ask meanwhile, and only what they do not know yet."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from struct import Struct as Packing
from uuid import UUID

from ledger.events import Event
from ledger.store.asking import Asking, Statement
from ledger.store.codec import PAYLOAD, decode
from ledger.store.connections import READER

#: Less than every version there is.
NOTHING = -1

_AFTER = Statement(
    f"SELECT position, recorded_at, topic, meta, {PAYLOAD}"  # noqa: S608 - literal pieces
    " FROM unnest($1, $2) AS k (stream_id, version)"
    " JOIN ledger.events AS e ON e.stream_id = k.stream_id AND e.version > k.version"
    " ORDER BY e.stream_id, e.version".encode(),
    (2951, 1007),
)
#: The ledger's end, and the streams of what was redacted between a position (NULL: the end) and it. The log is read from there by position.
_REDACTED = Statement(
    b"""
SELECT h.position, e.stream_id FROM ledger.head AS h LEFT JOIN LATERAL (
    SELECT (convert_from(payload, 'UTF8')::json ->> 'stream_id')::uuid FROM ledger.events
     WHERE position > COALESCE($1, h.position) AND topic = 'FactRedacted') AS e (stream_id) ON true
""",
    (20,),
)
_STATEMENTS = {b"after": _AFTER, b"redacted": _REDACTED}
#: The planner expects a hundred streams of any length, and would read the whole log for them.
_PLANNING = b"SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off"

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # PostgreSQL's
_ARRAY_HEAD = Packing(">iiIii").pack  # dimensions, has nulls, element type, length, lower bound
_UUID, _INT = 2950, 23
_INT4 = Packing(">ii").pack
_UUID_LENGTH = b"\0\0\0\x10"

_Asked = tuple[Mapping[UUID, int], "asyncio.Future[dict[UUID, list[Event]]]"]


class StreamReader:
    """One connection, opened when it is needed and again after it is lost. For the tasks of one event loop."""

    def __init__(self, url: str) -> None:
        self._asking = Asking(url, READER, _STATEMENTS, _PLANNING)
        self._asked: list[_Asked] = []
        self._reading: asyncio.Task[None] | None = None

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
        result = await self._asking.ask(b"redacted", [None if after is None else after.to_bytes(8, signed=True)])
        found = [result.get_value(row, 1) for row in range(result.ntuples)]
        position = int.from_bytes(result.get_value(0, 0) or b"")
        return position, [UUID(bytes=stream_id) for stream_id in found if stream_id is not None]

    async def close(self) -> None:
        """This will close the connection."""
        if self._reading is not None:
            await self._reading
        await self._asking.close()

    async def _read_all(self) -> None:
        while self._asked:
            asked, self._asked = self._asked, []
            least: dict[UUID, int] = {}
            for known, _ in asked:
                for stream_id, version in known.items():
                    least[stream_id] = min(version, least.get(stream_id, version))
            try:
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
        ids = b"".join([_UUID_LENGTH + stream_id.bytes for stream_id in known])
        versions = b"".join([_INT4(4, version) for version in known.values()])
        result = await self._asking.ask(
            b"after",
            [_ARRAY_HEAD(1, 0, _UUID, len(known), 1) + ids, _ARRAY_HEAD(1, 0, _INT, len(known), 1) + versions],
        )
        found: dict[UUID, list[Event]] = {}
        for row in range(result.ntuples):
            position, recorded_at, topic, meta, payload = [result.get_value(row, column) for column in range(5)]
            event = decode(
                int.from_bytes(position or b""),
                _EPOCH + timedelta(microseconds=int.from_bytes(recorded_at or b"", signed=True)),
                (topic or b"").decode(),
                meta or b"",
                payload,
            )
            found.setdefault(event.stream_id, []).append(event)
        return found
