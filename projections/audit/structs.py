"""What the audit view keeps: decisions with all that followed, concerns, appeals, and every version of what was decided on."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from msgspec import Struct

from ledger.events.envelope import Event
from ledger.ranking import Formula
from ledger.values import (
    Acknowledgement,
    AppealGrounds,
    AppealId,
    Basis,
    Channel,
    ConcernId,
    DecisionId,
    Disposition,
    MemberId,
    PolicyId,
    PolicyMethod,
    ProposalId,
    ProposalStatus,
    Reason,
    RedirectTarget,
    ReopenCause,
    ReviewId,
    ReviewKind,
    RevisitCondition,
    TeamId,
    Verdict,
)

#: What an imported NO without any reason has as its code; it is what "unexplained" means.
NOT_RECORDED = "NOT_RECORDED"


class Provenance(Struct, frozen=True, omit_defaults=True):
    """Where an imported fact comes from, and when its source knew it."""

    system: str
    external_id: str
    url: str | None = None
    known_at: datetime | None = None


def provenance(event: Event) -> Provenance | None:
    """This will say where an imported event comes from; None for a live one."""
    source = event.source
    if source is None:
        return None
    return Provenance(source.system, source.external_id, source.url, source.known_at)


def recorded_at(event: Event) -> datetime:
    """This will give when the ledger stored the event. Raises ValueError for one that it has not."""
    if event.recorded_at is None:
        raise ValueError(f"event {event.event_id} is not recorded")
    return event.recorded_at


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


class PlaybackState(StrEnum):
    """Did the proposer find what the decider restated right?"""

    OPEN = "OPEN"
    CONFIRMED = "CONFIRMED"
    CORRECTED = "CORRECTED"


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


class Communication(Struct, frozen=True, omit_defaults=True):
    """One telling of a decision. It counts as told only where the audience names the proposer."""

    channel: Channel
    audience: tuple[MemberId, ...]
    at: datetime
    position: int
    by: MemberId
    names_proposer: bool = False
    reference: str | None = None


class AcknowledgementGiven(Struct, frozen=True, omit_defaults=True):
    """A recipient's answer to a told decision."""

    by: MemberId
    answer: Acknowledgement
    at: datetime
    position: int
    note: str | None = None


class Playback(Struct, frozen=True, omit_defaults=True):
    """The proposer's concern in the decider's words, and whether the proposer found it right."""

    by: MemberId
    text: str
    at: datetime
    position: int
    state: PlaybackState = PlaybackState.OPEN
    answered_by: MemberId | None = None
    answered_at: datetime | None = None
    #: What the proposer meant instead.
    correction: str | None = None


class Explanation(Struct, frozen=True, omit_defaults=True):
    """A reason given after the decision, with how long that took."""

    reasons: tuple[Reason, ...]
    at: datetime
    position: int
    delay_days: float
    by: MemberId
    provenance: Provenance | None = None


class Waiver(Struct, frozen=True):
    """The conditions that would bring it back were given up."""

    reason: str
    at: datetime
    position: int
    by: MemberId


class Reopening(Struct, frozen=True, omit_defaults=True):
    """The decision stopped to rule its proposal, which became pending again."""

    because: ReopenCause
    at: datetime
    position: int
    note: str | None = None


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
    #: What the conditions count from: product reviews held and risks materialised by then.
    reviews_before: int = 0
    incidents_before: int = 0
    #: The versions that stood when it was recorded; a live decision's basis names the same.
    case_version: int = 0
    estimate_version: int = 0
    impact_version: int = 0

    @property
    def codes(self) -> tuple[str, ...]:
        """This will give the reason codes of the decision's own day, each once."""
        return tuple(dict.fromkeys(reason.code for reason in self.reasons))

    @property
    def told(self) -> bool:
        """This will say whether the proposer was told."""
        return self.told_at is not None

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


def member_ids(decision: AuditedDecision) -> set[UUID]:
    """This will give every member whom a decision's record names, so that their names are looked up at once."""
    found: set[UUID | None] = {decision.decider, *decision.proposers}
    found.update(e.by for e in decision.explanations)
    for told in decision.communications:
        found.update((told.by, *told.audience))
    found.update(a.by for a in decision.acknowledgements)
    for playback in decision.playbacks:
        found.update((playback.by, playback.answered_by))
    if decision.waiver:
        found.add(decision.waiver.by)
    return {member for member in found if member is not None}
