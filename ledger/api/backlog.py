"""The backlog, the proposals on it, and what waits for somebody."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import strawberry

from ledger.api.asking import connection_of, field, listed, lookup, one, page, tuple_of
from ledger.api.asof import AsOf, AsOfArgument, AtLeastArgument
from ledger.api.connection import PAGE, AfterArgument, FirstArgument, Page, selected, selects
from ledger.api.context import Context, Info
from ledger.api.enums import describe
from ledger.api.errors import bad_input, not_found
from ledger.api.proposal_types import AREA, PROPOSAL
from ledger.api.sources import ProposalArgument, SourceArgument, proposal_meant
from ledger.values import ProposalStatus, Role
from projections.backlog import areas as sums
from projections.backlog import queries
from projections.backlog.queries import Filter, Order

VIEW = "backlog"
#: Most proposals that are asked for by their ids at once.
IDS_MAX = 100
KEYS: dict[Order, Any] = {
    Order.SCORE: float,
    Order.SUBMITTED_AT: datetime,
    Order.DRAG: float,
    Order.ESTIMATE: float,
    Order.TITLE: str,
}


class Direction(StrEnum):
    """Which way a list goes."""

    ASC = "ASC"
    DESC = "DESC"


describe(Direction, {"ASC": "The lowest first.", "DESC": "The highest first."}, name="OrderDirection")


@strawberry.input(description="Which proposals are meant; what is left out does not matter.")
class ProposalFilter:
    """As `queries.Filter` has it."""

    team_ids: list[UUID] | None = strawberry.field(default=None, description="Any of these teams.")
    statuses: list[ProposalStatus] | None = strawberry.field(
        default=None, description="Standing so; left out: PENDING, which is the backlog."
    )
    areas: list[str] | None = strawberry.field(default=None, description="Any of these areas.")
    kinds: list[str] | None = strawberry.field(default=None, description="Any of these kinds.")
    title: str | None = strawberry.field(default=None, description="This somewhere in the title, in any case.")
    score_min: float | None = strawberry.field(default=None, description="At least this score.")
    estimated: bool | None = strawberry.field(default=None, description="Has it an estimate in days?")
    assessed: bool | None = strawberry.field(default=None, description="Has it a drag in hours?")


@strawberry.input(description="The order of a list of proposals. Ties: the earlier submission, then the id.")
class ProposalOrder:
    """A field and a direction."""

    field: Order = strawberry.field(description="What the order goes by.")
    direction: Direction = strawberry.field(default=Direction.DESC, description="The lowest or the highest first.")


def wanted(given: ProposalFilter | None) -> Filter:
    """This will turn the input into the query's filter."""
    if given is None:
        return Filter()
    return Filter(
        statuses=tuple_of(given.statuses) or (ProposalStatus.PENDING,),
        teams=tuple_of(given.team_ids),
        areas=tuple_of(given.areas),
        kinds=tuple_of(given.kinds),
        title=given.title,
        score_min=given.score_min,
        estimated=given.estimated,
        assessed=given.assessed,
    )


async def backlog(
    info: Info,
    filter: Annotated[  # noqa: A002 - GraphQL's word
        ProposalFilter | None, strawberry.argument(description="Which proposals; left out: all that are pending.")
    ] = None,
    order_by: Annotated[
        ProposalOrder | None, strawberry.argument(description="In which order; left out: the highest score first.")
    ] = None,
    first: FirstArgument = PAGE,
    after: AfterArgument = None,
    as_of: AsOfArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    """This will list proposals in order."""
    context, given = info.context, wanted(filter)
    order = order_by.field if order_by else Order.SCORE
    descending = order_by is None or order_by.direction is Direction.DESC
    asked = Page.of(first, after, f"backlog {order} {descending}", KEYS[order], int, UUID)
    ranked, explained = (
        selects(info, "nodes", name) or selects(info, "edges", "node", name) for name in ("rank", "why")
    )
    at = await context.position(VIEW, as_of, at_least)
    teams = context.visible_teams()
    async with context.read() as connection:
        rows = await queries.backlog(
            connection,
            teams,
            given,
            limit=asked.limit,
            order=order,
            descending=descending,
            after=asked.key,
            as_of=at,
            ranked=ranked,
            explained=explained,
            attributes=PROPOSAL.attributes(selected(info)),
        )
        count = await queries.total(connection, teams, given, as_of=at) if selects(info, "totalCount") else None
        return await page(info, PROPOSAL, asked, rows, lambda row: queries.key_of(row, order), connection, total=count)


async def _read(context: Context, ids: list[UUID], as_of: AsOf | None, at_least: int | None, **more: bool) -> Any:
    at = await context.position(VIEW, as_of, at_least)
    async with context.read() as connection:
        rows = await queries.proposals(connection, context.visible_teams(), ids, as_of=at, **more)
        people = await PROPOSAL.members_of(rows, context, connection)
    return [PROPOSAL.show(row, people) for row in rows]


async def proposal(
    info: Info,
    proposal_id: ProposalArgument = None,
    source: SourceArgument = None,
    as_of: AsOfArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    """This will show one proposal. Raises the error NOT_FOUND."""
    wanted_id = proposal_meant(proposal_id, source)
    more = {"ranked": selects(info, "rank"), "explained": selects(info, "why")}
    found = await _read(info.context, [wanted_id], as_of, at_least, **more)
    if not found:
        raise not_found("proposal")
    return found[0]


async def proposals(
    info: Info,
    proposal_ids: Annotated[list[UUID], strawberry.argument(description="The proposals, at most 100.")],
    as_of: AsOfArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    """This will show several proposals; one that is not there or may not be seen is left out."""
    if len(proposal_ids) > IDS_MAX:
        raise bad_input(f"proposalIds has {len(proposal_ids)} ids; at most {IDS_MAX} are taken at once.")
    more = {"ranked": selects(info, "rank"), "explained": selects(info, "why")}
    return await _read(info.context, proposal_ids, as_of, at_least, **more)


async def proposal_node(context: Context, proposal_id: UUID, as_of: AsOf | None, at_least: int | None) -> Any:
    """This will read a proposal for `node(id)`; None: it is not there or may not be seen."""
    found = await _read(context, [proposal_id], as_of, at_least, ranked=True, explained=True)
    return found[0] if found else None


async def inbox(info: Info, as_of: AsOfArgument = None, at_least: AtLeastArgument = None) -> Any:
    """This will list what waits for whoever asks."""
    context = info.context
    at = await context.position(VIEW, as_of, at_least)
    managed = [team_id for team_id, roles in context.viewer.roles.items() if Role.PRODUCT_MANAGER in roles]
    async with context.read() as connection:
        rows = await queries.inbox(connection, context.viewer.member_id, managed, as_of=at)
        people = await PROPOSAL.members_of(rows, context, connection)
    return [PROPOSAL.show(row, people) for row in rows]


async def area(
    info: Info,
    area: Annotated[str, strawberry.argument(description="A catalogue reference.")],
    as_of: AsOfArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    """This will sum up one area; null: nothing was ever proposed for it that may be seen."""
    context = info.context
    at = await context.position(VIEW, as_of, at_least)
    async with context.read() as connection:
        found = await sums.areas(connection, context.visible_teams(), area=area, limit=1, as_of=at)
        return await one(info, AREA, found[0], connection) if found else None


async def areas(
    info: Info,
    team_ids: Annotated[list[UUID] | None, strawberry.argument(description="Only what these teams were asked.")] = None,
    as_of: AsOfArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    """This will sum up the areas, at most 500."""
    context = info.context
    at = await context.position(VIEW, as_of, at_least)
    async with context.read() as connection:
        found = await sums.areas(connection, context.visible_teams(), team_ids=team_ids, as_of=at)
    return [AREA.show(row, {}) for row in found]


@strawberry.type
class BacklogQuery:
    """The root fields about proposals."""

    backlog: Any = field(
        connection_of(PROPOSAL),
        "The proposals that wait for an answer, in the order of the policy in force.",
        backlog,
    )
    proposal: Any = lookup(PROPOSAL, "One proposal, by its id or by its source's own.", proposal)
    proposals: Any = field(listed(PROPOSAL), "Several proposals by their ids, in the order of the ids.", proposals)
    inbox: Any = field(
        listed(PROPOSAL),
        "The proposals that wait for whoever asks, the oldest first, at most 100: NOs to acknowledge and playbacks to answer as "
        "one who asked; NOs to tell or play back, appeals to hear and concerns to answer as a product manager.",
        inbox,
    )
    area: Any = field(AREA.type | None, "What is proposed for one area.", area)
    areas: Any = field(listed(AREA), "The areas by what their pending proposals cost, the costliest first.", areas)
