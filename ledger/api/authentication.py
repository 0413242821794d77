"""From a token to the viewer: the member that it acts for, with the roles that the ledger's own facts give.

Whoever is not let in is counted (`attempts`): by the token's member and client where there is such a token that has ended, and otherwise
under one key for all, since nothing that a stranger says is believed. The operator may what nobody else may, and comes in by no token.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from ledger.api.attempts import Attempts, Key
from ledger.api.context import Authentication, Viewer
from ledger.api.oidc import NotLetIn, Verifiers
from ledger.api.roles import roles_of
from ledger.api.standing import Pool
from ledger.directory import identities, tokens
from ledger.directory.access import AccessKind
from ledger.values import SYSTEM

#: What is counted under one key each.
UNKNOWN_TOKEN = "unknown token"  # noqa: S105 - no password
MALFORMED = "no token"
NOT_LINKED = "OIDC: subject is no member"


class Door:
    """Lets in. `directory` gives the connections to look tokens up with."""

    def __init__(
        self,
        directory: Callable[[], Pool],
        pepper: bytes,
        attempts: Callable[[], Attempts],
        verifiers: Verifiers,
    ) -> None:
        self._directory, self._pepper, self._attempts, self._verifiers = directory, pepper, attempts, verifiers

    async def viewer_of(self, secret: str) -> Viewer | None:
        """This will turn a token into its viewer; None: the token lets nobody in."""
        if tokens.is_well_formed(secret):
            return await self._by_token(secret)
        if self._verifiers.may_be_theirs(secret):
            return await self._by_provider(secret)
        return self._refused(Key(AccessKind.UNAUTHENTICATED, MALFORMED))

    async def _by_token(self, secret: str) -> Viewer | None:
        async with self._directory().connection() as connection:
            token = await tokens.find(connection, self._pepper, secret)
            if token is None or token.member_id == SYSTEM:
                return self._refused(Key(AccessKind.UNAUTHENTICATED, UNKNOWN_TOKEN))
            at = datetime.now(UTC)
            if why := token.ended(at):
                return self._refused(
                    Key(AccessKind.UNAUTHENTICATED, f"{why} token", token.member_id, token.client, token.token_id)
                )
            await tokens.used(connection, token, at)
            held = await roles_of(connection, token.member_id)
        return Viewer(
            token.member_id,
            token.client,
            held.roles,
            held.position,
            frozenset(token.scopes),
            Authentication.TOKEN,
            token.token_id,
            token.expires_at,
        )

    async def _by_provider(self, secret: str) -> Viewer | None:
        try:
            claims = await self._verifiers.verified(secret)
        except NotLetIn as refused:
            return self._refused(Key(AccessKind.UNAUTHENTICATED, f"OIDC: {refused}"))
        async with self._directory().connection() as connection:
            member_id = await identities.find(connection, claims.issuer, claims.subject)
            if member_id is None or member_id == SYSTEM:
                return self._refused(Key(AccessKind.UNAUTHENTICATED, NOT_LINKED))
            held = await roles_of(connection, member_id)
        return Viewer(
            member_id,
            claims.client,
            held.roles,
            held.position,
            claims.scopes,
            Authentication.OIDC,
            expires_at=claims.expires_at,
        )

    def _refused(self, key: Key) -> Viewer | None:
        """This will count it, and let nobody in."""
        self._attempts().note(key)
        return None


def by_token(
    directory: Callable[[], Pool],
    pepper: bytes,
    attempts: Callable[[], Attempts],
    verifiers: Verifiers,
) -> Callable[[str], Awaitable[Viewer | None]]:
    """This will give the function that turns a token into its viewer; None: the token lets nobody in."""
    return Door(directory, pepper, attempts, verifiers).viewer_of
