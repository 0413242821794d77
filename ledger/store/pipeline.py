"""libpq's pipeline on one connection: prepared calls, each a transaction of its own, several on their way, and no wait for ever."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from select import POLLIN, POLLOUT, poll
from time import monotonic
from typing import Generic, TypeVar

import psycopg
from psycopg import pq
from psycopg.errors import error_from_result
from psycopg.generators import execute

#: The server went down. The transaction may have been committed before.
GONE = {"57P01", "57P02", "57P03", "57P05"}

_BINARY = pq.Format.BINARY

T = TypeVar("T")


class Lost(Exception):  # noqa: N818  # named for what happened
    """Calls were sent, or begun to be, and no answer came back: they may or may not be recorded."""


class Pipeline(ABC, Generic[T]):
    """One connection, opened when it is needed and again after it is lost. Not for several threads at once.

    `T` is what is remembered of each call until its answer is there.
    """

    def __init__(self, connect: Callable[[], psycopg.Connection]) -> None:
        self._connect = connect
        self._connection: psycopg.Connection | None = None
        #: How many connections there have been, the present one included.
        self.opened = 0
        #: For each call on its way: what is remembered of it, and when it is taken for lost.
        self._sent: deque[tuple[T, float]] = deque()
        #: Of the oldest call: what it gave so far, and that once its transaction has ended.
        self._part: pq.abc.PGresult | None = None
        self._whole: pq.abc.PGresult | None = None

    @abstractmethod
    def _make_ready(self, connection: psycopg.Connection) -> None:
        """This will do with a fresh connection what its calls need."""

    def _open(self) -> None:
        """This will see to it that there is a connection. Raises psycopg.OperationalError, and whatever else `_make_ready` raises."""
        if self.is_open():
            return
        self.close()
        connection = self._connect()
        try:
            self._make_ready(connection)
        except BaseException:
            connection.close()
            raise
        connection.pgconn.enter_pipeline_mode()
        connection.pgconn.nonblocking = 1
        self._connection = connection
        self.opened += 1

    def _call(self, statement: bytes, values: Sequence[bytes], remembered: T, reply_timeout_s: float) -> None:
        """This will send a call on the open connection without waiting for it. Raises Lost, and with it whatever was sent before."""
        pgconn = self._open_connection().pgconn
        self._sent.append((remembered, monotonic() + reply_timeout_s))
        try:
            pgconn.send_query_prepared(statement, values, [_BINARY] * len(values), _BINARY)
            pgconn.pipeline_sync()
            while pgconn.flush():
                if self._poll(POLLIN | POLLOUT) & POLLIN:
                    pgconn.consume_input()  # so that neither side waits for the other to read
        except psycopg.OperationalError as error:
            self.close()
            raise Lost(str(error)) from error

    def _answer(self) -> tuple[T, pq.abc.PGresult]:
        """This will wait for the answer to the oldest call, whatever it says.

        Raises Lost if it was lost, and with it those of all calls that were sent.
        """
        try:
            while (result := self._read()) is None:
                self._poll(POLLIN)
                self._open_connection().pgconn.consume_input()
        except psycopg.OperationalError as error:
            self.close()
            raise Lost(str(error)) from error
        self._whole = None
        return self._sent.popleft()[0], result

    def has_answer(self) -> bool:
        """Can the oldest call be answered, or found lost, without waiting?"""
        try:
            return bool(self._sent) and self._read() is not None
        except psycopg.OperationalError:
            return True

    def is_open(self) -> bool:
        """Is there a connection that nothing is known to be wrong with?"""
        return self._connection is not None and self._connection.pgconn.status == pq.ConnStatus.OK

    def look(self) -> None:
        """This will read what came in, without waiting. Raises Lost if the connection has ended with calls on their way."""
        if self._connection is not None:
            try:
                self._connection.pgconn.consume_input()
            except psycopg.OperationalError as error:
                was_awaited = bool(self._sent)
                self.close()
                if was_awaited:
                    raise Lost(str(error)) from error

    def fileno(self) -> int:
        """This will give the file on which an answer comes in; -1 without a connection."""
        return -1 if self._connection is None else self._connection.fileno()

    def deadline(self) -> float:
        """This will give the monotonic time by which the oldest call is taken for lost; 0 if all that was sent is lost already."""
        try:
            return self._sent[0][1]
        except IndexError:  # a sender may have lost the connection this moment
            return 0.0

    def close(self) -> None:
        """This will close the connection and forget what was sent; the next call opens another."""
        self._sent.clear()
        self._part = self._whole = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open_connection(self) -> psycopg.Connection:
        assert self._connection is not None  # noqa: S101  # opened before
        return self._connection

    def _read(self) -> pq.abc.PGresult | None:
        """This will give the oldest call's answer once all of it has come in. Raises psycopg.OperationalError if it never will."""
        pgconn = self._open_connection().pgconn
        while self._whole is None and not pgconn.is_busy():
            result = pgconn.get_result()
            if result is None:
                if self._part is None or pgconn.status != pq.ConnStatus.OK:
                    raise psycopg.OperationalError("the connection gave no answer")
            elif result.status == pq.ExecStatus.PIPELINE_SYNC:  # the end of its transaction
                self._whole, self._part = self._part, None
            else:
                self._part = result
        return self._whole

    def _poll(self, events: int) -> int:
        ready = poll()
        ready.register(self.fileno(), events)
        found = ready.poll(max(0.0, self.deadline() - monotonic()) * 1000)
        if not found:
            raise psycopg.OperationalError("no answer came in time")
        return found[0][1]


def prepare(connection: psycopg.Connection, name: bytes, statement: bytes, types: Sequence[int]) -> None:
    """This will prepare a statement as long as the connection waits for an answer; libpq's own call would wait for ever.

    Raises psycopg.OperationalError if the connection broke, and another psycopg.Error for what is wrong with the statement.
    """
    connection.pgconn.send_prepare(name, statement, types)
    (prepared,) = connection.wait(execute(connection.pgconn))
    if prepared.status != pq.ExecStatus.COMMAND_OK:
        error = error_from_result(prepared)
        if error.sqlstate is None or error.sqlstate in GONE:
            raise psycopg.OperationalError(str(error)) from error
        raise error
