"""Who is told of what: the endpoints as they are kept, their secrets encrypted under the pepper."""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct
from psycopg import AsyncConnection, Connection

from ledger.webhooks.messages import MessageType

SECRET_PREFIX = "whsec_"  # noqa: S105 - what every one begins with
SECRET_BYTES = 32
NONCE_BYTES = 12
ENDPOINTS_MAX = 100

COLUMNS = "endpoint_id, url, types, team_id, secret, created_at, position, failures, refusals, next_attempt_at, fault, paused_at"

_INSERT = f"""
INSERT INTO webhooks.endpoints (endpoint_id, url, types, team_id, secret, position, leaf)
SELECT %s, %s, %s, %s, %s, position, (SELECT e.leaf FROM ledger.events AS e WHERE e.position = h.position) FROM ledger.head AS h
RETURNING {COLUMNS}
""".encode()  # noqa: S608 - of constants
_REPLAY = """
UPDATE webhooks.endpoints AS w SET position = p.position, leaf = (SELECT e.leaf FROM ledger.events AS e WHERE e.position = p.position),
       failures = 0, refusals = 0, fault = NULL, paused_at = NULL, next_attempt_at = clock_timestamp()
  FROM (SELECT endpoint_id, LEAST(COALESCE(%s, w.position), h.position) AS position FROM webhooks.endpoints AS w, ledger.head AS h) AS p
 WHERE p.endpoint_id = w.endpoint_id AND w.endpoint_id = %s
"""


class Endpoint(Struct, frozen=True):
    """Where messages go, and how far it has been told. The secret is as it is kept: encrypted."""

    endpoint_id: UUID
    url: str
    types: list[MessageType]
    team_id: UUID | None
    secret: bytes
    created_at: datetime
    position: int
    failures: int
    refusals: int
    next_attempt_at: datetime
    fault: str | None
    paused_at: datetime | None


class DeadLetter(Struct, frozen=True):
    """A message that its endpoint refused for good."""

    endpoint_id: UUID
    message_id: str
    type: str
    position: int | None
    attempts: int
    fault: str
    died_at: datetime


class TooManyEndpoints(Exception):  # noqa: N818 - named for what happened
    """There are as many as there may be."""


class NoSuchEndpoint(Exception):  # noqa: N818
    """No endpoint has that id."""


def endpoint(row: Sequence[Any]) -> Endpoint:
    """This will read a row of COLUMNS."""
    endpoint_id, url, types, *rest = row
    return Endpoint(endpoint_id, url, [MessageType(name) for name in types], *rest)


def add(
    connection: Connection[Any], pepper: bytes, url: str, types: Sequence[MessageType], team_id: UUID | None
) -> tuple[str, Endpoint]:
    """This will add an endpoint that is told of everything from now on, and give its secret, this once, with its record.

    Raises TooManyEndpoints. The URL's form is for the caller to check: `destination.checked`.
    """
    secret = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    endpoint_id = uuid4()
    with connection.transaction():
        connection.execute("LOCK TABLE webhooks.endpoints IN EXCLUSIVE MODE")
        ((count,),) = connection.execute("SELECT count(*) FROM webhooks.endpoints").fetchall()
        if count >= ENDPOINTS_MAX:
            raise TooManyEndpoints(f"There are {count} endpoints; at most {ENDPOINTS_MAX} are told. Remove one first.")
        sealed = encrypted(secret, pepper, endpoint_id)
        row = connection.execute(
            _INSERT, [endpoint_id, url, [kind.value for kind in types], team_id, sealed]
        ).fetchone()
    assert row is not None  # noqa: S101 - the ledger has a head
    return secret, endpoint(row)


def every(connection: Connection[Any]) -> list[Endpoint]:
    """This will give all endpoints, the oldest first."""
    found = connection.execute(f"SELECT {COLUMNS} FROM webhooks.endpoints ORDER BY created_at, endpoint_id")  # noqa: S608
    return [endpoint(row) for row in found.fetchall()]


def remove(connection: Connection[Any], endpoint_id: UUID) -> None:
    """This will forget an endpoint with its dead letters. Raises NoSuchEndpoint."""
    _changed(connection, "DELETE FROM webhooks.endpoints WHERE endpoint_id = %s", endpoint_id)


def replay(connection: Connection[Any], endpoint_id: UUID, after: int | None) -> None:
    """This will have everything after a position sent again, dead letters of that range included; None: go on where it stopped.

    A paused endpoint is told again. Raises NoSuchEndpoint.
    """
    with connection.transaction():
        _changed(connection, _REPLAY, after, endpoint_id)
        if after is not None:
            connection.execute(
                "DELETE FROM webhooks.dead_letters WHERE endpoint_id = %s AND (position IS NULL OR position > %s)",
                [endpoint_id, after],
            )


async def paused(connection: AsyncConnection[Any]) -> int:
    """This will say how many endpoints are told nothing any more until somebody looks. The readers' role may know that, and no more."""
    cursor = await connection.execute("SELECT count(*) FROM webhooks.endpoints WHERE paused_at IS NOT NULL")
    row = await cursor.fetchone()
    return row[0] if row else 0


def dead_letters(connection: Connection[Any], endpoint_id: UUID | None = None) -> list[DeadLetter]:
    """This will give what was refused for good, by one endpoint or by any, the latest first, 1,000 at most. Raises NoSuchEndpoint."""
    if endpoint_id is not None:
        _changed(connection, "SELECT FROM webhooks.endpoints WHERE endpoint_id = %s", endpoint_id)
    found = connection.execute(
        "SELECT endpoint_id, message_id, type, position, attempts, fault, died_at FROM webhooks.dead_letters"
        " WHERE %(one)s::uuid IS NULL OR endpoint_id = %(one)s ORDER BY died_at DESC LIMIT 1000",
        {"one": endpoint_id},
    )
    return [DeadLetter(*row) for row in found.fetchall()]


def encrypted(secret: str, pepper: bytes, endpoint_id: UUID) -> bytes:
    """This will give what the database keeps of a secret: it opens only with the pepper, and for this endpoint."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(_key(pepper)).encrypt(nonce, secret.encode(), endpoint_id.bytes)


def decrypted(kept: bytes, pepper: bytes, endpoint_id: UUID) -> str:
    """This will open a kept secret. Raises cryptography's InvalidTag under another pepper."""
    return AESGCM(_key(pepper)).decrypt(kept[:NONCE_BYTES], kept[NONCE_BYTES:], endpoint_id.bytes).decode()


def _key(pepper: bytes) -> bytes:
    return sha256(b"decision-ledger/webhooks\0" + pepper).digest()


def _changed(connection: Connection[Any], statement: str, *values: Any) -> None:
    if connection.execute(statement.encode(), values).rowcount != 1:
        raise NoSuchEndpoint(f"There is no endpoint {values[-1]}. See: decision-ledger webhook list")
