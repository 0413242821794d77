"""The connection that appends: one prepared call a batch, commit included, and a second batch on its way while the first is stored.

libpq's pipeline keeps the batches in order; each is a transaction of its own.
"""

from collections import deque
from collections.abc import Callable, Sequence
from select import POLLIN, POLLOUT, poll
from time import monotonic

import psycopg
from psycopg import pq
from psycopg.errors import error_from_result

from ledger.store.batch import APPEND, ARRAY_TYPES, Answer, PackedCommand, answers, parameters, row
from ledger.store.faults import LedgerBusy, LedgerUnavailable

#: How long an answer may take, in seconds: the server's own limits on statements and locks come first unless the network is gone.
REPLY_TIMEOUT_S = 10.0

_STATEMENT = b"ledger_append"
_BINARY = int(pq.Format.BINARY)
_FORMATS = [_BINARY] * len(ARRAY_TYPES)

#: The transaction was rolled back, and may go through when tried again: lock and statement timeouts, deadlock, no memory.
_BUSY = {"55P03", "57014", "40001", "40P01", "53200", "53300"}
#: The database can't take it now: read-only, disk full.
_UNAVAILABLE = {"25006", "53100"}
#: The server went down. The transaction may have been committed before.
_GONE = {"57P01", "57P02", "57P03", "57P05"}


class Lost(Exception):  # noqa: N818  # named for what happened
    """Batches were sent, or begun to be, and no answer came back: they may or may not be recorded."""


class Refused(Exception):  # noqa: N818
    """The database rolled the batch back. `fault` says why, if no single command can be the cause."""

    def __init__(self, error: psycopg.Error, fault: LedgerBusy | LedgerUnavailable | None) -> None:
        super().__init__(str(error))
        self.error = error
        self.fault = fault


class Appender:
    """One connection to the database, opened when it is needed and again after it is lost. Not for several threads at once."""

    def __init__(self, connect: Callable[[], psycopg.Connection]) -> None:
        self._connect = connect
        self._connection: psycopg.Connection | None = None
        self._sent: deque[tuple[Sequence[PackedCommand], float]] = deque()

    def append(self, commands: Sequence[PackedCommand]) -> tuple[list[Answer], int]:
        """This will send one batch and wait for its answers; raises as `send` and `receive` do."""
        self.send(commands)
        return self.receive()

    def send(self, commands: Sequence[PackedCommand]) -> None:
        """This will send a batch without waiting for it.

        Raises psycopg.OperationalError if there is no connection, Lost if it broke (and with it whatever was sent before), any other
        psycopg.Error if this connection may not append.
        """
        pgconn = self._ready().pgconn
        self._sent.append((commands, monotonic() + REPLY_TIMEOUT_S))
        try:
            pgconn.send_query_prepared(_STATEMENT, parameters(commands), _FORMATS, _BINARY)
            pgconn.pipeline_sync()
            while pgconn.flush():
                if self._poll(POLLIN | POLLOUT) & POLLIN:
                    pgconn.consume_input()  # so that neither side waits for the other to read
        except psycopg.OperationalError as error:
            self.close()
            raise Lost(str(error)) from error

    def receive(self) -> tuple[list[Answer], int]:
        """This will wait for the oldest batch and give each command's answer, and the ledger's head after them.

        Raises Lost if the answer was lost (and with it those of all batches that were sent), Refused if the database refused this
        batch as a whole.
        """
        try:
            result = self._result()
            self._result()  # the end of its transaction
        except psycopg.OperationalError as error:
            self.close()
            raise Lost(str(error)) from error
        if result.status != pq.ExecStatus.TUPLES_OK:
            raise self._refusal(result)
        commands, _ = self._sent.popleft()
        width = range(result.nfields)
        rows = [row([result.get_value(number, column) for column in width]) for number in range(result.ntuples)]
        return answers(commands, rows)

    def has_answer(self) -> bool:
        """Has the answer to the oldest batch been read already, with the one before it? The file then shows nothing more."""
        return bool(self._sent) and self._connection is not None and not self._connection.pgconn.is_busy()

    def fileno(self) -> int:
        """This will give the file on which an answer comes in; -1 without a connection."""
        return -1 if self._connection is None else self._connection.fileno()

    def deadline(self) -> float:
        """This will give the monotonic time by which the oldest batch is taken for lost."""
        return self._sent[0][1]

    def close(self) -> None:
        """This will close the connection and forget what was sent; the next batch opens another."""
        self._sent.clear()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ready(self) -> psycopg.Connection:
        if self._connection is not None and self._connection.pgconn.status == pq.ConnStatus.OK:
            return self._connection
        self.close()
        connection = self._connect()
        prepared = connection.pgconn.prepare(_STATEMENT, APPEND, ARRAY_TYPES)
        if prepared.status != pq.ExecStatus.COMMAND_OK:
            error = error_from_result(prepared)
            connection.close()
            raise error
        connection.pgconn.enter_pipeline_mode()
        connection.pgconn.nonblocking = 1
        self._connection = connection
        return connection

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
        ready = poll()
        ready.register(self.fileno(), events)
        found = ready.poll(max(0.0, self.deadline() - monotonic()) * 1000)
        if not found:
            raise psycopg.OperationalError(f"no answer within {REPLY_TIMEOUT_S:.0f} s")
        return found[0][1]

    def _refusal(self, result: pq.abc.PGresult) -> Lost | Refused:
        error = error_from_result(result)
        state = error.sqlstate
        if state in _GONE or state is None:
            self.close()
            return Lost(str(error))
        self._sent.popleft()
        if state in _BUSY:
            return Refused(error, LedgerBusy(f"the database is busy: {error}"))
        if state in _UNAVAILABLE:
            return Refused(error, LedgerUnavailable(f"the database takes no writes: {error}"))
        return Refused(error, None)
