"""Whom an identity provider's people are here: issuer and subject → member. Linked by hand: a name in a token is never believed."""

from typing import Any
from uuid import UUID

from msgspec import Struct
from psycopg import AsyncConnection, Connection
from psycopg.errors import UniqueViolation
from psycopg.rows import TupleRow

from ledger.directory import access
from ledger.directory.access import AccessKind, Entry
from ledger.directory.members import held
from ledger.values import MemberId

_LINK = b"INSERT INTO directory.identities (issuer, subject, member_id) VALUES (%s, %s, %s)"
_UNLINK = b"DELETE FROM directory.identities WHERE issuer = %s AND subject = %s RETURNING member_id"
_FIND = b"""
SELECT i.member_id FROM directory.identities AS i JOIN directory.members AS m USING (member_id)
 WHERE i.issuer = %s AND i.subject = %s AND m.erased_at IS NULL
"""
_LINKED = b"SELECT member_id FROM directory.identities WHERE issuer = %s AND subject = %s"
_PAGE = b"""
SELECT issuer, subject, member_id FROM directory.identities
 WHERE (%(member_id)s::uuid IS NULL OR member_id = %(member_id)s)
   AND (%(issuer)s::text IS NULL OR (issuer, subject) > (%(issuer)s, %(subject)s))
 ORDER BY issuer, subject LIMIT %(limit)s
"""
_TOTAL = b"""
SELECT count(*) FROM directory.identities WHERE (%(member_id)s::uuid IS NULL OR member_id = %(member_id)s)
"""
_ALL = b"SELECT issuer, subject, member_id FROM directory.identities ORDER BY issuer, subject"


#: Most characters of a subject, as of the claim `sub`.
SUBJECT_MAX = 255


class Identity(Struct, frozen=True):
    """Somebody at an identity provider, and the member that they are."""

    issuer: str
    subject: str
    member_id: MemberId


class Asked(Struct, frozen=True):
    """Which links are asked for; None: all. `after` is the issuer and the subject of the last one of the page before."""

    member_id: UUID | None = None
    after: tuple[str, str] | None = None


class LinkedAlready(Exception):  # noqa: N818 - named for what happened
    """This subject is somebody's already; unlink it first."""


def is_subject(text: str) -> bool:
    """This will say whether a provider's tokens may have this claim `sub`: 1 to 255 characters that can be seen."""
    return 0 < len(text) <= SUBJECT_MAX and text.isprintable()


def link(connection: Connection[Any], identity: Identity, *, by: MemberId | None = None) -> None:
    """This will say who a provider's subject is. Raises LinkedAlready, and NoSuchMember."""
    try:
        with connection.transaction():
            held(connection, identity.member_id)
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


def linked(connection: Connection[Any], issuer: str, subject: str) -> MemberId | None:
    """This will say who a provider's subject is, erased or not; None: nobody here."""
    row = connection.execute(_LINKED, [issuer, subject]).fetchone()
    return None if row is None else MemberId(row[0])


def page(connection: Connection[Any], asked: Asked, limit: int) -> list[Identity]:
    """This will read links, in the order of issuer and subject."""
    issuer, subject = asked.after or (None, None)
    values = {"member_id": asked.member_id, "issuer": issuer, "subject": subject, "limit": limit}
    return [Identity(*row) for row in connection.execute(_PAGE, values).fetchall()]


def total(connection: Connection[Any], asked: Asked) -> int:
    """This will count the links that all pages have."""
    ((found,),) = connection.execute(_TOTAL, {"member_id": asked.member_id}).fetchall()
    count: int = found
    return count


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
