"""Moments that many ask for at once: few statements, none older than its request; and pieces that are sent together."""

import asyncio
from typing import Any

import psycopg
import pytest

from ledger.api.snapshot import Snapshot, Snapshots
from ledger.app.gathering import Gathering
from ledger.store.connections import READER, async_pool

REVISE = "UPDATE directory.revisions SET revision = revision + 1 WHERE subject = 'access' RETURNING revision"


def test_many_at_once_share_statements_and_none_gets_an_older_moment(database_url: str) -> None:
    snapshots = Snapshots()

    async def run() -> None:
        async with (
            async_pool(database_url, READER, 2) as reads,
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
            async_pool(database_url, READER, 2) as reads,
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
