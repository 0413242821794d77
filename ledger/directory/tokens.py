"""Tokens that let a program in on a member's behalf, in GitHub's manner.

A token is `ldg_`, 30 random base62 characters, and 6 of their CRC-32, so that a mistyped one, or a text that only looks like one, is known
without asking the database. It is shown once. The database keeps an HMAC-SHA-256 of it under a pepper that it does not know.
"""

import hmac
import re
import secrets
import string
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4
from zlib import crc32

from msgspec import Struct
from psycopg import AsyncConnection, Connection
from psycopg.rows import TupleRow

from ledger.directory import access, scopes
from ledger.directory.access import AccessKind, Entry
from ledger.directory.members import MemberKind, held
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
#: How long a token that was replaced lets its client in yet, unless said otherwise.
GRACE_DEFAULT = timedelta(days=1)
#: `last_used_at` is this exact, so that reading does not mean writing.
LAST_USED_STEP = timedelta(minutes=1)

_COLUMNS = "token_id, member_id, client, hint, scopes, created_at, expires_at, last_used_at, revoked_at"
_LIVE = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())"
_BY_MAC = f"SELECT {_COLUMNS} FROM directory.tokens WHERE mac = %s".encode()  # noqa: S608 - of constants
_ALL = f"SELECT {_COLUMNS} FROM directory.tokens ORDER BY created_at, token_id".encode()  # noqa: S608
_COUNT = f"SELECT count(*) FROM directory.tokens WHERE member_id = %s AND client = %s AND {_LIVE}".encode()  # noqa: S608
_INSERT = (
    "INSERT INTO directory.tokens (token_id, member_id, client, mac, hint, scopes, expires_at)"  # noqa: S608
    f" VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING {_COLUMNS}"
).encode()
_REVOKE = f"""
UPDATE directory.tokens SET revoked_at = now() WHERE token_id = %s AND revoked_at IS NULL RETURNING {_COLUMNS}
""".encode()  # noqa: S608
_END_SOON = f"""
UPDATE directory.tokens SET expires_at = LEAST(expires_at, now() + %s) WHERE token_id = %s AND {_LIVE} RETURNING {_COLUMNS}
""".encode()  # noqa: S608
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
    #: What it may be used for: `ledger.directory.scopes`.
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None

    def ended(self, at: datetime) -> str | None:
        """This will say why the token lets nobody in at an instant; None: it lets its client in."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= at else None


class TooManyTokens(Exception):  # noqa: N818 - named for what happened
    """The client has two live tokens for this member; revoke one first."""


class NoSuchToken(Exception):  # noqa: N818
    """There is no such live token."""


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
    granted: Iterable[str] | None = None,
    by: MemberId | None = None,
) -> tuple[str, Token]:
    """This will make a token for a member's program, and give it, this once, with its record; without `expires_at` it lives 90 days.

    `granted` are its scopes, by default what is usual for a person or a service. `by` None: the operator.
    Raises TooManyTokens, and NoSuchMember.
    """
    until = expires_at or datetime.now(UTC) + LIFE_DEFAULT
    with connection.transaction():
        # Who makes tokens for one member takes turns, so that two at once are not three.
        kind = held(connection, member_id)
        (live,) = connection.execute(_COUNT, [member_id, client]).fetchone() or (0,)
        if live >= LIVE_PER_CLIENT_MAX:
            raise TooManyTokens(f"{client} has {live} live tokens for this member; revoke one first")
        usual = scopes.OF_SERVICE if kind is MemberKind.SERVICE else scopes.OF_PERSON
        secret = new_secret()
        may = sorted(usual if granted is None else granted)
        values = [uuid4(), member_id, client, mac_of(secret, pepper), secret[:HINT_LENGTH], may, until]
        row: Any = connection.execute(_INSERT, values).fetchone()
        token = Token(*row)
        access.record(connection, [_entry(AccessKind.TOKEN_CREATED, token, by)])
    return secret, token


def rotate(
    connection: Connection[Any],
    pepper: bytes,
    token_id: UUID,
    *,
    grace: timedelta = GRACE_DEFAULT,
    life: timedelta = LIFE_DEFAULT,
    by: MemberId | None = None,
) -> tuple[str, Token]:
    """This will make the token that takes another's place, for the same client and scopes; the old one ends after `grace`.

    Raises NoSuchToken, TooManyTokens where it was rotated before and both still live, and NoSuchMember.
    """
    with connection.transaction():
        row: Any = connection.execute(_END_SOON, [grace, token_id]).fetchone()
        if row is None:
            raise NoSuchToken(f"there is no live token {token_id}")
        old = Token(*row)
        until = datetime.now(UTC) + life
        made = create(connection, pepper, old.member_id, old.client, expires_at=until, granted=old.scopes, by=by)
        access.record(connection, [_entry(AccessKind.TOKEN_ROTATED, old, by)])
    return made


def every(connection: Connection[Any]) -> list[Token]:
    """This will give all tokens that there ever were, the oldest first."""
    return [Token(*row) for row in connection.execute(_ALL).fetchall()]


def revoke(connection: Connection[Any], token_id: UUID, *, by: MemberId | None = None) -> bool:
    """This will end a token at once; False: there is no such token, or it was revoked before."""
    with connection.transaction():
        row: Any = connection.execute(_REVOKE, [token_id]).fetchone()
        if row is None:
            return False
        access.record(connection, [_entry(AccessKind.TOKEN_REVOKED, Token(*row), by)])
    return True


async def find(connection: AsyncConnection[TupleRow], pepper: bytes, secret: str) -> Token | None:
    """This will find the token that the secret is, live or not; None: there never was one."""
    if not is_well_formed(secret):
        return None
    cursor = await connection.execute(_BY_MAC, [mac_of(secret, pepper)])
    row = await cursor.fetchone()
    return None if row is None else Token(*row)


async def used(connection: AsyncConnection[TupleRow], token: Token, at: datetime) -> None:
    """This will note a token's use, to the minute."""
    if token.last_used_at is None or token.last_used_at < at - LAST_USED_STEP:
        await connection.execute(_USED, [token.token_id, LAST_USED_STEP])


def _entry(kind: AccessKind, token: Token, by: MemberId | None) -> Entry:
    may = ", ".join(token.scopes) or "no scope"
    return Entry(
        kind,
        f"{token.hint}… ({may})",
        member_id=token.member_id,
        client=token.client,
        token_id=token.token_id,
        acted_by=by,
    )
