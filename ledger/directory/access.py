"""The record of who was refused, what was exported, and how tokens and identities changed: an auditor reads it.

It is a table of the directory and not part of the log: whoever is refused has not been let in, and a stranger must not be able to make
the log longer, which can never be shortened. The database keeps it append-only for 400 days. Attempts come counted, so that a flood is a
few rows; see `ledger.api.attempts`.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from msgspec import Struct
from psycopg import AsyncConnection, Connection
from psycopg.rows import TupleRow

from ledger.values import MemberId

_INSERT = b"""
INSERT INTO directory.access (kind, subject, member_id, client, token_id, acted_by, count, first_at, last_at)
SELECT kind, subject, member_id, client, token_id, acted_by, count,
       COALESCE(first_at, clock_timestamp()), COALESCE(last_at, clock_timestamp())
  FROM unnest(%s::text[], %s::text[], %s::uuid[], %s::text[], %s::uuid[], %s::uuid[], %s::bigint[], %s::timestamptz[],
              %s::timestamptz[]) AS e (kind, subject, member_id, client, token_id, acted_by, count, first_at, last_at)
"""
_FORGET = b"""
DELETE FROM directory.access WHERE access_id IN (
    SELECT access_id FROM directory.access
     WHERE recorded_at < clock_timestamp() - make_interval(days => directory.access_kept_days()) ORDER BY access_id LIMIT %s
)
"""
_MEANT = b"""
  FROM directory.access
 WHERE (%(kinds)s::text[] IS NULL OR kind = ANY (%(kinds)s)) AND (%(member_id)s::uuid IS NULL OR member_id = %(member_id)s)
   AND (%(since)s::timestamptz IS NULL OR last_at >= %(since)s) AND (%(until)s::timestamptz IS NULL OR first_at < %(until)s)
"""
_PAGE = (
    b"SELECT access_id, kind, subject, member_id, client, token_id, acted_by, count, first_at, last_at, recorded_at"
    + _MEANT
    + b"AND (%(after)s::bigint IS NULL OR access_id < %(after)s) ORDER BY access_id DESC LIMIT %(limit)s"
)
_TOTAL = b"SELECT count(*)" + _MEANT
#: Most characters of a subject or a client that are kept.
TEXT_MAX = 200
#: Most old rows that are removed at once.
FORGOTTEN_MAX = 10_000


class AccessKind(StrEnum):
    """What happened."""

    #: Nobody was let in.
    UNAUTHENTICATED = "UNAUTHENTICATED"
    #: A member was refused what their roles, or the token's scopes, do not allow.
    FORBIDDEN = "FORBIDDEN"
    TOKEN_CREATED = "TOKEN_CREATED"  # noqa: S105 - no password
    TOKEN_ROTATED = "TOKEN_ROTATED"  # noqa: S105
    TOKEN_REVOKED = "TOKEN_REVOKED"  # noqa: S105
    IDENTITY_LINKED = "IDENTITY_LINKED"
    IDENTITY_UNLINKED = "IDENTITY_UNLINKED"
    EXPORTED = "EXPORTED"


class Entry(Struct, frozen=True):
    """What is to be recorded. `subject` says of what, in a word or a sentence that holds no secret and nobody's name.

    `member_id`, `client` and `token_id` are whose access it was about; `acted_by` is who changed it, None for the operator. Without
    `first_at` and `last_at` it happened now, by the database's clock.
    """

    kind: AccessKind
    subject: str
    member_id: MemberId | None = None
    client: str | None = None
    token_id: UUID | None = None
    acted_by: MemberId | None = None
    count: int = 1
    first_at: datetime | None = None
    last_at: datetime | None = None


class Recorded(Struct, frozen=True):
    """An entry as it was recorded; the ids grow with time."""

    access_id: int
    kind: AccessKind
    subject: str
    member_id: MemberId | None
    client: str | None
    token_id: UUID | None
    acted_by: MemberId | None
    count: int
    first_at: datetime
    last_at: datetime
    recorded_at: datetime


class Asked(Struct, frozen=True):
    """Which entries are asked for; None: all. `since` is inclusive, `until` is not."""

    kinds: tuple[AccessKind, ...] | None = None
    member_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


def record(connection: Connection[Any], entries: Sequence[Entry]) -> None:
    """This will record entries, in one statement and within the connection's transaction."""
    connection.execute(_INSERT, _columns(entries))


async def record_counted(connection: AsyncConnection[TupleRow], entries: Sequence[Entry]) -> None:
    """This will record entries, in one statement."""
    await connection.execute(_INSERT, _columns(entries))


async def forget_old(connection: AsyncConnection[TupleRow]) -> int:
    """This will remove up to 10,000 of the entries that need not be kept any more, and say how many."""
    cursor = await connection.execute(_FORGET, [FORGOTTEN_MAX])
    return cursor.rowcount


async def page(
    connection: AsyncConnection[TupleRow], asked: Asked, *, limit: int, after: int | None = None
) -> list[Recorded]:
    """This will read entries, the latest first; `after` is the id of the last one of the page before."""
    cursor = await connection.execute(_PAGE, {**_values(asked), "limit": limit, "after": after})
    return [Recorded(row[0], AccessKind(row[1]), *row[2:]) for row in await cursor.fetchall()]


async def total(connection: AsyncConnection[TupleRow], asked: Asked) -> int:
    """This will count the entries."""
    cursor = await connection.execute(_TOTAL, _values(asked))
    row = await cursor.fetchone()
    return row[0] if row else 0


def _values(asked: Asked) -> dict[str, Any]:
    kinds = None if asked.kinds is None else [kind.value for kind in asked.kinds]
    return {"kinds": kinds, "member_id": asked.member_id, "since": asked.since, "until": asked.until}


def _columns(entries: Sequence[Entry]) -> list[list[Any]]:
    return [
        [entry.kind.value for entry in entries],
        [entry.subject[:TEXT_MAX] for entry in entries],
        [entry.member_id for entry in entries],
        [entry.client and entry.client[:TEXT_MAX] for entry in entries],
        [entry.token_id for entry in entries],
        [entry.acted_by for entry in entries],
        [entry.count for entry in entries],
        [entry.first_at for entry in entries],
        [entry.last_at for entry in entries],
    ]
