"""The fast way through an answer: a selection is compiled once to a function that turns rows into what is sent.

graphql-core completes each value of each row by itself: a path, a resolve info, a resolver and a dozen checks. Below the root our fields
are plain attributes, so a selection can be compiled to a closure that reads them and checks the same things; it is kept with the document.
Whatever is irregular (a null where none may be, an error, a value of an unusual type, an interface) makes the closure give up, and
graphql-core completes that object or list in its own way, with its own errors. Nothing is lost by that: reading attributes has no effects.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from math import isfinite
from operator import attrgetter
from typing import Any
from uuid import UUID

from graphql import (
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLString,
    Undefined,
)
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import Path
from graphql.type import GraphQLBoolean, GraphQLResolveInfo
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from ledger.api.shown import Part, Shown, shown_type
from ledger.directory.scopes import Scope

__all__ = ["PLANS_MAX", "Compiler", "LedgerExecutor", "Plans"]

Complete = Callable[[Any], Any]
#: Compiled selections per document.
PLANS_MAX = 64
INT_MAX = 2**31
DEFINITION = "strawberry-definition"
#: What JSON has a form for that is also the scalar's: it is written at the end and not turned into text before.
WRITTEN_AS_IT_IS: dict[str, type] = {"UUID": UUID}
#: Types of values that are neither an error nor to be awaited.
PLAIN = (str, int, float, bool, UUID, Decimal, datetime, date, dict, list, tuple)


class Irregular(Exception):  # noqa: N818 - named for what happened
    """This can't be completed the fast way."""


class Plans:
    """The compiled selections of one document, bounded; they live as long as it."""

    __slots__ = ("completed", "fell_back", "kept", "switches")

    def __init__(self, switches: frozenset[str] = frozenset()) -> None:
        #: The variables that directives look at: with other values a selection is another one.
        self.switches = tuple(sorted(switches))
        self.kept: dict[tuple[Any, ...], Complete | None] = {}
        self.completed = 0
        self.fell_back = 0

    def of(self, executor: "LedgerExecutor", kind: GraphQLOutputType, details: FieldDetailsList) -> Complete | None:
        """This will give the function that completes values of a type under a selection; None: there is no fast way."""
        values = executor.variable_values.coerced
        key = (str(kind), *(id(one.node) for one in details), *(values.get(name) for name in self.switches))
        if key in self.kept:
            return self.kept[key]
        if len(self.kept) >= PLANS_MAX:
            return None
        try:
            found: Complete | None = Compiler(executor).value(kind, details)
        except Irregular:
            found = None
        self.kept[key] = found
        return found


class LedgerExecutor(StrawberryGraphQLCoreExecutionContext):
    """graphql-core's executor, which takes the fast way where there is one.

    Only for a context that has `plans`: the data then holds UUIDs and instants, which the encoder of the answer must know how to write.
    """

    def __init__(self, *values: Any, **more: Any) -> None:
        super().__init__(*values, **more)
        if self.middleware_manager is not None and not self.middleware_manager.middlewares:
            self.middleware_manager = None  # strawberry gives one that does nothing

    @classmethod
    def build(
        cls, schema: Any, document: Any, root_value: Any = None, context_value: Any = None, *values: Any, **more: Any
    ) -> Any:
        """This will build it; whoever may not ask for the schema is not told of it by suggestions about variables either."""
        viewer = getattr(context_value, "viewer", None)
        more["hide_suggestions"] = viewer is None or Scope.INTROSPECT not in viewer.scopes
        return super().build(schema, document, root_value, context_value, *values, **more)

    def complete_object_value(
        self,
        return_type: GraphQLObjectType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Any:
        """This will complete an object."""
        done = self._completed(return_type, field_details_list, result)
        if done is not Undefined:
            return done
        return super().complete_object_value(return_type, field_details_list, info, path, result, position_context)

    def complete_list_value(
        self,
        return_type: GraphQLList[GraphQLOutputType],
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Any:
        """This will complete a list."""
        done = self._completed(return_type, field_details_list, result)
        if done is not Undefined:
            return done
        return super().complete_list_value(return_type, field_details_list, info, path, result, position_context)

    def _completed(self, kind: GraphQLOutputType, details: FieldDetailsList, result: Any) -> Any:
        plans: Plans | None = getattr(self.context_value, "plans", None)
        if plans is None or self.middleware_manager is not None or self.abort_signal is not None:
            return Undefined
        complete = plans.of(self, kind, details)
        if complete is None:
            return Undefined
        try:
            done = complete(result)
        except Exception:  # whatever it was, the standard way finds it again and says it properly
            plans.fell_back += 1
            return Undefined
        plans.completed += 1
        return done


class Compiler:
    """Compiles the selections of one execution. Each method raises Irregular for what has no fast way."""

    def __init__(self, executor: LedgerExecutor) -> None:
        self.executor = executor

    def value(self, kind: GraphQLOutputType, details: FieldDetailsList) -> Complete:
        """This will compile what completes a value that is not null."""
        if isinstance(kind, GraphQLNonNull):
            return self.value(kind.of_type, details)
        if isinstance(kind, GraphQLList):
            return listed(self.value(kind.of_type, details), is_nullable=not isinstance(kind.of_type, GraphQLNonNull))
        if isinstance(kind, GraphQLObjectType):
            return self.of_object(kind, details)
        if isinstance(kind, (GraphQLScalarType, GraphQLEnumType)):
            return leaf(kind)[1]
        raise Irregular(str(kind))

    def of_object(self, kind: GraphQLObjectType, details: FieldDetailsList) -> Complete:
        """This will compile what turns an object into what is sent of it."""
        origin = _origin(kind)
        shown = shown_type(origin)
        if shown is None:
            return assembled(self.fields(kind, details, None), origin if kind.is_type_of else None)
        of_row = assembled_of_row(self.fields(kind, details, shown))

        def complete(found: Any) -> Any:
            if found.__class__ is not origin:
                raise Irregular
            given: Any = found
            return of_row(given.of_row, given.of_people)

        return complete

    def fields(self, kind: GraphQLObjectType, details: FieldDetailsList, shown: Shown | None) -> list[tuple[Any, ...]]:
        """This will compile each selected field: name, getter, the class whose values are sent as they are, what completes others."""
        selected, deferred, _ = self.executor.collect_subfields(kind, details)
        if deferred or any(one.fragment_variable_values for group in selected.values() for one in group):
            raise Irregular
        found: list[tuple[Any, ...]] = []
        for name, group in selected.items():
            node = group[0].node
            if node.name.value == "__typename":
                found.append((name, _constant(kind.name), str, _never))
                continue
            field = self.executor.schema.get_field(kind, node.name.value)
            if field is None:
                continue
            if field.args or node.arguments or not getattr(field.resolve, "_is_default", False):
                raise Irregular(node.name.value)
            attribute = field.extensions[DEFINITION].python_name
            part = shown.part(attribute) if shown is not None else None
            if part is not None:
                found.append((name, *self.part(field.type, group, *part)))
            elif shown is not None:
                raise Irregular(attribute)
            else:
                found.append((name, attrgetter(attribute), *self.completed(field.type, group)))
        return found

    def completed(self, kind: GraphQLOutputType, group: FieldDetailsList) -> tuple[type | None, Complete]:
        """This will compile a field's value: the class whose values are sent as they are (None: none), and what completes others."""
        is_nullable = not isinstance(kind, GraphQLNonNull)
        bare = kind if is_nullable else kind.of_type  # type: ignore[union-attr]
        exact = leaf(bare)[0] if isinstance(bare, (GraphQLScalarType, GraphQLEnumType)) else None
        return exact, maybe(self.value(bare, group), is_nullable=is_nullable)

    def part(
        self, kind: GraphQLOutputType, group: FieldDetailsList, get: Complete, part: Part
    ) -> tuple[Complete, type | None, Any]:
        """This will compile a field of a shown row, which takes the people whom the row names besides."""
        if part.inside is None:
            exact, complete = self.completed(kind, group)
            if part.show is None:
                return get, exact, complete
            return get, None, _with_people(part.show, complete)
        is_nullable = not isinstance(kind, GraphQLNonNull)
        bare = kind if is_nullable else kind.of_type  # type: ignore[union-attr]
        of_item = bare.of_type if part.is_list else bare  # type: ignore[union-attr]
        named = of_item.of_type if isinstance(of_item, GraphQLNonNull) else of_item
        of_row = assembled_of_row(self.fields(named, group, part.inside))  # type: ignore[arg-type]
        if part.is_list:
            return get, None, _rows(of_row, part.inside.struct, is_nullable=is_nullable)
        return get, None, _row(of_row, part.inside.struct, is_nullable=is_nullable)


class WithPeople:
    """Marks what completes a field of a row and needs to know the people."""

    __slots__ = ("complete",)

    def __init__(self, complete: Callable[[Any, Any], Any]) -> None:
        self.complete = complete


def _constant(value: str) -> Complete:
    return lambda _: value


def _never(value: Any) -> Any:
    raise Irregular(value)


def assembled(fields: list[tuple[Any, ...]], origin: type | None) -> Complete:
    """This will put an object's fields together. `origin`: the class that it must be of; None: any that is not odd."""
    usual: set[type] = set() if origin is None else {origin}

    def complete(found: Any) -> dict[str, Any]:
        if found.__class__ not in usual:
            if origin is not None:
                raise Irregular
            _refuse_odd(found)
            usual.add(found.__class__)
        sent = {}
        for name, get, exact, finish in fields:
            value = get(found)
            sent[name] = value if value.__class__ is exact else finish(value)
        return sent

    return complete


def assembled_of_row(fields: list[tuple[Any, ...]]) -> Callable[[Any, Any], dict[str, Any]]:
    """This will put together what is sent of a view's row."""
    alone = [one for one in fields if not isinstance(one[3], WithPeople)]
    if len(alone) == len(fields):

        def complete_alone(row: Any, _: Any) -> dict[str, Any]:
            sent = {}
            for name, get, exact, finish in fields:
                value = get(row)
                sent[name] = value if value.__class__ is exact else finish(value)
            return sent

        return complete_alone
    parts = [
        (name, get, exact, *((None, finish.complete) if isinstance(finish, WithPeople) else (finish, None)))
        for name, get, exact, finish in fields
    ]

    def complete(row: Any, people: Any) -> dict[str, Any]:
        sent = {}
        for name, get, exact, finish, finish_with in parts:
            value = get(row)
            if value.__class__ is exact:
                sent[name] = value
            elif finish is not None:
                sent[name] = finish(value)
            else:
                sent[name] = finish_with(value, people)
        return sent

    return complete


def _with_people(show: Callable[[Any, Any], Any], complete: Complete) -> WithPeople:
    return WithPeople(lambda value, people: complete(None if value is None else show(value, people)))


def _row(of_row: Callable[[Any, Any], Any], struct: type, *, is_nullable: bool) -> WithPeople:
    def complete(row: Any, people: Any) -> Any:
        if row.__class__ is struct:
            return of_row(row, people)
        if row is None and is_nullable:
            return None
        raise Irregular

    return WithPeople(complete)


def _rows(of_row: Callable[[Any, Any], Any], struct: type, *, is_nullable: bool) -> WithPeople:
    def complete(rows: Any, people: Any) -> Any:
        if rows is None and is_nullable:
            return None
        if rows.__class__ not in (tuple, list) or any(row.__class__ is not struct for row in rows):
            raise Irregular
        return [of_row(row, people) for row in rows]

    return WithPeople(complete)


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
        return None, _enum(kind)
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


def _enum(kind: GraphQLEnumType) -> Complete:
    names: Mapping[Any, str] = {}
    wrapped = getattr(kind, "wrapped_cls", None)
    if wrapped is not None and issubclass(wrapped, Enum):
        names = {member: kind.coerce_output_value(member) for member in wrapped}

    def complete(value: Any) -> str:
        if value.__class__ is not wrapped:
            raise Irregular
        return names[value]

    return complete


def _origin(kind: GraphQLObjectType) -> type:
    definition = kind.extensions.get(DEFINITION)
    if definition is None:
        raise Irregular(kind.name)
    origin: type = definition.origin
    return origin


def _refuse_odd(found: Any) -> None:
    """This will raise Irregular for what is no object of our types: an error, a value to be awaited, nothing at all."""
    if not hasattr(found.__class__, "__strawberry_definition__"):
        raise Irregular
