"""Paying: work on a proposal, what it brought, and what a NO cost."""

from decimal import Decimal

from msgspec import Struct

from ledger.commands import Issued
from ledger.commands.proposal import AbandonWork, CompleteWork, MeasureBenefit, PauseWork, ReportRisk, StartWork
from ledger.domain.effort import FIGURE_MAX, effort, figure
from ledger.domain.proposal.standing import said, standing, submitted
from ledger.domain.proposal.state import ProposalState
from ledger.domain.rejected import Code, Rejected
from ledger.events.proposal import (
    BenefitMeasured,
    RiskMaterialised,
    WorkAbandoned,
    WorkCompleted,
    WorkPaused,
    WorkStarted,
)
from ledger.values import ProposalStatus

MEASURING_DAYS = (30, 90, 180)
WORKING = frozenset({ProposalStatus.IN_PROGRESS})
#: Work can begin anywhere but where it is done: it happens, and is not hidden (rule 14).
STARTABLE = frozenset(ProposalStatus) - {ProposalStatus.COMPLETED}


def decide_start_work(state: ProposalState | None, issued: Issued[StartWork]) -> list[Struct]:
    """This will record that work began or goes on after a pause; without a YES that stands it is marked (rule 14)."""
    known = standing(state, STARTABLE, "be started")
    if known.status is ProposalStatus.IN_PROGRESS and not known.paused:
        raise Rejected(Code.WRONG_STATE, "Work is under way already. Pause, complete or abandon it.", "proposal_id")
    return [WorkStarted(without_yes=not known.has_yes, note=issued.command.note)]


def decide_pause_work(state: ProposalState | None, issued: Issued[PauseWork]) -> list[Struct]:
    """This will record that work rests."""
    if standing(state, WORKING, "be paused").paused:
        raise Rejected(Code.WRONG_STATE, "The work rests already. Start it again when it goes on.", "proposal_id")
    return [WorkPaused(issued.command.reason)]


def decide_complete_work(state: ProposalState | None, issued: Issued[CompleteWork]) -> list[Struct]:
    """This will record that the debt is paid, with the engineer-days that it took."""
    standing(state, WORKING, "be completed")
    return [WorkCompleted(effort(issued.command.actual_days, "actual_days"), note=issued.command.note)]


def decide_abandon_work(state: ProposalState | None, issued: Issued[AbandonWork]) -> list[Struct]:
    """This will record that work ended without the debt being paid."""
    command = issued.command
    standing(state, WORKING, "be abandoned")
    if command.spent_days is not None:
        figure(command.spent_days, "engineer-days", ("spent_days",))
    return [WorkAbandoned(said(command.reason, "The reason", "reason"), command.spent_days)]


def decide_measure_benefit(state: ProposalState | None, issued: Issued[MeasureBenefit]) -> list[Struct]:
    """This will record what completed work brought, 30, 90 or 180 days after it; a loss is below 0."""
    command = issued.command
    standing(state, {ProposalStatus.COMPLETED}, "have a benefit measured")
    if command.day not in MEASURING_DAYS:
        raise Rejected(
            Code.BAD_USER_INPUT, f"Day {command.day} is none of 30, 90 and 180. Measure on one of these.", "day"
        )
    figure(command.realised, command.unit, ("realised",), least=-FIGURE_MAX)
    if command.promised is not None:
        figure(command.promised, command.unit, ("promised",), least=-FIGURE_MAX)
    return [
        BenefitMeasured(
            benefit=said(command.benefit, "The benefit", "benefit"),
            day=command.day,
            realised=command.realised,
            unit=said(command.unit, "The unit", "unit"),
            method=command.method,
            promised=command.promised,
            note=command.note,
        )
    ]


def decide_report_risk(state: ProposalState | None, issued: Issued[ReportRisk]) -> list[Struct]:
    """This will record that a risk came true, whatever the answer was: on a declined item it is the cost of the NO."""
    command = issued.command
    submitted(state)
    lost = figure(command.loss_hours, "engineer-hours lost", ("loss_hours",), least=Decimal(0))
    return [RiskMaterialised(lost, command.incident, command.text)]
