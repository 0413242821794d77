"""The library's recorder over `ledger.append()`. Streams and the log are one table, so that one answers for both."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    Notification,
    StoredEvent,
    Subscription,
)
from psycopg_pool import PoolTimeout

from ledger.store.batch import Repeated, packed
from ledger.store.codec import PAYLOAD
from ledger.store.connections import Pool, reader_pool, writer_connection
from ledger.store.faults import CommandReused, OutcomeUnknown
from ledger.store.group import GroupCommit, Stop
from ledger.store.head import Head
from ledger.store.mapper import RecordedEvent, stored_command
from ledger.store.receipt import Receipt
from ledger.store.waiting import Outcome

#: A row as `Event` is decoded from it: position, recorded_at, topic, meta, payload.
Row = tuple[int, datetime, str, bytes, bytes]

#: How long a follower waits for word from this process before it asks the database for what others recorded, in seconds.
POLL_S = 0.03

_OUTCOME: LiteralString = """
SELECT c.request_hash, c.first_position, c.event_count, array_agg(e.leaf ORDER BY e.position), max(e.recorded_at)
  FROM ledger.commands AS c
  JOIN ledger.events AS e ON e.position >= c.first_position AND e.position < c.first_position + c.event_count
 WHERE c.command_id = %s GROUP BY c.command_id"""
_ROW: LiteralString = f"position, recorded_at, topic, meta, {PAYLOAD}"
_STREAM: LiteralString = f"SELECT {_ROW} FROM ledger.events WHERE stream_id = %s ORDER BY version"  # noqa: S608 - literal pieces
_STREAMS: LiteralString = (
    f"SELECT stream_id, {_ROW} FROM ledger.events WHERE stream_id = ANY(%s) ORDER BY stream_id, version"  # noqa: S608
)
_LOG: LiteralString = f"SELECT {_ROW} FROM ledger.events WHERE position > %s ORDER BY position LIMIT %s"  # noqa: S608
_PLACED: LiteralString = (
    f"SELECT topic, meta, {PAYLOAD}, timestamptz_send(recorded_at) FROM ledger.events"  # noqa: S608
    " WHERE position > %s ORDER BY position LIMIT %s"
)
_STORED: LiteralString = f"SELECT position, stream_id, version, topic, {PAYLOAD}, meta, recorded_at FROM ledger.events"  # noqa: S608


class StreamRecorder(AggregateRecorder):
    """Records and selects the events of streams. `reads` and `writes` belong to whoever made them."""

    def __init__(self, reads: Pool, writes: GroupCommit) -> None:
        self.reads = reads
        self.writes = writes

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """This will record the events as one command, all or none.

        `command_id`, `request_hash` and `at` may be given. Raises VersionConflict (an IntegrityError), CommandReused,
        StoryRanBackwards, LedgerBusy, LedgerUnavailable or OutcomeUnknown.
        """
        self._insert(stored_events, **kwargs)
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """This will give a stream's events with versions after `gt` and up to `lte`, in order, or the latest first."""
        where: LiteralString = " WHERE stream_id = %s AND version > %s AND version <= %s ORDER BY version"
        where += " DESC" if desc else ""
        gt, lte = -1 if gt is None else gt, 2**31 - 1 if lte is None else lte
        return self._stored(where + " LIMIT %s", [originator_id, gt, lte, limit])

    def outcome(self, command_id: UUID, request_hash: bytes) -> Receipt | None:
        """This will give a known command's first outcome, None if it is not known; raises CommandReused for another request."""
        rows = self.rows(_OUTCOME, [command_id])
        if not rows:
            return None
        known_hash, first, count, leaves, recorded_at = rows[0]
        if known_hash != request_hash:
            raise CommandReused(command_id)
        return Receipt(first, first + count - 1, tuple(leaves), recorded_at, repeated=True)

    def receipt(self, outcome: Outcome, command_id: UUID, request_hash: bytes) -> Receipt:
        """This will turn the writer's answer into a receipt, or raise what it says."""
        if isinstance(outcome, Receipt):
            return outcome
        if isinstance(outcome, Repeated):
            try:
                first = self.outcome(command_id, request_hash)
            except (
                psycopg.OperationalError,
                PoolTimeout,
            ) as error:  # it is recorded: nobody may be told that nothing was
                raise OutcomeUnknown(command_id) from error
            if first is None:
                raise LookupError(f"command {command_id} was repeated, yet is not there")
            return first
        raise outcome

    def rows(self, statement: LiteralString, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """This will fetch all rows of a statement, in binary."""
        with self.reads.connection() as connection, connection.cursor(binary=True) as cursor:
            return cursor.execute(statement, parameters, prepare=True).fetchall()

    def stream(self, stream_id: UUID) -> list[Row]:
        """This will give the rows of a stream, in order of version."""
        return self.rows(_STREAM, [stream_id])

    def streams(self, stream_ids: Sequence[UUID]) -> list[tuple[Any, ...]]:
        """This will give the rows of several streams, each after its stream's id and in order of version."""
        return self.rows(_STREAMS, [stream_ids])

    def log(self, after: int, limit: int) -> list[Row]:
        """This will give up to `limit` rows of the log after a position, in order."""
        return self.rows(_LOG, [after, limit])

    def placed(self, after: int, limit: int) -> list[tuple[Any, ...]]:
        """This will give up to `limit` rows of the log after a position, in order: topic, meta, payload, recorded_at as sent."""
        return self.rows(_PLACED, [after, limit])

    def _insert(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Receipt | None:
        if not stored_events:
            return None
        command = stored_command(stored_events, kwargs.get("command_id"), kwargs.get("request_hash"), kwargs.get("at"))
        prepared = packed(command.command_id, command.request_hash, command.at, command.events)
        (outcome,) = self.writes.append([prepared])
        return self.receipt(outcome, command.command_id, command.request_hash)

    def _stored(self, where: LiteralString, parameters: Sequence[Any]) -> list[RecordedEvent]:
        return [
            RecordedEvent(stream_id, version, topic, payload, position, meta, recorded_at)
            for position, stream_id, version, topic, payload, meta, recorded_at in self.rows(
                _STORED + where, parameters
            )
        ]


class LedgerRecorder(StreamRecorder, ApplicationRecorder):
    """The same, with the log as a whole: positions are notification ids, without gaps and in commit order."""

    def __init__(
        self, database_url: str, *, pool_size: int, statement_timeout_ms: int, stops: Sequence[Stop] = ()
    ) -> None:
        self.head = Head()
        self.writer = lambda: writer_connection(database_url, statement_timeout_ms)
        super().__init__(
            reader_pool(database_url, pool_size, statement_timeout_ms),
            GroupCommit(self.writer, self.head.advance, stops),
        )

    def close(self) -> None:
        """This will append what is waiting and close all connections."""
        self.writes.close()
        self.reads.close()

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """This will record the events as one command and give their positions; raises as StreamRecorder does."""
        receipt = self._insert(stored_events, **kwargs)
        return None if receipt is None else list(range(receipt.first_position, receipt.last_position + 1))

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """This will give up to `limit` events from `start` to `stop`, of the given topics only if there are any."""
        after = 0 if start is None else start - inclusive_of_start
        where: LiteralString = " WHERE position > %s AND position <= %s"
        parameters: list[Any] = [after, 2**63 - 1 if stop is None else stop]
        if topics:
            where += " AND topic = ANY(%s)"
            parameters.append(list(topics))
        return self._stored(where + " ORDER BY position LIMIT %s", [*parameters, limit])

    def max_notification_id(self) -> int | None:
        """This will give the last position, None for an empty ledger."""
        return self.position() or None

    def position(self) -> int:
        """This will give the last position, 0 for an empty ledger."""
        position: int = self.rows("SELECT position FROM ledger.head", [])[0][0]
        return position

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        """This will follow the log after `gt`, forever, until it is stopped."""
        return LogSubscription(self, gt, topics)


class LogSubscription(Subscription[LedgerRecorder]):
    """The log from a position on. It waits for word from this process, and asks the database every POLL_S for other processes' events."""

    PAGE = 500

    def __init__(self, recorder: LedgerRecorder, gt: int | None, topics: Sequence[str]) -> None:
        super().__init__(recorder, gt, topics)
        self._page: Iterator[Notification] = iter(())

    def __next__(self) -> Notification:
        while not self._has_been_stopped:
            for notification in self._page:
                self._last_notification_id = notification.id
                return notification
            after = self._last_notification_id or 0
            found = self._recorder.select_notifications(after, self.PAGE, topics=self._topics, inclusive_of_start=False)
            self._page = iter(found)
            if not found:
                self._recorder.head.wait_past(max(after, self._recorder.head.position), POLL_S)
        raise StopIteration
