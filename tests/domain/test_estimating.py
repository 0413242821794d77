"""Rule 3, and what a debt costs: estimates, impact and its level, dependencies."""

from decimal import Decimal

import pytest
from hypothesis import given as whenever
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.commands import proposal as ask
from ledger.domain.effort import EFFORT_DAYS_MAX, STEP, effort, stepped
from ledger.domain.momentum import Assessment, assess, level_of
from ledger.domain.rejected import Code, Rejected
from ledger.events import proposal as facts
from ledger.values import EstimateBasis, EstimateCause, ImpactMethod, MomentumLevel
from tests.domain.scenario import ADMITTED, ASSESSED, DEBT, ESTIMATED, OTHER, READY, another, given

ESTIMATE = ask.EstimateProposal(
    DEBT, Decimal(2), Decimal(4), Decimal("8.5"), confidence=0.7, basis=EstimateBasis.BREAKDOWN
)
ASSESS = ask.AssessImpact(DEBT, ImpactMethod.MEASURED, 0.8, Decimal(8))
JUDGE = ask.AssessImpact(DEBT, ImpactMethod.JUDGED, 0.5, judged_level=MomentumLevel.M3)
NEED = ask.AddDependency(DEBT, OTHER)


def test_the_first_estimate_has_no_cause() -> None:
    after = given(*ADMITTED).when(ESTIMATE).then(ESTIMATED)
    assert after.state.to_item().likely == 4
    given(*ADMITTED).when(replace(ESTIMATE, cause=EstimateCause.SCOPE)).refused(Code.ESTIMATE_INVALID, "cause")


def test_a_later_estimate_says_why_it_changed() -> None:
    given(*READY).when(replace(ESTIMATE, cause=EstimateCause.SCOPE)).then(
        facts.EstimateChanged(
            2,
            Decimal(2),
            Decimal(4),
            Decimal("8.5"),
            confidence=0.7,
            basis=EstimateBasis.BREAKDOWN,
            cause=EstimateCause.SCOPE,
        )
    )
    given(*READY).when(ESTIMATE).refused(
        Code.ESTIMATE_INVALID,
        "cause",
        saying="The proposal is estimated already (version 1). Say why the estimate changes.",
    )


@pytest.mark.parametrize(
    ("points", "path"),
    [
        (("5", "4", "8"), "optimistic"),
        (("2", "9", "8"), "likely"),
        (("0", "4", "8"), "optimistic"),
        (("-1", "4", "8"), "optimistic"),
        (("2", "4.1", "8"), "likely"),
        (("2", "4", "10001"), "pessimistic"),
        (("2", "NaN", "8"), "likely"),
        (("2", "4", "Infinity"), "pessimistic"),
        (("1E+999999", "4", "8"), "optimistic"),
    ],
)
def test_rule_3_three_points_ascend_from_above_0(points: tuple[str, str, str], path: str) -> None:
    low, likely, high = (Decimal(p) for p in points)
    command = replace(ESTIMATE, optimistic=low, likely=likely, pessimistic=high)
    given(*ADMITTED).when(command).refused(Code.ESTIMATE_INVALID, path)


def test_rule_3_the_refusal_says_what_to_do() -> None:
    given(*ADMITTED).when(replace(ESTIMATE, optimistic=Decimal(5))).refused(
        Code.ESTIMATE_INVALID,
        "optimistic",
        saying="The optimistic 5 days are more than the likely 4. Lower the one or raise the other.",
    )
    given(*ADMITTED).when(replace(ESTIMATE, optimistic=Decimal(1), likely=Decimal("0.5"))).refused(
        Code.ESTIMATE_INVALID,
        "optimistic",
        saying="The optimistic 1 day is more than the likely 0.5. Lower the one or raise the other.",
    )
    given(*ADMITTED).when(replace(ESTIMATE, optimistic=Decimal("1.3"))).refused(
        Code.ESTIMATE_INVALID,
        "optimistic",
        saying="1.3 engineer-days is too fine; use steps of 0.25, such as 1.50.",
    )


def test_rule_3_three_equal_points_are_an_estimate() -> None:
    same = Decimal("0.25")
    assert given(*ADMITTED).when(replace(ESTIMATE, optimistic=same, likely=same, pessimistic=same)).facts


@whenever(st.decimals(allow_nan=True, allow_infinity=True))
def test_effort_is_a_multiple_of_its_step_or_refused(days: Decimal) -> None:
    if days.is_finite() and 0 < days <= EFFORT_DAYS_MAX and days % STEP == 0:
        assert effort(days) == days
    else:
        with pytest.raises(Rejected):
            effort(days)


@whenever(st.decimals(min_value=0, max_value=10_000, places=6))
def test_effort_is_rounded_up_by_less_than_a_step(days: Decimal) -> None:
    rounded = stepped(days)
    assert rounded % STEP == 0
    assert 0 <= rounded - days < STEP


@pytest.mark.parametrize("command", [replace(ESTIMATE, confidence=1.1), replace(ASSESS, confidence=-0.1)])
def test_a_confidence_is_a_share(command: ask.EstimateProposal) -> None:
    given(*ADMITTED).when(command).refused(Code.BAD_USER_INPUT, "confidence")


@pytest.mark.parametrize(
    ("drag", "level"),
    [("0", "M0"), ("0.99", "M0"), ("1", "M1"), ("4", "M2"), ("10", "M3"), ("20", "M4"), ("49.9", "M4"), ("50", "M5")],
)
def test_the_level_follows_from_the_share_of_the_weekly_hours(drag: str, level: str) -> None:
    assert level_of(Decimal(drag), Decimal(200)) == MomentumLevel(level)


def test_the_level_follows_from_measured_hours() -> None:
    given(*ADMITTED, ESTIMATED).when(ASSESS).then(ASSESSED)


def test_a_judged_level_that_disagrees_with_the_hours_is_flagged() -> None:
    found = given(*ADMITTED).when(replace(ASSESS, judged_level=MomentumLevel.M4)).facts[0]
    assert (found.level, found.judged_level) == (MomentumLevel.M2, MomentumLevel.M4)


def test_a_judged_level_that_agrees_is_not_flagged() -> None:
    assert given(*ADMITTED).when(replace(ASSESS, judged_level=MomentumLevel.M2)).facts[0].judged_level is None


def test_a_blocked_feature_is_m5() -> None:
    found = given(*ADMITTED).when(replace(JUDGE, blocks_committed_feature=True)).facts[0]
    assert (found.level, found.judged_level) == (MomentumLevel.M5, MomentumLevel.M3)


def test_without_hours_the_level_is_judged() -> None:
    found = given(*ADMITTED).when(JUDGE).facts[0]
    assert (found.level, found.drag, found.judged_level) == (MomentumLevel.M3, None, None)
    assert assess(Decimal(8), Decimal(0), MomentumLevel.M1, blocked=False) == Assessment(MomentumLevel.M1)


def test_without_hours_and_judgement_there_is_no_level() -> None:
    given(*ADMITTED).when(replace(JUDGE, judged_level=None)).refused(
        Code.BAD_USER_INPUT,
        "judged_level",
        saying="No momentum level follows from this. Give a judged level, or the drag in engineer-hours per week.",
    )
    given(*ADMITTED).when(ASSESS, weekly_hours=None).refused(
        Code.BAD_USER_INPUT,
        "judged_level",
        saying="No momentum level follows from this. Give a judged level: the team has no weekly hours.",
    )


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"drag": None}, "drag"),
        ({"drag": Decimal(-1)}, "drag"),
        ({"drag": Decimal("sNaN")}, "drag"),
        ({"growth": Decimal(-101)}, "growth"),
    ],
)
def test_an_impact_has_figures_that_can_be(changes: dict[str, object], path: str) -> None:
    given(*ADMITTED).when(replace(ASSESS, **changes)).refused(Code.BAD_USER_INPUT, path)


def test_a_dependency_is_added_and_removed() -> None:
    after = given(*ADMITTED).when(NEED, others=another()).then(facts.DependencyAdded(OTHER))
    assert after.state.dependencies == (OTHER,)
    after = after.when(ask.RemoveDependency(DEBT, OTHER)).then(facts.DependencyRemoved(OTHER))
    assert after.state.dependencies == ()


def test_a_dependency_is_another_proposal_that_exists() -> None:
    given(*ADMITTED).when(NEED).refused(Code.NOT_FOUND, "needs")
    given(*ADMITTED).when(replace(NEED, needs=DEBT), others=another()).refused(Code.BAD_USER_INPUT, "needs")


def test_a_dependency_is_added_once_and_not_in_a_circle() -> None:
    given(*ADMITTED, facts.DependencyAdded(OTHER)).when(NEED, others=another()).refused(Code.CONFLICT, "needs")
    circle = another(*ADMITTED, facts.DependencyAdded(DEBT))
    given(*ADMITTED).when(NEED, others=circle).refused(Code.CONFLICT, "needs")


def test_only_a_dependency_that_is_there_is_removed() -> None:
    given(*ADMITTED).when(ask.RemoveDependency(DEBT, OTHER)).refused(Code.NOT_FOUND, "needs")
