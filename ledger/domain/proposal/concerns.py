"""Worrying: concerns are raised, answered, settled by their raiser or overruled, and never deleted."""

from msgspec import Struct

from ledger.commands import Issued
from ledger.commands.proposal import AnswerConcern, OverruleConcern, RaiseConcern, ResolveConcern
from ledger.domain.proposal.standing import LIVING, said, standing, submitted
from ledger.domain.proposal.state import Concern, ProposalState
from ledger.domain.rejected import Code, Rejected
from ledger.events.proposal import ConcernAnswered, ConcernOverruled, ConcernRaised, ConcernResolved
from ledger.values import ConcernId


def decide_raise_concern(state: ProposalState | None, issued: Issued[RaiseConcern]) -> list[Struct]:
    """This will record a concern; a blocking one holds the decision up (rule 8)."""
    command = issued.command
    known = standing(state, LIVING, "be worried about")
    if known.concern(command.concern_id) is not None:
        raise Rejected(Code.CONFLICT, "This concern exists already. Raise a new one under a new id.", "concern_id")
    text = said(command.text, "The concern", "text")
    return [ConcernRaised(command.concern_id, issued.member_id, text, command.blocking)]


def decide_answer_concern(state: ProposalState | None, issued: Issued[AnswerConcern]) -> list[Struct]:
    """This will record an answer; the concern stays open until its raiser resolves it."""
    command = issued.command
    _open_concern(submitted(state), command.concern_id)
    return [ConcernAnswered(command.concern_id, issued.member_id, said(command.text, "The answer", "text"))]


def decide_resolve_concern(state: ProposalState | None, issued: Issued[ResolveConcern]) -> list[Struct]:
    """This will settle a concern, by its raiser only. Raises FORBIDDEN for anyone else."""
    command = issued.command
    concern = _open_concern(submitted(state), command.concern_id)
    if concern.raised.raised_by != issued.member_id:
        raise Rejected(
            Code.FORBIDDEN, "Only whoever raised a concern resolves it. Answer it, or overrule it.", "concern_id"
        )
    return [ConcernResolved(command.concern_id, command.note)]


def decide_overrule_concern(state: ProposalState | None, issued: Issued[OverruleConcern]) -> list[Struct]:
    """This will let a decision be taken in spite of a concern, which stays visible (rule 8)."""
    command = issued.command
    _open_concern(submitted(state), command.concern_id)
    return [ConcernOverruled(command.concern_id, issued.member_id, said(command.reason, "The reason", "reason"))]


def _open_concern(state: ProposalState, concern_id: ConcernId) -> Concern:
    concern = state.concern(concern_id)
    if concern is None:
        raise Rejected(Code.NOT_FOUND, "The proposal has no such concern. Check the concern's id.", "concern_id")
    if not concern.is_open:
        raise Rejected(
            Code.WRONG_STATE,
            f"The concern is {concern.status} already. Raise a new one if it is not over.",
            "concern_id",
        )
    return concern
