"""Pages of commands that are nearly sure to be new: one statement each, several on their way, all of a page recorded or none of it.

A command is rendered by whoever decides it, as elements of an array in PostgreSQL's binary format; nobody takes it apart again unless
its page is refused.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from select import POLLIN, POLLOUT, poll
from struct import Struct as Packing
from time import monotonic
from uuid import UUID

import psycopg
from psycopg import pq
from psycopg.errors import error_from_result

from ledger.store.batch import PackedCommand, packed
from ledger.store.codec import EncodedEvent

#: Bytes of a request's hash: SHA-256.
HASH_BYTES = 32
#: How long an answer may take, in seconds: the server's own limits come first unless the network is gone.
REPLY_TIMEOUT_S = 60.0

_APPEND = b"SELECT * FROM ledger.append_page($1, $2)"
_STATEMENT = b"ledger_append_page"
_TYPES = b"SELECT 'ledger.incoming'::regtype::oid, 'ledger.incoming[]'::regtype::oid"
_BINARY = int(pq.Format.BINARY)
_INT8_OID = 20

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # PostgreSQL's
_MICROSECOND = timedelta(microseconds=1)
_ARRAY_HEAD = Packing(">iiIii").pack  # dimensions, has nulls, element type, length, lower bound
_INT8 = Packing(">q").pack


def _field(oid: int, size: int) -> bytes:
    return Packing(">Ii").pack(oid, size)


# One element: its size, the number of its fields, and each field with its type and size. Most of them always have the same.
_ID, _TIME, _NUMBER, _BYTES = _field(2950, 16), _field(1184, 8), _field(23, 4), Packing(">Ii")
_HASH, _NO_HASH, _SALT = _field(17, 32), _field(17, -1), _field(17, 16)
_FIRST = Packing(">i 12s 16s 8s 32s 8s q 8s 16s 8s i 8s q 8s 16s")
_OTHER = Packing(">i 12s 16s 8s 8s q 8s 16s 8s i 8s q 8s 16s")
_FIELDS_AND_ID = (10).to_bytes(4) + _ID
_SIZE = 4
_first, _other, _text = _FIRST.pack, _OTHER.pack, _BYTES.pack
_BYTEA, _TEXT = 17, 25


class Lost(Exception):  # noqa: N818  # named for what happened
    """The connection broke: whether the pages on their way were recorded is not known."""


def rendered(command_id: UUID, request_hash: bytes, at: datetime, events: Sequence[EncodedEvent]) -> bytes:
    """This will render a command for a page. Raises ValueError for a hash that has not 32 bytes, as the salts have 16."""
    if len(request_hash) != HASH_BYTES:
        raise ValueError(f"the hash of a request has {len(request_hash)} bytes, not {HASH_BYTES}")
    told = (at - _EPOCH) // _MICROSECOND
    pieces: list[bytes] = []
    for event in events:
        occurred = told if event.occurred_at is at else (event.occurred_at - _EPOCH) // _MICROSECOND
        meta, payload, topic = event.meta, event.payload, _topic(event.topic)
        rest = len(topic) + len(meta) + len(payload) + 16
        stream = event.stream_id.bytes
        # fmt: off
        if not pieces:
            head = _first(
                _FIRST.size - _SIZE + rest, _FIELDS_AND_ID, command_id.bytes, _HASH, request_hash, _TIME, told, _ID, stream,
                _NUMBER, event.version, _TIME, occurred, _SALT, event.salt,
            )
        else:
            head = _other(
                _OTHER.size - _SIZE + rest, _FIELDS_AND_ID, command_id.bytes, _NO_HASH, _TIME, told, _ID, stream,
                _NUMBER, event.version, _TIME, occurred, _SALT, event.salt,
            )
        # fmt: on
        pieces += (head, topic, _text(_BYTEA, len(meta)), meta, _text(_BYTEA, len(payload)), payload)
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


def _prepare(connection: psycopg.Connection) -> int:
    """This will prepare the statement, and give the type of an element."""
    with connection.cursor(binary=True) as cursor:
        found = cursor.execute(_TYPES).fetchone()
    assert found is not None  # noqa: S101  # one row always
    prepared = connection.pgconn.prepare(_STATEMENT, _APPEND, [_INT8_OID, found[1]])
    if prepared.status != pq.ExecStatus.COMMAND_OK:
        raise error_from_result(prepared)
    return int(found[0])


class Pages:
    """One connection that appends pages in order, opened when it is needed. Not for several threads at once.

    A page that is refused, or whose connection broke, takes all that were sent after it along: none of them is recorded, and `start_over`
    must be called before the next.
    """

    def __init__(self, connect: Callable[[], psycopg.Connection], appended: Callable[[int], None]) -> None:
        self._connect = connect
        self._appended = appended
        self._connection: psycopg.Connection | None = None
        self._element_type = 0
        self._page = 0
        self._sent: deque[tuple[int, float]] = deque()

    def send(self, commands: Sequence[bytes], event_count: int) -> None:
        """This will send the next page without waiting for it. Raises psycopg.OperationalError without a connection, Lost."""
        pgconn = self._ready().pgconn
        self._page += 1
        self._sent.append((event_count, monotonic() + REPLY_TIMEOUT_S))
        events = _ARRAY_HEAD(1, 0, self._element_type, event_count, 1) + b"".join(commands)
        try:
            pgconn.send_query_prepared(_STATEMENT, [_INT8(self._page), events], [_BINARY, _BINARY], _BINARY)
            pgconn.pipeline_sync()
            while pgconn.flush():
                if self._poll(POLLIN | POLLOUT) & POLLIN:
                    pgconn.consume_input()  # so that neither side waits for the other to read
        except psycopg.OperationalError as error:
            self.start_over()
            raise Lost(str(error)) from error

    def recorded(self) -> bool:
        """This will wait for the oldest page, and say whether it was recorded; False: it was refused. Raises Lost."""
        try:
            result = self._result()
            self._result()  # the end of its transaction
        except psycopg.OperationalError as error:
            self.start_over()
            raise Lost(str(error)) from error
        event_count, _ = self._sent.popleft()
        first = result.get_value(0, 0) if result.status == pq.ExecStatus.TUPLES_OK and result.ntuples else None
        if first is None:
            return False
        self._appended(int.from_bytes(first) + event_count - 1)
        return True

    def start_over(self) -> None:
        """This will close the connection and forget what was sent; the next page opens another."""
        self._sent.clear()
        self._page = 0
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ready(self) -> psycopg.Connection:
        if self._connection is None:
            connection = self._connect()
            try:
                self._element_type = _prepare(connection)
            except BaseException:
                connection.close()
                raise
            connection.pgconn.enter_pipeline_mode()
            connection.pgconn.nonblocking = 1
            self._connection = connection
        return self._connection

    def _result(self) -> pq.abc.PGresult:
        assert self._connection is not None  # noqa: S101
        pgconn = self._connection.pgconn
        found: pq.abc.PGresult | None = None
        while True:
            while pgconn.is_busy():
                self._poll(POLLIN)
                pgconn.consume_input()
            result = pgconn.get_result()
            if result is None:
                if found is None:
                    raise psycopg.OperationalError("the connection gave no answer")
                return found
            if result.status == pq.ExecStatus.PIPELINE_SYNC:
                return result
            found = result

    def _poll(self, events: int) -> int:
        assert self._connection is not None  # noqa: S101
        ready = poll()
        ready.register(self._connection.fileno(), events)
        found = ready.poll(max(0.0, self._sent[0][1] - monotonic()) * 1000)
        if not found:
            raise psycopg.OperationalError(f"no answer within {REPLY_TIMEOUT_S:.0f} s")
        return found[0][1]
