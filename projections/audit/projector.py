"""From facts to the audit view: what was decided, on which versions, and what followed."""

from datetime import timedelta

from msgspec import Struct
from msgspec.structs import asdict, replace

from ledger.events.envelope import Event
from ledger.events.proposal import (
    BusinessCaseRevised,
    DecisionTaken,
    EstimateChanged,
    EstimateGiven,
    ImpactAssessed,
    ProposalMerged,
    ProposalRedirected,
    ProposalReopened,
    ProposalSplit,
    ProposalSubmitted,
    ProposalSuperseded,
    ProposalWithdrawn,
    RiskMaterialised,
    WorkAbandoned,
    WorkCompleted,
    WorkStarted,
)
from ledger.values import (
    Disposition,
    ProposalId,
    ProposalStatus,
    Verdict,
)
from projections.audit.around import AROUND
from projections.audit.followed import FOLLOWED
from projections.audit.following_structs import NOT_RECORDED, Reopening, provenance, recorded_at
from projections.audit.structs import AuditedDecision, AuditedProposal
from projections.audit.tables import (
    DECISIONS,
    PROPOSALS,
    TABLES,
    TEAMS,
)
from projections.audit.texts import CASES, TEXTS, CaseWords, NoWords, case_words, reason_words
from projections.projector import Projector, View
from projections.rows import Rows

STATUS_AFTER = {
    Disposition.SCHEDULE: ProposalStatus.ACCEPTED,
    Disposition.DECLINE: ProposalStatus.DECLINED,
    Disposition.POSTPONE: ProposalStatus.POSTPONED,
    Disposition.REDIRECT: ProposalStatus.REDIRECTED,
}


def submitted(rows: Rows, event: Event, fact: ProposalSubmitted) -> None:
    """This will begin a proposal's story."""
    first = () if fact.proposer is None else (fact.proposer,)
    rows.put(
        PROPOSALS,
        AuditedProposal(
            ProposalId(event.stream_id),
            fact.team_id,
            fact.title,
            event.occurred_at,
            event.position,
            area=fact.area,
            kind=fact.kind,
            proposers=tuple(dict.fromkeys((*first, *fact.co_proposers))),
            proposer=fact.proposer,
            provenance=provenance(event),
        ),
    )


def _becomes(status: ProposalStatus) -> Projector:
    def change(rows: Rows, event: Event, fact: Struct) -> None:
        rows.change(PROPOSALS, rows.need(PROPOSALS, event.stream_id), status=status)

    return change


def started(rows: Rows, event: Event, fact: WorkStarted) -> None:
    """This will note that work is under way, and of work without a YES where the proposal stood."""
    proposal = rows.need(PROPOSALS, event.stream_id)
    going_on = proposal.status is ProposalStatus.IN_PROGRESS
    stood = proposal.stood if going_on else proposal.status if fact.without_yes else None
    rows.change(PROPOSALS, proposal, status=ProposalStatus.IN_PROGRESS, stood=stood)


def abandoned(rows: Rows, event: Event, fact: WorkAbandoned) -> None:
    """This will note that work was given up. Work without a YES (rule 14) has answered nothing."""
    proposal = rows.need(PROPOSALS, event.stream_id)
    stood = proposal.stood if proposal.status is ProposalStatus.IN_PROGRESS else None
    rows.change(PROPOSALS, proposal, status=ProposalStatus.ABANDONED if stood is None else stood, stood=None)


def case_revised(rows: Rows, event: Event, fact: BusinessCaseRevised) -> None:
    """This will note which version of the business case is the latest, and its words for a search; the version itself stays in the log."""
    proposal = rows.need(PROPOSALS, event.stream_id)
    rows.put(CASES, CaseWords(proposal.proposal_id, case_words(fact)))
    rows.change(PROPOSALS, proposal, case_version=fact.case_version)


def estimated(rows: Rows, event: Event, fact: EstimateGiven | EstimateChanged) -> None:
    """This will note the latest estimate."""
    proposal = rows.need(PROPOSALS, event.stream_id)
    rows.change(PROPOSALS, proposal, estimate_version=fact.estimate_version, likely_days=fact.likely)


def impact_assessed(rows: Rows, event: Event, fact: ImpactAssessed) -> None:
    """This will note the latest impact."""
    proposal = rows.need(PROPOSALS, event.stream_id)
    rows.change(PROPOSALS, proposal, impact_version=fact.impact_version, drag=fact.drag)


def risk_materialised(rows: Rows, event: Event, fact: RiskMaterialised) -> None:
    """This will count an incident, for which a revisit condition may wait."""
    proposal = rows.need(PROPOSALS, event.stream_id)
    rows.change(PROPOSALS, proposal, incidents=proposal.incidents + 1)


def decided(rows: Rows, event: Event, fact: DecisionTaken) -> None:
    """This will keep a decision with all that it rested on; one on the whole proposal takes the place of the last."""
    proposal = rows.need(PROPOSALS, event.stream_id)
    team = rows.get(TEAMS, proposal.team_id)
    whole = fact.scope is None
    silent = fact.verdict is Verdict.NO and all(reason.code == NOT_RECORDED for reason in fact.reasons)
    promised = team.hours_to_tell if team and whole and fact.verdict is Verdict.NO and event.source is None else None
    body = asdict(fact)
    if whole:
        _end_standing(rows, proposal, None)
    rows.put(
        DECISIONS,
        AuditedDecision(
            proposal_id=proposal.proposal_id,
            team_id=proposal.team_id,
            title=proposal.title,
            area=proposal.area,
            proposers=proposal.proposers,
            proposer=proposal.proposer,
            decided_at=event.occurred_at,
            recorded_at=recorded_at(event),
            position=event.position,
            number=proposal.decisions + 1,
            provenance=provenance(event),
            unexplained=silent,
            unexplained_when_decided=silent,
            tell_by=None if promised is None else event.occurred_at + timedelta(hours=promised),
            standing=whole,
            # The review that took it is still open and will count once it closes.
            reviews_before=(team.reviews_held if team else 0) + (fact.review_id is not None),
            incidents_before=proposal.incidents,
            case_version=proposal.case_version,
            estimate_version=proposal.estimate_version,
            impact_version=proposal.impact_version,
            earlier_noes=proposal.noes,
            **body,
        ),
    )
    refused = whole and fact.verdict is Verdict.NO
    if refused:
        _put_words(rows, event, proposal, fact)
    changed = replace(proposal, decisions=proposal.decisions + 1, noes=proposal.noes + refused)
    if whole:
        changed = replace(changed, standing=fact.decision_id, status=STATUS_AFTER[fact.disposition])
    rows.put(PROPOSALS, changed)


def _put_words(rows: Rows, event: Event, proposal: AuditedProposal, fact: DecisionTaken) -> None:
    case = rows.get(CASES, proposal.proposal_id)
    rows.put(
        TEXTS,
        NoWords(
            fact.decision_id,
            proposal.proposal_id,
            proposal.team_id,
            fact.disposition,
            event.occurred_at,
            proposal.title,
            reason_words(fact.reasons),
            case.words if case else "",
        ),
    )


def reopened(rows: Rows, event: Event, fact: ProposalReopened) -> None:
    """This will end the standing of the last decision: its proposal is pending again."""
    proposal = rows.need(PROPOSALS, event.stream_id)
    _end_standing(rows, proposal, Reopening(fact.because, event.occurred_at, event.position, fact.note))
    rows.put(PROPOSALS, replace(proposal, standing=None, status=ProposalStatus.PENDING))


def _end_standing(rows: Rows, proposal: AuditedProposal, because: Reopening | None) -> None:
    if proposal.standing is not None:
        last = rows.need(DECISIONS, proposal.standing)
        rows.put(DECISIONS, replace(last, standing=False, reopened=because))


VIEW = View(
    "audit",
    TABLES,
    {
        ProposalSubmitted: submitted,
        ProposalRedirected: _becomes(ProposalStatus.REDIRECTED),
        BusinessCaseRevised: case_revised,
        EstimateGiven: estimated,
        EstimateChanged: estimated,
        ImpactAssessed: impact_assessed,
        DecisionTaken: decided,
        ProposalReopened: reopened,
        ProposalWithdrawn: _becomes(ProposalStatus.WITHDRAWN),
        ProposalMerged: _becomes(ProposalStatus.MERGED),
        ProposalSuperseded: _becomes(ProposalStatus.SUPERSEDED),
        ProposalSplit: _becomes(ProposalStatus.SPLIT),
        WorkStarted: started,
        WorkCompleted: _becomes(ProposalStatus.COMPLETED),
        WorkAbandoned: abandoned,
        RiskMaterialised: risk_materialised,
        **AROUND,
        **FOLLOWED,
    },
    weight=9,
)
