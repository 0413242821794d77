"""A scenario as GraphQL takes it: the fields of `Scenario` but for the teams, checked before anything is recorded."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import strawberry
from strawberry import UNSET

from ledger.api.enums import describe
from ledger.api.inputs import SPECIAL, FeatureFigure, Part
from ledger.commands.simulation import ScenarioText
from ledger.domain.rejected import Code, Rejected
from ledger.replay.scenario import (
    Effort,
    Forced,
    Hypothetical,
    Imputation,
    Method,
    PolicyChoice,
    Scaling,
    Scenario,
    ScenarioError,
    checked,
)
from ledger.values import Verdict

#: Policies and draws of one job: it shares its machine.
POLICIES_MAX = 12
RUNS_MAX = 200

describe(
    Method,
    {
        "MOMENTUM": "Drag recovered per day of effort.",
        "CD3": "Cost of delay divided by duration.",
        "WSJF": "Weighted shortest job first.",
        "RICE": "Reach × impact × confidence ÷ effort.",
        "ICE": "Impact × confidence × ease.",
        "WEIGHTED": "A weighted sum of features.",
        "KNAPSACK": "The most valuable set that fits, exactly.",
        "AS_DECIDED": "What was decided.",
        "FIFO": "First come, first served.",
        "RANDOM": "By lot, with the seed.",
        "NOTHING": "Nothing is ever chosen.",
        "ORACLE": "Clairvoyant: serves as a bound only.",
    },
    name="SimulationPolicy",
    about="A policy that a simulation may try.",
)
describe(
    Effort,
    {
        "MEAN": "The PERT mean.",
        "LIKELY": "The likely figure.",
        "P80": "What 80 % would stay within.",
        "CALIBRATED": "The mean, times what the team's work took against its estimates by then.",
    },
    name="EffortBasis",
    about="Which figure of an estimate counts.",
)
describe(
    Imputation,
    {"NONE": "It can't be chosen.", "MEDIAN": "The median of the team's estimates known by then."},
    name="EffortImputation",
    about="What an item without an estimate is taken to cost.",
)
describe(
    Scaling,
    {"SCALE": "By the full scale that the policy gives.", "CANDIDATES": "By the spread of that review's candidates."},
    name="WeightScaling",
    about="How WEIGHTED brings features to 0 … 1.",
)


@strawberry.input(description="One policy to try.")
class TriedPolicyInput:
    """See `PolicyChoice`."""

    method: Method = strawberry.field(description="The policy.")
    label: str = strawberry.field(default="", description="What it is called in the report; left out: its method.")
    weights: list[FeatureFigure] = strawberry.field(
        default_factory=list, description="WEIGHTED: the share of each feature; they sum to 1."
    )
    scale: list[FeatureFigure] = strawberry.field(
        default_factory=list, description="WEIGHTED: the figure of each feature that counts as 1."
    )
    scaling: Scaling = strawberry.field(default=Scaling.SCALE, description="WEIGHTED: what a share is taken of.")
    engineers: float = strawberry.field(default=1.0, description="CD3: how many work on an item at once.")
    days_a_month: float = strawberry.field(default=20.0, description="RICE: working days in a person-month.")
    grow: bool = strawberry.field(default=False, description="Let drag grow from its assessment to the review.")


@strawberry.input(description="A verdict that is given, whatever the policy says: exactly one of review and reviewId.")
class ForcedVerdictInput:
    """See `Forced`."""

    proposal_id: UUID = strawberry.field(description="The proposal.")
    verdict: Verdict = strawberry.field(description="The verdict.")
    review: int | None = strawberry.field(
        default=UNSET, description="The review, counting those of the team in the period from 1."
    )
    review_id: UUID | None = strawberry.field(default=UNSET, description="Or the review's id.")


@strawberry.input(description="A fact that is taken to have been otherwise, from the proposal's submission on.")
class HypotheticalInput:
    """See `Hypothetical`."""

    proposal_id: UUID = strawberry.field(description="The proposal.")
    days: float | None = strawberry.field(default=None, description="Its estimate had been so many engineer-days.")
    drag: float | None = strawberry.field(default=None, description="Its drag had been so many hours a week.")
    growth: float | None = strawberry.field(default=None, description="Its drag had grown by so many percent a month.")
    confidence: float | None = strawberry.field(default=None, description="The confidence had been this, 0 to 1.")


@strawberry.input(description="What is to be tried. Whatever is left out is as it was.")
class ScenarioInput:
    """See `Scenario`."""

    policies: list[TriedPolicyInput] = strawberry.field(description=f"The policies: 1 to {POLICIES_MAX}.")
    name: str = strawberry.field(default="", description="What the simulation is called.")
    areas: list[str] = strawberry.field(
        default_factory=list, description="Only proposals of these areas; the others get what they got."
    )
    since: datetime | None = strawberry.field(default=None, description="Reviews from this instant on.")
    until: datetime | None = strawberry.field(default=None, description="Reviews up to this instant.")
    every_days: int | None = strawberry.field(
        default=None, description="A review every so many days, instead of those that were."
    )
    capacity_days: float | None = strawberry.field(default=None, description="Engineer-days at each review.")
    capacity_share: float = strawberry.field(default=1.0, description="Or a share of what it had.")
    effort: Effort = strawberry.field(default=Effort.MEAN, description="Which figure of an estimate counts.")
    imputation: Imputation = strawberry.field(
        default=Imputation.NONE, description="What an item without an estimate is taken to cost."
    )
    confidence: bool = strawberry.field(default=True, description="Multiply drag by the confidence in it.")
    dependencies: bool = strawberry.field(default=True, description="Let an item wait for what it needs.")
    horizon_weeks: int = strawberry.field(default=26, description="How far ahead KNAPSACK looks.")
    forced: list[ForcedVerdictInput] = strawberry.field(default_factory=list, description="Verdicts that are given.")
    hypothetical: list[HypotheticalInput] = strawberry.field(
        default_factory=list, description="Facts that are taken to have been otherwise."
    )
    seed: int = strawberry.field(default=1, description="For RANDOM and the draws.")
    runs: int = strawberry.field(default=0, description=f"Draws that say how sure each flip is: 0 to {RUNS_MAX}.")
    regret: bool = strawberry.field(default=True, description="Compare with the best plan in hindsight.")


def scenario_text(given: ScenarioInput) -> ScenarioText:
    """This will check a scenario as far as it can be without the log, and write it down. Raises Rejected with the field at fault."""
    try:
        scenario = _bounded(checked(_scenario(given)))
    except ScenarioError as error:
        raise Rejected(Code.BAD_USER_INPUT, str(error), "scenario", *error.path) from error
    return ScenarioText(msgspec.json.encode(scenario, order="deterministic").decode())


def _bounded(scenario: Scenario) -> Scenario:
    """This will refuse what is too much for one job."""
    if len(scenario.policies) > POLICIES_MAX:
        raise ScenarioError(f"These are {len(scenario.policies)}; at most {POLICIES_MAX} run as one job.", "policies")
    if scenario.runs > RUNS_MAX:
        raise ScenarioError(f"{scenario.runs} cannot be. Give 0 to {RUNS_MAX}.", "runs")
    return scenario


def _scenario(given: ScenarioInput) -> Scenario:
    plain: dict[str, Any] = {
        field: getattr(given, field)
        for field in Scenario.__struct_fields__
        if field not in ("policies", "teams", "areas", "forced", "hypothetical")
    }
    return Scenario(
        policies=tuple(map(_policy, given.policies)),
        areas=tuple(given.areas),
        forced=tuple(_forced(one, index) for index, one in enumerate(given.forced)),
        hypothetical=tuple(
            Hypothetical(one.proposal_id, one.days, one.drag, one.growth, one.confidence) for one in given.hypothetical
        ),
        **plain,
    )


def _policy(given: TriedPolicyInput) -> PolicyChoice:
    return PolicyChoice(
        given.method.value,
        given.label,
        {one.feature.value: one.value for one in given.weights},
        {one.feature.value: one.value for one in given.scale},
        given.scaling,
        given.engineers,
        given.days_a_month,
        given.grow,
    )


def _forced(given: ForcedVerdictInput, index: int) -> Forced:
    reviews = [review for review in (given.review, given.review_id) if review is not UNSET and review is not None]
    if len(reviews) != 1:
        raise ScenarioError("Name its review: by number or by id.", "forced", str(index), "review")
    return Forced(given.proposal_id, reviews[0], given.verdict)


SPECIAL[ScenarioText] = Part(ScenarioInput, scenario_text)
