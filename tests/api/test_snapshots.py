"""Moments that many ask for at once: few statements, none older than its request; and pieces that are sent together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from ledger.api.snapshot import MOMENT, STATEMENTS, Snapshot, Snapshots, moments
from ledger.app.gathering import Gathering
from ledger.events import Event
from ledger.events.proposal import ConcernRaised
from ledger.store.application import Ledger
from ledger.store.asking import Asking
from ledger.store.connections import AsyncConnection, Prepare
from ledger.store.receipt import CommandEvents
from ledger.values import SYSTEM, Actor, ConcernId, Role


@asynccontextmanager
async def asking(url: str, first: Prepare | None = None) -> AsyncIterator[Asking]:
    found = moments(url, first)
    try:
        yield found
    finally:
        await found.close()


REVISE = "UPDATE directory.revisions SET revision = revision + 1 WHERE subject = 'access' RETURNING revision"
#: As much of the views as a moment reads.
VIEWS = """
CREATE SCHEMA IF NOT EXISTS views;
GRANT USAGE ON SCHEMA views TO ledger_reader;
CREATE TABLE views.positions (view text PRIMARY KEY, position bigint, updated_at timestamptz DEFAULT now(), fault text);
GRANT SELECT ON views.positions TO ledger_reader;
INSERT INTO views.positions VALUES ('teams', 0), ('backlog', 0)
"""


def test_many_at_once_share_statements_and_none_gets_an_older_moment(database_url: str) -> None:
    snapshots = Snapshots()

    async def run() -> None:
        async with (
            asking(database_url) as reads,
            await psycopg.AsyncConnection.connect(database_url, autocommit=True) as writer,
        ):

            async def asked() -> None:
                row = await (await writer.execute(REVISE)).fetchone()
                assert row is not None
                first, *others = await asyncio.gather(*(snapshots.now(reads) for _ in range(20)))
                assert first.access >= row[0]
                assert all(one.access >= row[0] for one in others)

            for _ in range(10):
                await asyncio.gather(*(asked() for _ in range(5)))
            assert snapshots.served == 10 * 5 * 20
            assert snapshots.read < snapshots.served / 5

    asyncio.run(run())


def test_a_statement_that_fails_is_told_to_all_who_wait_and_tried_again_for_the_next(database_url: str) -> None:
    snapshots = Snapshots()

    async def run() -> None:
        async with (
            asking(database_url) as reads,
            await psycopg.AsyncConnection.connect(database_url, autocommit=True) as admin,
        ):
            await admin.execute("ALTER TABLE directory.revisions RENAME TO gone")
            gone = asyncio.create_task(snapshots.now(reads))
            waiting = [asyncio.create_task(snapshots.now(reads)) for _ in range(3)]
            await asyncio.sleep(0)
            gone.cancel()
            failed = await asyncio.gather(*waiting, return_exceptions=True)
            assert all(isinstance(one, psycopg.errors.UndefinedTable) for one in failed)
            await admin.execute("ALTER TABLE directory.gone RENAME TO revisions")
            assert isinstance(await snapshots.now(reads), Snapshot)

    asyncio.run(run())


def test_a_moment_says_where_the_views_are_and_is_the_same_until_something_moves(database_url: str) -> None:
    snapshots = Snapshots()

    async def run() -> None:
        async with (
            asking(database_url) as reads,
            await psycopg.AsyncConnection.connect(database_url, autocommit=True) as admin,
        ):
            bare = await snapshots.now(reads)
            assert bare.standings.views == {}
            await admin.execute(VIEWS)
            at_first = await snapshots.now(reads)
            assert {view.view: view.position for view in at_first.standings.views.values()} == {
                "teams": 0,
                "backlog": 0,
            }
            assert await snapshots.now(reads) is at_first
            await admin.execute("UPDATE views.positions SET fault = 'a fact' WHERE view = 'backlog'")
            stopped = await snapshots.now(reads)
            assert stopped.standings.of("backlog").fault == "a fact"
            assert stopped.fingerprint != at_first.fingerprint
            assert stopped.access == at_first.access
            await admin.execute(REVISE)
            assert (await snapshots.now(reads)).access == stopped.access + 1

    asyncio.run(run())


def test_a_moment_of_a_new_ledger_is_found_without_reading_its_log(database_url: str) -> None:
    now, ids = datetime.now(UTC), [uuid4() for _ in range(3_000)]
    actor = Actor(SYSTEM, Role.INTEGRATOR)
    with Ledger(database_url) as ledger:
        ledger.append_many(
            [
                CommandEvents(
                    [Event(i, i, 1, now, actor, i, i, ConcernRaised(ConcernId(i), SYSTEM, "Why?"))], i, bytes(32), now
                )
                for i in ids
            ]
        )
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(VIEWS)
        rows = admin.execute(b"EXPLAIN " + STATEMENTS[MOMENT].text).fetchall()
    plan = "\n".join(line for (line,) in rows)
    assert "Seq Scan on events" not in plan
    assert float(plan.split("..", 1)[1].split()[0]) < 100_000  # above that PostgreSQL compiles each statement first


def test_a_fresh_connection_is_looked_at_before_a_moment_is_read_by_it(database_url: str) -> None:
    looked: list[int] = []

    async def first(connection: AsyncConnection) -> None:
        looked.append(connection.info.backend_pid)

    async def run() -> None:
        snapshots = Snapshots()
        async with (
            asking(database_url, first) as reads,
            await psycopg.AsyncConnection.connect(database_url, autocommit=True) as admin,
        ):
            await snapshots.now(reads)
            await snapshots.now(reads)
            assert len(looked) == 1
            await admin.execute("SELECT pg_terminate_backend(%s)", looked)
            await asyncio.sleep(0.2)
            await snapshots.now(reads)
            assert len(set(looked)) == len(looked) == 2

    asyncio.run(run())


class Recorded:
    """A transport that notes what reaches it."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def write(self, data: bytes) -> None:
        self.seen.append(data)

    def write_eof(self) -> None:
        self.seen.append("end")

    def close(self) -> None:
        self.seen.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.seen


@pytest.mark.parametrize("end", ["close", "write_eof"])
def test_what_is_written_in_one_turn_goes_out_together_and_before_the_end(end: str) -> None:
    transport = Recorded()

    async def run() -> None:
        sent = Gathering(transport, asyncio.get_running_loop())  # type: ignore[arg-type]
        sent.write(b"head ")
        sent.writelines([b"bo", b"dy"])
        assert transport.seen == []
        await asyncio.sleep(0)
        assert transport.seen == [b"head body"]
        sent.write(b"last")
        getattr(sent, end)()
        await asyncio.sleep(0)
        assert sent.is_closing() is (end == "close")

    asyncio.run(run())
    assert transport.seen == [b"head body", b"last", "closed" if end == "close" else "end"]
