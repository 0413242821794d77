"""From facts to what was expected and what came."""

from ledger.events.envelope import Event
from ledger.events.proposal import (
    BenefitMeasured,
    DecisionTaken,
    EstimateChanged,
    EstimateGiven,
    ProposalReopened,
    ProposalSubmitted,
    RiskMaterialised,
    WorkCompleted,
)
from ledger.values import Disposition, ProposalId
from projections.outcomes.structs import BenefitRecord, Expectation, Loss
from projections.outcomes.tables import BENEFITS, EXPECTATIONS, LOSSES, TABLES
from projections.projector import View
from projections.rows import Rows

#: The answers whose price is counted: the item stayed undone because of them.
LEFT_UNDONE = frozenset({Disposition.DECLINE, Disposition.POSTPONE})


def submitted(rows: Rows, event: Event, fact: ProposalSubmitted) -> None:
    """This will begin with nothing expected."""
    system = event.source.system if event.source else None
    rows.put(EXPECTATIONS, Expectation(ProposalId(event.stream_id), fact.team_id, fact.area, system))


def estimated(rows: Rows, event: Event, fact: EstimateGiven | EstimateChanged) -> None:
    """This will take the latest estimate; one given after the work was complete is no expectation any more."""
    proposal = rows.need(EXPECTATIONS, event.stream_id)
    if proposal.completed_at is None:
        rows.change(
            EXPECTATIONS,
            proposal,
            optimistic=fact.optimistic,
            likely=fact.likely,
            pessimistic=fact.pessimistic,
            basis=fact.basis,
            estimate_version=fact.estimate_version,
        )


def decided(rows: Rows, event: Event, fact: DecisionTaken) -> None:
    """This will note the answer that stands, so that a later loss can be laid to it."""
    if fact.scope is None:
        codes = tuple(dict.fromkeys(reason.code for reason in fact.reasons))
        rows.change(
            EXPECTATIONS,
            rows.need(EXPECTATIONS, event.stream_id),
            decision_id=fact.decision_id,
            disposition=fact.disposition,
            codes=codes,
        )


def reopened(rows: Rows, event: Event, fact: ProposalReopened) -> None:
    """This will note that no answer stands."""
    proposal = rows.need(EXPECTATIONS, event.stream_id)
    rows.change(EXPECTATIONS, proposal, decision_id=None, disposition=None, codes=())


def completed(rows: Rows, event: Event, fact: WorkCompleted) -> None:
    """This will set what the work took beside what was expected."""
    proposal = rows.need(EXPECTATIONS, event.stream_id)
    rows.change(EXPECTATIONS, proposal, completed_at=event.occurred_at, actual_days=fact.actual_days)


def benefit_measured(rows: Rows, event: Event, fact: BenefitMeasured) -> None:
    """This will keep one measurement of a benefit."""
    proposal = rows.need(EXPECTATIONS, event.stream_id)
    rows.put(
        BENEFITS,
        BenefitRecord(
            event.event_id,
            proposal.proposal_id,
            proposal.team_id,
            fact.benefit,
            fact.day,
            fact.realised,
            fact.unit,
            fact.method,
            event.occurred_at,
            proposal.area,
            fact.promised,
            fact.note,
        ),
    )


def risk_materialised(rows: Rows, event: Event, fact: RiskMaterialised) -> None:
    """This will keep a loss, with the NO that stood when it came about."""
    proposal = rows.need(EXPECTATIONS, event.stream_id)
    undone = proposal.disposition in LEFT_UNDONE
    rows.put(
        LOSSES,
        Loss(
            event.event_id,
            proposal.proposal_id,
            proposal.team_id,
            fact.loss_hours,
            event.occurred_at,
            proposal.area,
            fact.incident,
            fact.text,
            proposal.decision_id if undone else None,
            proposal.disposition if undone else None,
            proposal.codes if undone else (),
        ),
    )


VIEW = View(
    "outcomes",
    TABLES,
    {
        ProposalSubmitted: submitted,
        EstimateGiven: estimated,
        EstimateChanged: estimated,
        DecisionTaken: decided,
        ProposalReopened: reopened,
        WorkCompleted: completed,
        BenefitMeasured: benefit_measured,
        RiskMaterialised: risk_materialised,
    },
    weight=3,
)
