"""The ledger as the floors above see it: append, load, read."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    EventStore,
    InfrastructureFactory,
    JSONTranscoder,
    Mapper,
    ProcessRecorder,
    Transcoder,
)
from eventsourcing.utils import Environment, EnvType

from ledger.events.envelope import Event
from ledger.store.batch import PackedCommand, packed
from ledger.store.codec import Placed, decode, encode, placed
from ledger.store.connections import STATEMENT_TIMEOUT_MS
from ledger.store.faults import AppendFault, LedgerFull
from ledger.store.group import Stop
from ledger.store.mapper import LedgerMapper
from ledger.store.pages import Pages
from ledger.store.receipt import CommandEvents, Receipt
from ledger.store.recorder import LedgerRecorder, StreamRecorder
from ledger.store.waiting import Series, Waiting

S = TypeVar("S")

#: Commands that `append_many` hands to the writer at once: while they are stored it packs as many again.
CHUNK_COMMANDS = 1_024


class LedgerFactory(InfrastructureFactory):
    """Makes the library's parts from ours. A ledger has one recorder; it follows other logs with no tracking of its own."""

    def __init__(self, env: Environment | EnvType | None, recorder: LedgerRecorder) -> None:
        super().__init__(env)
        self._recorder = recorder

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        """This will give the recorder that the library uses for single streams."""
        if purpose != "events":
            raise NotImplementedError(f"a ledger keeps no {purpose}: streams are short")
        return StreamRecorder(self._recorder.reads, self._recorder.writes)

    def application_recorder(self) -> ApplicationRecorder:
        """This will give the recorder of the whole log."""
        return self._recorder

    def tracking_recorder(self, tracking_recorder_class: type[Any] | None = None) -> Any:
        """This will refuse: there is none."""
        raise NotImplementedError("projections keep their own positions, in the transaction that writes their rows")

    def process_recorder(self) -> ProcessRecorder:
        """This will refuse: there is none."""
        raise NotImplementedError("a ledger does not process another application's events")

    def close(self) -> None:
        """This will append what is waiting and close all connections."""
        self._recorder.close()


class LedgerEvents(EventStore[UUID]):
    """The library's event store, which also answers `ledger.events(stream_id)`."""

    recorder: LedgerRecorder

    def __call__(self, stream_id: UUID) -> list[Event]:
        """This will give a stream's events in order."""
        return [decode(*row) for row in self.recorder.stream(stream_id)]


class Ledger(Application[UUID]):
    """The one way for facts into the log, and back out of it. Safe for many threads; close it to end its own.

    `ledger.events(stream_id)` gives the events of one stream.
    """

    name = "ledger"
    events: LedgerEvents
    env: ClassVar[dict[str, str]] = {}

    def __init__(
        self,
        database_url: str,
        *,
        pool_size: int = 4,
        statement_timeout_ms: int = STATEMENT_TIMEOUT_MS,
        stops: Sequence[Stop] = (),
    ) -> None:
        """Connects when first used: `pool_size` is the most connections that read at once, besides the one that appends.

        `stops` are asked before anything is appended: a full disk, for one, is nearly full before the database finds out.
        """
        self._log = LedgerRecorder(
            database_url, pool_size=pool_size, statement_timeout_ms=statement_timeout_ms, stops=stops
        )
        super().__init__()

    def append(self, events: Sequence[Event], *, command_id: UUID, request_hash: bytes, at: datetime) -> Receipt:
        """This will record the events of one command, all or none, and give their receipt.

        A known command id with the same request gives its first outcome. Raises VersionConflict, CommandReused, StoryRanBackwards,
        LedgerBusy or LedgerUnavailable (nothing was recorded), OutcomeUnknown (it may be), ValueError for events that are not the
        command's own or that count from 0.
        """
        command = prepared(CommandEvents(events, command_id, request_hash, at))
        try:
            (outcome,) = self._log.writes.append([command])
        except LedgerFull:
            if (first := self.outcome(command_id, request_hash)) is not None:  # it may be asked for again
                return first
            raise
        return self._log.receipt(outcome, command_id, request_hash)

    async def append_async(
        self, events: Sequence[Event], *, command_id: UUID, request_hash: bytes, at: datetime
    ) -> Receipt:
        """This will do the same without holding a thread. Many tasks share a transaction as many threads do, at less cost each."""
        command = prepared(CommandEvents(events, command_id, request_hash, at))
        outcome = await self._log.writes.append_async(command)
        if isinstance(outcome, Receipt):
            return outcome
        return await asyncio.to_thread(self._log.receipt, outcome, command_id, request_hash)

    def append_many(self, commands: Sequence[CommandEvents]) -> list[Receipt | AppendFault]:
        """This will record many commands in order, each all or none, and say for each what became of it.

        A later command may build on an earlier one. Raises OutcomeUnknown when the answer for one could not be had; those before it
        are recorded or refused, and sending all of them again is safe.
        """
        found: list[Receipt | AppendFault] = []
        series, sent = Series(), deque[Sequence[Waiting]]()
        for start in range(0, len(commands), CHUNK_COMMANDS):
            chunk = [prepared(command) for command in commands[start : start + CHUNK_COMMANDS]]
            sent.append(self.send(chunk, series))
            if len(sent) > 1:
                found += self.answers(sent.popleft())
        for waiting in sent:
            found += self.answers(waiting)
        return found

    def send(self, commands: Sequence[PackedCommand], series: Series) -> Sequence[Waiting]:
        """This will hand over the next commands of a series without waiting for them. Raises LedgerBusy if too many wait already."""
        return self._log.writes.send(commands, series)

    def answers(self, sent: Sequence[Waiting]) -> list[Receipt | AppendFault]:
        """This will wait for what was sent, and say for each command what became of it. Raises as `append_many` does."""
        return [
            outcome
            if isinstance(outcome, (Receipt, AppendFault))
            else self._log.receipt(outcome, waiting.command.command_id, waiting.command.request_hash())
            for waiting, outcome in zip(sent, self._log.writes.answers(sent), strict=True)
        ]

    def pages(self) -> Pages:
        """This will give a way in for thousands of commands that are nearly sure to be new, as an import has them."""
        return Pages(self._log.writer, self._log.head.advance)

    def outcome(self, command_id: UUID, request_hash: bytes) -> Receipt | None:
        """This will give a known command's first outcome, None if it is not known; raises CommandReused for another request."""
        return self._log.outcome(command_id, request_hash)

    def load(self, stream_id: UUID, evolve: Callable[[S, Event], S], initial: S) -> tuple[S, int]:
        """This will fold a stream's events into a state, and give it with the stream's version: 0 if there is no such stream."""
        state, version = initial, 0
        for row in self._log.stream(stream_id):
            event = decode(*row)
            state, version = evolve(state, event), event.version
        return state, version

    def streams(self, stream_ids: Sequence[UUID]) -> dict[UUID, list[Event]]:
        """This will give the events of several streams in order, as of one moment and in one round trip; [] for one that is not."""
        found: dict[UUID, list[Event]] = {stream_id: [] for stream_id in stream_ids}
        for stream_id, *row in self._log.streams(list(found)):
            found[stream_id].append(decode(*row))
        return found

    def read(self, after: int, limit: int) -> list[Event]:
        """This will give up to `limit` events of the whole log after a position, in order. Nothing is ever recorded in between."""
        return [decode(*row) for row in self._log.log(after, limit)]

    def placed(self, after: int, limit: int) -> list[Placed]:
        """This will read the same facts as `read` with as much of their envelopes as projections need, in half the time."""
        return placed(after, self._log.placed(after, limit))

    def head(self) -> int:
        """This will give the last position, 0 for an empty ledger."""
        return self._log.position()

    def wait_past(self, position: int, timeout_s: float) -> bool:
        """This will wait until this process records something after the position; False if that took too long."""
        return self._log.head.wait_past(position, timeout_s)

    def identity(self) -> tuple[UUID, str]:
        """This will give the ledger's id and its clock, `wall` or `story`."""
        ((ledger_id, clock),) = self._log.rows("SELECT ledger_id, clock FROM ledger.identity", [])
        return ledger_id, clock

    # The library asks for its parts through these.
    def construct_factory(self, env: Environment) -> InfrastructureFactory:
        """This will give the factory of our parts."""
        return LedgerFactory(env, self._log)

    def construct_mapper(self) -> Mapper[UUID]:
        """This will give the mapper over our codec."""
        return LedgerMapper()

    def construct_event_store(self) -> LedgerEvents:
        """This will give the event store that can also be called for a stream's events."""
        return LedgerEvents(self.mapper, self._log)

    def construct_transcoder(self) -> Transcoder:
        """This will give the library's own; our codec does not use it."""
        return JSONTranscoder()


def prepared(command: CommandEvents) -> PackedCommand:
    """This will encode and pack a command for sending. Raises ValueError for events that are not its own, or that count from 0."""
    for event in command.events:
        if event.command_id is not command.command_id and event.command_id != command.command_id:
            raise ValueError(
                f"event {event.event_id} belongs to command {event.command_id}, not to {command.command_id}"
            )
        if event.version < 1:
            raise ValueError(f"version {event.version} of stream {event.stream_id}: versions count from 1")
    return packed(command.command_id, command.request_hash, command.at, [encode(event) for event in command.events])
