"""How teams answer, and what came of it: counts, times, shares, calibration and the cost of the NOs."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from ledger.api import values  # noqa: F401 - what these types show is shown first
from ledger.api.asking import SinceArgument, TeamsArgument, UntilArgument, field, instant, one, tuple_of
from ledger.api.asof import AsOfArgument, AtLeastArgument
from ledger.api.connection import selects
from ledger.api.context import Info
from ledger.api.shown import shown
from projections.outcomes import queries as outcomes
from projections.outcomes.queries import Grouping
from projections.transparency import counts
from projections.transparency.queries import Part, Period
from projections.transparency.queries import transparency as counted

SHARE = "0 to 1; null: there were none."

NOES = shown(
    counts.Noes,
    "What became of NOs on whole proposals, taken in the period. Where a thing stands is as of the state shown.",
    type_name="NoCounts",
    count="How many.",
    proposals="Proposals that got their first answer of this kind in the period; for all kinds together, summed over them.",
    reasoned_when_decided="With a reason on their day.",
    unexplained_when_decided="Without any reason on their day.",
    explained_later="Of those without: with a reason since.",
    unexplained="Of those without: without one even now.",
    told="Told to the proposer.",
    promised="Covered by a service level.",
    told_in_time="Of those covered: told within it.",
    acknowledged="Answered by a recipient.",
    understood="Understood, agreed or not.",
    imported="Imported.",
    share_with_reason=f"The share with a reason by now, {SHARE}",
    share_told=f"The share told to the proposer, {SHARE}",
    share_told_in_time=f"The share told within the service level, of those covered, {SHARE}",
    share_acknowledged=f"The share answered by a recipient, {SHARE}",
    share_understood=f"The share understood, {SHARE}",
)
WAITING = shown(
    counts.Waiting,
    "Days from a submission to its first answer, of those answered in the period.",
    type_name="TimeToDecision",
    count="How many were answered for the first time; those of which the order of dates makes no sense are left out.",
    median_days="The median; null: none.",
    p90_days="The 90th percentile; null: none.",
)
CONCERNS = shown(
    counts.Concerns,
    "Concerns raised in the period, by where they stand.",
    type_name="ConcernCounts",
    raised="All.",
    unanswered="Nobody has answered.",
    answered="Answered, not settled.",
    resolved="Settled.",
    overruled="Overruled.",
)
APPEALS = shown(
    counts.Appeals,
    "Appeals lodged in the period, by how they ended.",
    type_name="AppealCounts",
    lodged="All.",
    open="Not heard yet.",
    upheld="Upheld.",
    dismissed="Dismissed.",
)
REVIEWS = shown(
    counts.ReviewsHeld,
    "Reviews of the period against the cadence.",
    type_name="ReviewCounts",
    held="Held.",
    skipped="Called off.",
    expected="What the cadence asks for since the team was formed; null: no team has one.",
)
REASON_COUNT = shown(counts.ReasonCount, "How many NOs gave a reason.", code="The reason code.", count="How many.")
AREA_COUNT = shown(
    counts.AreaCount,
    "How many were declined in an area.",
    area="The area; null: those that name none.",
    count="How many.",
)
BUCKET = shown(
    counts.Bucket,
    "The main counts of one team or one month.",
    type_name="TransparencyBucket",
    team_id="The team; null in a month's.",
    month="The month's first day (YYYY-MM-DD, UTC); null in a team's.",
    proposed="Submitted.",
    accepted="Answered YES as a whole.",
    declined="Declined as a whole.",
    postponed="Postponed as a whole.",
    redirected="Sent elsewhere.",
    withdrawn="Withdrawn.",
    completed="Completed.",
    unexplained="NOs without any reason even now.",
)
TRANSPARENCY = shown(
    counts.Transparency,
    "How teams answer in a period. A count is of what happened in the period; imported history is in it, and counted beside it.",
    type_name="Transparency",
    proposed="Submitted.",
    accepted="Answered YES as a whole.",
    scoped_accepted="Answered YES in part, by an imported source; in no other count.",
    scoped_other="Answered NO in part, by an imported source; in no other count.",
    declined="Declined.",
    postponed="Postponed.",
    redirected="Sent elsewhere, by an answer or without one.",
    withdrawn="Withdrawn.",
    carried_over="Times that a review left an item for the next.",
    reopened="Times that a decided proposal became pending again.",
    proposals_reopened="Proposals that did.",
    merged="Merged into another.",
    superseded="Superseded.",
    split="Split.",
    started="Starts of work.",
    started_without_yes="Of these: without a YES.",
    completed="Completed.",
    abandoned="Abandoned.",
    estimated="First estimates; a source may have several subjects.",
    proposals_estimated="Proposals with one.",
    estimate_changes="Changed estimates.",
    proposals_with_estimate_changes="Proposals with one.",
    estimates_removed="Estimates taken away by a source.",
    self_decided="Decisions on the decider's own proposal.",
    imported_proposals="Of those submitted: imported.",
    imported_decisions="Of the decisions on a whole: imported.",
    nobody_looked="Of those submitted: pending, on no agenda yet, never answered.",
    time_to_decision="From submission to first answer.",
    noes="All NOs.",
    declines="Those that decline.",
    postponements="Those that postpone.",
    redirections="Those that redirect.",
    concerns="Concerns.",
    appeals="Appeals.",
    product_reviews="Product reviews.",
    engineering_reviews="Engineering reviews.",
    reasons="Reasons of the NOs by frequency, at most 100; a NO with two counts under both.",
    declines_by_area="Declines by area, at most 100.",
    teams="By team, the most proposed first, at most 100.",
    months="By month, the latest first, at most 240.",
)
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

AreaArgument = Annotated[str | None, strawberry.argument(description="Only this area.")]

#: Which part of the counting each field of the answer needs.
_NEEDS = {
    Part.PROPOSALS: ("proposed", "importedProposals", "nobodyLooked"),
    Part.DECISIONS: (
        *("accepted", "scopedAccepted", "scopedOther", "declined", "postponed", "selfDecided", "importedDecisions"),
        *("timeToDecision", "noes", "declines", "postponements", "redirections"),
    ),
    Part.HAPPENINGS: (
        *("redirected", "withdrawn", "carriedOver", "reopened", "proposalsReopened", "merged", "superseded", "split"),
        *("started", "startedWithoutYes", "completed", "abandoned", "estimated", "proposalsEstimated"),
        *("estimateChanges", "proposalsWithEstimateChanges", "estimatesRemoved"),
    ),
    Part.MATTERS: ("concerns", "appeals", "productReviews", "engineeringReviews"),
    Part.CADENCE: ("productReviews", "engineeringReviews"),
    Part.REASONS: ("reasons",),
    Part.AREAS: ("declinesByArea",),
    Part.TEAMS: ("teams",),
    Part.MONTHS: ("months",),
}


async def transparency(
    info: Info,
    team_ids: TeamsArgument = None,
    since: SinceArgument = None,
    until: UntilArgument = None,
    area: AreaArgument = None,
    source: Annotated[str | None, strawberry.argument(description="Only what came from this source system.")] = None,
    as_of: AsOfArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    """This will count what is selected, and nothing else."""
    context = info.context
    parts = [part for part, names in _NEEDS.items() if any(selects(info, name) for name in names)]
    at = await context.position("transparency", as_of, at_least)
    period = Period(since, until, tuple_of(team_ids), area, source)
    async with context.read() as connection:
        now = await instant(context, connection, at)
        found = await counted(connection, context.visible_teams(), period, now, parts=parts, as_of=at)
        return await one(info, TRANSPARENCY, found, connection)


def _scope(
    team_ids: list[UUID] | None, area: str | None, since: datetime | None, until: datetime | None
) -> outcomes.Scope:
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
class TransparencyQuery:
    """The root fields that count."""

    transparency: Any = field(
        TRANSPARENCY.type,
        "How teams answer: what was proposed and decided, how long it took, and whether each NO was explained, told and understood.",
        transparency,
    )
    calibration: Any = field(
        CALIBRATIONS.type, "Actual effort beside the estimates, and realised beside promised benefits.", calibration
    )
    cost_of_no: Any = field(COST_OF_NO.type, "What the NOs have cost so far.", cost_of_no)
