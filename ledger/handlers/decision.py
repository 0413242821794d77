"""Answering an item: one append on the proposal's stream and the review's, both or neither."""

from collections.abc import Iterable
from typing import Any

from ledger.commands.issued import Issued
from ledger.commands.proposal import ExplainDecision, TakeDecision
from ledger.domain import review as reviews
from ledger.domain.proposal.deciding import decide_explain_decision, decide_take_decision
from ledger.domain.proposal.standing import submitted
from ledger.domain.proposal.state import ProposalState
from ledger.domain.review import ReviewState
from ledger.events.proposal import DecisionTaken
from ledger.handlers.authorising import hide, role, sees
from ledger.handlers.seen import Change, Seen
from ledger.ranking import DEFAULT_FORMULA, Formula
from ledger.values import PolicyId, ProposalId


def take_decision(seen: Seen, issued: Issued[TakeDecision]) -> Change:
    """This will answer one item of an open product review, on the versions and the policy that were looked at."""
    command = issued.command
    proposal = submitted(seen.proposal(command.proposal_id))
    found = seen.review(command.review_id)
    seen.look(i for i in (proposal.team_id, None if found is None else found.policy_id) if i is not None)
    acting = role(seen, issued, proposal.team_id, submitted)
    review = reviews.known(found)
    if not sees(seen, issued.member_id, review.team_id):
        hide(reviews.known)
    waited_for = (c.proposal_id for c in command.revisit if c.proposal_id is not None)
    others = existing(seen, issued, [*command.chosen_instead, *waited_for])
    policies = _policies(seen, command.policy_id, review.policy_id)
    facts = decide_take_decision(proposal, issued, review, _formula(seen, review), active_codes(seen), others, policies)
    seen.free_within(issued, "decision_id")
    days = next((fact.days_reserved for fact in facts if isinstance(fact, DecisionTaken)), None)
    on_review = reviews.decide_item(command.proposal_id, command.decision_id, command.verdict, days)
    return Change(acting, [(command.proposal_id, facts), (command.review_id, on_review)])


def explain_decision(seen: Seen, issued: Issued[ExplainDecision]) -> Change:
    """This will give reasons after the decision."""
    proposal = submitted(seen.proposal(issued.command.proposal_id))
    acting = role(seen, issued, proposal.team_id, submitted)
    facts = decide_explain_decision(proposal, issued, active_codes(seen))
    return Change(acting, [(proposal.proposal_id, facts)])


def existing(seen: Seen, issued: Issued[Any], proposal_ids: Iterable[ProposalId]) -> dict[ProposalId, ProposalState]:
    """This will give those of the proposals that exist, as far as the issuer may see."""
    found = {proposal_id: seen.proposal(proposal_id) for proposal_id in proposal_ids}
    return {
        proposal_id: state
        for proposal_id, state in found.items()
        if state is not None and state.is_submitted and sees(seen, issued.member_id, state.team_id)
    }


def active_codes(seen: Seen) -> dict[str, str | None]:
    """This will give the reason codes that a NO may give, each with the companion that it asks for."""
    catalogue = seen.catalogue()
    return {} if catalogue is None else catalogue.active()


def _policies(seen: Seen, *policy_ids: PolicyId | None) -> dict[PolicyId, str]:
    found = {policy_id: seen.policy(policy_id) for policy_id in policy_ids if policy_id is not None}
    return {policy_id: policy.name for policy_id, policy in found.items() if policy is not None}


def _formula(seen: Seen, review: ReviewState) -> Formula:
    policy = None if review.policy_id is None else seen.policy(review.policy_id)
    return DEFAULT_FORMULA if policy is None else policy.formulas[review.policy_version - 1]
