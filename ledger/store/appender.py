"""The connection that appends: one prepared call a batch, sent and answered in one round trip, commit included."""

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

#: The transaction was rolled back, and may go through when tried again: lock and statement timeouts, deadlock, no memory.
_BUSY = {"55P03", "57014", "40001", "40P01", "53200", "53300"}
#: The database can't take it now: read-only, disk full.
_UNAVAILABLE = {"25006", "53100"}
#: The server went down. The transaction may have been committed before.
_GONE = {"57P01", "57P02", "57P03", "57P05"}


class Lost(Exception):  # noqa: N818  # named for what happened
    """The batch was sent, or begun to be, and no answer came back: it may or may not be recorded."""


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

    def append(self, commands: Sequence[PackedCommand]) -> tuple[list[Answer], int]:
        """This will append a batch and give each command's answer, and the ledger's head after them.

        Raises psycopg.OperationalError if there is no connection, Lost if the answer was lost, Refused if the database refused the
        batch as a whole, any other psycopg.Error if this connection may not append.
        """
        pgconn = self._ready().pgconn
        try:
            pgconn.send_query_prepared(_STATEMENT, parameters(commands), [_BINARY] * len(ARRAY_TYPES), _BINARY)
            result = _reply(pgconn)
        except psycopg.OperationalError as error:
            self.close()
            raise Lost(str(error)) from error
        if result.status != pq.ExecStatus.TUPLES_OK:
            raise self._refusal(result)
        width = range(result.nfields)
        rows = [row([result.get_value(number, column) for column in width]) for number in range(result.ntuples)]
        return answers(commands, rows)

    def close(self) -> None:
        """This will close the connection; the next append opens another."""
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
        self._connection = connection
        return connection

    def _refusal(self, result: pq.abc.PGresult) -> Lost | Refused:
        error = error_from_result(result)
        state = error.sqlstate
        if state in _GONE or state is None:
            self.close()
            return Lost(str(error))
        if state in _BUSY:
            return Refused(error, LedgerBusy(f"the database is busy: {error}"))
        if state in _UNAVAILABLE:
            return Refused(error, LedgerUnavailable(f"the database takes no writes: {error}"))
        return Refused(error, None)


def _reply(pgconn: pq.abc.PGconn) -> pq.abc.PGresult:
    """This will wait for the one result of the query that was sent. Raises OperationalError if the connection is lost."""
    deadline = monotonic() + REPLY_TIMEOUT_S
    ready = poll()
    unsent = pgconn.flush()
    while unsent or pgconn.is_busy():
        ready.register(pgconn.socket, POLLIN | POLLOUT if unsent else POLLIN)
        if not ready.poll(max(0.0, deadline - monotonic()) * 1000):
            raise psycopg.OperationalError(f"no answer within {REPLY_TIMEOUT_S:.0f} s")
        pgconn.consume_input()
        if unsent:
            unsent = pgconn.flush()
    last: pq.abc.PGresult | None = None
    while (result := pgconn.get_result()) is not None:
        last = result
    if last is None:
        raise psycopg.OperationalError("the connection gave no answer")
    return last
