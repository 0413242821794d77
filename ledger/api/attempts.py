"""Counts what was refused, and has it recorded: what is new within a second, and the rest of its minute when the minute is over.

A flood is at most two rows a minute for each key, and there are at most 250 keys a minute in each process; whatever is beyond goes under
one key more. Counting costs no statement and waits for nothing, so that being refused is as quick under a flood as without one.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import psycopg
from msgspec import Struct
from psycopg_pool import PoolClosed, PoolTimeout

from ledger.api.standing import Pool
from ledger.directory import access
from ledger.directory.access import AccessKind, Entry
from ledger.meanwhile import meanwhile
from ledger.values import MemberId

log = logging.getLogger(__name__)

#: How often what is due is written, in seconds.
EVERY_S = 1.0
#: How often rows that need not be kept any more are removed, in seconds.
FORGET_EVERY_S = 3_600.0
#: Most keys that are counted apart.
KEYS_MAX = 250
#: Whatever comes after those.
OTHERS = "others"


class Key(Struct, frozen=True):
    """What is counted together. `subject` is one of few: a mutation, a root field, a check."""

    kind: AccessKind
    subject: str
    member_id: MemberId | None = None
    client: str | None = None
    token_id: UUID | None = None


class Count:
    """How often, since and until when; `written`: this minute has its row already, and the rest waits for the minute's end."""

    __slots__ = ("first_at", "last_at", "minute", "number", "written")

    def __init__(self, minute: datetime) -> None:
        self.minute = minute
        self.number = 0
        self.first_at = self.last_at = minute
        self.written = False


class Attempts:
    """One process's. Everything is done on the event loop."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._counts: dict[Key, Count] = {}
        #: What could not be written yet.
        self._kept: list[Entry] = []

    def note(self, key: Key) -> None:
        """This will count one attempt."""
        now = self._clock()
        if key not in self._counts and len(self._counts) >= KEYS_MAX:
            key = Key(key.kind, OTHERS)
        count = self._counts.get(key)
        if count is None:
            count = self._counts[key] = Count(now.replace(second=0, microsecond=0))
        if not count.number:
            count.first_at = now
        count.number += 1
        count.last_at = now

    def due(self, *, all_: bool = False) -> list[Entry]:
        """This will take out what is to be written now: what is new, and what is of a minute that is over. `all_`: the rest too."""
        minute = self._clock().replace(second=0, microsecond=0)
        entries = []
        for key, count in list(self._counts.items()):
            is_over = count.minute < minute
            if count.number and (all_ or is_over or not count.written):
                entries.append(
                    Entry(
                        key.kind,
                        key.subject,
                        member_id=key.member_id,
                        client=key.client,
                        token_id=key.token_id,
                        count=count.number,
                        first_at=count.first_at,
                        last_at=count.last_at,
                    )
                )
                count.number = 0
                count.written = True
            if is_over:
                del self._counts[key]
        return entries

    @asynccontextmanager
    async def recording(self, directory: Pool) -> AsyncIterator["Attempts"]:
        """This will write what is counted as long as the block runs, and the rest at its end."""
        try:
            async with meanwhile(self._run(directory)):
                yield self
        finally:
            self._kept += self.due(all_=True)
            await self._write(directory)

    async def _run(self, directory: Pool) -> None:
        forgot_at = asyncio.get_running_loop().time() - FORGET_EVERY_S
        while True:
            await asyncio.sleep(EVERY_S)
            # What could not be written is tried again; what is counted meanwhile is not added to it without end.
            self._kept = self._kept or self.due()
            await self._write(directory)
            if asyncio.get_running_loop().time() - forgot_at >= FORGET_EVERY_S:
                forgot_at = asyncio.get_running_loop().time()
                await self._forget(directory)

    async def _write(self, directory: Pool) -> None:
        if not self._kept:
            return
        try:
            async with directory.connection() as connection:
                await access.record_counted(connection, self._kept)
            self._kept = []
        except (psycopg.Error, PoolTimeout, PoolClosed) as error:
            log.warning("%d refusals could not be recorded yet: %s", len(self._kept), type(error).__name__)

    async def _forget(self, directory: Pool) -> None:
        try:
            async with directory.connection() as connection:
                await access.forget_old(connection)
        except (psycopg.Error, PoolTimeout, PoolClosed) as error:
            log.warning("old refusals could not be removed: %s", type(error).__name__)
