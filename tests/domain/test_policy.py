"""A policy: a formula that can rank, its versions, and for whom it ranks."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from ledger.commands import policy as commands
from ledger.domain import policy as domain
from ledger.domain.rejected import Code
from ledger.domain.team import TeamState
from ledger.events.policy import PolicyActivated, PolicyDefined, PolicyRevised
from ledger.ranking import Formula
from ledger.values import ORGANISATION, PolicyId, PolicyMethod, TeamId
from tests.domain.saying import MONDAY, Stream, event

POLICY = PolicyId(UUID(int=20))
TEAM = TeamId(UUID(int=10))
FIFO, CD3 = Formula(PolicyMethod.FIFO), Formula(PolicyMethod.CD3, engineers=2)
WEIGHTED = Formula(PolicyMethod.WEIGHTED, {"drag": 3, "confidence": 1, "growth": 0}, {"drag": 20})
DEFINED = PolicyDefined("First come", FIFO)
CHECKOUT = TeamState(TEAM, "Checkout")
policy = Stream(domain.evolve, POLICY)


def weighted(weights: dict[str, float], scale: dict[str, float]) -> Formula:
    return Formula(PolicyMethod.WEIGHTED, weights, scale)


@pytest.mark.parametrize("formula", [FIFO, CD3, WEIGHTED, Formula(PolicyMethod.WSJF), Formula(PolicyMethod.MOMENTUM)])
def test_a_policy_is_defined_once(formula: Formula) -> None:
    command = commands.DefinePolicy(POLICY, "Ours", formula, "It is fair.")

    policy.given().when(domain.decide_define_policy, command).then(PolicyDefined("Ours", formula, "It is fair."))
    policy.given(DEFINED).when(domain.decide_define_policy, command).refused(Code.CONFLICT, "policy_id")


@pytest.mark.parametrize(
    ("formula", "path"),
    [
        (Formula(PolicyMethod.FIFO, {"drag": 1}), ("weights",)),
        (Formula(PolicyMethod.FIFO, scale={"drag": 1}), ("scale",)),
        (Formula(PolicyMethod.FIFO, engineers=2), ("engineers",)),
        (Formula(PolicyMethod.CD3, engineers=0), ("engineers",)),
        (Formula(PolicyMethod.CD3, engineers=float("nan")), ("engineers",)),
        (weighted({}, {}), ("weights",)),
        (weighted({"drag": 0}, {"drag": 1}), ("weights",)),
        (weighted({"charm": 1}, {}), ("weights", "charm")),
        (weighted({"drag": -1}, {"drag": 1}), ("weights", "drag")),
        (weighted({"drag": float("nan")}, {"drag": 1}), ("weights", "drag")),
        (weighted({"drag": float("inf")}, {"drag": 1}), ("weights", "drag")),
        (weighted({"drag": 1}, {}), ("scale", "drag")),
        (weighted({"drag": 1}, {"drag": 0}), ("scale", "drag")),
        (weighted({"drag": 1}, {"drag": 1, "charm": 1}), ("scale", "charm")),
    ],
)
def test_a_formula_that_could_not_rank_or_would_not_look_at_its_parameters_is_refused(
    formula: Formula, path: tuple[str, ...]
) -> None:
    command = commands.DefinePolicy(POLICY, "Ours", formula)

    policy.given().when(domain.decide_define_policy, command).refused(Code.BAD_USER_INPUT, "formula", *path)


def test_a_revision_is_the_next_version_and_differs() -> None:
    revise = domain.decide_revise_policy

    policy.given(DEFINED).when(revise, commands.RevisePolicy(POLICY, CD3)).then(PolicyRevised(2, CD3))
    policy.given(DEFINED).when(revise, commands.RevisePolicy(POLICY, FIFO)).refused(Code.BAD_USER_INPUT, "formula")
    policy.given().when(revise, commands.RevisePolicy(POLICY, CD3)).refused(Code.NOT_FOUND, "policy_id")
    revised = policy.given(DEFINED, PolicyRevised(2, CD3))
    revised.when(revise, commands.RevisePolicy(POLICY, FIFO)).then(PolicyRevised(3, FIFO))
    assert revised.state.formulas == (FIFO, CD3)
    assert (revised.state.policy_version, revised.state.formula) == (2, CD3)


def activate(since: datetime | None = None) -> commands.ActivatePolicy:
    return commands.ActivatePolicy(POLICY, TEAM, since)


def test_a_policy_is_activated_for_a_team_from_now_or_before() -> None:
    earlier, decide = MONDAY - timedelta(days=1), domain.decide_activate_policy

    policy.given(DEFINED).when(decide, activate(), CHECKOUT).then(PolicyActivated(TEAM, MONDAY))
    policy.given(DEFINED).when(decide, activate(earlier), CHECKOUT).then(PolicyActivated(TEAM, earlier))
    assert policy.given(DEFINED, PolicyActivated(TEAM, MONDAY)).state.teams == {TEAM}


@pytest.mark.parametrize(
    "since", [MONDAY + timedelta(seconds=1), MONDAY.replace(tzinfo=None)], ids=["later", "no zone"]
)
def test_a_policy_ranks_from_its_activation_on(since: datetime) -> None:
    policy.given(DEFINED).when(domain.decide_activate_policy, activate(since), CHECKOUT).refused(
        Code.BAD_USER_INPUT, "since"
    )


@pytest.mark.parametrize(
    ("facts", "team", "code", "path"),
    [
        ([], CHECKOUT, Code.NOT_FOUND, "policy_id"),
        ([DEFINED], None, Code.NOT_FOUND, "team_id"),
        ([DEFINED], TeamState(ORGANISATION, "Organisation"), Code.BAD_USER_INPUT, "team_id"),
    ],
)
def test_a_policy_is_activated_only_where_both_are_there(facts: list[Any], team: Any, code: Code, path: str) -> None:
    policy.given(*facts).when(domain.decide_activate_policy, activate(), team).refused(code, path)


def test_a_history_without_a_beginning_is_not_folded() -> None:
    with pytest.raises(LookupError, match="position 1"):
        domain.evolve(None, event(uuid4(), 1, PolicyRevised(2, FIFO)))
