"""Output types made from the views' row structs: a field is named, typed and described once, and a row becomes an answer in one pass.

A type shows the fields that are described, and no other. A member's id is shown as a `Member`, whose name the directory gives:
`members_of` collects the ids that the selected fields show, so that one statement reads all names of an answer. A shown row makes a field's
value when it is asked for, so that a field that nobody selects costs nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import strawberry
from msgspec import Struct
from strawberry.scalars import JSON
from strawberry.utils.str_converters import to_camel_case

from ledger.api.context import Context
from ledger.api.inputs import make
from ledger.api.member import Member
from ledger.api.node import Node, global_id
from ledger.api.scalars import Position
from ledger.api.standing import Connection
from ledger.directory.members import Person
from ledger.values import MemberId

#: None: the directory does not know them.
People = Mapping[MemberId, Person | None]
#: Adds the members that a row names to a set.
Naming = Callable[[Any, set[MemberId]], None]
#: Fields of these names are positions in the ledger, whatever struct they are in.
POSITIONS = frozenset({"position", "knowledge_position"})
#: What is kept for different selections of each type.
SELECTIONS_MAX = 1_024
PLAIN = (str, bool, int, float, UUID, Decimal, datetime, date)


class Part(NamedTuple):
    """One field's GraphQL type, how its value is shown (None: as it is), and whether it is a member.

    `inside`: how the row is shown that the field holds, or, with `is_list`, each of several; None: it holds none.
    """

    annotation: Any
    show: Callable[[Any, People], Any] | None = None
    is_member: bool = False
    inside: "Shown | None" = None
    is_list: bool = False


class OfRow:
    """What a shown type's instances are: a row, the people whom it names, and the fields that were asked for so far."""

    of_row: Any
    of_people: People

    def __getattr__(self, name: str) -> Any:
        shown = shown_type(type(self))
        found = shown.part(name) if shown is not None else None
        if found is None:
            raise AttributeError(name)
        attribute, part = found
        value = getattr(self.of_row, attribute)
        if value is not None and part.show is not None:
            value = part.show(value, self.of_people)
        vars(self)[name] = value
        return value


class Shown:
    """How one struct is shown; make it with `shown`."""

    def __init__(self, struct: type[Struct], type_: type, parts: dict[str, Part], node: str | None = None) -> None:
        self.struct = struct
        #: The field whose UUID the global id is made from; None: it is no node.
        self.node = node
        #: The GraphQL type.
        self.type: Any = type_
        self._parts = {shown_name(name, part): (name, part) for name, part in parts.items()}
        if node is not None:
            self._parts["id"] = node, Part(strawberry.ID, lambda uuid, _: global_id(type_.__name__, uuid))

    def show(self, row: Any, people: People) -> Any:
        """This will turn a row into its GraphQL type."""
        found = _new(self.type)
        found.of_row = row
        found.of_people = people
        return found

    def part(self, name: str) -> tuple[str, Part] | None:
        """This will give the attribute of a row that a field is, and how it is shown; None: there is no such field."""
        return self._parts.get(name)

    @lru_cache(maxsize=SELECTIONS_MAX)  # noqa: B019 - what is shown is there for good
    def naming(self, selected: frozenset[str] | None) -> Naming | None:
        """This will compile what collects the members that a row names in fields of these names, at any depth; None: there are none.

        `selected` None: in all fields.
        """
        ways = []
        for name, (attribute, part) in self._parts.items():
            way = _way(part, selected) if selected is None or to_camel_case(name) in selected else None
            if way is not None:
                ways.append((attrgetter(attribute), way))

        def collect(row: Any, found: set[MemberId]) -> None:
            for get, way in ways:
                value = get(row)
                if value is not None:
                    way(value, found)

        return collect if ways else None

    @lru_cache(maxsize=SELECTIONS_MAX)  # noqa: B019
    def attributes(self, selected: frozenset[str]) -> frozenset[str]:
        """This will give the attributes of a row that are fields of these names."""
        return frozenset(attribute for name, (attribute, _) in self._parts.items() if to_camel_case(name) in selected)

    def members(self, rows: Iterable[Any], selected: frozenset[str] | None = None) -> set[MemberId]:
        """This will give the members that rows name in fields of these names (None: in all), at any depth."""
        found: set[MemberId] = set()
        collect = self.naming(selected)
        if collect is not None:
            for row in rows:
                collect(row, found)
        return found

    async def members_of(
        self, rows: Iterable[Any], context: Context, connection: Connection, selected: frozenset[str] | None = None
    ) -> People:
        """This will read the names of `members`, in one statement; in none where nobody is named."""
        found = self.members(rows, selected)
        return await context.members(found, connection) if found else {}


SHOWN: dict[type[Struct], Shown] = {}
_TYPES: dict[type, Shown] = {}
_new = object.__new__


def shown_type(type_: type) -> Shown | None:
    """This will give how rows become a GraphQL type; None: its instances are not made of rows."""
    return _TYPES.get(type_)


def shown(
    struct: type[Struct], about: str, *, type_name: str | None = None, node: str | None = None, **fields: str
) -> Shown:
    """This will make the GraphQL type of a struct from the descriptions of its fields and properties, in their order.

    `node` names the field with its UUID where `node(id)` finds it; name its reader in `schema.NODES` then.
    """
    hints = get_type_hints(struct)
    parts = {field: _part(field, _hint(struct, field, hints)) for field in fields}
    body = {
        shown_name(field, part): (part.annotation, strawberry.field(description=fields[field]))
        for field, part in parts.items()
    }
    bases = (OfRow, Node) if node is not None else (OfRow,)
    name = type_name or struct.__name__
    if name in {other.type.__name__ for other in SHOWN.values()}:
        raise ValueError(f"two structs cannot both be shown as {name}: give one of them a type_name")
    found = Shown(struct, make(strawberry.type, name, body, *bases, about=about), parts, node)
    SHOWN[struct] = _TYPES[found.type] = found
    return found


def shown_name(field: str, part: Part) -> str:
    """This will name a field as a client sees it: what is a member in the answer is not called an id."""
    return field.removesuffix("_id") if part.is_member else field


def _hint(struct: type[Struct], field: str, hints: dict[str, Any]) -> Any:
    if field in hints:
        return hints[field]
    return get_type_hints(getattr(struct, field).fget)["return"]


def _part(field: str, hint: Any) -> Part:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        (some,) = (one for one in inner if one is not NoneType)
        part = _part(field, some)
        return part._replace(annotation=part.annotation | None)
    if origin is tuple:
        return _listed(_part(field, inner[0]))
    if origin is dict:
        return Part(JSON)
    if hint is MemberId:
        return Part(Member, Member.of, is_member=True)
    bare = getattr(hint, "__supertype__", hint)
    if bare is int and field in POSITIONS:
        return Part(Position)
    if bare in SHOWN:
        inside = SHOWN[bare]
        return Part(inside.type, inside.show, inside=inside)
    if isinstance(bare, type) and (issubclass(bare, Enum) or bare in PLAIN):
        return Part(bare)
    raise TypeError(f"{field}: no GraphQL type for {hint}; show its struct first")


def _listed(part: Part) -> Part:
    annotation: Any = list[part.annotation]  # type: ignore[name-defined]
    return Part(annotation, list_of(part.show) if part.show else None, part.is_member, part.inside, is_list=True)


def _way(part: Part, selected: frozenset[str] | None) -> Callable[[Any, Any], None] | None:
    """This will compile what collects the members of a field's value; None: it can name none."""
    if part.is_member:
        return (lambda members, found: found.update(members)) if part.is_list else (lambda one, found: found.add(one))
    collect = None if part.inside is None else part.inside.naming(selected)
    if collect is None or not part.is_list:
        return collect

    def collect_all(rows: Any, found: set[MemberId]) -> None:
        for row in rows:
            collect(row, found)

    return collect_all


def list_of(show: Callable[[Any, People], Any]) -> Callable[[Any, People], list[Any]]:
    """This will show each of several values."""
    return lambda values, people: [show(value, people) for value in values]
