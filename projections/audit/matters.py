"""Concerns and appeals as lists."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from projections.audit.structs import AppealRecord, AppealState, ConcernRecord, ConcernState
from projections.audit.tables import APPEALS, CONCERNS
from projections.conditions import Conditions, Connection, Teams, page, total


async def concerns(
    connection: Connection,
    teams: Teams,
    *,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
    team_ids: Sequence[UUID] | None = None,
    proposal_id: UUID | None = None,
    states: Sequence[ConcernState] | None = None,
    blocking: bool | None = None,
    as_of: int | None = None,
) -> list[ConcernRecord]:
    """This will give concerns, the latest first."""
    where = _concerns(teams, team_ids=team_ids, proposal_id=proposal_id, states=states, blocking=blocking, as_of=as_of)
    order = ("raised_at", "concern_id")
    return await page(connection, CONCERNS, "c", where, order, limit=limit, after=after, descending=True)


async def concerns_total(connection: Connection, teams: Teams, **chosen: Any) -> int:
    """This will count the concerns that `concerns` gives on all pages."""
    return await total(connection, "views.audit_concerns AS c", _concerns(teams, **chosen))


def _concerns(
    teams: Teams,
    *,
    team_ids: Sequence[UUID] | None,
    proposal_id: UUID | None,
    states: Sequence[ConcernState] | None,
    blocking: bool | None,
    as_of: int | None,
) -> Conditions:
    where = Conditions(as_of).readable("c", teams, team_ids).given("c.proposal_id = %(proposal)s", proposal=proposal_id)
    where.given("c.blocking = %(blocking)s", blocking=blocking)
    return where.among("c.state", "states", None if states is None else [state.value for state in states])


async def appeals(
    connection: Connection,
    teams: Teams,
    *,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
    team_ids: Sequence[UUID] | None = None,
    proposal_id: UUID | None = None,
    states: Sequence[AppealState] | None = None,
    as_of: int | None = None,
) -> list[AppealRecord]:
    """This will give appeals, the latest first."""
    where = _appeals(teams, team_ids=team_ids, proposal_id=proposal_id, states=states, as_of=as_of)
    order = ("lodged_at", "appeal_id")
    return await page(connection, APPEALS, "a", where, order, limit=limit, after=after, descending=True)


async def appeals_total(connection: Connection, teams: Teams, **chosen: Any) -> int:
    """This will count the appeals that `appeals` gives on all pages."""
    return await total(connection, "views.audit_appeals AS a", _appeals(teams, **chosen))


def _appeals(
    teams: Teams,
    *,
    team_ids: Sequence[UUID] | None,
    proposal_id: UUID | None,
    states: Sequence[AppealState] | None,
    as_of: int | None,
) -> Conditions:
    where = Conditions(as_of).readable("a", teams, team_ids).given("a.proposal_id = %(proposal)s", proposal=proposal_id)
    return where.among("a.state", "states", None if states is None else [state.value for state in states])
