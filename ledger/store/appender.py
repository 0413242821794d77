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
from psycopg.generators import execute

from ledger.store.batch import (
    APPEND,
    APPEND_NEW,
    APPEND_NEW_TYPES,
    APPEND_TYPES,
    Answer,
    PackedCommand,
    answers,
    new_parameters,
    parameters,
    receipts,
    recorded,
    row,
)
from ledger.store.faults import LedgerBusy, LedgerUnavailable

#: How long an answer may take, in seconds: the server's own limits on statements and locks come first unless the network is gone.
REPLY_TIMEOUT_S = 10.0

_STATEMENT = b"ledger_append"
_NEW_STATEMENT = b"ledger_append_new"
_BINARY = int(pq.Format.BINARY)
_FORMATS = [_BINARY] * len(APPEND_TYPES)
#: `append_new` is planned once a session, and by the indexes even while a new ledger's tables are still empty. Set for the session: in
#: the function's own head they would be set and reset for every batch.
_PLANNING = b"""SET plan_cache_mode = force_generic_plan; SET jit = off;
    SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off"""

#: The transaction was rolled back, and may go through when tried again: lock and statement timeouts, deadlock, no memory.
_BUSY = {"55P03", "57014", "40001", "40P01", "53200", "53300"}
#: The database can't take it now: read-only, disk full.
_UNAVAILABLE = {"25006", "53100"}
#: The server went down. The transaction may have been committed before.
_GONE = {"57P01", "57P02", "57P03", "57P05"}
#: What `append_new` says of a batch that it leaves to `append`.
_NOT_NEW = {"23505", "LG001", "LG002"}


class Lost(Exception):  # noqa: N818  # named for what happened
    """Batches were sent, or begun to be, and no answer came back: they may or may not be recorded."""


class Refused(Exception):  # noqa: N818
    """The database rolled the batch back. `fault` says why, if no single command can be the cause."""

    def __init__(self, error: psycopg.Error, fault: LedgerBusy | LedgerUnavailable | None) -> None:
        super().__init__(str(error))
        self.error = error
        self.fault = fault


class NotNew(Exception):  # noqa: N818
    """Something in the batch is known, or does not follow. None of it was recorded: `append` will say of each command what it is."""


class Appender:
    """One connection to the database, opened when it is needed and again after it is lost. Not for several threads at once."""

    def __init__(self, connect: Callable[[], psycopg.Connection]) -> None:
        self._connect = connect
        self._connection: psycopg.Connection | None = None
        #: For each batch on its way: its commands, when it is taken for lost, and whether it was sent as new.
        self._sent: deque[tuple[Sequence[PackedCommand], float, bool]] = deque()
        self._is_wall = False

    def append(self, commands: Sequence[PackedCommand]) -> tuple[list[Answer], int]:
        """This will send one batch and wait for its answers; raises as `send` and `receive` do."""
        self.send(commands)
        return self.receive()

    def send(self, commands: Sequence[PackedCommand], *, new: bool = False) -> None:
        """This will send a batch without waiting for it; `new` says that its commands are most likely new and follow.

        Raises psycopg.OperationalError if there is no connection, Lost if it broke (and with it whatever was sent before), any other
        psycopg.Error if this connection may not append.
        """
        pgconn = self._ready().pgconn
        new = new and self._is_wall
        statement = _NEW_STATEMENT if new else _STATEMENT
        arrays = new_parameters(commands) if new else parameters(commands)
        self._sent.append((commands, monotonic() + REPLY_TIMEOUT_S, new))
        try:
            pgconn.send_query_prepared(statement, arrays, _FORMATS, _BINARY)
            pgconn.pipeline_sync()
            while pgconn.flush():
                if self._poll(POLLIN | POLLOUT) & POLLIN:
                    pgconn.consume_input()  # so that neither side waits for the other to read
        except psycopg.OperationalError as error:
            self.close()
            raise Lost(str(error)) from error

    def receive(self, *, is_here: bool = False) -> tuple[list[Answer], int]:
        """This will wait for the oldest batch and give each command's answer, and the ledger's head after them.

        `is_here` says that something came in on the connection. Raises Lost if the answer was lost (and with it those of all batches
        that were sent), NotNew if it was sent as new and is not, Refused if the database refused this batch as a whole.
        """
        try:
            result = self._result(is_here=is_here)
            self._result()  # the end of its transaction
        except psycopg.OperationalError as error:
            self.close()
            raise Lost(str(error)) from error
        if result.status != pq.ExecStatus.TUPLES_OK:
            raise self._refusal(result)
        commands, _, new = self._sent.popleft()
        if new:
            found = receipts(commands, *recorded(result.get_value(0, 0) or b""))
            return [*found], found[-1].last_position
        width = range(result.nfields)
        rows = [row([result.get_value(number, column) for column in width]) for number in range(result.ntuples)]
        return answers(commands, rows)

    def has_answer(self) -> bool:
        """Has the answer to the oldest batch been read already, with the one before it? The file then shows nothing more."""
        return bool(self._sent) and self._connection is not None and not self._connection.pgconn.is_busy()

    def is_open(self) -> bool:
        """Is there a connection that nothing is known to be wrong with?"""
        return self._connection is not None and self._connection.pgconn.status == pq.ConnStatus.OK

    def look(self) -> None:
        """This will read what came in although nothing was sent: the end of the connection, or a notice."""
        if self._connection is not None:
            try:
                self._connection.pgconn.consume_input()
            except psycopg.OperationalError:
                self.close()

    def fileno(self) -> int:
        """This will give the file on which an answer comes in; -1 without a connection."""
        return -1 if self._connection is None else self._connection.fileno()

    def deadline(self) -> float:
        """This will give the monotonic time by which the oldest batch is taken for lost; 0 if all that was sent is lost already."""
        try:
            return self._sent[0][1]
        except IndexError:  # a sender may have lost the connection this moment
            return 0.0

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
        try:
            connection.execute(_PLANNING)
            self._is_wall = connection.execute("SELECT clock FROM ledger.identity").fetchone() == ("wall",)
            _prepare(connection, _STATEMENT, APPEND, APPEND_TYPES)
            _prepare(connection, _NEW_STATEMENT, APPEND_NEW, APPEND_NEW_TYPES)
        except BaseException:
            connection.close()
            raise
        connection.pgconn.enter_pipeline_mode()
        connection.pgconn.nonblocking = 1
        self._connection = connection
        return connection

    def _result(self, *, is_here: bool = False) -> pq.abc.PGresult:
        assert self._connection is not None  # noqa: S101
        pgconn = self._connection.pgconn
        found: pq.abc.PGresult | None = None
        while True:
            while pgconn.is_busy():
                if not is_here:
                    self._poll(POLLIN)
                is_here = False
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

    def _refusal(self, result: pq.abc.PGresult) -> Lost | NotNew | Refused:
        error = error_from_result(result)
        state = error.sqlstate
        if state in _GONE or state is None:
            self.close()
            return Lost(str(error))
        _, _, new = self._sent.popleft()
        if new and state in _NOT_NEW:
            return NotNew(str(error))
        if state in _BUSY:
            return Refused(error, LedgerBusy(f"the database is busy: {error}"))
        if state in _UNAVAILABLE:
            return Refused(error, LedgerUnavailable(f"the database takes no writes: {error}"))
        return Refused(error, None)


def _prepare(connection: psycopg.Connection, name: bytes, statement: bytes, types: Sequence[int]) -> None:
    """This will prepare a statement as long as the connection waits for an answer; libpq's own call would wait for ever."""
    connection.pgconn.send_prepare(name, statement, types)
    (prepared,) = connection.wait(execute(connection.pgconn))
    if prepared.status != pq.ExecStatus.COMMAND_OK:
        error = error_from_result(prepared)
        if (
            error.sqlstate is None or error.sqlstate in _GONE
        ):  # the connection broke, and nothing is wrong with the statement
            raise psycopg.OperationalError(str(error)) from error
        raise error
