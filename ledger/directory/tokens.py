"""Tokens that let a program in on a member's behalf, in GitHub's manner.

A token is `ldg_`, 30 random base62 characters, and 6 of their CRC-32, so that a mistyped one, or a text that only looks like one, is known
without asking the database. It is shown once. The database keeps an HMAC-SHA-256 of it under a pepper that it does not know.
"""

import hmac
import re
import secrets
import string
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4
from zlib import crc32

from msgspec import Struct
from psycopg import AsyncConnection, Connection
from psycopg.rows import TupleRow

from ledger.values import MemberId

PREFIX = "ldg_"
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM_LENGTH = 30
CHECK_LENGTH = 6
FORM = re.compile(rf"{PREFIX}([0-9A-Za-z]{{{RANDOM_LENGTH}}})([0-9A-Za-z]{{{CHECK_LENGTH}}})")
#: How much of a token may be shown later, to tell one from another.
HINT_LENGTH = 8
#: So that a client can change from one to the next without a pause.
LIVE_PER_CLIENT_MAX = 2
LIFE_DEFAULT = timedelta(days=90)
#: `last_used_at` is this exact, so that reading does not mean writing.
LAST_USED_STEP = timedelta(minutes=1)

_COLUMNS = "token_id, member_id, client, hint, created_at, expires_at, last_used_at, revoked_at"
_LIVE = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())"
_BY_MAC = f"SELECT {_COLUMNS} FROM directory.tokens WHERE mac = %s AND {_LIVE}".encode()  # noqa: S608 - of constants
_ALL = f"SELECT {_COLUMNS} FROM directory.tokens ORDER BY created_at, token_id".encode()  # noqa: S608
_COUNT = f"SELECT count(*) FROM directory.tokens WHERE member_id = %s AND client = %s AND {_LIVE}".encode()  # noqa: S608
_INSERT = (
    "INSERT INTO directory.tokens (token_id, member_id, client, mac, hint, expires_at)"  # noqa: S608
    f" VALUES (%s, %s, %s, %s, %s, %s) RETURNING {_COLUMNS}"
).encode()
_REVOKE = b"UPDATE directory.tokens SET revoked_at = now() WHERE token_id = %s AND revoked_at IS NULL"
_USED = b"""
UPDATE directory.tokens SET last_used_at = now()
 WHERE token_id = %s AND (last_used_at IS NULL OR last_used_at < now() - %s)
"""


class Token(Struct, frozen=True):
    """What is known of a token; never the token itself. `hint` is how it begins."""

    token_id: UUID
    member_id: MemberId
    client: str
    hint: str
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


class TooManyTokens(Exception):  # noqa: N818 - named for what happened
    """The client has two live tokens for this member; revoke one first."""


class NoSuchMember(Exception):  # noqa: N818
    """A token needs a member whom the directory knows."""


def _base62(number: int, length: int) -> str:
    digits = ""
    while len(digits) < length:
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


def new_secret() -> str:
    """This will make a token: about 178 random bits."""
    random = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_LENGTH))
    return PREFIX + random + _base62(crc32(random.encode()), CHECK_LENGTH)


def is_well_formed(secret: str) -> bool:
    """This will say whether a text can be a token at all: its form and its checksum."""
    found = FORM.fullmatch(secret)
    return found is not None and _base62(crc32(found[1].encode()), CHECK_LENGTH) == found[2]


def mac_of(secret: str, pepper: bytes) -> bytes:
    """This will give what the database keeps of a token."""
    return hmac.digest(pepper, secret.encode(), sha256)


def create(
    connection: Connection[Any],
    pepper: bytes,
    member_id: MemberId,
    client: str,
    *,
    expires_at: datetime | None = None,
) -> tuple[str, Token]:
    """This will make a token for a member's program, and give it, this once, with its record; without `expires_at` it lives 90 days.

    Raises TooManyTokens, and NoSuchMember.
    """
    secret = new_secret()
    until = expires_at or datetime.now(UTC) + LIFE_DEFAULT
    with connection.transaction():
        # Who makes tokens for one member takes turns, so that two at once are not three.
        if (
            connection.execute(
                "SELECT 1 FROM directory.members WHERE member_id = %s AND erased_at IS NULL FOR UPDATE", [member_id]
            ).fetchone()
            is None
        ):
            raise NoSuchMember(f"the directory has no member {member_id}; add them first")
        (live,) = connection.execute(_COUNT, [member_id, client]).fetchone() or (0,)
        if live >= LIVE_PER_CLIENT_MAX:
            raise TooManyTokens(f"{client} has {live} live tokens for this member; revoke one first")
        values = [uuid4(), member_id, client, mac_of(secret, pepper), secret[:HINT_LENGTH], until]
        row: Any = connection.execute(_INSERT, values).fetchone()
    return secret, Token(*row)


def every(connection: Connection[Any]) -> list[Token]:
    """This will give all tokens that there ever were, the oldest first."""
    return [Token(*row) for row in connection.execute(_ALL).fetchall()]


def revoke(connection: Connection[Any], token_id: UUID) -> bool:
    """This will end a token at once; False: there is no such live token."""
    return connection.execute(_REVOKE, [token_id]).rowcount == 1


async def authenticate(connection: AsyncConnection[TupleRow], pepper: bytes, secret: str) -> Token | None:
    """This will find the live token that the secret is, and note its use, to the minute; None: it lets nobody in."""
    if not is_well_formed(secret):
        return None
    cursor = await connection.execute(_BY_MAC, [mac_of(secret, pepper)])
    row = await cursor.fetchone()
    if row is None:
        return None
    token = Token(*row)
    at = datetime.now(UTC)
    if token.last_used_at is None or token.last_used_at < at - LAST_USED_STEP:
        await connection.execute(_USED, [token.token_id, LAST_USED_STEP])
    return token
