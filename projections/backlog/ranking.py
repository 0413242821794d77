"""By which formula each team is ranked, and what that gives a card."""

from msgspec.structs import force_setattr, replace

from ledger.ranking import DEFAULT_FORMULA, score_total
from projections.backlog.structs import Card, Policy, Ranking
from projections.rows import Rows
from projections.table import Column, Table

RANKINGS = Table(
    "backlog_rankings",
    Ranking,
    key=("team_id",),
    columns=(Column("team_id", "uuid"), Column("policy_id", "uuid")),
    lookups=("policy_id",),
    by_stream=True,
)

POLICIES = Table("backlog_policies", Policy, key=("policy_id",), columns=(Column("policy_id", "uuid"),), by_stream=True)


def ranked(rows: Rows, card: Card, before: Card | None) -> Card:
    """This will give a card with its score by the policy in force in its team; one that is not pending keeps its last."""
    team_id = card.ranked_in
    if team_id is None:
        return card
    ranking = rows.get(RANKINGS, team_id)
    if ranking is None:
        formula, policy_id, policy_version = DEFAULT_FORMULA, None, 0
    else:
        formula, policy_id, policy_version = ranking.formula, ranking.policy_id, ranking.policy_version
    same_policy = policy_version == card.policy_version and (policy_id is card.policy_id or policy_id == card.policy_id)
    if (
        before is not None
        and same_policy
        and before.ranked_in is not None
        and card.estimate is before.estimate
        and card.impact is before.impact
        and card.case is before.case
    ):
        return card  # nothing that a formula reads has changed
    total = score_total(formula, card.item, card.expected_days)
    if same_policy and total == card.score:
        return card
    if card is before:
        return replace(card, score=total, policy_id=policy_id, policy_version=policy_version)
    for name, value in (("score", total), ("policy_id", policy_id), ("policy_version", policy_version)):
        force_setattr(card, name, value)  # the command under way has made it
    return card
