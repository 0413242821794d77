"""Reviews, and the agenda of one."""

from typing import Annotated, Any
from uuid import UUID

import strawberry

from ledger.api.asking import (
    BY_TIME,
    SinceArgument,
    TeamsArgument,
    UntilArgument,
    connection_of,
    field,
    forwards,
    lookup,
    one,
    page,
)
from ledger.api.asof import AsOf, AsOfArgument, AtLeastArgument
from ledger.api.connection import PAGE, AfterArgument, FirstArgument, Page, selects
from ledger.api.context import Context, Info
from ledger.api.decision_types import PROPOSAL  # noqa: F401 - an agenda's line shows it
from ledger.api.errors import not_found
from ledger.api.shown import shown
from ledger.values import ReviewKind
from projections.reviews import queries
from projections.reviews.structs import AgendaEntry, ReviewRecord, ReviewState

REVIEW = shown(
    ReviewRecord,
    "One review of a team's list.",
    type_name="Review",
    node="review_id",
    review_id="Its id.",
    team_id="The team.",
    kind="Engineering prepares the list, product answers it.",
    state="Whether it is planned, under way, held or called off.",
    starts_at="When it is planned for.",
    scheduled_at="When it was planned.",
    frozen_at="When its agenda was fixed.",
    opened_at="When it began.",
    closed_at="When it ended.",
    skipped_at="When it was called off.",
    skip_reason="Why it was not held.",
    policy_id="The policy that ranks its agenda; null: the default.",
    policy_version="That policy's version.",
    knowledge_position="The last position that it could know.",
    capacity="Engineer-days that it may promise.",
    reserved="Engineer-days that it has promised.",
    attendees="Who is there.",
    minutes_url="Where its minutes are.",
    item_count="Items on the agenda.",
    decided_count="Of these: answered.",
    accepted_count="Of these: answered YES.",
    carried_over_count="Left for the next review.",
    position="The position at which it was planned.",
)
ITEM = shown(
    AgendaEntry,
    "One item of a frozen agenda, and what became of it.",
    type_name="AgendaEntry",
    proposal_id="The proposal.",
    place="Its place, from 1.",
    cause="Why it is on the agenda.",
    case_version="The version of the case that is looked at.",
    estimate_version="The version of the estimate; 0: none.",
    impact_version="The version of the impact; 0: none.",
    score="Its score under the policy.",
    rank="Its rank; 1 is first.",
    state="What became of it.",
    decision_id="The decision, once there is one.",
    verdict="The answer.",
    days_reserved="Engineer-days that a YES reserved.",
    settled_at="When it was decided or carried over.",
    carried_over_because="Why it was left for the next review.",
)
LINE = shown(
    queries.AgendaLine,
    "One line of an agenda.",
    item="The item.",
    proposal="Its proposal as it stands in the state shown.",
)
AGENDA = shown(
    queries.Agenda,
    "A review with its agenda.",
    review="The review.",
    lines="Its agenda in order; empty before it is frozen.",
)


async def review(
    info: Info,
    review_id: Annotated[UUID, strawberry.argument(description="The review.")],
    as_of: AsOfArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    """This will show one review, with its agenda if that is selected."""
    context = info.context
    at = await context.position("reviews", as_of, at_least)
    async with context.read() as connection:
        found = await queries.review(
            connection, context.visible_teams(), review_id, agenda=selects(info, "lines"), as_of=at
        )
        if found is None:
            raise not_found("review")
        return await one(info, AGENDA, found, connection)


async def review_node(context: Context, review_id: UUID, as_of: AsOf | None, at_least: int | None) -> Any:
    """This will read a review for `node(id)`; None: it is not there or may not be seen."""
    at = await context.position("reviews", as_of, at_least)
    async with context.read() as connection:
        found = await queries.review(connection, context.visible_teams(), review_id, agenda=False, as_of=at)
        if found is None:
            return None
        return REVIEW.show(found.review, await REVIEW.members_of([found.review], context, connection))


async def agenda(
    info: Info,
    team_id: Annotated[UUID, strawberry.argument(description="The team.")],
    kind: Annotated[ReviewKind, strawberry.argument(description="Of its product or its engineering review.")] = (
        ReviewKind.PRODUCT
    ),
    as_of: AsOfArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    """This will show the agenda that a team is looking at, or will look at next."""
    context = info.context
    at = await context.position("reviews", as_of, at_least)
    context.refuse_unseen(team_id)
    async with context.read() as connection:
        found = await queries.next_agenda(connection, context.visible_teams(), team_id, kind, as_of=at)
        return None if found is None else await one(info, AGENDA, found, connection)


async def reviews(
    info: Info,
    team_ids: TeamsArgument = None,
    kind: Annotated[
        ReviewKind | None, strawberry.argument(description="Only product or only engineering ones.")
    ] = None,
    states: Annotated[list[ReviewState] | None, strawberry.argument(description="Only those that stand so.")] = None,
    since: SinceArgument = None,
    until: UntilArgument = None,
    first: FirstArgument = PAGE,
    after: AfterArgument = None,
    as_of: AsOfArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    """This will list reviews, the latest planned first."""
    forwards(since, until)
    context, asked = info.context, Page.of(first, after, "reviews", *BY_TIME)
    at = await context.position("reviews", as_of, at_least)
    async with context.read() as connection:
        teams = context.visible_teams()
        chosen: dict[str, Any] = {
            "team_ids": team_ids, "kind": kind, "states": states, "since": since, "until": until, "as_of": at,
        }  # fmt: skip
        rows = await queries.reviews(connection, teams, limit=asked.limit, after=asked.key, **chosen)
        total = await queries.reviews_total(connection, teams, **chosen) if selects(info, "totalCount") else None
        return await page(
            info, REVIEW, asked, rows, lambda row: (row.starts_at, row.review_id), connection, total=total
        )


@strawberry.type
class ReviewQuery:
    """The root fields about reviews."""

    review: Any = lookup(AGENDA, "One review with its agenda.", review)
    agenda: Any = field(
        AGENDA.type | None,
        "The agenda of a team's open review, or else of the next one whose agenda is fixed; null: there is none.",
        agenda,
    )
    reviews: Any = field(connection_of(REVIEW), "Reviews by their planned start, the latest first.", reviews)
