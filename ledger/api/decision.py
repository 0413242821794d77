"""Why not: one proposal's decisions, one decision, and lists of NOs."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry
from msgspec.structs import replace

from ledger.api.asking import (
    BY_TIME,
    TeamsArgument,
    connection_of,
    connection_with,
    field,
    forwards,
    instant,
    lookup,
    one,
    page,
    tuple_of,
)
from ledger.api.asof import AsOf, AsOfArgument, AtLeastArgument
from ledger.api.connection import PAGE, AfterArgument, FirstArgument, Page, selects
from ledger.api.context import Context, Info
from ledger.api.decision_types import DECISION, DECISION_STORY, FACETS, NOTICE, REVISIT, WHY_NOT
from ledger.api.errors import bad_input, not_found
from ledger.api.sources import ProposalArgument, SourceArgument, proposal_meant, refuse_unknown
from ledger.api.standing import Connection
from ledger.values import Disposition, MemberId, numbered
from projections.audit import decisions, returning, story

FACET_NAMES = ("reason", "team", "area", "decider", "period", "told", "explained", "source")
#: Most characters of a search.
SEARCH_MAX = 400


@strawberry.input(description="Which NOs are meant; what is left out does not matter.")
class DeclinedFilter:
    """As `decisions.NoFilter` has it."""

    dispositions: list[Disposition] | None = strawberry.field(
        default=None, description="DECLINE, POSTPONE or REDIRECT; left out: DECLINE."
    )
    team_ids: list[UUID] | None = strawberry.field(default=None, description="Any of these teams.")
    reasons: list[str] | None = strawberry.field(default=None, description="Any of these reason codes.")
    areas: list[str] | None = strawberry.field(default=None, description="Any of these areas.")
    decider_ids: list[UUID] | None = strawberry.field(default=None, description="Any of these deciders.")
    sources: list[str] | None = strawberry.field(default=None, description="Any of these source systems.")
    told: bool | None = strawberry.field(default=None, description="Was the proposer told?")
    acknowledged: bool | None = strawberry.field(default=None, description="Did a recipient answer?")
    explained: bool | None = strawberry.field(default=None, description="Has it a reason by now?")
    explained_when_decided: bool | None = strawberry.field(default=None, description="Had it a reason on its day?")
    imported: bool | None = strawberry.field(default=None, description="Was it imported?")
    search: str | None = strawberry.field(
        default=None,
        description='Words in the title, the reasons or the case, at most 400 characters: all of them; "a phrase"; a or b; -without.',
    )
    since: datetime | None = strawberry.field(default=None, description="Taken at or after this instant.")
    until: datetime | None = strawberry.field(default=None, description="Taken before this instant.")


def wanted(given: DeclinedFilter | None) -> decisions.NoFilter:
    """This will turn the input into the query's filter."""
    if given is None:
        return decisions.NoFilter()
    if given.search is not None and not 0 < len(given.search.strip()) <= SEARCH_MAX:
        raise bad_input(
            f"filter.search has {numbered(len(given.search), 'character')}; it needs 1 to {SEARCH_MAX}, and a word."
        )
    forwards(given.since, given.until)
    return decisions.NoFilter(
        dispositions=tuple_of(given.dispositions) or (Disposition.DECLINE,),
        teams=tuple_of(given.team_ids),
        reasons=tuple_of(given.reasons),
        areas=tuple_of(given.areas),
        deciders=tuple_of(given.decider_ids),
        systems=tuple_of(given.sources),
        told=given.told,
        acknowledged=given.acknowledged,
        explained=given.explained,
        explained_when_decided=given.explained_when_decided,
        imported=given.imported,
        search=given.search,
        since=given.since,
        until=given.until,
    )


DECLINED = connection_with(
    DECISION,
    "DeclinedConnection",
    "One page of NOs, with what all of them have in common.",
    facets=(FACETS.type | None, "All that the filter leaves, counted by each side; counted only when it is asked for."),
)


async def why_not(
    info: Info,
    proposal_id: ProposalArgument = None,
    source: SourceArgument = None,
    as_of: AsOfArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    """This will tell a proposal's whole story."""
    wanted_id = proposal_meant(proposal_id, source)
    context = info.context
    at = await context.position("audit", as_of, at_least)
    async with context.read() as connection:
        now = await instant(connection, as_of, at)
        found = await story.proposal_story(connection, context.visible_teams(), wanted_id, now, as_of=at)
        if found is None:
            raise not_found("proposal")
        return await one(info, WHY_NOT, found, connection)


async def decision(
    info: Info,
    decision_id: Annotated[UUID, strawberry.argument(description="The decision.")],
    as_of: AsOfArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    """This will tell one decision's story."""
    context = info.context
    at = await context.position("audit", as_of, at_least)
    async with context.read() as connection:
        now = await instant(connection, as_of, at)
        found = await story.decision_story(connection, context.visible_teams(), decision_id, now, as_of=at)
        chosen = found and found.of(decision_id)
        if chosen is None:
            raise not_found("decision")
        return await one(info, DECISION_STORY, chosen, connection)


async def decision_node(context: Context, decision_id: UUID, as_of: AsOf | None, at_least: int | None) -> Any:
    """This will read a decision for `node(id)`; None: it is not there or may not be seen."""
    at = await context.position("audit", as_of, at_least)
    async with context.read() as connection:
        now = await instant(connection, as_of, at)
        found = await story.decision_story(connection, context.visible_teams(), decision_id, now, as_of=at)
        chosen = None if found is None else found.of(decision_id)
        if chosen is None:
            return None
        return DECISION.show(chosen.decision, await DECISION.members_of([chosen.decision], context, connection))


async def declined(
    info: Info,
    filter: Annotated[  # noqa: A002 - GraphQL's word
        DeclinedFilter | None, strawberry.argument(description="Which NOs; left out: all that were declined.")
    ] = None,
    first: FirstArgument = PAGE,
    after: AfterArgument = None,
    as_of: AsOfArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    """This will list NOs, the latest first."""
    context, asked = info.context, Page.of(first, after, "declined", *BY_TIME)
    given = wanted(filter)
    facets = tuple(name for name in FACET_NAMES if selects(info, "facets", name))
    counts = selects(info, "totalCount") or selects(info, "facets")
    if given.systems:
        await refuse_unknown(context, "filter.sources", given.systems, at_least)
    at = await context.position("audit", as_of, at_least)
    teams = context.visible_teams()
    async with context.read() as connection:
        rows = await decisions.declined(connection, teams, given, limit=asked.limit, after=asked.key, as_of=at)
        if given.search is not None and not rows and not await decisions.is_sought(connection, given.search):
            raise bad_input(
                "filter.search has no word that tells one text from another: `the`, `of` and `only` are in all of them. Add one that does."
            )
        found = await decisions.facets(connection, teams, given, names=facets, as_of=at) if counts else None
        shown = await page(info, DECISION, asked, rows, lambda row: (row.decided_at, row.decision_id), connection)
        found = found and await _named(found, context, connection)
    return DECLINED(
        edges=shown.edges,
        nodes=shown.nodes,
        page_info=shown.page_info,
        total_count=found.total if found else None,
        facets=FACETS.show(found, {}) if found else None,
    )


async def _named(found: decisions.Facets, context: Context, connection: Connection) -> decisions.Facets:
    """This will set the deciders' names beside their ids, as the directory has them."""
    deciders = {one.value: MemberId(UUID(one.value)) for one in found.decider if one.value}
    people = await context.members(deciders.values(), connection)
    names = {value: person.name for value, decider in deciders.items() if (person := people.get(decider))}
    return replace(found, decider=tuple(replace(one, label=names.get(one.value or "")) for one in found.decider))


async def unanswered_notices(
    info: Info,
    team_ids: TeamsArgument = None,
    told: Annotated[
        bool | None,
        strawberry.argument(description="true: told and not answered; false: not told; left out: both."),
    ] = None,
    imported: Annotated[
        bool, strawberry.argument(description="Also imported ones, of which the source says nothing?")
    ] = False,
    first: FirstArgument = PAGE,
    after: AfterArgument = None,
    as_of: AsOfArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    """This will list the NOs that wait, the oldest first."""
    context, asked = info.context, Page.of(first, after, "notices", *BY_TIME)
    at = await context.position("audit", as_of, at_least)
    async with context.read() as connection:
        now = await instant(connection, as_of, at)
        teams = context.visible_teams()
        chosen: dict[str, Any] = {"team_ids": tuple_of(team_ids), "told": told, "imported": imported, "as_of": at}
        found = await decisions.unanswered_notices(connection, teams, limit=asked.limit, after=asked.key, **chosen)
        rows = [decisions.Notice.of(row, now) for row in found]
        total = await decisions.unanswered_total(connection, teams, **chosen) if selects(info, "totalCount") else None

        def key(row: decisions.Notice) -> tuple[Any, ...]:
            return row.decision.decided_at, row.decision.decision_id

        return await page(info, NOTICE, asked, rows, key, connection, total=total)


async def revisits(
    info: Info,
    team_ids: TeamsArgument = None,
    until: Annotated[
        datetime | None, strawberry.argument(description="Only those with a date before this instant.")
    ] = None,
    first: FirstArgument = PAGE,
    after: AfterArgument = None,
    as_of: AsOfArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    """This will list the NOs that may come back, the nearest date first."""
    context, asked = info.context, Page.of(first, after, "revisits", datetime | None, UUID)
    at = await context.position("audit", as_of, at_least)
    async with context.read() as connection:
        now = await instant(connection, as_of, at)
        teams = context.visible_teams()
        chosen: dict[str, Any] = {"team_ids": tuple_of(team_ids), "until": until, "as_of": at}
        rows = await returning.revisits(connection, teams, now, limit=asked.limit, after=asked.key, **chosen)
        total = await returning.revisits_total(connection, teams, **chosen) if selects(info, "totalCount") else None

        def key(row: returning.Revisit) -> tuple[Any, ...]:
            return row.decision.next_date, row.decision.decision_id

        return await page(info, REVISIT, asked, rows, key, connection, total=total)


@strawberry.type
class DecisionQuery:
    """The root fields about decisions."""

    why_not: Any = lookup(
        WHY_NOT,
        "Why a proposal was declined: verdict, reasons, what was known then, what has changed since, and what would bring it back.",
        why_not,
    )
    decision: Any = lookup(
        DECISION_STORY, "One decision with what was known then and what has changed since.", decision
    )
    declined: Any = field(DECLINED, "NOs, the latest first, with facets: precedents and patterns.", declined)
    unanswered_notices: Any = field(
        connection_of(NOTICE), "NOs that were not told, or told and not answered, the oldest first.", unanswered_notices
    )
    revisits: Any = field(
        connection_of(REVISIT), "NOs with conditions that would bring them back, the nearest date first.", revisits
    )
