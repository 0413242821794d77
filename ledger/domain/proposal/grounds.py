"""What an answer rests on: no concern in the way, the versions that were looked at, and the item's place."""

from collections.abc import Mapping

from ledger.commands.proposal import TakeDecision
from ledger.domain.proposal.state import ProposalState
from ledger.domain.rejected import Code, Rejected
from ledger.domain.review import ReviewState
from ledger.ranking import Formula, score
from ledger.values import AgendaItem, PolicyId, ProposalId


def check_concerns(state: ProposalState) -> None:
    """This will check rule 8."""
    blocking = state.blocking_concerns
    if blocking:
        concerns, them = ("concern is", "it") if len(blocking) == 1 else ("concerns are", "them")
        raise Rejected(
            Code.CONCERN_OPEN,
            f"{len(blocking)} blocking {concerns} open ({'; '.join(_short(c.raised.text) for c in blocking)}). "
            f"Have {them} resolved, or overrule {them} with a reason.",
            "proposal_id",
        )


def _short(text: str, most: int = 80) -> str:
    return f"“{text}”" if len(text) <= most else f"“{text[: most - 1]}…”"


def check_basis(
    state: ProposalState, command: TakeDecision, review: ReviewState, policies: Mapping[PolicyId, str]
) -> None:
    """This will check rule 4, and name each version that has moved on. `policies`: the names of those that exist."""
    pairs = (
        ("case_version", "the case", command.case_version, state.case_version),
        ("estimate_version", "the estimate", command.estimate_version, state.estimate_version),
        ("impact_version", "the impact", command.impact_version, state.impact_version),
    )
    moved = [(name, f"{what} {seen} → {now}") for name, what, seen, now in pairs if seen != now]
    seen_policy, policy = (command.policy_id, command.policy_version), (review.policy_id, review.policy_version)
    if seen_policy != policy:
        was, now = _policy(*seen_policy, policies), _policy(*policy, policies)
        moved.append(("policy_version", f"the policy {was} → {now}"))
    if moved:
        raise Rejected(
            Code.STALE_BASIS,
            f"What you looked at has changed: {', '.join(words for _, words in moved)}. "
            "Look at the new versions, then decide on those.",
            moved[0][0],
        )


def _policy(policy_id: PolicyId | None, version: int, names: Mapping[PolicyId, str]) -> str:
    if policy_id is None:
        return "default"
    name = names.get(policy_id)
    return f"{policy_id if name is None else f'“{name}”'} version {version}"


def place(
    state: ProposalState, item: AgendaItem, agenda: tuple[AgendaItem, ...], formula: Formula
) -> tuple[float, int]:
    """This will give score and rank: those of the agenda, or new ones by its formula where the item moved on since it was frozen."""
    shown = (item.case_version, item.estimate_version, item.impact_version)
    if shown == (state.case_version, state.estimate_version, state.impact_version) and item.score is not None:
        return item.score, item.rank or _rank(state.proposal_id, item.score, agenda)
    total = score(formula, state.to_item()).total
    return total, _rank(state.proposal_id, total, agenda)


def _rank(proposal_id: ProposalId, total: float, agenda: tuple[AgendaItem, ...]) -> int:
    rank, seen = 1, False
    for other in agenda:
        seen = seen or other.proposal_id == proposal_id
        ahead = (other.score or 0.0) > total or ((other.score or 0.0) == total and not seen)
        rank += ahead and other.proposal_id != proposal_id
    return rank


def cut_score(review: ReviewState) -> float | None:
    """This will give the lowest score that still fits: the last item in rank order before the expected days exceed the capacity.

    Items without an estimate take up nothing and cut nothing. None: nothing fits, or nothing is ranked.
    """
    left, cut = float(review.capacity), None
    for item in review.items:
        if item.expected_days is None:
            continue
        left -= item.expected_days
        if left < 0:
            break
        cut = item.score
    return cut
