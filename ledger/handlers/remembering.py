"""What a task has seen of the ledger: states that were folded before, brought up to date with what was recorded since.

A state is never believed as it is remembered: each attempt first reads what its streams have more, all of them in one statement. So it
saves reading and folding, and never the look at what others did.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from time import monotonic
from typing import NoReturn
from uuid import UUID

import psycopg

from ledger.events import Event
from ledger.handlers.seen import Known, Seen
from ledger.meanwhile import meanwhile
from ledger.store.application import Ledger
from ledger.store.streams import NOTHING, StreamReader
from ledger.values import MemberId, TeamId

log = logging.getLogger(__name__)

#: Streams that are remembered, and for how long, in seconds.
STREAMS_MAX = 4_000
KEPT_S = 60.0
#: How often what may no longer be remembered is forgotten, in seconds: what a redaction took out of a fact is not kept longer.
FORGOTTEN_EVERY_S = 1.0


class Unseen(Exception):  # noqa: N818 - named for what happened
    """A handler needs streams that were not read yet."""

    def __init__(self, stream_ids: frozenset[UUID]) -> None:
        super().__init__(f"{len(stream_ids)} streams are to be read first")
        self.stream_ids = stream_ids


class InThread(Exception):  # noqa: N818
    """A handler needs what only a thread may wait for."""


class Memory:
    """The states of one process's event loop, and which streams a command looked at besides the one that it is about."""

    def __init__(self) -> None:
        self._known: OrderedDict[UUID, tuple[Known, float]] = OrderedDict()
        self._beside: OrderedDict[UUID, frozenset[UUID]] = OrderedDict()
        #: Words were taken out of these, or are about to be: a redaction is recorded a moment before it is carried out.
        self._redacted: set[UUID] = set()

    def of(self, stream_id: UUID) -> Known | None:
        """This will give what is known of a stream, None if nothing is."""
        found = self._known.get(stream_id)
        if found is None or found[1] < monotonic():
            return None
        self._known.move_to_end(stream_id)
        return found[0]

    def keep(self, stream_id: UUID, known: Known) -> None:
        """This will remember a state, unless words are taken out of its stream. Its time runs from when the stream was first read."""
        if stream_id in self._redacted:
            return
        former, now = self._known.pop(stream_id, None), monotonic()
        self._known[stream_id] = known, former[1] if former is not None and former[1] >= now else now + KEPT_S
        while len(self._known) > STREAMS_MAX:
            self._known.popitem(last=False)

    def forget(self, redacted: Iterable[UUID]) -> None:
        """This will forget the states of streams whose words were taken out, for good, and all whose time is over."""
        for stream_id in redacted:
            self._redacted.add(stream_id)
            self._known.pop(stream_id, None)
        now = monotonic()
        for stream_id in [one for one, (_, until) in self._known.items() if until < now]:
            del self._known[stream_id]

    @asynccontextmanager
    async def forgetting(self, reader: StreamReader) -> AsyncIterator[None]:
        """This will see to it, as long as the block runs, that nothing is remembered that a redaction took out, whoever asked for it."""
        head, _ = await reader.redacted(None)
        async with meanwhile(self._forget(reader, head)):
            yield

    async def _forget(self, reader: StreamReader, after: int) -> None:
        while True:
            await asyncio.sleep(FORGOTTEN_EVERY_S)
            try:
                after, redacted = await reader.redacted(after)
            except psycopg.Error as error:
                log.warning("redactions could not be looked for, and will be again: %s", error)
                redacted = []
            self.forget(redacted)

    def beside(self, stream_id: UUID) -> frozenset[UUID]:
        """This will give the streams that the last command about this one looked at."""
        return self._beside.get(stream_id, frozenset())

    def looked(self, stream_id: UUID, others: frozenset[UUID]) -> None:
        """This will remember which they were."""
        self._beside[stream_id] = others
        self._beside.move_to_end(stream_id)
        while len(self._beside) > STREAMS_MAX:
            self._beside.popitem(last=False)


class Remembering(Seen):
    """The streams as of when they were read. A handler that asks for another is told Unseen, and is to be asked again once that is read."""

    def __init__(self, ledger: Ledger, memory: Memory) -> None:
        super().__init__(ledger, _Nobody())
        self._memory = memory

    async def read(self, reader: StreamReader, stream_ids: Iterable[UUID]) -> None:
        """This will read what the streams have more than is known. Raises psycopg.Error."""
        known = {id_: self._memory.of(id_) for id_ in stream_ids if id_ not in self._events}
        self._take(known, await reader.after({i: NOTHING if k is None else k.version for i, k in known.items()}))

    def _take(self, known: Mapping[UUID, Known | None], events: Mapping[UUID, list[Event]]) -> None:
        self._before |= {stream_id: one for stream_id, one in known.items() if one is not None}
        self._events |= events

    @property
    def streams(self) -> frozenset[UUID]:
        """This will give the streams that were read."""
        return frozenset(self._events)

    def look(self, stream_ids: Iterable[UUID]) -> None:
        """This will see to it that the streams were read. Raises Unseen."""
        if unseen := [stream_id for stream_id in stream_ids if stream_id not in self._events]:
            raise Unseen(frozenset(unseen))

    def head(self) -> int:
        """This will refuse: the head is not read ahead."""
        raise InThread

    def _folded(self, stream_id: UUID, known: Known) -> None:
        self._memory.keep(stream_id, known)


class _Nobody:
    """Lookups that only a thread may make."""

    def pending(self, team_id: TeamId) -> NoReturn:
        raise InThread

    postponed = reviews_held = policy_in_force = pending

    def is_member(self, member_id: MemberId) -> NoReturn:
        raise InThread
