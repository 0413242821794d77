"""Moments that many ask for at once: few statements, none older than its request; and pieces that are sent together."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from msgspec import Struct

from ledger.api import snapshot
from ledger.api.context import Viewer
from ledger.api.snapshot import MOMENT, PLANNING, STATEMENTS, Snapshot, Snapshots, Viewers, moments
from ledger.app.gathering import Gathering
from ledger.events import TOPICS, Event
from ledger.events.proposal import ConcernRaised
from ledger.events.team import RoleGranted, RoleRevoked, TeamFormed
from ledger.store.application import Ledger
from ledger.store.asking import Asking
from ledger.store.connections import AsyncConnection, Prepare
from ledger.store.receipt import CommandEvents
from ledger.values import SYSTEM, Actor, ConcernId, MemberId, Role, TeamId
from projections.backlog import projector as backlog
from projections.teams.projector import VIEW


@asynccontextmanager
async def asking(url: str, first: Prepare | None = None) -> AsyncIterator[Asking]:
    found = moments(url, first)
    try:
        yield found
    finally:
        await found.close()


REVISE = "UPDATE directory.revisions SET revision = revision + 1 WHERE subject = 'access' RETURNING revision"
#: As much of the views as a moment reads.
VIEWS = f"""
CREATE SCHEMA IF NOT EXISTS views;
GRANT USAGE ON SCHEMA views TO ledger_reader;
CREATE TABLE views.positions (view text PRIMARY KEY, position bigint, updated_at timestamptz DEFAULT now(), fault text, definition text);
GRANT SELECT ON views.positions TO ledger_reader;
INSERT INTO views.positions (view, position, definition)
VALUES ('teams', 0, '{VIEW.definition}'), ('backlog', 0, '{backlog.VIEW.definition}')
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
        admin.execute(PLANNING)
        rows = admin.execute(b"EXPLAIN (GENERIC_PLAN) " + STATEMENTS[MOMENT].text).fetchall()
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


TEAM = TeamId(uuid4())
ADA = MemberId(uuid4())


def record(ledger: Ledger, *facts: Struct) -> int:
    """This will record facts of one team and give the last position."""
    first = ledger.head() + 1  # the stream's versions are the positions: there is no other
    for version, fact in enumerate(facts, first):
        now, id_ = datetime.now(UTC), uuid4()
        event = Event(id_, TEAM, version, now, Actor(SYSTEM, Role.STEWARD), id_, id_, fact)
        ledger.append([event], command_id=id_, request_hash=bytes(32), at=now)
    return ledger.head()


def concern() -> ConcernRaised:
    return ConcernRaised(ConcernId(uuid4()), SYSTEM, "Who will know how it works when Ada has left?")


class Door:
    """Lets one member in, with what roles the view stands for, and counts how often it was asked."""

    def __init__(self, snapshots: Snapshots, reads: Asking) -> None:
        self.asked = 0
        self.viewers = Viewers()
        self.snapshots, self.reads = snapshots, reads
        self.roles: frozenset[Role] = frozenset({Role.ENGINEER})

    async def let_in(self) -> Viewer:
        found = await self.viewers.of("secret", lambda: self.snapshots.now(self.reads), self._viewer)
        assert found is not None
        return found[0]

    async def _viewer(self, _: str) -> Viewer:
        self.asked += 1
        moment = await self.snapshots.now(self.reads)
        return Viewer(ADA, "tests", {TEAM: self.roles}, moment.standings.of("teams").position)


FOLLOW = "UPDATE views.positions SET position = %s WHERE view = 'teams'"


def at_the_door(url: str, then: Callable[[Door, Ledger, psycopg.AsyncConnection[Any]], Awaitable[None]]) -> None:
    """Runs a story at the door of a ledger in which a team was formed, whom a member has come to twice."""

    async def run() -> None:
        with Ledger(url) as ledger:
            async with asking(url) as reads, await psycopg.AsyncConnection.connect(url, autocommit=True) as admin:
                await admin.execute(VIEWS)
                await admin.execute(FOLLOW, [record(ledger, TeamFormed("Checkout"), RoleGranted(ADA, Role.ENGINEER))])
                door = Door(Snapshots(), reads)
                await door.let_in()
                await door.let_in()  # whom it knows from before the first moment it looks up once more
                assert door.asked == 2
                await then(door, ledger, admin)

    asyncio.run(run())


def test_a_viewer_stays_known_while_facts_come_that_change_no_roles(database_url: str) -> None:
    async def then(door: Door, ledger: Ledger, admin: psycopg.AsyncConnection[Any]) -> None:
        first = await door.let_in()
        for _ in range(3):
            await admin.execute(FOLLOW, [record(ledger, concern(), concern())])
            assert await door.let_in() is first
        assert door.asked == 2

    at_the_door(database_url, then)


@pytest.mark.parametrize("after", [0, 2])
def test_a_role_that_was_taken_back_is_seen_as_soon_as_its_view_has_it(database_url: str, after: int) -> None:
    async def then(door: Door, ledger: Ledger, admin: psycopg.AsyncConnection[Any]) -> None:
        await door.let_in()
        position = record(ledger, concern(), RoleRevoked(ADA, Role.ENGINEER), *[concern()] * after)
        await door.let_in()
        assert door.asked == 2  # the view stands before it yet
        door.roles = frozenset()
        await admin.execute(FOLLOW, [position])
        assert (await door.let_in()).roles == {TEAM: frozenset()}
        assert door.asked == 3
        await door.let_in()
        assert door.asked == 3

    at_the_door(database_url, then)


def test_after_too_many_facts_to_look_through_and_of_a_view_that_went_back_roles_are_read_again(
    database_url: str,
) -> None:
    async def then(door: Door, ledger: Ledger, admin: psycopg.AsyncConnection[Any]) -> None:
        before = record(ledger, concern())
        await admin.execute(FOLLOW, [record(ledger, *[concern() for _ in range(snapshot.LOOKED_THROUGH_MAX + 1)])])
        await door.let_in()
        assert door.asked == 3
        await admin.execute(FOLLOW, [before])
        await door.let_in()
        assert door.asked == 4
        await door.let_in()
        assert door.asked == 4

    at_the_door(database_url, then)


def test_every_fact_that_the_view_of_the_roles_knows_counts_as_one_that_may_change_them() -> None:
    assert {TOPICS[RoleGranted], TOPICS[RoleRevoked], "MemberLeft", "TeamFormed"} <= set(snapshot.ROLE_TOPICS)
    assert {TOPICS[fact] for fact in VIEW.on} == set(snapshot.ROLE_TOPICS)


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
