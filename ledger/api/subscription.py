"""`ledgerEvents`: every fact that the viewer may see, once and in order, from a position on."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any
from uuid import UUID

import strawberry

from ledger.api.context import Context, Info
from ledger.api.errors import bad_input
from ledger.api.fact_types import LEDGER_EVENT
from ledger.api.feed import KEPT, Fact
from ledger.api.scalars import Position
from ledger.api.simulation import followed
from ledger.api.simulation_types import SIMULATION
from ledger.api.standing import Connection, standings
from ledger.directory.members import people
from ledger.events.registry import FACT_TYPES
from projections.audit.facts import facts_after

#: Facts that may change what somebody may see.
OF_ROLES = frozenset({"RoleGranted", "RoleRevoked", "MemberLeft"})

AFTER = "The position of the last event that you have; left out: from now on. A stream that broke off goes on without gap or repeat."


async def read(connection: Connection, after: int, until: int) -> list[Fact]:
    """This will read facts for a feed, with the names of the members that they mention."""
    found = await facts_after(connection, after, until, KEPT)
    named = LEDGER_EVENT.members(found)
    names = await people(connection, named) if named else {}
    return [Fact(event, LEDGER_EVENT.show(event, names)) for event in found]


async def ledger_events(
    info: Info,
    after: Annotated[Position | None, strawberry.argument(description=AFTER)] = None,
    types: Annotated[
        list[str] | None, strawberry.argument(description="Only these types of fact, such as DecisionTaken.")
    ] = None,
    team: Annotated[UUID | None, strawberry.argument(description="Only of this team.")] = None,
) -> AsyncGenerator[Any, None]:
    """This will give facts as they come until the client ends it, its token ends, or the process stops."""
    context = info.context
    feed = context.resources.feed
    if unknown := sorted(set(types or ()) - FACT_TYPES.keys()):
        raise bad_input(f"types: {unknown[0]!r} is no type of fact. Such are DecisionTaken or EstimateChanged.")
    wanted = None if types is None else frozenset(types)
    async with context.read() as connection:
        head = (await standings(connection)).head
    position = context.resume_after if context.resume_after is not None else head if after is None else after
    if position > head:
        raise bad_input(f"after is {position}, and the ledger ends at {head}. Give the position of the last event.")
    await context.roles_at(head)  # what the viewer was given a moment ago counts
    if team is not None:
        context.refuse_unseen(team)
    context.resume_after = position
    while found := await feed.after(position):
        for fact in found:
            if fact.event.kind in OF_ROLES and fact.event.body.get("member_id") == str(context.viewer.member_id):
                await context.roles_at(fact.event.position)
            position = context.resume_after = fact.event.position
            if _is_for(context, fact, team) and (wanted is None or fact.event.kind in wanted):
                yield fact.node


def _is_for(context: Context, fact: Fact, team: UUID | None) -> bool:
    if team is not None and fact.team_id != team:
        return False
    teams = context.visible_teams()
    return teams is None or fact.team_id in teams


@strawberry.type(description="What can be followed.")
class Subscription:
    """Over WebSocket and server-sent events."""

    ledger_events: AsyncGenerator[LEDGER_EVENT.type, None] = strawberry.subscription(  # type: ignore[name-defined]
        resolver=ledger_events,
        description="Every fact that you may see, once and in order of position, as it is recorded.",
    )
    simulation: AsyncGenerator[SIMULATION.type, None] = strawberry.subscription(  # type: ignore[name-defined]
        resolver=followed,
        description="A simulation whenever it has moved, until it has ended.",
    )
