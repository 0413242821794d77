"""A team: its members, their roles, and what it promises."""

from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from ledger.commands import team as commands
from ledger.domain import team as domain
from ledger.domain.rejected import Code
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
from ledger.values import ORGANISATION, MemberId, Role, TeamId
from tests.domain.saying import Stream, event

TEAM = TeamId(UUID(int=10))
ADA, BOB = MemberId(UUID(int=11)), MemberId(UUID(int=12))
FORMED = TeamFormed("Checkout")
team, organisation = Stream(domain.evolve, TEAM), Stream(domain.evolve, ORGANISATION)


def test_a_team_is_formed_once() -> None:
    command = commands.FormTeam(TEAM, "Checkout", Decimal(7), Decimal(200))

    team.given().when(domain.decide_form_team, command).then(TeamFormed("Checkout", Decimal(7), Decimal(200)))
    team.given(FORMED).when(domain.decide_form_team, command).refused(Code.CONFLICT, "team_id")


def test_the_organisation_is_not_for_forming() -> None:
    command = commands.FormTeam(ORGANISATION, "Ours")

    organisation.given().when(domain.decide_form_team, command).refused(Code.BAD_USER_INPUT, "team_id")
    assert domain.decide_form_organisation(None) == [TeamFormed("Organisation")]
    assert domain.decide_form_organisation(organisation.given(FORMED).state) == []


@pytest.mark.parametrize("hours", ["0", "-1", "24.5", "NaN", "Infinity"])
def test_a_day_has_more_than_no_hours_and_at_most_24(hours: str) -> None:
    command = commands.FormTeam(TEAM, "Checkout", Decimal(hours))

    team.given().when(domain.decide_form_team, command).refused(Code.BAD_USER_INPUT, "hours_per_day")


def test_a_week_has_hours() -> None:
    command = commands.FormTeam(TEAM, "Checkout", weekly_hours=Decimal(0))

    team.given().when(domain.decide_form_team, command).refused(Code.BAD_USER_INPUT, "weekly_hours")


def test_a_member_joins_once_and_leaves_with_every_role() -> None:
    join, leave = commands.AddMember(TEAM, ADA), commands.RemoveMember(TEAM, ADA)

    team.given(FORMED).when(domain.decide_add_member, join).then(MemberJoined(ADA))
    here = team.given(FORMED, MemberJoined(ADA), RoleGranted(ADA, Role.ENGINEER))
    here.when(domain.decide_add_member, join).refused(Code.WRONG_STATE, "member_id")
    here.when(domain.decide_remove_member, leave).then(MemberLeft(ADA))
    assert here.state.roles(ADA) == {Role.ENGINEER}
    back = team.given(FORMED, MemberJoined(ADA), RoleGranted(ADA, Role.ENGINEER), MemberLeft(ADA), MemberJoined(ADA))
    assert back.state.roles(ADA) == frozenset()
    team.given(FORMED).when(domain.decide_remove_member, leave).refused(Code.NOT_FOUND, "member_id")


def test_a_role_is_granted_to_a_member_once_and_revoked_from_one_who_has_it() -> None:
    grant, revoke = commands.GrantRole(TEAM, ADA, Role.ENGINEER), commands.RevokeRole(TEAM, ADA, Role.ENGINEER)
    granted = RoleGranted(ADA, Role.ENGINEER)

    team.given(FORMED).when(domain.decide_grant_role, grant).refused(Code.NOT_FOUND, "member_id")
    team.given(FORMED).when(domain.decide_revoke_role, revoke).refused(Code.NOT_FOUND, "member_id")
    team.given(FORMED, MemberJoined(ADA)).when(domain.decide_grant_role, grant).then(granted)
    team.given(FORMED, MemberJoined(ADA)).when(domain.decide_revoke_role, revoke).refused(Code.WRONG_STATE, "role")
    has_it = team.given(FORMED, MemberJoined(ADA), granted)
    has_it.when(domain.decide_grant_role, grant).refused(Code.WRONG_STATE, "role")
    has_it.when(domain.decide_revoke_role, revoke).then(RoleRevoked(ADA, Role.ENGINEER))
    after = team.given(
        FORMED, MemberJoined(ADA), granted, RoleGranted(ADA, Role.OBSERVER), RoleRevoked(ADA, Role.ENGINEER)
    )
    assert after.state.roles(ADA) == {Role.OBSERVER}
    assert after.state.roles(BOB) == frozenset()


def test_roles_across_teams_are_given_on_the_organisation_and_the_others_on_teams() -> None:
    joined = (FORMED, MemberJoined(ADA))

    team.given(*joined).when(domain.decide_grant_role, commands.GrantRole(TEAM, ADA, Role.STEWARD)).refused(
        Code.BAD_USER_INPUT, "role", saying="on the organisation"
    )
    organisation.given(*joined).when(
        domain.decide_grant_role, commands.GrantRole(ORGANISATION, ADA, Role.ENGINEER)
    ).refused(Code.BAD_USER_INPUT, "role", saying="AUDITOR, STEWARD, INTEGRATOR")
    organisation.given(*joined).when(
        domain.decide_grant_role, commands.GrantRole(ORGANISATION, ADA, Role.STEWARD)
    ).then(RoleGranted(ADA, Role.STEWARD))


def test_a_team_says_its_capacity_cadence_and_service_level() -> None:
    here = team.given(FORMED)

    here.when(domain.decide_set_capacity, commands.SetCapacity(TEAM, Decimal("2.25"))).then(
        CapacitySet(Decimal("2.25"))
    )
    here.when(domain.decide_set_cadence, commands.SetCadence(TEAM, 7, 14)).then(CadenceSet(7, 14))
    here.when(domain.decide_set_service_level, commands.SetServiceLevel(TEAM, 30, 24)).then(ServiceLevelSet(30, 24))
    state = team.given(FORMED, CapacitySet(Decimal(2)), CadenceSet(7, 14), ServiceLevelSet(30, 24)).state
    assert (state.days_per_cycle, state.engineering_days, state.product_days) == (Decimal(2), 7, 14)
    assert (state.days_to_decide, state.hours_to_tell) == (30, 24)


@pytest.mark.parametrize("days", ["-0.25", "0.1", "100000.25", "NaN", "1e30", "-Infinity"])
def test_capacity_is_in_quarters_of_a_day(days: str) -> None:
    command = commands.SetCapacity(TEAM, Decimal(days))

    team.given(FORMED).when(domain.decide_set_capacity, command).refused(Code.BAD_USER_INPUT, "days_per_cycle")


def test_the_organisation_promises_nothing() -> None:
    for decide, command in (
        (domain.decide_set_capacity, commands.SetCapacity(ORGANISATION, Decimal(1))),
        (domain.decide_set_cadence, commands.SetCadence(ORGANISATION, 7, 7)),
        (domain.decide_set_service_level, commands.SetServiceLevel(ORGANISATION, 7, 7)),
    ):
        organisation.given(FORMED).when(decide, command).refused(Code.BAD_USER_INPUT, "team_id")


def test_a_team_that_is_not_there_is_not_found() -> None:
    team.given().when(domain.decide_add_member, commands.AddMember(TEAM, ADA)).refused(Code.NOT_FOUND, "team_id")


def test_a_history_without_a_beginning_is_not_folded() -> None:
    with pytest.raises(LookupError, match="position 1"):
        domain.evolve(None, event(uuid4(), 1, MemberJoined(ADA)))
