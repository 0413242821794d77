"""The rows of a view while facts are folded into them: what stands, what changes, and which versions that closes.

A command is all or nothing, in the views as in the log: the changes of all its facts make one version of a row, which stands from the
position of the command's last fact. A position inside a command shows what stood before it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

from msgspec import Struct
from msgspec.structs import force_setattr, replace

from projections.table import Table

R = TypeVar("R", bound=Struct)


# Plain tuples, since one of each is made for every change of a row, and named ones take ten times as long to make.
#: A row that stands, since which position, and whether the database has this version already.
Standing: TypeAlias = tuple[Any, int, bool]
#: A version to be stored: valid_from, valid_to (None where it still stands), row.
Version: TypeAlias = tuple[int, int | None, Any]
#: A stored version that stands no more: key, valid_from, valid_to.
Closed: TypeAlias = tuple[Any, int, int]


class Stored(Protocol):
    """Where rows that are not in memory are found: the view's own tables."""

    def by_key(self, table: Table[Any], keys: Sequence[Any]) -> Iterable[tuple[int, Any]]:
        """This will give (valid_from, row) of the current rows with these keys."""

    def by_lookup(self, table: Table[Any], lookup: str, value: Any) -> Iterable[tuple[int, Any]]:
        """This will give (valid_from, row) of the current rows with this value."""


class TableRows:
    """One table's part of `Rows`."""

    def __init__(self, table: Table[Any]) -> None:
        self.table = table
        self.key_of = table.key_of
        self.standing: dict[Any, Standing | None] = {}
        #: Changes of the command that is being folded; None: removed.
        self.changes: dict[Any, Any] = {}
        #: Versions to be stored, and stored versions to be closed.
        self.versions: list[Version] = []
        self.closed: list[Closed] = []
        self.added: list[Any] = []
        #: By lookup and value: the keys in memory that have it, changes included.
        self.found: dict[str, dict[Any, dict[Any, None]]] = {lookup: {} for lookup in table.lookups}
        self.lookups: list[tuple[Callable[[Any], Any], dict[Any, dict[Any, None]]]] = [
            (table.values[lookup], self.found[lookup]) for lookup in table.lookups
        ]
        #: By key: what the lookups know of it, where that is not what stands.
        self.indexed: dict[Any, Any] = {}
        self.complete: set[tuple[str, Any]] = set()

    def index(self, key: Any, before: Any, after: Any) -> None:
        """This will keep the lookups right when a row of this key changes; None: there is none."""
        for value_of, found in self.lookups:
            old = None if before is None else value_of(before)
            new = None if after is None else value_of(after)
            if old is new or old == new:
                continue
            if old is not None:
                found[old].pop(key, None)
            if new is not None:
                found.setdefault(new, {})[key] = None

    def index_changes(self) -> None:
        """This will let the lookups find what the command under way has changed so far."""
        for key, row in self.changes.items():
            self.index(key, self._indexed(key), row)
            self.indexed[key] = row

    def _indexed(self, key: Any) -> Any:
        if key in self.indexed:
            return self.indexed[key]
        standing = self.standing.get(key)
        return None if standing is None else standing[0]

    def keep(self, valid_from: int, row: Any) -> None:
        """This will take a stored row into memory, unless a later state of it is there."""
        key = self.key_of(row)
        if key not in self.standing:
            self.standing[key] = (row, valid_from, True)
            self.index(key, None, row)

    def fresh(self) -> list[Version]:
        """This will give the versions that stand and are not stored yet, in the table's order."""
        kept = (found for found in self.standing.values() if found is not None and not found[2])
        found: list[Version] = [(valid_from, None, row) for row, valid_from, _ in kept]
        order = self.table.order
        return found if order is None else sorted(found, key=lambda version: order(version[2]))

    def settle(self, position: int, rows: "Rows") -> None:
        """This will make the changes stand from the position on, and close what they replace."""
        standing, versions, finish = self.standing, self.versions, self.table.finish
        if self.added:
            versions += [(position, None, row) for row in self.added]
            self.added.clear()
        for key, row in self.changes.items():
            old = standing.get(key)
            before = None if old is None else old[0]
            if finish is not None and row is not None:
                row = finish(rows, row, before)  # noqa: PLW2901
            if self.lookups:
                self.index(key, self.indexed.pop(key, before) if self.indexed else before, row)
            if old is not None:
                if before is row:
                    continue
                if old[2]:
                    self.closed.append((key, old[1], position))
                else:
                    versions.append((old[1], position, before))
            standing[key] = None if row is None else (row, position, False)
        self.changes.clear()


class Rows:
    """What a projector reads and changes. Only the tables of its own view are here.

    Within a command a projector sees its own changes at once. A key is the key's value, or a tuple where a table has several key columns.
    """

    def __init__(self, tables: Sequence[Table[Any]], stored: Stored | None = None) -> None:
        """`stored` None: there is nothing but what is put here, as in a rebuild."""
        self.tables = {table: TableRows(table) for table in tables}
        self._stored = stored
        #: The tables that the command under way has changed, here and in the other views that are folded in the same pass.
        self.touched: dict[TableRows, Rows] = {}

    def get(self, table: Table[R], key: Any) -> R | None:
        """This will give the row as it stands now, None if there is none."""
        rows = self.tables[table]
        inner = key.int if table.is_uuid_keyed else key
        if inner in rows.changes:
            return rows.changes[inner]  # type: ignore[no-any-return]
        standing = rows.standing.get(inner)
        if standing is None:
            return self._now(rows, inner)  # type: ignore[no-any-return]
        row: R = standing[0]
        return row

    def need(self, table: Table[R], key: Any) -> R:
        """This will give the row as it stands now. Raises LookupError if there is none, which stops the view at this fact."""
        row = self.get(table, key)
        if row is None:
            raise LookupError(f"table {table.name} has no row {key}")
        return row

    def put(self, table: Table[R], row: R) -> None:
        """This will make the row stand from here on, in place of the one with its key, if there is one."""
        rows = self.tables[table]
        self.touched[rows] = self
        if table.grows_only:
            rows.added.append(row)
            return
        key = rows.key_of(row)
        if self._stored is not None:
            self._now(rows, key)  # what it replaces must be known when the command ends
        rows.changes[key] = row

    def change(self, table: Table[R], row: R, **changes: Any) -> None:
        """This will put the row with these attributes changed.

        A row that the command under way has made itself is changed in place, so `row` is not to be read afterwards.
        """
        rows = self.tables[table]
        key = rows.key_of(row)
        if rows.changes.get(key) is row and key not in rows.indexed:
            standing = rows.standing.get(key)
            if standing is None or standing[0] is not row:
                for name, value in changes.items():
                    force_setattr(row, name, value)
                return
        if self._stored is not None:
            self._now(rows, key)  # what it replaces must be known when the command ends
        self.touched[rows] = self
        rows.changes[key] = replace(row, **changes)

    def remove(self, table: Table[Any], key: Any) -> None:
        """This will end the row; nothing happens if there is none."""
        row = self.get(table, key)
        if row is not None:
            rows = self.tables[table]
            inner = table.inner(key)
            self.touched[rows] = self
            rows.changes[inner] = None

    def where(self, table: Table[R], lookup: str, value: Any) -> list[R]:
        """This will give the rows whose lookup column has the value now, in the order of their keys."""
        rows = self.tables[table]
        if self._stored is not None and (lookup, value) not in rows.complete:
            for valid_from, row in self._stored.by_lookup(table, lookup, value):
                rows.keep(valid_from, row)
            rows.complete.add((lookup, value))
        rows.index_changes()
        found = []
        for key in sorted(rows.found[lookup].get(value, ())):
            changed = rows.changes.get(key)
            found.append(changed if changed is not None else rows.standing[key][0])  # type: ignore[index]
        return found

    def fetch(self, table: Table[Any], keys: Iterable[Any]) -> None:
        """This will bring stored rows into memory in one query, by inner keys; keys that have none are known from then on."""
        rows = self.tables[table]
        missing = [key for key in keys if key not in rows.standing]
        if missing and self._stored is not None:
            for valid_from, row in self._stored.by_key(table, missing):
                rows.keep(valid_from, row)
            for key in missing:
                rows.standing.setdefault(key, None)

    def _now(self, rows: TableRows, key: Any) -> Any:
        if key in rows.changes:
            return rows.changes[key]
        standing = rows.standing.get(key)
        if standing is None:
            if self._stored is None or key in rows.standing:
                return None
            self.fetch(rows.table, [key])
            standing = rows.standing[key]
        return None if standing is None else standing[0]

    def settle(self, position: int) -> None:
        """This will end a command whose last fact is at the position."""
        for table, rows in self.touched.items():
            table.settle(position, rows)
        self.touched.clear()
