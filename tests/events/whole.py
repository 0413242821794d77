"""One example of each type of fact with every field filled in, always the same, made from the type itself."""

from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct, inspect


def example(kind: type[Struct]) -> Struct:
    made = _value(inspect.type_info(kind), 0)
    assert isinstance(made, kind)
    return made


def _value(of: Any, number: int) -> Any:  # noqa: PLR0912 - a case for each kind of type
    match of:
        case inspect.Metadata():
            return _value(of.type, number)
        case inspect.StructType():
            return of.cls(*(_value(field.type, index) for index, field in enumerate(of.fields, 1)))
        case inspect.UnionType():
            return _value(next(each for each in of.types if not isinstance(each, inspect.NoneType)), number)
        case inspect.VarTupleType():
            return (_value(of.item_type, number), _value(of.item_type, number + 1))
        case inspect.TupleType():
            return tuple(_value(each, number + index) for index, each in enumerate(of.item_types))
        case inspect.DictType():
            return {"drag": _value(of.value_type, number)}
        case inspect.AnyType():
            return "any"
        case inspect.EnumType():
            members: list[Enum] = list(of.cls)
            return members[number % len(members)]
        case inspect.StrType():
            return f"é text {number}"
        case inspect.BoolType():
            return True
        case inspect.IntType():
            return number + 1
        case inspect.FloatType():
            return number + 0.5
        case inspect.DecimalType():
            return Decimal(number) + Decimal("0.25")
        case inspect.UUIDType():
            return UUID(int=number)
        case inspect.DateTimeType():
            return datetime(2026, 1, 1 + number, 12, 30, 0, 250_000, UTC)
    raise TypeError(f"no example of {of}")


def stored(fact: Struct) -> bytes:
    return msgspec.json.encode(fact)
