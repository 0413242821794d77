"""Freezing an agenda: what is pending and what is due, in the order of the policy in force."""

from collections.abc import Iterable

from msgspec import Struct

from ledger.commands.issued import Issued
from ledger.commands.review import FreezeAgenda
from ledger.domain import agenda
from ledger.domain import review as domain
from ledger.domain import team as teams
from ledger.domain.proposal.revisiting import Circumstances, reopen_due
from ledger.domain.proposal.state import ProposalState
from ledger.handlers.authorising import role
from ledger.handlers.seen import Change, Seen
from ledger.ranking import DEFAULT_FORMULA, Formula
from ledger.values import PolicyId, ProposalId, ProposalStatus, RevisitKind, TeamId, utc


def freeze_agenda(seen: Seen, issued: Issued[FreezeAgenda]) -> Change:
    """This will fix the list of a review, and reopen in the same append whatever is on it because its revisit is due."""
    command = issued.command
    review = domain.known(seen.review(command.review_id))
    team = teams.known(seen.team(review.team_id))
    acting = role(seen, issued, team.team_id, domain.known, kind=review.kind)
    domain.freezable(review)
    policy_id, policy_version, formula = in_force(seen, team.team_id)
    listed, waiting = seen.lookups.pending(team.team_id), seen.lookups.postponed(team.team_id)
    asked = command.proposal_ids
    seen.look([*listed, *waiting, *(asked or ())])
    due = _due(seen, {*waiting, *(asked or ())}, issued, team.team_id)
    due_states = agenda.foremost([state for state, _ in due], formula, domain.AGENDA_MAX)
    pending = agenda.in_backlog((seen.proposal(i) for i in dict.fromkeys([*listed, *(asked or ())])), team)
    if asked is None:
        pending = agenda.foremost(pending, formula, agenda.room(command.limit, due_states))
    else:
        pending = agenda.chosen(asked, pending, due_states)
    items = agenda.ranked(pending, due_states, formula, team, utc(issued.at))
    frozen = domain.decide_freeze_agenda(review, issued, items, (policy_id, policy_version))
    on_it = {state.proposal_id for state in due_states}
    reopened = [(state.proposal_id, facts) for state, facts in due if state.proposal_id in on_it]
    return Change(acting, [*reopened, (review.review_id, frozen)])


def in_force(seen: Seen, team_id: TeamId) -> tuple[PolicyId | None, int, Formula]:
    """This will give the policy that ranks a team, with its version and formula as the log has them; None and 0: the default."""
    policy_id = seen.lookups.policy_in_force(team_id)
    policy = None if policy_id is None else seen.policy(policy_id)
    if policy is None:
        return None, 0, DEFAULT_FORMULA
    return policy.policy_id, policy.policy_version, policy.formula


def _due(
    seen: Seen, proposal_ids: Iterable[ProposalId], issued: Issued[FreezeAgenda], team_id: TeamId
) -> list[tuple[ProposalState, list[Struct]]]:
    states = [state for state in map(seen.proposal, proposal_ids) if state is not None and state.team_id == team_id]
    circumstances = Circumstances(utc(issued.at), tuple(seen.lookups.reviews_held(team_id)), _delivered(seen, states))
    reopened = [(state, reopen_due(state, circumstances)) for state in states]
    return [(state, facts) for state, facts in reopened if facts]


def _delivered(seen: Seen, states: Iterable[ProposalState]) -> frozenset[ProposalId]:
    awaited = {
        condition.proposal_id
        for state in states
        if state.last_decision is not None
        for condition in state.last_decision.taken.revisit
        if condition.kind is RevisitKind.ITEM_DELIVERED and condition.proposal_id is not None
    }
    seen.look(awaited)
    found = map(seen.proposal, awaited)
    return frozenset(s.proposal_id for s in found if s is not None and s.status is ProposalStatus.COMPLETED)
