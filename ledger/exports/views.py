"""The views as Parquet or CSV, for spreadsheets and notebooks, made by DuckDB.

Rows go from PostgreSQL to a file of lines and from there into the copy, a page at a time, so the memory is the same for any number of rows.
People are their ids: a name that is erased later is in no copy.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec
import psycopg
from msgspec import Struct

from ledger.exports.choosing import Chosen
from ledger.store.connections import ONE_STATE, Connection, patient_connection
from projections.audit.tables import APPEALS, CONCERNS, DECISIONS
from projections.backlog.tables import CARDS
from projections.catalogue import BUILT_AS
from projections.conditions import Conditions
from projections.table import Table

_STATE = f"SELECT position, fault FROM views.positions WHERE view = %s AND definition IN ({BUILT_AS})".encode()  # noqa: S608
#: Rows that are fetched at once.
PAGE = 1_000
#: Most memory that DuckDB takes.
MEMORY_LIMIT = "256MB"
EXTRA = "export"

#: Columns that only serve an order or an index.
_HIDDEN = frozenset({"place", "awaits", "awaits_managers", "ranked_in"})
_OF_PYTHON: dict[Any, str] = {
    UUID: "UUID",
    str: "VARCHAR",
    bool: "BOOLEAN",
    int: "BIGINT",
    float: "DOUBLE",
    Decimal: "DECIMAL(18, 4)",
    datetime: "TIMESTAMPTZ",
}
_OF_SQL = {
    "uuid": "UUID",
    "text": "VARCHAR",
    "varchar": "VARCHAR",
    "bigint": "BIGINT",
    "float8": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamptz": "TIMESTAMPTZ",
}


class ExtraMissing(Exception):  # noqa: N818 - named for what it is
    """DuckDB is not installed."""


class NotBuilt(Exception):  # noqa: N818
    """The view is not there yet, or has stopped."""


class ViewExport(Struct, frozen=True):
    """A view that can be exported: the rows of a table that hold a condition, in the order of a time, which is what a period is of."""

    view: str
    table: Table[Any]
    at: str
    meaning: str
    where: str = "true"


VIEWS: dict[str, ViewExport] = {
    "backlog": ViewExport("backlog", CARDS, "submitted_at", "pending proposals", "x.status = 'PENDING'"),
    "proposals": ViewExport("backlog", CARDS, "submitted_at", "all proposals", "x.submitted_at IS NOT NULL"),
    "decisions": ViewExport("audit", DECISIONS, "decided_at", "all decisions, those on a part too"),
    "declined": ViewExport(
        "audit", DECISIONS, "decided_at", "every NO on a whole proposal", "x.disposition <> 'SCHEDULE' AND NOT x.scoped"
    ),
    "concerns": ViewExport("audit", CONCERNS, "raised_at", "concerns, with their answers"),
    "appeals": ViewExport("audit", APPEALS, "lodged_at", "appeals, with their outcomes"),
}


class Copied(Struct, frozen=True):
    """What was written. `position` is the one whose state the rows are."""

    rows: int
    position: int


def copy(
    url: str,
    name: str,
    chosen: Chosen,
    out: Path,
    format_: str,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Copied:
    """This will write a view's present rows into a file, `format_` being parquet or csv.

    Raises ExtraMissing, and NotBuilt for a view that was never built or has a fault.
    """
    try:
        import duckdb  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ExtraMissing(
            f"{format_} needs DuckDB, which is not installed. Run: pip install 'decision-ledger[{EXTRA}]'"
        ) from error
    wanted = VIEWS[name]
    columns = _columns(wanted.table)
    lines = out.with_name(f"{out.name}.rows")
    try:
        with patient_connection(url) as connection, connection.transaction(), lines.open("wb") as file:
            connection.execute(ONE_STATE)
            position = _position(connection, wanted)
            count = 0
            for page in _pages(connection, wanted, chosen):
                file.write(b"".join([_line(columns, row) for row in page]))
                count += len(page)
                progress(count, count)
        with duckdb.connect(config={"memory_limit": MEMORY_LIMIT, "threads": 2}) as made:
            _convert(made, lines, columns, out, format_)
    finally:
        lines.unlink(missing_ok=True)
    return Copied(count, position)


class _Column(Struct, frozen=True):
    name: str
    type: str
    of: Callable[[Any], Any]


def _columns(table: Table[Any]) -> list[_Column]:
    """This will give a column for each field of the row, nested ones as JSON, and for what its table's columns add to them."""
    hints = get_type_hints(table.row)
    found = [_Column(name, _type(hints[name]), _getter(name)) for name in table.row.__struct_fields__]
    known = {*table.row.__struct_fields__, *_HIDDEN}
    for column in table.columns:
        kind = _OF_SQL.get(column.type)
        if column.name not in known and kind is not None:
            found.append(_Column(column.name, kind, _getter(column.name) if column.of is None else column.of))
    return [column for column in found if column.name not in _HIDDEN]


def _getter(name: str) -> Callable[[Any], Any]:
    return lambda row: getattr(row, name)


def _type(hint: Any) -> str:
    if get_origin(hint) in (Union, UnionType):
        inner = [part for part in get_args(hint) if part is not type(None)]
        return _type(inner[0]) if len(inner) == 1 else "VARCHAR"
    hint = getattr(hint, "__supertype__", hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return "BIGINT" if issubclass(hint, int) else "VARCHAR"
    return _OF_PYTHON.get(hint, "VARCHAR")


def _line(columns: list[_Column], row: Any) -> bytes:
    return msgspec.json.encode({column.name: _cell(column.of(row)) for column in columns}) + b"\n"


def _cell(value: Any) -> Any:
    if isinstance(value, tuple | list | dict | Struct):
        return msgspec.json.encode(msgspec.to_builtins(_named(value))).decode() if value else None
    return value


def _named(value: Any) -> Any:
    """This will give structs that are stored as lists with their fields' names."""
    if isinstance(value, Struct):
        return {name: _named(part) for name, part in msgspec.structs.asdict(value).items() if part is not None}
    if isinstance(value, tuple | list):
        return [_named(part) for part in value]
    return value


def _position(connection: Connection, wanted: ViewExport) -> int:
    try:
        found = connection.execute(_STATE, [wanted.view]).fetchone()
    except psycopg.errors.UndefinedTable:
        found = None
    if found is None:
        raise NotBuilt(f"The view {wanted.view} was not built yet. Run: decision-ledger project --once")
    position, fault = found
    if fault is not None:
        raise NotBuilt(f"The view {wanted.view} stopped at position {position}: {fault}")
    return int(position)


def _pages(connection: Connection, wanted: ViewExport, chosen: Chosen) -> Iterator[list[Any]]:
    where = Conditions()
    where.add(where.stands("x")).add(wanted.where).given("x.team_id = %(team)s", team=chosen.team_id)
    where.within(f"x.{wanted.at}", chosen.since, chosen.until)
    statement = f"SELECT x.doc FROM views.{wanted.table.name} AS x WHERE {where} ORDER BY x.{wanted.at}, x.{wanted.table.key[0]}"  # noqa: S608
    decode = wanted.table.decode
    with connection.cursor(name="exported", binary=True) as cursor:
        cursor.execute(statement.encode(), where.values)
        while page := cursor.fetchmany(PAGE):
            yield [decode(row[0]) for row in page]


def _convert(made: Any, lines: Path, columns: list[_Column], out: Path, format_: str) -> None:
    """This will have DuckDB read the lines with these types and write the file."""
    types = ", ".join(f"{_quoted(column.name)}: {_quoted(column.type)}" for column in columns)
    made.execute("SET TimeZone = 'UTC'")
    as_ = "FORMAT parquet, COMPRESSION zstd" if format_ == "parquet" else "FORMAT csv, HEADER"
    made.execute(
        f"COPY (SELECT * FROM read_json({_quoted(str(lines))}, format = 'newline_delimited', columns = {{{types}}}))"  # noqa: S608
        f" TO {_quoted(str(out))} ({as_})"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
