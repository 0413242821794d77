"""From a token to the viewer: the member that it acts for, with the roles that the ledger's own facts give."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import psycopg

from ledger.api.context import Viewer
from ledger.api.standing import Connection, Pool
from ledger.directory.tokens import authenticate, is_well_formed
from ledger.values import Role, TeamId

_ROLES = b"SELECT team_id, roles FROM views.team_members WHERE member_id = %s AND valid_to IS NULL"


async def roles_of(connection: Connection, member_id: UUID) -> dict[TeamId, frozenset[Role]]:
    """This will give a member's roles by team, from the facts; those across teams are under ORGANISATION."""
    try:
        cursor = await connection.execute(_ROLES, [member_id])
        return {team_id: frozenset(map(Role, roles)) for team_id, roles in await cursor.fetchall()}
    except psycopg.errors.UndefinedTable:  # the views have never been built
        return {}


def by_token(directory: Callable[[], Pool], pepper: bytes) -> Callable[[str], Awaitable[Viewer | None]]:
    """This will give the function that turns a token into its viewer; None: the token lets nobody in."""

    async def viewer_of(secret: str) -> Viewer | None:
        if not is_well_formed(secret):
            return None
        async with directory().connection() as connection:
            token = await authenticate(connection, pepper, secret)
            if token is None:
                return None
            return Viewer(token.member_id, token.client, await roles_of(connection, token.member_id))

    return viewer_of
