"""Where commands wait until all of a file is read: a temporary table, sorted by the database, so that memory stays bounded.

A command is kept as MessagePack, packed as it will be sent: its facts are encoded once, when they are decided.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from struct import Struct as Packing
from types import TracebackType
from typing import Self
from uuid import UUID

import msgspec
import psycopg
from msgspec import Struct
from psycopg import sql

from ledger.importing.form import MICROSECOND
from ledger.store.batch import PackedCommand
from ledger.store.connections import CONNECT_TIMEOUT_S, WRITER, Connection
from ledger.values import MemberId

#: Rows that the sorted table gives at once.
PAGE_ROWS = 1_024

_COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8
_COPY_END = b"\xff\xff"
_ROW_HEAD = Packing(">hiqiqiii").pack  # four fields: known, line, number, command
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Staged(Struct, frozen=True, array_like=True, gc=False):
    """One command that waits, encoded already: for each of its events the bytes that the log will have."""

    known: datetime
    external_id: str
    is_first: bool
    command: PackedCommand


_encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode
_decode = msgspec.msgpack.Decoder(Staged).decode


def rows(line: int, commands: Sequence[Staged]) -> bytes:
    """This will give the rows of a line's commands, which are in order, as `Staging.copy` takes them."""
    parts = []
    for number, one in enumerate(commands):
        body = _encode(one)
        parts.append(_ROW_HEAD(4, 8, (one.known - _EPOCH) // MICROSECOND, 8, line, 4, number, len(body)))
        parts.append(body)
    return b"".join(parts)


class Staging:
    """A connection with the temporary tables of one file. It only ever appends to them, and reads the ledger besides."""

    def __init__(self, database_url: str) -> None:
        self._connection: Connection = psycopg.connect(database_url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S)
        try:
            self._connection.execute(
                sql.SQL("SET ROLE {}; SET statement_timeout = 0; SET TimeZone = 'UTC'").format(sql.Identifier(WRITER))
            )
            self._connection.execute(
                """
                CREATE TEMPORARY TABLE staged (known bigint, line bigint, number integer, command bytea);
                ALTER TABLE staged ALTER COLUMN command SET STORAGE EXTERNAL;
                CREATE TEMPORARY TABLE seen (proposal_id uuid PRIMARY KEY, line bigint NOT NULL)
                """
            )
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def clear(self) -> None:
        """This will make room for another file."""
        self._connection.execute("TRUNCATE staged, seen")

    def first_lines(self, proposals: Sequence[tuple[UUID, int]]) -> dict[UUID, int]:
        """This will note on which lines proposals are, and give the line on which each was first."""
        ids, numbers = [p[0] for p in proposals], [p[1] for p in proposals]
        self._connection.execute(
            "INSERT INTO seen SELECT * FROM unnest(%b::uuid[], %b::bigint[]) ON CONFLICT DO NOTHING", [ids, numbers]
        )
        return dict(
            self._connection.execute("SELECT proposal_id, line FROM seen WHERE proposal_id = ANY(%b)", [ids]).fetchall()
        )

    def known(self, command_ids: Sequence[UUID]) -> dict[UUID, bytes]:
        """This will give the request hashes of those commands that the ledger knows."""
        with self._connection.cursor(binary=True) as cursor:
            cursor.execute(
                "SELECT command_id, request_hash FROM ledger.commands WHERE command_id = ANY(%b)", [list(command_ids)]
            )
            return dict(cursor.fetchall())

    def recorded_at(self) -> datetime | None:
        """This will give the ledger's last time of recording, None for an empty one."""
        row = self._connection.execute("SELECT nullif(recorded_at, '-infinity') FROM ledger.head").fetchone()
        return None if row is None else row[0]

    def add_people(self, people: dict[MemberId, str]) -> None:
        """This will enter people into the directory. Who is there already, or was erased, stays as they are."""
        members = sorted(people)  # in one order, so that two imports never wait for each other
        self._connection.execute(
            "INSERT INTO directory.members (member_id, name) SELECT * FROM unnest(%b::uuid[], %b::text[]) "
            "ON CONFLICT DO NOTHING",
            [members, [people[member] for member in members]],
        )

    def copy(self, lines: Sequence[bytes]) -> None:
        """This will put rows into the table."""
        with (
            self._connection.cursor() as cursor,
            cursor.copy("COPY staged FROM STDIN (FORMAT BINARY)") as copy,
        ):
            copy.write(_COPY_HEAD)
            for line in lines:
                copy.write(line)
            copy.write(_COPY_END)

    def ordered(self) -> Iterator[list[tuple[int, Staged]]]:
        """This will give all that wait, with their lines, in the order of knowing, page by page.

        The cursor outlives its transaction, so that none is open while facts are appended: an open one would hold back vacuum.
        """
        with self._connection.cursor("ordered", withhold=True, binary=True) as cursor:
            cursor.execute("SELECT line, command FROM staged ORDER BY known, line, number")
            while page := cursor.fetchmany(PAGE_ROWS):
                yield [(line, _decode(body)) for line, body in page]
