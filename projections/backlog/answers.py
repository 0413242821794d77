"""What becomes of a card: concerns, the answer, the telling of it, appeals, work and endings."""

from typing import Any
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from ledger.events.envelope import Event
from ledger.events.proposal import (
    AppealDismissed,
    AppealLodged,
    AppealUpheld,
    ConcernAnswered,
    ConcernOverruled,
    ConcernPlayedBack,
    ConcernRaised,
    ConcernResolved,
    DecisionAcknowledged,
    DecisionCarriedOver,
    DecisionCommunicated,
    DecisionExplained,
    DecisionTaken,
    PlaybackConfirmed,
    PlaybackCorrected,
    ProposalMerged,
    ProposalRedirected,
    ProposalSplit,
    ProposalSuperseded,
    ProposalWithdrawn,
    WorkAbandoned,
    WorkCompleted,
    WorkPaused,
    WorkStarted,
)
from ledger.values import Acknowledgement, DecisionId, Disposition, PlaybackStage, ProposalStatus
from projections.backlog.cards import card_of
from projections.backlog.structs import Card, ConcernShort, DecisionShort, OpenPlayback
from projections.backlog.tables import CARDS
from projections.projector import Projector
from projections.rows import Rows

STATUS_AFTER = {
    Disposition.SCHEDULE: ProposalStatus.ACCEPTED,
    Disposition.DECLINE: ProposalStatus.DECLINED,
    Disposition.POSTPONE: ProposalStatus.POSTPONED,
    Disposition.REDIRECT: ProposalStatus.REDIRECTED,
}


def _put(rows: Rows, event: Event, card: Card, **changes: Any) -> None:
    rows.change(CARDS, card, touched_at=event.occurred_at, **changes)


def _leave(rows: Rows, event: Event, card: Card, status: ProposalStatus, **changes: Any) -> None:
    """This will take the card off the backlog."""
    _put(rows, event, card, status=status, ranked_in=None, **changes)


def raised(rows: Rows, event: Event, fact: ConcernRaised) -> None:
    """This will add an open concern."""
    card = card_of(rows, event)
    concern = ConcernShort(fact.concern_id, fact.raised_by, event.occurred_at, fact.blocking)
    _put(rows, event, card, concerns=(*card.concerns, concern))


def concern_answered(rows: Rows, event: Event, fact: ConcernAnswered) -> None:
    """This will mark a concern as answered; it stays open until it is resolved or overruled."""
    card = card_of(rows, event)
    concerns = [replace(c, answered=True) if c.concern_id == fact.concern_id else c for c in card.concerns]
    _put(rows, event, card, concerns=tuple(concerns))


def concern_settled(rows: Rows, event: Event, fact: ConcernResolved | ConcernOverruled) -> None:
    """This will take a concern off the open ones."""
    card = card_of(rows, event)
    _put(rows, event, card, concerns=tuple([c for c in card.concerns if c.concern_id != fact.concern_id]))


def decided(rows: Rows, event: Event, fact: DecisionTaken) -> None:
    """This will show the answer; one on a part of the proposal is only counted."""
    card = card_of(rows, event)
    if fact.scope is not None:
        _put(rows, event, card, scoped_decisions=card.scoped_decisions + 1)
        return
    decision = DecisionShort(
        fact.decision_id,
        fact.verdict,
        fact.disposition,
        event.occurred_at,
        event.position,
        fact.review_id,
        fact.decider,
        tuple([reason.code for reason in fact.reasons]),
        fact.self_decided,
        open_appeal=card.decision.open_appeal if card.decision else None,  # it waits, whatever is answered meanwhile
        imported=event.source is not None,
    )
    _leave(
        rows,
        event,
        card,
        STATUS_AFTER[fact.disposition],
        decision=decision,
        carried_over=0,
        reopened=None,
        paused=False,
        redirect_url=fact.redirect_url,
    )


def _decision(rows: Rows, event: Event, decision_id: UUID | None, **changes: Any) -> None:
    """This will change the decision that is shown; None stands for whichever that is. An earlier one is the audit's."""
    card = card_of(rows, event)
    decision = card.decision
    if decision is not None and decision_id in {None, decision.decision_id}:
        _put(rows, event, card, decision=replace(decision, **changes))


def _playback(rows: Rows, event: Event, decision_id: DecisionId, stage: PlaybackStage) -> None:
    """This will note where a playback stands, of an earlier decision too: that waits until it is confirmed (rule 11)."""
    card = card_of(rows, event)
    others = tuple([playback for playback in card.playbacks if playback.decision_id != decision_id])
    is_open = stage is not PlaybackStage.CONFIRMED
    _put(rows, event, card, playbacks=(*others, OpenPlayback(decision_id, stage)) if is_open else others)
    _decision(rows, event, decision_id, playback=stage)


def explained(rows: Rows, event: Event, fact: DecisionExplained) -> None:
    """This will note that a reason came later."""
    _decision(rows, event, fact.decision_id, explained=True)


def carried_over(rows: Rows, event: Event, fact: DecisionCarriedOver) -> None:
    """This will count how often it was left undecided."""
    _put(rows, event, card_of(rows, event), carried_over=fact.count)


def communicated(rows: Rows, event: Event, fact: DecisionCommunicated) -> None:
    """This will note who was told, and when the proposer first was."""
    card = card_of(rows, event)
    decision = card.decision
    if decision is not None and decision.decision_id == fact.decision_id:
        told_at = decision.told_at or (event.occurred_at if card.proposer in fact.audience else None)
        audience = tuple(dict.fromkeys((*decision.audience, *fact.audience)))
        _put(rows, event, card, decision=replace(decision, told_at=told_at, audience=audience))


def acknowledged(rows: Rows, event: Event, fact: DecisionAcknowledged) -> None:
    """This will note the recipient's answer; NOT_UNDERSTOOD asks for a playback."""
    if fact.answer is Acknowledgement.NOT_UNDERSTOOD:
        _playback(rows, event, fact.decision_id, PlaybackStage.ASKED)
    _decision(rows, event, fact.decision_id, answer=fact.answer)


def played_back(rows: Rows, event: Event, fact: ConcernPlayedBack) -> None:
    """This will note that the playback waits for the proposer."""
    _playback(rows, event, fact.decision_id, PlaybackStage.PLAYED_BACK)


def playback_confirmed(rows: Rows, event: Event, fact: PlaybackConfirmed) -> None:
    """This will note that it was understood."""
    _playback(rows, event, fact.decision_id, PlaybackStage.CONFIRMED)


def playback_corrected(rows: Rows, event: Event, fact: PlaybackCorrected) -> None:
    """This will ask for another playback."""
    _playback(rows, event, fact.decision_id, PlaybackStage.ASKED)


def appeal_lodged(rows: Rows, event: Event, fact: AppealLodged) -> None:
    """This will show the appeal that waits to be heard."""
    _decision(rows, event, fact.decision_id, open_appeal=fact.appeal_id)


def appeal_heard(rows: Rows, event: Event, fact: AppealUpheld | AppealDismissed) -> None:
    """This will show that none waits any more."""
    _decision(rows, event, None, open_appeal=None)


def redirected(rows: Rows, event: Event, fact: ProposalRedirected) -> None:
    """This will show where it went."""
    _leave(rows, event, card_of(rows, event), ProposalStatus.REDIRECTED, redirect_url=fact.url)


def withdrawn(rows: Rows, event: Event, fact: ProposalWithdrawn) -> None:
    """This will take it off the list."""
    _leave(rows, event, card_of(rows, event), ProposalStatus.WITHDRAWN)


def merged(rows: Rows, event: Event, fact: ProposalMerged) -> None:
    """This will show what it went on as a part of."""
    _leave(rows, event, card_of(rows, event), ProposalStatus.MERGED, successors=(fact.into,))


def superseded(rows: Rows, event: Event, fact: ProposalSuperseded) -> None:
    """This will show what took its place, where the source says it."""
    by = () if fact.by is None else (fact.by,)
    _leave(rows, event, card_of(rows, event), ProposalStatus.SUPERSEDED, successors=by)


def split(rows: Rows, event: Event, fact: ProposalSplit) -> None:
    """This will show its parts."""
    _leave(rows, event, card_of(rows, event), ProposalStatus.SPLIT, successors=fact.children)


def started(rows: Rows, event: Event, fact: WorkStarted) -> None:
    """This will show that work is under way; work without a YES stays marked as the exception it is."""
    card = card_of(rows, event)
    going_on = card.status is ProposalStatus.IN_PROGRESS
    _leave(
        rows,
        event,
        card,
        ProposalStatus.IN_PROGRESS,
        stood=card.stood if going_on else card.status if fact.without_yes else None,
        paused=False,
        without_yes=card.without_yes or fact.without_yes,
        started_at=card.started_at or event.occurred_at,
    )


def paused(rows: Rows, event: Event, fact: WorkPaused) -> None:
    """This will show that work rests."""
    _put(rows, event, card_of(rows, event), paused=True)


def completed(rows: Rows, event: Event, fact: WorkCompleted) -> None:
    """This will show that the debt is paid."""
    card = card_of(rows, event)
    _leave(rows, event, card, ProposalStatus.COMPLETED, paused=False, ended_at=event.occurred_at)


def abandoned(rows: Rows, event: Event, fact: WorkAbandoned) -> None:
    """This will show that work ended without the debt being paid. Work without a YES (rule 14) has answered nothing."""
    card = card_of(rows, event)
    stood = card.stood if card.status is ProposalStatus.IN_PROGRESS else None
    status = ProposalStatus.ABANDONED if stood is None else stood
    ranked_in = card.team_id if status is ProposalStatus.PENDING else None
    _put(rows, event, card, status=status, stood=None, ranked_in=ranked_in, paused=False, ended_at=event.occurred_at)


ANSWERS: dict[type[Struct], Projector] = {
    ConcernRaised: raised,
    ConcernAnswered: concern_answered,
    ConcernResolved: concern_settled,
    ConcernOverruled: concern_settled,
    DecisionTaken: decided,
    DecisionExplained: explained,
    DecisionCarriedOver: carried_over,
    DecisionCommunicated: communicated,
    DecisionAcknowledged: acknowledged,
    ConcernPlayedBack: played_back,
    PlaybackConfirmed: playback_confirmed,
    PlaybackCorrected: playback_corrected,
    AppealLodged: appeal_lodged,
    AppealUpheld: appeal_heard,
    AppealDismissed: appeal_heard,
    ProposalRedirected: redirected,
    ProposalWithdrawn: withdrawn,
    ProposalMerged: merged,
    ProposalSuperseded: superseded,
    ProposalSplit: split,
    WorkStarted: started,
    WorkPaused: paused,
    WorkCompleted: completed,
    WorkAbandoned: abandoned,
}
