"""Rows of which only some attributes are read: the others stay as the bytes that they are, which takes a third of the time."""

from collections.abc import Collection
from inspect import getattr_static
from types import CodeType
from typing import Any, TypeVar, get_type_hints

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import fields

S = TypeVar("S", bound=Struct)


def partial(struct: type[S], attributes: frozenset[str]) -> type[S]:
    """This will make the struct of rows of which these attributes can be asked, fields and properties, and no others.

    `struct` is one that is kept as an array. A field that neither they nor the properties among them look at is `Raw`.
    """
    hints, needed = get_type_hints(struct), fields_of(struct, attributes)
    shown: list[Any] = []
    for field in fields(struct):
        kind = hints[field.name] if field.name in needed else Raw
        shown.append((field.name, kind) if field.required else (field.name, kind, msgspec.field(default=field.default)))
    return msgspec.defstruct(struct.__name__, shown, bases=(struct,), frozen=True, array_like=True, gc=False)  # type: ignore[return-value]


def fields_of(struct: type[Struct], attributes: Collection[str]) -> frozenset[str]:
    """This will give the fields that some attributes are made of: a property's are all that its code names, and theirs."""
    seen: set[str] = set()
    waiting = list(attributes)
    while waiting:
        name = waiting.pop()
        found = getattr_static(struct, name, None)
        if name not in seen and isinstance(found, property) and found.fget is not None:
            waiting += _named(found.fget.__code__)
        seen.add(name)
    return frozenset(seen).intersection(struct.__struct_fields__)


def _named(code: CodeType) -> list[str]:
    inner = [name for part in code.co_consts if isinstance(part, CodeType) for name in _named(part)]
    return [*code.co_names, *inner]
