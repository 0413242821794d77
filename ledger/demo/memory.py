"""A ledger as its only writer may see it: what was read or written once is not asked for again."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

from ledger.events.envelope import Event
from ledger.handlers.outcome import stored
from ledger.store.application import Ledger
from ledger.store.connections import patient_connection
from ledger.store.receipt import Receipt

#: The advisory lock of whoever tells a story, one per database: "story" in ASCII.
LOCK = int.from_bytes(b"story")


class RememberingLedger(Ledger):
    """Halves the time of a story, most of which is the way to the database and back. Right only for one who holds `telling_alone`."""

    def __init__(self, database_url: str) -> None:
        super().__init__(database_url, pool_size=2)
        self._streams: dict[UUID, list[Event]] = {}

    def streams(self, stream_ids: Sequence[UUID]) -> dict[UUID, list[Event]]:
        """This will give the events of several streams in order, from memory where they are there."""
        unknown = [stream_id for stream_id in stream_ids if stream_id not in self._streams]
        if unknown:
            self._streams |= super().streams(unknown)
        return {stream_id: self._streams[stream_id] for stream_id in stream_ids}

    def append(self, events: Sequence[Event], *, command_id: UUID, request_hash: bytes, at: datetime) -> Receipt:
        """This will record the events of one command, and remember them."""
        receipt = super().append(events, command_id=command_id, request_hash=request_hash, at=at)
        if receipt.repeated:
            return receipt  # its events were read from the log
        for event in stored(receipt, events):
            if event.stream_id in self._streams:
                self._streams[event.stream_id] = [*self._streams[event.stream_id], event]
        return receipt


@contextmanager
def telling_alone(url: str) -> Iterator[None]:
    """This will wait until nobody else tells a story to the database, and keep them waiting meanwhile."""
    with patient_connection(url) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        yield
