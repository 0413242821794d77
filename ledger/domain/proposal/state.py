"""What is known of a proposal. Whatever an imported history leaves out is None, empty or 0."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from msgspec import Struct

from ledger.events import proposal as facts
from ledger.ranking import Item
from ledger.values import (
    Acknowledgement,
    AgendaCause,
    AppealId,
    ConcernId,
    DecisionId,
    Disposition,
    MemberId,
    PlaybackStage,
    ProposalId,
    ProposalStatus,
    Reason,
    ReopenCause,
    TeamId,
)

ProposalFact: TypeAlias = (
    facts.ProposalSubmitted
    | facts.CriticalityScreened
    | facts.ProposalRedirected
    | facts.BusinessCaseRevised
    | facts.EstimateGiven
    | facts.EstimateChanged
    | facts.ImpactAssessed
    | facts.DependencyAdded
    | facts.DependencyRemoved
    | facts.ConcernRaised
    | facts.ConcernAnswered
    | facts.ConcernResolved
    | facts.ConcernOverruled
    | facts.DecisionTaken
    | facts.DecisionExplained
    | facts.DecisionCarriedOver
    | facts.DecisionCommunicated
    | facts.DecisionAcknowledged
    | facts.ConcernPlayedBack
    | facts.PlaybackConfirmed
    | facts.PlaybackCorrected
    | facts.AppealLodged
    | facts.AppealUpheld
    | facts.AppealDismissed
    | facts.ProposalReopened
    | facts.RevisitWaived
    | facts.ProposalWithdrawn
    | facts.ProposalMerged
    | facts.ProposalSuperseded
    | facts.ProposalSplit
    | facts.WorkStarted
    | facts.WorkPaused
    | facts.WorkCompleted
    | facts.WorkAbandoned
    | facts.BenefitMeasured
    | facts.RiskMaterialised
    | facts.SourceNoted
)

#: The team of a stream whose history begins before its submission: nobody has a role there.
NOBODY_ASKED = TeamId(UUID(int=0))

STATUS_AFTER = {
    Disposition.SCHEDULE: ProposalStatus.ACCEPTED,
    Disposition.DECLINE: ProposalStatus.DECLINED,
    Disposition.POSTPONE: ProposalStatus.POSTPONED,
    Disposition.REDIRECT: ProposalStatus.REDIRECTED,
}

AGENDA_CAUSES = {
    ReopenCause.APPEAL_UPHELD: AgendaCause.APPEALED,
    ReopenCause.REVISIT_DUE: AgendaCause.REVISIT_DUE,
    ReopenCause.CASE_REVISED: AgendaCause.REVISED,
    ReopenCause.REPROPOSED: AgendaCause.NEW,
}


class ConcernStatus(StrEnum):
    """Where a concern stands. An answered one is still open: only its raiser settles it."""

    OPEN = "OPEN"
    ANSWERED = "ANSWERED"
    RESOLVED = "RESOLVED"
    OVERRULED = "OVERRULED"


class Concern(Struct, frozen=True):
    """One concern, as it was raised, and where it stands."""

    raised: facts.ConcernRaised
    status: ConcernStatus = ConcernStatus.OPEN

    @property
    def is_open(self) -> bool:
        """This will say whether it is neither resolved nor overruled."""
        return self.status in {ConcernStatus.OPEN, ConcernStatus.ANSWERED}


class Decision(Struct, frozen=True):
    """One decision as it was taken, what the proposal was then, and what came of telling it."""

    taken: facts.DecisionTaken
    taken_at: datetime
    position: int
    #: The proposal's case version and its number of incidents when it was taken.
    case_version: int
    incidents: int
    #: Everyone who was named in an audience.
    audience: frozenset[MemberId] = frozenset()
    #: When an audience first named the proposer; None: those who asked were not told.
    told_at: datetime | None = None
    #: The last answer of a recipient.
    answer: Acknowledgement | None = None
    playback: PlaybackStage = PlaybackStage.NONE
    explained: tuple[Reason, ...] = ()
    revisit_waived: bool = False

    @property
    def decision_id(self) -> DecisionId:
        """This will give the decision's id."""
        return self.taken.decision_id

    @property
    def playback_open(self) -> bool:
        """This will say whether a misunderstanding waits to be cleared up."""
        return self.playback in {PlaybackStage.ASKED, PlaybackStage.PLAYED_BACK}


class AppealStatus(StrEnum):
    """Where an appeal stands."""

    OPEN = "OPEN"
    UPHELD = "UPHELD"
    DISMISSED = "DISMISSED"


class Appeal(Struct, frozen=True):
    """One appeal, as it was lodged, and how it ended."""

    lodged: facts.AppealLodged
    status: AppealStatus = AppealStatus.OPEN


class ProposalState(Struct, frozen=True):
    """A proposal as its facts tell it. Versions are 0 where there is none; an import may leave any of it out."""

    proposal_id: ProposalId
    team_id: TeamId = NOBODY_ASKED
    title: str = ""
    area: str | None = None
    kind: str | None = None
    proposer: MemberId | None = None
    co_proposers: tuple[MemberId, ...] = ()
    submitted_at: datetime | None = None
    submitted_position: int = 0
    #: Did a source tell of its submission?
    imported: bool = False
    status: ProposalStatus = ProposalStatus.PENDING
    critical: bool = False
    case: facts.BusinessCaseRevised | None = None
    case_version: int = 0
    estimate: facts.EstimateGiven | facts.EstimateChanged | None = None
    estimate_version: int = 0
    impact: facts.ImpactAssessed | None = None
    impact_version: int = 0
    dependencies: tuple[ProposalId, ...] = ()
    concerns: tuple[Concern, ...] = ()
    #: In the order in which they were taken, scoped (imported) ones too.
    decisions: tuple[Decision, ...] = ()
    appeals: tuple[Appeal, ...] = ()
    #: How often in a row reviews have left it undecided.
    carried_over: int = 0
    #: Why it is pending again; None: it was never reopened, or has been answered since.
    reopened: ReopenCause | None = None
    #: Does a YES stand that work may rest on?
    has_yes: bool = False
    paused: bool = False
    #: Where it stood when the work began that is under way; None: that had a YES, or a source does not say.
    stood: ProposalStatus | None = None
    completed_at: datetime | None = None
    incidents: int = 0

    @property
    def is_submitted(self) -> bool:
        """This will say whether the proposal itself is recorded, and not just something that came before it."""
        return self.submitted_at is not None

    @property
    def proposers(self) -> frozenset[MemberId]:
        """This will give those who asked; empty where a source does not say."""
        return frozenset(self.co_proposers) | ({self.proposer} if self.proposer is not None else frozenset())

    @property
    def blocking_concerns(self) -> tuple[Concern, ...]:
        """This will give the concerns that hold a decision up."""
        return tuple(c for c in self.concerns if c.is_open and c.raised.blocking)

    @property
    def last_decision(self) -> Decision | None:
        """This will give the last decision on the proposal as a whole."""
        return next((d for d in reversed(self.decisions) if d.taken.scope is None), None)

    @property
    def open_appeal(self) -> Appeal | None:
        """This will give the appeal that waits to be heard."""
        return next((a for a in self.appeals if a.status == AppealStatus.OPEN), None)

    @property
    def agenda_cause(self) -> AgendaCause:
        """This will say why a pending proposal is on the next agenda, as far as its own facts tell."""
        if self.carried_over:
            return AgendaCause.CARRIED_OVER
        return AgendaCause.NEW if self.reopened is None else AGENDA_CAUSES[self.reopened]

    def concern(self, concern_id: ConcernId) -> Concern | None:
        """This will find a concern."""
        number = concern_id.int  # many may be there, and two numbers are compared faster than two ids
        return next((c for c in self.concerns if c.raised.concern_id.int == number), None)

    def decision(self, decision_id: DecisionId) -> Decision | None:
        """This will find a decision."""
        return next((d for d in self.decisions if d.decision_id == decision_id), None)

    def appeal(self, appeal_id: AppealId) -> Appeal | None:
        """This will find an appeal."""
        return next((a for a in self.appeals if a.lodged.appeal_id == appeal_id), None)

    def to_item(self) -> Item:
        """This will give the figures that a policy ranks by. `confidence` is that of the impact."""
        estimate, impact, case = self.estimate, self.impact, self.case
        return Item(
            optimistic=estimate.optimistic if estimate else None,
            likely=estimate.likely if estimate else None,
            pessimistic=estimate.pessimistic if estimate else None,
            drag=impact.drag if impact else None,
            growth=impact.growth if impact else Decimal(0),
            level=impact.level if impact else None,
            confidence=impact.confidence if impact else 1.0,
            risks=case.risks_of_ignoring if case else (),
            benefit_count=len(case.benefits_of_fixing) if case else 0,
        )
