"""The views' own tables: made here and not by a migration, since they can always be built again from the facts.

`views` holds the live tables of all views; a build has a schema of its own until it is switched in.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct
from psycopg import Connection, sql

from projections.projector import View
from projections.table import UNTIL, Table

LIVE = "views"
#: Advisory locks, one of each a database: "viewlead" (who follows) and "viewmake" (who makes tables), in ASCII.
LEADER_LOCK = int.from_bytes(b"viewlead")
MAKE_LOCK = int.from_bytes(b"viewmake")

_POSITIONS = """
CREATE SCHEMA IF NOT EXISTS views;
CREATE TABLE IF NOT EXISTS views.positions (
    view       text PRIMARY KEY,
    position   bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    fault      text,
    definition text NOT NULL,
    tables     text[] NOT NULL
);
-- The leaf of the fact at `position`, by which another that has come to stand there is known; NULL: it was not noted yet.
ALTER TABLE views.positions ADD COLUMN IF NOT EXISTS leaf bytea;
CREATE TABLE IF NOT EXISTS views.leader (
    one_row boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    backend integer NOT NULL,
    since   timestamptz NOT NULL,
    beat_at timestamptz NOT NULL
);
"""
_IS_LACKING = """
SELECT to_regclass('views.leader') IS NULL
    OR NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('views.positions') AND attname = 'leaf')
"""
_READERS = ("ledger_reader", "ledger_writer")


class ViewPosition(Struct, frozen=True):
    """How far a view has got: the last position whose facts are in it."""

    view: str
    position: int
    #: Why it has stopped; None: it has not.
    fault: str | None
    definition: str


def ensure(connection: Connection[Any], views: Sequence[View]) -> list[View]:
    """This will make what is missing, and give the views that must be built again because their definition has changed.

    It may run any number of times and in many processes at once. Those views are marked with a fault until they are built.
    """
    stale = []
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [MAKE_LOCK])
        if connection.execute(_IS_LACKING).fetchone() == (True,):
            connection.execute(_POSITIONS)
            let_read(connection, sql.SQL("USAGE ON SCHEMA views"), sql.SQL("SELECT ON ALL TABLES IN SCHEMA views"))
        known = {found.view: found for found in positions(connection)}
        for view in views:
            found = known.get(view.name)
            if found is None:
                make_tables(connection, view, LIVE)
                make_indexes(connection, view, LIVE)
                connection.execute(
                    "INSERT INTO views.positions (view, position, definition, tables) VALUES (%s, 0, %s, %s)",
                    [view.name, view.definition, [table.name for table in view.tables]],
                )
            elif found.definition != view.definition:
                stale.append(view)
                connection.execute(
                    "UPDATE views.positions SET fault = %s WHERE view = %s",
                    ["Its definition has changed: it waits to be built again.", view.name],
                )
    return stale


def positions(connection: Connection[Any]) -> list[ViewPosition]:
    """This will say how far each view has got."""
    rows = connection.execute("SELECT view, position, fault, definition FROM views.positions ORDER BY view")
    return [ViewPosition(*row) for row in rows]


def make_tables(connection: Connection[Any], view: View, schema: str) -> None:
    """This will make a view's tables, without indexes."""
    for table in view.tables:
        columns = [sql.SQL("{} {}").format(sql.Identifier(c.name), sql.SQL(c.type)) for c in table.columns]
        columns += [
            sql.SQL("{} {} GENERATED ALWAYS AS ({}) STORED").format(
                sql.Identifier(d.name), sql.SQL(d.type), sql.SQL(d.expression)
            )
            for d in table.derived
        ]
        connection.execute(
            sql.SQL("CREATE TABLE {} ({}, valid_from bigint NOT NULL, valid_to bigint, doc bytea NOT NULL)").format(
                _name(table, schema), sql.SQL(", ").join(columns)
            )
        )
        # A row is a kilobyte or so and read whole: pressing it would cost more than it saves.
        # No query asks about what is in it: sampling it would be most of an ANALYZE.
        connection.execute(
            sql.SQL("ALTER TABLE {} ALTER doc SET STORAGE EXTERNAL, ALTER doc SET STATISTICS 0").format(
                _name(table, schema)
            )
        )
        for derived in table.derived:
            connection.execute(
                sql.SQL("ALTER TABLE {} ALTER {} SET STORAGE MAIN").format(
                    _name(table, schema), sql.Identifier(derived.name)
                )
            )
        let_read(connection, sql.SQL("SELECT ON TABLE {}").format(_name(table, schema)))


def make_indexes(connection: Connection[Any], view: View, schema: str) -> None:
    """This will make a view's indexes: by key and end, by lookup among the current rows, and the view's own."""
    for table in view.tables:
        for statement in index_statements(table, schema):
            connection.execute(statement)


def index_statements(table: Table[Any], schema: str) -> Iterable[sql.Composed]:
    """This will give the statements that make a table's indexes."""
    name = _name(table, schema)
    key = sql.SQL(", ").join(map(sql.Identifier, table.key))
    if table.grows_only:
        yield sql.SQL("CREATE UNIQUE INDEX ON {} ({})").format(name, key)
    else:
        # One for the row that stands and for its past: each version of a row ends where no other does.
        yield sql.SQL("CREATE UNIQUE INDEX ON {} ({}, valid_to) NULLS NOT DISTINCT").format(name, key)
    for lookup in table.lookups:
        yield sql.SQL("CREATE INDEX ON {} ({}) WHERE valid_to IS NULL").format(name, sql.Identifier(lookup))
    for index in table.indexes:
        conditions = ["valid_to IS NULL"] if index.current and not table.grows_only else []
        conditions += [index.where] if index.where else []
        where = " WHERE " + " AND ".join(conditions) if conditions else ""
        of_all_times = not index.current and not table.grows_only and index.method == "btree"
        # A condition on an expression is checked without the row only where the index has the column itself too.
        held = f" INCLUDE ({'valid_to, ' if of_all_times else ''}{index.holds})" if index.holds else ""
        yield sql.SQL("CREATE INDEX ON {} USING {} ({}){}{}").format(
            name,
            sql.SQL(index.method),
            sql.SQL(f"{index.on}, valid_from, ({UNTIL})" if of_all_times else index.on),
            sql.SQL(held),
            sql.SQL(where),
        )


def let_read(connection: Connection[Any], *grants: sql.Composable) -> None:
    """This will give the grants, such as `SELECT ON TABLE …`, to the roles that read, where those roles are."""
    known = connection.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [list(_READERS)]).fetchall()
    for (role,) in known:
        for grant in grants:
            connection.execute(sql.SQL("GRANT {} TO {}").format(grant, sql.Identifier(role)))


def _name(table: Table[Any], schema: str) -> sql.Identifier:
    return sql.Identifier(schema, table.name)
