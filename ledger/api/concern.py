"""Concerns and appeals: who was not at ease with what, and how it ended."""

from typing import Annotated, Any
from uuid import UUID

import strawberry

from ledger.api.asking import BY_TIME, TeamsArgument, connection_of, field, page
from ledger.api.asof import AsOfArgument, AtLeastArgument
from ledger.api.connection import PAGE, AfterArgument, FirstArgument, Page, selects
from ledger.api.context import Info
from ledger.api.decision_types import APPEAL, CONCERN
from projections.audit import matters
from projections.audit.structs import AppealState, ConcernState

ProposalArgument = Annotated[UUID | None, strawberry.argument(description="Only of this proposal.")]


async def concerns(
    info: Info,
    team_ids: TeamsArgument = None,
    proposal_id: ProposalArgument = None,
    states: Annotated[list[ConcernState] | None, strawberry.argument(description="Only those that stand so.")] = None,
    blocking: Annotated[bool | None, strawberry.argument(description="Only blocking ones, or only others.")] = None,
    first: FirstArgument = PAGE,
    after: AfterArgument = None,
    as_of: AsOfArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    """This will list concerns, the latest first."""
    context, asked = info.context, Page.of(first, after, "concerns", *BY_TIME)
    at = await context.position("audit", as_of, at_least)
    async with context.read() as connection:
        teams = context.visible_teams()
        chosen: dict[str, Any] = {
            "team_ids": team_ids, "proposal_id": proposal_id, "states": states, "blocking": blocking, "as_of": at,
        }  # fmt: skip
        rows = await matters.concerns(connection, teams, limit=asked.limit, after=asked.key, **chosen)
        total = await matters.concerns_total(connection, teams, **chosen) if selects(info, "totalCount") else None
        return await page(
            info, CONCERN, asked, rows, lambda row: (row.raised_at, row.concern_id), connection, total=total
        )


async def appeals(
    info: Info,
    team_ids: TeamsArgument = None,
    proposal_id: ProposalArgument = None,
    states: Annotated[list[AppealState] | None, strawberry.argument(description="Only those that stand so.")] = None,
    first: FirstArgument = PAGE,
    after: AfterArgument = None,
    as_of: AsOfArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    """This will list appeals, the latest first."""
    context, asked = info.context, Page.of(first, after, "appeals", *BY_TIME)
    at = await context.position("audit", as_of, at_least)
    async with context.read() as connection:
        teams = context.visible_teams()
        chosen: dict[str, Any] = {"team_ids": team_ids, "proposal_id": proposal_id, "states": states, "as_of": at}
        rows = await matters.appeals(connection, teams, limit=asked.limit, after=asked.key, **chosen)
        total = await matters.appeals_total(connection, teams, **chosen) if selects(info, "totalCount") else None
        return await page(
            info, APPEAL, asked, rows, lambda row: (row.lodged_at, row.appeal_id), connection, total=total
        )


@strawberry.type
class ConcernQuery:
    """The root fields about concerns and appeals."""

    concerns: Any = field(connection_of(CONCERN), "Concerns, the latest first.", concerns)
    appeals: Any = field(connection_of(APPEAL), "Appeals, the latest first.", appeals)
