"""Whom an identity provider's people are here: issuer and subject → member. Linked by hand: a name in a token is never believed."""

from typing import Any

from msgspec import Struct
from psycopg import AsyncConnection, Connection
from psycopg.errors import UniqueViolation
from psycopg.rows import TupleRow

from ledger.directory import access
from ledger.directory.access import AccessKind, Entry
from ledger.values import MemberId

_LINK = b"INSERT INTO directory.identities (issuer, subject, member_id) VALUES (%s, %s, %s)"
_UNLINK = b"DELETE FROM directory.identities WHERE issuer = %s AND subject = %s RETURNING member_id"
_FIND = b"""
SELECT i.member_id FROM directory.identities AS i JOIN directory.members AS m USING (member_id)
 WHERE i.issuer = %s AND i.subject = %s AND m.erased_at IS NULL
"""
_ALL = b"SELECT issuer, subject, member_id FROM directory.identities ORDER BY issuer, subject"


class Identity(Struct, frozen=True):
    """Somebody at an identity provider, and the member that they are."""

    issuer: str
    subject: str
    member_id: MemberId


class LinkedAlready(Exception):  # noqa: N818 - named for what happened
    """This subject is somebody's already; unlink it first."""


def link(connection: Connection[Any], identity: Identity, *, by: MemberId | None = None) -> None:
    """This will say who a provider's subject is. Raises LinkedAlready."""
    try:
        with connection.transaction():
            connection.execute(_LINK, [identity.issuer, identity.subject, identity.member_id])
            access.record(connection, [_entry(AccessKind.IDENTITY_LINKED, identity.issuer, identity.member_id, by)])
    except UniqueViolation:
        raise LinkedAlready(f"{identity.subject} of {identity.issuer} is a member already; unlink it first") from None


def unlink(connection: Connection[Any], issuer: str, subject: str, *, by: MemberId | None = None) -> bool:
    """This will forget who a provider's subject is; False: nobody here."""
    with connection.transaction():
        row = connection.execute(_UNLINK, [issuer, subject]).fetchone()
        if row is None:
            return False
        access.record(connection, [_entry(AccessKind.IDENTITY_UNLINKED, issuer, row[0], by)])
    return True


def every(connection: Connection[Any]) -> list[Identity]:
    """This will give all links."""
    return [Identity(*row) for row in connection.execute(_ALL).fetchall()]


async def find(connection: AsyncConnection[TupleRow], issuer: str, subject: str) -> MemberId | None:
    """This will find the member that a provider's subject is; None: nobody here."""
    cursor = await connection.execute(_FIND, [issuer, subject])
    row = await cursor.fetchone()
    return None if row is None else MemberId(row[0])


def _entry(kind: AccessKind, issuer: str, member_id: MemberId, by: MemberId | None) -> Entry:
    return Entry(kind, issuer, member_id=member_id, acted_by=by)
