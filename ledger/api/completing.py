"""What turns values into what is sent of them: the pieces that a selection is compiled to.

Each gives up with Irregular on what is not as it usually is: a null where none may be, an error, a value of an unusual type.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any
from uuid import UUID

from graphql import (
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLString,
    Undefined,
)
from graphql.type import GraphQLBoolean

from ledger.api.assembling import Assemble
from ledger.directory.members import Person

Complete = Callable[[Any], Any]
INT_MAX = 2**31
#: What JSON has a form for that is also the scalar's: it is written at the end and not turned into text before.
WRITTEN_AS_IT_IS: dict[str, type] = {"UUID": UUID}
#: Types of values that are neither an error nor to be awaited.
PLAIN = (str, int, float, bool, UUID, Decimal, datetime, date, dict, list, tuple)


class Irregular(Exception):  # noqa: N818 - named for what happened
    """This can't be completed the fast way."""


def of_class(assemble: Assemble, origin: type | None) -> Complete:
    """This will complete an object. `origin`: the class that it must be of; None: any that is not odd."""
    usual: set[type] = set() if origin is None else {origin}

    def complete(found: Any) -> dict[str, Any]:
        if found.__class__ not in usual:
            if origin is not None:
                raise Irregular
            _refuse_odd(found)
            usual.add(found.__class__)
        return assemble(found, None)

    return complete


def of_shown(assemble: Assemble, origin: type) -> Complete:
    """This will complete an object that shows a row."""

    def complete(found: Any) -> dict[str, Any]:
        if found.__class__ is not origin:
            raise Irregular
        shown: Any = found
        return assemble(shown.of_row, shown.of_people)

    return complete


def with_people(show: Callable[[Any, Any], Any], complete: Complete) -> Callable[[Any, Any], Any]:
    """This will show a value with the people and then complete it."""
    return lambda value, people: complete(None if value is None else show(value, people))


def row(assemble: Assemble, struct: type) -> Callable[[Any, Any], Any]:
    """This will complete a row of one struct."""

    def complete(row: Any, people: Any) -> Any:
        if row.__class__ is not struct:
            raise Irregular
        return assemble(row, people)

    return complete


def rows(assemble: Assemble, struct: type) -> Callable[[Any, Any], Any]:
    """This will complete rows of one struct."""

    def complete(rows: Any, people: Any) -> Any:
        if rows.__class__ not in (tuple, list) or any(row.__class__ is not struct for row in rows):
            raise Irregular
        return [assemble(row, people) for row in rows]

    return complete


def member(assemble: Assemble) -> Callable[[Any, Any], Any]:
    """This will complete a member's id by who that is: a person has the fields of a `Member`."""
    return lambda member_id, people: assemble(people.get(member_id) or Person(member_id), None)


def members(assemble: Assemble) -> Callable[[Any, Any], Any]:
    """This will complete the ids of several."""

    def complete(ids: Any, people: Any) -> Any:
        if ids.__class__ is not tuple:
            raise Irregular
        return [assemble(people.get(member_id) or Person(member_id), None) for member_id in ids]

    return complete


def listed(complete: Complete, *, is_nullable: bool) -> Complete:
    """This will complete each item of a list; only of a list or a tuple, which can be read again."""

    def complete_list(values: Any) -> list[Any]:
        if values.__class__ is not list and values.__class__ is not tuple:
            raise Irregular
        if is_nullable:
            return [None if value is None else complete(value) for value in values]
        return [complete(value) for value in values]

    return complete_list


def maybe(complete: Complete, *, is_nullable: bool) -> Complete:
    """This will complete a value that may be null, or give up where it may not."""

    def complete_maybe(value: Any) -> Any:
        if value is None:
            return None
        return complete(value)

    return complete_maybe if is_nullable else complete


def leaf(kind: GraphQLLeafType) -> tuple[type | None, Complete]:
    """This will give the class whose values are sent as they are (None: none), and what completes a value that is not null."""
    if isinstance(kind, GraphQLEnumType):
        return _enum(kind)
    coerce = kind.coerce_output_value

    def complete(value: Any) -> Any:
        if not isinstance(value, PLAIN):
            raise Irregular
        sent = coerce(value)
        if sent is None or sent is Undefined:
            raise Irregular
        return sent

    if kind in (GraphQLString, GraphQLID):
        return str, complete
    if kind is GraphQLBoolean:
        return bool, complete
    if kind is GraphQLInt:
        return None, lambda value: value if value.__class__ is int and -INT_MAX <= value < INT_MAX else complete(value)
    if kind is GraphQLFloat:
        return None, lambda value: value if value.__class__ is float and isfinite(value) else complete(value)
    if kind.name in WRITTEN_AS_IT_IS:
        return WRITTEN_AS_IT_IS[kind.name], complete
    if kind.name == "DateTime":
        return None, lambda value: value if value.__class__ is datetime and value.tzinfo is UTC else complete(value)
    return None, complete


def _enum(kind: GraphQLEnumType) -> tuple[type | None, Complete]:
    names: Mapping[Any, str] = {}
    wrapped = getattr(kind, "wrapped_cls", None)
    if wrapped is not None and issubclass(wrapped, Enum):
        names = {member: kind.coerce_output_value(member) for member in wrapped}

    def complete(value: Any) -> str:
        if value.__class__ is not wrapped:
            raise Irregular
        return names[value]

    # A text that is its own name is written at the end, as the encoder writes enums.
    is_its_name = wrapped is not None and issubclass(wrapped, str) and all(name == one for one, name in names.items())
    return wrapped if is_its_name else None, complete


def _refuse_odd(found: Any) -> None:
    """This will raise Irregular for what is no object of our types: an error, a value to be awaited, nothing at all."""
    if not hasattr(found.__class__, "__strawberry_definition__"):
        raise Irregular
