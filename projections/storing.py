"""A view's rows in the database: the ones that a batch needs are read, and what it changed is written."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from psycopg import Connection, sql

from ledger.events.envelope import Event
from projections.copying import Pack, copy, packer
from projections.projector import View
from projections.rows import Rows, TableRows
from projections.table import Table


class StoredRows:
    """The current rows of one schema's tables, as `Rows` asks for them."""

    def __init__(self, connection: Connection[Any], schema: str) -> None:
        self._connection = connection
        self._schema = schema

    def by_key(self, table: Table[Any], keys: Sequence[Any]) -> Iterable[tuple[int, Any]]:
        """This will read the current rows with these inner keys in one statement."""
        columns = [list(values) for values in zip(*map(table.outer, keys), strict=True)]
        return self._rows(_select_by_key(table, self._schema), columns, table)

    def by_lookup(self, table: Table[Any], lookup: str, value: Any) -> Iterable[tuple[int, Any]]:
        """This will read the current rows whose lookup column has the value."""
        return self._rows(_select_by_lookup(table, self._schema, lookup), [value], table)

    def _rows(self, statement: bytes, values: Sequence[Any], table: Table[Any]) -> list[tuple[int, Any]]:
        with self._connection.cursor(binary=True) as cursor:
            found = cursor.execute(statement, values).fetchall()
        return [(valid_from, table.decode(doc)) for valid_from, doc in found]


class Storing:
    """Writes what a batch changed in the tables of one view."""

    def __init__(self, view: View, schema: str) -> None:
        self.view = view
        self.schema = schema
        self._packers: dict[Table[Any], Pack] = {table: packer(table) for table in view.tables}

    def store(self, connection: Connection[Any], events: Sequence[Event]) -> None:
        """This will fold whole commands into the stored rows; without a statement where none of the facts concerns the view.

        Raises PoisonFact, and what the database raises.
        """
        concerned = [event.stream_id.int for event in events if type(event.fact) in self.view.on]
        if concerned:
            rows = self._rows(connection, list(dict.fromkeys(concerned)))
            self.view.fold(rows, events)
            self._write(connection, rows)

    def _rows(self, connection: Connection[Any], streams: Sequence[int]) -> Rows:
        """This will give the view's rows, with those of several streams already in memory; those of one are read as they are needed."""
        rows = Rows(self.view.tables, StoredRows(connection, self.schema))
        if len(streams) > 1:
            for table in self.view.tables:
                if table.by_stream:
                    rows.fetch(table, streams)
        return rows

    def _write(self, connection: Connection[Any], rows: Rows) -> None:
        """This will close the versions that were replaced and store the new ones."""
        for table, changed in rows.tables.items():
            pack = self._packers[table]
            fresh = pack(changed.versions) + pack(changed.fresh())
            if changed.closed:
                self._close(connection, table, changed)
            if fresh:
                copy(connection, table, self.schema, fresh)

    def _close(self, connection: Connection[Any], table: Table[Any], changed: TableRows) -> None:
        keys = [list(values) for values in zip(*[table.outer(key) for key, _, _ in changed.closed], strict=True)]
        valid_from = [since for _, since, _ in changed.closed]
        valid_to = [until for _, _, until in changed.closed]
        statement = _close_versions(table, self.schema)
        closed = connection.execute(statement, [*keys, valid_from, valid_to]).rowcount
        if closed != len(changed.closed):
            raise RuntimeError(f"{table}: {len(changed.closed)} versions were to be closed, and {closed} stood")


# Composing a statement takes as long as running it, so each is composed once.
@lru_cache
def _select_by_key(table: Table[Any], schema: str) -> bytes:
    return (
        sql.SQL(
            "SELECT t.valid_from, t.doc FROM {} AS t JOIN unnest({}) AS wanted({}) USING ({}) WHERE t.valid_to IS NULL"
        )
        .format(sql.Identifier(schema, table.name), _arrays(table), _names(table.key), _names(table.key))
        .as_bytes()
    )


@lru_cache
def _select_by_lookup(table: Table[Any], schema: str, lookup: str) -> bytes:
    return (
        sql.SQL("SELECT valid_from, doc FROM {} WHERE {} = %s AND valid_to IS NULL")
        .format(sql.Identifier(schema, table.name), sql.Identifier(lookup))
        .as_bytes()
    )


@lru_cache
def _close_versions(table: Table[Any], schema: str) -> bytes:
    same_key = sql.SQL(" AND ").join(sql.SQL("t.{0} = c.{0}").format(sql.Identifier(name)) for name in table.key)
    return (
        sql.SQL(
            "UPDATE {} AS t SET valid_to = c.valid_to FROM unnest({}, %s::bigint[], %s::bigint[]) "
            "AS c({}, valid_from, valid_to) WHERE {} AND t.valid_from = c.valid_from AND t.valid_to IS NULL"
        )
        .format(sql.Identifier(schema, table.name), _arrays(table), _names(table.key), same_key)
        .as_bytes()
    )


def _arrays(table: Table[Any]) -> sql.Composed:
    """This will give a placeholder for an array of each of the key's columns."""
    return sql.SQL(", ").join(sql.SQL("%s::{}[]").format(sql.SQL(kind)) for kind in table.key_types)


def _names(columns: Iterable[str]) -> sql.Composed:
    """This will give the columns as a list."""
    return sql.SQL(", ").join(map(sql.Identifier, columns))
