"""What follows a decision: explaining, telling, answering, playing back, waiving."""

from msgspec import Struct
from msgspec.structs import replace

from ledger.events.envelope import Event, is_dated
from ledger.events.proposal import (
    ConcernPlayedBack,
    DecisionAcknowledged,
    DecisionCommunicated,
    DecisionExplained,
    PlaybackConfirmed,
    PlaybackCorrected,
    RevisitWaived,
)
from projections.audit.following_structs import (
    NOT_RECORDED,
    AcknowledgementGiven,
    Communication,
    Explanation,
    Playback,
    PlaybackState,
    Waiver,
    provenance,
)
from projections.audit.structs import AuditedDecision
from projections.audit.tables import DECISIONS
from projections.audit.texts import TEXTS, reason_words
from projections.projector import Projector
from projections.rows import Rows

DAY_S = 86_400


def explained(rows: Rows, event: Event, fact: DecisionExplained) -> None:
    """This will set a later reason beside the first, with its delay."""
    decision = rows.need(DECISIONS, fact.decision_id)
    later = Explanation(
        fact.reasons,
        event.occurred_at,
        event.position,
        (event.occurred_at - decision.decided_at).total_seconds() / DAY_S
        if is_dated(event) and decision.is_dated
        else None,
        event.actor.member_id,
        provenance(event),
    )
    says_nothing = all(reason.code == NOT_RECORDED for reason in fact.reasons)
    rows.put(
        DECISIONS,
        replace(
            decision,
            explanations=(*decision.explanations, later),
            unexplained=decision.unexplained and says_nothing,
        ),
    )
    words = rows.get(TEXTS, fact.decision_id)
    if words is not None:  # only NOs on a whole proposal have some
        rows.put(TEXTS, replace(words, reasons_text=f"{words.reasons_text}\n{reason_words(fact.reasons)}"))


def communicated(rows: Rows, event: Event, fact: DecisionCommunicated) -> None:
    """This will note a telling; the first whose audience names the proposer is when the decision was told."""
    decision = rows.need(DECISIONS, fact.decision_id)
    names_proposer = decision.proposer in fact.audience
    telling = Communication(
        fact.channel,
        fact.audience,
        event.occurred_at,
        event.position,
        event.actor.member_id,
        names_proposer,
        fact.reference,
    )
    told_at = decision.told_at or (event.occurred_at if names_proposer else None)
    rows.put(DECISIONS, replace(decision, communications=(*decision.communications, telling), told_at=told_at))


def acknowledged(rows: Rows, event: Event, fact: DecisionAcknowledged) -> None:
    """This will note the recipient's answer."""
    decision = rows.need(DECISIONS, fact.decision_id)
    answer = AcknowledgementGiven(fact.by, fact.answer, event.occurred_at, event.position, fact.note)
    rows.put(
        DECISIONS,
        replace(
            decision,
            acknowledgements=(*decision.acknowledgements, answer),
            acknowledged_at=decision.acknowledged_at or event.occurred_at,
        ),
    )


def played_back(rows: Rows, event: Event, fact: ConcernPlayedBack) -> None:
    """This will note the concern in the decider's words."""
    decision = rows.need(DECISIONS, fact.decision_id)
    playback = Playback(fact.by, fact.text, event.occurred_at, event.position)
    rows.put(DECISIONS, replace(decision, playbacks=(*decision.playbacks, playback)))


def playback_answered(rows: Rows, event: Event, fact: PlaybackConfirmed | PlaybackCorrected) -> None:
    """This will note what the proposer said to the last playback."""
    decision = rows.need(DECISIONS, fact.decision_id)
    *earlier, last = decision.playbacks
    answered = replace(
        last,
        state=PlaybackState.CONFIRMED if isinstance(fact, PlaybackConfirmed) else PlaybackState.CORRECTED,
        answered_by=fact.by,
        answered_at=event.occurred_at,
        correction=fact.text if isinstance(fact, PlaybackCorrected) else None,
    )
    rows.put(DECISIONS, replace(decision, playbacks=(*earlier, answered)))


def revisit_waived(rows: Rows, event: Event, fact: RevisitWaived) -> None:
    """This will note that the conditions no longer bring it back."""
    decision: AuditedDecision = rows.need(DECISIONS, fact.decision_id)
    waiver = Waiver(fact.reason, event.occurred_at, event.position, event.actor.member_id)
    rows.put(DECISIONS, replace(decision, waiver=waiver))


FOLLOWED: dict[type[Struct], Projector] = {
    DecisionExplained: explained,
    DecisionCommunicated: communicated,
    DecisionAcknowledged: acknowledged,
    ConcernPlayedBack: played_back,
    PlaybackConfirmed: playback_answered,
    PlaybackCorrected: playback_answered,
    RevisitWaived: revisit_waived,
}
