"""New facts as they come, for all readers of a process: one look at the database serves every one of them.

A reader keeps only its place. What it has not fetched yet waits in the ledger and not in a queue, so that a slow one costs no memory,
and each gets every fact once, in order, from wherever it goes on.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import islice

from ledger.api.standing import Connection, Pool
from ledger.values import TeamId
from projections.audit import facts
from projections.audit.facts import LedgerEvent

log = logging.getLogger(__name__)

#: How often the views are looked at while somebody waits, and how long after the database failed, in seconds.
POLL_S = 0.03
BACKOFF_S = 1.0
#: The latest facts, which are kept for readers that are up to date; one that is further behind reads pages of its own.
KEPT = 256


class Fact:
    """One fact as all readers get it: who may see it is decided from `team_id`, and it is shown once."""

    __slots__ = ("event", "node", "team_id")

    def __init__(self, event: LedgerEvent, node: object) -> None:
        self.event = event
        self.node = node
        self.team_id = None if event.team_id is None else TeamId(event.team_id)


#: Reads facts after one position and up to another: the first KEPT of them.
Read = Callable[[Connection, int, int], Awaitable[list[Fact]]]


class Feed:
    """Gives facts after a position. `stop()` ends every reading that waits."""

    def __init__(self, reads: Pool, read: Read) -> None:
        self._reads = reads
        self._read = read
        self._kept: list[Fact] = []
        self._reached = 0
        self._moved = asyncio.Condition()
        self._readers = 0
        self._looking: asyncio.Task[None] | None = None
        self.stopping = asyncio.Event()

    async def after(self, position: int) -> list[Fact]:
        """This will wait for facts after a position and give the next of them, in order; [] when the process stops."""
        async with self._reading(), self._moved:
            await self._moved.wait_for(lambda: self._reached > position or self.stopping.is_set())
            if self.stopping.is_set():
                return []
            if self._kept and self._kept[0].event.position <= position + 1:
                return list(islice(self._kept, position + 1 - self._kept[0].event.position, None))
            until = self._reached
        async with self._reads.connection() as connection:
            return await self._read(connection, position, until)

    async def stop(self) -> None:
        """This will end every reading that waits, and every one that is yet to begin."""
        self.stopping.set()
        async with self._moved:
            self._moved.notify_all()
        if self._looking is not None:
            self._looking.cancel()

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[None]:
        """This will look for new facts as long as somebody waits for them."""
        self._readers += 1
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        try:
            yield
        finally:
            self._readers -= 1

    async def _look(self) -> None:
        try:
            while self._readers and not self.stopping.is_set():
                try:
                    await self._fetch()
                except Exception as error:
                    log.warning("new facts can't be looked for: %s", type(error).__name__)
                    await asyncio.sleep(BACKOFF_S)
                await asyncio.sleep(POLL_S)
        finally:
            self._looking = None

    async def _fetch(self) -> None:
        async with self._reads.connection() as connection:
            reached = await facts.reached(connection)
            if reached == self._reached:
                return
            # Positions have no gaps: what is kept always ends where it was reached, and a rebuilt view may stand before that.
            after = max(self._reached, reached - KEPT)
            fresh = await self._read(connection, after, reached) if reached > self._reached else []
        async with self._moved:
            follows = bool(self._kept and fresh and self._kept[-1].event.position + 1 == fresh[0].event.position)
            self._kept = [*(self._kept if follows else ()), *fresh][-KEPT:]
            self._reached = max(reached, self._reached)
            self._moved.notify_all()
