"""What the reviews view keeps: each review, and each item of each agenda."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from ledger.values import AgendaCause, DecisionId, MemberId, PolicyId, ProposalId, ReviewId, ReviewKind, TeamId, Verdict


class ReviewState(StrEnum):
    """Where a review stands, in the order of its life; SKIPPED instead of all after SCHEDULED."""

    SCHEDULED = "SCHEDULED"
    AGENDA_FROZEN = "AGENDA_FROZEN"
    OPEN = "OPEN"
    CLOSED = "CLOSED"
    SKIPPED = "SKIPPED"


class ItemState(StrEnum):
    """What became of an item of an agenda."""

    WAITING = "WAITING"
    DECIDED = "DECIDED"
    CARRIED_OVER = "CARRIED_OVER"


class ReviewRecord(Struct, frozen=True, omit_defaults=True):
    """One review. Capacity and reserved days in engineer-days; `knowledge_position` is the last position that it could know."""

    review_id: ReviewId
    team_id: TeamId
    kind: ReviewKind
    starts_at: datetime
    scheduled_at: datetime
    position: int
    state: ReviewState = ReviewState.SCHEDULED
    frozen_at: datetime | None = None
    opened_at: datetime | None = None
    closed_at: datetime | None = None
    skipped_at: datetime | None = None
    skip_reason: str | None = None
    policy_id: PolicyId | None = None
    policy_version: int = 0
    knowledge_position: int | None = None
    capacity: Decimal | None = None
    reserved: Decimal = Decimal(0)
    attendees: tuple[MemberId, ...] = ()
    minutes_url: str | None = None
    item_count: int = 0
    decided_count: int = 0
    accepted_count: int = 0
    carried_over_count: int = 0


class AgendaEntry(Struct, frozen=True, array_like=True, gc=False):
    """One item of a frozen agenda, in the agenda's order (`place` from 1), with what became of it."""

    review_id: ReviewId
    proposal_id: ProposalId
    team_id: TeamId
    place: int
    cause: AgendaCause
    case_version: int
    estimate_version: int
    impact_version: int
    score: float | None = None
    rank: int | None = None
    state: ItemState = ItemState.WAITING
    decision_id: DecisionId | None = None
    verdict: Verdict | None = None
    days_reserved: Decimal | None = None
    settled_at: datetime | None = None
    #: Why it was left for the next review.
    carried_over_because: str | None = None
