"""A connection on which tasks ask the same few statements over and over, at a third of what psycopg takes for each.

psycopg makes a cursor, adapts values, and registers the connection with the event loop for each statement anew. Here the statements are
prepared when they are first asked, values come and go as PostgreSQL's binary, and the loop knows the connection as long as it is open.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import psycopg
from psycopg import pq
from psycopg.errors import error_from_result

from ledger.store.connections import ON_ITS_WAY_S, STATEMENT_TIMEOUT_MS, AsyncConnection, Prepare, async_connection

#: How long an answer may take, in seconds: the server's own limit comes first unless the network is gone.
ANSWER_S = STATEMENT_TIMEOUT_MS / 1_000 + ON_ITS_WAY_S

_BINARY = int(pq.Format.BINARY)


class Statement(NamedTuple):
    """Its text with `$1`, and the types of its parameters by object id."""

    text: bytes
    types: Sequence[int]


class Asking:
    """One connection, opened when it is needed and again after it is lost. For the tasks of one event loop, one statement at a time."""

    def __init__(
        self,
        url: str,
        role: str,
        statements: Mapping[bytes, Statement],
        settings: bytes = b"",
        first: Prepare | None = None,
    ) -> None:
        """`settings` and then `first` are done on each fresh connection."""
        self._url, self._role, self._statements, self._settings, self._first = url, role, statements, settings, first
        self._prepared: set[bytes] = set()
        self._is_writing = False
        self._connection: AsyncConnection | None = None
        self._file = -1
        self._turn = asyncio.Lock()
        self._answer: asyncio.Future[pq.abc.PGresult] | None = None
        self._result: pq.abc.PGresult | None = None

    async def ask(self, name: bytes, parameters: Sequence[bytes | None]) -> pq.abc.PGresult:
        """This will give the answer of a statement, in binary. Raises psycopg.Error."""
        async with self._turn:
            pgconn = (self._connection or await self._opened()).pgconn
            if name not in self._prepared:
                _refuse_all_but(pq.ExecStatus.COMMAND_OK, await self._answered(pgconn, name, None))
                self._prepared.add(name)
            result = await self._answered(pgconn, name, parameters)
        _refuse_all_but(pq.ExecStatus.TUPLES_OK, result)
        return result

    async def _answered(
        self, pgconn: pq.abc.PGconn, name: bytes, parameters: Sequence[bytes | None] | None
    ) -> pq.abc.PGresult:
        """This will run a statement, or prepare it if there are no parameters."""
        loop = asyncio.get_running_loop()
        self._answer = loop.create_future()
        overdue = loop.call_later(ANSWER_S, self._lose, "the database has not answered in time")
        try:
            if parameters is None:
                pgconn.send_prepare(name, *self._statements[name])
            else:
                pgconn.send_query_prepared(name, parameters, [_BINARY] * len(parameters), _BINARY)
            self._flush(pgconn)
            return await self._answer
        except BaseException:
            self._lose("nobody waits for the answer")
            raise
        finally:
            overdue.cancel()
            self._answer = None

    async def close(self) -> None:
        """This will close the connection, once the statement under way is answered."""
        async with self._turn:
            self._lose("the connection is closed")

    async def _opened(self) -> AsyncConnection:
        connection = await async_connection(self._url, self._role)
        try:
            if self._settings:
                await connection.execute(self._settings)
            if self._first is not None:
                await self._first(connection)
        except BaseException:
            await connection.close()
            raise
        self._connection, self._file = connection, connection.fileno()
        self._prepared.clear()
        asyncio.get_running_loop().add_reader(self._file, self._heard)
        return connection

    def _flush(self, pgconn: pq.abc.PGconn) -> None:
        """This will send what the network did not take at once as soon as it takes more."""
        try:
            if pgconn.flush():
                asyncio.get_running_loop().add_writer(self._file, self._flush, pgconn)
                self._is_writing = True
            elif self._is_writing:
                asyncio.get_running_loop().remove_writer(self._file)
                self._is_writing = False
        except psycopg.OperationalError as error:
            self._lose(str(error))

    def _heard(self) -> None:
        """This will read what came in: an answer, or word that the server ends the connection."""
        if self._connection is None:
            return
        try:
            self._connection.pgconn.consume_input()
            self._take(self._connection.pgconn)
        except psycopg.OperationalError as error:
            self._lose(str(error))

    def _take(self, pgconn: pq.abc.PGconn) -> None:
        while self._answer is not None and not self._answer.done() and not pgconn.is_busy():
            result = pgconn.get_result()
            if result is not None:
                self._result = result
            elif self._result is None:
                raise psycopg.OperationalError("the connection gave no answer")
            else:
                self._answer.set_result(self._result)
                self._result = None

    def _lose(self, why: str) -> None:
        """This will give the connection up, and tell whoever waits."""
        connection, self._connection, self._result, self._is_writing = self._connection, None, None, False
        if connection is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._file)
        loop.remove_writer(self._file)
        with suppress(psycopg.Error):
            connection.pgconn.finish()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(psycopg.OperationalError(why))


def _refuse_all_but(status: int, result: pq.abc.PGresult) -> None:
    if result.status != status:
        raise error_from_result(result)
