"""From facts to the teams view."""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from ledger.events.catalogue import ReasonCodeAdded, ReasonCodeRetired
from ledger.events.envelope import Event
from ledger.events.policy import PolicyActivated, PolicyDefined, PolicyRevised
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
from ledger.values import MemberId, PolicyId, Role, TeamId
from projections.projector import Projector, View
from projections.rows import Rows
from projections.teams.structs import (
    Activation,
    Membership,
    Policy,
    PolicyVersion,
    ReasonCode,
    Team,
    TeamMember,
)
from projections.teams.tables import MEMBERSHIPS, POLICIES, REASON_CODES, TABLES, TEAMS


def formed(rows: Rows, event: Event, fact: TeamFormed) -> None:
    """This will begin a team."""
    team_id = TeamId(event.stream_id)
    rows.put(TEAMS, Team(team_id, fact.name, event.occurred_at, fact.hours_per_day, fact.weekly_hours, fact.source))


def _change(rows: Rows, event: Event, **changes: Any) -> None:
    rows.put(TEAMS, replace(rows.need(TEAMS, event.stream_id), **changes))


def joined(rows: Rows, event: Event, fact: MemberJoined) -> None:
    """This will add a member; roles may have been granted before."""
    team = rows.need(TEAMS, event.stream_id)
    membership = rows.get(MEMBERSHIPS, (fact.member_id, team.team_id))
    others = [member for member in team.members if member.member_id != fact.member_id]
    roles = membership.roles if membership else ()
    rows.put(TEAMS, replace(team, members=(*others, TeamMember(fact.member_id, event.occurred_at, roles))))


def left(rows: Rows, event: Event, fact: MemberLeft) -> None:
    """This will end a membership, and every role with it."""
    team = rows.need(TEAMS, event.stream_id)
    rows.put(TEAMS, replace(team, members=tuple([m for m in team.members if m.member_id != fact.member_id])))
    rows.remove(MEMBERSHIPS, (fact.member_id, team.team_id))


def _set_roles(rows: Rows, event: Event, member_id: MemberId, role: Role, *, granted: bool) -> None:
    team_id = TeamId(event.stream_id)
    held = rows.get(MEMBERSHIPS, (member_id, team_id))
    without = {other for other in (held.roles if held else ()) if other != role}
    roles = tuple(sorted({*without, role} if granted else without))
    if roles:
        rows.put(MEMBERSHIPS, Membership(member_id, team_id, roles))
    else:
        rows.remove(MEMBERSHIPS, (member_id, team_id))
    team = rows.need(TEAMS, team_id)
    if any(member.member_id == member_id for member in team.members):
        members = [replace(m, roles=roles) if m.member_id == member_id else m for m in team.members]
        rows.put(TEAMS, replace(team, members=tuple(members)))


def granted(rows: Rows, event: Event, fact: RoleGranted) -> None:
    """This will give a member a role."""
    _set_roles(rows, event, fact.member_id, fact.role, granted=True)


def revoked(rows: Rows, event: Event, fact: RoleRevoked) -> None:
    """This will take a role back."""
    _set_roles(rows, event, fact.member_id, fact.role, granted=False)


def capacity_set(rows: Rows, event: Event, fact: CapacitySet) -> None:
    """This will show the team's capacity."""
    _change(rows, event, days_per_cycle=fact.days_per_cycle)


def cadence_set(rows: Rows, event: Event, fact: CadenceSet) -> None:
    """This will show how often the team reviews."""
    _change(rows, event, engineering_days=fact.engineering_days, product_days=fact.product_days)


def service_level_set(rows: Rows, event: Event, fact: ServiceLevelSet) -> None:
    """This will show what the team promises."""
    _change(rows, event, days_to_decide=fact.days_to_decide, hours_to_tell=fact.hours_to_tell)


def defined(rows: Rows, event: Event, fact: PolicyDefined) -> None:
    """This will begin a policy with its version 1."""
    first = PolicyVersion(1, fact.formula, fact.note, event.occurred_at, event.position)
    rows.put(POLICIES, Policy(PolicyId(event.stream_id), fact.name, (first,)))


def revised(rows: Rows, event: Event, fact: PolicyRevised) -> None:
    """This will add a version."""
    policy = rows.need(POLICIES, event.stream_id)
    version = PolicyVersion(fact.policy_version, fact.formula, fact.note, event.occurred_at, event.position)
    rows.put(POLICIES, replace(policy, versions=(*policy.versions, version)))


def activated(rows: Rows, event: Event, fact: PolicyActivated) -> None:
    """This will show that the policy ranks the team from here on, and no other does."""
    team = rows.need(TEAMS, fact.team_id)
    if team.policy_id is not None and team.policy_id != event.stream_id:
        former = rows.need(POLICIES, team.policy_id)
        rows.put(POLICIES, replace(former, active_in=tuple([t for t in former.active_in if t != fact.team_id])))
    policy = rows.need(POLICIES, event.stream_id)
    activations = (*policy.activations, Activation(fact.team_id, fact.since, event.position))
    active_in = tuple(dict.fromkeys((*policy.active_in, fact.team_id)))
    rows.put(POLICIES, replace(policy, activations=activations, active_in=active_in))
    rows.put(TEAMS, replace(team, policy_id=policy.policy_id, policy_since=fact.since))


def code_added(rows: Rows, event: Event, fact: ReasonCodeAdded) -> None:
    """This will add a reason code."""
    rows.put(REASON_CODES, ReasonCode(fact.code, fact.meaning, fact.companion, event.occurred_at))


def code_retired(rows: Rows, event: Event, fact: ReasonCodeRetired) -> None:
    """This will mark a reason code as retired; the NOs that gave it keep it."""
    code = rows.need(REASON_CODES, fact.code)
    rows.put(REASON_CODES, replace(code, retired_at=event.occurred_at, retired_because=fact.reason))


ON: dict[type[Struct], Projector] = {
    TeamFormed: formed,
    MemberJoined: joined,
    MemberLeft: left,
    RoleGranted: granted,
    RoleRevoked: revoked,
    CapacitySet: capacity_set,
    CadenceSet: cadence_set,
    ServiceLevelSet: service_level_set,
    PolicyDefined: defined,
    PolicyRevised: revised,
    PolicyActivated: activated,
    ReasonCodeAdded: code_added,
    ReasonCodeRetired: code_retired,
}

VIEW = View("teams", TABLES, ON)
