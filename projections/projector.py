"""A view: its tables, and a function for each type of fact that changes them.

How to write one (a whole one is in tests/projections/example.py):

    class Title(Struct, frozen=True, array_like=True, gc=False):
        id: UUID
        title: str

    TITLES = Table("titles", Title, key=("id",), columns=(Column("id", "uuid"),), by_stream=True)

    def submitted(rows: Rows, event: Event, fact: ProposalSubmitted) -> None:
        rows.put(TITLES, Title(event.stream_id, fact.title))

    VIEW = View("titles", (TITLES,), {ProposalSubmitted: submitted})

A function reads nothing but its own view's rows and the fact: no clock, no network, no randomness, no iteration over sets. A fact that
it can't make sense of raises, and that stops this view alone, at that fact, until the program is mended. Rows are never changed in
place: `rows.put(TITLES, msgspec.structs.replace(row, title=…))`.

Every version of a row is kept. So keep one row per thing and count in the query: a running total that changes with each fact would
have as many versions as there are facts. A value in a row must be JSON that reads back equal: UUIDs, instants in UTC, Decimals, enums,
strings, numbers, tuples and structs of them are.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import psycopg
from msgspec import Struct

from ledger.events.envelope import Event
from projections.rows import Rows, TableRows
from projections.table import Table


class PoisonFact(Exception):  # noqa: N818 a fact, told as it is
    """A projector could not make sense of the fact at this position; `__cause__` is what it raised."""

    def __init__(self, view: str, event: Event, error: Exception) -> None:
        fact = type(event.fact).__name__
        super().__init__(f"view {view}, position {event.position}, {fact}: {type(error).__name__}: {error}")
        self.event = event


#: What a type of fact does to a view's rows.
Projector = Callable[[Rows, Event, Any], None]


class View:
    """A named set of tables that are built, followed and switched together. Table names are unique over all views."""

    def __init__(
        self,
        name: str,
        tables: Sequence[Table[Any]],
        on: Mapping[type[Struct], Projector],
        *,
        version: int = 1,
        weight: int = 1,
    ) -> None:
        """Raise `version` when the projectors give other rows than before from the same facts: the view is then built again.

        `weight` is about how long it takes beside others, for sharing a rebuild out.
        """
        self.name = name
        self.tables = tuple(tables)
        self.on = dict(on)
        self.version = version
        self.weight = weight

    @cached_property
    def definition(self) -> str:
        """This will give what must stay equal for the stored rows to be this view's: its version and its tables' definitions."""
        return ":".join([str(self.version), *(table.definition[:16] for table in self.tables)])

    def fold(self, rows: Rows, events: Sequence[Event]) -> None:
        """This will fold whole commands, in order of position, into the rows. Raises PoisonFact for the first that can't be."""
        Fold([(self, rows)])(events)

    def __repr__(self) -> str:
        return f"View({self.name})"


class Fold:
    """Several views folded in one pass: each fact is looked at once, by the views that it concerns."""

    def __init__(self, folds: Sequence[tuple[View, Rows]]) -> None:
        #: What the command under way has changed, in all the views.
        self._touched: dict[TableRows, Rows] = {}
        self._on: dict[type[Struct], list[tuple[Projector, Rows]]] = {}
        self._names = {id(rows): view.name for view, rows in folds}
        for view, rows in folds:
            rows.touched = self._touched
            for fact, projector in view.on.items():
                self._on.setdefault(fact, []).append((projector, rows))

    def __call__(self, events: Sequence[Event]) -> None:
        """This will fold whole commands, in order of position. Raises PoisonFact for the first that can't be."""
        on, touched = self._on, self._touched
        event = rows = None
        command: Any = None
        position = 0
        try:
            for event in events:
                if event.command_id != command:
                    for table, rows in touched.items():
                        table.settle(position, rows)
                    touched.clear()
                    command = event.command_id
                position = event.position
                fact = event.fact
                for projector, rows in on.get(type(fact), ()):
                    projector(rows, event, fact)
            for table, rows in touched.items():
                table.settle(position, rows)
            touched.clear()
        except Exception as error:
            if event is None or isinstance(error, psycopg.OperationalError):
                raise
            raise PoisonFact(self._names.get(id(rows), ""), event, error) from error
