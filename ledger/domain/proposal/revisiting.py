"""Coming back: the conditions that bring a NO back (rule 6), whether they hold, and reopening."""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from ledger.commands import Issued
from ledger.commands.proposal import ReopenProposal, WaiveRevisit
from ledger.domain.effort import STEP, figure
from ledger.domain.proposal.standing import another, critical_bug, decision_of, said, standing
from ledger.domain.proposal.state import Decision, ProposalState
from ledger.domain.rejected import Code, Rejected
from ledger.events.proposal import ProposalReopened, RevisitWaived
from ledger.values import ProposalId, ProposalStatus, ReopenCause, RevisitCondition, RevisitKind, instant_text

#: The field that each kind of condition needs; CASE_REVISED needs none.
NEEDS = {
    RevisitKind.DATE: "on",
    RevisitKind.AFTER_REVIEWS: "count",
    RevisitKind.ITEM_DELIVERED: "proposal_id",
    RevisitKind.DRAG_ABOVE: "hours",
    RevisitKind.ESTIMATE_BELOW: "days",
    RevisitKind.INCIDENTS_AT_LEAST: "count",
    RevisitKind.CASE_REVISED: None,
}
#: From where a proposal may be asked again, if it is no critical bug.
REOPENABLE = frozenset(
    {
        ProposalStatus.DECLINED,
        ProposalStatus.POSTPONED,
        ProposalStatus.REDIRECTED,
        ProposalStatus.WITHDRAWN,
        ProposalStatus.ABANDONED,
    }
)
WAITING = frozenset({ProposalStatus.DECLINED, ProposalStatus.POSTPONED})


class Circumstances(Struct, frozen=True):
    """What conditions are held against: the time, and what happened outside the proposal.

    `reviews_held` are the positions at which product reviews of its team closed; `delivered` the proposals whose work is
    complete (those that conditions name are enough).
    """

    at: datetime
    reviews_held: tuple[int, ...] = ()
    delivered: frozenset[ProposalId] = frozenset()


def due(state: ProposalState, circumstances: Circumstances) -> tuple[RevisitCondition, ...]:
    """This will give the conditions of the standing NO that hold now; none once they are waived."""
    decision = state.last_decision
    if state.status not in WAITING or decision is None or decision.revisit_waived:
        return ()
    return tuple(c for c in decision.taken.revisit if _holds(c, state, decision, circumstances))


def _holds(c: RevisitCondition, state: ProposalState, decision: Decision, now: Circumstances) -> bool:
    likely = state.estimate.likely if state.estimate is not None else None
    drag = state.impact.drag if state.impact is not None else None
    held = _reviews(decision, now)
    return (
        (c.on is not None and c.on <= now.at)
        or (c.kind is RevisitKind.AFTER_REVIEWS and c.count is not None and held >= c.count)
        or (c.kind is RevisitKind.INCIDENTS_AT_LEAST and c.count is not None and _incidents(state, decision) >= c.count)
        or (c.proposal_id is not None and c.proposal_id in now.delivered)
        or (c.hours is not None and drag is not None and drag > c.hours)
        or (c.days is not None and likely is not None and likely < c.days)
        or (c.kind is RevisitKind.CASE_REVISED and state.case_version > decision.case_version)
    )


def _reviews(decision: Decision, now: Circumstances) -> int:
    """This will count the reviews held since the decision; the one that took it closes after it and is none of them."""
    closed = sum(position > decision.position for position in now.reviews_held)
    return closed - (decision.taken.review_id is not None)


def _incidents(state: ProposalState, decision: Decision) -> int:
    return state.incidents - decision.incidents


def reopen_due(state: ProposalState, circumstances: Circumstances) -> list[Struct]:
    """This will bring a proposal back whose revisit is due: one fact that names the conditions, or nothing."""
    holding = due(state, circumstances)
    if not holding:
        return []
    return [ProposalReopened(ReopenCause.REVISIT_DUE, ", ".join(said_of(c) for c in holding))]


def said_of(c: RevisitCondition) -> str:
    """This will write a condition as the domain writes it, such as AFTER_REVIEWS(2)."""
    field = NEEDS[c.kind]
    if field is None:
        return str(c.kind)
    value = c.on.date() if c.on is not None else getattr(c, field)
    return f"{c.kind}({value})"


def check_revisit(
    conditions: Collection[RevisitCondition], state: ProposalState, at: datetime, others: Collection[ProposalId]
) -> None:
    """This will check that each condition says exactly what its kind needs, and is yet to come. Raises BAD_USER_INPUT, NOT_FOUND."""
    for index, condition in enumerate(conditions):
        _check(condition, state, at, others, ("revisit", str(index)))


def _check(
    c: RevisitCondition, state: ProposalState, at: datetime, others: Collection[ProposalId], path: tuple[str, ...]
) -> None:
    given = {name for name in ("on", "count", "proposal_id", "hours", "days") if getattr(c, name) is not None}
    needed = NEEDS[c.kind]
    if given != ({needed} if needed is not None else set()):
        wants = f"exactly `{needed}`" if needed is not None else "nothing besides"
        raise Rejected(
            Code.BAD_USER_INPUT, f"The condition {c.kind} needs {wants}. Set that and no other field.", *path
        )
    if c.on is not None and c.on.tzinfo is None:
        raise Rejected(Code.BAD_USER_INPUT, "`on` names no time zone. Add one, such as Z for UTC.", *path, "on")
    if c.on is not None and c.on <= at:
        raise Rejected(
            Code.BAD_USER_INPUT,
            f"{instant_text(c.on)} is no day to come back on: give one after {instant_text(at)}.",
            *path,
            "on",
        )
    if c.count is not None:
        figure(Decimal(c.count), "times", (*path, "count"), least=Decimal(1))
    if c.proposal_id is not None:
        another(state, c.proposal_id, others, *path, "proposal_id")
    if c.hours is not None:
        figure(c.hours, "engineer-hours per week", (*path, "hours"))
    if c.days is not None:
        figure(c.days, "engineer-days", (*path, "days"), least=STEP)


def decide_reopen_proposal(state: ProposalState | None, issued: Issued[ReopenProposal]) -> list[Struct]:
    """This will make an answered proposal pending again: asked again, or with a new case.

    A final decline only comes back by an appeal. Raises WRONG_STATE, CRITICAL_BUG, BAD_USER_INPUT.
    """
    command = issued.command
    if command.because not in {ReopenCause.REPROPOSED, ReopenCause.CASE_REVISED}:
        raise Rejected(
            Code.BAD_USER_INPUT,
            f"{command.because} comes about by itself. Use REPROPOSED, or CASE_REVISED after a new case.",
            "because",
        )
    known = standing(state, REOPENABLE, "be reopened")
    if known.critical:  # wherever it went since: work that was begun and given up does not let it in
        raise critical_bug("be reopened")
    decision = known.last_decision
    if decision is not None and decision.taken.final and known.reopened is None:
        raise Rejected(
            Code.WRONG_STATE,
            "The decline is final, so it cannot be reopened. Appeal it, or submit a new proposal.",
            "proposal_id",
        )
    answered_on = decision.case_version if decision is not None else 1
    if command.because is ReopenCause.CASE_REVISED and known.case_version <= answered_on:
        raise Rejected(
            Code.WRONG_STATE,
            f"The case is still at version {known.case_version}, which the answer was given on. Revise it first.",
            "because",
        )
    return [ProposalReopened(command.because, command.note)]


def decide_waive_revisit(state: ProposalState | None, issued: Issued[WaiveRevisit]) -> list[Struct]:
    """This will give up the conditions of the standing NO. Raises NOT_FOUND, WRONG_STATE."""
    command = issued.command
    known = standing(state, WAITING, "have its revisit conditions waived")
    decision = decision_of(known, command.decision_id)
    if decision != known.last_decision:
        raise Rejected(Code.WRONG_STATE, "A later decision stands. Waive the conditions of that one.", "decision_id")
    if decision.revisit_waived or not decision.taken.revisit:
        raise Rejected(Code.WRONG_STATE, "The decision has no condition that is left to waive.", "decision_id")
    return [RevisitWaived(command.decision_id, said(command.reason, "The reason", "reason"))]
