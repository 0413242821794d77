"""The fast way through a mutation: what a document asks for is compiled once, and each request then goes straight to `perform`.

It is another way through GraphQL and not another way in: the command is made, handled and answered by the same function. Whatever is
irregular is left to the standard executor, which finds what was done already (`Context.done`) and does not do it again.
"""

from typing import Any, NamedTuple

import strawberry
from graphql import (
    GraphQLError,
    GraphQLNonNull,
    GraphQLObjectType,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    type_from_ast,
)
from graphql.execution.collect_fields import FieldDetailsList

from ledger.api.coercing import Coerce, coercion
from ledger.api.compiled import LedgerExecutor
from ledger.api.compiler import Compiler
from ledger.api.completing import Complete, Irregular
from ledger.api.context import Context
from ledger.api.documents import Prepared, prepare
from ledger.api.mutations import VERBS, Verb, perform
from ledger.api.operations import compiled
from ledger.api.querying import queried

ARGUMENT = "input"


class Step(NamedTuple):
    """One mutation of a document: what the answer calls it, the variable with its input, and the ways in and out."""

    key: str
    verb: Verb
    variable: str
    coerce: Coerce
    complete: Complete


async def performed(
    schema: strawberry.Schema,
    text: str,
    variables: dict[str, Any] | None,
    context: Context,
    operation_name: str | None,
) -> dict[str, Any] | None:
    """This will do what a document asks, mutations in order, and give the data of the answer; None: the standard executor must go on."""
    prepared = prepare(schema, text)
    try:
        operation = prepared.operation(operation_name)
    except GraphQLError:
        return None
    if prepared.errors:
        return None
    if operation.operation is OperationType.QUERY and context.plans is not None:
        return await queried(schema, prepared, operation, variables or {}, context)
    if operation.operation is not OperationType.MUTATION:
        return None
    steps = steps_of(schema, prepared, operation, variables or {}, context)
    if steps is None:
        return None
    try:
        inputs = [step.coerce((variables or {})[step.variable]) for step in steps]
    except Exception:  # nothing was done yet, and the standard way says properly what is wrong
        return None
    data: dict[str, Any] = {}
    done: dict[str, Any] = {}
    for step, given in zip(steps, inputs, strict=True):
        try:
            found = done[step.key] = await perform(context, step.verb, given)
            data[step.key] = step.complete(found)
        except Exception as error:
            context.done = {step.key: error, **done}
            return None
    return data


def steps_of(
    schema: strawberry.Schema,
    prepared: Prepared,
    operation: OperationDefinitionNode,
    variables: dict[str, Any],
    context: Context,
) -> tuple[Step, ...] | None:
    """This will give what an operation's mutations are compiled to; None: they have no fast way."""
    return compiled(schema, prepared, operation, variables, context, _steps)


def _steps(executor: LedgerExecutor, root: GraphQLObjectType, fields: dict[str, FieldDetailsList]) -> tuple[Step, ...]:
    inputs = _inputs(executor)
    steps = tuple(_step(executor, root, inputs, key, details) for key, details in fields.items())
    if {step.variable for step in steps} != inputs.keys():  # nobody would look at the others
        raise Irregular
    return steps


def _inputs(executor: LedgerExecutor) -> dict[str, Any]:
    """This will give the type of each variable; each must be there, and hold what one mutation takes."""
    found = {}
    for definition in executor.operation.variable_definitions or ():
        kind = type_from_ast(executor.schema, definition.type)
        if definition.default_value is not None or not isinstance(kind, GraphQLNonNull):
            raise Irregular(definition.variable.name.value)
        found[definition.variable.name.value] = kind
    return found


def _step(
    executor: LedgerExecutor, root: GraphQLObjectType, inputs: dict[str, Any], key: str, details: FieldDetailsList
) -> Step:
    node = details[0].node
    field = root.fields.get(node.name.value)
    verb, arguments = VERBS.get(node.name.value), node.arguments or ()
    if field is None or verb is None or any(one.fragment_variable_values for one in details):
        raise Irregular(node.name.value)
    if [one.name.value for one in arguments] != [ARGUMENT] or not isinstance(arguments[0].value, VariableNode):
        raise Irregular(node.name.value)
    variable = arguments[0].value.name.value
    if str(inputs[variable]) != str(field.args[ARGUMENT].type):
        raise Irregular(variable)
    return Step(key, verb, variable, coercion(inputs[variable]), Compiler(executor).value(field.type, details))
