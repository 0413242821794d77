"""What the audit view keeps: decisions with all that followed, concerns, appeals, and every version of what was decided on."""

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from ledger.ranking import Formula
from ledger.values import (
    AppealGrounds,
    AppealId,
    Basis,
    ConcernId,
    Dating,
    DecisionId,
    Disposition,
    MemberId,
    PolicyId,
    PolicyMethod,
    ProposalId,
    ProposalStatus,
    Reason,
    RedirectTarget,
    ReviewId,
    ReviewKind,
    RevisitCondition,
    TeamId,
    Verdict,
)
from projections.audit.following_structs import (
    AcknowledgementGiven,
    Communication,
    Explanation,
    Playback,
    Provenance,
    Reopening,
    Waiver,
)

HOUR = timedelta(hours=1)


class ConcernState(StrEnum):
    """Where a concern stands."""

    OPEN = "OPEN"
    ANSWERED = "ANSWERED"
    RESOLVED = "RESOLVED"
    OVERRULED = "OVERRULED"


class AppealState(StrEnum):
    """Where an appeal stands."""

    OPEN = "OPEN"
    UPHELD = "UPHELD"
    DISMISSED = "DISMISSED"


class AuditedProposal(Struct, frozen=True, array_like=True, gc=False):
    """What the story of a proposal's decisions needs to know of it."""

    proposal_id: ProposalId
    team_id: TeamId
    title: str
    submitted_at: datetime
    position: int
    status: ProposalStatus = ProposalStatus.PENDING
    area: str | None = None
    kind: str | None = None
    proposers: tuple[MemberId, ...] = ()
    #: Whom an answer must reach; None: the source names nobody as such.
    proposer: MemberId | None = None
    case_version: int = 0
    estimate_version: int = 0
    impact_version: int = 0
    #: The latest likely engineer-days and the latest engineer-hours a week; None: not known.
    likely_days: Decimal | None = None
    drag: Decimal | None = None
    #: Risks that materialised.
    incidents: int = 0
    #: The last decision on the whole of it; None while it is pending.
    standing: DecisionId | None = None
    #: Decisions so far, scoped ones among them.
    decisions: int = 0
    provenance: Provenance | None = None
    #: NOs on the whole of it so far.
    noes: int = 0
    #: Where it stood when the work began that is under way; None: that had a YES, or a source does not say.
    stood: ProposalStatus | None = None


class AuditedDecision(Struct, frozen=True, omit_defaults=True):
    """One decision with all that it rested on and all that followed. None and empty mean: not said."""

    decision_id: DecisionId
    proposal_id: ProposalId
    team_id: TeamId
    title: str
    verdict: Verdict
    disposition: Disposition
    decided_at: datetime
    recorded_at: datetime
    position: int
    #: Of this proposal's decisions, counted from 1.
    number: int
    area: str | None = None
    proposers: tuple[MemberId, ...] = ()
    #: Whom the answer must reach.
    proposer: MemberId | None = None
    scope: str | None = None
    verdict_raw: str | None = None
    decider: MemberId | None = None
    self_decided: bool = False
    review_id: ReviewId | None = None
    basis: Basis | None = None
    score: float | None = None
    rank: int | None = None
    cut_score: float | None = None
    capacity_left: Decimal | None = None
    days_reserved: Decimal | None = None
    over_capacity_reason: str | None = None
    reasons: tuple[Reason, ...] = ()
    chosen_instead: tuple[ProposalId, ...] = ()
    revisit: tuple[RevisitCondition, ...] = ()
    waiver: Waiver | None = None
    reconsider_if: str | None = None
    final: bool = False
    redirect: RedirectTarget | None = None
    redirect_url: str | None = None
    explanations: tuple[Explanation, ...] = ()
    communications: tuple[Communication, ...] = ()
    acknowledgements: tuple[AcknowledgementGiven, ...] = ()
    playbacks: tuple[Playback, ...] = ()
    provenance: Provenance | None = None
    #: A NO that gave no reason on its day.
    unexplained_when_decided: bool = False
    #: A NO that gave no reason on its day and got none since.
    unexplained: bool = False
    told_at: datetime | None = None
    #: When the team's service level wants it told; None: the team promised nothing, or it was decided outside.
    tell_by: datetime | None = None
    acknowledged_at: datetime | None = None
    #: Is it the proposal's answer now? A later answer or a reopening ends that; a scoped decision never is.
    standing: bool = True
    reopened: Reopening | None = None
    appealed: bool = False
    #: An appeal against it was upheld.
    overturned: bool = False
    #: What the conditions count from: product reviews held and risks materialised by then.
    reviews_before: int = 0
    incidents_before: int = 0
    #: The versions that stood when it was recorded; a live decision's basis names the same.
    case_version: int = 0
    estimate_version: int = 0
    impact_version: int = 0
    #: NOs on the whole of the proposal before this one: above 0, the same thing was asked again.
    earlier_noes: int = 0

    @property
    def codes(self) -> tuple[str, ...]:
        """This will give the reason codes of the decision's own day, each once."""
        return tuple(dict.fromkeys(reason.code for reason in self.reasons))

    @property
    def told(self) -> bool:
        """This will say whether the proposer was told."""
        return self.told_at is not None

    @property
    def told_hours(self) -> float | None:
        """This will give the hours from the decision to its being told; None: it was not."""
        return None if self.told_at is None else (self.told_at - self.decided_at) / HOUR

    @property
    def scoped(self) -> bool:
        """This will say whether only a part of the proposal was decided."""
        return self.scope is not None

    @property
    def may_return(self) -> bool:
        """This will say whether conditions stand that would bring the proposal back."""
        return self.standing and self.waiver is None and bool(self.revisit)

    @property
    def next_date(self) -> datetime | None:
        """This will give the first day on which a condition falls due; None where none is a date."""
        return min((condition.on for condition in self.revisit if condition.on), default=None)

    @property
    def policy_id(self) -> PolicyId | None:
        """This will name the policy that it was taken under."""
        return self.basis.policy_id if self.basis else None

    @property
    def policy_version(self) -> int:
        """This will give that policy's version; 0 where there was none."""
        return self.basis.policy_version if self.basis else 0

    @property
    def mentions(self) -> tuple[ProposalId, ...]:
        """This will give the other proposals that it names: those chosen instead, and those that a revisit waits for."""
        awaited = (condition.proposal_id for condition in self.revisit if condition.proposal_id)
        return tuple(dict.fromkeys((*self.chosen_instead, *awaited)))

    @property
    def system(self) -> str | None:
        """This will name the source system of an imported decision."""
        return self.provenance.system if self.provenance else None

    @property
    def is_dated(self) -> bool:
        """This will say whether it is known when it was taken."""
        return self.provenance is None or self.provenance.is_dated

    @property
    def undated(self) -> bool:
        """This will say whether its source has no date of it at all, so that it is in no period and in no month."""
        return self.provenance is not None and self.provenance.dating is Dating.UNDATED

    @property
    def explained_later(self) -> bool:
        """This will say whether the first reason came after the decision."""
        return self.unexplained_when_decided and not self.unexplained


class ConcernRecord(Struct, frozen=True, omit_defaults=True):
    """One concern and how it was met."""

    concern_id: ConcernId
    proposal_id: ProposalId
    team_id: TeamId
    title: str
    raised_by: MemberId
    text: str
    raised_at: datetime
    position: int
    blocking: bool = False
    state: ConcernState = ConcernState.OPEN
    answer: str | None = None
    answered_by: MemberId | None = None
    answered_at: datetime | None = None
    resolved_at: datetime | None = None
    resolution: str | None = None
    overruled_by: MemberId | None = None
    overruled_at: datetime | None = None
    overruled_because: str | None = None


class AppealRecord(Struct, frozen=True, omit_defaults=True):
    """One appeal and how it ended."""

    appeal_id: AppealId
    decision_id: DecisionId
    proposal_id: ProposalId
    team_id: TeamId
    title: str
    by: MemberId
    grounds: AppealGrounds
    text: str
    lodged_at: datetime
    position: int
    state: AppealState = AppealState.OPEN
    heard_by: MemberId | None = None
    heard_at: datetime | None = None
    outcome: str | None = None


class AuditedReview(Struct, frozen=True, omit_defaults=True):
    """What a decision's story needs to know of its review."""

    review_id: ReviewId
    team_id: TeamId
    kind: ReviewKind
    starts_at: datetime
    opened_at: datetime | None = None
    closed_at: datetime | None = None
    skipped: bool = False
    knowledge_position: int | None = None
    minutes_url: str | None = None


class AuditedTeam(Struct, frozen=True, omit_defaults=True):
    """What a team promises, and how many product reviews it has held."""

    team_id: TeamId
    name: str
    days_to_decide: int | None = None
    hours_to_tell: int | None = None
    reviews_held: int = 0


class PolicyVersion(Struct, frozen=True, omit_defaults=True):
    """One version of a prioritisation policy."""

    policy_id: PolicyId
    version: int
    name: str
    formula: Formula
    at: datetime

    @property
    def method(self) -> PolicyMethod:
        """This will name the formula."""
        return self.formula.method
