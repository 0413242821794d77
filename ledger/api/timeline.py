"""What happened to one thing, in order, and how two versions of a part of a proposal differ."""

from typing import Annotated, Any
from uuid import UUID

import strawberry

from ledger.api.asking import connection_of, field, lookup, one, page, tuple_of
from ledger.api.asof import AsOfArgument, AtLeastArgument
from ledger.api.connection import PAGE, AfterArgument, FirstArgument, Page, selects
from ledger.api.context import Info
from ledger.api.errors import bad_input, not_found
from ledger.api.fact_types import TIMELINE_ENTRY
from ledger.api.version_types import COMPARISON
from ledger.events.registry import FACT_TYPES
from projections.audit import timeline as timelines
from projections.audit import versions
from projections.audit.version_structs import VersionKind

StreamArgument = Annotated[UUID, strawberry.argument(description="The proposal, the review or the team.")]


async def timeline(
    info: Info,
    of: StreamArgument,
    kinds: Annotated[
        list[str] | None, strawberry.argument(description="Only these types of fact, such as DecisionTaken.")
    ] = None,
    first: FirstArgument = PAGE,
    after: AfterArgument = None,
    as_of: AsOfArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    """This will list the facts of one stream."""
    context, asked = info.context, Page.of(first, after, "timeline", int)
    if unknown := sorted(set(kinds or ()) - FACT_TYPES.keys()):
        raise bad_input(f"kinds: {unknown[0]!r} is no type of fact. Such are DecisionTaken or EstimateChanged.")
    at = await context.position("audit", as_of, at_least)
    async with context.read() as connection:
        teams, after_version = context.visible_teams(), asked.key[0] if asked.key else 0
        chosen: dict[str, Any] = {"kinds": tuple_of(kinds), "as_of": at}
        rows = await timelines.timeline(connection, teams, of, limit=asked.limit, after=after_version, **chosen)
        total = await timelines.timeline_total(connection, teams, of, **chosen) if selects(info, "totalCount") else None
        return await page(info, TIMELINE_ENTRY, asked, rows, lambda row: (row.version,), connection, total=total)


async def compare_versions(
    info: Info,
    proposal_id: Annotated[UUID, strawberry.argument(description="The proposal.")],
    kind: Annotated[VersionKind, strawberry.argument(description="Its case, its estimate or its impact.")],
    from_: Annotated[int, strawberry.argument(name="from", description="The number of the one version, from 1.")],
    to: Annotated[int, strawberry.argument(description="The number of the other.")],
    as_of: AsOfArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    """This will compare two versions."""
    context = info.context
    at = await context.position("audit", as_of, at_least)
    async with context.read() as connection:
        found = await versions.compared(connection, context.visible_teams(), proposal_id, kind, (from_, to), as_of=at)
        if found is None:
            raise not_found("version")
        return await one(info, COMPARISON, found, connection)


@strawberry.type
class TimelineQuery:
    """The root fields about what happened and how things read."""

    timeline: Any = field(
        connection_of(TIMELINE_ENTRY),
        "Every recorded fact of one proposal, review or team, in order, each with a sentence.",
        timeline,
    )
    compare_versions: Any = lookup(
        COMPARISON, "What changed between two versions: field by field, in a text word by word.", compare_versions
    )
