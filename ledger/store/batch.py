"""Batches of commands in PostgreSQL's binary format, and the answers of `ledger.append_new()` and `ledger.append()`.

A command is packed by the thread that sends it; the writer thread only joins the pieces, since all the others wait for it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import accumulate
from struct import Struct as Packing
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from ledger.store.codec import EncodedEvent, leaf, leaves
from ledger.store.faults import AppendFault, CommandReused, StoryRanBackwards, VersionConflict
from ledger.store.receipt import Receipt
from ledger.values import utc

#: What records a batch of new commands or refuses all of it, and what looks at each command; the types of their parameters (arrays).
APPEND_NEW = b"SELECT ledger.append_new($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
APPEND_NEW_TYPES = (2951, 1001, 1007, 2951, 2951, 1007, 1009, 1185, 1001, 1001, 1001)
APPEND = b"SELECT * FROM ledger.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
APPEND_TYPES = (2951, 1001, 1185, 1007, 2951, 1007, 1009, 1185, 1001, 1001, 1001)
#: The types of their elements, by object id.
_UUID, _BYTEA, _INSTANT, _INT, _TEXT = 2950, 17, 1184, 23, 25
_PER_EVENT = (_UUID, _INT, _TEXT, _INSTANT, _BYTEA, _BYTEA, _BYTEA)

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # PostgreSQL's
_ARRAY_HEAD = Packing(">iiIii").pack  # dimensions, has nulls, element type, length, lower bound
_LENGTH = Packing(">i").pack
_INT4 = Packing(">ii").pack
_INT8 = Packing(">iq").pack
_UUID_LENGTH = _LENGTH(16)
_RECORDED = Packing(">12xq8xq").unpack  # a record: how many columns, and of each its type, length and 8 bytes


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
    #: The pieces of the arrays per command (id, request hash) and per event (seven), in the order of the parameters.
    per_command: tuple[bytes, bytes]
    per_event: tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes]
    size_bytes: int

    def metas(self) -> list[bytes]:
        """This will give the meta of each event."""
        column, start = self.per_event[5], 4
        if self.event_count == 1:
            return [column[4:]]
        found = []
        while start <= len(column):
            end = start + int.from_bytes(column[start - 4 : start])
            found.append(column[start:end])
            start = end + 4
        return found

    def request_hash(self) -> bytes:
        """This will give the hash of the command's request."""
        return self.per_command[1][4:]

    def told_at(self, at: datetime) -> "PackedCommand":
        """This will give the same command with another time of its own."""
        return replace(self, at=at)


def packed(command_id: UUID, request_hash: bytes, at: datetime, events: Sequence[EncodedEvent]) -> PackedCommand:
    """This will pack a command for sending. Raises ValueError if it has no events or a time without a zone."""
    if not events:
        raise ValueError("a command without events has nothing to record")
    if len(events) == 1:  # as nearly all have: a join of single pieces would cost a third of the packing
        per_event = _row(events[0])
    else:
        one, two, three, four, five, six, seven = zip(*map(_row, events), strict=True)
        join = b"".join
        per_event = (join(one), join(two), join(three), join(four), join(five), join(six), join(seven))
    return PackedCommand(
        command_id,
        utc(at),
        len(events),
        (_UUID_LENGTH + command_id.bytes, _LENGTH(len(request_hash)) + request_hash),
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


def new_parameters(commands: Sequence[PackedCommand]) -> list[bytes]:
    """This will join the commands into the eleven arrays of a call of `append_new`."""
    ids, hashes = zip(*[command.per_command for command in commands], strict=True)
    counts = [command.event_count for command in commands]
    count = sum(counts)
    if count == len(counts):
        firsts, command_ids = _numbers(count), ids
    else:
        firsts = b"".join([_INT4(4, first) for first in accumulate(counts[:-1], initial=1)])
        command_ids = tuple(id_ * times for id_, times in zip(ids, counts, strict=True))
    id_array = _array(_UUID, len(ids), ids)
    return [
        id_array,
        _array(_BYTEA, len(ids), hashes),
        _ARRAY_HEAD(1, 0, _INT, len(ids), 1) + firsts,
        id_array if command_ids is ids else _array(_UUID, count, command_ids),
        *_event_arrays(commands, count),
    ]


def parameters(commands: Sequence[PackedCommand]) -> list[bytes]:
    """This will join the commands into the eleven arrays of a call of `append`."""
    ids, hashes = zip(*[command.per_command for command in commands], strict=True)
    lasts = list(accumulate(command.event_count for command in commands))
    return [
        _array(_UUID, len(ids), ids),
        _array(_BYTEA, len(ids), hashes),
        _array(_INSTANT, len(ids), [_instant(command.at) for command in commands]),
        _array(_INT, len(ids), [_INT4(4, last) for last in lasts]),
        *_event_arrays(commands, lasts[-1]),
    ]


def _event_arrays(commands: Sequence[PackedCommand], count: int) -> list[bytes]:
    columns = zip(*[command.per_event for command in commands], strict=True)
    return [_array(element_type, count, column) for element_type, column in zip(_PER_EVENT, columns, strict=True)]


def _array(element_type: int, length: int, pieces: Sequence[bytes]) -> bytes:
    return _ARRAY_HEAD(1, 0, element_type, length, 1) + b"".join(pieces)


@lru_cache(maxsize=1_024)
def _numbers(count: int) -> bytes:
    return b"".join([_INT4(4, number) for number in range(1, count + 1)])


def receipts(commands: Sequence[PackedCommand], first_position: int, recorded_at: datetime) -> list[Receipt]:
    """This will give the receipts of a batch that was recorded as it was sent."""
    found: list[Receipt] = []
    hashes = leaves(first_position, recorded_at, [meta for command in commands for meta in command.metas()])
    if len(hashes) == len(commands):
        return [
            Receipt(position, position, (hash_,), recorded_at) for position, hash_ in enumerate(hashes, first_position)
        ]
    done = 0
    for command in commands:
        first, end = done, done + command.event_count
        found.append(Receipt(first_position + first, first_position + end - 1, tuple(hashes[first:end]), recorded_at))
        done = end
    return found


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


def recorded(sent: bytes) -> tuple[int, datetime]:
    """This will read the answer of `append_new`: the first position, and when all of the batch was recorded."""
    first_position, recorded_at = _RECORDED(sent)
    return first_position, _EPOCH + timedelta(microseconds=recorded_at)


def _instant(at: datetime) -> bytes:
    since = at - _EPOCH
    return _INT8(8, (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)
