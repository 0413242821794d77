"""Commands as elements of an array in PostgreSQL's binary format, which is how a page of them is sent (see `ledger.store.pages`).

A command is rendered by whoever decides it; nobody takes it apart again unless its page is refused.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from struct import Struct as Packing
from uuid import UUID

from ledger.store.batch import PackedCommand, packed
from ledger.store.codec import EncodedEvent

#: Bytes of a request's hash: SHA-256.
HASH_BYTES = 32

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # PostgreSQL's
_MICROSECOND = timedelta(microseconds=1)


def _field(oid: int, size: int) -> bytes:
    return Packing(">Ii").pack(oid, size)


# One element: its size, the number of its fields, and each field with its type and size. Most of them always have the same.
_ID, _TIME, _NUMBER, _BYTES = _field(2950, 16), _field(1184, 8), _field(23, 4), Packing(">Ii")
_HASH, _NO_HASH, _SALT = _field(17, 32), _field(17, -1), _field(17, 16)
_FIRST = Packing(">i 12s 16s 8s 32s 8s q 8s 16s 8s i 8s q 8s 16s")
_OTHER = Packing(">i 12s 16s 8s 8s q 8s 16s 8s i 8s q 8s 16s")
_FIELDS_AND_ID = (10).to_bytes(4) + _ID
_SIZE = 4
_TWO_HEADS = 2 * _BYTES.size
_FIRST_SIZE, _OTHER_SIZE = _FIRST.size - _SIZE, _OTHER.size - _SIZE
_first, _other, _text = _FIRST.pack, _OTHER.pack, _BYTES.pack
_BYTEA, _TEXT = 17, 25


def rendered(command_id: UUID, request_hash: bytes, at: datetime, events: Sequence[EncodedEvent]) -> bytes:
    """This will render a command for a page. Raises ValueError for a hash that has not 32 bytes, as the salts have 16."""
    if len(request_hash) != HASH_BYTES:
        raise ValueError(f"the hash of a request has {len(request_hash)} bytes, not {HASH_BYTES}")
    command, told = command_id.bytes, (at - _EPOCH) // _MICROSECOND
    pieces: list[bytes] = []
    for event in events:
        occurred = told if event.occurred_at is at else (event.occurred_at - _EPOCH) // _MICROSECOND
        meta, payload, topic = event.meta, event.payload, _topic(event.topic)
        meta_size, payload_size = len(meta), len(payload)
        rest = len(topic) + meta_size + payload_size + _TWO_HEADS
        stream, version, salt = event.stream_id.bytes, event.version, event.salt
        # fmt: off
        if not pieces:
            head = _first(
                _FIRST_SIZE + rest, _FIELDS_AND_ID, command, _HASH, request_hash, _TIME, told, _ID, stream,
                _NUMBER, version, _TIME, occurred, _SALT, salt,
            )
        else:
            head = _other(
                _OTHER_SIZE + rest, _FIELDS_AND_ID, command, _NO_HASH, _TIME, told, _ID, stream,
                _NUMBER, version, _TIME, occurred, _SALT, salt,
            )
        # fmt: on
        pieces += (head, topic, _text(_BYTEA, meta_size), meta, _text(_BYTEA, payload_size), payload)
    return b"".join(pieces)


@lru_cache(maxsize=1_024)
def _topic(topic: str) -> bytes:
    encoded = topic.encode()
    return _text(_TEXT, len(encoded)) + encoded


def taken_apart(command: bytes) -> PackedCommand:
    """This will give a rendered command in the form in which any command is sent."""
    events: list[EncodedEvent] = []
    command_ids: list[UUID] = []
    hashes: list[bytes] = []
    instants: list[datetime] = []
    start = 0
    while start < len(command):
        end = start + _SIZE + int.from_bytes(command[start : start + _SIZE])
        command_id, request_hash, at, stream_id, version, occurred_at, salt, topic, meta, payload = _fields(
            command[start:end]
        )
        command_ids.append(UUID(bytes=command_id))
        hashes.append(request_hash)
        instants.append(_instant(at))
        events.append(
            EncodedEvent(
                UUID(bytes=stream_id),
                int.from_bytes(version),
                topic.decode(),
                _instant(occurred_at),
                meta,
                salt,
                payload,
            )
        )
        start = end
    return packed(command_ids[0], hashes[0], instants[0], events)


def _fields(element: bytes) -> Iterator[bytes]:
    start = 2 * _SIZE
    while start < len(element):
        _, size = _BYTES.unpack_from(element, start)
        start += _BYTES.size
        yield element[start : start + max(size, 0)]
        start += max(size, 0)


def _instant(microseconds: bytes) -> datetime:
    return _EPOCH + timedelta(microseconds=int.from_bytes(microseconds, signed=True))
