"""Connections to the ledger's database: their roles and their time limits."""

from collections.abc import Awaitable, Callable
from select import POLLIN, poll
from typing import Any, TypeVar

import psycopg
from psycopg import sql
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout
from psycopg.pq.abc import PGconn
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, ConnectionPool

RV = TypeVar("RV")

#: Longest wait for a lock, and longest open transaction that does nothing, in milliseconds.
LOCK_TIMEOUT_MS = 2_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 5_000
#: Longest statement, in milliseconds, unless said otherwise.
STATEMENT_TIMEOUT_MS = 5_000
#: Longest wait for a connection, in seconds.
CONNECT_TIMEOUT_S = 5

#: Begins a transaction that reads one state of the database from its first statement to its last.
ONE_STATE = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"

WRITER = "ledger_writer"
READER = "ledger_reader"

#: How much longer than a statement may take its answer may be on its way, in seconds. After that nobody is there to give it.
ON_ITS_WAY_S = 5.0
#: The same for what takes as long as there is much: a copy, an index, a sweep. That the other end is gone is mostly found out long before.
PATIENCE_S = 3_600.0
#: How often a wait looks whether it was interrupted, in seconds; psycopg's own.
WAKE_S = 0.1
#: By which TCP finds out that the other end is gone without a word; a Unix socket needs none of it.
KEEPALIVE: dict[str, Any] = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_OPENING: dict[str, Any] = {"autocommit": True, "connect_timeout": CONNECT_TIMEOUT_S, **KEEPALIVE}

#: The same for the server, which otherwise keeps the session of a client that is gone without a word, and its locks, for two hours.
_GIVE_UP = sql.SQL("SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 2")
_OWN = sql.SQL("SET TimeZone = 'UTC'; {}").format(_GIVE_UP)

Connection = psycopg.Connection[TupleRow]
AsyncConnection = psycopg.AsyncConnection[TupleRow]
Pool = ConnectionPool[Connection]
AsyncPool = AsyncConnectionPool[AsyncConnection]
#: Does something with a fresh connection.
Prepare = Callable[[AsyncConnection], Awaitable[None]]


class Limited(psycopg.Connection[TupleRow]):
    """A connection that does not wait for ever: where the network swallows a statement or its answer, no limit of the server helps."""

    #: Longest wait for an answer, in seconds; None: for ever.
    answer_timeout_s: float | None = STATEMENT_TIMEOUT_MS / 1_000 + ON_ITS_WAY_S

    def wait(self, gen: PQGen[RV], interval: float = WAKE_S, timeout: float | None = None) -> RV:
        """This will do as psycopg does, but close the connection and raise OperationalError once the wait is too long."""
        try:
            return super().wait(gen, interval, timeout or self.answer_timeout_s)
        except _WaitTimeout as error:
            raise _silent(self.pgconn) from error


class LimitedAsync(psycopg.AsyncConnection[TupleRow]):
    """The same for tasks."""

    answer_timeout_s: float | None = STATEMENT_TIMEOUT_MS / 1_000 + ON_ITS_WAY_S

    async def wait(self, gen: PQGen[RV], interval: float = WAKE_S, timeout: float | None = None) -> RV:  # noqa: ASYNC109
        """This will do the same."""
        try:
            return await super().wait(gen, interval, timeout or self.answer_timeout_s)
        except _WaitTimeout as error:
            raise _silent(self.pgconn) from error


def _silent(pgconn: PGconn) -> psycopg.OperationalError:
    pgconn.finish()
    return psycopg.OperationalError("the database has not answered in time: the connection is given up")


def limits(role: str, statement_timeout_ms: int) -> sql.Composed:
    """This will give the statements that prepare a fresh connection: its role, its time limits, UTC, and keepalives."""
    return sql.SQL(
        "SET ROLE {}; SET lock_timeout = {}; SET statement_timeout = {}; "
        "SET idle_in_transaction_session_timeout = {}; SET TimeZone = 'UTC'; {}"
    ).format(
        sql.Identifier(role),
        sql.Literal(LOCK_TIMEOUT_MS),
        sql.Literal(statement_timeout_ms),
        sql.Literal(IDLE_IN_TRANSACTION_TIMEOUT_MS),
        _GIVE_UP,
    )


def configured(role: str, statement_timeout_ms: int) -> Callable[[Connection], None]:
    """This will give the function that prepares a fresh connection."""
    settings = limits(role, statement_timeout_ms)

    def configure(connection: Connection) -> None:
        if isinstance(connection, Limited):
            connection.answer_timeout_s = statement_timeout_ms / 1_000 + ON_ITS_WAY_S
        connection.execute(settings)

    return configure


def configured_async(role: str, statement_timeout_ms: int) -> Prepare:
    """This will do the same for tasks."""
    settings = limits(role, statement_timeout_ms)

    async def configure(connection: AsyncConnection) -> None:
        if isinstance(connection, LimitedAsync):
            connection.answer_timeout_s = statement_timeout_ms / 1_000 + ON_ITS_WAY_S
        await connection.execute(settings)

    return configure


def writer_connection(url: str, statement_timeout_ms: int) -> Connection:
    """This will open a connection that may append. Raises psycopg.OperationalError if the database can't be reached."""
    return _opened(url, WRITER, statement_timeout_ms)


def reader_connection(url: str, statement_timeout_ms: int) -> Connection:
    """This will open one that may only read. Raises the same."""
    return _opened(url, READER, statement_timeout_ms)


def _opened(url: str, role: str, statement_timeout_ms: int) -> Connection:
    connection = Limited.connect(url, **_OPENING)
    try:
        configured(role, statement_timeout_ms)(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def own_connection(url: str, answer_timeout_s: float | None) -> Connection:
    """This will open a connection in the login's own role, for what no other role may do. Its statements have no limit but the answer's.

    `answer_timeout_s` None: there is none either, as long as the other end is there. Raises psycopg.OperationalError if the database
    can't be reached.
    """
    connection = Limited.connect(url, **_OPENING)
    connection.answer_timeout_s = answer_timeout_s
    try:
        connection.execute(_OWN)
    except BaseException:
        connection.close()
        raise
    return connection


def patient_connection(url: str) -> Connection:
    """This will open such a connection for commands and builds, which may take long and still do not wait for ever. Raises the same."""
    return own_connection(url, PATIENCE_S)


async def patient_async_connection(url: str) -> AsyncConnection:
    """This will open one for tasks. Raises the same."""
    connection = await LimitedAsync.connect(url, **_OPENING)
    connection.answer_timeout_s = PATIENCE_S
    try:
        await connection.execute(_OWN)
    except BaseException:
        await connection.close()
        raise
    return connection


async def async_connection(url: str, role: str) -> AsyncConnection:
    """This will open a connection for tasks, in a role. Raises psycopg.OperationalError if the database can't be reached."""
    connection = await LimitedAsync.connect(url, **_OPENING)
    try:
        await configured_async(role, STATEMENT_TIMEOUT_MS)(connection)
    except BaseException:
        await connection.close()
        raise
    return connection


def is_quiet(idle: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> bool:
    """This will say whether the server has left an idle connection alone: all that it says on one is that it ends it. Asks nothing."""
    heard = poll()
    heard.register(idle.fileno(), POLLIN)
    return not heard.poll(0)


def check_quiet(idle: Connection) -> None:
    """This will raise psycopg.OperationalError, and close the connection, where the server ended it while it lay in its pool."""
    if not is_quiet(idle):
        idle.close()
        raise psycopg.OperationalError("the server has ended this connection")


async def check_quiet_async(idle: AsyncConnection) -> None:
    """This will do the same for tasks."""
    if not is_quiet(idle):
        await idle.close()
        raise psycopg.OperationalError("the server has ended this connection")


def reader_pool(url: str, size: int, statement_timeout_ms: int) -> Pool:
    """This will open a pool of connections that may only read. They come up as they are needed."""
    return ConnectionPool(
        url,
        connection_class=Limited,
        kwargs=_OPENING,
        min_size=0,
        max_size=size,
        open=True,
        configure=configured(READER, statement_timeout_ms),
        check=check_quiet,
        name="ledger-reader",
        timeout=CONNECT_TIMEOUT_S,
    )


def async_pool(url: str, role: str, size: int, first: Prepare | None = None) -> AsyncPool:
    """This will make a pool of connections for tasks, in a role; it opens with its `async with`. `first` is done on each fresh one."""
    prepare = configured_async(role, STATEMENT_TIMEOUT_MS)

    async def configure(connection: AsyncConnection) -> None:
        await prepare(connection)
        if first is not None:
            await first(connection)

    return AsyncConnectionPool(
        url,
        connection_class=LimitedAsync,
        kwargs=_OPENING,
        min_size=1,
        max_size=size,
        open=False,
        configure=configure,
        check=check_quiet_async,
        name=f"{role}-pool",
        timeout=CONNECT_TIMEOUT_S,
    )
