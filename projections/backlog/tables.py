"""The backlog view's tables.

The order of the backlog is `place, submitted_position, id`, ascending: place is the score with its sign turned, so that one comparison
of rows is the cursor and one index serves it. Drag and days are -1 where they are not known, for the same reason.
"""

from typing import Any

from projections.backlog.ranking import POLICIES, RANKINGS, ranked
from projections.backlog.structs import Card
from projections.table import Column, Index, Table

PENDING = "status = 'PENDING' AND team_id IS NOT NULL"


def _place(card: Card) -> float:
    return 0.0 - card.score  # never -0.0, which would read as another number


def _page(card: Card) -> tuple[int, float, int]:
    """This will order cards as a team's pages show them; those of all teams have a few of each team side by side."""
    ranked_in = card.ranked_in
    return (0 if ranked_in is None else ranked_in.int, _place(card), card.submitted_position)


def _drag(card: Card) -> float:
    impact = card.impact
    return -1.0 if impact is None or impact.drag is None else float(impact.drag)


def _days(card: Card) -> float:
    estimate = card.estimate
    return -1.0 if estimate is None or estimate.expected_days is None else estimate.expected_days


def _awaits(card: Card) -> Any:
    return card.awaits or None


CARDS = Table(
    "backlog",
    Card,
    key=("id",),
    columns=(
        Column("id", "uuid"),
        Column("team_id", "uuid"),
        Column("area", "text"),
        Column("kind", "text"),
        Column("status", "text"),
        Column("title", "text", lambda card: card.title.casefold()),
        Column("submitted_at", "timestamptz"),
        Column("submitted_position", "bigint"),
        Column("place", "float8", _place),
        Column("drag", "float8", _drag),
        Column("days", "float8", _days),
        Column("ranked_in", "uuid", optional=True),
        Column("awaits", "uuid[]", _awaits),
        Column("awaits_managers", "boolean"),
    ),
    lookups=("ranked_in",),
    indexes=(
        Index("team_id, place, submitted_position, id", where=PENDING),
        Index("place, submitted_position, id", where=PENDING),
        Index("team_id, submitted_at, submitted_position, id", where=PENDING),
        Index("submitted_at, submitted_position, id", where=PENDING),
        Index("team_id, drag, submitted_position, id", where=PENDING),
        Index("team_id, days, submitted_position, id", where=PENDING),
        Index("team_id, title, submitted_position, id", where=PENDING),
        Index("area, team_id, status, drag, days"),
        Index("team_id, status"),
        Index("awaits", method="gin", where="awaits IS NOT NULL"),
        Index("team_id, submitted_position", where="awaits_managers"),
        # For past states: the pending versions of every time.
        Index("team_id, place, submitted_position, id", current=False, where=PENDING),
        Index("place, submitted_position, id", current=False, where=PENDING),
        Index("team_id", current=False, holds="area, status, drag, days"),
    ),
    by_stream=True,
    finish=ranked,
    order=_page,
)

TABLES = (CARDS, RANKINGS, POLICIES)
