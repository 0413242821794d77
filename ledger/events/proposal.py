"""What can happen to a proposal, in the order of its life. The stream is the proposal's own id.

One file, long as it is: it reads from the first fact to the last, and a file is a kind of stream, by which docs/facts.md has its chapters.
"""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from ledger.events.registry import endogenous, exogenous, fact
from ledger.values import (
    Acknowledgement,
    AppealGrounds,
    AppealId,
    Basis,
    Benefit,
    Channel,
    ConcernId,
    DecisionId,
    Disposition,
    EffortUnit,
    EstimateBasis,
    EstimateCause,
    Evidence,
    ImpactMethod,
    MemberId,
    MomentumLevel,
    ProposalId,
    Reason,
    RedirectTarget,
    ReopenCause,
    ReviewId,
    RevisitCondition,
    Risk,
    TeamId,
    Verdict,
)


@fact("ProposalSubmitted", exogenous)
class ProposalSubmitted(Struct, frozen=True, omit_defaults=True):
    """A team was asked to pay a debt. `area` is a catalogue reference such as `component:default/checkout`."""

    team_id: TeamId
    title: str
    proposer: MemberId | None
    area: str | None = None
    kind: str | None = None
    #: Further proposers whom a source names.
    co_proposers: tuple[MemberId, ...] = ()


@fact("CriticalityScreened", exogenous)
class CriticalityScreened(Struct, frozen=True, omit_defaults=True):
    """It was asked whether this is a critical bug, which severity would decide and not this ledger."""

    critical: bool
    note: str | None = None


@fact("ProposalRedirected", endogenous)
class ProposalRedirected(Struct, frozen=True, omit_defaults=True):
    """The proposal left for another list: the severity track, another team, or a tracker."""

    target: RedirectTarget
    reason: str
    url: str | None = None
    team_id: TeamId | None = None


@fact("BusinessCaseRevised", exogenous)
class BusinessCaseRevised(Struct, frozen=True, omit_defaults=True):
    """The case was written (version 1) or rewritten. A quadrant that says "none" says why in its `no_…` text.

    A case from a source that has no quadrants is whole in `problem`.
    """

    case_version: int
    problem: str
    benefits_of_fixing: tuple[Benefit, ...] = ()
    risks_of_fixing: tuple[str, ...] = ()
    benefits_of_ignoring: tuple[str, ...] = ()
    risks_of_ignoring: tuple[Risk, ...] = ()
    no_risks_of_fixing: str | None = None
    no_benefits_of_ignoring: str | None = None
    evidence: tuple[Evidence, ...] = ()
    change_note: str | None = None


@fact("EstimateGiven", exogenous)
class EstimateGiven(Struct, frozen=True, omit_defaults=True):
    """The first estimate: engineer-days, three points. `value` and `unit` are what a source said, in its own unit.

    The days are None where they do not follow from the source's unit; such a proposal ranks as not estimated.
    """

    estimate_version: int
    optimistic: Decimal | None
    likely: Decimal | None
    pessimistic: Decimal | None
    unit: EffortUnit = EffortUnit.DAYS
    value: str | None = None
    #: What a source's estimate is of, where it has several (a stage, say).
    subject: str | None = None
    confidence: float | None = None
    basis: EstimateBasis | None = None
    note: str | None = None


@fact("EstimateChanged", exogenous)
class EstimateChanged(Struct, frozen=True, omit_defaults=True):
    """A later estimate. `removed` says that the source took its estimate away and gave none instead."""

    estimate_version: int
    optimistic: Decimal | None
    likely: Decimal | None
    pessimistic: Decimal | None
    unit: EffortUnit = EffortUnit.DAYS
    value: str | None = None
    previous_value: str | None = None
    subject: str | None = None
    removed: bool = False
    confidence: float | None = None
    basis: EstimateBasis | None = None
    cause: EstimateCause | None = None
    note: str | None = None


@fact("ImpactAssessed", exogenous)
class ImpactAssessed(Struct, frozen=True, omit_defaults=True):
    """What the debt costs: engineer-hours per week, growing by `growth` percent a month.

    `level` follows from the hours where there are any. `judged_level` is set where a person's level disagrees with them.
    """

    impact_version: int
    level: MomentumLevel
    method: ImpactMethod
    confidence: float
    drag: Decimal | None = None
    growth: Decimal = Decimal(0)
    judged_level: MomentumLevel | None = None
    blocks_committed_feature: bool = False
    note: str | None = None


@fact("DependencyAdded", exogenous)
class DependencyAdded(Struct, frozen=True):
    """This proposal was found to need another one first."""

    needs: ProposalId


@fact("DependencyRemoved", exogenous)
class DependencyRemoved(Struct, frozen=True):
    """The other one is not needed first any more."""

    needs: ProposalId


@fact("ConcernRaised", exogenous)
class ConcernRaised(Struct, frozen=True, omit_defaults=True):
    """Somebody worries. While a blocking concern is open nothing is decided, unless it is overruled."""

    concern_id: ConcernId
    raised_by: MemberId
    text: str
    blocking: bool = False


@fact("ConcernAnswered", exogenous)
class ConcernAnswered(Struct, frozen=True):
    """A concern got an answer; whether it is resolved is its raiser's to say."""

    concern_id: ConcernId
    answered_by: MemberId
    text: str


@fact("ConcernResolved", exogenous)
class ConcernResolved(Struct, frozen=True, omit_defaults=True):
    """Its raiser holds the concern settled."""

    concern_id: ConcernId
    note: str | None = None


@fact("ConcernOverruled", endogenous)
class ConcernOverruled(Struct, frozen=True):
    """The decider went on in spite of a concern, and said why."""

    concern_id: ConcernId
    overruled_by: MemberId
    reason: str


@fact("DecisionTaken", endogenous)
class DecisionTaken(Struct, frozen=True, omit_defaults=True):
    """The answer, with all that it rested on. What an imported source does not say is None or empty.

    `score`, `rank` (1 is first) and `cut_score` (the lowest score that still fitted the capacity) are those of the review's
    agenda under the policy of the basis; `capacity_left` is in engineer-days, before this decision.
    """

    decision_id: DecisionId
    verdict: Verdict
    disposition: Disposition
    review_id: ReviewId | None = None
    basis: Basis | None = None
    score: float | None = None
    rank: int | None = None
    cut_score: float | None = None
    capacity_left: Decimal | None = None
    days_reserved: Decimal | None = None
    #: Why the capacity may be gone over; None: it was not.
    over_capacity_reason: str | None = None
    reasons: tuple[Reason, ...] = ()
    chosen_instead: tuple[ProposalId, ...] = ()
    revisit: tuple[RevisitCondition, ...] = ()
    reconsider_if: str | None = None
    final: bool = False
    decider: MemberId | None = None
    self_decided: bool = False
    redirect: RedirectTarget | None = None
    redirect_url: str | None = None
    #: Imported: what of the proposal was decided, where a source decides several things.
    scope: str | None = None
    #: Imported: the source's own word for the verdict.
    verdict_raw: str | None = None


@fact("DecisionExplained", endogenous)
class DecisionExplained(Struct, frozen=True):
    """A reason, or a better one, was given after the decision. It stands beside the first, never in its place."""

    decision_id: DecisionId
    reasons: tuple[Reason, ...]


@fact("DecisionCarriedOver", endogenous)
class DecisionCarriedOver(Struct, frozen=True):
    """A review left it undecided. `count` is how many times in a row, from 1; a third is refused."""

    review_id: ReviewId
    reason: str
    count: int


@fact("DecisionCommunicated", endogenous)
class DecisionCommunicated(Struct, frozen=True, omit_defaults=True):
    """The answer was told. It counts as told to those who asked only where the audience names the proposer."""

    decision_id: DecisionId
    channel: Channel
    audience: tuple[MemberId, ...]
    reference: str | None = None


@fact("DecisionAcknowledged", endogenous)
class DecisionAcknowledged(Struct, frozen=True, omit_defaults=True):
    """The recipient answered: agreed, disagreed but understood, or did not understand."""

    decision_id: DecisionId
    by: MemberId
    answer: Acknowledgement
    note: str | None = None


@fact("ConcernPlayedBack", endogenous)
class ConcernPlayedBack(Struct, frozen=True):
    """The decider restated the proposer's concern in the decider's own words."""

    decision_id: DecisionId
    by: MemberId
    text: str


@fact("PlaybackConfirmed", endogenous)
class PlaybackConfirmed(Struct, frozen=True):
    """The proposer said: yes, that is what I meant."""

    decision_id: DecisionId
    by: MemberId


@fact("PlaybackCorrected", endogenous)
class PlaybackCorrected(Struct, frozen=True):
    """The proposer said: no, I meant something else; the misunderstanding stays open."""

    decision_id: DecisionId
    by: MemberId
    text: str


@fact("AppealLodged", endogenous)
class AppealLodged(Struct, frozen=True):
    """The decision was asked to be looked at again."""

    appeal_id: AppealId
    decision_id: DecisionId
    by: MemberId
    grounds: AppealGrounds
    text: str


@fact("AppealUpheld", endogenous)
class AppealUpheld(Struct, frozen=True):
    """Somebody other than the decider found the appeal right."""

    appeal_id: AppealId
    heard_by: MemberId
    reason: str


@fact("AppealDismissed", endogenous)
class AppealDismissed(Struct, frozen=True):
    """Somebody other than the decider found the decision right."""

    appeal_id: AppealId
    heard_by: MemberId
    reason: str


@fact("ProposalReopened", endogenous)
class ProposalReopened(Struct, frozen=True, omit_defaults=True):
    """A decided proposal is pending again."""

    because: ReopenCause
    note: str | None = None


@fact("RevisitWaived", endogenous)
class RevisitWaived(Struct, frozen=True):
    """The conditions that would bring it back were given up."""

    decision_id: DecisionId
    reason: str


@fact("ProposalWithdrawn", exogenous)
class ProposalWithdrawn(Struct, frozen=True, omit_defaults=True):
    """Those who asked took it back. The hours already spent are a source's own figure, where it has one."""

    reason: str | None = None
    spent_days: Decimal | None = None


@fact("ProposalMerged", exogenous)
class ProposalMerged(Struct, frozen=True, omit_defaults=True):
    """It goes on as part of another proposal."""

    into: ProposalId
    note: str | None = None


@fact("ProposalSuperseded", exogenous)
class ProposalSuperseded(Struct, frozen=True, omit_defaults=True):
    """A later proposal took its place; None: the source does not say which."""

    by: ProposalId | None = None
    reason: str | None = None


@fact("ProposalSplit", exogenous)
class ProposalSplit(Struct, frozen=True, omit_defaults=True):
    """It goes on as several smaller proposals."""

    children: tuple[ProposalId, ...]
    note: str | None = None


@fact("WorkStarted", endogenous)
class WorkStarted(Struct, frozen=True, omit_defaults=True):
    """Work began. `without_yes` marks work that nobody had said yes to: an exception that the views show."""

    without_yes: bool = False
    note: str | None = None


@fact("WorkPaused", endogenous)
class WorkPaused(Struct, frozen=True, omit_defaults=True):
    """Work rests."""

    reason: str | None = None


@fact("WorkCompleted", endogenous)
class WorkCompleted(Struct, frozen=True, omit_defaults=True):
    """The debt is paid. `actual_days` in engineer-days; None: not known, or not in days (then value and unit say it)."""

    actual_days: Decimal | None = None
    unit: EffortUnit = EffortUnit.DAYS
    value: str | None = None
    note: str | None = None


@fact("WorkAbandoned", endogenous)
class WorkAbandoned(Struct, frozen=True, omit_defaults=True):
    """Work ended without the debt being paid."""

    reason: str
    spent_days: Decimal | None = None


@fact("BenefitMeasured", endogenous)
class BenefitMeasured(Struct, frozen=True, omit_defaults=True):
    """What the work brought, looked at 30, 90 or 180 days after it. `promised` is the case's own figure in the same unit."""

    benefit: str
    day: int
    realised: Decimal
    unit: str
    method: ImpactMethod
    promised: Decimal | None = None
    note: str | None = None


@fact("RiskMaterialised", exogenous)
class RiskMaterialised(Struct, frozen=True, omit_defaults=True):
    """What was warned of came true: engineer-hours lost. On a declined proposal it is the cost of the NO."""

    loss_hours: Decimal
    incident: str | None = None
    text: str | None = None


@fact("SourceNoted", exogenous)
class SourceNoted(Struct, frozen=True, omit_defaults=True):
    """Imported: something dated that none of the other facts says, word for word. `kind` is the source's own name for it."""

    kind: str
    text: str
    #: Where the source gives a date of its own that is not this fact's time.
    dated: datetime | None = None
