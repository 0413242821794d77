"""The loop that tells the endpoints: each at its own pace, in the order of the log, and again until it answers.

Any number of processes may run one; the holder of an advisory lock sends and the others are spares. An endpoint's place is moved on
only after its answer, so a crash repeats the last message and loses none.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any
from uuid import UUID

import httpx
import psycopg
from psycopg.rows import TupleRow

from ledger.meanwhile import Background
from ledger.store.connections import READER, WRITER, AsyncConnection, async_connection
from ledger.webhooks import endpoints
from ledger.webhooks.endpoints import COLUMNS, Endpoint
from ledger.webhooks.messages import Message, MessageType, of_fact, of_revisit, of_untold
from ledger.webhooks.sending import Attempt, Meaning, attempt, client
from projections.audit import facts
from projections.audit.decisions import Notice, unanswered_notices
from projections.audit.returning import revisits

log = logging.getLogger(__name__)

#: "webhooks" in ASCII.
LOCK = int.from_bytes(b"webhooks")
POLL_S = 0.25
SPARE_S = 1.0
#: How often the clock's messages are looked for, in seconds.
CLOCK_S = 20.0
PAGE = 200
LONG_AGO = datetime.min.replace(tzinfo=UTC)
#: Pauses after failures in a row, in seconds; the last one stays.
PAUSES_S = (1, 5, 30, 120, 600, 1_800, 3_600)
#: A message that is refused so often is given up, and an endpoint that is away so often in a row (three days) is paused.
REFUSED_MAX = 3
AWAY_MAX = len(PAUSES_S) + 72

#: Besides: whether another fact stands now where the endpoint was told up to.
_DUE = f"""
SELECT {COLUMNS}, COALESCE(leaf <> (SELECT e.leaf FROM ledger.events AS e WHERE e.position = endpoints.position), false)
  FROM webhooks.endpoints WHERE paused_at IS NULL AND next_attempt_at <= clock_timestamp()
"""  # noqa: S608
_NEXT = f"SELECT {COLUMNS} FROM webhooks.endpoints WHERE endpoint_id = %s"  # noqa: S608
#: Only from where this process believes it to be: an endpoint that somebody has set back stays there.
_ADVANCE = """
UPDATE webhooks.endpoints AS w SET failures = 0, refusals = 0, fault = NULL,
       position = n.position, leaf = (SELECT e.leaf FROM ledger.events AS e WHERE e.position = n.position)
  FROM (SELECT %s::bigint AS position) AS n WHERE w.endpoint_id = %s AND w.position = %s
"""
_FAILED = """
UPDATE webhooks.endpoints SET failures = failures + 1, refusals = refusals + %s, fault = %s,
       next_attempt_at = clock_timestamp() + %s, paused_at = CASE WHEN %s THEN clock_timestamp() END WHERE endpoint_id = %s
"""
_PAUSE = (
    "UPDATE webhooks.endpoints SET fault = %s, paused_at = clock_timestamp() WHERE endpoint_id = %s AND position = %s"
)
_DEAD = """
INSERT INTO webhooks.dead_letters (endpoint_id, message_id, type, position, body, attempts, fault) VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (endpoint_id, message_id) DO UPDATE SET attempts = EXCLUDED.attempts, fault = EXCLUDED.fault, died_at = clock_timestamp()
"""
_TOLD = "INSERT INTO webhooks.told (endpoint_id, message_id) VALUES (%s, %s) ON CONFLICT DO NOTHING"
_KNOWN = "SELECT message_id FROM webhooks.told WHERE endpoint_id = %s AND message_id = ANY(%s)"


class Sender(Background):
    """Tells the endpoints; it stops after the attempts that are under way. `private`: private networks may be told.

    `is_other` says why the ledger is not the one that was seen; None: it is.
    """

    def __init__(
        self, url: str, pepper: bytes, *, private: bool = False, is_other: Callable[[], object] = lambda: None
    ) -> None:
        super().__init__("webhooks", end_s_max=10)
        self._url = url
        self._pepper = pepper
        self._private = private
        self._is_other = is_other

    def _run(self) -> None:
        asyncio.run(self._tell())

    async def _tell(self) -> None:
        while not self._stopping.is_set():
            try:
                async with AsyncExitStack() as stack:
                    writes = await stack.enter_async_context(await async_connection(self._url, WRITER))
                    if await _is_leader(writes):
                        reads = await stack.enter_async_context(await async_connection(self._url, READER))
                        http = await stack.enter_async_context(client())
                        telling = Telling(reads, writes, http, self._pepper, private=self._private)
                        await telling.run(self._stopping, self._is_other)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                log.warning("webhooks wait for the database: %s", type(error).__name__)
            except Exception:
                log.exception("telling the webhooks failed and begins again")
            await _pause(self._stopping, SPARE_S)


class Telling:
    """What one leader does. Its statements take turns on two connections; each endpoint is told at its own pace."""

    def __init__(
        self, reads: AsyncConnection, writes: AsyncConnection, http: httpx.AsyncClient, pepper: bytes, *, private: bool
    ) -> None:
        self._reads = reads
        self._writes = writes
        self._http = http
        self._pepper = pepper
        self._private = private
        self._turn = asyncio.Lock()
        self._stopping = threading.Event()
        self._ledger_id = UUID(int=0)
        #: When each endpoint was last told what the clock has brought about.
        self._clock_at: dict[UUID, datetime] = {}

    async def run(self, stopping: threading.Event, is_other: Callable[[], object] = lambda: None) -> None:
        """This will tell until `stopping`, or the database goes. While `is_other` says that the ledger is not the one that was seen,
        nobody is told anything.
        """
        self._stopping = stopping
        ((self._ledger_id,),) = await self._rows(self._reads, "SELECT ledger_id FROM ledger.identity")
        telling: dict[UUID, asyncio.Task[None]] = {}
        try:
            while not stopping.is_set():
                if is_other() is None:
                    await self._begin(telling)
                await _pause(stopping, POLL_S)
                for endpoint_id in [one for one, task in telling.items() if task.done()]:
                    telling.pop(endpoint_id).result()
        finally:
            for task in telling.values() if not stopping.is_set() else ():
                task.cancel()
            await asyncio.gather(*telling.values(), return_exceptions=True)

    async def _begin(self, telling: dict[UUID, "asyncio.Task[None]"]) -> None:
        """This will begin to tell whoever is due and is not being told."""
        rows = await self._rows(self._writes, _DUE)
        due = [(endpoints.endpoint(row), is_elsewhere) for *row, is_elsewhere in rows]
        waiting = [found for found in due if found[0].endpoint_id not in telling]
        if not waiting:
            return
        head, reached = await self._head(), await self._reached()
        now = instant()
        for one, is_elsewhere in waiting:
            if one.position > head or is_elsewhere:
                await self._stop_elsewhere(one, head)
                continue
            is_time = now - self._clock_at.get(one.endpoint_id, LONG_AGO) >= timedelta(seconds=CLOCK_S)
            if is_time:
                self._clock_at[one.endpoint_id] = now
            telling[one.endpoint_id] = asyncio.create_task(self._tell(one, reached, now if is_time else None))

    async def _stop_elsewhere(self, to: Endpoint, head: int) -> None:
        """This will pause an endpoint that was told what the ledger does not have: what has come in its place would never be told."""
        why = f"the ledger ends at {head}: an older" if to.position > head else "another fact stands there: another"
        fault = (
            f"It was told up to {to.position}, and {why} state was restored."
            f" Say from where it is told again: decision-ledger webhook replay {to.endpoint_id} --after POSITION"
        )
        log.critical("webhook %s is paused: %s", to.endpoint_id, fault)
        await self._do(_PAUSE, fault, to.endpoint_id, to.position)

    async def _tell(self, to: Endpoint, reached: int, now: datetime | None) -> None:
        """This will tell one endpoint all that it lacks, and what the clock has brought about if `now` is given."""
        position = to.position
        while position < reached:
            found = await self._facts(position, min(reached, position + PAGE))
            for event in found:
                message = of_fact(self._ledger_id, event)
                if message is None or message.type not in to.types or to.team_id not in (None, event.team_id):
                    continue
                if not await self._deliver(to.endpoint_id, position, message):
                    return
                position = event.position
            if not found or not await self._advance(to.endpoint_id, position, found[-1].position):
                return
            position = found[-1].position
        if now is not None:
            await self._tell_of_time(to, position, now)

    async def _tell_of_time(self, to: Endpoint, position: int, now: datetime) -> None:
        async for page in self._of_time(to, now):
            known = {
                name for (name,) in await self._rows(self._writes, _KNOWN, to.endpoint_id, [m.message_id for m in page])
            }
            for message in page:
                if message.message_id not in known:
                    if not await self._deliver(to.endpoint_id, position, message):
                        return
                    await self._do(_TOLD, to.endpoint_id, message.message_id)

    async def _of_time(self, to: Endpoint, now: datetime) -> AsyncIterator[list[Message]]:
        teams = None if to.team_id is None else (to.team_id,)
        after: Any = None
        while MessageType.DECISION_UNTOLD in to.types:
            async with self._turn:
                found = await unanswered_notices(self._reads, teams, limit=PAGE, after=after, told=False)
            notices = [Notice.of(decision, now) for decision in found]
            yield [of_untold(self._ledger_id, one) for one in notices if one.hours_overdue is not None]
            if len(found) < PAGE:
                break
            after = (found[-1].decided_at, found[-1].decision_id)
        after = None
        while MessageType.REVISIT_DUE in to.types:
            async with self._turn:
                returning = await revisits(self._reads, teams, now, limit=PAGE, after=after)
            yield [of_revisit(self._ledger_id, one, now) for one in returning if one.due]
            if len(returning) < PAGE:
                break
            after = (returning[-1].decision.next_date, returning[-1].decision.decision_id)

    async def _deliver(self, endpoint_id: UUID, position: int, message: Message) -> bool:
        """This will send one message to an endpoint that stands at a position, and say whether to go on to the next one."""
        if self._stopping.is_set():
            return False
        row = (await self._rows(self._writes, _NEXT, endpoint_id) or (None,))[0]
        to = None if row is None else endpoints.endpoint(row)
        if to is None or to.paused_at is not None or to.position != position:  # removed, paused or set back by somebody
            return False
        secret = endpoints.decrypted(to.secret, self._pepper, endpoint_id)
        made = await attempt(self._http, to.url, secret, message, private=self._private)
        if made.meaning is Meaning.DELIVERED:
            return await self._advance(endpoint_id, position, message.position or position)
        log.warning("webhook %s did not take %s: %s", endpoint_id, message.message_id, made.fault)
        return await self._failed(to, message, made)

    async def _failed(self, to: Endpoint, message: Message, made: Attempt) -> bool:
        is_refused = made.meaning is Meaning.REFUSED
        if is_refused and to.refusals + 1 >= REFUSED_MAX:
            told = (message.message_id, message.type.value, message.position, message.body, to.refusals + 1, made.fault)
            await self._do(_DEAD, to.endpoint_id, *told)
            return await self._advance(to.endpoint_id, to.position, message.position or to.position)
        pause = timedelta(seconds=PAUSES_S[min(to.failures, len(PAUSES_S) - 1)])
        is_over = made.meaning is Meaning.ENDED or to.failures + 1 >= AWAY_MAX
        await self._do(_FAILED, int(is_refused), made.fault, pause, is_over, to.endpoint_id)
        return False

    async def _advance(self, endpoint_id: UUID, position: int, to: int) -> bool:
        """This will move an endpoint's place on; False: somebody has moved it elsewhere."""
        return await self._do(_ADVANCE, to, endpoint_id, position) == 1

    async def _head(self) -> int:
        ((head,),) = await self._rows(self._writes, "SELECT position FROM ledger.head")
        return int(head)

    async def _reached(self) -> int:
        async with self._turn:
            return await facts.reached(self._reads)

    async def _facts(self, after: int, until: int) -> list[facts.LedgerEvent]:
        async with self._turn:
            return await facts.facts_after(self._reads, after, until, PAGE)

    async def _rows(self, connection: AsyncConnection, statement: str, *values: Any) -> list[TupleRow]:
        async with self._turn:
            cursor = await connection.execute(statement.encode(), values)
            return await cursor.fetchall()

    async def _do(self, statement: str, *values: Any) -> int:
        async with self._turn:
            return (await self._writes.execute(statement.encode(), values)).rowcount


def instant() -> datetime:
    """This will give the time by which messages of the clock are due."""
    return datetime.now(UTC)


async def _is_leader(connection: AsyncConnection) -> bool:
    cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
    row = await cursor.fetchone()
    return bool(row and row[0])


async def _pause(stopping: threading.Event, seconds: float) -> None:
    """This will wait on the loop and not in a thread: those may all be waiting for names to be looked up."""
    for _ in range(ceil(seconds / POLL_S)):
        if not stopping.is_set():
            await asyncio.sleep(POLL_S)
