"""The connection that appends: one prepared call a batch, commit included, and a second batch on its way while the first is stored.

libpq's pipeline keeps the batches in order; each is a transaction of its own.
"""

from collections.abc import Sequence

import psycopg
from psycopg import pq
from psycopg.errors import error_from_result

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
from ledger.store.pipeline import GONE, Lost, Pipeline, prepare

__all__ = ["Appender", "Lost", "NotNew", "Refused"]

#: How long an answer may take, in seconds: the server's own limits on statements and locks come first unless the network is gone.
REPLY_TIMEOUT_S = 10.0

_STATEMENT = b"ledger_append"
_NEW_STATEMENT = b"ledger_append_new"
#: `append_new` is planned once a session, and by the indexes even while a new ledger's tables are still empty. Set for the session: in
#: the function's own head they would be set and reset for every batch.
_PLANNING = b"""SET plan_cache_mode = force_generic_plan; SET jit = off;
    SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off"""

#: The transaction was rolled back, and may go through when tried again: lock and statement timeouts, deadlock, no memory.
_BUSY = {"55P03", "57014", "40001", "40P01", "53200", "53300"}
#: The database can't take it now: read-only, disk full.
_UNAVAILABLE = {"25006", "53100"}
#: What `append_new` says of a batch that it leaves to `append`.
_NOT_NEW = {"23505", "LG001", "LG002"}


class Refused(Exception):  # noqa: N818
    """The database rolled the batch back. `fault` says why, if no single command can be the cause."""

    def __init__(self, error: psycopg.Error, fault: LedgerBusy | LedgerUnavailable | None) -> None:
        super().__init__(str(error))
        self.error = error
        self.fault = fault


class NotNew(Exception):  # noqa: N818
    """Something in the batch is known, or does not follow. None of it was recorded: `append` will say of each command what it is."""


class Appender(Pipeline[tuple[Sequence[PackedCommand], bool]]):
    """Appends batches. What it remembers of each is its commands, and whether it was sent as new."""

    _is_wall = False

    def append(self, commands: Sequence[PackedCommand]) -> tuple[list[Answer], int]:
        """This will send one batch and wait for its answers; raises as `send` and `receive` do."""
        self.send(commands)
        return self.receive()

    def send(self, commands: Sequence[PackedCommand], *, new: bool = False) -> None:
        """This will send a batch without waiting for it; `new` says that its commands are most likely new and follow.

        Raises psycopg.OperationalError if there is no connection, Lost if it broke (and with it whatever was sent before), any other
        psycopg.Error if this connection may not append.
        """
        self._open()
        new = new and self._is_wall
        statement = _NEW_STATEMENT if new else _STATEMENT
        arrays = new_parameters(commands) if new else parameters(commands)
        self._call(statement, arrays, (commands, new), REPLY_TIMEOUT_S)

    def receive(self) -> tuple[list[Answer], int]:
        """This will wait for the oldest batch and give each command's answer, and the ledger's head after them.

        Raises Lost if the answer was lost (and with it those of all batches that were sent), NotNew if it was sent as new and is not,
        Refused if the database refused this batch as a whole.
        """
        (commands, new), result = self._answer()
        if result.status != pq.ExecStatus.TUPLES_OK:
            raise self._refusal(result, new=new)
        if new:
            found = receipts(commands, *recorded(result.get_value(0, 0) or b""))
            return [*found], found[-1].last_position
        width = range(result.nfields)
        rows = [row([result.get_value(number, column) for column in width]) for number in range(result.ntuples)]
        return answers(commands, rows)

    def _make_ready(self, connection: psycopg.Connection) -> None:
        connection.execute(_PLANNING)
        self._is_wall = connection.execute("SELECT clock FROM ledger.identity").fetchone() == ("wall",)
        prepare(connection, _STATEMENT, APPEND, APPEND_TYPES)
        prepare(connection, _NEW_STATEMENT, APPEND_NEW, APPEND_NEW_TYPES)

    def _refusal(self, result: pq.abc.PGresult, *, new: bool) -> Lost | NotNew | Refused:
        error = error_from_result(result)
        state = error.sqlstate
        if state in GONE or state is None:
            self.close()
            return Lost(str(error))
        if new and state in _NOT_NEW:
            return NotNew(str(error))
        if state in _BUSY:
            return Refused(error, LedgerBusy(f"the database is busy: {error}"))
        if state in _UNAVAILABLE:
            return Refused(error, LedgerUnavailable(f"the database takes no writes: {error}"))
        return Refused(error, None)
