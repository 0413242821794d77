"""What a handled command comes back with."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from ledger.events import Event
from ledger.store.receipt import Receipt


class Outcome(Struct, frozen=True):
    """What was recorded, where and when. A repeated command has its first outcome, and `repeated` says so.

    `stream_id` is the stream that the command was about, at `version` after it; `position` is the last position, and `leaves` has a
    leaf for each fact: together the receipt that could prove a loss later.
    """

    position: int
    first_position: int
    stream_id: UUID
    version: int
    recorded_at: datetime
    leaves: tuple[bytes, ...]
    repeated: bool
    facts: tuple[Event, ...]


def outcome(receipt: Receipt, stream_id: UUID, facts: Sequence[Event]) -> Outcome:
    """This will join a receipt with the facts that it is for."""
    return Outcome(
        receipt.last_position,
        receipt.first_position,
        stream_id,
        max((event.version for event in facts if event.stream_id == stream_id), default=0),
        receipt.recorded_at,
        receipt.leaves,
        receipt.repeated,
        tuple(facts),
    )


def stored(receipt: Receipt, events: Sequence[Event]) -> tuple[Event, ...]:
    """This will give events as the ledger has them now, with their positions and time of recording."""
    return tuple(
        replace(event, position=position, recorded_at=receipt.recorded_at)
        for position, event in enumerate(events, receipt.first_position)
    )
