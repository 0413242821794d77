"""Weighing: what it takes, what it costs to leave, and what must come first."""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from ledger.commands import Issued
from ledger.commands.proposal import AddDependency, AssessImpact, EstimateProposal, RemoveDependency
from ledger.domain.effort import figure, share, three_points
from ledger.domain.momentum import assess
from ledger.domain.proposal.standing import LIVING, another, standing, submitted
from ledger.domain.proposal.state import ProposalState
from ledger.domain.rejected import Code, Rejected
from ledger.events.proposal import DependencyAdded, DependencyRemoved, EstimateChanged, EstimateGiven, ImpactAssessed
from ledger.values import ImpactMethod, ProposalId


def decide_estimate_proposal(state: ProposalState | None, issued: Issued[EstimateProposal]) -> list[Struct]:
    """This will record the first estimate, or a change with its cause (rule 3). Raises ESTIMATE_INVALID."""
    command = issued.command
    known = standing(state, LIVING, "be estimated")
    three_points(command.optimistic, command.likely, command.pessimistic)
    share(command.confidence, "confidence", ("confidence",))
    points = (known.estimate_version + 1, command.optimistic, command.likely, command.pessimistic)
    if known.estimate is None:
        if command.cause is not None:
            raise Rejected(
                Code.ESTIMATE_INVALID, "This is the first estimate, so it has no cause. Leave the cause out.", "cause"
            )
        return [EstimateGiven(*points, confidence=command.confidence, basis=command.basis, note=command.note)]
    if command.cause is None:
        raise Rejected(
            Code.ESTIMATE_INVALID,
            f"The proposal is estimated already (version {known.estimate_version}). Say why the estimate changes.",
            "cause",
        )
    return [
        EstimateChanged(
            *points, confidence=command.confidence, basis=command.basis, cause=command.cause, note=command.note
        )
    ]


def decide_assess_impact(
    state: ProposalState | None, issued: Issued[AssessImpact], weekly_hours: Decimal | None
) -> list[Struct]:
    """This will record what the debt costs. `weekly_hours` is the team's engineer-hours a week; None: not said.

    The level follows from the drag where both are known; a judged level that disagrees is recorded beside it.
    """
    command = issued.command
    known = standing(state, LIVING, "be assessed")
    share(command.confidence, "confidence", ("confidence",))
    figure(command.growth, "percent per month", ("growth",), least=Decimal(-100))
    if command.drag is not None:
        figure(command.drag, "engineer-hours per week", ("drag",))
    elif command.method is ImpactMethod.MEASURED:
        raise Rejected(
            Code.BAD_USER_INPUT, "A measurement has a figure. Give the drag in engineer-hours per week.", "drag"
        )
    found = assess(command.drag, weekly_hours, command.judged_level, blocked=command.blocks_committed_feature)
    if found is None:
        raise Rejected(
            Code.BAD_USER_INPUT,
            "No momentum level follows from this. Give a judged level"
            + (
                ", or the drag in engineer-hours per week."
                if command.drag is None
                else ": the team has no weekly hours."
            ),
            "judged_level",
        )
    return [
        ImpactAssessed(
            impact_version=known.impact_version + 1,
            level=found.level,
            method=command.method,
            confidence=command.confidence,
            drag=command.drag,
            growth=command.growth,
            judged_level=found.judged_otherwise,
            blocks_committed_feature=command.blocks_committed_feature,
            note=command.note,
        )
    ]


def decide_add_dependency(
    state: ProposalState | None, issued: Issued[AddDependency], others: Mapping[ProposalId, ProposalState]
) -> list[Struct]:
    """This will record that another proposal comes first; `others` holds those named that exist."""
    known = standing(state, LIVING, "get a dependency")
    needs = another(known, issued.command.needs, others, "needs")
    if needs in known.dependencies:
        raise Rejected(Code.CONFLICT, "It needs that proposal already. There is nothing to add.", "needs")
    if known.proposal_id in others[needs].dependencies:
        raise Rejected(
            Code.CONFLICT,
            "That proposal needs this one first. Remove that dependency before you add this one.",
            "needs",
        )
    return [DependencyAdded(needs)]


def decide_remove_dependency(state: ProposalState | None, issued: Issued[RemoveDependency]) -> list[Struct]:
    """This will record that another proposal need not come first any more."""
    if issued.command.needs not in submitted(state).dependencies:
        raise Rejected(Code.NOT_FOUND, "It does not need that proposal. There is nothing to remove.", "needs")
    return [DependencyRemoved(issued.command.needs)]
