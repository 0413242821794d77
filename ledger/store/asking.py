"""A connection on which tasks ask the same few statements over and over, at a third of what psycopg takes for each.

psycopg makes a cursor, adapts values, and registers the connection with the event loop for each statement anew. Here the statements are
prepared when they are first asked, values come and go as PostgreSQL's binary, and the loop knows the connection as long as it is open.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

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
        self._readying: asyncio.Task[None] | None = None
        self._file = -1
        self._turn = asyncio.Lock()
        self._answer: asyncio.Future[pq.abc.PGresult] | None = None
        self._result: pq.abc.PGresult | None = None

    async def ask(self, name: bytes, parameters: Sequence[bytes | None]) -> pq.abc.PGresult:
        """This will give the answer of a statement, in binary. Raises psycopg.Error.

        Whoever gives up waiting leaves the connection as it is: on a slow network it would never be opened by those who wait less.
        """
        async with self._turn:
            if self._answer is not None and not self._answer.done():  # whoever asked has given up
                await asyncio.wait([self._answer])
            if self._connection is None or name not in self._prepared:
                await self._made_ready(name)
            result = await self._answered(name, parameters)
        _refuse_all_but(pq.ExecStatus.TUPLES_OK, result)
        return result

    async def close(self) -> None:
        """This will close the connection, once the statement under way is answered."""
        async with self._turn:
            if self._readying is not None:
                self._readying.cancel()
                await asyncio.wait([self._readying])
            self._lose("the connection is closed")

    async def _made_ready(self, name: bytes) -> None:
        if self._readying is not None:  # of one who has given up, or done
            await asyncio.wait([self._readying])
        if self._connection is None or name not in self._prepared:
            self._readying = asyncio.create_task(self._ready(name))
            self._readying.add_done_callback(_look)
            await asyncio.shield(self._readying)

    async def _ready(self, name: bytes) -> None:
        if self._connection is None:
            await self._opened()
        _refuse_all_but(pq.ExecStatus.COMMAND_OK, await self._answered(name, None))
        self._prepared.add(name)

    async def _answered(self, name: bytes, parameters: Sequence[bytes | None] | None) -> pq.abc.PGresult:
        """This will run a statement, or prepare it if there are no parameters."""
        if self._connection is None:
            raise psycopg.OperationalError("the connection was lost")
        pgconn, loop = self._connection.pgconn, asyncio.get_running_loop()
        answer: asyncio.Future[pq.abc.PGresult] = loop.create_future()
        self._answer = answer
        overdue = loop.call_later(ANSWER_S, self._lose, "the database has not answered in time")
        try:
            if parameters is None:
                pgconn.send_prepare(name, *self._statements[name])
            else:
                pgconn.send_query_prepared(name, parameters, [_BINARY] * len(parameters), _BINARY)
            self._flush(pgconn)
            result = await asyncio.shield(answer)
        except asyncio.CancelledError:
            answer.add_done_callback(_look)
            answer.add_done_callback(lambda _: overdue.cancel())
            raise
        except BaseException as error:
            self._lose(str(error))
            overdue.cancel()
            raise
        overdue.cancel()
        return result

    async def _opened(self) -> None:
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


def _look(done: "asyncio.Future[Any]") -> None:
    """This will see a failure for which nobody waits any more."""
    if not done.cancelled():
        done.exception()


def _refuse_all_but(status: int, result: pq.abc.PGresult) -> None:
    if result.status != status:
        raise error_from_result(result)
