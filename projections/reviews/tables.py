"""The reviews view's tables."""

from projections.reviews.structs import AgendaEntry, ReviewRecord
from projections.table import Column, Index, Table

REVIEWS = Table(
    "reviews",
    ReviewRecord,
    key=("review_id",),
    columns=(
        Column("review_id", "uuid"),
        Column("team_id", "uuid"),
        Column("kind", "text"),
        Column("state", "text"),
        Column("starts_at", "timestamptz"),
    ),
    indexes=(
        Index("team_id, starts_at, review_id"),
        Index("starts_at, review_id"),
        Index("team_id, starts_at, review_id", current=False),
        Index("starts_at, review_id", current=False),
    ),
    by_stream=True,
)

ITEMS = Table(
    "review_items",
    AgendaEntry,
    key=("review_id", "proposal_id"),
    columns=(
        Column("review_id", "uuid"),
        Column("proposal_id", "uuid"),
        Column("team_id", "uuid"),
        Column("place", "bigint"),
        Column("state", "text"),
    ),
    lookups=("review_id",),
    indexes=(Index("review_id, place", current=False), Index("proposal_id", current=False)),
)

TABLES = (REVIEWS, ITEMS)
