"""What a task has seen of the ledger: states that were folded before, brought up to date with what was recorded since.

A state is never believed as it is remembered: each attempt knows where the ledger ended after it was asked for. Where all up to there is
known to be this process's own, and folded in, nothing can be missing; otherwise it first reads what its streams have more, all of them
in one statement. So it saves reading and folding, and never the look at what others did.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import NoReturn
from uuid import UUID

import psycopg
from msgspec.structs import replace

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
        #: With the time until which each may be kept, and the position up to which it is whole.
        self._known: OrderedDict[UUID, tuple[Known, float, int]] = OrderedDict()
        #: All facts after the first position up to the second are this process's own, and folded into what is remembered.
        self._own_after = self._own_to = 0
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

    def whole(self, stream_id: UUID, head: int) -> Known | None:
        """This will give a stream's state if it surely has all facts up to a position, None if it may lack some or nothing is known."""
        found = self._known.get(stream_id)
        if found is None or found[1] < monotonic():
            return None
        if found[2] < head and not self._own_after <= found[2] <= head <= self._own_to:
            return None
        self._known.move_to_end(stream_id)
        return found[0]

    def keep(self, stream_id: UUID, known: Known, head: int) -> None:
        """This will remember a state that is whole up to a position, unless words are taken out of its stream or a later one is known.

        Its time runs from when the stream was first read.
        """
        former = self._known.get(stream_id)
        if former is not None and former[0] is known:  # nothing is new but how far it is whole
            if former[2] < head:
                self._known[stream_id] = known, former[1], head
            return
        if stream_id in self._redacted:
            return
        now = monotonic()
        if former is None:
            self._known[stream_id] = known, now + KEPT_S, head
        elif former[0].version <= known.version:
            self._known[stream_id] = known, former[1] if former[1] >= now else now + KEPT_S, max(former[2], head)
            self._known.move_to_end(stream_id)
        while len(self._known) > STREAMS_MAX:
            self._drop(next(iter(self._known)))

    def appended(self, events: Sequence[Event]) -> None:
        """This will fold in what this process has just recorded. Where somebody else recorded before it, no other state is whole."""
        if events[0].position != self._own_to + 1:
            self._own_after = events[0].position - 1
        self._own_to = events[-1].position
        for event in events:
            known, until, _ = self._known.get(event.stream_id, (None, 0.0, 0))
            if known is not None and known.version == event.version - 1:
                state = known.evolve(known.state, event)
                self._known[event.stream_id] = replace(known, state=state, version=event.version), until, event.position
            elif known is None or known.version < event.version:
                self._drop(event.stream_id)
                if event.version > 1:  # somebody may come yet with a state that lacks it
                    self._own_after = max(self._own_after, event.position)

    def _drop(self, stream_id: UUID) -> None:
        """This will forget a state; somebody who read the stream earlier may come yet with a former one, which must not count as whole."""
        _, _, whole_to = self._known.pop(stream_id, (None, 0.0, 0))
        self._own_after = max(self._own_after, whole_to)

    def forget(self, redacted: Iterable[UUID]) -> None:
        """This will forget the states of streams whose words were taken out, for good, and all whose time is over."""
        for stream_id in redacted:
            self._redacted.add(stream_id)
            self._drop(stream_id)
        now = monotonic()
        for stream_id in [one for one, (_, until, _) in self._known.items() if until < now]:
            self._drop(stream_id)

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

    def __init__(self, ledger: Ledger, memory: Memory, head: int) -> None:
        """`head`: where the ledger ended after the command came in."""
        super().__init__(ledger, _Nobody())
        self._memory, self._head = memory, head

    async def read(self, reader: StreamReader, stream_ids: Iterable[UUID]) -> None:
        """This will read what the streams have more than is known, if anything can be missing. Raises psycopg.Error."""
        versions: dict[UUID, int] = {}
        for stream_id in stream_ids:
            if stream_id in self._events:
                continue
            whole = self._memory.whole(stream_id, self._head)
            known = whole or self._memory.of(stream_id)
            if known is not None:
                self._before[stream_id] = known
            if whole is not None:
                self._events[stream_id] = []
            else:
                versions[stream_id] = NOTHING if known is None else known.version
        if versions:
            self._events |= await reader.after(versions)

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
        self._memory.keep(stream_id, known, self._head)


class _Nobody:
    """Lookups that only a thread may make."""

    def pending(self, team_id: TeamId) -> NoReturn:
        raise InThread

    postponed = reviews_held = policy_in_force = pending

    def is_member(self, member_id: MemberId) -> NoReturn:
        raise InThread

    def proposal_of(self, given: UUID) -> NoReturn:
        raise InThread
