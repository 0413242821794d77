"""What the transparency view keeps: one slim row for each thing that is counted, so that one aggregate over an index answers."""

from datetime import datetime
from enum import IntFlag, StrEnum
from uuid import UUID

from msgspec import Struct

from ledger.values import DecisionId, Disposition, MemberId, ProposalId, TeamId


class MarkKind(StrEnum):
    """What a mark counts: things that happen once and never change."""

    WITHDRAWN = "WITHDRAWN"
    REDIRECTED = "REDIRECTED"
    CARRIED_OVER = "CARRIED_OVER"
    REOPENED = "REOPENED"
    MERGED = "MERGED"
    SUPERSEDED = "SUPERSEDED"
    SPLIT = "SPLIT"
    STARTED = "STARTED"
    STARTED_WITHOUT_YES = "STARTED_WITHOUT_YES"
    COMPLETED = "COMPLETED"
    ABANDONED = "ABANDONED"
    ESTIMATED = "ESTIMATED"
    ESTIMATE_CHANGED = "ESTIMATE_CHANGED"
    ESTIMATE_REMOVED = "ESTIMATE_REMOVED"


class MatterKind(StrEnum):
    """What has a beginning and an end, and is counted by where it stands."""

    CONCERN = "CONCERN"
    APPEAL = "APPEAL"
    ENGINEERING_REVIEW = "ENGINEERING_REVIEW"
    PRODUCT_REVIEW = "PRODUCT_REVIEW"


class Said(IntFlag):
    """What can be said of a decision, as the bits of one column: an index then holds all that the counts need."""

    #: Only a part of the proposal was decided.
    SCOPED = 1
    #: It had a reason on its own day, whatever its code.
    REASONED = 2
    #: It got a first reason, or a further one, later.
    EXPLAINED = 4
    TOLD = 8
    #: The team's service level promised a time to tell it.
    PROMISED = 16
    TOLD_IN_TIME = 32
    ACKNOWLEDGED = 64
    #: Agreed, or disagreed but understood, or a playback confirmed.
    UNDERSTOOD = 128
    SELF_DECIDED = 256
    IMPORTED = 512
    #: The proposal's first answer as a whole.
    FIRST = 1024
    #: The proposal's first answer with this disposition.
    FIRST_OF_ITS_KIND = 2048


class CountedProposal(Struct, frozen=True, array_like=True, gc=False):
    """One proposal. `looked_at`: when an agenda first had it, or it was first answered; None: nobody has looked at it.

    `is_dated`: whether it is known when it was submitted.
    `undated`, here and below: its source has no date at all, so that it is in no period and in no month.
    """

    proposal_id: ProposalId
    team_id: TeamId
    submitted_at: datetime
    area: str | None = None
    system: str | None = None
    proposer: MemberId | None = None
    pending: bool = True
    looked_at: datetime | None = None
    #: The dispositions that it was answered with so far, each once.
    answers: tuple[Disposition, ...] = ()
    redirected: bool = False
    #: Has an estimate of it ever changed, and was it ever reopened?
    estimate_changed: bool = False
    reopened: bool = False
    is_dated: bool = True
    undated: bool = False
    #: Was it pending when work without a YES began that is under way?
    begun_pending: bool = False


class CountedDecision(Struct, frozen=True, array_like=True, gc=False):
    """One decision, with what the counts need of it.

    `waited_days` from its submission to its first answer; None for a later one, and where a source does not say when either was.
    """

    decision_id: DecisionId
    team_id: TeamId
    decided_at: datetime
    disposition: Disposition
    said: int
    area: str | None = None
    system: str | None = None
    proposer: MemberId | None = None
    codes: tuple[str, ...] = ()
    waited_days: float | None = None
    #: When the team's service level wants it told; None: it promised nothing, or the answer came from outside.
    tell_by: datetime | None = None
    undated: bool = False


class Mark(Struct, frozen=True, array_like=True, gc=False):
    """One thing that happened to a proposal, by a fact's position; `first`: the first of its kind there, so that proposals are counted
    without a sort."""

    position: int
    proposal_id: ProposalId
    team_id: TeamId
    kind: MarkKind
    at: datetime
    first: bool = True
    area: str | None = None
    system: str | None = None
    undated: bool = False


class Matter(Struct, frozen=True, array_like=True, gc=False):
    """One concern, appeal or review.

    `state`: a concern's OPEN, ANSWERED, RESOLVED or OVERRULED; an appeal's OPEN, UPHELD or DISMISSED; a review's
    SCHEDULED, HELD or SKIPPED.
    """

    matter_id: UUID
    team_id: TeamId
    kind: MatterKind
    at: datetime
    state: str
    area: str | None = None
    system: str | None = None
    undated: bool = False


class CountedTeam(Struct, frozen=True, array_like=True, gc=False):
    """What a team promises: days between reviews, days to decide, hours to tell; None: nothing yet."""

    team_id: TeamId
    name: str
    formed_at: datetime
    engineering_days: int | None = None
    product_days: int | None = None
    days_to_decide: int | None = None
    hours_to_tell: int | None = None
