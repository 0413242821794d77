"""From facts to reviews and their agendas."""

from msgspec.structs import replace

from ledger.events.envelope import Event
from ledger.events.review import (
    AgendaFrozen,
    ItemCarriedOver,
    ItemDecided,
    ReviewClosed,
    ReviewOpened,
    ReviewScheduled,
    ReviewSkipped,
)
from ledger.values import ReviewId, Verdict
from projections.projector import View
from projections.reviews.structs import AgendaEntry, ItemState, ReviewRecord, ReviewState
from projections.reviews.tables import ITEMS, REVIEWS, TABLES
from projections.rows import Rows


def scheduled(rows: Rows, event: Event, fact: ReviewScheduled) -> None:
    """This will begin a review."""
    review_id = ReviewId(event.stream_id)
    rows.put(
        REVIEWS,
        ReviewRecord(review_id, fact.team_id, fact.kind, fact.starts_at, event.occurred_at, event.position),
    )


def agenda_frozen(rows: Rows, event: Event, fact: AgendaFrozen) -> None:
    """This will keep the agenda in its order; one that is frozen again takes the place of the first."""
    review = rows.need(REVIEWS, event.stream_id)
    for earlier in rows.where(ITEMS, "review_id", review.review_id) if review.item_count else ():
        rows.remove(ITEMS, (earlier.review_id, earlier.proposal_id))
    for place, item in enumerate(fact.items, 1):
        rows.put(
            ITEMS,
            AgendaEntry(
                review.review_id,
                item.proposal_id,
                review.team_id,
                place,
                item.cause,
                item.case_version,
                item.estimate_version,
                item.impact_version,
                item.score,
                item.rank,
            ),
        )
    rows.put(
        REVIEWS,
        replace(
            review,
            state=ReviewState.AGENDA_FROZEN,
            frozen_at=event.occurred_at,
            policy_id=fact.policy_id,
            policy_version=fact.policy_version,
            item_count=len(fact.items),
        ),
    )


def opened(rows: Rows, event: Event, fact: ReviewOpened) -> None:
    """This will note what the review has to give and what it could know."""
    review = rows.need(REVIEWS, event.stream_id)
    rows.put(
        REVIEWS,
        replace(
            review,
            state=ReviewState.OPEN,
            opened_at=event.occurred_at,
            knowledge_position=fact.knowledge_position,
            capacity=fact.capacity,
            attendees=fact.attendees,
            policy_id=fact.policy_id,
            policy_version=fact.policy_version,
        ),
    )


def item_decided(rows: Rows, event: Event, fact: ItemDecided) -> None:
    """This will note an answer and the days that it reserves."""
    review = rows.need(REVIEWS, event.stream_id)
    accepted = fact.verdict is Verdict.YES
    item = rows.need(ITEMS, (review.review_id, fact.proposal_id))
    rows.put(
        ITEMS,
        replace(
            item,
            state=ItemState.DECIDED,
            decision_id=fact.decision_id,
            verdict=fact.verdict,
            days_reserved=fact.days_reserved if accepted else None,
            settled_at=event.occurred_at,
        ),
    )
    rows.put(
        REVIEWS,
        replace(
            review,
            decided_count=review.decided_count + 1,
            accepted_count=review.accepted_count + accepted,
            reserved=review.reserved + fact.days_reserved,
        ),
    )


def item_carried_over(rows: Rows, event: Event, fact: ItemCarriedOver) -> None:
    """This will note an item left for the next review."""
    review = rows.need(REVIEWS, event.stream_id)
    item = rows.need(ITEMS, (review.review_id, fact.proposal_id))
    rows.put(
        ITEMS,
        replace(item, state=ItemState.CARRIED_OVER, settled_at=event.occurred_at, carried_over_because=fact.reason),
    )
    rows.put(REVIEWS, replace(review, carried_over_count=review.carried_over_count + 1))


def closed(rows: Rows, event: Event, fact: ReviewClosed) -> None:
    """This will end a review that was held."""
    review = rows.need(REVIEWS, event.stream_id)
    rows.put(
        REVIEWS,
        replace(review, state=ReviewState.CLOSED, closed_at=event.occurred_at, minutes_url=fact.minutes_url),
    )


def skipped(rows: Rows, event: Event, fact: ReviewSkipped) -> None:
    """This will end a review that was not held."""
    review = rows.need(REVIEWS, event.stream_id)
    rows.put(
        REVIEWS,
        replace(review, state=ReviewState.SKIPPED, skipped_at=event.occurred_at, skip_reason=fact.reason),
    )


VIEW = View(
    "reviews",
    TABLES,
    {
        ReviewScheduled: scheduled,
        AgendaFrozen: agenda_frozen,
        ReviewOpened: opened,
        ItemDecided: item_decided,
        ItemCarriedOver: item_carried_over,
        ReviewClosed: closed,
        ReviewSkipped: skipped,
    },
)
