"""A review from its agenda to its end, with what is decided and what is left."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from msgspec import Struct

from ledger.commands import policy as policies
from ledger.commands import proposal as proposals
from ledger.commands import review as reviews
from ledger.commands import team as teams
from ledger.domain.rejected import Code, Rejected
from ledger.events.proposal import DecisionCarriedOver, DecisionTaken, ProposalReopened
from ledger.events.review import AgendaFrozen, ItemCarriedOver, ItemDecided, ReviewOpened
from ledger.handlers import Outcome
from ledger.ranking import Formula
from ledger.values import (
    AgendaCause,
    AgendaItem,
    PolicyId,
    PolicyMethod,
    ProposalId,
    ReopenCause,
    ReviewId,
    ReviewKind,
    RevisitCondition,
    RevisitKind,
    Verdict,
)
from tests.handlers.world import CASE, ENGINEER, LEAD, PRODUCT, STEWARD, TEAM, World, later, no, yes


def agenda(world: World, review_id: ReviewId) -> tuple[AgendaItem, ...]:
    (frozen,) = (e.fact for e in world.ledger.events(review_id) if isinstance(e.fact, AgendaFrozen))
    return frozen.items


def causes(world: World, review_id: ReviewId) -> dict[ProposalId, AgendaCause]:
    return {item.proposal_id: item.cause for item in agenda(world, review_id)}


def decision(outcome: Outcome) -> DecisionTaken:
    (taken,) = (e.fact for e in outcome.facts if isinstance(e.fact, DecisionTaken))
    return taken


def test_an_agenda_is_in_the_order_of_the_policy_and_ties_go_to_the_earlier(world: World) -> None:
    slow, first, second, unknown = (
        world.propose(drag=5, days=5),
        world.propose(drag=10, days=5),
        world.propose(drag=10, days=5),
        world.propose(drag=None, days=None),
    )

    items = agenda(world, world.freeze())

    assert [item.proposal_id for item in items] == [first, second, slow, unknown]
    assert [item.rank for item in items] == [1, 2, 3, 4]
    assert [item.score for item in items] == [2.0, 2.0, 1.0, 0.0]
    assert [item.expected_days for item in items] == [5.0, 5.0, 5.0, None]
    assert {item.cause for item in items} == {AgendaCause.NEW}


def test_an_agenda_follows_the_policy_in_force_and_names_it(world: World) -> None:
    low, high = world.propose(drag=1, days=1), world.propose(drag=90, days=1)
    policy_id = PolicyId(uuid4())
    world.do(STEWARD, policies.DefinePolicy(policy_id, "First come", Formula(PolicyMethod.CD3)))
    world.do(STEWARD, policies.RevisePolicy(policy_id, Formula(PolicyMethod.FIFO)))
    world.do(STEWARD, policies.ActivatePolicy(policy_id, TEAM))

    review_id = world.freeze()

    assert [item.proposal_id for item in agenda(world, review_id)] == [low, high]
    (frozen,) = (e.fact for e in world.ledger.events(review_id) if isinstance(e.fact, AgendaFrozen))
    assert (frozen.policy_id, frozen.policy_version) == (policy_id, 2)


def test_a_limit_keeps_the_foremost_and_only_what_is_asked_for_comes(world: World) -> None:
    low, high = world.propose(drag=1), world.propose(drag=90)

    assert list(causes(world, world.freeze(limit=1))) == [high]
    assert list(causes(world, world.freeze(proposal_ids=(low,)))) == [low]
    with pytest.raises(Rejected) as refused:
        world.freeze(proposal_ids=(low, ProposalId(uuid4())))
    assert (refused.value.code, refused.value.path) == (Code.NOT_FOUND, ("proposal_ids", "1"))


def test_an_old_item_that_nobody_answered_is_stale(world: World) -> None:
    old = world.propose()
    world.do(STEWARD, teams.SetServiceLevel(TEAM, 10, 24))
    world.now += timedelta(days=11)
    new = world.propose()

    assert causes(world, world.freeze()) == {old: AgendaCause.STALE, new: AgendaCause.NEW}


def test_a_postponed_item_comes_back_on_its_day_and_not_before(world: World) -> None:
    day = datetime(2026, 6, 1, tzinfo=UTC)
    proposal_id, review_id = world.propose(), world.open()
    world.decide(later(review_id, proposal_id, RevisitCondition(RevisitKind.DATE, on=day)))
    world.close(review_id)

    assert causes(world, world.freeze()) == {}
    world.now = day
    review_id = world.schedule()
    outcome = world.do(PRODUCT, reviews.FreezeAgenda(review_id))

    assert causes(world, review_id) == {proposal_id: AgendaCause.REVISIT_DUE}
    reopened, frozen = outcome.facts
    assert isinstance(reopened.fact, ProposalReopened)
    assert reopened.fact.because is ReopenCause.REVISIT_DUE
    assert (reopened.stream_id, frozen.stream_id) == (proposal_id, review_id)
    assert (outcome.stream_id, outcome.version) == (review_id, 2)


def test_a_postponed_item_comes_back_after_reviews_or_when_another_is_delivered(world: World) -> None:
    first, second, other = (world.propose() for _ in range(3))
    review_id = world.open()
    world.decide(later(review_id, first, RevisitCondition(RevisitKind.AFTER_REVIEWS, count=1)))
    world.decide(later(review_id, second, RevisitCondition(RevisitKind.ITEM_DELIVERED, proposal_id=other)))
    world.decide(yes(review_id, other))
    world.close(review_id)
    held = world.open()
    assert causes(world, held) == {}
    world.close(held)

    assert causes(world, world.freeze()) == {first: AgendaCause.REVISIT_DUE}
    world.do(ENGINEER, proposals.StartWork(other))
    world.do(ENGINEER, proposals.CompleteWork(other, Decimal(4)))

    assert causes(world, world.freeze())[second] is AgendaCause.REVISIT_DUE


def test_an_item_says_that_it_was_carried_over_or_appealed(world: World) -> None:
    carried, declined = world.propose(), world.propose()
    review_id = world.open()
    world.carry_over(review_id, carried)
    world.decide(no(review_id, declined, final=False, reconsider_if="Somebody measures it."))
    world.close(review_id)
    world.do(ENGINEER, proposals.ReopenProposal(declined, ReopenCause.REPROPOSED))

    assert causes(world, world.freeze()) == {carried: AgendaCause.CARRIED_OVER, declined: AgendaCause.NEW}


def test_an_agenda_is_frozen_once(world: World) -> None:
    review_id = world.freeze()

    with pytest.raises(Rejected) as refused:
        world.do(PRODUCT, reviews.FreezeAgenda(review_id))

    assert refused.value.code is Code.WRONG_STATE


def test_a_review_opens_with_what_it_could_know_and_the_teams_capacity(world: World) -> None:
    review_id = world.freeze()
    head = world.ledger.head()

    (event,) = world.do(PRODUCT, reviews.OpenReview(review_id, (PRODUCT, LEAD, PRODUCT))).facts

    assert event.fact == ReviewOpened(head, Decimal(20), (PRODUCT, LEAD))


def test_a_decision_writes_to_the_proposal_and_to_its_review(world: World) -> None:
    best, next_best, third = world.propose(drag=30), world.propose(drag=20), world.propose(drag=10)
    review_id = world.open(capacity=12)

    outcome = world.decide(yes(review_id, next_best))

    taken = decision(outcome)
    assert (taken.score, taken.rank, taken.cut_score) == (4.0, 2, 4.0)
    assert (taken.capacity_left, taken.days_reserved) == (Decimal(12), Decimal(5))
    assert [e.stream_id for e in outcome.facts] == [next_best, review_id]
    assert outcome.facts[1].fact == ItemDecided(next_best, taken.decision_id, Verdict.YES, Decimal(5))
    assert outcome.stream_id == next_best
    assert decision(world.decide(no(review_id, best))).capacity_left == Decimal(7)
    assert decision(world.decide(no(review_id, third))).cut_score == 4.0


def test_a_refused_decision_writes_to_neither(world: World) -> None:
    proposal_id, review_id = world.propose(), world.open()
    head = world.ledger.head()

    with pytest.raises(Rejected) as refused:
        world.decide(no(review_id, proposal_id, case_version=2))

    assert refused.value.code is Code.STALE_BASIS
    assert world.ledger.head() == head


def test_a_decision_stands_on_the_policy_of_its_agenda(world: World) -> None:
    proposal_id, policy_id = world.propose(), PolicyId(uuid4())
    world.do(STEWARD, policies.DefinePolicy(policy_id, "Delay", Formula(PolicyMethod.CD3)))
    world.do(STEWARD, policies.ActivatePolicy(policy_id, TEAM))
    review_id = world.open()
    world.do(STEWARD, policies.RevisePolicy(policy_id, Formula(PolicyMethod.FIFO)))

    with pytest.raises(Rejected) as refused:
        world.decide(yes(review_id, proposal_id))
    taken = decision(world.decide(yes(review_id, proposal_id, policy_id=policy_id, policy_version=1)))

    assert refused.value.code is Code.STALE_BASIS
    assert taken.score is not None
    assert taken.score > 0


def test_going_over_the_capacity_needs_a_reason(world: World) -> None:
    first, second = world.propose(), world.propose()
    review_id = world.open(capacity=7)
    world.decide(yes(review_id, first))

    with pytest.raises(Rejected, match="too few") as refused:
        world.decide(yes(review_id, second))
    taken = decision(world.decide(yes(review_id, second, over_capacity_reason="The audit is in May.")))

    assert refused.value.code is Code.OVER_CAPACITY
    assert (taken.capacity_left, taken.over_capacity_reason) == (Decimal(2), "The audit is in May.")


def test_the_third_carry_over_in_a_row_is_refused_and_the_review_closes_once_all_is_answered(world: World) -> None:
    proposal_id = world.propose()
    for number in (1, 2):
        review_id = world.open()
        facts = [e.fact for e in world.carry_over(review_id, proposal_id).facts]
        reason = "The release comes first."
        assert facts == [DecisionCarriedOver(review_id, reason, number), ItemCarriedOver(proposal_id, reason)]
        world.close(review_id)
    review_id = world.open()

    with pytest.raises(Rejected) as third:
        world.carry_over(review_id, proposal_id)
    with pytest.raises(Rejected) as unanswered:
        world.close(review_id)
    world.decide(no(review_id, proposal_id))

    assert third.value.code is Code.CARRIED_OVER_TOO_OFTEN
    assert unanswered.value.code is Code.ITEMS_UNDECIDED
    assert str(proposal_id) in unanswered.value.message
    assert world.close(review_id).version > 0


def test_an_item_is_answered_once_in_a_review(world: World) -> None:
    proposal_id, review_id = world.propose(), world.open()
    world.carry_over(review_id, proposal_id)

    for again in (yes(review_id, proposal_id), reviews.CarryOverItem(review_id, proposal_id, "Still.")):
        with pytest.raises(Rejected, match="already") as refused:
            world.do(PRODUCT, again)
        assert refused.value.code is Code.WRONG_STATE


def test_an_item_that_was_taken_back_does_not_keep_a_review_open(world: World) -> None:
    proposal_id, review_id = world.propose(), world.open()
    world.do(ENGINEER, proposals.WithdrawProposal(proposal_id))

    with pytest.raises(Rejected) as refused:
        world.carry_over(review_id, proposal_id)

    assert refused.value.code is Code.WRONG_STATE
    assert world.close(review_id).version > 0


def test_nothing_is_answered_outside_an_open_product_review(world: World) -> None:
    proposal_id, frozen, open_review = world.propose(), world.freeze(), world.open()
    late = world.propose()
    engineering = world.schedule(ReviewKind.ENGINEERING)
    world.do(LEAD, reviews.FreezeAgenda(engineering))
    world.do(LEAD, reviews.OpenReview(engineering, (LEAD,)))

    for review_id, item, code in (
        (frozen, proposal_id, Code.REVIEW_NOT_OPEN),
        (engineering, proposal_id, Code.REVIEW_NOT_OPEN),
        (open_review, late, Code.NOT_ON_AGENDA),
    ):
        with pytest.raises(Rejected) as refused:
            world.decide(no(review_id, item))
        assert refused.value.code is code
    assert world.do(LEAD, reviews.CloseReview(engineering)).version > 0


def test_a_review_that_has_not_begun_can_be_skipped(world: World) -> None:
    review_id = world.freeze()
    world.do(PRODUCT, reviews.SkipReview(review_id, "Everybody is ill."))

    with pytest.raises(Rejected) as refused:
        world.do(PRODUCT, reviews.OpenReview(review_id, (PRODUCT,)))

    assert refused.value.code is Code.WRONG_STATE


def test_a_retired_reason_and_an_import_only_one_are_refused(world: World) -> None:
    from ledger.commands.catalogue import AddReasonCode, RetireReasonCode
    from ledger.values import Reason

    proposal_id, review_id = world.propose(), world.open()
    text = "We have looked at it for an hour and it is not worth another one."
    world.do(STEWARD, AddReasonCode("NOT_WORTH_IT", "It is not worth it."))

    def refused_for(code: str) -> Code:
        with pytest.raises(Rejected) as refused:
            world.decide(no(review_id, proposal_id, reasons=(Reason(code, text),)))
        return refused.value.code

    assert refused_for("NOT_CLASSIFIED") is Code.IMPORT_ONLY
    assert refused_for("NEVER_HEARD_OF") is Code.REASON_UNKNOWN
    world.do(STEWARD, RetireReasonCode("COSMETIC_ONLY", "Say NOT_WORTH_IT."))
    assert refused_for("COSMETIC_ONLY") is Code.REASON_UNKNOWN
    world.decide(no(review_id, proposal_id, reasons=(Reason("NOT_WORTH_IT", text),)))


def test_a_revised_case_must_be_looked_at_again(world: World) -> None:
    proposal_id, review_id = world.propose(), world.open()
    world.do(ENGINEER, proposals.ReviseBusinessCase(proposal_id, CASE, "A better figure."))

    with pytest.raises(Rejected, match="the case 1 → 2"):
        world.decide(no(review_id, proposal_id))
    assert decision(world.decide(no(review_id, proposal_id, case_version=2))).rank == 1


def test_nothing_is_done_in_a_review_before_it_opened_or_to_a_proposal_before_it_was_asked(world: World) -> None:
    before = world.now - timedelta(days=9)
    first, second = world.propose(), world.propose()
    usual, told_late = world.open(proposal_ids=(first,)), world.freeze(proposal_ids=(second,))
    world.do(PRODUCT, reviews.OpenReview(told_late, (PRODUCT,)), occurred_at=before)

    def refused(command: Struct, at: datetime) -> str:
        with pytest.raises(Rejected) as found:
            world.do(PRODUCT, command, occurred_at=at)
        assert (found.value.code, found.value.path) == (Code.BAD_USER_INPUT, ("occurred_at",))
        return str(found.value)

    assert "but the review was opened at" in refused(yes(usual, first), before)
    assert "but the review was opened at" in refused(reviews.CarryOverItem(usual, first, "No time."), before)
    world.decide(yes(usual, first))
    assert "but the review was opened at" in refused(reviews.CloseReview(usual), before)
    assert "but the proposal was submitted at" in refused(yes(told_late, second), before + timedelta(days=1))
    assert decision(world.do(PRODUCT, yes(told_late, second), occurred_at=world.now))
