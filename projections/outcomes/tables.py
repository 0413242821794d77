"""The outcomes view's tables."""

from projections.outcomes.structs import BenefitRecord, Expectation, Loss
from projections.table import Column, Index, Table

EXPECTATIONS = Table(
    "outcomes_expectations",
    Expectation,
    key=("proposal_id",),
    columns=(
        Column("proposal_id", "uuid"),
        Column("team_id", "uuid"),
        Column("area", "text"),
        Column("system", "text"),
        Column("basis", "text"),
        Column("completed_at", "timestamptz", optional=True),
        Column("ratio", "float8", optional=True),
        Column("covered", "boolean", optional=True),
        Column("disposition", "text"),
        Column("codes", "text[]", lambda row: list(row.codes)),
    ),
    indexes=(
        Index("team_id, completed_at, area, basis, ratio, covered, system", where="ratio IS NOT NULL"),
        Index("team_id, disposition", where="disposition IN ('DECLINE', 'POSTPONE')"),
    ),
    by_stream=True,
)

BENEFITS = Table(
    "outcomes_benefits",
    BenefitRecord,
    key=("benefit_id",),
    columns=(
        Column("benefit_id", "uuid"),
        Column("proposal_id", "uuid"),
        Column("team_id", "uuid"),
        Column("area", "text"),
        Column("benefit", "text"),
        Column("day", "bigint"),
        Column("unit", "text"),
        Column("at", "timestamptz"),
        Column("promised", "float8", lambda row: None if row.promised is None else float(row.promised), optional=True),
        Column("realised", "float8", lambda row: float(row.realised)),
    ),
    indexes=(Index("team_id, at"),),
    grows_only=True,
)

LOSSES = Table(
    "outcomes_losses",
    Loss,
    key=("loss_id",),
    columns=(
        Column("loss_id", "uuid"),
        Column("proposal_id", "uuid"),
        Column("team_id", "uuid"),
        Column("area", "text"),
        Column("at", "timestamptz"),
        Column("hours", "float8", lambda row: float(row.hours)),
        Column("disposition", "text"),
        Column("codes", "text[]", lambda row: list(row.codes)),
    ),
    indexes=(Index("team_id, at"),),
    grows_only=True,
)

TABLES = (EXPECTATIONS, BENEFITS, LOSSES)
