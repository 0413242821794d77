"""A review: its phases, and what it answers."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from ledger.commands import review as commands
from ledger.domain import review as domain
from ledger.domain.rejected import Code, Rejected
from ledger.domain.review import ReviewPhase
from ledger.domain.team import TeamState
from ledger.events.review import (
    AgendaFrozen,
    ItemCarriedOver,
    ItemDecided,
    ReviewClosed,
    ReviewOpened,
    ReviewScheduled,
    ReviewSkipped,
)
from ledger.values import (
    ORGANISATION,
    AgendaCause,
    AgendaItem,
    DecisionId,
    MemberId,
    PolicyId,
    ProposalId,
    ReviewId,
    ReviewKind,
    TeamId,
    Verdict,
)
from tests.domain.saying import MONDAY, Stream, event

REVIEW, TEAM, POLICY = ReviewId(UUID(int=30)), TeamId(UUID(int=10)), PolicyId(UUID(int=20))
ADA = MemberId(UUID(int=11))
FIRST, SECOND, THIRD = (ProposalId(UUID(int=n)) for n in (41, 42, 43))
DECISION = DecisionId(UUID(int=50))
CHECKOUT = TeamState(TEAM, "Checkout", days_per_cycle=Decimal(20))


def item(proposal_id: ProposalId, rank: int, score: float, days: float | None) -> AgendaItem:
    return AgendaItem(proposal_id, AgendaCause.NEW, 1, 1, 1, score, rank, days)


ITEMS = (item(FIRST, 1, 3.0, 5.0), item(SECOND, 2, 2.0, None), item(THIRD, 3, 1.0, 4.0))
SCHEDULED = ReviewScheduled(TEAM, ReviewKind.PRODUCT, MONDAY)
ENGINEERING = ReviewScheduled(TEAM, ReviewKind.ENGINEERING, MONDAY)
FROZEN = AgendaFrozen(ITEMS, POLICY, 2)
OPENED = ReviewOpened(9, Decimal(8), (ADA,), POLICY, 2)
OPEN = (SCHEDULED, FROZEN, OPENED)
DECIDED = ItemDecided(FIRST, DECISION, Verdict.YES, Decimal(5))
CARRIED = [ItemCarriedOver(proposal_id, "No time.") for proposal_id in (SECOND, THIRD)]
CLOSED, SKIPPED = ReviewClosed(), ReviewSkipped("Nobody came.")
review = Stream(domain.evolve, REVIEW)


def schedule(at: datetime = MONDAY) -> commands.ScheduleReview:
    return commands.ScheduleReview(REVIEW, TEAM, ReviewKind.PRODUCT, at)


def test_a_review_is_scheduled_once_for_a_team() -> None:
    decide = domain.decide_schedule_review

    review.given().when(decide, schedule(), CHECKOUT).then(SCHEDULED)
    review.given(SCHEDULED).when(decide, schedule(), CHECKOUT).refused(Code.CONFLICT, "review_id")
    review.given().when(decide, schedule(), None).refused(Code.NOT_FOUND, "team_id")
    review.given().when(decide, schedule(), TeamState(ORGANISATION, "All")).refused(Code.BAD_USER_INPUT, "team_id")
    review.given().when(decide, schedule(MONDAY.replace(tzinfo=None)), CHECKOUT).refused(
        Code.BAD_USER_INPUT, "starts_at"
    )


def test_an_agenda_is_frozen_once_and_has_room_for_250() -> None:
    decide, command = domain.decide_freeze_agenda, commands.FreezeAgenda(REVIEW)
    many = tuple(item(ProposalId(UUID(int=n)), n, 1.0, 1.0) for n in range(1, 252))

    review.given(SCHEDULED).when(decide, command, ITEMS, (POLICY, 2)).then(FROZEN)
    review.given(SCHEDULED).when(decide, command, (), (None, 0)).then(AgendaFrozen(()))
    review.given(SCHEDULED).when(decide, command, many, (None, 0)).refused(Code.BAD_USER_INPUT, "limit", saying="by 1")
    review.given(SCHEDULED).when(
        decide, commands.FreezeAgenda(REVIEW, tuple(i.proposal_id for i in many)), many, (None, 0)
    ).refused(Code.BAD_USER_INPUT, "proposal_ids")
    for facts in ((SCHEDULED, FROZEN), OPEN, (SCHEDULED, SKIPPED)):
        review.given(*facts).when(decide, command, ITEMS, (None, 0)).refused(Code.WRONG_STATE, "review_id")


def opening(capacity: str | None = None) -> commands.OpenReview:
    return commands.OpenReview(REVIEW, (ADA, ADA), None if capacity is None else Decimal(capacity))


def test_a_frozen_review_opens_with_the_capacity_given_or_the_teams() -> None:
    decide, frozen = domain.decide_open_review, review.given(SCHEDULED, FROZEN)

    frozen.when(decide, opening("8"), CHECKOUT, 9).then(OPENED)
    frozen.when(decide, opening(), CHECKOUT, 9).then(ReviewOpened(9, Decimal(20), (ADA,), POLICY, 2))
    frozen.when(decide, opening(), TeamState(TEAM, "Checkout"), 9).refused(Code.BAD_USER_INPUT, "capacity")
    frozen.when(decide, opening("0.3"), CHECKOUT, 9).refused(Code.BAD_USER_INPUT, "capacity")
    review.given(ENGINEERING, FROZEN).when(decide, opening(), TeamState(TEAM, "Checkout"), 9).then(
        ReviewOpened(9, Decimal(0), (ADA,), POLICY, 2)
    )


@pytest.mark.parametrize("facts", [(SCHEDULED,), OPEN, (*OPEN, CLOSED), (SCHEDULED, SKIPPED)])
def test_only_a_frozen_review_opens(facts: tuple[Any, ...]) -> None:
    review.given(*facts).when(domain.decide_open_review, opening(), CHECKOUT, 9).refused(Code.WRONG_STATE, "review_id")


@pytest.mark.parametrize(
    ("facts", "proposal_id", "code"),
    [
        ((SCHEDULED, FROZEN), FIRST, Code.REVIEW_NOT_OPEN),
        ((*OPEN, CLOSED), FIRST, Code.REVIEW_NOT_OPEN),
        ((ENGINEERING, FROZEN, OPENED), FIRST, Code.REVIEW_NOT_OPEN),
        (OPEN, ProposalId(UUID(int=99)), Code.NOT_ON_AGENDA),
        ((*OPEN, DECIDED), FIRST, Code.WRONG_STATE),
        ((*OPEN, *CARRIED), THIRD, Code.WRONG_STATE),
        ((), FIRST, Code.NOT_FOUND),
    ],
)
def test_an_item_waits_for_its_answer_only_in_an_open_product_review(
    facts: tuple[Any, ...], proposal_id: ProposalId, code: Code
) -> None:
    with pytest.raises(Rejected) as refused:
        domain.answerable(review.given(*facts).state, proposal_id)

    assert refused.value.code is code
    assert domain.answerable(review.given(*OPEN).state, FIRST) == ITEMS[0]


def test_a_yes_reserves_days_and_a_no_none() -> None:
    assert domain.decide_item(FIRST, DECISION, Verdict.YES, Decimal(5)) == [DECIDED]
    assert domain.decide_item(FIRST, DECISION, Verdict.NO, None) == [ItemDecided(FIRST, DECISION, Verdict.NO)]
    assert review.given(*OPEN, DECIDED).state.capacity_left == Decimal(3)


def test_an_item_is_carried_over() -> None:
    command = commands.CarryOverItem(REVIEW, SECOND, "No time.")

    review.given(*OPEN).when(domain.decide_carry_over_item, command).then(CARRIED[0])


def test_a_review_closes_once_each_item_is_answered_or_gone() -> None:
    decide, command = domain.decide_close_review, commands.CloseReview(REVIEW, "https://minutes.example/1")
    closed = ReviewClosed("https://minutes.example/1")

    review.given(*OPEN, DECIDED, *CARRIED).when(decide, command).then(closed)
    review.given(*OPEN, DECIDED).when(decide, command, {SECOND, THIRD}).then(closed)
    review.given(*OPEN, DECIDED).when(decide, command).refused(
        Code.ITEMS_UNDECIDED, "review_id", saying=f"2 items are .*{SECOND}"
    )
    review.given(*OPEN, DECIDED, CARRIED[0]).when(decide, command).refused(
        Code.ITEMS_UNDECIDED, "review_id", saying="1 item is"
    )


def test_an_engineering_review_answers_nothing_and_so_closes_as_it_is() -> None:
    command = commands.CloseReview(REVIEW)

    review.given(ENGINEERING, FROZEN, OPENED).when(domain.decide_close_review, command).then(CLOSED)


@pytest.mark.parametrize("facts", [(SCHEDULED,), (SCHEDULED, FROZEN), (*OPEN, DECIDED, *CARRIED, CLOSED)])
def test_only_an_open_review_closes(facts: tuple[Any, ...]) -> None:
    review.given(*facts).when(domain.decide_close_review, commands.CloseReview(REVIEW)).refused(
        Code.WRONG_STATE, "review_id"
    )


def test_a_review_is_skipped_before_it_begins_and_not_after() -> None:
    decide, command = domain.decide_skip_review, commands.SkipReview(REVIEW, "Nobody came.")

    review.given(SCHEDULED).when(decide, command).then(SKIPPED)
    review.given(SCHEDULED, FROZEN).when(decide, command).then(SKIPPED)
    review.given(*OPEN).when(decide, command).refused(Code.WRONG_STATE, "review_id")
    review.given().when(decide, command).refused(Code.NOT_FOUND, "review_id")


def test_a_review_knows_where_it_stands() -> None:
    state = review.given(*OPEN, DECIDED, CARRIED[0]).state

    assert (state.phase, state.knowledge_position, state.policy_id, state.policy_version) == (
        ReviewPhase.OPEN,
        9,
        POLICY,
        2,
    )
    assert [i.proposal_id for i in state.open_items] == [THIRD]
    assert review.given(SCHEDULED, SKIPPED).state.phase is ReviewPhase.SKIPPED


def test_a_history_without_a_beginning_is_not_folded() -> None:
    with pytest.raises(LookupError, match="position 1"):
        domain.evolve(None, event(uuid4(), 1, CLOSED))
