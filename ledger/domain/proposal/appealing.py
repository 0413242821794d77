"""Appealing: a decision is asked to be looked at again, and somebody other than its decider hears it (rule 12)."""

from msgspec import Struct

from ledger.commands import Issued
from ledger.commands.proposal import DismissAppeal, LodgeAppeal, UpholdAppeal
from ledger.domain.proposal.standing import followed, said, standing, submitted
from ledger.domain.proposal.state import Appeal, AppealStatus, ProposalState
from ledger.domain.rejected import Code, Rejected
from ledger.events.proposal import AppealDismissed, AppealLodged, AppealUpheld, ProposalReopened
from ledger.values import AppealId, MemberId, ProposalStatus, ReopenCause

#: Where an answer stands that an appeal can undo.
ANSWERED = frozenset(
    {ProposalStatus.ACCEPTED, ProposalStatus.DECLINED, ProposalStatus.POSTPONED, ProposalStatus.REDIRECTED}
)


def decide_lodge_appeal(state: ProposalState | None, issued: Issued[LodgeAppeal]) -> list[Struct]:
    """This will lodge an appeal against the decision that stands; one at a time. Raises APPEAL_OPEN, WRONG_STATE, CRITICAL_BUG."""
    command = issued.command
    known = submitted(state)
    standing(known, ANSWERED - ({ProposalStatus.REDIRECTED} if known.critical else set()), "be appealed for")
    if followed(known, command.decision_id, issued) != known.last_decision:
        raise Rejected(Code.WRONG_STATE, "A later decision stands. Appeal against that one.", "decision_id")
    if known.open_appeal is not None:
        raise Rejected(
            Code.APPEAL_OPEN, "An appeal is open already. Wait until it is upheld or dismissed.", "decision_id"
        )
    if known.appeal(command.appeal_id) is not None:
        raise Rejected(Code.CONFLICT, "This appeal exists already. Lodge a new one under a new id.", "appeal_id")
    text = said(command.text, "The appeal", "text")
    return [AppealLodged(command.appeal_id, command.decision_id, issued.member_id, command.grounds, text)]


def decide_uphold_appeal(state: ProposalState | None, issued: Issued[UpholdAppeal]) -> list[Struct]:
    """This will find an appeal right, and reopen the proposal if the decision still stands. Raises OWN_APPEAL, WRONG_STATE."""
    command = issued.command
    known = submitted(state)
    appeal = _heard(known, command.appeal_id, issued.member_id)
    upheld = AppealUpheld(command.appeal_id, issued.member_id, said(command.reason, "The reason", "reason"))
    last = known.last_decision
    stands = last is not None and last.decision_id == appeal.lodged.decision_id and known.status in ANSWERED
    if not stands or known.critical:  # it has moved on since; what is left is to say who was right
        return [upheld]
    return [upheld, ProposalReopened(ReopenCause.APPEAL_UPHELD)]


def decide_dismiss_appeal(state: ProposalState | None, issued: Issued[DismissAppeal]) -> list[Struct]:
    """This will find that the decision stands. Raises OWN_APPEAL, WRONG_STATE."""
    command = issued.command
    _heard(submitted(state), command.appeal_id, issued.member_id)
    return [AppealDismissed(command.appeal_id, issued.member_id, said(command.reason, "The reason", "reason"))]


def _heard(state: ProposalState, appeal_id: AppealId, member_id: MemberId) -> Appeal:
    appeal = state.appeal(appeal_id)
    if appeal is None:
        raise Rejected(Code.NOT_FOUND, "The proposal has no such appeal. Check the appeal's id.", "appeal_id")
    if appeal.status is not AppealStatus.OPEN:
        raise Rejected(Code.WRONG_STATE, f"The appeal is {appeal.status} already. Lodge a new one.", "appeal_id")
    decision = state.decision(appeal.lodged.decision_id)
    if decision is not None and decision.taken.decider == member_id:
        raise Rejected(
            Code.OWN_APPEAL, "You took the decision, so somebody else hears its appeal. Ask another one.", "appeal_id"
        )
    if appeal.lodged.by == member_id:
        raise Rejected(
            Code.OWN_APPEAL, "You lodged the appeal, so somebody else hears it. Ask another one.", "appeal_id"
        )
    return appeal
