"""The teams view's tables: few rows, few changes."""

from projections.table import Column, Index, Table
from projections.teams.structs import Membership, Policy, ReasonCode, Team

TEAMS = Table(
    "teams",
    Team,
    key=("team_id",),
    columns=(
        Column("team_id", "uuid"),
        Column("name", "text", lambda team: team.name.casefold()),
        Column("policy_id", "uuid", optional=True),
        Column("source", "text"),
    ),
    indexes=(Index("name, team_id"),),
    by_stream=True,
)

MEMBERSHIPS = Table(
    "team_members",
    Membership,
    key=("member_id", "team_id"),
    columns=(Column("member_id", "uuid"), Column("team_id", "uuid"), Column("roles", "text[]")),
    lookups=("team_id",),
    indexes=(Index("member_id"),),
)

POLICIES = Table(
    "policies",
    Policy,
    key=("policy_id",),
    columns=(Column("policy_id", "uuid"), Column("name", "text", lambda policy: policy.name.casefold())),
    by_stream=True,
)

REASON_CODES = Table("reason_codes", ReasonCode, key=("code",), columns=(Column("code", "text"),))

TABLES = (TEAMS, MEMBERSHIPS, POLICIES, REASON_CODES)
