"""What goes on an agenda, why, and in which order."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from ledger.domain.proposal.state import ProposalState
from ledger.domain.rejected import Code, Rejected
from ledger.domain.review import AGENDA_MAX
from ledger.domain.team import TeamState
from ledger.ranking import Formula, expected_days, score
from ledger.values import AgendaCause, AgendaItem, ProposalId, ProposalStatus, utc


def in_backlog(states: Iterable[ProposalState | None], team: TeamState) -> list[ProposalState]:
    """This will keep the proposals that are the team's and pending."""
    return [
        state
        for state in states
        if state is not None and state.team_id == team.team_id and state.status is ProposalStatus.PENDING
    ]


def chosen(
    proposal_ids: Sequence[ProposalId], pending: Iterable[ProposalState], due: Iterable[ProposalState]
) -> list[ProposalState]:
    """This will give the pending proposals that were asked for; one that is neither pending in this team nor due is refused."""
    by_id = {state.proposal_id: state for state in pending}
    known = by_id.keys() | {state.proposal_id for state in due}
    for index, proposal_id in enumerate(proposal_ids):
        if proposal_id not in known:
            raise Rejected(
                Code.NOT_FOUND,
                f"Proposal {proposal_id} is not in this team's backlog, and no revisit of it is due. Leave it out.",
                "proposal_ids",
                str(index),
            )
    return [by_id[proposal_id] for proposal_id in dict.fromkeys(proposal_ids) if proposal_id in by_id]


def foremost(pending: Sequence[ProposalState], formula: Formula, limit: int) -> list[ProposalState]:
    """This will give at most `limit` proposals, the highest ranked first."""
    return sorted(pending, key=lambda state: _place(state, formula))[:limit]


def room(limit: int, due: Collection[ProposalState]) -> int:
    """This will give how many pending items still fit beside what is due."""
    return max(0, min(limit, AGENDA_MAX - len(due)))


def ranked(
    pending: Sequence[ProposalState], due: Sequence[ProposalState], formula: Formula, team: TeamState, at: datetime
) -> tuple[AgendaItem, ...]:
    """This will put the items in order: score descending, then earlier submission, then id; rank 1 is first."""
    causes = {state.proposal_id: _cause(state, team, at) for state in pending}
    causes |= {state.proposal_id: AgendaCause.REVISIT_DUE for state in due}
    ordered = foremost([*pending, *due], formula, len(causes))
    return tuple(
        AgendaItem(
            state.proposal_id,
            causes[state.proposal_id],
            state.case_version,
            state.estimate_version,
            state.impact_version,
            score(formula, state.to_item()).total,
            rank,
            expected_days(state.to_item()),
        )
        for rank, state in enumerate(ordered, 1)
    )


def _cause(state: ProposalState, team: TeamState, at: datetime) -> AgendaCause:
    """This will say why a pending item is there; STALE is one that was never answered within the team's own service level."""
    cause = state.agenda_cause
    if cause is not AgendaCause.NEW or team.days_to_decide is None or state.submitted_at is None:
        return cause
    return AgendaCause.STALE if utc(at) - state.submitted_at > timedelta(days=team.days_to_decide) else cause


def _place(state: ProposalState, formula: Formula) -> tuple[float, int, ProposalId]:
    return -score(formula, state.to_item()).total, state.submitted_position, state.proposal_id
