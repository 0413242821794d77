"""What came of it: calibration, and the cost of the NOs."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from ledger.api import values  # noqa: F401 - what these types show is shown first
from ledger.api.asking import AreaArgument, SinceArgument, TeamsArgument, UntilArgument, field, forwards, one, tuple_of
from ledger.api.asof import AsOfArgument, AtLeastArgument
from ledger.api.connection import selects
from ledger.api.context import Info
from ledger.api.shown import shown
from projections.outcomes import queries as outcomes
from projections.outcomes.queries import Grouping

CALIBRATION = shown(
    outcomes.Calibration,
    "Actual ÷ expected engineer-days of completed work; above 1: it took longer.",
    type_name="CalibrationGroup",
    group="Of which group; null: of all, or of those that name none.",
    count="Completed items with an estimate and an actual effort in days.",
    median="The median; null: none.",
    p10="The 10th percentile.",
    p90="The 90th percentile.",
    with_interval="Of these: with an optimistic and a pessimistic estimate.",
    covered="The share of those whose actual days fell in between, 0 to 1; null: none.",
)
BENEFIT_TOTAL = shown(
    outcomes.BenefitTotal,
    "One benefit looked at on one of its days, over all work.",
    benefit="The benefit.",
    day="30, 90 or 180 days after the work.",
    unit="The unit of both sums.",
    measurements="How many measurements there are.",
    with_promise="Of these: with a promised figure.",
    promised="The sum of what was promised.",
    realised="What came of it, summed over those with a promise.",
)
CALIBRATIONS = shown(
    outcomes.Calibrations,
    "Actual effort beside the estimates, and realised beside promised benefits.",
    type_name="Calibration",
    overall="All together.",
    groups="By group, the largest first, at most 100.",
    benefits="Benefits, the most measured first, at most 100.",
)
COST_GROUP = shown(
    outcomes.CostGroup,
    "Engineer-hours lost on items that a NO had left undone.",
    group="The reason code, the area or the team id; null: none is named.",
    losses="Losses reported.",
    proposals="Items they were reported on.",
    hours="Engineer-hours.",
)
COST_OF_NO = shown(
    outcomes.CostOfNo,
    "What the NOs have cost so far: losses that came about while a NO stood.",
    losses="Losses reported.",
    proposals="Items they were reported on.",
    hours="Engineer-hours lost.",
    hours_declined="Of these: on declined items.",
    hours_postponed="Of these: on postponed items.",
    left_undone="Declined and postponed items there are.",
    by_reason="By the NO's reasons, the dearest first; a loss counts under each of them.",
    by_area="By area.",
    by_team="By team id.",
)


def _scope(
    team_ids: list[UUID] | None, area: str | None, since: datetime | None, until: datetime | None
) -> outcomes.Scope:
    forwards(since, until)
    return outcomes.Scope(tuple_of(team_ids), area, since, until)


async def calibration(
    info: Info,
    by: Annotated[Grouping, strawberry.argument(description="What the groups are.")] = Grouping.BASIS,
    team_ids: TeamsArgument = None,
    area: AreaArgument = None,
    since: SinceArgument = None,
    until: UntilArgument = None,
    as_of: AsOfArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    """This will set what work took beside what was expected."""
    context = info.context
    at = await context.position("outcomes", as_of, at_least)
    async with context.read() as connection:
        found = await outcomes.calibration(
            connection,
            context.visible_teams(),
            _scope(team_ids, area, since, until),
            by=by,
            benefits=selects(info, "benefits"),
            as_of=at,
        )
        return await one(info, CALIBRATIONS, found, connection)


async def cost_of_no(
    info: Info,
    team_ids: TeamsArgument = None,
    area: AreaArgument = None,
    since: SinceArgument = None,
    until: UntilArgument = None,
    as_of: AsOfArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    """This will add up what the NOs have cost."""
    context = info.context
    at = await context.position("outcomes", as_of, at_least)
    async with context.read() as connection:
        found = await outcomes.cost_of_no(
            connection, context.visible_teams(), _scope(team_ids, area, since, until), as_of=at
        )
        return await one(info, COST_OF_NO, found, connection)


@strawberry.type
class OutcomesQuery:
    """The root fields about what came of decisions."""

    calibration: Any = field(
        CALIBRATIONS.type, "Actual effort beside the estimates, and realised beside promised benefits.", calibration
    )
    cost_of_no: Any = field(COST_OF_NO.type, "What the NOs have cost so far.", cost_of_no)
