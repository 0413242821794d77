"""Leaving: a proposal is withdrawn, or goes on in another one."""

from collections.abc import Mapping

from msgspec import Struct

from ledger.commands import Issued
from ledger.commands.proposal import MergeProposal, SplitProposal, SupersedeProposal, WithdrawProposal
from ledger.domain.proposal.standing import INSTEAD, LIVING, another, standing
from ledger.domain.proposal.state import ProposalState
from ledger.domain.rejected import Code, Rejected
from ledger.events.proposal import ProposalMerged, ProposalSplit, ProposalSuperseded, ProposalWithdrawn
from ledger.values import ProposalId, ProposalStatus

#: Where those who asked may still take it back.
OPEN = frozenset({ProposalStatus.PENDING, ProposalStatus.ACCEPTED, ProposalStatus.POSTPONED})
#: Where it may go on in another one: what is being worked on may not.
MOVABLE = LIVING - {ProposalStatus.IN_PROGRESS}
PARTS_MIN = 2


def decide_withdraw_proposal(state: ProposalState | None, issued: Issued[WithdrawProposal]) -> list[Struct]:
    """This will take a proposal back, by those who asked. Raises FORBIDDEN for anyone else."""
    known = standing(state, OPEN, "be withdrawn")
    if known.proposers and issued.member_id not in known.proposers:
        raise Rejected(Code.FORBIDDEN, "Only those who asked take a proposal back. Ask one of them.", "proposal_id")
    return [ProposalWithdrawn(issued.command.reason)]


def decide_merge_proposal(
    state: ProposalState | None, issued: Issued[MergeProposal], others: Mapping[ProposalId, ProposalState]
) -> list[Struct]:
    """This will let a proposal go on in another living one; `others` holds those named that exist."""
    known = standing(state, MOVABLE, "be merged")
    return [ProposalMerged(_living(known, issued.command.into, others, "into"), issued.command.note)]


def decide_supersede_proposal(
    state: ProposalState | None, issued: Issued[SupersedeProposal], others: Mapping[ProposalId, ProposalState]
) -> list[Struct]:
    """This will say that another proposal took its place; `others` holds those named that exist."""
    known = standing(state, MOVABLE, "be superseded")
    return [ProposalSuperseded(another(known, issued.command.by, others, "by"), issued.command.reason)]


def decide_split_proposal(
    state: ProposalState | None, issued: Issued[SplitProposal], others: Mapping[ProposalId, ProposalState]
) -> list[Struct]:
    """This will let a proposal go on in two or more living ones; `others` holds those named that exist."""
    command = issued.command
    known = standing(state, MOVABLE, "be split")
    if len(set(command.children)) < max(PARTS_MIN, len(command.children)):
        raise Rejected(Code.BAD_USER_INPUT, "A split has two parts or more, each named once. Name them.", "children")
    children = tuple(_living(known, c, others, "children", str(i)) for i, c in enumerate(command.children))
    return [ProposalSplit(children, command.note)]


def _living(
    state: ProposalState, other: ProposalId, others: Mapping[ProposalId, ProposalState], *path: str
) -> ProposalId:
    status = others[another(state, other, others, *path)].status
    if status not in LIVING:
        raise Rejected(
            Code.WRONG_STATE, f"The other proposal is {status}, so nothing goes on in it. {INSTEAD[status]}", *path
        )
    return other
