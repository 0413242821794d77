"""From a token to the viewer: the member that it acts for, with the roles that the ledger's own facts give."""

from collections.abc import Awaitable, Callable

from ledger.api.context import Viewer
from ledger.api.roles import roles_of
from ledger.api.standing import Pool
from ledger.directory.tokens import authenticate, is_well_formed


def by_token(directory: Callable[[], Pool], pepper: bytes) -> Callable[[str], Awaitable[Viewer | None]]:
    """This will give the function that turns a token into its viewer; None: the token lets nobody in."""

    async def viewer_of(secret: str) -> Viewer | None:
        if not is_well_formed(secret):
            return None
        async with directory().connection() as connection:
            token = await authenticate(connection, pepper, secret)
            if token is None:
                return None
            held = await roles_of(connection, token.member_id)
            return Viewer(token.member_id, token.client, held.roles, held.position)

    return viewer_of
