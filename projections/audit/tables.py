"""The audit view's tables."""

from typing import Any

from projections.audit.structs import (
    AppealRecord,
    AuditedDecision,
    AuditedProposal,
    AuditedReview,
    AuditedTeam,
    ConcernRecord,
    PolicyVersion,
)
from projections.audit.texts import CASES, TEXTS
from projections.table import Column, Index, Table

PROPOSALS = Table(
    "audit_proposals",
    AuditedProposal,
    key=("proposal_id",),
    columns=(Column("proposal_id", "uuid"), Column("team_id", "uuid"), Column("status", "text")),
    by_stream=True,
)


def _codes(decision: AuditedDecision) -> Any:
    return list(decision.codes)


DECISIONS = Table(
    "audit_decisions",
    AuditedDecision,
    key=("decision_id",),
    columns=(
        Column("decision_id", "uuid"),
        Column("proposal_id", "uuid"),
        Column("team_id", "uuid"),
        Column("decided_at", "timestamptz"),
        Column("undated", "boolean"),
        Column("position", "bigint"),
        Column("disposition", "text"),
        Column("area", "text"),
        Column("decider", "uuid", optional=True),
        Column("system", "text"),
        Column("codes", "text[]", _codes),
        Column("scoped", "boolean"),
        Column("standing", "boolean"),
        Column("told", "boolean"),
        Column("acknowledged_at", "timestamptz", optional=True),
        Column("unexplained", "boolean"),
        Column("unexplained_when_decided", "boolean"),
        Column("may_return", "boolean"),
        Column("next_date", "timestamptz", optional=True),
        Column("review_id", "uuid", optional=True),
        Column("policy_id", "uuid", optional=True),
        Column("policy_version", "bigint"),
        Column("told_hours", "float8", optional=True),
        Column("appealed", "boolean"),
        Column("overturned", "boolean"),
        Column("earlier_noes", "bigint"),
        Column("mentions", "uuid[]", lambda row: list(row.mentions)),
    ),
    indexes=(
        Index("proposal_id, position", current=False),
        Index("decided_at, decision_id", where="disposition <> 'SCHEDULE' AND NOT scoped"),
        Index("team_id, decided_at, decision_id", where="disposition <> 'SCHEDULE' AND NOT scoped"),
        Index("decided_at", where="standing AND disposition <> 'SCHEDULE' AND acknowledged_at IS NULL"),
        Index("COALESCE(next_date, 'infinity'), decision_id", where="may_return"),
        Index("codes", method="gin", where="disposition <> 'SCHEDULE' AND NOT scoped"),
        # The same lists in past states.
        Index("decided_at, decision_id", current=False, where="disposition <> 'SCHEDULE' AND NOT scoped"),
        Index("team_id, decided_at, decision_id", current=False, where="disposition <> 'SCHEDULE' AND NOT scoped"),
        Index(
            "decided_at",
            current=False,
            where="standing AND disposition <> 'SCHEDULE' AND acknowledged_at IS NULL",
        ),
        Index("COALESCE(next_date, 'infinity'), decision_id", current=False, where="may_return"),
    ),
)

CONCERNS = Table(
    "audit_concerns",
    ConcernRecord,
    key=("concern_id",),
    columns=(
        Column("concern_id", "uuid"),
        Column("proposal_id", "uuid"),
        Column("team_id", "uuid"),
        Column("raised_at", "timestamptz"),
        Column("state", "text"),
        Column("blocking", "boolean"),
    ),
    indexes=(
        Index("proposal_id, raised_at", current=False),
        Index("team_id, raised_at, concern_id"),
        Index("team_id, raised_at, concern_id", current=False),
    ),
)

APPEALS = Table(
    "audit_appeals",
    AppealRecord,
    key=("appeal_id",),
    columns=(
        Column("appeal_id", "uuid"),
        Column("proposal_id", "uuid"),
        Column("decision_id", "uuid"),
        Column("team_id", "uuid"),
        Column("lodged_at", "timestamptz"),
        Column("state", "text"),
    ),
    indexes=(
        Index("decision_id", current=False),
        Index("team_id, lodged_at, appeal_id"),
        Index("team_id, lodged_at, appeal_id", current=False),
    ),
)

REVIEWS = Table(
    "audit_reviews", AuditedReview, key=("review_id",), columns=(Column("review_id", "uuid"),), by_stream=True
)

TEAMS = Table(
    "audit_teams",
    AuditedTeam,
    key=("team_id",),
    columns=(Column("team_id", "uuid"), Column("name", "text")),
    by_stream=True,
)

POLICIES = Table(
    "audit_policies",
    PolicyVersion,
    key=("policy_id", "version"),
    columns=(Column("policy_id", "uuid"), Column("version", "bigint")),
)

TABLES = (PROPOSALS, DECISIONS, CONCERNS, APPEALS, REVIEWS, TEAMS, POLICIES, CASES, TEXTS)
