"""Who may ask for what."""

import ast
import re
from pathlib import Path
from types import ModuleType

import pytest
from msgspec import Struct

from ledger.commands import catalogue, member, policy, proposal, review, simulation, team
from ledger.domain import proposal as rules
from ledger.domain.authority import ALONE, PERMISSIONS, Own, authorise, permitted
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
    written = set[type[Struct]]().union(*map(commands, (proposal, review, team, member, policy, catalogue, simulation)))

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
        "`takeDecision` is for PRODUCT_MANAGER in this team; you have ENGINEER. Ask one of them, or a steward for the role."
    )


def test_a_refusal_names_the_team_s_roles_and_those_across_teams_apart() -> None:
    def told(command: type[Struct], held: frozenset[Role] = NONE) -> str:
        with pytest.raises(Rejected) as refused:
            authorise(command, SOMEBODY, held, NONE)
        return refused.value.message.split(";")[0]

    assert told(team.SetCapacity) == "`setCapacity` is for STEWARD across teams"
    assert told(proposal.CompleteWork) == (
        "`completeWork` is for ENGINEER or ENGINEERING_LEAD in this team, or INTEGRATOR across teams"
    )
    assert told(proposal.WaiveRevisit) == (
        "`waiveRevisit` is for ENGINEERING_LEAD or PRODUCT_MANAGER in this team, or the proposer"
    )
    assert told(proposal.WithdrawProposal) == "`withdrawProposal` is for the proposer alone"


#: How the domain says that a role does not suffice.
NOT_YOURS = frozenset({"FORBIDDEN", "NOT_RECIPIENT", "OWN_APPEAL"})


def test_what_a_role_does_not_suffice_for_is_what_the_rules_themselves_refuse() -> None:
    """The page's table is held to the rules' own text: no rule refuses somebody for who they are without a row, and none is missing."""
    refusing: dict[str, set[str]] = {}
    calls: dict[str, set[str]] = {}
    for file in Path(rules.__file__).parent.glob("*.py"):
        for function in ast.parse(file.read_text("utf-8")).body:
            if not isinstance(function, ast.FunctionDef):
                continue
            inside = list(ast.walk(function))
            refusing[function.name] = NOT_YOURS & {
                one.attr
                for one in inside
                if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id == "Code"
            }
            calls[function.name] = {one.id for one in inside if isinstance(one, ast.Name)} - {function.name}

    def refuses(name: str) -> set[str]:
        return refusing.get(name, set()).union(*(refuses(called) for called in calls.get(name, ()) if called in calls))

    by_rule = {f"decide_{snake(command.__name__)}": command for command in PERMISSIONS}
    found = {command: codes for rule, command in by_rule.items() if (codes := refuses(rule))}
    alone = {command: {code.value} for command, (_, code) in ALONE.items()}
    owners = {command: {"FORBIDDEN"} for command, permission in PERMISSIONS.items() if not permission.roles}
    assert found == alone | owners
    assert len(found) == 8


def snake(name: str) -> str:
    return re.sub(r"(?<=.)([A-Z])", r"_\1", name).lower()
