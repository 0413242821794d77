"""A team: who is in it, what each may do, and what it promises. The stream ORGANISATION holds the roles across teams."""

from decimal import Decimal
from typing import assert_never, cast

from msgspec import Struct
from msgspec.structs import replace

from ledger.commands.issued import Issued
from ledger.commands.team import (
    AddMember,
    FormTeam,
    GrantRole,
    RemoveMember,
    RevokeRole,
    SetCadence,
    SetCapacity,
    SetServiceLevel,
)
from ledger.domain.effort import capacity
from ledger.domain.rejected import Code, Rejected
from ledger.events.envelope import Event
from ledger.events.team import (
    CadenceSet,
    CapacitySet,
    MemberJoined,
    MemberLeft,
    RoleGranted,
    RoleRevoked,
    ServiceLevelSet,
    TeamFormed,
)
from ledger.values import GLOBAL_ROLES, ORGANISATION, TEAM_ROLES, MemberId, Role, TeamId, numbered

TeamFact = (
    TeamFormed | MemberJoined | MemberLeft | RoleGranted | RoleRevoked | CapacitySet | CadenceSet | ServiceLevelSet
)

#: Engineer-hours in an engineer-day, and in a week of a team, at most.
HOURS_PER_DAY_MAX = 24
WEEKLY_HOURS_MAX = 1_000_000
NO_ROLES: frozenset[Role] = frozenset()


class TeamState(Struct, frozen=True):
    """A team as it stands. None: not said."""

    team_id: TeamId
    name: str
    hours_per_day: Decimal = Decimal(8)
    weekly_hours: Decimal | None = None
    #: Everyone who is in the team now, with what each may do.
    members: dict[MemberId, frozenset[Role]] = {}
    days_per_cycle: Decimal | None = None
    engineering_days: int | None = None
    product_days: int | None = None
    days_to_decide: int | None = None
    hours_to_tell: int | None = None

    def roles(self, member_id: MemberId) -> frozenset[Role]:
        """This will give what a member may do here; nothing, for somebody who is not in the team."""
        return self.members.get(member_id, NO_ROLES)


def evolve(state: TeamState | None, event: Event) -> TeamState:
    """This will fold one fact of a team's stream into its state."""
    fact = cast("TeamFact", event.fact)
    if isinstance(fact, TeamFormed):
        return TeamState(TeamId(event.stream_id), fact.name, fact.hours_per_day, fact.weekly_hours)
    if state is None:
        raise LookupError(f"{type(fact).__name__} at position {event.position} is of a team that was never formed")
    members = state.members
    match fact:
        case MemberJoined():
            return replace(state, members={**members, fact.member_id: state.roles(fact.member_id)})
        case MemberLeft():
            return replace(state, members={m: roles for m, roles in members.items() if m != fact.member_id})
        case RoleGranted():
            return replace(state, members={**members, fact.member_id: state.roles(fact.member_id) | {fact.role}})
        case RoleRevoked():
            return replace(state, members={**members, fact.member_id: state.roles(fact.member_id) - {fact.role}})
        case CapacitySet():
            return replace(state, days_per_cycle=fact.days_per_cycle)
        case CadenceSet():
            return replace(state, engineering_days=fact.engineering_days, product_days=fact.product_days)
        case ServiceLevelSet():
            return replace(state, days_to_decide=fact.days_to_decide, hours_to_tell=fact.hours_to_tell)
        case _:
            assert_never(fact)


def decide_form_team(state: TeamState | None, issued: Issued[FormTeam]) -> list[Struct]:
    """This will form a team, whose id nobody has yet."""
    command = issued.command
    if state is not None:
        raise Rejected(
            Code.CONFLICT, f"This id is the team {state.name}'s already. Form the new team under another id.", "team_id"
        )
    if command.team_id == ORGANISATION:
        raise Rejected(
            Code.BAD_USER_INPUT,
            "This id is kept for the organisation, which comes with the ledger. Choose another.",
            "team_id",
        )
    _hours(command.hours_per_day, HOURS_PER_DAY_MAX, "hours_per_day")
    if command.weekly_hours is not None:
        _hours(command.weekly_hours, WEEKLY_HOURS_MAX, "weekly_hours")
    return [TeamFormed(command.name, command.hours_per_day, command.weekly_hours)]


def decide_form_organisation(state: TeamState | None) -> list[Struct]:
    """This will form the organisation unless it is there."""
    return [] if state is not None else [TeamFormed("Organisation")]


def decide_add_member(state: TeamState | None, issued: Issued[AddMember]) -> list[Struct]:
    """This will let a member join."""
    team, member_id = known(state), issued.command.member_id
    if member_id in team.members:
        raise Rejected(Code.WRONG_STATE, f"This member is in {team.name} already; nothing is left to do.", "member_id")
    return [MemberJoined(member_id)]


def decide_remove_member(state: TeamState | None, issued: Issued[RemoveMember]) -> list[Struct]:
    """This will let a member leave, with every role here."""
    team, member_id = known(state), issued.command.member_id
    _in_team(team, member_id)
    return [MemberLeft(member_id)]


def decide_grant_role(state: TeamState | None, issued: Issued[GrantRole]) -> list[Struct]:
    """This will give a member a role that this team, or the organisation, has to give."""
    team, command = known(state), issued.command
    here = GLOBAL_ROLES if team.team_id == ORGANISATION else TEAM_ROLES
    if command.role not in here:
        where = "on the organisation" if command.role in GLOBAL_ROLES else "on a team"
        raise Rejected(
            Code.BAD_USER_INPUT,
            f"{command.role} is given {where}. Here you may give {', '.join(r for r in Role if r in here)}.",
            "role",
        )
    _in_team(team, command.member_id)
    if command.role in team.roles(command.member_id):
        raise Rejected(
            Code.WRONG_STATE, f"This member is {command.role} in {team.name} already; nothing is left to do.", "role"
        )
    return [RoleGranted(command.member_id, command.role)]


def decide_revoke_role(state: TeamState | None, issued: Issued[RevokeRole]) -> list[Struct]:
    """This will take a role from a member who has it."""
    team, command = known(state), issued.command
    _in_team(team, command.member_id)
    if command.role not in team.roles(command.member_id):
        raise Rejected(
            Code.WRONG_STATE, f"This member is not {command.role} in {team.name}; nothing is left to do.", "role"
        )
    return [RoleRevoked(command.member_id, command.role)]


def decide_set_capacity(state: TeamState | None, issued: Issued[SetCapacity]) -> list[Struct]:
    """This will say how many engineer-days a cycle go to paying debt: 0 or more, in steps of 0.25."""
    _deciding(known(state))
    return [CapacitySet(capacity(issued.command.days_per_cycle, "days_per_cycle"))]


def decide_set_cadence(state: TeamState | None, issued: Issued[SetCadence]) -> list[Struct]:
    """This will say how often the team reviews its list."""
    _deciding(known(state))
    return [CadenceSet(issued.command.engineering_days, issued.command.product_days)]


def decide_set_service_level(state: TeamState | None, issued: Issued[SetServiceLevel]) -> list[Struct]:
    """This will say how soon the team answers, and tells its answers."""
    _deciding(known(state))
    return [ServiceLevelSet(issued.command.days_to_decide, issued.command.hours_to_tell)]


def known(state: TeamState | None) -> TeamState:
    """This will give the team, or refuse: there is none."""
    if state is None:
        raise Rejected(Code.NOT_FOUND, "There is no such team. Look its id up, or form it first.", "team_id")
    return state


def _hours(hours: Decimal, hours_max: int, path: str) -> None:
    if not hours.is_finite() or not 0 < hours <= hours_max:
        raise Rejected(
            Code.BAD_USER_INPUT, f"{numbered(hours, 'hour')}: give more than 0 and at most {hours_max:,}.", path
        )


def _in_team(team: TeamState, member_id: MemberId) -> None:
    if member_id not in team.members:
        raise Rejected(Code.NOT_FOUND, f"This member is not in {team.name}. Add the member to it first.", "member_id")


def _deciding(team: TeamState) -> None:
    if team.team_id == ORGANISATION:
        raise Rejected(
            Code.BAD_USER_INPUT, "The organisation holds roles only and decides nothing. Name a team.", "team_id"
        )
