"""Connections to the ledger's database: their roles and their time limits."""

from collections.abc import Callable
from select import POLLIN, poll
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

#: Longest wait for a lock, and longest open transaction that does nothing, in milliseconds.
LOCK_TIMEOUT_MS = 2_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 5_000
#: Longest statement, in milliseconds, unless said otherwise.
STATEMENT_TIMEOUT_MS = 5_000
#: Longest wait for a connection, in seconds.
CONNECT_TIMEOUT_S = 5

WRITER = "ledger_writer"
READER = "ledger_reader"

Connection = psycopg.Connection[TupleRow]
Pool = ConnectionPool[Connection]


def limits(role: str, statement_timeout_ms: int) -> sql.Composed:
    """This will give the statements that prepare a fresh connection: its role, its time limits, and UTC."""
    return sql.SQL(
        "SET ROLE {}; SET lock_timeout = {}; SET statement_timeout = {}; "
        "SET idle_in_transaction_session_timeout = {}; SET TimeZone = 'UTC'"
    ).format(
        sql.Identifier(role),
        sql.Literal(LOCK_TIMEOUT_MS),
        sql.Literal(statement_timeout_ms),
        sql.Literal(IDLE_IN_TRANSACTION_TIMEOUT_MS),
    )


def configured(role: str, statement_timeout_ms: int) -> Callable[[Connection], None]:
    """This will give the function that prepares a fresh connection."""
    settings = limits(role, statement_timeout_ms)

    def configure(connection: Connection) -> None:
        connection.execute(settings)

    return configure


def writer_connection(url: str, statement_timeout_ms: int) -> Connection:
    """This will open a connection that may append. Raises psycopg.OperationalError if the database can't be reached."""
    connection = psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S)
    try:
        configured(WRITER, statement_timeout_ms)(connection)
    except BaseException:
        connection.close()
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


def reader_pool(url: str, size: int, statement_timeout_ms: int) -> Pool:
    """This will open a pool of connections that may only read. They come up as they are needed."""
    kwargs: dict[str, Any] = {"autocommit": True, "connect_timeout": CONNECT_TIMEOUT_S}
    return ConnectionPool(
        url,
        connection_class=Connection,
        kwargs=kwargs,
        min_size=0,
        max_size=size,
        open=True,
        configure=configured(READER, statement_timeout_ms),
        check=check_quiet,
        name="ledger-reader",
        timeout=CONNECT_TIMEOUT_S,
    )
