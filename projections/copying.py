"""Versions of rows in PostgreSQL's binary COPY format, made by hand: several times faster than a driver that adapts each value."""

import struct
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import chain, repeat
from operator import attrgetter, floordiv, methodcaller, sub
from struct import Struct as Packing
from typing import Any
from uuid import UUID

from psycopg import Connection, sql

from projections.rows import Version
from projections.table import Column, SqlType, Table

_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_TRAILER = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_length = Packing("!i").pack
_bigint = Packing("!iq").pack
_float = Packing("!id").pack
_array = Packing("!iiiiii").pack
_TRUE, _FALSE = _length(1) + b"\x01", _length(1) + b"\x00"
_UUID = _length(16)
_int = attrgetter("int")
_bytes = methodcaller("to_bytes", 16, "big")
_LENGTHS = tuple(_length(n) for n in range(4096))

#: PostgreSQL counts from 2000-01-01, in microseconds.
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TEXT_OID, _UUID_OID = 25, 2950


def _uuid(value: UUID | None) -> bytes:
    return _NULL if value is None else _UUID + value.int.to_bytes(16, "big")


def _raw(data: bytes) -> bytes:
    size = len(data)
    return (_LENGTHS[size] if size < 4096 else _length(size)) + data  # noqa: PLR2004 the table's own size


@lru_cache(maxsize=65536)
def _text(value: str | None) -> bytes:
    # PostgreSQL's text can't hold NUL; the row itself, as JSON, keeps it.
    return _NULL if value is None else _raw(value.replace("\0", "\ufffd").encode())


def _integer(value: int | None) -> bytes:
    return _NULL if value is None else _bigint(8, value)


def _double(value: float | None) -> bytes:
    return _NULL if value is None else _float(8, value)


def _boolean(value: bool | None) -> bytes:
    return _NULL if value is None else _TRUE if value else _FALSE


def _instant(value: datetime | None) -> bytes:
    return _NULL if value is None else _bigint(8, (value - _EPOCH) // _MICROSECOND)


def _array_of(oid: int, pack: Callable[[Any], bytes]) -> Callable[[Iterable[Any] | None], bytes]:
    empty = _length(12) + Packing("!iii").pack(0, 0, oid)

    def packed(values: Iterable[Any] | None) -> bytes:
        if values is None:
            return _NULL
        elements = [pack(value) for value in values]
        if not elements:
            return empty
        body = b"".join(elements)
        return _array(20 + len(body), 1, 0, oid, len(elements), 1) + body

    return packed


_PACKERS: dict[SqlType, Callable[[Any], bytes]] = {
    "uuid": _uuid,
    "text": _text,
    "varchar": _text.__wrapped__,
    "bigint": _integer,
    "float8": _double,
    "boolean": _boolean,
    "timestamptz": _instant,
    "uuid[]": _array_of(_UUID_OID, _uuid),
    "text[]": _array_of(_TEXT_OID, _text),
}


def _uuids(values: Iterable[Any]) -> Iterable[bytes]:
    return map(_bytes, map(_int, values))


def _instants(values: Iterable[Any]) -> Iterable[int]:
    return map(floordiv, map(sub, values, repeat(_EPOCH)), repeat(_MICROSECOND))


#: Types that are as wide in every row: how a head takes them, how many bytes that is, and what it makes of a column's values first.
_WIDE: dict[SqlType, tuple[str, int, Callable[[Iterable[Any]], Iterable[Any]]]] = {
    "uuid": ("i16s", 16, _uuids),
    "bigint": ("iq", 8, iter),
    "float8": ("id", 8, iter),
    "boolean": ("iB", 1, iter),
    "timestamptz": ("iq", 8, _instants),
}

Pack = Callable[[Sequence[Version]], bytes]


def in_order(table: Table[Any]) -> tuple[list[Column], list[Column]]:
    """This will give the columns that are in the head of a copied row, and those that follow its document."""
    head = [column for column in table.columns if column.type in _WIDE and not column.optional]
    return head, [column for column in table.columns if column not in head]


def packer(table: Table[Any]) -> Pack:
    """This will give the function that turns versions of the table's rows into the body of a binary COPY.

    A row begins with its head, which one call packs: the columns that are as wide in every row, the range, the length of the document.
    All goes column by column, so that the loops over rows run in C. Raises what the values raise that do not fit their columns:
    struct.error, AttributeError, UnicodeEncodeError, OverflowError.
    """
    head, others = in_order(table)
    layout = "!h" + "".join(_WIDE[column.type][0] for column in head)
    closed, standing = Packing(f"{layout}iqiqi").pack, Packing(f"{layout}iqii").pack
    quick = [(column.value, repeat(_WIDE[column.type][1]), _WIDE[column.type][2]) for column in head]
    careful = [(column.value, _PACKERS[column.type]) for column in head]
    rest = [(column.value, _PACKERS[column.type]) for column in others]
    fields, eight = repeat(len(table.columns) + 3), repeat(8)
    count = Packing("!h").pack(len(table.columns) + 3)
    encode = table.encode

    def heads(
        since: Sequence[int], until: Sequence[int | None], rows: Sequence[Any], docs: list[bytes]
    ) -> Iterable[bytes]:
        ends: list[Iterable[Any]] = [repeat(-1)] if until.count(None) == len(until) else [eight, until]
        pack_head = standing if len(ends) == 1 else closed
        try:
            wide = [part for value, size, take in quick for part in (size, take(map(value, rows)))]
            return list(map(pack_head, fields, *wide, eight, since, *ends, map(len, docs)))
        except (struct.error, TypeError, AttributeError):
            # A value is None where few are, or only some of the versions stand.
            one_by_one = [map(pack_value, map(value, rows)) for value, pack_value in careful]
            ranges = map(_integer, since), map(_integer, until)
            return map(b"".join, zip(repeat(count), *one_by_one, *ranges, map(_length, map(len, docs)), strict=False))

    def pack(versions: Sequence[Version]) -> bytes:
        if not versions:
            return b""
        since, until, rows = zip(*versions, strict=True)
        docs = list(map(encode, rows))
        texts = [map(pack_value, map(value, rows)) for value, pack_value in rest]
        return b"".join(chain.from_iterable(zip(heads(since, until, rows, docs), docs, *texts, strict=False)))

    return pack


@lru_cache  # composing it takes as long as running it for a few rows
def copy_statement(table: Table[Any], schema: str, *, freeze: bool = False) -> bytes:
    """This will give the COPY that takes what the packer makes; `freeze` where the table was made in this transaction."""
    head, others = in_order(table)
    names = [*(c.name for c in head), "valid_from", "valid_to", "doc", *(c.name for c in others)]
    composed = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary{})").format(
        sql.Identifier(schema, table.name),
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(", FREEZE" if freeze else ""),
    )
    return composed.as_bytes()


def whole(body: Iterable[bytes]) -> Iterable[bytes]:
    """This will put what a binary COPY begins and ends with round the packed versions."""
    return chain([_HEADER], body, [_TRAILER])


def copy(connection: Connection[Any], table: Table[Any], schema: str, body: bytes) -> None:
    """This will store packed versions in one COPY."""
    with connection.cursor() as cursor, cursor.copy(copy_statement(table, schema)) as target:
        target.write(b"".join(whole([body])))
