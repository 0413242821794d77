"""From a selection to the function that completes values under it."""

from operator import attrgetter
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
)
from graphql.execution.collect_fields import FieldDetailsList
from graphql.execution.executor import Executor

from ledger.api.completing import (
    Complete,
    Irregular,
    assembled,
    assembled_of_row,
    constant,
    leaf,
    listed,
    maybe,
    never,
    row,
    rows,
    with_people,
)
from ledger.api.shown import Part, Shown, shown_type

DEFINITION = "strawberry-definition"


class Compiler:
    """Compiles the selections of one execution. Each method raises Irregular for what has no fast way."""

    def __init__(self, executor: Executor[Any]) -> None:
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
                found.append((name, constant(kind.name), str, never))
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
            return get, None, with_people(part.show, complete)
        is_nullable = not isinstance(kind, GraphQLNonNull)
        bare = kind if is_nullable else kind.of_type  # type: ignore[union-attr]
        of_item = bare.of_type if part.is_list else bare  # type: ignore[union-attr]
        named = of_item.of_type if isinstance(of_item, GraphQLNonNull) else of_item
        of_row = assembled_of_row(self.fields(named, group, part.inside))  # type: ignore[arg-type]
        if part.is_list:
            return get, None, rows(of_row, part.inside.struct, is_nullable=is_nullable)
        return get, None, row(of_row, part.inside.struct, is_nullable=is_nullable)


def _origin(kind: GraphQLObjectType) -> type:
    definition = kind.extensions.get(DEFINITION)
    if definition is None:
        raise Irregular(kind.name)
    origin: type = definition.origin
    return origin
