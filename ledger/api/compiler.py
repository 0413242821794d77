"""From a selection to the function that completes values under it."""

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

from ledger.api.assembling import Field, assembled
from ledger.api.completing import (
    Complete,
    Irregular,
    leaf,
    listed,
    member,
    members,
    of_class,
    of_shown,
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
        assemble = assembled(self.fields(kind, details, shown))
        return of_class(assemble, origin if kind.is_type_of else None) if shown is None else of_shown(assemble, origin)

    def fields(self, kind: GraphQLObjectType, details: FieldDetailsList, shown: Shown | None) -> list[Field]:
        """This will compile each selected field."""
        selected, deferred, _ = self.executor.collect_subfields(kind, details)
        if deferred or any(one.fragment_variable_values for group in selected.values() for one in group):
            raise Irregular
        found: list[Field] = []
        for name, group in selected.items():
            node = group[0].node
            if node.name.value == "__typename":
                found.append(Field(name, None, kind.name))
                continue
            field = self.executor.schema.get_field(kind, node.name.value)
            if field is None:
                continue
            if field.args or node.arguments or not getattr(field.resolve, "_is_default", False):
                raise Irregular(node.name.value)
            attribute = field.extensions[DEFINITION].python_name
            part = shown.part(attribute) if shown is not None else None
            if part is not None:
                found.append(self.part(name, field.type, group, *part))
            elif shown is not None:
                raise Irregular(attribute)
            else:
                found.append(self.completed(name, attribute, field.type, group))
        return found

    def completed(self, name: str, attribute: str, kind: GraphQLOutputType, group: FieldDetailsList) -> Field:
        """This will compile a field that is an attribute."""
        is_nullable = not isinstance(kind, GraphQLNonNull)
        bare = kind if is_nullable else kind.of_type  # type: ignore[union-attr]
        exact = leaf(bare)[0] if isinstance(bare, (GraphQLScalarType, GraphQLEnumType)) else None
        return Field(name, attribute, self.value(bare, group), exact, is_nullable)

    def part(self, name: str, kind: GraphQLOutputType, group: FieldDetailsList, attribute: str, part: Part) -> Field:
        """This will compile a field of a shown row, which takes the people whom the row names besides."""
        if part.inside is None and not part.is_member:
            found = self.completed(name, attribute, kind, group)
            if part.show is None:
                return found
            return found._replace(finish=with_people(part.show, found.finish), exact=None, takes_people=True)
        is_nullable = not isinstance(kind, GraphQLNonNull)
        bare = kind if is_nullable else kind.of_type  # type: ignore[union-attr]
        of_item = bare.of_type if part.is_list else bare  # type: ignore[union-attr]
        named = of_item.of_type if isinstance(of_item, GraphQLNonNull) else of_item
        assemble = assembled(self.fields(named, group, part.inside))  # type: ignore[arg-type]
        if part.inside is None:
            finish = (members if part.is_list else member)(assemble)
        else:
            finish = (rows if part.is_list else row)(assemble, part.inside.struct)
        return Field(name, attribute, finish, None, is_nullable, takes_people=True)


def _origin(kind: GraphQLObjectType) -> type:
    definition = kind.extensions.get(DEFINITION)
    if definition is None:
        raise Irregular(kind.name)
    origin: type = definition.origin
    return origin
