"""The transparency view's tables. Their indexes hold every column that is counted, so that a count reads no row."""

from datetime import datetime
from operator import attrgetter
from typing import Any

from projections.table import Column, Index, Table
from projections.transparency.structs import CountedDecision, CountedProposal, CountedTeam, Mark, Matter, Said


def _when(attribute: str) -> Column:
    """This will make a column of an instant. What is undated has none: it is in no period."""
    at = attrgetter(attribute)

    def when(row: Any) -> datetime | None:
        return None if row.undated else at(row)

    return Column(attribute, "timestamptz", when, optional=True)


def _month(attribute: str) -> Column:
    """This will make a column of months since year 0 (UTC), a number of few values, which the planner knows; of `_when`'s instant."""
    at = attrgetter(attribute)

    def month(row: Any) -> int | None:
        found: datetime = at(row)
        return None if row.undated else found.year * 12 + found.month - 1

    return Column("month", "bigint", month, optional=True)


PROPOSALS = Table(
    "transparency_proposals",
    CountedProposal,
    key=("proposal_id",),
    columns=(
        Column("proposal_id", "uuid"),
        Column("team_id", "uuid"),
        _when("submitted_at"),
        _month("submitted_at"),
        Column("area", "text"),
        Column("system", "text"),
        Column("unseen", "boolean", lambda row: row.pending and row.looked_at is None),
    ),
    indexes=(
        Index("team_id, submitted_at, month, area, system, unseen"),
        Index("team_id", current=False, holds="submitted_at, month, area, system, unseen"),
    ),
    by_stream=True,
)

DECISIONS = Table(
    "transparency_decisions",
    CountedDecision,
    key=("decision_id",),
    columns=(
        Column("decision_id", "uuid"),
        Column("team_id", "uuid"),
        _when("decided_at"),
        _month("decided_at"),
        Column("disposition", "text"),
        Column("said", "bigint"),
        Column("area", "text"),
        Column("system", "text"),
        Column("waited_days", "float8", optional=True),
        Column("codes", "text[]", lambda row: list(row.codes)),
        # Once it is told, time no longer runs.
        Column("tell_by", "timestamptz", lambda row: None if row.said & Said.TOLD else row.tell_by, optional=True),
    ),
    indexes=(
        Index("team_id, tell_by", where="tell_by IS NOT NULL"),
        Index("team_id, tell_by", current=False, where="tell_by IS NOT NULL"),
        Index("team_id, decided_at, month, disposition, said, area, system, waited_days"),
        Index("team_id", current=False, holds="decided_at, month, disposition, said, area, system, waited_days"),
    ),
)

MARKS = Table(
    "transparency_marks",
    Mark,
    key=("position",),
    columns=(
        Column("position", "bigint"),
        Column("proposal_id", "uuid"),
        Column("team_id", "uuid"),
        Column("kind", "text"),
        _when("at"),
        _month("at"),
        Column("first", "boolean"),
        Column("area", "text"),
        Column("system", "text"),
    ),
    indexes=(Index("team_id, at, month, kind, first, area, system, proposal_id, valid_from"),),
    grows_only=True,
    documents=False,
)

MATTERS = Table(
    "transparency_matters",
    Matter,
    key=("matter_id",),
    columns=(
        Column("matter_id", "uuid"),
        Column("team_id", "uuid"),
        Column("kind", "text"),
        _when("at"),
        Column("state", "text"),
        Column("area", "text"),
        Column("system", "text"),
    ),
    indexes=(
        Index("team_id, at, kind, state, area, system"),
        Index("team_id", current=False, holds="at, kind, state, area, system"),
    ),
)

TEAMS = Table(
    "transparency_teams",
    CountedTeam,
    key=("team_id",),
    columns=(
        Column("team_id", "uuid"),
        Column("formed_at", "timestamptz"),
        Column("engineering_days", "bigint", optional=True),
        Column("product_days", "bigint", optional=True),
    ),
    by_stream=True,
)

TABLES = (PROPOSALS, DECISIONS, MARKS, MATTERS, TEAMS)
