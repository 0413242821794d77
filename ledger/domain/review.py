"""A review: a frozen agenda that is looked at item by item. Engineering reviews prepare the list, product reviews answer it."""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import assert_never, cast

from msgspec import Struct
from msgspec.structs import replace

from ledger.commands.issued import Issued
from ledger.commands.review import CarryOverItem, CloseReview, FreezeAgenda, OpenReview, ScheduleReview, SkipReview
from ledger.domain.effort import capacity
from ledger.domain.rejected import Code, Rejected
from ledger.domain.team import TeamState
from ledger.domain.team import known as known_team
from ledger.domain.times import not_before
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
from ledger.values import (
    ORGANISATION,
    AgendaItem,
    DecisionId,
    PolicyId,
    ProposalId,
    ReviewId,
    ReviewKind,
    TeamId,
    Verdict,
    utc,
)

ReviewFact = (
    ReviewScheduled | AgendaFrozen | ReviewOpened | ItemDecided | ItemCarriedOver | ReviewClosed | ReviewSkipped
)

#: Most items of one agenda.
AGENDA_MAX = 250


class ReviewPhase(StrEnum):
    """Where a review stands."""

    SCHEDULED = "SCHEDULED"
    FROZEN = "FROZEN"
    OPEN = "OPEN"
    CLOSED = "CLOSED"
    SKIPPED = "SKIPPED"


YET_TO_BEGIN = frozenset({ReviewPhase.SCHEDULED, ReviewPhase.FROZEN})


class ReviewState(Struct, frozen=True):
    """A review as it stands. Capacity and what is reserved of it are in engineer-days."""

    review_id: ReviewId
    team_id: TeamId
    kind: ReviewKind
    starts_at: datetime
    phase: ReviewPhase = ReviewPhase.SCHEDULED
    items: tuple[AgendaItem, ...] = ()
    #: The policy in force when the agenda was frozen: the one that its decisions rest on. None: the default formula.
    policy_id: PolicyId | None = None
    policy_version: int = 0
    opened_at: datetime | None = None
    knowledge_position: int = 0
    capacity: Decimal = Decimal(0)
    reserved: Decimal = Decimal(0)
    decided: frozenset[ProposalId] = frozenset()
    carried_over: frozenset[ProposalId] = frozenset()

    @property
    def capacity_left(self) -> Decimal:
        """This will give the engineer-days that may still be promised; below 0 once the capacity was gone over."""
        return self.capacity - self.reserved

    @property
    def open_items(self) -> tuple[AgendaItem, ...]:
        """This will give the items that were neither decided nor carried over, in the order of the agenda."""
        return tuple(
            i for i in self.items if i.proposal_id not in self.decided and i.proposal_id not in self.carried_over
        )

    def item(self, proposal_id: ProposalId) -> AgendaItem | None:
        """This will give the agenda's item of a proposal, if it has one."""
        return next((item for item in self.items if item.proposal_id == proposal_id), None)


def evolve(state: ReviewState | None, event: Event) -> ReviewState:
    """This will fold one fact of a review's stream into its state."""
    fact = cast("ReviewFact", event.fact)
    if isinstance(fact, ReviewScheduled):
        return ReviewState(ReviewId(event.stream_id), fact.team_id, fact.kind, fact.starts_at)
    if state is None:
        raise LookupError(f"{type(fact).__name__} at position {event.position} is of a review that was never scheduled")
    match fact:
        case AgendaFrozen():
            return replace(
                state,
                phase=ReviewPhase.FROZEN,
                items=fact.items,
                policy_id=fact.policy_id,
                policy_version=fact.policy_version,
            )
        case ReviewOpened():
            return replace(
                state,
                phase=ReviewPhase.OPEN,
                opened_at=event.occurred_at,
                knowledge_position=fact.knowledge_position,
                capacity=fact.capacity,
            )
        case ItemDecided():
            return replace(
                state, decided=state.decided | {fact.proposal_id}, reserved=state.reserved + fact.days_reserved
            )
        case ItemCarriedOver():
            return replace(state, carried_over=state.carried_over | {fact.proposal_id})
        case ReviewClosed():
            return replace(state, phase=ReviewPhase.CLOSED)
        case ReviewSkipped():
            return replace(state, phase=ReviewPhase.SKIPPED)
        case _:
            assert_never(fact)


def decide_schedule_review(
    state: ReviewState | None, issued: Issued[ScheduleReview], team: TeamState | None
) -> list[Struct]:
    """This will plan a review of a team, under an id that nobody has yet."""
    command = issued.command
    if state is not None:
        raise Rejected(
            Code.CONFLICT, "This id is another review's already. Schedule yours under another id.", "review_id"
        )
    if known_team(team).team_id == ORGANISATION:
        raise Rejected(Code.BAD_USER_INPUT, "The organisation decides nothing. Name a team.", "team_id")
    if command.starts_at.tzinfo is None:
        raise Rejected(Code.BAD_USER_INPUT, "`starts_at` names no time zone. Add one, such as Z for UTC.", "starts_at")
    return [ReviewScheduled(command.team_id, command.kind, utc(command.starts_at))]


def freezable(state: ReviewState | None) -> ReviewState:
    """This will give a review whose agenda may still be frozen, or refuse."""
    review = known(state)
    if review.phase is not ReviewPhase.SCHEDULED:
        raise Rejected(
            Code.WRONG_STATE,
            f"The review is {review.phase}: its agenda was fixed before, or never will be. Schedule another review.",
            "review_id",
        )
    return review


def decide_freeze_agenda(
    state: ReviewState | None,
    issued: Issued[FreezeAgenda],
    items: tuple[AgendaItem, ...],
    policy: tuple[PolicyId | None, int],
) -> list[Struct]:
    """This will fix the list in the order given: at most 250 items, each once."""
    freezable(state)
    if len(items) > AGENDA_MAX:
        raise Rejected(
            Code.BAD_USER_INPUT,
            f"The agenda would have {len(items)} items; at most {AGENDA_MAX} are allowed. Lower the limit by "
            f"{len(items) - AGENDA_MAX}.",
            "limit" if issued.command.proposal_ids is None else "proposal_ids",
        )
    return [AgendaFrozen(items, *policy)]


def decide_open_review(
    state: ReviewState | None, issued: Issued[OpenReview], team: TeamState, knowledge_position: int
) -> list[Struct]:
    """This will begin a review whose agenda is frozen. Capacity left out is the team's per cycle."""
    review, command = known(state), issued.command
    if review.phase is not ReviewPhase.FROZEN:
        todo = (
            "Freeze its agenda first"
            if review.phase is ReviewPhase.SCHEDULED
            else "Only a review that has yet to begin can be opened"
        )
        raise Rejected(Code.WRONG_STATE, f"The review is {review.phase}. {todo}.", "review_id")
    days = _capacity(review, command.capacity, team)
    attendees = tuple(dict.fromkeys(command.attendees))
    return [ReviewOpened(knowledge_position, days, attendees, review.policy_id, review.policy_version)]


def answerable(state: ReviewState | None, proposal_id: ProposalId, team_id: TeamId | None = None) -> AgendaItem:
    """This will give the item of an open product review that still waits for its answer, or refuse (rule 7).

    `team_id`: the team that was asked. None: what an agenda holds is its own team's anyway.
    """
    review = known(state)
    if review.kind is not ReviewKind.PRODUCT:
        raise Rejected(
            Code.REVIEW_NOT_OPEN,
            "An engineering review prepares the list and answers nothing. Use an open product review.",
            "review_id",
        )
    if review.phase is not ReviewPhase.OPEN:
        todo = "Open it, or use one that is" if review.phase in YET_TO_BEGIN else "Use one that is"
        raise Rejected(
            Code.REVIEW_NOT_OPEN,
            f"The review is {review.phase}, and answers are given in an open one. {todo}.",
            "review_id",
        )
    if team_id not in {None, review.team_id}:
        raise Rejected(
            Code.REVIEW_NOT_OPEN,
            "The review is another team's. Use an open product review of the proposal's team.",
            "review_id",
        )
    item = review.item(proposal_id)
    if item is None:
        raise Rejected(
            Code.NOT_ON_AGENDA, "The proposal is not on this review's agenda. Take it to the next one.", "proposal_id"
        )
    if proposal_id in review.decided or proposal_id in review.carried_over:
        done = "decided" if proposal_id in review.decided else "carried over"
        raise Rejected(
            Code.WRONG_STATE, f"This review has {done} the item already. It can be on a later agenda.", "proposal_id"
        )
    return item


def happens_inside(review: ReviewState, issued: Issued[Struct]) -> None:
    """This will refuse what is done inside a review (rule 7) as if it had been before that opened."""
    not_before(issued, review.opened_at, "the review was opened")


def decide_item(
    proposal_id: ProposalId, decision_id: DecisionId, verdict: Verdict, days_reserved: Decimal | None
) -> list[Struct]:
    """This will note on the review what the decision on the proposal's own stream says; see `answerable`."""
    return [ItemDecided(proposal_id, decision_id, verdict, days_reserved or Decimal(0))]


def decide_carry_over_item(state: ReviewState | None, issued: Issued[CarryOverItem]) -> list[Struct]:
    """This will leave an item for the next review; how often it may be, the proposal's own rule says."""
    command = issued.command
    answerable(state, command.proposal_id)
    happens_inside(known(state), issued)
    return [ItemCarriedOver(command.proposal_id, command.reason)]


def decide_close_review(
    state: ReviewState | None, issued: Issued[CloseReview], gone: Collection[ProposalId] = ()
) -> list[Struct]:
    """This will end an open review in which each item was decided, carried over, or is gone from the backlog (rule 9).

    An engineering review answers nothing, so nothing of it can be left unanswered.
    """
    review = known(state)
    if review.phase is not ReviewPhase.OPEN:
        raise Rejected(Code.WRONG_STATE, f"The review is {review.phase}; only an open one can be closed.", "review_id")
    happens_inside(review, issued)
    left = unanswered(review, gone)
    if left:
        named = ", ".join(str(item.proposal_id) for item in left[:5]) + (", …" if len(left) > 5 else "")  # noqa: PLR2004
        items = "1 item is" if len(left) == 1 else f"{len(left)} items are"
        raise Rejected(
            Code.ITEMS_UNDECIDED, f"{items} neither decided nor carried over: {named}. Answer each first.", "review_id"
        )
    return [ReviewClosed(issued.command.minutes_url)]


def unanswered(review: ReviewState, gone: Collection[ProposalId] = ()) -> tuple[AgendaItem, ...]:
    """This will give the items that keep a review from closing."""
    if review.kind is ReviewKind.ENGINEERING:
        return ()
    return tuple(item for item in review.open_items if item.proposal_id not in gone)


def decide_skip_review(state: ReviewState | None, issued: Issued[SkipReview]) -> list[Struct]:
    """This will say that a review which has not begun is not held."""
    review = known(state)
    if review.phase not in YET_TO_BEGIN:
        raise Rejected(
            Code.WRONG_STATE,
            f"The review is {review.phase}; only one that has yet to begin can be skipped.",
            "review_id",
        )
    return [ReviewSkipped(issued.command.reason)]


def known(state: ReviewState | None) -> ReviewState:
    """This will give the review, or refuse: there is none."""
    if state is None:
        raise Rejected(Code.NOT_FOUND, "There is no such review. Look its id up, or schedule it first.", "review_id")
    return state


def _capacity(review: ReviewState, given: Decimal | None, team: TeamState) -> Decimal:
    if given is not None:
        return capacity(given, "capacity")
    if team.days_per_cycle is not None:
        return team.days_per_cycle
    if review.kind is ReviewKind.ENGINEERING:
        return Decimal(0)
    raise Rejected(
        Code.BAD_USER_INPUT,
        f"{team.name} has set no capacity per cycle. Give this review's, or set the team's first.",
        "capacity",
    )
