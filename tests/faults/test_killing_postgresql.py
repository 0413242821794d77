"""PostgreSQL is killed without warning, again and again, while six writers write."""

import asyncio
import time

import pytest

from ledger.store.application import Ledger
from ledger.store.connections import READER, async_pool, reader_pool
from projections.catalogue import VIEWS
from projections.follower import Follower
from tests.faults.cluster import Cluster, until
from tests.faults.conftest import Clusters
from tests.faults.figures import Figures
from tests.faults.load import Load, writing
from tests.faults.oracle import Book, examine
from tests.faults.outside import Outside


def kill(cluster: Cluster, load: Load, after: int) -> float:
    """This will kill the server once so many more commands are acknowledged, and give the seconds until the next one is."""
    wanted = load.acknowledged + after
    until(lambda: load.acknowledged >= wanted, what="the load")
    cluster.kill()
    at = time.monotonic()
    until(lambda: load.first_after(at + 0.02), what="coming back")
    first = load.first_after(at + 0.02)
    assert first is not None
    until(cluster.answers)  # a process that was born in the very moment of the kill may have answered once more
    return first - at


@pytest.mark.parametrize(
    ("kills", "between"), [(1, 200), pytest.param(6, 2_000, marks=pytest.mark.faults)], ids=["once", "six times"]
)
def test_nothing_that_was_acknowledged_is_lost(
    clusters: Clusters, outside: Outside, figures: Figures, kills: int, between: int
) -> None:
    cluster, book = clusters(), Book()
    with Ledger(cluster.url) as log, Follower(cluster.url, log, VIEWS) as follower:
        with writing(cluster.url, book) as load:
            recovered = [kill(cluster, load, between)]
            for _ in range(kills - 1):
                outside.seal(cluster.url)
                recovered.append(kill(cluster, load, between))
        checkpoint = outside.seal(cluster.url) if kills == 1 else outside.checkpoint()
        head = log.head()
        for view in VIEWS:
            assert follower.wait_for(view.name, head, 60)
    found = examine(cluster.url, book, checkpoint=checkpoint, views=VIEWS)
    figures.survived(
        f"kill -9 of PostgreSQL under six writers, {kills} ×",
        found,
        recovered_s=max(recovered),
        more=f"{load.unanswered} answers asked for again",
    )


def test_who_reads_after_a_restart_is_not_lent_a_dead_connection(clusters: Clusters) -> None:
    cluster = clusters()

    async def ask() -> None:
        """In the two kinds of pools there are: the handlers' and the queries'."""
        async with async_pool(cluster.url, READER, 3) as queries:
            reads = reader_pool(cluster.url, 3, 5_000)
            lent = [reads.getconn() for _ in range(3)], [await queries.getconn() for _ in range(3)]
            for connection in lent[0]:
                reads.putconn(connection)
            for other in lent[1]:
                await queries.putconn(other)
            cluster.kill()
            until(lambda: not cluster.answers())
            until(cluster.answers)
            for _ in range(3):
                with reads.connection() as connection:
                    connection.execute("SELECT position FROM ledger.head")
                async with queries.connection() as other:
                    await other.execute("SELECT position FROM ledger.head")
            reads.close()

    asyncio.run(ask())


def test_a_server_that_does_not_flush_its_commits_is_found_out(clusters: Clusters, figures: Figures) -> None:
    """So that the tests above can fail: acknowledged, and gone."""
    cluster, book = clusters(synchronous_commit="off", wal_writer_delay="10s"), Book()
    with writing(cluster.url, book) as load:
        until(lambda: load.acknowledged >= 300, what="the load")
    cluster.kill()
    until(lambda: not cluster.answers())
    until(cluster.answers)
    found = examine(cluster.url, book)
    figures.caught("once", f"synchronous_commit=off and kill -9: {found.lost} of {found.acknowledged} lost", found)
    assert found.lost > 0
