"""The commands of a proposal. Most look at it and its team only; `decision` answers it."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from ledger.commands import proposal as commands
from ledger.commands.issued import Issued
from ledger.domain import team as teams
from ledger.domain.authority import PERMISSIONS, Own
from ledger.domain.proposal import appealing, concerns, estimating, lifecycle, revisiting, submitting, telling, working
from ledger.domain.proposal.standing import submitted
from ledger.domain.proposal.state import ProposalState
from ledger.domain.rejected import Code, Rejected
from ledger.handlers.authorising import role
from ledger.handlers.decision import existing, explain_decision, take_decision
from ledger.handlers.seen import Change, Handler, Seen
from ledger.values import ORGANISATION, MemberId, ProposalId

#: How many proposals are looked at to see whether a dependency would close a circle.
NEEDED_MAX = 1_000


def submit_proposal(seen: Seen, issued: Issued[commands.SubmitProposal]) -> Change:
    """This will ask a team to pay a debt."""
    command = issued.command
    team = teams.known(seen.team(command.team_id))
    if team.team_id == ORGANISATION:
        raise Rejected(Code.BAD_USER_INPUT, "The organisation pays no debts. Name a team.", "team_id")
    acting = role(seen, issued, team.team_id)
    state = seen.proposal(command.proposal_id)
    seen.free(command.proposal_id, state, "proposal_id")
    return Change(acting, [(command.proposal_id, submitting.decide_submit_proposal(state, issued))])


def redirect_proposal(seen: Seen, issued: Issued[commands.RedirectProposal]) -> Change:
    """This will send a proposal to another list; a team that it goes to must be there, and its sender need not see into it."""
    state, change = _about(seen, issued)
    if issued.command.team_id is not None:
        teams.known(seen.team(issued.command.team_id))
    return change(submitting.decide_redirect_proposal(state, issued))


def assess_impact(seen: Seen, issued: Issued[commands.AssessImpact]) -> Change:
    """This will say what the debt costs, as a share of the team's weekly hours."""
    state, change = _about(seen, issued)
    weekly_hours = teams.known(seen.team(state.team_id)).weekly_hours
    return change(estimating.decide_assess_impact(state, issued, weekly_hours))


def add_dependency(seen: Seen, issued: Issued[commands.AddDependency]) -> Change:
    """This will say that another proposal is needed first, unless that one needs this one, however indirectly."""
    state, change = _about(seen, issued)
    facts = estimating.decide_add_dependency(state, issued, existing(seen, issued, [issued.command.needs]))
    _refuse_circle(seen, state.proposal_id, issued.command.needs)
    return change(facts)


def merge_proposal(seen: Seen, issued: Issued[commands.MergeProposal]) -> Change:
    """This will let a proposal go on as part of another."""
    state, change = _about(seen, issued)
    return change(lifecycle.decide_merge_proposal(state, issued, existing(seen, issued, [issued.command.into])))


def supersede_proposal(seen: Seen, issued: Issued[commands.SupersedeProposal]) -> Change:
    """This will say that a later proposal took its place."""
    state, change = _about(seen, issued)
    return change(lifecycle.decide_supersede_proposal(state, issued, existing(seen, issued, [issued.command.by])))


def split_proposal(seen: Seen, issued: Issued[commands.SplitProposal]) -> Change:
    """This will let a proposal go on as several."""
    state, change = _about(seen, issued)
    return change(lifecycle.decide_split_proposal(state, issued, existing(seen, issued, issued.command.children)))


def _plain(decide: Callable[[ProposalState | None, Issued[Any]], list[Struct]]) -> Handler:
    """This will give the handler of a command that changes one proposal and looks at nothing else but its team."""

    def handle(seen: Seen, issued: Issued[Any]) -> Change:
        state, change = _about(seen, issued)
        return change(decide(state, issued))

    return handle


def _new(decide: Callable[[ProposalState | None, Issued[Any]], list[Struct]], field: str) -> Handler:
    """This will give the handler of a command that makes something new within one proposal, of which `field` is the id."""

    def handle(seen: Seen, issued: Issued[Any]) -> Change:
        state, change = _about(seen, issued)
        facts = decide(state, issued)
        seen.free_within(issued, field)
        return change(facts)

    return handle


def _about(seen: Seen, issued: Issued[Any]) -> tuple[ProposalState, Callable[[list[Struct]], Change]]:
    """This will give the proposal, and how its facts become a change, if the issuer may do this to it."""
    state = submitted(seen.proposal(issued.command.proposal_id))
    acting = role(seen, issued, state.team_id, submitted, owns=_owns(state, issued.command, issued.member_id))
    return state, lambda facts: Change(acting, [(state.proposal_id, facts)])


def _owns(state: ProposalState, command: Any, member_id: MemberId) -> bool:
    own = PERMISSIONS[type(command)].own
    if own is Own.RAISER:
        concern = state.concern(command.concern_id)
        return concern is not None and concern.raised.raised_by == member_id
    if own is Own.DECIDER:
        decision = state.decision(command.decision_id)
        return decision is not None and decision.taken.decider == member_id
    return own is Own.PROPOSER and member_id in state.proposers


def _refuse_circle(seen: Seen, proposal_id: ProposalId, needs: ProposalId) -> None:
    known, frontier = {needs}, {needs}
    while frontier:
        if proposal_id in known:
            raise Rejected(
                Code.CONFLICT,
                "That proposal needs this one first, through others. Remove one of those dependencies before.",
                "needs",
            )
        if len(known) > NEEDED_MAX:
            raise Rejected(
                Code.BAD_USER_INPUT,
                f"That proposal needs more than {NEEDED_MAX:,} others, too many to see whether this one is among them.",
                "needs",
            )
        seen.look(frontier)
        states = [state for state in map(seen.proposal, frontier) if state is not None]
        frontier = {needed for state in states for needed in state.dependencies} - known
        known |= frontier


HANDLERS: dict[type[Struct], Handler] = {
    commands.SubmitProposal: submit_proposal,
    commands.ScreenCriticality: _plain(submitting.decide_screen_criticality),
    commands.RedirectProposal: redirect_proposal,
    commands.ReviseBusinessCase: _plain(submitting.decide_revise_business_case),
    commands.EstimateProposal: _plain(estimating.decide_estimate_proposal),
    commands.AssessImpact: assess_impact,
    commands.AddDependency: add_dependency,
    commands.RemoveDependency: _plain(estimating.decide_remove_dependency),
    commands.RaiseConcern: _new(concerns.decide_raise_concern, "concern_id"),
    commands.AnswerConcern: _plain(concerns.decide_answer_concern),
    commands.ResolveConcern: _plain(concerns.decide_resolve_concern),
    commands.OverruleConcern: _plain(concerns.decide_overrule_concern),
    commands.TakeDecision: take_decision,
    commands.ExplainDecision: explain_decision,
    commands.CommunicateDecision: _plain(telling.decide_communicate_decision),
    commands.AcknowledgeDecision: _plain(telling.decide_acknowledge_decision),
    commands.PlayBackConcern: _plain(telling.decide_play_back_concern),
    commands.ConfirmPlayback: _plain(telling.decide_confirm_playback),
    commands.CorrectPlayback: _plain(telling.decide_correct_playback),
    commands.LodgeAppeal: _new(appealing.decide_lodge_appeal, "appeal_id"),
    commands.UpholdAppeal: _plain(appealing.decide_uphold_appeal),
    commands.DismissAppeal: _plain(appealing.decide_dismiss_appeal),
    commands.ReopenProposal: _plain(revisiting.decide_reopen_proposal),
    commands.WaiveRevisit: _plain(revisiting.decide_waive_revisit),
    commands.WithdrawProposal: _plain(lifecycle.decide_withdraw_proposal),
    commands.MergeProposal: merge_proposal,
    commands.SupersedeProposal: supersede_proposal,
    commands.SplitProposal: split_proposal,
    commands.StartWork: _plain(working.decide_start_work),
    commands.PauseWork: _plain(working.decide_pause_work),
    commands.CompleteWork: _plain(working.decide_complete_work),
    commands.AbandonWork: _plain(working.decide_abandon_work),
    commands.MeasureBenefit: _plain(working.decide_measure_benefit),
    commands.ReportRisk: _plain(working.decide_report_risk),
}
