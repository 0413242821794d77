"""What an operation may amount to, reckoned before it runs: objects, and points, which a token has so many of."""

from typing import Any

import strawberry
from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)
from msgspec import Struct

from ledger.api.compiled import Plans
from ledger.api.connection import PAGE_MAX
from ledger.api.documents import ARRAY_MAX, Prepared
from ledger.api.errors import bad_input, refusal

VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
#: Objects in one answer.
NODES_MAX = 10_000
#: What a list counts for that has no `first`: those are bounded and short.
LIST_USUAL = 5
#: Fields that make a point.
FIELDS_PER_POINT = 100
#: Points that a root field takes besides which counts or searches before it answers, however little is asked of it: about one for each
#: millisecond that it takes on 10,000 proposals.
DEAR = {"calibration": 10, "declined": 5, "precedents": 100, "reasonQuality": 10, "transparency": 50, "verify": 100}
#: The arguments that say how long a list is.
FIRST, IDS = "first", "proposalIds"
MUTATION_POINTS = 10
#: What is asked for when it is in no state to be run: parsing and validating cost more than an answer that is kept.
REFUSED_POINTS = 20
KEPT_POINTS = 1
VARIABLES_DEPTH_MAX = 20
#: Costs that are kept with a document.
COSTS_MAX = 128
#: In place of a length that is no whole number: it is reckoned each time.
ODD = "odd"


class Cost(Struct, frozen=True):
    """Points, and how many objects in lists there may be."""

    points: int
    nodes: int


class Amount(Struct, frozen=True):
    """What a selection amounts to on one object."""

    fields: int = 0
    nodes: int = 0


def cost_of(
    schema: strawberry.Schema,
    prepared: Prepared,
    operation: OperationDefinitionNode,
    variables: dict[str, Any] | None,
) -> Cost:
    """This will reckon an operation's cost, in time linear in its document. Raises an error for more than 10,000 objects.

    It is kept with the document, for each length of a page that a variable gave.
    """
    plans, given = prepared.plans, variables or {}
    kept: Cost | None = plans.costs.get(_key(plans, operation, given))
    if kept is not None:
        return kept
    root = schema._schema.get_root_type(operation.operation)
    reckoning = _Reckoning(schema, prepared, operation, given)
    amount = reckoning.of(operation.selection_set, root, 0)
    if amount.nodes > NODES_MAX:
        raise refusal(
            VALIDATION_FAILED,
            f"The answer may have {amount.nodes} objects; at most {NODES_MAX} are allowed. Ask for fewer with `first`.",
        )
    points = max(1, -(-amount.fields // FIELDS_PER_POINT))
    if operation.operation is OperationType.MUTATION:
        points += MUTATION_POINTS * len(operation.selection_set.selections)
    cost = Cost(points, amount.nodes)
    plans.lengths[id(operation)] = tuple(sorted(reckoning.asked_variables))
    key = _key(plans, operation, given)
    if ODD not in key and len(plans.costs) < COSTS_MAX:
        plans.costs[key] = cost
    return cost


def _key(plans: Plans, operation: OperationDefinitionNode, variables: dict[str, Any]) -> tuple[Any, ...]:
    """This will give what an operation's cost hangs on; None: the variable is left out."""
    parts: list[Any] = [id(operation)]
    for name in plans.lengths.get(id(operation), ()):
        length = variables.get(name)
        length = len(length) if isinstance(length, list) else length
        parts.append(None if name not in variables else length if length.__class__ is int else ODD)
    return tuple(parts)


class _Reckoning:
    def __init__(
        self,
        schema: strawberry.Schema,
        prepared: Prepared,
        operation: OperationDefinitionNode,
        variables: dict[str, Any],
    ) -> None:
        self.schema = schema._schema
        self.fragments = prepared.fragments
        defaults = {one.variable.name.value: one.default_value for one in operation.variable_definitions or ()}
        self.variables: dict[str, Any] = {
            name: int(value.value) for name, value in defaults.items() if isinstance(value, IntValueNode)
        }
        self.variables.update(variables)
        #: Those that say how long a page is.
        self.asked_variables: set[str] = set()
        self.known: dict[tuple[str, int], Amount] = {}

    def of(self, selection: SelectionSetNode | None, kind: GraphQLNamedType | None, page: int) -> Amount:
        """This will reckon a selection on one object of a type. `page`: how many a connection's lists have; 0: it is no connection."""
        fields = nodes = 0
        for node in selection.selections if selection else ():
            if isinstance(node, FieldNode):
                found = self.field(node, kind, page)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                inner = self.schema.get_type(condition.name.value) if condition else kind
                found = self.of(node.selection_set, inner, page)
            else:
                found = self.fragment(node, page)  # type: ignore[arg-type]
            fields += found.fields
            nodes += found.nodes
        return Amount(fields, nodes)

    def fragment(self, node: FragmentSpreadNode, page: int) -> Amount:
        """This will reckon a fragment, once for each size of page."""
        key = (node.name.value, page)
        if key not in self.known:
            definition = self.fragments[node.name.value]
            inner = self.schema.get_type(definition.type_condition.name.value)
            self.known[key] = self.of(definition.selection_set, inner, page)
        return self.known[key]

    def field(self, node: FieldNode, kind: GraphQLNamedType | None, page: int) -> Amount:
        """This will reckon a field with what is below it."""
        found: GraphQLField | None = getattr(kind, "fields", {}).get(node.name.value)
        if found is None or node.selection_set is None:
            return Amount(1)
        own = 1 + FIELDS_PER_POINT * (DEAR.get(node.name.value, 0) if kind is self.schema.query_type else 0)
        length = self.length(node, found)
        bare = found.type.of_type if isinstance(found.type, GraphQLNonNull) else found.type
        if not isinstance(bare, GraphQLList):
            inner = self.of(node.selection_set, get_named_type(found.type), length)
            return Amount(own + inner.fields, inner.nodes)
        inner = self.of(node.selection_set, get_named_type(found.type), 0)
        count = length or page or LIST_USUAL
        return Amount(own + count * inner.fields, count * (1 + inner.nodes))

    def length(self, node: FieldNode, field: GraphQLField) -> int:
        """This will give how many are asked for, 0 where nothing says so; what can't be is refused by its resolver."""
        name = next((one for one in (FIRST, IDS) if one in field.args), None)
        if name is None:
            return 0
        value: Any = next((one.value for one in node.arguments or () if one.name.value == name), None)
        found: Any = field.args[name].default_value
        if isinstance(value, VariableNode):
            self.asked_variables.add(value.name.value)
            found = self.variables.get(value.name.value, found)
        elif isinstance(value, IntValueNode):
            found = int(value.value)
        elif isinstance(value, ListValueNode):
            found = value.values
        found = len(found) if isinstance(found, (list, tuple)) else found
        return min(max(found, 1), PAGE_MAX) if isinstance(found, int) else PAGE_MAX


def refuse_long_lists(variables: dict[str, Any] | None) -> None:
    """This will raise the error BAD_USER_INPUT for variables with a list of more than 250 items, or nested too deeply."""
    level: list[Any] = [variables or {}]
    for _ in range(VARIABLES_DEPTH_MAX):
        below: list[Any] = []
        for one in level:
            inside = one.values() if isinstance(one, dict) else one
            if isinstance(one, list) and len(one) > ARRAY_MAX:
                raise bad_input(f"The variables have a list of {len(one)} items; at most {ARRAY_MAX} are allowed.")
            below += [each for each in inside if isinstance(each, (dict, list))]
        if not below:
            return
        level = below
    raise bad_input(f"The variables are nested more than {VARIABLES_DEPTH_MAX} levels deep.")
