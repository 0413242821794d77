"""Teams, the policies that rank them, and the reasons that a NO may give."""

from typing import Annotated, Any
from uuid import UUID

import strawberry

from ledger.api.asking import connection_of, field, listed, lookup, one, page
from ledger.api.asof import AsOf, AsOfArgument, AtLeastArgument
from ledger.api.connection import PAGE, AfterArgument, FirstArgument, Page, selects
from ledger.api.context import Context, Info
from ledger.api.errors import not_found
from ledger.api.shown import shown
from ledger.ranking import Formula
from projections.teams import queries
from projections.teams.structs import Activation, Policy, PolicyInForce, PolicyVersion, ReasonCode, Team, TeamMember

VIEW = "teams"
#: Most policies that are listed.
POLICIES_MAX = 250

MEMBER = shown(
    TeamMember,
    "Somebody of a team.",
    type_name="TeamMember",
    member_id="Who.",
    joined_at="When they joined.",
    roles="Their roles in the team.",
)
TEAM = shown(
    Team,
    "A team, what it promises, and who belongs to it.",
    node="team_id",
    team_id="The team.",
    name="Its name.",
    formed_at="When it was formed.",
    hours_per_day="Engineer-hours in an engineer-day.",
    weekly_hours="Engineer-hours it has a week; null: not said.",
    source="The source whose history it holds, for an imported one.",
    days_per_cycle="Engineer-days a cycle that it gives to paying debt; null: not said.",
    engineering_days="Days between two engineering reviews; null: not said.",
    product_days="Days between two product reviews; null: not said.",
    days_to_decide="Days from a submission to its answer that it promises; null: nothing.",
    hours_to_tell="Hours from an answer to its being told that it promises; null: nothing.",
    policy_id="The policy that ranks its backlog; null: the default formula.",
    policy_since="Since when.",
    members="Who belongs to it.",
)
FORMULA = shown(
    Formula,
    "How a policy makes a score.",
    method="The method.",
    weights="WEIGHTED: how much each feature counts.",
    scale="WEIGHTED: the figure of each feature that counts as 1.",
    engineers="CD3: how many work on an item at once.",
)
VERSION = shown(
    PolicyVersion,
    "One wording of a policy.",
    type_name="PolicyWording",
    version="Its number, from 1.",
    formula="How it ranks.",
    note="Why it is as it is.",
    at="When it was made.",
    position="The position at which it was recorded.",
)
ACTIVATION = shown(
    Activation,
    "From when a team was ranked by a policy.",
    type_name="PolicyActivation",
    team_id="The team.",
    since="From when.",
    position="The position from which the backlog shows it.",
)
POLICY = shown(
    Policy,
    "A way to rank a backlog, with all its versions.",
    node="policy_id",
    policy_id="The policy.",
    name="Its name.",
    latest="The version that ranks wherever the policy is active.",
    versions="All versions, the first first.",
    activations="Where it was activated, the first first.",
    active_in="The teams that it ranks now.",
)
IN_FORCE = shown(
    PolicyInForce,
    "What ranks a team's backlog.",
    policy_id="The policy; null: the default formula.",
    version="Its version; 0: the default formula.",
    formula="How it ranks.",
    name="Its name.",
)
REASON_CODE = shown(
    ReasonCode,
    "A reason that a NO may give.",
    code="The code, which is never renamed.",
    meaning="What it means.",
    companion="What it asks for besides its text; null: nothing.",
    added_at="When it was added.",
    retired_at="When it was retired; null: a new NO may give it.",
    retired_because="Why it was retired.",
)


async def team(
    info: Info,
    team_id: Annotated[UUID, strawberry.argument(description="The team.")],
    as_of: AsOfArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    """This will show one team. Raises the error NOT_FOUND."""
    context = info.context
    at = await context.position(VIEW, as_of, at_least)
    async with context.read() as connection:
        found = await queries.team(connection, context.visible_teams(), team_id, as_of=at)
        if found is None:
            raise not_found("team")
        return await one(info, TEAM, found, connection)


async def team_node(context: Context, team_id: UUID, as_of: AsOf | None, at_least: int | None) -> Any:
    """This will read a team for `node(id)`; None: it is not there or may not be seen."""
    at = await context.position(VIEW, as_of, at_least)
    async with context.read() as connection:
        found = await queries.team(connection, context.visible_teams(), team_id, as_of=at)
        return None if found is None else TEAM.show(found, await TEAM.members_of([found], context, connection))


async def teams(
    info: Info,
    first: FirstArgument = PAGE,
    after: AfterArgument = None,
    as_of: AsOfArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    """This will list the teams by name."""
    context, asked = info.context, Page.of(first, after, "teams", str, UUID)
    at = await context.position(VIEW, as_of, at_least)
    async with context.read() as connection:
        rows = await queries.teams(
            connection,
            context.visible_teams(),
            limit=asked.limit,
            after=asked.key,
            as_of=at,
        )
        seen = context.visible_teams()
        total = await queries.teams_total(connection, seen, as_of=at) if selects(info, "totalCount") else None
        return await page(info, TEAM, asked, rows, queries.key_of_team, connection, total=total)


async def policies(info: Info, as_of: AsOfArgument = None, at_least: AtLeastArgument = None) -> Any:
    """This will list the policies by name, at most 250. Any member may read them."""
    at = await info.context.position(VIEW, as_of, at_least)
    async with info.context.read() as connection:
        found = await queries.policies(connection, limit=POLICIES_MAX, as_of=at)
    return [POLICY.show(row, {}) for row in found]


async def policy_node(context: Context, policy_id: UUID, as_of: AsOf | None, at_least: int | None) -> Any:
    """This will read a policy for `node(id)`; None: it is not there."""
    at = await context.position(VIEW, as_of, at_least)
    async with context.read() as connection:
        found = await queries.policy(connection, policy_id, as_of=at)
    return None if found is None else POLICY.show(found, {})


async def policy_in_force(
    info: Info,
    team_id: Annotated[UUID, strawberry.argument(description="The team.")],
    as_of: AsOfArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    """This will show what ranks a team. Raises the error NOT_FOUND."""
    context = info.context
    context.refuse_unseen(team_id)
    at = await context.position(VIEW, as_of, at_least)
    async with context.read() as connection:
        found = await queries.policy_in_force(connection, team_id, as_of=at)
        if found is None:
            raise not_found("team")
        return await one(info, IN_FORCE, found, connection)


async def reason_codes(
    info: Info,
    active: Annotated[
        bool | None, strawberry.argument(description="Only those that a new NO may give, or only the retired ones.")
    ] = None,
    as_of: AsOfArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    """This will list the reason codes."""
    at = await info.context.position(VIEW, as_of, at_least)
    async with info.context.read() as connection:
        found = await queries.reason_codes(connection, active=active, as_of=at)
    return [REASON_CODE.show(row, {}) for row in found]


@strawberry.type
class TeamQuery:
    """The root fields about teams, policies and reasons."""

    team: Any = lookup(TEAM, "One team.", team)
    teams: Any = field(connection_of(TEAM), "The teams that you may see, by name.", teams)
    policies: Any = field(listed(POLICY), "The policies that rank backlogs, by name, at most 250.", policies)
    policy_in_force: Any = lookup(IN_FORCE, "What ranks a team's backlog.", policy_in_force)
    reason_codes: Any = field(
        listed(REASON_CODE), "The catalogue of reasons that a NO may give, in alphabetical order.", reason_codes
    )
