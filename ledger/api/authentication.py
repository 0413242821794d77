"""From a token to the viewer: the member that it acts for, with the roles that the ledger's own facts give."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from ledger.api.context import Viewer
from ledger.api.standing import Connection, Pool
from ledger.directory.tokens import authenticate
from ledger.values import MemberId, Role, TeamId

_ROLES = b"""
SELECT stream_id, topic, convert_from(payload, 'UTF8')::json ->> 'role'
  FROM ledger.events
 WHERE topic IN ('RoleGranted', 'RoleRevoked', 'MemberLeft')
   AND convert_from(payload, 'UTF8')::json ->> 'member_id' = %s
 ORDER BY position
"""


async def roles_of(connection: Connection, member_id: UUID) -> dict[TeamId, frozenset[Role]]:
    """This will give a member's roles by team, from the facts; those across teams are under ORGANISATION."""
    roles: dict[TeamId, frozenset[Role]] = {}
    cursor = await connection.execute(_ROLES, [str(member_id)])
    for team_id, topic, role in await cursor.fetchall():
        held = roles.get(team_id, frozenset())
        if topic == "RoleGranted":
            roles[team_id] = held | {Role(role)}
        else:
            roles[team_id] = held - {Role(role)} if topic == "RoleRevoked" else frozenset()
    return {team_id: held for team_id, held in roles.items() if held}


def by_token(
    directory: Callable[[], Pool], reads: Callable[[], Pool], pepper: bytes
) -> Callable[[str], Awaitable[Viewer | None]]:
    """This will give the function that turns a token into its viewer; None: the token lets nobody in."""

    async def viewer_of(secret: str) -> Viewer | None:
        async with directory().connection() as connection:
            token = await authenticate(connection, pepper, secret)
        if token is None:
            return None
        async with reads().connection() as connection:
            roles = await roles_of(connection, token.member_id)
        return Viewer(MemberId(token.member_id), token.client, roles)

    return viewer_of
