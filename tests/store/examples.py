"""One canonical example of what a ledger keeps, for the tests of the store."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from ledger.events.envelope import Event, event_id
from ledger.events.team import MemberJoined
from ledger.store.application import Ledger
from ledger.store.receipt import CommandEvents, Receipt
from ledger.values import Actor, MemberId, Role

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
STEWARD = Actor(MemberId(UUID(int=7)), Role.STEWARD)
REQUEST = b"\x01" * 32
OTHER_REQUEST = b"\x02" * 32


def joined(command_id: UUID, stream_id: UUID, version: int, index: int = 0, at: datetime = MONDAY) -> Event:
    """This will give an event that may be the index-th of its command."""
    fact = MemberJoined(MemberId(UUID(int=version)))
    return Event(event_id(command_id, index), stream_id, version, at, STEWARD, command_id, command_id, fact)


def command(stream_id: UUID, *versions: int, command_id: UUID | None = None, at: datetime = MONDAY) -> CommandEvents:
    """This will give a command that adds these versions to a stream."""
    own_id = command_id or uuid4()
    events = [joined(own_id, stream_id, version, index, at) for index, version in enumerate(versions)]
    return CommandEvents(events, own_id, REQUEST, at)


def append(ledger: Ledger, sent: CommandEvents) -> Receipt:
    """This will append one command."""
    return ledger.append(sent.events, command_id=sent.command_id, request_hash=sent.request_hash, at=sent.at)


def positions(events: Sequence[Event]) -> list[int]:
    """This will give the positions of events."""
    return [event.position for event in events]


def days(count: float) -> timedelta:
    """This will give so many days."""
    return timedelta(days=count)
