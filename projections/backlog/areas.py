"""What is proposed for each area: sums over an index, of the present or as of a position."""

from uuid import UUID

from msgspec import Struct

from projections.conditions import Conditions, Connection, Teams, rows

#: Most areas that are summed up at once.
AREAS_MAX = 500


class AreaSummary(Struct, frozen=True):
    """What is proposed for one area, in the teams that were asked for. `area` None: the proposals that name none."""

    area: str | None
    proposals: int
    pending: int
    accepted: int
    declined: int
    postponed: int
    in_progress: int
    completed: int
    #: Engineer-hours a week that the pending ones cost, where that was assessed, and the expected engineer-days to pay them.
    pending_drag: float
    pending_days: float
    not_estimated: int


async def areas(
    connection: Connection,
    teams: Teams,
    *,
    area: str | None = None,
    team_ids: list[UUID] | None = None,
    limit: int = AREAS_MAX,
    as_of: int | None = None,
) -> list[AreaSummary]:
    """This will sum up each area, or the one asked for, in the order of the pending drag, the highest first."""
    where = Conditions(as_of).readable("b", teams, team_ids)
    where.add("b.team_id IS NOT NULL").given("b.area = %(area)s", area=area)
    of_status = [
        f"count(*) FILTER (WHERE b.status = '{status}')"
        for status in ("PENDING", "ACCEPTED", "DECLINED", "POSTPONED", "IN_PROGRESS", "COMPLETED")
    ]
    pending = "FILTER (WHERE b.status = 'PENDING')"
    found = await rows(
        connection,
        f"SELECT b.area, count(*), {', '.join(of_status)}, coalesce(sum(greatest(b.drag, 0)) {pending}, 0),"
        f" coalesce(sum(greatest(b.days, 0)) {pending}, 0), count(*) FILTER (WHERE b.status = 'PENDING' AND b.days < 0)"
        f" FROM views.backlog AS b WHERE {where} GROUP BY b.area ORDER BY 9 DESC, b.area LIMIT {limit:d}",
        where.values,
    )
    return [AreaSummary(*row) for row in found]
