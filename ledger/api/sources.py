"""What comes from an outside source, by the source's own name for it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from ledger.api.errors import bad_input
from ledger.importing.naming import Names
from projections.teams.queries import sources

if TYPE_CHECKING:
    from ledger.api.context import Context  # which asks here about a past state's source

#: Most sources that an error names.
NAMED_MAX = 20

ProposalArgument = Annotated[
    UUID | None, strawberry.argument(description="The proposal; left out where `source` says which.")
]


@strawberry.input(description="Something imported, by the source's own id for it.")
class SourceItem:
    """As a fact's `source` has it."""

    name: str = strawberry.field(description="The source, such as python/peps.")
    external_id: str = strawberry.field(description="The source's own id, such as pep-0315.")


SourceArgument = Annotated[
    SourceItem | None, strawberry.argument(description="An imported proposal, by its source's own id, instead of ours.")
]


def proposal_meant(proposal_id: UUID | None, source: SourceItem | None) -> UUID:
    """This will give the id of the proposal that one of the two names. Raises the error BAD_USER_INPUT for both and for neither."""
    if source is not None and proposal_id is None:
        return Names(source.name).proposal(source.external_id)
    if proposal_id is not None and source is None:
        return proposal_id
    raise bad_input("Give either proposalId or source.")


async def refuse_unknown(context: "Context", argument: str, wanted: Sequence[str], at_least: int | None = None) -> None:
    """This will raise the error BAD_USER_INPUT for a source from which nothing came that the viewer may see, and name those that are.

    It waits until the view that says so has got to `at_least`. Call it outside `read()`.
    """
    await context.position("teams", at_least=at_least)
    async with context.read() as connection:
        known = await sources(connection, context.visible_teams())
    if not set(wanted) <= set(known):
        there_are = f"There are: {', '.join(known[:NAMED_MAX])}{', …' if known[NAMED_MAX:] else ''}."
        raise bad_input(
            f"{argument}: nothing that you may see came from this source. {there_are if known else 'There are none.'}"
            " Check its name, or leave it out."
        )
