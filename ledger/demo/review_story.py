"""How a team reviews its list: an agenda every four weeks, in the order of the policy, answered by rank and capacity."""

from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

from ledger.commands.proposal import TakeDecision
from ledger.commands.review import CarryOverItem, CloseReview, FreezeAgenda, OpenReview, ScheduleReview, SkipReview
from ledger.demo.cast import Cast, member, team
from ledger.demo.debt_story import DebtStory, proposal
from ledger.demo.debts import Answer
from ledger.demo.teller import Teller, day, name
from ledger.events.proposal import DecisionTaken
from ledger.events.review import AgendaFrozen, ReviewOpened
from ledger.handlers import Outcome
from ledger.ranking import Item, expected_days
from ledger.values import (
    AgendaItem,
    DecisionId,
    Disposition,
    Reason,
    ReviewId,
    ReviewKind,
    RevisitCondition,
    RevisitKind,
    Verdict,
)

F = TypeVar("F")

#: The review in the last week of the year is not held.
HOLIDAYS = range(257, 275)


class ReviewStory:
    """One product review of one team."""

    def __init__(self, teller: Teller, cast: Cast, debts: dict[str, DebtStory], number: int, on: int) -> None:
        self.teller = teller
        self.cast = cast
        self.debts = {str(debt.id): debt for debt in debts.values()}
        self.on = on
        self.id = ReviewId(name("review", f"{cast.name}/{number}"))
        self.accepted: list[str] = []
        teller.plan(day(on - 7), self.schedule)

    def schedule(self) -> None:
        """This will plan the review a week ahead."""
        starts_at = day(self.on, 13)
        self.teller.tell(
            self.cast.product_manager, ScheduleReview(self.id, team(self.cast.name), ReviewKind.PRODUCT, starts_at)
        )
        self.teller.plan(starts_at - timedelta(hours=1), self.prepare)

    def prepare(self) -> None:
        """This will freeze the agenda at noon; without items, or in the holidays, the review is skipped."""
        if self.on in HOLIDAYS:
            self.teller.tell(self.cast.product_manager, SkipReview(self.id, "Half of us are away until January."))
            return
        frozen = _one(self.teller.tell(self.cast.product_manager, FreezeAgenda(self.id)), AgendaFrozen)
        if not frozen.items:
            self.teller.tell(self.cast.product_manager, SkipReview(self.id, "Nothing is pending."))
            return
        self.teller.plan(day(self.on, 13), lambda: self.hold(frozen))

    def hold(self, frozen: AgendaFrozen) -> None:
        """This will go through the agenda in its order and end the review."""
        attendees = tuple(member(who) for who in (self.cast.product_manager, self.cast.lead))
        opened = _one(self.teller.tell(self.cast.product_manager, OpenReview(self.id, attendees)), ReviewOpened)
        left = opened.capacity
        for item in frozen.items:
            left -= self.answer(item, opened, left)
        minutes = f"https://minutes.example/{self.cast.name.lower()}/{self.on}"
        self.teller.tell(self.cast.product_manager, CloseReview(self.id, minutes))

    def answer(self, item: AgendaItem, opened: ReviewOpened, left: Decimal) -> Decimal:
        """This will answer one item, and give the engineer-days that it takes."""
        debt = self.debts[str(item.proposal_id)]
        if debt.answers:
            self.refuse(debt, item, opened, debt.answers.pop(0))
            return Decimal(0)
        days = _days(debt)
        if item.estimate_version == 0 or days is None:
            self.carry(debt, "It has no estimate yet.")
            return Decimal(0)
        if days <= left:
            return self.accept(debt, item, opened, None)
        if days > opened.capacity and not self.accepted:
            return self.accept(
                debt, item, opened, "It is larger than one cycle and comes first: we give it this one and the next."
            )
        if debt.carried < 2:  # noqa: PLR2004 - the third time the ledger refuses
            debt.carried += 1
            self.carry(
                debt,
                f"It needs about {days:.0f} days, and {left.normalize():f} of {opened.capacity.normalize():f} are left.",
            )
            return Decimal(0)
        self.refuse(debt, item, opened, _no_room(opened, left))
        return Decimal(0)

    def carry(self, debt: DebtStory, reason: str) -> None:
        """This will leave the item for the next review."""
        self.teller.tell(self.cast.product_manager, CarryOverItem(self.id, debt.id, reason))

    def accept(self, debt: DebtStory, item: AgendaItem, opened: ReviewOpened, over: str | None) -> Decimal:
        """This will say YES."""
        outcome = self.decide(debt, item, opened, Disposition.SCHEDULE, over=over)
        taken = _one(outcome, DecisionTaken)
        debt.carried = 0
        self.accepted.append(debt.debt.key)
        debt.accepted(taken.decision_id)
        return taken.days_reserved or Decimal(0)

    def refuse(self, debt: DebtStory, item: AgendaItem, opened: ReviewOpened, answer: Answer) -> None:
        """This will say NO, with its reason."""
        outcome = self.decide(debt, item, opened, answer.verdict, answer=answer)
        debt.carried = 0
        debt.refused(_one(outcome, DecisionTaken).decision_id)

    def decide(
        self,
        debt: DebtStory,
        item: AgendaItem,
        opened: ReviewOpened,
        disposition: Disposition,
        *,
        over: str | None = None,
        answer: Answer | None = None,
    ) -> Outcome:
        """This will take the decision on the versions that the agenda shows."""
        verdict = Verdict.YES if disposition is Disposition.SCHEDULE else Verdict.NO
        instead = answer.chosen_instead if answer else ()
        return self.teller.tell(
            self.cast.product_manager,
            TakeDecision(
                DecisionId(name("decision", f"{self.id}/{debt.id}")),
                debt.id,
                self.id,
                verdict,
                disposition,
                item.case_version,
                item.estimate_version,
                item.impact_version,
                policy_id=opened.policy_id,
                policy_version=opened.policy_version,
                reasons=(Reason(answer.code, answer.text, answer.companion),) if answer else (),
                chosen_instead=tuple(proposal(key) for key in instead),
                revisit=_conditions(answer, self.teller) if answer else (),
                reconsider_if=answer.reconsider_if if answer else None,
                final=answer.final if answer else False,
                over_capacity_reason=over,
            ),
        )


def _days(debt: DebtStory) -> Decimal | None:
    mean = None if debt.figures is None else expected_days(Item(*debt.figures))
    return None if mean is None else Decimal(str(mean))


def _no_room(opened: ReviewOpened, left: Decimal) -> Answer:
    return Answer(
        Disposition.POSTPONE,
        "CAPACITY_EXHAUSTED",
        "Three times in a row there was no room for it. We would rather say no for now than carry it along once more.",
        f"{opened.capacity.normalize():f} days of capacity, {left.normalize():f} of them left",
        revisit_days=56,
    )


def _conditions(answer: Answer, teller: Teller) -> tuple[RevisitCondition, ...]:
    found = []
    if answer.revisit_days is not None:
        found.append(RevisitCondition(RevisitKind.DATE, on=teller.now + timedelta(days=answer.revisit_days)))
    if answer.revisit_estimate_below is not None:
        found.append(RevisitCondition(RevisitKind.ESTIMATE_BELOW, days=answer.revisit_estimate_below))
    if answer.revisit_drag_above is not None:
        found.append(RevisitCondition(RevisitKind.DRAG_ABOVE, hours=answer.revisit_drag_above))
    if answer.revisit_delivered is not None:
        found.append(RevisitCondition(RevisitKind.ITEM_DELIVERED, proposal_id=proposal(answer.revisit_delivered)))
    return tuple(found)


def _one(outcome: Outcome, kind: type[F]) -> F:
    return next(event.fact for event in outcome.facts if isinstance(event.fact, kind))
