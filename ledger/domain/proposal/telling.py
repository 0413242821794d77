"""Telling: an answer is told to those who asked, acknowledged by them, and played back until it is understood."""

from msgspec import Struct

from ledger.commands import Issued
from ledger.commands.proposal import (
    AcknowledgeDecision,
    CommunicateDecision,
    ConfirmPlayback,
    CorrectPlayback,
    PlayBackConcern,
)
from ledger.domain.proposal.standing import followed, said, submitted
from ledger.domain.proposal.state import Decision, ProposalState
from ledger.domain.rejected import Code, Rejected
from ledger.events.proposal import (
    ConcernPlayedBack,
    DecisionAcknowledged,
    DecisionCommunicated,
    PlaybackConfirmed,
    PlaybackCorrected,
)
from ledger.values import DecisionId, PlaybackStage


def decide_communicate_decision(state: ProposalState | None, issued: Issued[CommunicateDecision]) -> list[Struct]:
    """This will record that an answer was told. It counts as told once an audience names the proposer (rule 10)."""
    command = issued.command
    followed(submitted(state), command.decision_id, issued)
    if not command.audience:
        raise Rejected(Code.BAD_USER_INPUT, "It was told to nobody. Name the audience.", "audience")
    audience = tuple(dict.fromkeys(command.audience))
    return [DecisionCommunicated(command.decision_id, command.channel, audience, command.reference)]


def decide_acknowledge_decision(state: ProposalState | None, issued: Issued[AcknowledgeDecision]) -> list[Struct]:
    """This will record the answer of one who asked and was told (rule 11). NOT_UNDERSTOOD asks for a playback.

    Raises NOT_RECIPIENT, NOT_TOLD, and PLAYBACK_OPEN while an earlier NOT_UNDERSTOOD is not cleared up.
    """
    command = issued.command
    decision = _for_recipient(state, command.decision_id, issued, "acknowledges it")
    if issued.member_id not in decision.audience:
        raise Rejected(
            Code.NOT_TOLD, "You have not been told this decision yet. Ask its decider to tell you.", "decision_id"
        )
    if decision.playback_open:
        raise Rejected(
            Code.PLAYBACK_OPEN,
            "The decision was not understood, and that is still open. Confirm or correct the playback first.",
            "decision_id",
        )
    return [DecisionAcknowledged(command.decision_id, issued.member_id, command.answer, command.note)]


def decide_play_back_concern(state: ProposalState | None, issued: Issued[PlayBackConcern]) -> list[Struct]:
    """This will record the decider's restatement after a NOT_UNDERSTOOD. Raises FORBIDDEN for anyone else, WRONG_STATE."""
    command = issued.command
    decision = followed(submitted(state), command.decision_id, issued)
    if decision.taken.decider not in {None, issued.member_id}:
        raise Rejected(Code.FORBIDDEN, "Only whoever took the decision plays the concern back.", "decision_id")
    if decision.playback is not PlaybackStage.ASKED:
        raise Rejected(
            Code.WRONG_STATE,
            "No playback is asked for: wait for the proposer to confirm or correct the last one."
            if decision.playback_open
            else "No playback is asked for: nobody answered NOT_UNDERSTOOD, or it is cleared up.",
            "decision_id",
        )
    return [ConcernPlayedBack(command.decision_id, issued.member_id, said(command.text, "The playback", "text"))]


def decide_confirm_playback(state: ProposalState | None, issued: Issued[ConfirmPlayback]) -> list[Struct]:
    """This will close a NOT_UNDERSTOOD: the playback is what the proposer meant. Raises NOT_RECIPIENT, WRONG_STATE."""
    _played_back(state, issued.command.decision_id, issued, "confirms its playback")
    return [PlaybackConfirmed(issued.command.decision_id, issued.member_id)]


def decide_correct_playback(state: ProposalState | None, issued: Issued[CorrectPlayback]) -> list[Struct]:
    """This will ask for another playback: the last one is not what was meant. Raises NOT_RECIPIENT, WRONG_STATE."""
    command = issued.command
    _played_back(state, command.decision_id, issued, "corrects its playback")
    return [PlaybackCorrected(command.decision_id, issued.member_id, said(command.text, "The correction", "text"))]


def _for_recipient(state: ProposalState | None, decision_id: DecisionId, issued: Issued[Struct], what: str) -> Decision:
    known = submitted(state)
    decision = followed(known, decision_id, issued)
    if issued.member_id not in known.proposers:
        raise Rejected(
            Code.NOT_RECIPIENT, f"The decision is for those who asked: only one of them {what}.", "decision_id"
        )
    return decision


def _played_back(state: ProposalState | None, decision_id: DecisionId, issued: Issued[Struct], what: str) -> None:
    if _for_recipient(state, decision_id, issued, what).playback is not PlaybackStage.PLAYED_BACK:
        raise Rejected(
            Code.WRONG_STATE, "No playback waits for an answer. Wait until the decider gives one.", "decision_id"
        )
