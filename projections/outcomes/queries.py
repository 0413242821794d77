"""Actual against estimate, realised against promised, and what the NOs have cost."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from projections.conditions import Conditions, Connection, Teams, rows

#: Most groups that one answer lists, the largest first.
GROUPS_MAX = 100


class Grouping(StrEnum):
    """What completed work is grouped by."""

    TEAM = "TEAM"
    AREA = "AREA"
    BASIS = "BASIS"
    SOURCE = "SOURCE"


_COLUMNS = {Grouping.TEAM: "team_id::text", Grouping.AREA: "area", Grouping.BASIS: "basis", Grouping.SOURCE: "system"}


class Scope(Struct, frozen=True):
    """What is looked at; `since` up to before `until` is when the work was completed, or the loss came about."""

    team_ids: tuple[UUID, ...] | None = None
    area: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class Calibration(Struct, frozen=True):
    """Actual ÷ expected days of completed work. `group` None: all, or those that name none.

    `covered`: the share whose actual days fell between optimistic and pessimistic, of the `with_interval` that have both.
    """

    group: str | None
    count: int
    median: float | None
    p10: float | None
    p90: float | None
    with_interval: int
    covered: float | None


class BenefitTotal(Struct, frozen=True):
    """One benefit looked at on one of its days, over all work: sums in its unit, of the measurements that have a promise too."""

    benefit: str
    day: int
    unit: str
    measurements: int
    with_promise: int
    promised: float | None
    realised: float | None


class Calibrations(Struct, frozen=True):
    """All completed work together, then by group; and the benefits that were measured."""

    overall: Calibration
    groups: tuple[Calibration, ...]
    benefits: tuple[BenefitTotal, ...]


class CostGroup(Struct, frozen=True):
    """Engineer-hours lost on items that a NO had left undone, of one reason, area or team."""

    group: str | None
    losses: int
    proposals: int
    hours: float


class CostOfNo(Struct, frozen=True):
    """What the NOs have cost so far. A loss on a NO with two reasons counts under each of them, and once in the whole."""

    losses: int
    proposals: int
    hours: float
    hours_declined: float
    hours_postponed: float
    #: How many declined and postponed items there are, so that the cost can be set against their number.
    left_undone: int
    by_reason: tuple[CostGroup, ...]
    by_area: tuple[CostGroup, ...]
    by_team: tuple[CostGroup, ...]


_calibrations = msgspec.json.Decoder(tuple[Calibration, ...]).decode
_benefits = msgspec.json.Decoder(tuple[BenefitTotal, ...]).decode
_cost = msgspec.json.Decoder(CostOfNo).decode

_RATIOS = (
    "count(*) AS count, percentile_cont(0.5) WITHIN GROUP (ORDER BY ratio) AS median,"
    " percentile_cont(0.1) WITHIN GROUP (ORDER BY ratio) AS p10, percentile_cont(0.9) WITHIN GROUP (ORDER BY ratio) AS p90,"
    " count(covered) AS with_interval, avg(covered::int) AS covered"
)


def _where(visible: Teams, scope: Scope, at: str, as_of: int | None) -> Conditions:
    where = Conditions(as_of).readable("x", visible, scope.team_ids)
    return where.given("x.area = %(area)s", area=scope.area).within(f"x.{at}", scope.since, scope.until)


def _list(select: str, order: str = "") -> str:
    return f"(SELECT COALESCE(json_agg(found{order}), '[]') FROM ({select}) AS found)"


async def calibration(
    connection: Connection,
    visible: Teams,
    scope: Scope,
    *,
    by: Grouping = Grouping.BASIS,
    benefits: bool = True,
    as_of: int | None = None,
) -> Calibrations:
    """This will set what completed work took beside what was expected of it, in one statement."""
    where = _where(visible, scope, "completed_at", as_of)
    measured = _where(visible, scope, "at", as_of)
    both = "FILTER (WHERE promised IS NOT NULL)"
    sums = (
        "SELECT benefit, day, unit, count(*) AS measurements, count(promised) AS with_promise, sum(promised) AS promised,"
        f" sum(realised) {both} AS realised FROM views.outcomes_benefits AS x WHERE {measured}"
        f" GROUP BY benefit, day, unit ORDER BY 4 DESC, benefit, day, unit LIMIT {GROUPS_MAX}"
    )
    done = (
        "WITH done AS (SELECT team_id, area, basis, system, ratio, covered FROM views.outcomes_expectations AS x"
        f" WHERE {where} AND ratio IS NOT NULL)"
    )
    groups = f"SELECT {_COLUMNS[by]} AS group, {_RATIOS} FROM done GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {GROUPS_MAX}"
    ((overall, grouped, told),) = await rows(
        connection,
        f"{done} SELECT convert_to({_list(f'SELECT NULL AS group, {_RATIOS} FROM done')}::text, 'UTF8'),"
        f" convert_to({_list(groups)}::text, 'UTF8'),"
        f" {f'''convert_to({_list(sums)}::text, 'UTF8')''' if benefits else 'NULL'}",
        where.values,
    )
    return Calibrations(_calibrations(overall)[0], _calibrations(grouped), _benefits(told) if told else ())


async def cost_of_no(connection: Connection, visible: Teams, scope: Scope, *, as_of: int | None = None) -> CostOfNo:
    """This will add up the losses on items that were declined or postponed when they came about, in one statement."""
    where = _where(visible, scope, "at", as_of)
    undone = _where(visible, Scope(scope.team_ids, scope.area), "completed_at", as_of)

    def grouped(column: str, source: str = "lost") -> str:
        return _list(
            f"SELECT {column} AS group, count(*) AS losses, count(DISTINCT proposal_id) AS proposals, sum(hours) AS hours"
            f" FROM {source} GROUP BY 1 ORDER BY 4 DESC, 1 LIMIT {GROUPS_MAX}"
        )

    fields: dict[str, Any] = {
        "losses": "(SELECT count(*) FROM lost)",
        "proposals": "(SELECT count(DISTINCT proposal_id) FROM lost)",
        "hours": "(SELECT COALESCE(sum(hours), 0) FROM lost)",
        "hours_declined": "(SELECT COALESCE(sum(hours), 0) FROM lost WHERE disposition = 'DECLINE')",
        "hours_postponed": "(SELECT COALESCE(sum(hours), 0) FROM lost WHERE disposition = 'POSTPONE')",
        "left_undone": f"(SELECT count(*) FROM views.outcomes_expectations AS x WHERE {undone}"
        " AND disposition IN ('DECLINE', 'POSTPONE'))",
        "by_reason": grouped("code", "lost CROSS JOIN LATERAL unnest(codes) AS code"),
        "by_area": grouped("area"),
        "by_team": grouped("team_id::text"),
    }
    built = ", ".join(f"'{name}', {select}" for name, select in fields.items())
    ((told,),) = await rows(
        connection,
        "WITH lost AS MATERIALIZED (SELECT proposal_id, team_id, area, hours, disposition, codes"
        f" FROM views.outcomes_losses AS x WHERE {where} AND disposition IS NOT NULL)"
        f" SELECT convert_to(json_build_object({built})::text, 'UTF8')",
        where.values,
    )
    return _cost(told)
