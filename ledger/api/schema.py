"""The whole schema, put together from the nouns. `python -m ledger.api.schema` prints its SDL, sorted."""

import sys
from functools import cache
from typing import Any

import strawberry
from graphql import FieldNode, GraphQLError, lexicographic_sort_schema, print_schema
from strawberry.schema.config import StrawberryConfig
from strawberry.types.execution import ExecutionContext, ExecutionResult

from ledger.api import (
    access,
    backlog,
    concern,
    decision,
    identity,
    node,
    outcomes,
    precedents,
    proof,
    reason_quality,
    review,
    simulation,
    team,
    timeline,
    transparency,
    viewer,
)
from ledger.api.attempts import OTHERS
from ledger.api.compiled import LedgerExecutor
from ledger.api.context import Context
from ledger.api.documents import PreparedDocuments
from ledger.api.errors import FORBIDDEN
from ledger.api.mutations import mutation_type
from ledger.api.node import READERS, Reader
from ledger.api.performing import performed
from ledger.api.scalars import SCALARS
from ledger.api.subscription import Subscription

#: The classes whose fields are the root queries: one per noun, in alphabetical order.
NOUNS: tuple[type, ...] = (
    access.AccessQuery,
    backlog.BacklogQuery,
    concern.ConcernQuery,
    decision.DecisionQuery,
    identity.IdentityQuery,
    node.NodeQuery,
    outcomes.OutcomesQuery,
    precedents.PrecedentsQuery,
    proof.ProofQuery,
    reason_quality.ReasonQualityQuery,
    review.ReviewQuery,
    simulation.SimulationQuery,
    team.TeamQuery,
    timeline.TimelineQuery,
    transparency.TransparencyQuery,
    viewer.ViewerQuery,
)
#: What `node(id)` finds: the type's name and the function that reads one.
NODES: dict[str, Reader] = {
    "Decision": decision.decision_node,
    "Policy": team.policy_node,
    "Proposal": backlog.proposal_node,
    "Review": review.review_node,
    "Team": team.team_node,
}


class LedgerSchema(strawberry.Schema):
    """Strawberry's, which leaves errors to `errors.presented`: each is logged once there, and only when it is unexpected."""

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,
        root_value: Any | None = None,
        operation_name: str | None = None,
        *more: Any,
        **named: Any,
    ) -> ExecutionResult:
        """This will run an operation, the fast way as far as there is one."""
        if query is not None and isinstance(context_value, Context):
            data = await performed(self, query, variable_values, context_value, operation_name)
            if data is not None:
                return ExecutionResult(data=data, errors=None)
        return await super().execute(query, variable_values, context_value, root_value, operation_name, *more, **named)

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """This will have it recorded that the viewer was refused a field, and leave the rest as it is."""
        context = execution_context.context if execution_context is not None else None
        for error in errors:
            if isinstance(context, Context) and (error.extensions or {}).get("code") == FORBIDDEN:
                # The field's own name: the path has what the client calls it, which may be anything.
                names = [node.name.value for node in error.nodes or () if isinstance(node, FieldNode)]
                context.note_forbidden(names[0] if names else OTHERS)


@cache
def build() -> LedgerSchema:
    """This will put the schema together."""
    READERS.update(NODES)
    return LedgerSchema(
        query=strawberry.type(type("Query", NOUNS, {}), description="What can be asked."),
        mutation=mutation_type(identity.IdentityMutation),
        subscription=Subscription,
        extensions=[PreparedDocuments],
        execution_context_class=LedgerExecutor,
        config=StrawberryConfig(scalar_map=SCALARS),
    )


def root_fields() -> list[str]:
    """This will name the fields that can be read or followed, in alphabetical order, those of queries first."""
    kinds = (build()._schema.query_type, build()._schema.subscription_type)
    return list(dict.fromkeys(name for kind in kinds if kind is not None for name in sorted(kind.fields)))


def sdl(built: LedgerSchema | None = None) -> str:
    """This will print the schema sorted, so that a difference is a change and not an order."""
    schema = built or build()
    text = print_schema(lexicographic_sort_schema(schema._schema)) + "\n"
    for name, kind in schema._schema.type_map.items():
        if getattr(kind, "is_one_of", False):  # the printer leaves the directive out
            text = text.replace(f"\ninput {name} {{", f"\ninput {name} @oneOf {{")
    return text


if __name__ == "__main__":
    sys.stdout.write(sdl())
