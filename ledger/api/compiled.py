"""The fast way through an answer: a selection is compiled once to a function that turns rows into what is sent.

graphql-core completes each value of each row by itself: a path, a resolve info, a resolver and a dozen checks. Below the root our fields
are plain attributes, so a selection can be compiled to a closure that reads them and checks the same things; it is kept with the document.
Whatever is irregular (a null where none may be, an error, a value of an unusual type, an interface) makes the closure give up, and
graphql-core completes that object or list in its own way, with its own errors. Nothing is lost by that: reading attributes has no effects.
"""

from collections.abc import Callable
from typing import Any

from graphql import GraphQLObjectType, GraphQLOutputType, Undefined
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import Path
from graphql.type import GraphQLResolveInfo
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from ledger.api.compiler import Compiler
from ledger.api.completing import Complete, Irregular
from ledger.api.context import Context
from ledger.directory.scopes import Scope

__all__ = ["PLANS_MAX", "LedgerExecutor", "Plans"]

#: Compiled selections per document.
PLANS_MAX = 64


class Plans:
    """The compiled selections of one document, bounded; they live as long as it."""

    __slots__ = ("completed", "costs", "fell_back", "kept", "lengths", "names", "steps", "switches")

    def __init__(self, switches: frozenset[str] = frozenset()) -> None:
        #: The variables that directives look at: with other values a selection is another one.
        self.switches = tuple(sorted(switches))
        self.kept: dict[tuple[Any, ...], Complete | None] = {}
        #: What each operation is compiled to as a whole, by the node's identity; None: it has no fast way.
        self.steps: dict[int, Any] = {}
        #: The variables that say in an operation how long a page is, by the same; and what it costs, by the same and their values.
        self.lengths: dict[int, tuple[str, ...]] = {}
        self.costs: dict[tuple[Any, ...], Any] = {}
        #: The names of all fields below a field, by the identities of its nodes.
        self.names: dict[tuple[int, ...], frozenset[str]] = {}
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


def fast_or(standard: Callable[..., Any]) -> Callable[..., Any]:
    """This will make the method that completes a value the fast way, or else in the executor's own."""

    def complete(
        self: "LedgerExecutor",
        return_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Any:
        done = self.completed(return_type, field_details_list, result)
        if done is not Undefined:
            return done
        return standard(self, return_type, field_details_list, info, path, result, position_context)

    return complete


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

    complete_object_value = fast_or(StrawberryGraphQLCoreExecutionContext.complete_object_value)
    complete_list_value = fast_or(StrawberryGraphQLCoreExecutionContext.complete_list_value)

    def execute_field(
        self,
        parent_type: GraphQLObjectType,
        source: Any,
        field_details_list: FieldDetailsList,
        path: Path,
        position_context: Any,
    ) -> Any:
        """This will execute a field; of a root field of a query that was read before (`querying`), only what is left to do."""
        done = self.context_value.done if path.prev is None and isinstance(self.context_value, Context) else {}
        if parent_type is not self.schema.query_type or path.key not in done:
            return super().execute_field(parent_type, source, field_details_list, path, position_context)
        found, nodes = done.pop(path.key), [one.node for one in field_details_list]
        field = parent_type.fields[nodes[0].name.value]

        async def again() -> Any:
            if isinstance(found, Exception):
                raise found
            return found

        info = self.build_resolve_info(field, nodes, parent_type, path)
        return self.complete_awaitable_value(field.type, field_details_list, info, path, again(), position_context)

    def completed(self, kind: GraphQLOutputType, details: FieldDetailsList, result: Any) -> Any:
        """This will complete a value by what its selection is compiled to; Undefined: there is no fast way for it."""
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
