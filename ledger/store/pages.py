"""Pages of commands that are nearly sure to be new: one statement each, several on their way, all of a page recorded or none of it."""

from collections import deque
from collections.abc import Callable, Sequence
from select import POLLIN, POLLOUT, poll
from struct import Struct as Packing
from time import monotonic

import psycopg
from psycopg import pq
from psycopg.errors import error_from_result

#: How long an answer may take, in seconds: the server's own limits come first unless the network is gone.
REPLY_TIMEOUT_S = 60.0

_APPEND = b"SELECT * FROM ledger.append_page($1, $2)"
_STATEMENT = b"ledger_append_page"
_TYPES = b"SELECT 'ledger.incoming'::regtype::oid, 'ledger.incoming[]'::regtype::oid"
_BINARY = int(pq.Format.BINARY)
_INT8_OID = 20

_ARRAY_HEAD = Packing(">iiIii").pack  # dimensions, has nulls, element type, length, lower bound
_INT8 = Packing(">q").pack


class Lost(Exception):  # noqa: N818  # named for what happened
    """The connection broke: whether the pages on their way were recorded is not known."""


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
