"""From facts to what is counted."""

from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace

from ledger.events.envelope import Event, is_dated, is_undated
from ledger.events.proposal import (
    DecisionAcknowledged,
    DecisionCarriedOver,
    DecisionCommunicated,
    DecisionExplained,
    DecisionTaken,
    EstimateChanged,
    EstimateGiven,
    PlaybackConfirmed,
    ProposalMerged,
    ProposalRedirected,
    ProposalReopened,
    ProposalSplit,
    ProposalSubmitted,
    ProposalSuperseded,
    ProposalWithdrawn,
    WorkAbandoned,
    WorkCompleted,
    WorkStarted,
)
from ledger.events.review import AgendaFrozen
from ledger.values import Acknowledgement, Disposition, ProposalId, Verdict
from projections.projector import Projector, View
from projections.rows import Rows
from projections.transparency.around import AROUND
from projections.transparency.structs import (
    CountedDecision,
    CountedProposal,
    Mark,
    MarkKind,
    Said,
)
from projections.transparency.tables import DECISIONS, MARKS, PROPOSALS, TABLES, TEAMS

NOT_RECORDED = "NOT_RECORDED"
DAY_S = 86_400


def submitted(rows: Rows, event: Event, fact: ProposalSubmitted) -> None:
    """This will count a proposal."""
    rows.put(
        PROPOSALS,
        CountedProposal(
            ProposalId(event.stream_id),
            fact.team_id,
            event.occurred_at,
            fact.area,
            event.source.system if event.source else None,
            fact.proposer,
            is_dated=is_dated(event),
            undated=is_undated(event),
        ),
    )


def decided(rows: Rows, event: Event, fact: DecisionTaken) -> None:
    """This will count a decision; one on a part of a proposal leaves the proposal as it was."""
    proposal = rows.need(PROPOSALS, event.stream_id)
    whole, refused = fact.scope is None, fact.verdict is Verdict.NO
    first = whole and not proposal.answers
    new = whole and fact.disposition not in proposal.answers
    waited = (event.occurred_at - proposal.submitted_at).total_seconds() / DAY_S
    is_known = proposal.is_dated and is_dated(event) and waited >= 0
    team = rows.get(TEAMS, proposal.team_id) if refused and whole and event.source is None else None
    hours = team.hours_to_tell if team else None
    said = Said(0)
    for holds, flag in (
        (not whole, Said.SCOPED),
        (any(reason.code != NOT_RECORDED for reason in fact.reasons), Said.REASONED),
        (hours is not None, Said.PROMISED),
        (fact.self_decided, Said.SELF_DECIDED),
        (event.source is not None, Said.IMPORTED),
        (first, Said.FIRST),
        (new, Said.FIRST_OF_ITS_KIND),
    ):
        said |= flag if holds else Said(0)
    rows.put(
        DECISIONS,
        CountedDecision(
            fact.decision_id,
            proposal.team_id,
            event.occurred_at,
            fact.disposition,
            int(said),
            proposal.area,
            event.source.system if event.source else None,
            proposal.proposer,
            tuple(dict.fromkeys(reason.code for reason in fact.reasons)),
            waited if first and is_known else None,
            None if hours is None else event.occurred_at + timedelta(hours=hours),
            is_undated(event),
        ),
    )
    if whole:
        looked_at = proposal.looked_at or event.occurred_at
        answers = (*proposal.answers, fact.disposition) if new else proposal.answers
        rows.put(PROPOSALS, replace(proposal, pending=False, answers=answers, looked_at=looked_at))
        if fact.disposition is Disposition.REDIRECT:
            redirected(rows, event, fact)


def redirected(rows: Rows, event: Event, fact: Struct) -> None:
    """This will count a proposal that left for another list, once: the decision and the leaving may be two facts."""
    proposal = rows.need(PROPOSALS, event.stream_id)
    if not proposal.redirected:
        rows.put(PROPOSALS, replace(proposal, pending=False, begun_pending=False, redirected=True))
        _mark(rows, event, proposal, MarkKind.REDIRECTED)


def reopened(rows: Rows, event: Event, fact: ProposalReopened) -> None:
    """This will count a return to the backlog."""
    proposal = rows.need(PROPOSALS, event.stream_id)
    rows.put(PROPOSALS, replace(proposal, pending=True, redirected=False, reopened=True))
    _mark(rows, event, proposal, MarkKind.REOPENED, first=not proposal.reopened)


def estimated(rows: Rows, event: Event, fact: EstimateGiven) -> None:
    """This will count a first estimate; a source may give several, of several subjects."""
    proposal = rows.need(PROPOSALS, event.stream_id)
    _mark(rows, event, proposal, MarkKind.ESTIMATED, first=fact.estimate_version == 1)


def estimate_changed(rows: Rows, event: Event, fact: EstimateChanged) -> None:
    """This will count a change of an estimate, apart from its being taken away."""
    proposal = rows.need(PROPOSALS, event.stream_id)
    if fact.removed:
        _mark(rows, event, proposal, MarkKind.ESTIMATE_REMOVED)
        return
    _mark(rows, event, proposal, MarkKind.ESTIMATE_CHANGED, first=not proposal.estimate_changed)
    if not proposal.estimate_changed:
        rows.put(PROPOSALS, replace(proposal, estimate_changed=True))


def started(rows: Rows, event: Event, fact: WorkStarted) -> None:
    """This will count a start of work, and one without a YES apart."""
    kind = MarkKind.STARTED_WITHOUT_YES if fact.without_yes else MarkKind.STARTED
    proposal = rows.need(PROPOSALS, event.stream_id)
    if proposal.pending and fact.without_yes:
        rows.put(PROPOSALS, replace(proposal, begun_pending=True))
    _leaves(kind)(rows, event, fact)


def abandoned(rows: Rows, event: Event, fact: WorkAbandoned) -> None:
    """This will count work that was given up. Work without a YES (rule 14) has answered nothing: what was pending is so again."""
    proposal = rows.need(PROPOSALS, event.stream_id)
    if proposal.begun_pending:
        rows.put(PROPOSALS, replace(proposal, pending=True, begun_pending=False))
    _mark(rows, event, proposal, MarkKind.ABANDONED)


def _leaves(kind: MarkKind) -> Projector:
    """This will count a fact after which its proposal no longer waits for an answer."""

    def count(rows: Rows, event: Event, fact: Struct) -> None:
        proposal = rows.need(PROPOSALS, event.stream_id)
        if proposal.pending:
            rows.put(PROPOSALS, replace(proposal, pending=False))
        _mark(rows, event, proposal, kind)

    return count


def carried_over(rows: Rows, event: Event, fact: DecisionCarriedOver) -> None:
    """This will count an item that a review left undecided."""
    _mark(rows, event, rows.need(PROPOSALS, event.stream_id), MarkKind.CARRIED_OVER)


def _mark(rows: Rows, event: Event, proposal: CountedProposal, kind: MarkKind, *, first: bool = True) -> None:
    rows.put(
        MARKS,
        Mark(
            event.position,
            proposal.proposal_id,
            proposal.team_id,
            kind,
            event.occurred_at,
            first,
            proposal.area,
            event.source.system if event.source else None,
            is_undated(event),
        ),
    )


def _says(rows: Rows, decision: CountedDecision, flags: Said) -> None:
    if decision.said | flags != decision.said:
        rows.put(DECISIONS, replace(decision, said=int(decision.said | flags)))


def explained(rows: Rows, event: Event, fact: DecisionExplained) -> None:
    """This will note that a reason came after the decision."""
    if any(reason.code != NOT_RECORDED for reason in fact.reasons):
        _says(rows, rows.need(DECISIONS, fact.decision_id), Said.EXPLAINED)


def communicated(rows: Rows, event: Event, fact: DecisionCommunicated) -> None:
    """This will note that the proposer was told, and whether within the team's service level."""
    decision = rows.need(DECISIONS, fact.decision_id)
    if decision.proposer in fact.audience and not decision.said & Said.TOLD:
        in_time = decision.tell_by is not None and event.occurred_at <= decision.tell_by
        _says(rows, decision, Said.TOLD | Said.TOLD_IN_TIME if in_time else Said.TOLD)


def acknowledged(rows: Rows, event: Event, fact: DecisionAcknowledged) -> None:
    """This will note that the recipient answered, and whether the decision was understood."""
    understood = Said(0) if fact.answer is Acknowledgement.NOT_UNDERSTOOD else Said.UNDERSTOOD
    _says(rows, rows.need(DECISIONS, fact.decision_id), Said.ACKNOWLEDGED | understood)


def playback_confirmed(rows: Rows, event: Event, fact: PlaybackConfirmed) -> None:
    """This will note that the proposer was understood in the end."""
    _says(rows, rows.need(DECISIONS, fact.decision_id), Said.UNDERSTOOD)


def agenda_frozen(rows: Rows, event: Event, fact: AgendaFrozen) -> None:
    """This will note which proposals somebody looks at for the first time."""
    for item in fact.items:
        proposal = rows.need(PROPOSALS, item.proposal_id)
        if proposal.looked_at is None:
            rows.put(PROPOSALS, replace(proposal, looked_at=event.occurred_at))


VIEW = View(
    "transparency",
    TABLES,
    {
        ProposalSubmitted: submitted,
        DecisionTaken: decided,
        ProposalRedirected: redirected,
        ProposalReopened: reopened,
        EstimateGiven: estimated,
        EstimateChanged: estimate_changed,
        DecisionCarriedOver: carried_over,
        ProposalWithdrawn: _leaves(MarkKind.WITHDRAWN),
        ProposalMerged: _leaves(MarkKind.MERGED),
        ProposalSuperseded: _leaves(MarkKind.SUPERSEDED),
        ProposalSplit: _leaves(MarkKind.SPLIT),
        WorkStarted: started,
        WorkCompleted: _leaves(MarkKind.COMPLETED),
        WorkAbandoned: abandoned,
        DecisionExplained: explained,
        DecisionCommunicated: communicated,
        DecisionAcknowledged: acknowledged,
        PlaybackConfirmed: playback_confirmed,
        AgendaFrozen: agenda_frozen,
        **AROUND,
    },
    weight=9,
)
