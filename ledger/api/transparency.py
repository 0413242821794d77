"""How teams answer: counts, times and shares."""

from typing import Annotated, Any

import strawberry

from ledger.api.asking import (
    AreaArgument,
    SinceArgument,
    TeamsArgument,
    UntilArgument,
    field,
    forwards,
    instant,
    one,
    tuple_of,
)
from ledger.api.asof import AsOfArgument, AtLeastArgument
from ledger.api.connection import selects
from ledger.api.context import Info
from ledger.api.sources import refuse_unknown
from ledger.api.transparency_types import TRANSPARENCY
from projections.transparency.queries import Part, Period
from projections.transparency.queries import transparency as counted

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
    forwards(since, until)
    context = info.context
    parts = [part for part, names in _NEEDS.items() if any(selects(info, name) for name in names)]
    if source is not None:
        await refuse_unknown(context, "source", (source,), at_least)
    at = await context.position("transparency", as_of, at_least)
    period = Period(since, until, tuple_of(team_ids), area, source)
    async with context.read() as connection:
        now = await instant(connection, as_of, at)
        found = await counted(connection, context.visible_teams(), period, now, parts=parts, as_of=at)
        return await one(info, TRANSPARENCY, found, connection)


@strawberry.type
class TransparencyQuery:
    """The root field that counts."""

    transparency: Any = field(
        TRANSPARENCY.type,
        "How teams answer: what was proposed and decided, how long it took, and whether each NO was explained, told and understood.",
        transparency,
    )
