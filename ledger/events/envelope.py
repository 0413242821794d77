"""A fact with what is known about its recording."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from ledger.values import Actor, Dating, Source, named


class Event(Struct, frozen=True, omit_defaults=True):
    """One recorded fact: `fact` says what happened, the rest who, when, where in its stream and in answer to what.

    `position` and `recorded_at` are the ledger's own and are 0 and None until it has stored the event.
    """

    event_id: UUID
    stream_id: UUID
    version: int
    occurred_at: datetime
    actor: Actor
    command_id: UUID
    correlation_id: UUID
    fact: Struct
    causation_id: UUID | None = None
    source: Source | None = None
    position: int = 0
    recorded_at: datetime | None = None

    @property
    def originator_id(self) -> UUID:
        """This will give the stream id under the event-sourcing library's name for it."""
        return self.stream_id

    @property
    def originator_version(self) -> int:
        """This will give the version under the event-sourcing library's name for it."""
        return self.version


def is_dated(event: Event) -> bool:
    """This will say whether ages and delays may be reckoned from `occurred_at`: of an import, its source must vouch for the day."""
    return event.source is None or event.source.is_dated


def is_undated(event: Event) -> bool:
    """This will say whether `occurred_at` is only a place in the order: of an import whose source has no date at all."""
    return event.source is not None and event.source.dating is Dating.UNDATED


def event_id(command_id: UUID, index: int) -> UUID:
    """This will name the index-th (from 0) event of a command: the same command always gives the same ids."""
    return named(command_id.bytes, str(index))
