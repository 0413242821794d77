"""What a whole operation is compiled to: once, when its document comes for the first time, and kept with it."""

from collections.abc import Callable
from typing import Any, TypeVar

import strawberry
from graphql import GraphQLObjectType, OperationDefinitionNode
from graphql.execution.collect_fields import FieldDetailsList, collect_fields

from ledger.api.compiled import LedgerExecutor
from ledger.api.completing import Irregular
from ledger.api.context import Context
from ledger.api.documents import Prepared

T = TypeVar("T")

#: Makes it, of the executor, the root's type and the fields that are asked of it by what the answer calls them. Raises Irregular.
Compile = Callable[[LedgerExecutor, GraphQLObjectType, dict[str, FieldDetailsList]], T]


def compiled(
    schema: strawberry.Schema,
    prepared: Prepared,
    operation: OperationDefinitionNode,
    variables: dict[str, Any],
    context: Context,
    compile_: Compile[T],
) -> T | None:
    """This will give what an operation is compiled to, and compile it when it comes for the first time; None: it has no fast way."""
    kept = prepared.plans.steps
    if id(operation) not in kept:
        name = operation.name.value if operation.name else None
        executor = LedgerExecutor.build(
            schema._schema, prepared.document, None, context, raw_variable_values=variables, operation_name=name
        )
        if isinstance(executor, list):  # the variables don't fit, with which nothing can be compiled
            return None
        try:
            kept[id(operation)] = compile_(executor, *_root(executor, operation, prepared))
        except Irregular:
            kept[id(operation)] = None
    found: T | None = kept[id(operation)]
    return found


def _root(
    executor: LedgerExecutor, operation: OperationDefinitionNode, prepared: Prepared
) -> tuple[GraphQLObjectType, dict[str, FieldDetailsList]]:
    if prepared.plans.switches or operation.directives:  # with other variables it would be another selection
        raise Irregular
    root = executor.schema.get_root_type(operation.operation)
    assert root is not None  # noqa: S101 - the document is valid
    fields, deferred, _ = collect_fields(
        executor.schema, executor.fragments, executor.variable_values, root, operation, executor.hide_suggestions
    )
    if deferred:
        raise Irregular
    return root, fields
