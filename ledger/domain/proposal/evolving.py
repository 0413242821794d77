"""How each fact changes what is known of a proposal."""

from collections.abc import Callable
from typing import assert_never, cast

from msgspec.structs import replace

from ledger.domain.proposal.state import (
    STATUS_AFTER,
    Appeal,
    AppealStatus,
    Concern,
    ConcernStatus,
    Decision,
    ProposalFact,
    ProposalState,
)
from ledger.events import Event
from ledger.events import proposal as facts
from ledger.values import (
    Acknowledgement,
    AppealId,
    ConcernId,
    DecisionId,
    PlaybackStage,
    ProposalId,
    ProposalStatus,
    Verdict,
)


def evolve(state: ProposalState | None, event: Event) -> ProposalState:  # noqa: PLR0912 - a case for each fact
    """This will fold one fact into the state. It never refuses: what happened has happened, whoever recorded it."""
    s = state if state is not None else ProposalState(ProposalId(event.stream_id))
    fact = cast("ProposalFact", event.fact)
    match fact:
        case facts.ProposalSubmitted():
            return _submitted(s, fact, event)
        case facts.CriticalityScreened():
            return replace(s, critical=fact.critical)
        case facts.ProposalRedirected():
            return replace(s, status=ProposalStatus.REDIRECTED, has_yes=False)
        case facts.BusinessCaseRevised():
            return replace(s, case=fact, case_version=fact.case_version)
        case facts.EstimateGiven() | facts.EstimateChanged():
            return replace(s, estimate=fact, estimate_version=fact.estimate_version)
        case facts.ImpactAssessed():
            return replace(s, impact=fact, impact_version=fact.impact_version)
        case facts.DependencyAdded():
            return replace(s, dependencies=(*s.dependencies, fact.needs))
        case facts.DependencyRemoved():
            return replace(s, dependencies=tuple(d for d in s.dependencies if d != fact.needs))
        case facts.ConcernRaised():
            return replace(s, concerns=(*s.concerns, Concern(fact)))
        case facts.ConcernAnswered():
            return _concern(s, fact.concern_id, ConcernStatus.ANSWERED)
        case facts.ConcernResolved():
            return _concern(s, fact.concern_id, ConcernStatus.RESOLVED)
        case facts.ConcernOverruled():
            return _concern(s, fact.concern_id, ConcernStatus.OVERRULED)
        case facts.DecisionTaken():
            return _decided(s, fact, event)
        case facts.DecisionExplained():
            return _decision(s, fact.decision_id, lambda d: replace(d, explained=(*d.explained, *fact.reasons)))
        case facts.DecisionCarriedOver():
            return replace(s, carried_over=fact.count)
        case facts.DecisionCommunicated():
            return _told(s, fact, event)
        case facts.DecisionAcknowledged():
            return _acknowledged(s, fact)
        case facts.ConcernPlayedBack():
            return _decision(s, fact.decision_id, lambda d: replace(d, playback=PlaybackStage.PLAYED_BACK))
        case facts.PlaybackConfirmed():
            return _decision(s, fact.decision_id, lambda d: replace(d, playback=PlaybackStage.CONFIRMED))
        case facts.PlaybackCorrected():
            return _decision(s, fact.decision_id, lambda d: replace(d, playback=PlaybackStage.ASKED))
        case facts.AppealLodged():
            return replace(s, appeals=(*s.appeals, Appeal(fact)))
        case facts.AppealUpheld():
            return _appeal(s, fact.appeal_id, AppealStatus.UPHELD)
        case facts.AppealDismissed():
            return _appeal(s, fact.appeal_id, AppealStatus.DISMISSED)
        case facts.ProposalReopened():
            return replace(s, status=ProposalStatus.PENDING, reopened=fact.because, has_yes=False, paused=False)
        case facts.RevisitWaived():
            return _decision(s, fact.decision_id, lambda d: replace(d, revisit_waived=True))
        case facts.ProposalWithdrawn():
            return replace(s, status=ProposalStatus.WITHDRAWN, has_yes=False)
        case facts.ProposalMerged():
            return replace(s, status=ProposalStatus.MERGED, has_yes=False)
        case facts.ProposalSuperseded():
            return replace(s, status=ProposalStatus.SUPERSEDED, has_yes=False)
        case facts.ProposalSplit():
            return replace(s, status=ProposalStatus.SPLIT, has_yes=False)
        case facts.WorkStarted():
            going_on = s.status is ProposalStatus.IN_PROGRESS
            stood = s.stood if going_on else s.status if fact.without_yes else None
            return replace(s, status=ProposalStatus.IN_PROGRESS, stood=stood, paused=False)
        case facts.WorkPaused():
            return replace(s, paused=True)
        case facts.WorkCompleted():
            return replace(s, status=ProposalStatus.COMPLETED, paused=False, completed_at=event.occurred_at)
        case facts.WorkAbandoned():
            return replace(s, status=_after_work(s), stood=None, paused=False, has_yes=False)
        case facts.RiskMaterialised():
            return replace(s, incidents=s.incidents + 1)
        case facts.BenefitMeasured() | facts.SourceNoted():
            return s
        case _:
            assert_never(fact)


def _submitted(s: ProposalState, fact: facts.ProposalSubmitted, event: Event) -> ProposalState:
    return replace(
        s,
        team_id=fact.team_id,
        title=fact.title,
        area=fact.area,
        kind=fact.kind,
        proposer=fact.proposer,
        co_proposers=fact.co_proposers,
        submitted_at=event.occurred_at,
        submitted_position=event.position,
        imported=event.source is not None,
    )


def _decided(s: ProposalState, fact: facts.DecisionTaken, event: Event) -> ProposalState:
    decision = Decision(fact, event.occurred_at, event.position, s.case_version, s.incidents)
    decisions = (*s.decisions, decision)
    if fact.scope is not None:  # of a part only: the whole stands where it stood
        return replace(s, decisions=decisions)
    return replace(
        s,
        decisions=decisions,
        status=STATUS_AFTER[fact.disposition],
        has_yes=fact.verdict is Verdict.YES,
        carried_over=0,
        reopened=None,
        paused=False,
    )


def _after_work(s: ProposalState) -> ProposalStatus:
    """This will say where a proposal stands whose work was given up: work without a YES (rule 14) has answered nothing."""
    is_under_way = s.status is ProposalStatus.IN_PROGRESS  # an import may tell it otherwise
    return s.stood if is_under_way and s.stood is not None else ProposalStatus.ABANDONED


def _told(s: ProposalState, fact: facts.DecisionCommunicated, event: Event) -> ProposalState:
    def tell(d: Decision) -> Decision:
        told = event.occurred_at if d.told_at is None and s.proposer in fact.audience else d.told_at
        return replace(d, audience=d.audience.union(fact.audience), told_at=told)

    return _decision(s, fact.decision_id, tell)


def _acknowledged(s: ProposalState, fact: facts.DecisionAcknowledged) -> ProposalState:
    def answer(d: Decision) -> Decision:
        playback = PlaybackStage.ASKED if fact.answer is Acknowledgement.NOT_UNDERSTOOD else d.playback
        return replace(d, answer=fact.answer, playback=playback)

    return _decision(s, fact.decision_id, answer)


def _decision(s: ProposalState, decision_id: DecisionId, change: Callable[[Decision], Decision]) -> ProposalState:
    return replace(s, decisions=tuple(change(d) if d.decision_id == decision_id else d for d in s.decisions))


def _concern(s: ProposalState, concern_id: ConcernId, status: ConcernStatus) -> ProposalState:
    return replace(
        s,
        concerns=tuple(replace(c, status=status) if c.raised.concern_id == concern_id else c for c in s.concerns),
    )


def _appeal(s: ProposalState, appeal_id: AppealId, status: AppealStatus) -> ProposalState:
    return replace(
        s, appeals=tuple(replace(a, status=status) if a.lodged.appeal_id == appeal_id else a for a in s.appeals)
    )
