"""What triggers and grants stand on: the tables' keys and kind, the one row of the head, and roles that have no way round them."""

from collections.abc import Iterator
from typing import Any

from ledger.store.connections import Connection

#: Table → what must be unique there, as PostgreSQL writes it.
KEYS = {
    ("events", 'PRIMARY KEY ("position")'),
    ("events", "UNIQUE (stream_id, version)"),
    ("commands", "PRIMARY KEY (command_id)"),
    ("head", "PRIMARY KEY (one_row)"),
    ("identity", "PRIMARY KEY (one_row)"),
    ("migrations", "PRIMARY KEY (name)"),
}
#: What a role of the ledger's may be a member of: member → role.
MEMBERSHIPS = {("ledger_migrator", "ledger_owner"), ("ledger_owner", "ledger_redactor")}

_KEYS = """
SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint
 WHERE connamespace = 'ledger'::regnamespace AND contype IN ('p', 'u')"""
_NULLABLE = """
SELECT relname, attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
 WHERE relnamespace = 'ledger'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped AND NOT attnotnull ORDER BY 1, 2"""
_KIND = """
SELECT relname, relpersistence <> 'p', relrowsecurity,
       (SELECT string_agg(inhrelid::regclass::text, ', ') FROM pg_inherits WHERE inhparent = c.oid)
  FROM pg_class AS c WHERE relnamespace = 'ledger'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1"""
_HEAD = "SELECT (SELECT count(*) FROM ledger.head), (SELECT count(*) FROM ledger.identity)"
_CLOCKS = "SELECT h.clock, i.clock FROM ledger.head AS h, ledger.identity AS i WHERE h.clock <> i.clock"
_ROLES = """
SELECT rolname, CASE WHEN rolsuper THEN 'a superuser' WHEN rolbypassrls THEN 'not held by row security'
                     WHEN rolreplication THEN 'allowed to replicate' ELSE 'allowed to make roles' END
  FROM pg_roles WHERE rolname IN ('ledger_owner', 'ledger_migrator', 'ledger_redactor', 'ledger_writer', 'ledger_reader')
   AND (rolsuper OR rolbypassrls OR rolreplication OR rolcreaterole) ORDER BY 1"""
_MEMBERSHIPS = """
SELECT m.rolname, g.rolname FROM pg_auth_members AS a JOIN pg_roles AS g ON g.oid = a.roleid JOIN pg_roles AS m ON m.oid = a.member
 WHERE m.rolname IN ('ledger_owner', 'ledger_migrator', 'ledger_redactor', 'ledger_writer', 'ledger_reader') ORDER BY 1, 2"""


def gaps(connection: Connection) -> Iterator[str]:
    """This will say what is not as the migrations made it."""
    keys = {(table.removeprefix("ledger."), key) for table, key in _all(connection, _KEYS)}
    for table, key in sorted(KEYS - keys):
        yield f"the table {table} has lost its {key}"
    for table, column in _all(connection, _NULLABLE):
        yield f"the column {table}.{column} may be empty"
    for table, is_unsafe, is_hidden, heirs in _all(connection, _KIND):
        if is_unsafe:
            yield f"the table {table} is not kept by the write-ahead log, so a crash empties it"
        if is_hidden:
            yield f"row security may hide rows of the table {table}"
        if heirs:
            yield f"rows of {heirs} are read as if they were the table {table}'s"
    for table, rows in zip(("head", "identity"), _all(connection, _HEAD)[0], strict=True):
        if rows != 1:
            yield f"the table {table} has {rows} rows, and one is the ledger's"
    for found, made in _all(connection, _CLOCKS):
        yield f"the table head says that the ledger's clock is {found}, and it was made with {made}"
    for role, can in _all(connection, _ROLES):
        yield f"the role {role} is {can}"
    for member, role in _all(connection, _MEMBERSHIPS):
        if (member, role) not in MEMBERSHIPS:
            yield f"the role {member} was made a member of {role}"


def _all(connection: Connection, statement: Any) -> list[tuple[Any, ...]]:
    return connection.execute(statement).fetchall()
