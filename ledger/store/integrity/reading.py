"""The log as the proof reads it: stored bytes, in order, by a connection that may only read."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg

from ledger.store.connections import Connection, reader_connection
from ledger.store.integrity.rows import Page, Row

#: Facts read at once: what is checked of them should still be in the processor's cache. And the longest that may take, in milliseconds.
PAGE = 1_000
STATEMENT_TIMEOUT_MS = 60_000

#: What PostgreSQL counts from in what it sends, in microseconds since the Unix epoch.
_SENT_EPOCH = 946_684_800_000_000

_ROWS = (
    "SELECT position, timestamptz_send(recorded_at), stream_id::text, version, topic, occurred_at, command_id::text, salt, meta,"
    " payload, leaf FROM ledger.events WHERE position > %s AND position <= %s ORDER BY position LIMIT %s"
)
#: The same of rows that no program of the ledger's wrote: times that no calendar here has, or none at all.
_ODD_ROWS = _ROWS.replace(
    "timestamptz_send(recorded_at)", "timestamptz_send(COALESCE(recorded_at, 'infinity'))"
).replace(
    " occurred_at,", " CASE WHEN occurred_at BETWEEN '0001-01-02 00:00Z' AND '9999-12-30 00:00Z' THEN occurred_at END,"
)
_LEAVES = "SELECT leaf FROM ledger.events WHERE position > %s AND position <= %s ORDER BY position"
#: A command that says otherwise than its facts, or facts without a command: position, what is wrong.
_COMMANDS = """
SELECT COALESCE(e.first_position, c.first_position), c.command_id IS NULL, e.command_id IS NULL
  FROM (SELECT command_id, min(position) AS first_position, count(*) AS event_count FROM ledger.events
         WHERE position <= %(head)s GROUP BY command_id) AS e
  FULL JOIN (SELECT * FROM ledger.commands WHERE first_position <= %(head)s) AS c USING (command_id)
 WHERE (e.first_position, e.event_count) IS DISTINCT FROM (c.first_position, c.event_count)
 ORDER BY 1 LIMIT 1"""
_COMMAND_AHEAD = """
SELECT first_position FROM ledger.commands WHERE first_position > (SELECT max(position) FROM ledger.head) ORDER BY 1 LIMIT 1"""


def reader(url: str) -> Connection:
    """This will open a connection that may only read. Raises psycopg.OperationalError if the database can't be reached."""
    return reader_connection(url, STATEMENT_TIMEOUT_MS)


def head(connection: Connection) -> int:
    """This will give the last position as the ledger itself says it."""
    row = connection.execute("SELECT position FROM ledger.head").fetchone()
    return 0 if row is None else row[0]


def last(connection: Connection) -> int:
    """This will give the last position of the facts that are there."""
    row = connection.execute("SELECT max(position) FROM ledger.events").fetchone()
    return (row and row[0]) or 0


def ledger_id(connection: Connection) -> str:
    """This will give the ledger's id."""
    row = connection.execute("SELECT ledger_id::text FROM ledger.identity").fetchone()
    return row[0] if row else ""


def rows(
    connection: Connection, after: int, to: int, progress: Callable[[int], None] = lambda _: None
) -> Iterator[list[Row]]:
    """This will give the facts after a position and up to another, page by page. `progress` is told the size of each page done."""
    for page in pages(connection, after, to, progress):
        yield page.rows()


def pages(
    connection: Connection, after: int, to: int, progress: Callable[[int], None] = lambda _: None
) -> Iterator[Page]:
    """This will give the same column by column."""
    with connection.cursor(binary=True) as cursor:
        while after < to:
            try:
                page = _page(cursor.execute(_ROWS, [after, to, PAGE], prepare=True).fetchall())
            except (psycopg.DataError, TypeError):
                page = _page(cursor.execute(_ODD_ROWS, [after, to, PAGE]).fetchall())
            if page is None:
                return
            yield page
            progress(len(page.position))
            after = page.position[-1]


def _page(found: list[Any]) -> Page | None:
    if not found:
        return None
    position, sent, *others = zip(*found, strict=True)
    return Page(position, [int.from_bytes(at, signed=True) + _SENT_EPOCH for at in sent], *others)


def leaves(connection: Connection, after: int, to: int) -> list[bytes]:
    """This will give the leaves, as they are stored, after a position and up to another."""
    with connection.cursor(binary=True) as cursor:
        return [row[0] for row in cursor.execute(_LEAVES, [after, to], prepare=True)]


def command_at_fault(connection: Connection, to: int) -> tuple[int, str] | None:
    """This will give the first position up to `to` whose command is not recorded as its facts say, and how."""
    row = connection.execute(_COMMANDS, {"head": to}).fetchone()
    if row is None:
        ahead = connection.execute(_COMMAND_AHEAD).fetchone()
        return ahead and (ahead[0], "a command is listed here, behind the end of the ledger")
    position, no_command, no_facts = row
    if no_command:
        return position, "its command is not in the list of commands"
    if no_facts:
        return position, "a command is listed here, and none of its facts is there"
    return position, "its command is listed with another place or number of facts"
