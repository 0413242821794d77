"""What can be asked of a review, in the order of its life. TakeDecision is with the proposal's commands: it writes to both."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from ledger.commands.issued import SEEN, Link, Text
from ledger.values import MemberId, ProposalId, ReviewId, ReviewKind, TeamId

Review = Annotated[ReviewId, Meta(description="The review.")]


class ScheduleReview(Struct, frozen=True):
    """Plan a review of a team's list."""

    review_id: Annotated[ReviewId, Meta(description="The new review.")]
    team_id: Annotated[TeamId, Meta(description="The team.")]
    kind: Annotated[ReviewKind, Meta(description="ENGINEERING prepares the list, PRODUCT answers it.")]
    starts_at: Annotated[datetime, Meta(description="When it begins.")]


class FreezeAgenda(Struct, frozen=True, omit_defaults=True):
    """Fix the list: the pending items of the team in the order of its policy, and each item whose revisit is due."""

    review_id: Review
    proposal_ids: Annotated[
        Annotated[tuple[ProposalId, ...], Meta(max_length=250)] | None,
        Meta(description="Only these (and what is due); left out: all that is pending."),
    ] = None
    limit: Annotated[
        int, Meta(ge=1, le=250, description="How many pending items at most; what is due comes besides.")
    ] = 50


class OpenReview(Struct, frozen=True, omit_defaults=True):
    """Begin a review whose agenda is frozen."""

    review_id: Review
    attendees: Annotated[tuple[MemberId, ...], Meta(min_length=1, max_length=100, description="Who is there.")]
    capacity: Annotated[
        Decimal | None, Meta(description="Engineer-days that may be promised; left out: the team's per cycle.")
    ] = None


class CarryOverItem(Struct, frozen=True):
    """Leave an item for the next review. The third time in a row is refused."""

    review_id: Review
    proposal_id: Annotated[ProposalId, Meta(description="The item.")]
    reason: Annotated[Text, Meta(pattern=SEEN, description="Why it is not decided now.")]


class CloseReview(Struct, frozen=True, omit_defaults=True):
    """End a review in which each item was answered or carried over."""

    review_id: Review
    minutes_url: Annotated[Link | None, Meta(description="Where its minutes are.")] = None


class SkipReview(Struct, frozen=True):
    """Say that a planned review is not held."""

    review_id: Review
    reason: Annotated[Text, Meta(pattern=SEEN, description="Why.")]
