"""Answering: a decision with all that it rested on, a better reason given later, and an item left for the next review."""

from collections.abc import Collection, Mapping
from decimal import Decimal

from msgspec import Struct

from ledger.commands import Issued
from ledger.commands.proposal import ExplainDecision, TakeDecision
from ledger.commands.review import CarryOverItem
from ledger.domain.effort import effort, plain, stepped
from ledger.domain.proposal.grounds import check_basis, check_concerns, cut_score, place
from ledger.domain.proposal.reasons import Beside, check_reasons
from ledger.domain.proposal.revisiting import check_revisit
from ledger.domain.proposal.standing import another, followed, said, seen, standing, submitted
from ledger.domain.proposal.state import ProposalState
from ledger.domain.rejected import Code, Rejected
from ledger.domain.review import ReviewState, answerable, happens_inside
from ledger.domain.times import not_before
from ledger.events.proposal import DecisionCarriedOver, DecisionExplained, DecisionTaken
from ledger.ranking import Formula, expected_days
from ledger.values import (
    Basis,
    Disposition,
    PolicyId,
    ProposalId,
    ProposalStatus,
    RedirectTarget,
    RevisitKind,
    Verdict,
)

#: How often in a row an item may be left undecided (rule 9).
CARRY_OVERS_MAX = 2


def decide_take_decision(
    state: ProposalState | None,
    issued: Issued[TakeDecision],
    review: ReviewState,
    formula: Formula,
    codes: Mapping[str, str | None],
    others: Collection[ProposalId],
    policies: Mapping[PolicyId, str],
) -> list[Struct]:
    """This will answer one item (rules 4 to 8 and 13). `formula`: what ranks the review's agenda; `codes`: the active reason codes
    with the companion that each asks for; `others`: those of the proposals named in the command that exist; `policies`: the names of
    the command's and the review's.

    Raises WRONG_STATE, CONFLICT, REVIEW_NOT_OPEN, NOT_ON_AGENDA, CONCERN_OPEN, STALE_BASIS, OVER_CAPACITY, and what the
    checks of the answer raise.
    """
    command = issued.command
    known = standing(state, {ProposalStatus.PENDING}, "be decided")
    if known.decision(command.decision_id) is not None:
        raise Rejected(Code.CONFLICT, "This decision exists already. Take a new one under a new id.", "decision_id")
    item = answerable(review, known.proposal_id, known.team_id)
    happens_inside(review, issued)
    if not known.imported:  # of one that is, its source may know only roughly when it was made
        not_before(issued, known.submitted_at, "the proposal was submitted")
    check_concerns(known)
    check_basis(known, command, review, policies)
    _check_shape(command)
    if command.verdict is Verdict.NO:
        _check_no(known, issued, codes, others)
        days = over_reason = None
    else:
        days, over_reason = _reserve(known, command, review)
    total, rank = place(known, item, review.items, formula)
    return [
        DecisionTaken(
            decision_id=command.decision_id,
            verdict=command.verdict,
            disposition=command.disposition,
            review_id=review.review_id,
            basis=Basis(
                known.case_version,
                known.estimate_version,
                known.impact_version,
                review.policy_id,
                review.policy_version,
            ),
            score=total,
            rank=rank,
            cut_score=cut_score(review),
            capacity_left=review.capacity_left,
            days_reserved=days,
            over_capacity_reason=over_reason,
            reasons=command.reasons,
            chosen_instead=command.chosen_instead,
            revisit=command.revisit,
            reconsider_if=command.reconsider_if,
            final=command.final,
            decider=issued.member_id,
            self_decided=issued.member_id in known.proposers,
            redirect=command.redirect,
            redirect_url=command.redirect_url,
        )
    ]


def _check_shape(command: TakeDecision) -> None:
    """This will check that the parts of the answer belong together."""
    verdict = Verdict.YES if command.disposition is Disposition.SCHEDULE else Verdict.NO
    if command.verdict is not verdict:
        raise Rejected(
            Code.BAD_USER_INPUT,
            f"{command.disposition} does not follow from {command.verdict}. "
            "A YES is SCHEDULE; a NO is DECLINE, POSTPONE or REDIRECT.",
            "disposition",
        )
    of_yes, of_no = command.verdict is Verdict.YES, command.verdict is Verdict.NO
    of_decline, of_redirect = command.disposition is Disposition.DECLINE, command.disposition is Disposition.REDIRECT
    returns = of_no and not of_redirect and not (of_decline and command.final)
    parts = (
        ("days_reserved", command.days_reserved is not None, of_yes, "a YES"),
        ("over_capacity_reason", command.over_capacity_reason is not None, of_yes, "a YES"),
        ("reasons", bool(command.reasons), of_no, "a NO"),
        ("chosen_instead", bool(command.chosen_instead), of_no, "a NO"),
        (
            "revisit",
            bool(command.revisit),
            returns,
            "a NO that may come back (POSTPONE, or DECLINE if not final)",
        ),
        ("reconsider_if", command.reconsider_if is not None, of_decline, "DECLINE"),
        ("final", command.final, of_decline, "DECLINE"),
        ("redirect", command.redirect is not None, of_redirect, "REDIRECT"),
        ("redirect_url", command.redirect_url is not None, of_redirect, "REDIRECT"),
    )
    for name, given, belongs, where in parts:
        if given and not belongs:
            raise Rejected(Code.BAD_USER_INPUT, f"`{name}` belongs to {where} only. Leave it out.", name)


def _check_no(
    state: ProposalState, issued: Issued[TakeDecision], codes: Mapping[str, str | None], others: Collection[ProposalId]
) -> None:
    """This will check rules 5 and 6."""
    command = issued.command
    for index, chosen in enumerate(command.chosen_instead):
        another(state, chosen, others, "chosen_instead", str(index))
    check_reasons(command.reasons, codes, Beside(bool(command.chosen_instead), bool(command.revisit)))
    check_revisit(command.revisit, state, issued.at, others)
    match command.disposition:
        case Disposition.POSTPONE:
            if all(condition.kind is not RevisitKind.DATE for condition in command.revisit):
                raise Rejected(
                    Code.REVISIT_MISSING,
                    "A POSTPONE needs a day on which it comes back at the latest. Add a revisit condition DATE.",
                    "revisit",
                )
        case Disposition.DECLINE:
            said_if = bool(seen(command.reconsider_if))
            if said_if == command.final:
                raise Rejected(
                    Code.RECONSIDER_MISSING,
                    "A DECLINE says either what would make you reconsider, or that it is final. Give one of the two.",
                    "reconsider_if",
                )
        case _:
            _check_redirect(command)


def _check_redirect(command: TakeDecision) -> None:
    if command.redirect is None:
        raise Rejected(Code.BAD_USER_INPUT, "A REDIRECT says where to. Name the kind of list.", "redirect")
    if command.redirect is not RedirectTarget.SEVERITY_TRACK and command.redirect_url is None:
        raise Rejected(
            Code.BAD_USER_INPUT, "A REDIRECT says where it is followed from now on. Give the link.", "redirect_url"
        )


def _reserve(state: ProposalState, command: TakeDecision, review: ReviewState) -> tuple[Decimal, str | None]:
    """This will check rule 13; it gives the days to reserve, and why the capacity is gone over (None: it is not)."""
    if command.days_reserved is not None:
        days = effort(command.days_reserved, "days_reserved")
    else:
        expected = expected_days(state.to_item())
        if expected is None:
            raise Rejected(
                Code.BAD_USER_INPUT,
                "The proposal has no estimate in days to reserve by. Give `days_reserved`, or have it estimated.",
                "days_reserved",
            )
        days = stepped(expected)
    left = review.capacity_left
    if days <= left:
        return days, None
    if not seen(command.over_capacity_reason):
        raise Rejected(Code.OVER_CAPACITY, _over(days, left, review.capacity), "over_capacity_reason")
    return days, command.over_capacity_reason


def _over(days: Decimal, left: Decimal, whole: Decimal) -> str:
    takes = f"This takes {plain(days)} day{'' if days == 1 else 's'}"
    if left > 0:
        are = "is" if left == 1 else "are"
        return (
            f"{takes} and {plain(left)} of {plain(whole)} {are} left, {plain(days - left)} too few. "
            "Reserve fewer, or give `over_capacity_reason`."
        )
    gone = "all" if left == 0 else plain(whole - left)
    return f"{takes}, and {gone} of {plain(whole)} are reserved already. Give `over_capacity_reason`, or carry the item over."


def decide_explain_decision(
    state: ProposalState | None, issued: Issued[ExplainDecision], codes: Mapping[str, str | None]
) -> list[Struct]:
    """This will record reasons given after a NO, under the same rule 5; they never replace the first. Raises WRONG_STATE."""
    command = issued.command
    taken = followed(submitted(state), command.decision_id, issued).taken
    if taken.verdict is not Verdict.NO:
        raise Rejected(Code.WRONG_STATE, "The answer was YES, which needs no reason. Explain a NO.", "decision_id")
    check_reasons(command.reasons, codes, Beside(bool(taken.chosen_instead), bool(taken.revisit)))
    return [DecisionExplained(command.decision_id, command.reasons)]


def decide_carry_over_item(state: ProposalState | None, issued: Issued[CarryOverItem]) -> list[Struct]:
    """This will leave an item undecided for the second time in a row at most (rule 9). Raises CARRIED_OVER_TOO_OFTEN."""
    command = issued.command
    known = standing(state, {ProposalStatus.PENDING}, "be carried over")
    reason = said(command.reason, "The reason", "reason")
    if known.carried_over >= CARRY_OVERS_MAX:
        raise Rejected(
            Code.CARRIED_OVER_TOO_OFTEN,
            f"The item was carried over {known.carried_over} times in a row already. Decide it now.",
            "proposal_id",
        )
    return [DecisionCarriedOver(command.review_id, reason, known.carried_over + 1)]
