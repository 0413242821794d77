"""A member's roles as the teams view has them. What may be written is decided from the facts themselves; this decides what may be read."""

from uuid import UUID

import psycopg
from msgspec import Struct

from ledger.api.standing import Connection
from ledger.values import Role, TeamId

VIEW = "teams"
_ROLES = b"""
SELECT p.position, m.team_id, m.roles
  FROM views.positions AS p LEFT JOIN views.team_members AS m ON m.member_id = %s AND m.valid_to IS NULL
 WHERE p.view = 'teams'
"""


class Held(Struct, frozen=True):
    """Roles by team, those across teams under ORGANISATION, and the position at which they were so."""

    roles: dict[TeamId, frozenset[Role]]
    position: int


async def roles_of(connection: Connection, member_id: UUID) -> Held:
    """This will read a member's roles; none before the views were ever built."""
    try:
        cursor = await connection.execute(_ROLES, [member_id])
        rows = await cursor.fetchall()
    except psycopg.errors.UndefinedTable:
        rows = []
    held = {team_id: frozenset(map(Role, roles)) for _, team_id, roles in rows if team_id is not None}
    return Held(held, rows[0][0] if rows else 0)
