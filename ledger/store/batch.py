"""Batches of commands in PostgreSQL's binary format, and the answers of `ledger.append()`.

A command is packed by the thread that sends it; the writer thread only joins the pieces, since all the others wait for it.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from struct import Struct as Packing
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from ledger.store.codec import EncodedEvent, leaf
from ledger.store.faults import AppendFault, CommandReused, StoryRanBackwards, VersionConflict
from ledger.store.receipt import Receipt
from ledger.values import utc

#: The call, the types of its parameters (arrays) and of their elements, by object id.
APPEND = b"SELECT * FROM ledger.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
ARRAY_TYPES = (2951, 1001, 1185, 1007, 2951, 1007, 1009, 1185, 1001, 1001, 1001)
_ELEMENT_TYPES = (2950, 17, 1184, 23, 2950, 23, 25, 1184, 17, 17, 17)

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # PostgreSQL's
_MICROSECOND = timedelta(microseconds=1)
_ARRAY_HEAD = Packing(">iiIii").pack  # dimensions, has nulls, element type, length, lower bound
_LENGTH = Packing(">i").pack
_INT4 = Packing(">ii").pack
_INT8 = Packing(">iq").pack
_UUID_LENGTH = _LENGTH(16)


class Repeated(NamedTuple):
    """The command is known with the same request: where its first outcome is."""

    first_position: int
    event_count: int


Answer = Receipt | Repeated | AppendFault


class PackedCommand(Struct, frozen=True, array_like=True, gc=False):
    """One command, each of its columns packed as elements of an array."""

    command_id: UUID
    at: datetime
    event_count: int
    #: The pieces of the arrays per command (three) and per event (seven), in the order of the parameters.
    per_command: tuple[bytes, bytes, bytes]
    per_event: tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes]
    size_bytes: int

    def metas(self) -> Iterator[bytes]:
        """This will give the meta of each event."""
        column, start = self.per_event[5], 0
        for _ in range(self.event_count):
            end = start + 4 + int.from_bytes(column[start : start + 4])
            yield column[start + 4 : end]
            start = end

    def request_hash(self) -> bytes:
        """This will give the hash of the command's request."""
        return self.per_command[1][4:]

    def told_at(self, at: datetime) -> "PackedCommand":
        """This will give the same command with another time of its own."""
        command_id, request_hash, _ = self.per_command
        return replace(self, at=at, per_command=(command_id, request_hash, _instant(at)))


def packed(command_id: UUID, request_hash: bytes, at: datetime, events: Sequence[EncodedEvent]) -> PackedCommand:
    """This will pack a command for sending. Raises ValueError if it has no events or a time without a zone."""
    if not events:
        raise ValueError("a command without events has nothing to record")
    at = utc(at)
    if len(events) == 1:  # as nearly all have: a join of single pieces would cost a third of the packing
        per_event = _row(events[0])
    else:
        one, two, three, four, five, six, seven = zip(*[_row(event) for event in events], strict=True)
        join = b"".join
        per_event = (join(one), join(two), join(three), join(four), join(five), join(six), join(seven))
    return PackedCommand(
        command_id,
        at,
        len(events),
        (_UUID_LENGTH + command_id.bytes, _LENGTH(len(request_hash)) + request_hash, _instant(at)),
        per_event,
        len(per_event[5]) + len(per_event[6]),
    )


def _row(event: EncodedEvent) -> tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes]:
    salt, meta, payload = event.salt, event.meta, event.payload
    return (
        _UUID_LENGTH + event.stream_id.bytes,
        _INT4(4, event.version),
        _topic(event.topic),
        _instant(event.occurred_at),
        _LENGTH(len(salt)) + salt,
        _LENGTH(len(meta)) + meta,
        _LENGTH(len(payload)) + payload,
    )


@lru_cache(maxsize=1_024)
def _topic(topic: str) -> bytes:
    encoded = topic.encode()
    return _LENGTH(len(encoded)) + encoded


def parameters(commands: Sequence[PackedCommand]) -> list[bytes]:
    """This will join the commands into the eleven arrays of one call."""
    last_events, count = [], 0
    for command in commands:
        count += command.event_count
        last_events.append(_INT4(4, count))
    ids, hashes, instants = zip(*[command.per_command for command in commands], strict=True)
    columns = [ids, hashes, instants, last_events, *zip(*[command.per_event for command in commands], strict=True)]
    return [
        _ARRAY_HEAD(1, 0, element_type, length, 1) + b"".join(column)
        for element_type, length, column in zip(_ELEMENT_TYPES, [len(commands)] * 4 + [count] * 7, columns, strict=True)
    ]


class Row(NamedTuple):
    """One row of the answer; see the function's comment for which fields a status sets."""

    command: int
    status: str
    first_position: int
    event_count: int
    recorded_at: datetime | None
    stream_id: UUID | None
    version: int


def row(values: Sequence[bytes | None]) -> Row:
    """This will read one binary row of the answer; a missing number is 0."""
    command, status, first_position, event_count, recorded_at, stream_id, version = values
    return Row(
        int.from_bytes(command or b""),
        (status or b"").decode(),
        int.from_bytes(first_position or b""),
        int.from_bytes(event_count or b""),
        None if recorded_at is None else _EPOCH + timedelta(microseconds=int.from_bytes(recorded_at, signed=True)),
        None if stream_id is None else UUID(bytes=stream_id),
        int.from_bytes(version or b""),
    )


def answers(commands: Sequence[PackedCommand], rows: Sequence[Row]) -> tuple[list[Answer], int]:
    """This will say for each command of a batch what became of it, and the ledger's head after them."""
    head, refused = rows[0], {r.command: r for r in rows[1:]}
    position, recorded_at = head.first_position, head.recorded_at
    found: list[Answer] = []
    for number, command in enumerate(commands, start=1):
        if (other := refused.get(number)) is not None:
            found.append(_refusal(command, other))
            continue
        at = command.at if head.status == "story" or recorded_at is None else recorded_at
        first, position = position, position + command.event_count
        leaves = [leaf(first + index, at, meta) for index, meta in enumerate(command.metas())]
        found.append(Receipt(first, position - 1, tuple(leaves), at))
    return found, position - 1


def _refusal(command: PackedCommand, row: Row) -> Repeated | AppendFault:
    match row.status:
        case "repeated":
            return Repeated(row.first_position, row.event_count)
        case "reused":
            return CommandReused(command.command_id)
        case "backwards" if row.recorded_at is not None:
            return StoryRanBackwards(command.at, row.recorded_at)
        case "conflict" if row.stream_id is not None:
            return VersionConflict(row.stream_id, row.version)
        case _:
            raise ValueError(f"the database answered {row!r}")


def _instant(at: datetime) -> bytes:
    return _INT8(8, (at - _EPOCH) // _MICROSECOND)
