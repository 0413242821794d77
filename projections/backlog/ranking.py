"""By which formula each team is ranked, and what that gives a card."""

from msgspec.structs import replace

from ledger.ranking import DEFAULT_FORMULA, score
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


def ranked(rows: Rows, card: Card) -> Card:
    """This will give a card with its score by the policy in force in its team; one that is not pending keeps its last."""
    team_id = card.ranked_in
    if team_id is None:
        return card
    ranking = rows.get(RANKINGS, team_id)
    if ranking is None:
        total = score(DEFAULT_FORMULA, card.item).total
        return card if total == card.score else replace(card, score=total, policy_id=None, policy_version=0)
    total = score(ranking.formula, card.item).total
    if (total, ranking.policy_version) == (card.score, card.policy_version) and ranking.policy_id == card.policy_id:
        return card
    return replace(card, score=total, policy_id=ranking.policy_id, policy_version=ranking.policy_version)
