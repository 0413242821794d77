"""The fast way through a query of one root field: what it asks for is compiled once, and each request then goes straight to the resolver.

It is another way through GraphQL and not another way in: the same resolver is asked with the same arguments. Whatever is irregular is
left to the standard executor, which finds what was read already (`Context.done`) and does not read it again.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import strawberry
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLField,
    GraphQLNonNull,
    GraphQLObjectType,
    OperationDefinitionNode,
    Undefined,
    VariableNode,
    type_from_ast,
    value_from_ast_untyped,
)
from graphql.execution.collect_fields import FieldDetailsList

from ledger.api.coercing import Coerce, coercion
from ledger.api.compiled import LedgerExecutor
from ledger.api.compiler import DEFINITION, Compiler
from ledger.api.completing import Complete, Irregular, maybe
from ledger.api.context import Context
from ledger.api.documents import Prepared
from ledger.api.operations import compiled


class Given(NamedTuple):
    """A value for the resolver: of a variable, or `otherwise`, which is a constant of the document, or Undefined: it is given none."""

    name: str
    variable: str | None
    otherwise: Any
    coerce: Coerce
    #: May the resolver get None?
    is_nullable: bool


class Selection(NamedTuple):
    """What `selects` looks at, of graphql-core's resolve info."""

    field_nodes: list[FieldNode]
    fragments: Mapping[str, FragmentDefinitionNode]


class Asked:
    """What our resolvers take of strawberry's info."""

    __slots__ = ("_raw_info", "context")

    def __init__(self, context: Context, selection: Selection) -> None:
        self.context, self._raw_info = context, selection


class Query(NamedTuple):
    """A query's one root field: what the answer calls it, the function that reads, what it is given, and the way out."""

    key: str
    read: Callable[..., Awaitable[Any]]
    given: tuple[Given, ...]
    selection: Selection
    complete: Complete


async def queried(
    schema: strawberry.Schema,
    prepared: Prepared,
    operation: OperationDefinitionNode,
    variables: dict[str, Any],
    context: Context,
) -> dict[str, Any] | None:
    """This will read what a query asks for and give the data of the answer; None: the standard executor must go on."""
    query = query_of(schema, prepared, operation, variables, context)
    if query is None:
        return None
    try:
        values = _values(query, variables)
    except Exception:  # nothing was read yet, and the standard way says properly what is wrong
        return None
    try:
        found: Any = await query.read(info=Asked(context, query.selection), **values)
    except Exception as error:
        context.done = {query.key: error}
        return None
    try:
        data = {query.key: query.complete(found)}
    except Exception:
        prepared.plans.fell_back += 1
        context.done = {query.key: found}
        return None
    prepared.plans.completed += 1
    return data


def query_of(
    schema: strawberry.Schema,
    prepared: Prepared,
    operation: OperationDefinitionNode,
    variables: dict[str, Any],
    context: Context,
) -> Query | None:
    """This will give what a query is compiled to; None: it has no fast way."""
    return compiled(schema, prepared, operation, variables, context, _query)


def _values(query: Query, variables: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for name, variable, otherwise, coerce, is_nullable in query.given:
        raw = otherwise if variable is None else variables.get(variable, otherwise)
        if raw is not Undefined:
            value = found[name] = coerce(raw)
            if value is None and not is_nullable:
                raise Irregular(name)
    return found


def _query(executor: LedgerExecutor, root: GraphQLObjectType, fields: dict[str, FieldDetailsList]) -> Query:
    if len(fields) != 1:
        raise Irregular
    ((key, details),) = fields.items()
    field = root.fields.get(details[0].node.name.value)
    if field is None or any(one.fragment_variable_values for one in details):
        raise Irregular(key)
    given = _given(executor, field, details)
    selection = Selection([one.node for one in details], executor.fragment_definitions)
    is_nullable = not isinstance(field.type, GraphQLNonNull)
    complete = maybe(Compiler(executor).value(field.type, details), is_nullable=is_nullable)
    return Query(key, _reader(field), given, selection, complete)


def _reader(field: GraphQLField) -> Callable[..., Awaitable[Any]]:
    """This will give the function that reads a root field: one that takes `info` and arguments, and has nothing around it."""
    definition = field.extensions[DEFINITION]
    resolver = definition.base_resolver
    if resolver is None or not resolver.is_async or definition.permission_classes or definition.extensions:
        raise Irregular(definition.name)
    if resolver.root_parameter or resolver.parent_parameter or resolver.info_parameter is None:
        raise Irregular(definition.name)
    read: Callable[..., Awaitable[Any]] = resolver.wrapped_func
    return partial(read, None) if resolver.self_parameter else read  # what is at the root is None


def _given(executor: LedgerExecutor, field: GraphQLField, details: FieldDetailsList) -> tuple[Given, ...]:
    """This will compile what the resolver is given; what is left out it fills in itself, as the schema says."""
    declared = {one.variable.name.value: one for one in executor.operation.variable_definitions or ()}
    found, used = [], set()
    for argument in details[0].node.arguments or ():
        definition, node = field.args[argument.name.value], argument.value
        name, is_nullable = (
            definition.extensions[DEFINITION].python_name,
            not isinstance(definition.type, GraphQLNonNull),
        )
        if not isinstance(node, VariableNode):
            found.append(Given(name, None, value_from_ast_untyped(node), coercion(definition.type), is_nullable))
            continue
        variable = declared[node.name.value]
        used.add(node.name.value)
        kind: Any = type_from_ast(executor.schema, variable.type)
        otherwise: Any = Undefined
        if variable.default_value is not None:
            otherwise = value_from_ast_untyped(variable.default_value)
        elif isinstance(kind, GraphQLNonNull):  # it must be there, and coercion refuses None
            otherwise = None
        found.append(Given(name, node.name.value, otherwise, coercion(kind), is_nullable))
    if used != declared.keys():  # nobody would look at the others, or they are inside of a constant
        raise Irregular
    return tuple(found)
