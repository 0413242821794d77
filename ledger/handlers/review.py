"""The commands of a review. Who runs one depends on its kind; `agenda` freezes its list."""

from msgspec import Struct

from ledger.commands import review as commands
from ledger.commands.issued import Issued
from ledger.domain import review as domain
from ledger.domain import team as teams
from ledger.domain.proposal.deciding import decide_carry_over_item
from ledger.domain.review import ReviewState
from ledger.domain.team import TeamState
from ledger.handlers.agenda import freeze_agenda
from ledger.handlers.authorising import role
from ledger.handlers.seen import Change, Handler, Seen
from ledger.values import ProposalStatus, ReviewId, Role


def schedule_review(seen: Seen, issued: Issued[commands.ScheduleReview]) -> Change:
    """This will plan a review."""
    command = issued.command
    team = teams.known(seen.team(command.team_id))
    acting = role(seen, issued, team.team_id, kind=command.kind)
    review = seen.review(command.review_id)
    seen.free(command.review_id, review, "review_id")
    return Change(acting, [(command.review_id, domain.decide_schedule_review(review, issued, team))])


def open_review(seen: Seen, issued: Issued[commands.OpenReview]) -> Change:
    """This will begin a review, and say up to where it could know the ledger."""
    review, team, acting = _run(seen, issued, issued.command.review_id)
    return Change(acting, [(review.review_id, domain.decide_open_review(review, issued, team, seen.head()))])


def carry_over_item(seen: Seen, issued: Issued[commands.CarryOverItem]) -> Change:
    """This will leave an item for the next review, on the review's stream and on the proposal's."""
    command = issued.command
    review, _, acting = _run(seen, issued, command.review_id)
    on_review = domain.decide_carry_over_item(review, issued)
    on_proposal = decide_carry_over_item(seen.proposal(command.proposal_id), issued)
    return Change(acting, [(command.proposal_id, on_proposal), (review.review_id, on_review)])


def close_review(seen: Seen, issued: Issued[commands.CloseReview]) -> Change:
    """This will end a review; what has left the backlog since its agenda was frozen needs no answer."""
    review, _, acting = _run(seen, issued, issued.command.review_id)
    left = [item.proposal_id for item in domain.unanswered(review)]
    seen.look(left)
    states = {proposal_id: seen.proposal(proposal_id) for proposal_id in left}
    gone = {i for i, state in states.items() if state is None or state.status is not ProposalStatus.PENDING}
    return Change(acting, [(review.review_id, domain.decide_close_review(review, issued, gone))])


def skip_review(seen: Seen, issued: Issued[commands.SkipReview]) -> Change:
    """This will say that a review is not held."""
    review, _, acting = _run(seen, issued, issued.command.review_id)
    return Change(acting, [(review.review_id, domain.decide_skip_review(review, issued))])


def _run(seen: Seen, issued: Issued[Struct], review_id: ReviewId) -> tuple[ReviewState, TeamState, Role]:
    review = domain.known(seen.review(review_id))
    team = teams.known(seen.team(review.team_id))
    return review, team, role(seen, issued, team.team_id, domain.known, kind=review.kind)


HANDLERS: dict[type[Struct], Handler] = {
    commands.ScheduleReview: schedule_review,
    commands.FreezeAgenda: freeze_agenda,
    commands.OpenReview: open_review,
    commands.CarryOverItem: carry_over_item,
    commands.CloseReview: close_review,
    commands.SkipReview: skip_review,
}
