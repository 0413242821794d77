"""Who may ask for what."""

from types import ModuleType

import pytest
from msgspec import Struct

from ledger.commands import catalogue, policy, proposal, review, simulation, team
from ledger.domain.authority import PERMISSIONS, Own, authorise, permitted
from ledger.domain.rejected import Code, Rejected
from ledger.values import SYSTEM, MemberId, ReviewKind, Role

SOMEBODY = MemberId(SYSTEM.__class__(int=1))
NONE: frozenset[Role] = frozenset()


def commands(module: ModuleType) -> set[type[Struct]]:
    return {
        found
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, Struct) and found.__module__ == module.__name__
    }


def test_every_command_says_who_may_issue_it() -> None:
    written = set[type[Struct]]().union(*map(commands, (proposal, review, team, policy, catalogue, simulation)))

    assert set(PERMISSIONS) == written - {proposal.BusinessCase}
    assert all(permission.roles or permission.own for permission in PERMISSIONS.values())


def test_auditors_and_observers_only_look() -> None:
    for permission in PERMISSIONS.values():
        assert not {Role.AUDITOR, Role.OBSERVER} & set(permission.roles)


def test_a_machine_reports_outcomes_and_decides_nothing() -> None:
    reported = {command for command, permission in PERMISSIONS.items() if Role.INTEGRATOR in permission.roles}

    assert reported == {
        proposal.StartWork,
        proposal.PauseWork,
        proposal.CompleteWork,
        proposal.AbandonWork,
        proposal.MeasureBenefit,
        proposal.ReportRisk,
    }


def test_only_a_product_manager_answers() -> None:
    for command in (proposal.TakeDecision, proposal.CommunicateDecision, proposal.AnswerConcern, proposal.UpholdAppeal):
        assert permitted(command) == (Role.PRODUCT_MANAGER,)


def test_a_review_is_run_by_whom_its_kind_belongs_to() -> None:
    for command in commands(review):
        assert permitted(command, ReviewKind.ENGINEERING) == (Role.ENGINEERING_LEAD,)
        assert permitted(command, ReviewKind.PRODUCT) == (Role.PRODUCT_MANAGER,)


def test_teams_policies_and_codes_are_a_stewards() -> None:
    for command in commands(team) | commands(policy) | commands(catalogue):
        assert permitted(command) == (Role.STEWARD,)


def test_the_role_that_was_used_is_given() -> None:
    both = frozenset({Role.ENGINEERING_LEAD, Role.PRODUCT_MANAGER})

    assert authorise(proposal.EstimateProposal, SOMEBODY, both, NONE) is Role.ENGINEERING_LEAD
    assert authorise(proposal.TakeDecision, SOMEBODY, both, NONE) is Role.PRODUCT_MANAGER


def test_a_role_counts_only_where_it_is_granted() -> None:
    steward, engineer = frozenset({Role.STEWARD}), frozenset({Role.ENGINEER})

    with pytest.raises(Rejected):
        authorise(team.SetCapacity, SOMEBODY, steward, NONE)
    with pytest.raises(Rejected):
        authorise(proposal.EstimateProposal, SOMEBODY, NONE, engineer)


def test_an_owner_may_whatever_the_role() -> None:
    assert PERMISSIONS[proposal.LodgeAppeal].own is Own.PROPOSER
    assert authorise(proposal.LodgeAppeal, SOMEBODY, NONE, NONE, owns=True) is Role.OBSERVER
    assert authorise(proposal.LodgeAppeal, SOMEBODY, frozenset({Role.PRODUCT_MANAGER}), NONE, owns=True) is (
        Role.PRODUCT_MANAGER
    )
    with pytest.raises(Rejected):
        authorise(proposal.TakeDecision, SOMEBODY, NONE, NONE, owns=True)


def test_the_system_does_what_a_steward_may_and_no_more() -> None:
    assert authorise(team.FormTeam, SYSTEM, NONE, NONE) is Role.STEWARD
    with pytest.raises(Rejected):
        authorise(proposal.TakeDecision, SYSTEM, frozenset({Role.PRODUCT_MANAGER}), NONE)


def test_a_refusal_says_who_may_and_what_one_has() -> None:
    with pytest.raises(Rejected) as refused:
        authorise(proposal.TakeDecision, SOMEBODY, frozenset({Role.ENGINEER}), NONE)

    assert refused.value.code is Code.FORBIDDEN
    assert refused.value.message == (
        "TakeDecision is for PRODUCT_MANAGER in this team; you have ENGINEER. Ask one of them, or a steward for the role."
    )


def test_a_refusal_names_the_team_s_roles_and_those_across_teams_apart() -> None:
    def told(command: type[Struct], held: frozenset[Role] = NONE) -> str:
        with pytest.raises(Rejected) as refused:
            authorise(command, SOMEBODY, held, NONE)
        return refused.value.message.split(";")[0]

    assert told(team.SetCapacity) == "SetCapacity is for STEWARD across teams"
    assert told(proposal.CompleteWork) == (
        "CompleteWork is for ENGINEER or ENGINEERING_LEAD in this team, or INTEGRATOR across teams"
    )
    assert told(proposal.WaiveRevisit) == (
        "WaiveRevisit is for ENGINEERING_LEAD or PRODUCT_MANAGER in this team, or the proposer"
    )
    assert told(proposal.WithdrawProposal) == "WithdrawProposal is for the proposer alone"
