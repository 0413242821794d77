"""What can be asked of a proposal, in the order of its life.

One file, long as it is: a file is a kind of stream, by which docs/roles.md has its chapters and the handlers find a command's stream.
"""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from ledger.commands.issued import Line, Link, Share, Text, Title
from ledger.values import (
    Acknowledgement,
    AppealGrounds,
    AppealId,
    Benefit,
    Channel,
    ConcernId,
    DecisionId,
    Disposition,
    EstimateBasis,
    EstimateCause,
    Evidence,
    ImpactMethod,
    MemberId,
    MomentumLevel,
    PolicyId,
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

Proposal = Annotated[ProposalId, Meta(description="The proposal.")]
Decision = Annotated[DecisionId, Meta(description="The decision.")]
Days = Annotated[Decimal, Meta(description="Engineer-days, in steps of 0.25.")]
Note = Annotated[Line | None, Meta(description="A remark, kept with the fact.")]
Why = Annotated[Text, Meta(description="Why, for those who read it later.")]


class BusinessCase(Struct, frozen=True, omit_defaults=True):
    """The benefits and risks of fixing and of ignoring, in at most 600 words. A quadrant is filled, or says "none" and why."""

    problem: Annotated[Text, Meta(description="What is wrong today, in plain words.")]
    benefits_of_fixing: Annotated[
        tuple[Benefit, ...], Meta(max_length=20, description="At least one that is not COSMETIC.")
    ]
    risks_of_ignoring: Annotated[tuple[Risk, ...], Meta(max_length=20, description="At least one.")]
    risks_of_fixing: Annotated[
        tuple[Line, ...], Meta(max_length=20, description="What could go wrong in fixing it.")
    ] = ()
    benefits_of_ignoring: Annotated[
        tuple[Line, ...], Meta(max_length=20, description="What is won by leaving it.")
    ] = ()
    no_risks_of_fixing: Annotated[Line | None, Meta(description="Why there are none, where none are listed.")] = None
    no_benefits_of_ignoring: Annotated[Line | None, Meta(description="Why there are none, where none are listed.")] = (
        None
    )
    evidence: Annotated[tuple[Evidence, ...], Meta(max_length=50, description="Links that support the case.")] = ()


class SubmitProposal(Struct, frozen=True, omit_defaults=True):
    """Ask a team to pay a debt. A critical bug is recorded and redirected to the severity track at once."""

    proposal_id: Proposal
    team_id: Annotated[TeamId, Meta(description="The team that is asked.")]
    title: Annotated[Title, Meta(description="What is to be done.")]
    business_case: Annotated[BusinessCase, Meta(description="The business case.")]
    area: Annotated[Title | None, Meta(description="A catalogue reference, such as component:default/checkout.")] = None
    kind: Annotated[Title | None, Meta(description="What sort of debt it is, in the team's own words.")] = None
    critical: Annotated[bool, Meta(description="Is it a critical bug? Severity decides those, not this ledger.")] = (
        False
    )
    severity_url: Annotated[Link | None, Meta(description="Where a critical bug is followed.")] = None


class ScreenCriticality(Struct, frozen=True, omit_defaults=True):
    """Say whether an admitted proposal is a critical bug; if it is, it leaves for the severity track."""

    proposal_id: Proposal
    critical: Annotated[bool, Meta(description="Is it a critical bug?")]
    severity_url: Annotated[Link | None, Meta(description="Where it is followed from now on.")] = None
    note: Note = None


class RedirectProposal(Struct, frozen=True, omit_defaults=True):
    """Send a proposal to the list where it belongs."""

    proposal_id: Proposal
    target: Annotated[RedirectTarget, Meta(description="What kind of list.")]
    reason: Why
    url: Annotated[Link | None, Meta(description="Where it is followed from now on; TRACKER needs it.")] = None
    team_id: Annotated[TeamId | None, Meta(description="The team it goes to; TEAM needs it.")] = None


class ReviseBusinessCase(Struct, frozen=True, omit_defaults=True):
    """Rewrite the business case."""

    proposal_id: Proposal
    business_case: Annotated[BusinessCase, Meta(description="The whole new case.")]
    change_note: Annotated[Line, Meta(description="What changed, and why.")]


class EstimateProposal(Struct, frozen=True, omit_defaults=True):
    """Give or change the estimate: 0 < optimistic ≤ likely ≤ pessimistic engineer-days. A change names its cause."""

    proposal_id: Proposal
    optimistic: Days
    likely: Days
    pessimistic: Days
    confidence: Annotated[Share, Meta(description="How sure you are.")]
    basis: Annotated[EstimateBasis, Meta(description="What the estimate rests on.")]
    cause: Annotated[EstimateCause | None, Meta(description="Why it changed; a first estimate has none.")] = None
    note: Note = None


class AssessImpact(Struct, frozen=True, omit_defaults=True):
    """Say what the debt costs the team's momentum. The level follows from the hours where there are any."""

    proposal_id: Proposal
    method: Annotated[ImpactMethod, Meta(description="How it was found.")]
    confidence: Annotated[Share, Meta(description="How sure you are.")]
    drag: Annotated[Decimal | None, Meta(description="Engineer-hours per week.")] = None
    growth: Annotated[Decimal, Meta(description="Percent per month by which the drag grows.")] = Decimal(0)
    judged_level: Annotated[
        MomentumLevel | None, Meta(description="A person's judgement; needed where there are no hours.")
    ] = None
    blocks_committed_feature: Annotated[bool, Meta(description="Is a committed feature blocked by it?")] = False
    note: Note = None


class AddDependency(Struct, frozen=True):
    """Say that another proposal is needed first."""

    proposal_id: Proposal
    needs: Annotated[ProposalId, Meta(description="The one needed first.")]


class RemoveDependency(Struct, frozen=True):
    """Say that another proposal is not needed first any more."""

    proposal_id: Proposal
    needs: Annotated[ProposalId, Meta(description="The one not needed any more.")]


class RaiseConcern(Struct, frozen=True, omit_defaults=True):
    """Raise a concern; a blocking one holds the decision up until it is resolved or overruled."""

    proposal_id: Proposal
    concern_id: Annotated[ConcernId, Meta(description="The new concern.")]
    text: Annotated[Text, Meta(description="The concern.")]
    blocking: Annotated[bool, Meta(description="Should nothing be decided while it is open?")] = False


class AnswerConcern(Struct, frozen=True):
    """Answer a concern."""

    proposal_id: Proposal
    concern_id: Annotated[ConcernId, Meta(description="The concern.")]
    text: Annotated[Text, Meta(description="The answer.")]


class ResolveConcern(Struct, frozen=True, omit_defaults=True):
    """Say that your own concern is settled."""

    proposal_id: Proposal
    concern_id: Annotated[ConcernId, Meta(description="The concern.")]
    note: Note = None


class OverruleConcern(Struct, frozen=True):
    """Go on in spite of a concern. It stays visible."""

    proposal_id: Proposal
    concern_id: Annotated[ConcernId, Meta(description="The concern.")]
    reason: Why


class TakeDecision(Struct, frozen=True, omit_defaults=True):
    """Answer yes or no to one item of an open product review, on exactly the versions that were looked at."""

    decision_id: Decision
    proposal_id: Proposal
    review_id: Annotated[ReviewId, Meta(description="The open product review.")]
    verdict: Annotated[Verdict, Meta(description="The answer.")]
    disposition: Annotated[Disposition, Meta(description="What follows: SCHEDULE from YES, the others from NO.")]
    case_version: Annotated[int, Meta(ge=0, description="The version of the case that was looked at.")]
    estimate_version: Annotated[int, Meta(ge=0, description="The version of the estimate; 0: there was none.")]
    impact_version: Annotated[int, Meta(ge=0, description="The version of the impact; 0: there was none.")]
    policy_id: Annotated[PolicyId | None, Meta(description="The policy in force; left out: the default.")] = None
    policy_version: Annotated[int, Meta(ge=0, description="Its version; 0: the default.")] = 0
    reasons: Annotated[
        tuple[Reason, ...], Meta(max_length=10, description="Why NO: at least one, each with its companion.")
    ] = ()
    chosen_instead: Annotated[tuple[ProposalId, ...], Meta(max_length=20, description="What was preferred.")] = ()
    revisit: Annotated[
        tuple[RevisitCondition, ...],
        Meta(max_length=10, description="POSTPONE, or DECLINE if not final: what brings it back."),
    ] = ()
    reconsider_if: Annotated[Text | None, Meta(description="DECLINE: what would make you think again.")] = None
    final: Annotated[bool, Meta(description="DECLINE: it is final; nothing but an appeal would change it.")] = False
    days_reserved: Annotated[
        Decimal | None, Meta(description="YES: engineer-days to reserve; left out: the expected days.")
    ] = None
    over_capacity_reason: Annotated[Text | None, Meta(description="Why the review's capacity may be gone over.")] = None
    redirect: Annotated[RedirectTarget | None, Meta(description="REDIRECT: where to.")] = None
    redirect_url: Annotated[Link | None, Meta(description="REDIRECT: where it is followed from now on.")] = None


class ExplainDecision(Struct, frozen=True):
    """Give a reason, or a better one, after the decision. It stands beside the first."""

    proposal_id: Proposal
    decision_id: Decision
    reasons: Annotated[tuple[Reason, ...], Meta(min_length=1, max_length=10, description="The reasons.")]


class CommunicateDecision(Struct, frozen=True, omit_defaults=True):
    """Say how and to whom a decision was told. A NO counts as told once the audience names the proposer."""

    proposal_id: Proposal
    decision_id: Decision
    channel: Annotated[Channel, Meta(description="How it was told.")]
    audience: Annotated[
        tuple[MemberId, ...], Meta(min_length=1, max_length=250, description="Who was told: their member ids.")
    ]
    reference: Annotated[Line | None, Meta(description="Where it can be read.")] = None


class AcknowledgeDecision(Struct, frozen=True, omit_defaults=True):
    """Answer a decision that you were told. NOT_UNDERSTOOD asks the decider to play your concern back."""

    proposal_id: Proposal
    decision_id: Decision
    answer: Annotated[Acknowledgement, Meta(description="Your answer.")]
    note: Note = None


class PlayBackConcern(Struct, frozen=True):
    """Restate the proposer's concern in your own words."""

    proposal_id: Proposal
    decision_id: Decision
    text: Annotated[Text, Meta(description="The concern as you understand it.")]


class ConfirmPlayback(Struct, frozen=True):
    """Say that the playback is what you meant."""

    proposal_id: Proposal
    decision_id: Decision


class CorrectPlayback(Struct, frozen=True):
    """Say what you meant instead; it stays open."""

    proposal_id: Proposal
    decision_id: Decision
    text: Annotated[Text, Meta(description="What you meant.")]


class LodgeAppeal(Struct, frozen=True):
    """Ask for a decision to be looked at again."""

    proposal_id: Proposal
    appeal_id: Annotated[AppealId, Meta(description="The new appeal.")]
    decision_id: Decision
    grounds: Annotated[AppealGrounds, Meta(description="On what grounds.")]
    text: Annotated[Text, Meta(description="The case for it.")]


class UpholdAppeal(Struct, frozen=True):
    """Find an appeal right: the proposal is pending again. Not for whoever took the decision."""

    proposal_id: Proposal
    appeal_id: Annotated[AppealId, Meta(description="The appeal.")]
    reason: Why


class DismissAppeal(Struct, frozen=True):
    """Find that the decision stands. Not for whoever took it."""

    proposal_id: Proposal
    appeal_id: Annotated[AppealId, Meta(description="The appeal.")]
    reason: Why


class ReopenProposal(Struct, frozen=True, omit_defaults=True):
    """Make a declined or postponed proposal pending again: REPROPOSED, or CASE_REVISED after a new case."""

    proposal_id: Proposal
    because: Annotated[
        ReopenCause, Meta(description="REPROPOSED or CASE_REVISED; the other two come about by themselves.")
    ]
    note: Note = None


class WaiveRevisit(Struct, frozen=True):
    """Give up the conditions that would bring a postponed proposal back."""

    proposal_id: Proposal
    decision_id: Decision
    reason: Why


class WithdrawProposal(Struct, frozen=True, omit_defaults=True):
    """Take your own proposal back."""

    proposal_id: Proposal
    reason: Annotated[Text | None, Meta(description="Why.")] = None


class MergeProposal(Struct, frozen=True, omit_defaults=True):
    """Let a proposal go on as part of another."""

    proposal_id: Proposal
    into: Annotated[ProposalId, Meta(description="The one that takes it in.")]
    note: Note = None


class SupersedeProposal(Struct, frozen=True, omit_defaults=True):
    """Say that a later proposal took its place."""

    proposal_id: Proposal
    by: Annotated[ProposalId, Meta(description="The later one.")]
    reason: Annotated[Text | None, Meta(description="Why.")] = None


class SplitProposal(Struct, frozen=True, omit_defaults=True):
    """Let a proposal go on as several smaller ones that were submitted before."""

    proposal_id: Proposal
    children: Annotated[tuple[ProposalId, ...], Meta(min_length=2, max_length=20, description="The smaller ones.")]
    note: Note = None


class StartWork(Struct, frozen=True, omit_defaults=True):
    """Say that work began. Without a YES it is recorded as an exception."""

    proposal_id: Proposal
    note: Note = None


class PauseWork(Struct, frozen=True, omit_defaults=True):
    """Say that work rests."""

    proposal_id: Proposal
    reason: Annotated[Line | None, Meta(description="Why.")] = None


class CompleteWork(Struct, frozen=True, omit_defaults=True):
    """Say that the debt is paid."""

    proposal_id: Proposal
    actual_days: Days
    note: Note = None


class AbandonWork(Struct, frozen=True, omit_defaults=True):
    """Say that work ended without the debt being paid."""

    proposal_id: Proposal
    reason: Why
    spent_days: Annotated[Decimal | None, Meta(description="Engineer-days spent.")] = None


class MeasureBenefit(Struct, frozen=True, omit_defaults=True):
    """Say what completed work brought, 30, 90 or 180 days after it."""

    proposal_id: Proposal
    benefit: Annotated[Line, Meta(description="Which benefit: a code or words of the case.")]
    day: Annotated[int, Meta(description="30, 90 or 180.")]
    realised: Annotated[Decimal, Meta(description="What came of it, in `unit`.")]
    unit: Annotated[Title, Meta(description="Such as hours/week.")]
    method: Annotated[ImpactMethod, Meta(description="How it was found.")]
    promised: Annotated[Decimal | None, Meta(description="What the case promised, in `unit`.")] = None
    note: Note = None


class ReportRisk(Struct, frozen=True, omit_defaults=True):
    """Say that what was warned of came true. On a declined proposal this is the cost of the NO."""

    proposal_id: Proposal
    loss_hours: Annotated[Decimal, Meta(description="Engineer-hours lost.")]
    incident: Annotated[Line | None, Meta(description="The incident's reference.")] = None
    text: Annotated[Text | None, Meta(description="What happened.")] = None
