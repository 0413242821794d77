"""What a view's table looks like: a row struct, its key, and the few attributes that are real columns."""

from collections.abc import Callable
from functools import cached_property
from hashlib import sha256
from operator import attrgetter
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct

R = TypeVar("R", bound=Struct)

#: Take `varchar` for texts that are long and seldom the same twice: `text` is packed from memory.
SqlType = Literal["uuid", "text", "varchar", "bigint", "float8", "boolean", "timestamptz", "uuid[]", "text[]"]

#: Raise it when the way in which rows are stored changes: every view is then built again.
STORAGE_VERSION = 6


class Column(Struct, frozen=True):
    """An attribute that queries filter, order or join by. `of` gives its value from a row; None: the attribute of that name.

    A value may be None. Decimals have no column type of their own: order by a float8, keep the exact figure in the row.
    """

    name: str
    type: SqlType
    of: Callable[[Any], Any] | None = None
    #: None in many rows: it is then packed apart from those that are as wide in every row.
    optional: bool = False

    @property
    def value(self) -> Callable[[Any], Any]:
        """This will give the function from a row to the column's value."""
        return self.of or attrgetter(self.name)


class Derived(Struct, frozen=True):
    """A column that the database makes of the row's others by itself, as `expression` says in SQL; immutable functions only.

    It stays in the row itself where a page can hold it, so that what is asked of many rows is checked without a look elsewhere.
    """

    name: str
    type: Literal["tsvector"]
    expression: str


#: Three quarters of the bytes that JSON takes, and of the time to read them again; UUIDs are half of most rows.
_encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode

#: Until which position a version stands, as SQL: a number for one that stands now too, so that an index can compare it.
UNTIL = "COALESCE(valid_to, 9223372036854775807)"


class Index(Struct, frozen=True):
    """An index that a query needs: `on` is its list of columns as SQL has it, such as `team_id, score DESC`.

    `current`: only over the rows that stand now, which keeps it small; an as-of query then doesn't use it. One over all versions ends in
    the positions between which each stands, so that an as-of query passes over the others without reading their rows.
    """

    on: str
    current: bool = True
    #: A further condition in SQL, such as `status = 'PENDING'`.
    where: str = ""
    method: Literal["btree", "gin"] = "btree"
    holds: str = ""


class Table(Generic[R]):
    """One table of one view. Make it once, at module level; it is compared and hashed by identity.

    In the database it has the columns, `valid_from` and `valid_to` (positions: from the first up to before the second; NULL: it still
    stands), and `doc`, the whole row as MessagePack. The row is a frozen struct; give it `array_like=True, gc=False` where it is written
    often (its bytes are then half as many), and append fields only at the end with a default, or not at all: any change of the definition
    builds the view again anyway.

    - `key`: names of columns that together identify a row. They never change for a row.
    - `columns`: keep them few; each costs about 0.2 µs a version.
    - `lookups`: columns by which `Rows.where` finds the current rows; each gets an index of its own.
    - `by_stream`: the key is the stream's id of the facts that change the row, so that a follower can fetch a batch's rows at once.
    - `finish`: gives each changed row, once its command ends, what follows from all its changes together. It takes rows, row and the
      row that stood before the command (None: there was none), puts nothing, and keeps the key and what the lookups read.
    - `order`: in which order a rebuild stores the rows that stand, so that those that are asked for together lie side by side.
    - `grows_only`: a row is put once and never changed, read or looked up by the projector. It is not kept in memory.
    - `documents` False: the columns say all that is asked of a row, and `doc` is empty. Only where the table grows only.
    """

    def __init__(
        self,
        name: str,
        row: type[R],
        *,
        key: tuple[str, ...],
        columns: tuple[Column, ...],
        lookups: tuple[str, ...] = (),
        indexes: tuple[Index, ...] = (),
        derived: tuple[Derived, ...] = (),
        by_stream: bool = False,
        grows_only: bool = False,
        documents: bool = True,
        finish: Callable[[Any, R, R | None], R] | None = None,
        order: Callable[[R], Any] | None = None,
    ) -> None:
        names = [column.name for column in columns] + [column.name for column in derived]
        if unknown := {*key, *lookups} - {column.name for column in columns}:
            raise ValueError(f"table {name}: {sorted(unknown)} are no columns of it")
        if len(set(names)) != len(names) or {"valid_from", "valid_to", "doc"} & set(names):
            raise ValueError(f"table {name}: a column's name is taken")
        if grows_only and lookups:
            raise ValueError(f"table {name} only grows: it has no lookups")
        if not (documents or grows_only):
            raise ValueError(f"table {name}: a row that changes is read back from its document")
        self.name = name
        self.row = row
        self.key = key
        self.columns = columns
        self.lookups = lookups
        self.indexes = indexes
        self.derived = derived
        self.by_stream = by_stream
        self.grows_only = grows_only
        self.documents = documents
        self.finish = finish
        self.order = order
        self.encode: Callable[[R], bytes] = _encode if documents else _nothing
        self.decode: Callable[[bytes], R] = decoder(row)
        self.values: dict[str, Callable[[R], Any]] = {column.name: column.value for column in columns}
        by_name = {column.name: column for column in columns}
        self.key_types = tuple(by_name[name].type for name in key)
        self.key_of: Callable[[R], Any] = _key_of([by_name[name] for name in key])
        self.is_uuid_keyed = self.key_types == ("uuid",)

    def inner(self, key: Any) -> Any:
        """This will turn a key as a projector writes it into the one that rows are kept under: UUIDs alone as integers, which hash fast."""
        return key.int if self.is_uuid_keyed else key

    def outer(self, inner: Any) -> tuple[Any, ...]:
        """This will give the values of the key's columns back."""
        if self.is_uuid_keyed:
            return (UUID(int=inner),)
        return inner if len(self.key) > 1 else (inner,)

    @cached_property  # the schema of a row takes milliseconds to write out
    def definition(self) -> str:
        """This will give a hash, hexadecimal, of all that decides what is stored for a row."""
        schema = msgspec.json.encode(msgspec.json.schema(self.row), order="deterministic")
        shape = (
            [(c.name, c.type) for c in self.columns],
            self.key,
            self.lookups,
            self.indexes,
            self.grows_only,
            self.derived,
            self.documents,
        )
        config = (STORAGE_VERSION, self.row.__struct_config__.array_like, self.row.__struct_config__.omit_defaults)
        return sha256(repr((self.name, shape, config)).encode() + schema).hexdigest()

    def __repr__(self) -> str:
        return f"Table({self.name})"


def decoder(row: type[R]) -> Callable[[bytes], R]:
    """This will give the function from a `doc` to its row, or to another struct of the same shape."""
    return msgspec.msgpack.Decoder(row).decode


def _nothing(_: Struct) -> bytes:
    return b""


def _key_of(columns: list[Column]) -> Callable[[Any], Any]:
    if len(columns) > 1:
        values = [column.value for column in columns]
        return lambda row: tuple([value(row) for value in values])
    (column,) = columns
    if column.type != "uuid":
        return column.value
    return attrgetter(f"{column.name}.int") if column.of is None else lambda row: column.value(row).int
