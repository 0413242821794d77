"""Where a proposal must stand for a thing to be done to it, and what to do instead where it does not."""

import re
from collections.abc import Collection

from msgspec import Struct

from ledger.commands.issued import SEEN, UNSEEN, Issued
from ledger.domain.proposal.state import Decision, ProposalState
from ledger.domain.rejected import Code, Rejected
from ledger.domain.times import not_before
from ledger.values import DecisionId, ProposalId, ProposalStatus

_SEEN = re.compile(SEEN)
_UNSEEN = re.compile(f"[{UNSEEN}]")

#: Where a proposal is still the team's to look at, whatever the answer was.
LIVING = frozenset(
    {
        ProposalStatus.PENDING,
        ProposalStatus.ACCEPTED,
        ProposalStatus.DECLINED,
        ProposalStatus.POSTPONED,
        ProposalStatus.IN_PROGRESS,
    }
)

INSTEAD = {
    ProposalStatus.PENDING: "Let a product review answer it first.",
    ProposalStatus.ACCEPTED: "Start its work, or appeal the decision.",
    ProposalStatus.DECLINED: "Reopen it, or appeal the decision.",
    ProposalStatus.POSTPONED: "Wait for its revisit conditions, reopen it, or appeal the decision.",
    ProposalStatus.REDIRECTED: "Follow it where it was sent, or reopen it.",
    ProposalStatus.IN_PROGRESS: "Complete or abandon its work first.",
    ProposalStatus.COMPLETED: "Submit a new proposal for what is left.",
    ProposalStatus.ABANDONED: "Reopen it first.",
    ProposalStatus.WITHDRAWN: "Reopen it first.",
    ProposalStatus.MERGED: "Go on with the proposal that took it in.",
    ProposalStatus.SUPERSEDED: "Go on with the later proposal.",
    ProposalStatus.SPLIT: "Go on with its parts.",
}


def submitted(state: ProposalState | None) -> ProposalState:
    """This will give the proposal's state, or reject with NOT_FOUND where there is no such proposal."""
    if state is None or not state.is_submitted:
        raise Rejected(Code.NOT_FOUND, "There is no such proposal. Check its id.", "proposal_id")
    return state


def standing(state: ProposalState | None, allowed: Collection[ProposalStatus], what: str) -> ProposalState:
    """This will give the state if its status is allowed; `what` ends the sentence "it cannot …".

    Raises NOT_FOUND, CRITICAL_BUG for one that left for the severity track, and WRONG_STATE with what to do instead.
    """
    known = submitted(state)
    if known.status in allowed:
        return known
    if known.critical and known.status is ProposalStatus.REDIRECTED:
        raise critical_bug(what)
    raise Rejected(
        Code.WRONG_STATE,
        f"The proposal is {known.status}, so it cannot {what}. {INSTEAD[known.status]}",
        "proposal_id",
    )


def critical_bug(what: str) -> Rejected:
    """This will make the refusal of a critical bug; `what` ends the sentence "it cannot …"."""
    return Rejected(
        Code.CRITICAL_BUG,
        f"It is a critical bug and left for the severity track, so it cannot {what}. "
        "Follow it there, or screen it again if it is none.",
        "proposal_id",
    )


def decision_of(state: ProposalState, decision_id: DecisionId) -> Decision:
    """This will give one decision of the proposal, or reject with NOT_FOUND."""
    found = state.decision(decision_id)
    if found is None:
        raise Rejected(Code.NOT_FOUND, "The proposal has no such decision. Check the decision's id.", "decision_id")
    return found


def followed(state: ProposalState, decision_id: DecisionId, issued: Issued[Struct]) -> Decision:
    """This will give the decision that a command answers to, or reject one that would have been true before it was taken.

    When an imported one was taken, its source may know only roughly.
    """
    decision = decision_of(state, decision_id)
    if decision.taken.review_id is not None:
        not_before(issued, decision.taken_at, "the decision was taken")
    return decision


def seen(text: str | None) -> str:
    """This will give what a reader sees of a text: nothing of what shows nothing, and no blanks at its ends."""
    return _UNSEEN.sub("", text or "").strip()


def said(text: str, what: str, *path: str) -> str:
    """This will give the text as it is, or reject one that says nothing."""
    if not _SEEN.search(text):
        raise Rejected(Code.BAD_USER_INPUT, f"{what} is empty. Say it in words.", *path)
    return text


def another(state: ProposalState, other: ProposalId, known: Collection[ProposalId], *path: str) -> ProposalId:
    """This will give the id of another proposal that exists; itself and unknown ones are rejected."""
    if other == state.proposal_id:
        raise Rejected(Code.BAD_USER_INPUT, "A proposal cannot refer to itself here. Name another one.", *path)
    if other not in known:
        raise Rejected(Code.NOT_FOUND, f"There is no proposal {other}. Check its id.", *path)
    return other
