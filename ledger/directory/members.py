"""Members' personal data. Facts name ids only, so that a name can be corrected, or erased, without touching the log."""

import logging
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from time import sleep
from typing import Any
from uuid import UUID

from msgspec import Struct
from psycopg import AsyncConnection, Connection, errors
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from ledger.directory import access
from ledger.directory.access import AccessKind, Entry
from ledger.values import SYSTEM, MemberId

log = logging.getLogger(__name__)

_READ = b"SELECT member_id, name, address, erased_at, kind FROM directory.members WHERE member_id = ANY(%s)"
_PUT = b"""
INSERT INTO directory.members (member_id, name, address, kind)
SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[])
ON CONFLICT (member_id) DO UPDATE SET name = excluded.name, address = COALESCE(excluded.address, members.address)
WHERE members.erased_at IS NULL
"""
_ERASE = b"""
UPDATE directory.members SET name = NULL, address = NULL, erased_at = now() WHERE member_id = %s AND erased_at IS NULL
"""
#: What else would still say who they were, or let them in.
_UNLINK = b"DELETE FROM directory.identities WHERE member_id = %s RETURNING issuer"
_SHUT_OUT = b"""
UPDATE directory.tokens SET revoked_at = now() WHERE member_id = %s AND revoked_at IS NULL RETURNING hint, client, token_id
"""
_HOLD = b"SELECT kind FROM directory.members WHERE member_id = %s AND erased_at IS NULL FOR UPDATE"


class MemberKind(StrEnum):
    """A person, or a program that is a member by itself: a portal, a robot. Fixed when the member is entered."""

    PERSON = "PERSON"
    SERVICE = "SERVICE"


class Person(Struct, frozen=True):
    """Who a member id is. None: not known, or erased."""

    member_id: MemberId
    name: str | None = None
    address: str | None = None
    erased_at: datetime | None = None
    kind: MemberKind = MemberKind.PERSON


#: Whoever reads in this database since before, and whoever writes in any of the server's: readers who come later look as far back.
_OLDER = """
SELECT 1 WHERE pg_snapshot_xmin(pg_current_snapshot())::text::bigint <= %(now)s OR EXISTS (
  SELECT FROM pg_stat_activity
   WHERE datname = current_database() AND pid <> pg_backend_pid() AND age(backend_xmin) > age(%(xid)s::text::xid))
"""


#: Most characters of a name.
NAME_MAX = 200


class NoSuchMember(Exception):  # noqa: N818 - named for what happened
    """Whoever is to be let in must be a member whom the directory knows, and not the operator, whom no token is for."""


async def people(connection: AsyncConnection[TupleRow], ids: Iterable[UUID]) -> dict[MemberId, Person]:
    """This will read who the ids are, in one statement; an id that is not in the directory is absent."""
    wanted = list(set(ids))
    if not wanted:
        return {}
    cursor = await connection.execute(_READ, [wanted])
    return {
        member_id: Person(member_id, name, address, erased_at, MemberKind(kind))
        for member_id, name, address, erased_at, kind in await cursor.fetchall()
    }


def is_name(text: str) -> bool:
    """This will say whether somebody may be called so: 1 to 200 characters, of which some can be seen."""
    return len(text) <= NAME_MAX and text.isprintable() and bool(text.strip())


def put(connection: Connection[Any], persons: Iterable[Person]) -> None:
    """This will enter people, or correct their names; an erased one stays erased, and an address is not lost by leaving it out."""
    unique = {person.member_id: person for person in persons}
    if not unique:
        return
    found = list(unique.values())
    columns = [
        [p.member_id for p in found],
        [p.name for p in found],
        [p.address for p in found],
        [p.kind for p in found],
    ]
    connection.execute(_PUT, columns)


def held(connection: Connection[Any], member_id: MemberId) -> MemberKind:
    """This will say what a member is, and keep them from being erased until the transaction ends. Raises NoSuchMember."""
    found = connection.execute(_HOLD, [member_id]).fetchone()
    if found is None or member_id == SYSTEM:
        raise NoSuchMember(f"the directory has no member {member_id} to let in; add them first")
    return MemberKind(found[0])


def erase(connection: Connection[Any], member_id: MemberId, *, by: MemberId | None = None) -> bool:
    """This will remove a person's name, address and identities for good, and end their tokens; the id stays. `by` None: the operator.

    False: there was nothing to erase. On a connection outside of a transaction the space that the name took is swept too, also of one who
    was erased before: whoever did it may have been broken off, or somebody was in the way.
    """
    with connection.transaction():
        erased = connection.execute(_ERASE, [member_id]).rowcount == 1
        if erased:
            _shut_out(connection, member_id, by)
    if connection.info.transaction_status == TransactionStatus.IDLE:
        _sweep(connection)
    return erased


def _shut_out(connection: Connection[Any], member_id: MemberId, by: MemberId | None) -> None:
    unlinked = connection.execute(_UNLINK, [member_id]).fetchall()
    ended = connection.execute(_SHUT_OUT, [member_id]).fetchall()
    access.record(
        connection,
        [
            *(Entry(AccessKind.IDENTITY_UNLINKED, issuer, member_id, acted_by=by) for (issuer,) in unlinked),
            *(
                Entry(AccessKind.TOKEN_REVOKED, f"{hint}… (its member was erased)", member_id, client, token_id, by)
                for hint, client, token_id in ended
            ),
        ],
    )


def _sweep(connection: Connection[Any]) -> None:
    """This will write the tables anew, since old row versions and the free space of a page still have the words.

    They are small, and nobody reads names meanwhile. Where somebody is in the way, 5 s for a transaction since before or 2 s for a lock,
    the log says that the words may be on the disk yet, and erasing once more sweeps again.
    """
    is_swept = _wait_for_older_transactions(connection)
    connection.execute("SET lock_timeout = '2s'")
    try:
        connection.execute("VACUUM (FULL) directory.members, directory.identities")
    except errors.LockNotAvailable:
        is_swept = False
    finally:
        connection.execute("RESET lock_timeout")
    if not is_swept:
        log.warning(
            "somebody was in the way: an erased name may be on the disk yet; erase the member again to sweep it"
        )


def _wait_for_older_transactions(connection: Connection[Any]) -> bool:
    """This will wait, 5 s at most, for whoever began to read or to write before now: meanwhile even a new table keeps the old rows.

    False: they go on.
    """
    (now,) = connection.execute("SELECT pg_current_xact_id()::text::bigint").fetchone() or (0,)
    for _ in range(100):
        older = connection.execute(_OLDER, {"now": now, "xid": now % 2**32}).fetchone()
        if older is None:
            return True
        sleep(0.05)
    return False
