"""What goes into an append and what comes back from it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from ledger.events.envelope import Event


class CommandEvents(Struct, frozen=True):
    """The events of one command, recorded all or none. `at` is the command's own time, which a story ledger records it at."""

    events: Sequence[Event]
    command_id: UUID
    #: A hash of the command's input: the same id with another hash is refused.
    request_hash: bytes
    at: datetime


class Receipt(Struct, frozen=True):
    """The proof of recording: where the events are, their leaves, and when the ledger stored them.

    `repeated`: the command was known already, and this is its first outcome.
    """

    first_position: int
    last_position: int
    leaves: tuple[bytes, ...]
    recorded_at: datetime
    repeated: bool = False
