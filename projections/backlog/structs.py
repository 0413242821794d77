"""What the backlog view keeps: a card for each proposal, and by which formula each team is ranked."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from ledger.ranking import Formula, Item
from ledger.values import (
    Acknowledgement,
    AppealId,
    BenefitCode,
    ConcernId,
    Dating,
    DecisionId,
    Disposition,
    EffortUnit,
    EstimateBasis,
    ImpactMethod,
    MemberId,
    MomentumLevel,
    PlaybackStage,
    PolicyId,
    ProposalId,
    ProposalStatus,
    ReopenCause,
    ReviewId,
    Risk,
    TeamId,
    Verdict,
)

#: Characters of a case's problem that a card shows.
PROBLEM_LENGTH = 280


class Origin(Struct, frozen=True, array_like=True, gc=False):
    """Where an imported proposal comes from, and how far its source vouches for the date of its submission."""

    system: str
    external_id: str
    url: str | None = None
    dating: Dating | None = None


class CaseShort(Struct, frozen=True, array_like=True, gc=False):
    """The business case as far as a card shows it and a policy weighs it."""

    version: int
    #: The beginning of the problem; `is_cut`: there is more.
    problem: str
    is_cut: bool
    benefits: tuple[BenefitCode, ...]
    #: The risks of ignoring that have figures, without their texts.
    risks: tuple[Risk, ...]


class EstimateShort(Struct, frozen=True, array_like=True, gc=False):
    """The latest estimate: engineer-days where they are known, and what was said, in its own unit."""

    version: int
    optimistic: Decimal | None
    likely: Decimal | None
    pessimistic: Decimal | None
    unit: EffortUnit
    value: str | None
    basis: EstimateBasis | None
    confidence: float | None
    #: (O + 4M + P) / 6 in engineer-days; None: it says no days.
    expected_days: float | None


class ImpactShort(Struct, frozen=True, array_like=True, gc=False):
    """The latest impact: engineer-hours a week, growth in percent a month."""

    version: int
    level: MomentumLevel
    method: ImpactMethod
    confidence: float
    drag: Decimal | None
    growth: Decimal
    #: A person's level that disagrees with the hours; None: none does.
    judged_level: MomentumLevel | None
    blocks_committed_feature: bool


class ConcernShort(Struct, frozen=True, array_like=True, gc=False):
    """A concern that is neither resolved nor overruled."""

    concern_id: ConcernId
    raised_by: MemberId
    raised_at: datetime
    blocking: bool
    answered: bool = False


class DecisionShort(Struct, frozen=True, array_like=True, gc=False):
    """The last decision on the whole proposal."""

    decision_id: DecisionId
    verdict: Verdict
    disposition: Disposition
    decided_at: datetime
    position: int
    review_id: ReviewId | None
    decider: MemberId | None
    codes: tuple[str, ...]
    self_decided: bool = False
    #: When an audience first named the proposer; None: those who asked were not told.
    told_at: datetime | None = None
    answer: Acknowledgement | None = None
    playback: PlaybackStage = PlaybackStage.NONE
    #: A reason was given after the decision.
    explained: bool = False
    #: The appeal that waits to be heard.
    open_appeal: AppealId | None = None
    #: Everyone who was named in an audience.
    audience: tuple[MemberId, ...] = ()
    #: Taken outside, by an imported source: whether it was told there, nobody knows.
    imported: bool = False


class OpenPlayback(Struct, frozen=True, array_like=True, gc=False):
    """A decision that was not understood, which stays open until its proposer confirms a playback, whatever is answered meanwhile."""

    decision_id: DecisionId
    #: ASKED: its decider has to play the concern back; PLAYED_BACK: whoever asked has to answer that.
    stage: PlaybackStage


class Card(Struct, frozen=True, array_like=True, gc=False):
    """One proposal, with all that a backlog page shows of it."""

    id: ProposalId
    #: None: something of it is recorded, but not yet the proposal itself.
    team_id: TeamId | None = None
    title: str = ""
    area: str | None = None
    kind: str | None = None
    proposer: MemberId | None = None
    co_proposers: tuple[MemberId, ...] = ()
    status: ProposalStatus = ProposalStatus.PENDING
    submitted_at: datetime | None = None
    #: The position of its submission, which breaks ties of the score.
    submitted_position: int = 0
    #: By the policy below; of a proposal that is not pending, its last one while it was.
    score: float = 0.0
    #: None: no policy was active, and the default formula ranked it.
    policy_id: PolicyId | None = None
    policy_version: int = 0
    case: CaseShort | None = None
    estimate: EstimateShort | None = None
    impact: ImpactShort | None = None
    concerns: tuple[ConcernShort, ...] = ()
    #: What has to be done first.
    needs: tuple[ProposalId, ...] = ()
    #: How often in a row reviews have left it undecided.
    carried_over: int = 0
    decision: DecisionShort | None = None
    #: Decisions on parts of it (imported); they change no status.
    scoped_decisions: int = 0
    reopened: ReopenCause | None = None
    critical: bool = False
    #: Work rests.
    paused: bool = False
    #: Work began that nobody had said yes to.
    without_yes: bool = False
    started_at: datetime | None = None
    ended_at: datetime | None = None
    #: What it went on as: merged into, superseded by, split into.
    successors: tuple[ProposalId, ...] = ()
    redirect_url: str | None = None
    origin: Origin | None = None
    #: When the last fact about it was true.
    touched_at: datetime | None = None
    #: The team in whose backlog it is; None: it isn't pending.
    ranked_in: TeamId | None = None
    #: Where it stood when the work began that is under way; None: that had a YES, or a source does not say.
    stood: ProposalStatus | None = None
    #: Of its last decision and of earlier ones.
    playbacks: tuple[OpenPlayback, ...] = ()

    @property
    def is_pending(self) -> bool:
        """This will say whether it is in the backlog."""
        return self.ranked_in is not None

    @property
    def proposers(self) -> tuple[MemberId, ...]:
        """This will give those who asked, the first first; empty where a source does not say."""
        first = () if self.proposer is None else (self.proposer,)
        return tuple(dict.fromkeys((*first, *self.co_proposers))) if self.co_proposers else first

    @property
    def expected_days(self) -> float | None:
        """This will give the expected engineer-days; None: not estimated."""
        return None if self.estimate is None else self.estimate.expected_days

    @property
    def drag(self) -> Decimal | None:
        """This will give the engineer-hours a week; None: not assessed in hours."""
        return None if self.impact is None else self.impact.drag

    @property
    def item(self) -> Item:
        """This will give the figures that a policy ranks by. `confidence` is that of the impact."""
        estimate, impact, case = self.estimate, self.impact, self.case
        return Item(
            estimate.optimistic if estimate else None,
            estimate.likely if estimate else None,
            estimate.pessimistic if estimate else None,
            impact.drag if impact else None,
            impact.growth if impact else Decimal(0),
            impact.level if impact else None,
            impact.confidence if impact else 1.0,
            case.risks if case else (),
            len(case.benefits) if case else 0,
        )

    @property
    def awaits(self) -> tuple[MemberId, ...]:
        """This will give the members whose turn it is: to acknowledge the last answer, a NO, or to answer a playback of any."""
        decision = self.decision
        if decision is None:
            return ()
        if any(playback.stage is PlaybackStage.PLAYED_BACK for playback in self.playbacks):
            return self.proposers
        if self._waits_to_be_told and decision.told_at is not None and decision.answer is None:
            return tuple(member for member in self.proposers if member in decision.audience)
        return ()

    @property
    def awaits_managers(self) -> bool:
        """This will say whether the team's managers have something to do: tell a NO, play it back, hear an appeal, answer a concern."""
        if self.team_id is None:
            return False
        if any(not concern.answered for concern in self.concerns):
            return True
        decision = self.decision
        if decision is None:
            return False
        is_asked = decision.open_appeal is not None or any(p.stage is PlaybackStage.ASKED for p in self.playbacks)
        return is_asked or (self._waits_to_be_told and decision.told_at is None)

    @property
    def _waits_to_be_told(self) -> bool:
        """This will say whether the last decision is a NO of ours that stands: those who asked are told it, and answer."""
        decision = self.decision
        return (
            decision is not None and decision.verdict is Verdict.NO and not decision.imported and self.reopened is None
        )


class Ranking(Struct, frozen=True, array_like=True, gc=False):
    """By which policy a team is ranked, and since which position."""

    team_id: TeamId
    policy_id: PolicyId
    policy_version: int
    name: str
    formula: Formula
    position: int


class Policy(Struct, frozen=True, array_like=True, gc=False):
    """A policy's latest version."""

    policy_id: PolicyId
    version: int
    name: str
    formula: Formula
