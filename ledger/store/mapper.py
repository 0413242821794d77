"""Between the library's stored events and ours: theirs have a topic and a state, ours an envelope besides."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import JSONTranscoder, Mapper, Notification, StoredEvent

from ledger.events.envelope import Event, event_id
from ledger.store.codec import EncodedEvent, decode, encode, plain
from ledger.store.faults import NotARecordedFact


@dataclass(frozen=True, eq=False)
class MappedEvent(StoredEvent):
    """An event on its way to the recorder, already encoded."""

    encoded: EncodedEvent
    command_id: UUID
    occurred_at: datetime


@dataclass(frozen=True, eq=False)
class RecordedEvent(Notification):
    """An event as it is stored. It equals the library's own stored event of the same stream, version, topic and state."""

    meta: bytes = field(repr=False)
    recorded_at: datetime

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoredEvent) and _identity(self) == _identity(other)

    def __hash__(self) -> int:
        return hash(_identity(self))


class LedgerMapper(Mapper[UUID]):
    """Maps `Event` by our codec. Neither compressed nor encrypted: the proof is over the bytes as they are stored."""

    def __init__(self) -> None:
        super().__init__(JSONTranscoder())

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        """This will encode one of our events. Raises TypeError for an event that is not."""
        if not isinstance(domain_event, Event):
            raise TypeError(f"a ledger keeps events of its own only, not {type(domain_event).__qualname__}")
        encoded = encode(domain_event)
        return MappedEvent(
            encoded.stream_id,
            encoded.version,
            encoded.topic,
            encoded.payload,
            encoded,
            domain_event.command_id,
            encoded.occurred_at,
        )

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        """This will decode a recorded event. Raises UnknownTopic, or NotARecordedFact for one that was never recorded by us."""
        if not isinstance(stored_event, RecordedEvent):
            raise NotARecordedFact(f"an event of the topic {stored_event.topic} has no envelope")
        return decode(
            stored_event.id, stored_event.recorded_at, stored_event.topic, stored_event.meta, stored_event.state
        )


@dataclass(frozen=True)
class StoredCommand:
    """What one call of the library's `insert_events` records: one command."""

    events: tuple[EncodedEvent, ...]
    command_id: UUID
    request_hash: bytes
    at: datetime


def stored_command(
    stored_events: Sequence[StoredEvent], command_id: UUID | None, request_hash: bytes | None, at: datetime | None
) -> StoredCommand:
    """This will make a command of stored events.

    What is not given comes from the events: the id and time of ours, a random id and the present time for the library's own, and a
    hash over streams, versions, topics and states.
    """
    mapped = [event for event in stored_events if isinstance(event, MappedEvent)]
    if command_id is None:
        command_id = mapped[0].command_id if mapped else uuid4()
    if at is None:
        at = max(event.occurred_at for event in mapped) if mapped else datetime.now(UTC)
    if request_hash is None:
        request = sha256()
        for event in stored_events:
            request.update(repr(_identity(event)).encode())
        request_hash = request.digest()
    encoded = tuple(
        event.encoded
        if isinstance(event, MappedEvent)
        else plain(
            event_id=event_id(command_id, index),
            stream_id=_uuid(event.originator_id),
            version=event.originator_version,
            topic=event.topic,
            occurred_at=at,
            command_id=command_id,
            payload=event.state,
        )
        for index, event in enumerate(stored_events)
    )
    return StoredCommand(encoded, command_id, request_hash, at)


def _uuid(originator_id: UUID | str) -> UUID:
    return originator_id if isinstance(originator_id, UUID) else UUID(originator_id)


def _identity(event: StoredEvent) -> tuple[UUID | str, int, str, bytes]:
    return event.originator_id, event.originator_version, event.topic, event.state
