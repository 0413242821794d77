"""Precedents: earlier declines like this one."""

from typing import Annotated, Any
from uuid import UUID

import strawberry

from ledger.api.asking import TeamsArgument, field, listed, tuple_of
from ledger.api.asof import AsOfArgument, AtLeastArgument
from ledger.api.connection import PAGE_MAX
from ledger.api.context import Info
from ledger.api.decision_types import DECISION  # noqa: F401 - a precedent shows it
from ledger.api.errors import bad_input, not_found
from ledger.api.shown import shown
from ledger.values import Disposition
from projections.audit import precedents as queries
from projections.audit.ground import Question

#: Most characters of a text that is compared: a whole business case.
TEXT_MAX = 10_000
#: How many are given unless the client says.
FEW = 10

PRECEDENT = shown(
    queries.Precedent,
    "An earlier decline, and what it has in common with what is asked about.",
    decision="The decline.",
    relevance="0 to 1: how much of the ground it covers; words count 0.6, a reason's code 0.25, the area 0.15 of what is asked about.",
    shared_words="Words in common, without their endings, the most telling first.",
    shared_reasons="Reason codes in common.",
    same_area="Is it about the same area?",
    excerpt="Where its reasons or its case say so; empty where no word is shared.",
)


@strawberry.input(one_of=True, description="What precedents are looked for: exactly one of a proposal or a text.")
class PrecedentsOf:
    """One of the two; the other stays UNSET."""

    proposal_id: UUID | None = strawberry.field(
        default=strawberry.UNSET,
        description="A proposal: by its last NO, of which only those before it are precedents, or else by its title and case.",
    )
    text: str | None = strawberry.field(
        default=strawberry.UNSET, description="A text, such as a draft of a case, at most 10,000 characters."
    )


async def precedents(
    info: Info,
    of: Annotated[PrecedentsOf, strawberry.argument(description="What is asked about.")],
    area: Annotated[
        str | None, strawberry.argument(description="Also its area; left out: the proposal's, or none of a text.")
    ] = None,
    reasons: Annotated[
        list[str] | None,
        strawberry.argument(
            description="Also reason codes; left out: those of the proposal's last NO, or none of a text."
        ),
    ] = None,
    dispositions: Annotated[
        list[Disposition] | None, strawberry.argument(description="Which NOs count; left out: DECLINE.")
    ] = None,
    team_ids: TeamsArgument = None,
    first: Annotated[int, strawberry.argument(description="How many at most, 1 to 100.")] = FEW,
    as_of: AsOfArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    """This will list earlier declines, the most relevant first."""
    context = info.context
    if not 1 <= first <= PAGE_MAX:
        raise bad_input(f"first is {first}; it must be from 1 to {PAGE_MAX}.")
    if of.text and len(of.text) > TEXT_MAX:
        raise bad_input(f"of.text has {len(of.text)} characters; at most {TEXT_MAX} are compared. Give its beginning.")
    at = await context.position("audit", as_of, at_least)
    teams = context.visible_teams()
    async with context.read() as connection:
        if of.proposal_id:
            question = await queries.question_of(connection, teams, of.proposal_id, as_of=at)
            if question is None:
                raise not_found("proposal")
        else:
            question = Question(title=of.text or "")
        question = queries.narrowed(question, area, tuple_of(reasons))
        found = await queries.precedents(
            connection,
            teams,
            question,
            limit=first,
            dispositions=tuple_of(dispositions) or (Disposition.DECLINE,),
            team_ids=tuple_of(team_ids),
            as_of=at,
        )
        people = await PRECEDENT.members_of(found, context, connection)
    return [PRECEDENT.show(one, people) for one in found]


@strawberry.type
class PrecedentsQuery:
    """The root field that finds earlier declines."""

    precedents: Any = field(
        listed(PRECEDENT) | None,
        "Earlier declines on the same ground, by the words of their titles, reasons and cases, their reason codes and their areas; "
        "the most relevant first. Weighed are all that have the rarest of the words, as many words as 1,000 declines have between "
        "them, and the latest 500 of the same area and code. Null, with the error NOT_FOUND, where that proposal is not there or not for "
        "you to see.",
        precedents,
    )
