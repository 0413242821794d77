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
from projections.table import SqlType, Table

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


def _uuids(values: list[Any]) -> Iterable[bytes]:
    return map(_UUID.__add__, map(_bytes, list(map(_int, values))))


def _instants(values: list[Any]) -> Iterable[bytes]:
    since = list(map(sub, values, repeat(_EPOCH)))
    return map(_bigint, repeat(8), map(floordiv, since, repeat(_MICROSECOND)))


def _bigints(values: list[Any]) -> Iterable[bytes]:
    return list(map(_bigint, repeat(8), values))


def _doubles(values: list[Any]) -> Iterable[bytes]:
    return list(map(_float, repeat(8), values))


#: Packs a whole column whose values are all there by functions in C; what they refuse is packed value by value.
_ALL_THERE: dict[SqlType, Callable[[list[Any]], Iterable[bytes]]] = {
    "uuid": _uuids,
    "bigint": _bigints,
    "float8": _doubles,
    "timestamptz": _instants,
}

Pack = Callable[[Sequence[Version]], bytes]


def packer(table: Table[Any]) -> Pack:
    """This will give the function that turns versions of the table's rows into the body of a binary COPY.

    It goes column by column, so that the loops over rows run in C. Raises what the values raise that do not fit their columns:
    struct.error, AttributeError, UnicodeEncodeError, OverflowError.
    """
    columns = [(column.value, _ALL_THERE.get(column.type), _PACKERS[column.type]) for column in table.columns]
    head = Packing("!h").pack(len(columns) + 3)
    encode = table.encode

    def pack(versions: Sequence[Version]) -> bytes:
        if not versions:
            return b""
        since, until, rows = zip(*versions, strict=True)
        packed: list[Iterable[bytes]] = [repeat(head)]
        for value, quick, careful in columns:
            values = list(map(value, rows))
            packed.append(_column(values, quick, careful))
        packed += [map(_bigint, repeat(8), since), map(_integer, until)]
        docs = list(map(encode, rows))
        packed += [map(_length, map(len, docs)), docs]
        return b"".join(chain.from_iterable(zip(*packed, strict=False)))

    return pack


def _column(
    values: list[Any], quick: Callable[[list[Any]], Iterable[bytes]] | None, careful: Callable[[Any], bytes]
) -> Iterable[bytes]:
    if quick is not None:
        try:
            return quick(values)
        except (struct.error, TypeError, AttributeError):  # some are None
            pass
    return map(careful, values)


@lru_cache  # composing it takes as long as running it for a few rows
def copy_statement(table: Table[Any], schema: str, *, freeze: bool = False) -> bytes:
    """This will give the COPY that takes what the packer makes; `freeze` where the table was made in this transaction."""
    names = [column.name for column in table.columns] + ["valid_from", "valid_to", "doc"]
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
