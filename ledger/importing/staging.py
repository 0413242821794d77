"""What an import asks the database besides appending: which lines and commands there were before, and entries in the directory."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import NamedTuple, Self
from uuid import UUID

from psycopg import sql

from ledger.store.connections import WRITER, Connection, patient_connection
from ledger.values import MemberId


class Outline(NamedTuple):
    """Where a line of the file is, when what it tells of begins (microseconds since the Unix epoch), and a hash of its id."""

    number: int
    start: int
    size: int
    begins: int
    id_hash: int


_CREATE = """
CREATE TEMPORARY TABLE seen (proposal_id uuid PRIMARY KEY, line bigint NOT NULL);
CREATE TEMPORARY TABLE outlines (number bigint, start bigint, size bigint, begins bigint, id_hash bigint)"""
_NOTED = """
SELECT number, start, size, begins, id_hash, is_repeated
  FROM (SELECT *, count(*) OVER (PARTITION BY id_hash) > 1 AS is_repeated FROM outlines) AS o
 ORDER BY NOT is_repeated, CASE WHEN NOT is_repeated THEN begins END, number"""
#: Outlines that are in memory at once.
_NOTED_PAGE = 10_000

#: As far as the clock of a source may be ahead of the database's.
CLOCKS_APART = timedelta(minutes=5)
END_OF_TIME = datetime.max.replace(tzinfo=UTC)

#: Most people of whom it is remembered that they are in the directory.
PEOPLE_KEPT = 50_000


class Staging:
    """A connection with temporary tables of the lines and proposals of one file. It reads the ledger besides, and enters people."""

    def __init__(self, database_url: str) -> None:
        self._entered: set[MemberId] = set()
        self._connection: Connection = patient_connection(database_url)
        try:
            self._connection.execute(sql.SQL("SET ROLE {}; SET statement_timeout = 0").format(sql.Identifier(WRITER)))
            self._connection.execute(_CREATE)
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
        self._connection.execute("TRUNCATE seen, outlines")

    def note(self, outlines: Sequence[Outline]) -> None:
        """This will note where lines stand."""
        with self._connection.cursor() as cursor, cursor.copy("COPY outlines FROM STDIN") as copy:
            copy.write(
                "".join(
                    [
                        f"{number}\t{start}\t{size}\t{begins}\t{id_hash}\n"
                        for number, start, size, begins, id_hash in outlines
                    ]
                )
            )

    def noted(self) -> Iterator[tuple[Outline, bool]]:
        """This will give the noted lines as what they tell of begins; before them, in their own order, those with another's id (True)."""
        with self._connection.cursor("noted", binary=True, withhold=True) as cursor:
            cursor.itersize = _NOTED_PAGE
            for *outline, is_repeated in cursor.execute(_NOTED):
                yield Outline(*outline), is_repeated

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
        if not command_ids:
            return {}
        with self._connection.cursor(binary=True) as cursor:
            cursor.execute(
                "SELECT command_id, request_hash FROM ledger.commands WHERE command_id = ANY(%b)", [list(command_ids)]
            )
            return dict(cursor.fetchall())

    def recorded_at(self) -> datetime | None:
        """This will give the ledger's last time of recording, None for an empty one."""
        row = self._connection.execute("SELECT nullif(recorded_at, '-infinity') FROM ledger.head").fetchone()
        return None if row is None else row[0]

    def until(self) -> datetime:
        """This will give the time after which nothing can be known yet: the database's, and a little more for clocks that disagree.

        A story has a time of its own, which an import moves on.
        """
        row = self._connection.execute("SELECT clock_timestamp() FROM ledger.identity WHERE clock = 'wall'").fetchone()
        return END_OF_TIME if row is None else row[0].astimezone(UTC) + CLOCKS_APART

    def add_people(self, people: dict[MemberId, str]) -> None:
        """This will enter people into the directory. Who is there already, or was erased, stays as they are."""
        members = sorted(people.keys() - self._entered)  # in one order, so that two imports never wait for each other
        if not members:
            return
        self._connection.execute(
            "INSERT INTO directory.members (member_id, name) SELECT * FROM unnest(%b::uuid[], %b::text[]) "
            "ON CONFLICT DO NOTHING",
            [members, [people[member] for member in members]],
        )
        if len(self._entered) + len(members) > PEOPLE_KEPT:
            self._entered.clear()
        self._entered.update(members)
