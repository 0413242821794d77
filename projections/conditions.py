"""The conditions of a query over a view's tables: each a piece of SQL with the values that it names."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from projections.table import UNTIL, Table

R = TypeVar("R", bound=Struct)

Connection: TypeAlias = AsyncConnection[TupleRow]
#: The teams that may be read; None: all.
Teams: TypeAlias = Collection[UUID] | None


class Conditions:
    """Conditions that all must hold. Only literal SQL goes into them; values go beside, by name.

    A LIMIT is written out as a number: of one that is a value PostgreSQL supposes a tenth of all rows, and so never keeps the plan.
    """

    def __init__(self, as_of: int | None = None) -> None:
        """`as_of` is the position whose rows are read; None: those that stand now."""
        self._parts: list[str] = []
        self.values: dict[str, Any] = {"as_of": as_of}
        self._now = as_of is None

    def stands(self, alias: str) -> str:
        """This will give the condition that picks a table's rows of the state that is read."""
        if self._now:
            return f"{alias}.valid_to IS NULL"
        return f"({alias}.valid_from <= %(as_of)s AND {UNTIL.replace('valid_to', f'{alias}.valid_to')} > %(as_of)s)"

    def readable(self, alias: str, teams: Teams, asked: Iterable[UUID] | None = None) -> "Conditions":
        """This will ask for a table's rows of the state that is read, and of teams that may be read; `asked`: of these teams alone."""
        self.add(self.stands(alias)).among(f"{alias}.team_id", "visible", teams)
        return self.among(f"{alias}.team_id", "teams", asked)

    def beyond(self, columns: str, last: Sequence[Any] | None, *, descending: bool = False) -> "Conditions":
        """This will ask for what comes in the order of the columns after the row with these values in them; None: from the first on."""
        if last is None:
            return self
        values = {f"last_{number}": value for number, value in enumerate(last)}
        names = ", ".join(f"%({name})s" for name in values)
        return self.add(f"({columns}) {'<' if descending else '>'} ({names})", **values)

    def add(self, part: str, **values: Any) -> "Conditions":
        """This will add a condition."""
        self._parts.append(part)
        self.values.update(values)
        return self

    def given(self, part: str, **values: Any) -> "Conditions":
        """This will add a condition unless its values are None: what nobody asked for is no condition."""
        return self if all(value is None for value in values.values()) else self.add(part, **values)

    def among(self, column: str, name: str, wanted: Iterable[Any] | None) -> "Conditions":
        """This will ask for one of the values; None: any will do."""
        return self if wanted is None else self.add(f"{column} = ANY(%({name})s)", **{name: list(wanted)})

    def within(self, column: str, since: datetime | None, until: datetime | None) -> "Conditions":
        """This will ask for an instant from `since` up to before `until`."""
        return self.given(f"{column} >= %(since)s", since=since).given(f"{column} < %(until)s", until=until)

    def __str__(self) -> str:
        return " AND ".join(self._parts) or "true"


async def rows(
    connection: Connection, statement: str, values: dict[str, Any], *, keeps_plan: bool = True
) -> list[TupleRow]:
    """This will run one statement and give all of its rows. `keeps_plan` False: the values decide how they are best found."""
    cursor = await connection.execute(statement.encode(), values, binary=True, prepare=None if keeps_plan else False)
    return await cursor.fetchall()


async def page(
    connection: Connection,
    table: Table[R],
    alias: str,
    where: Conditions,
    order: tuple[str, str],
    *,
    limit: int,
    after: Sequence[Any] | None,
    descending: bool = False,
) -> list[R]:
    """This will give the rows that the conditions leave in the order of two columns, of which the second settles a tie.

    `after`: what the last row before the page has in them; None: the first page.
    """
    columns = [f"{alias}.{name}" for name in order]
    where.beyond(", ".join(columns), after, descending=descending)
    ordered = ", ".join(f"{column} DESC" if descending else column for column in columns)
    found = await rows(
        connection,
        f"SELECT {alias}.doc FROM views.{table.name} AS {alias} WHERE {where} ORDER BY {ordered} LIMIT {limit:d}",
        where.values,
    )
    return [table.decode(doc) for (doc,) in found]


async def total(connection: Connection, source: str, where: Conditions) -> int:
    """This will count the rows of a table, or of a join, that the conditions leave."""
    ((found,),) = await rows(connection, f"SELECT count(*) FROM {source} WHERE {where}", where.values)
    count: int = found
    return count


async def instant_of(connection: Connection, position: int, otherwise: datetime) -> datetime:
    """This will give when a position was recorded, from which the ages in a past state are reckoned."""
    found = await rows(
        connection, "SELECT recorded_at FROM ledger.events WHERE position = %(position)s", {"position": position}
    )
    return found[0][0] if found else otherwise
