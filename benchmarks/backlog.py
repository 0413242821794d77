"""How long a page of the backlog takes at 10,000, 100,000 and 1,000,000 pending proposals, which index serves it, and what it reads.

The rows are put straight into the view's tables, as a rebuild stores them: one past version of each, then those that stand, in the order
of their teams' pages. Each page has 50 rows and is decoded; pages begin at random places of the order, half of them in one team's
backlog (a twentieth of all), half in that of all teams.

A page touches a block of the index for each of its levels, and the table's blocks that hold its rows, however many there are: a few in
one team's backlog, where rows lie side by side, one for each row in that of all teams. Those that are not in the server's own memory
(`shared_buffers`) are copied in first: the times grow by no more than that. The sizes take turns page by page, so that a busy moment of
the machine falls on all of them.
"""

import argparse
import asyncio
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from operator import itemgetter
from random import Random
from statistics import mean, quantiles
from time import perf_counter
from typing import Any
from uuid import UUID

import psycopg
from msgspec.structs import replace

from benchmarks.append import database, server
from ledger.ranking import DEFAULT_FORMULA, score
from ledger.store.migrations import migrate
from ledger.values import EffortUnit, ImpactMethod, MemberId, MomentumLevel, ProposalId, TeamId
from projections import schema
from projections.backlog import projector, queries
from projections.backlog.queries import Filter, Order
from projections.backlog.structs import Card, EstimateShort, ImpactShort
from projections.backlog.tables import CARDS
from projections.copying import copy, packer

SIZES = (10_000, 100_000, 1_000_000)
TEAMS = 20
ROWS = 50
#: Versions of one COPY.
CHUNK = 5_000
#: Pages that are explained.
EXPLAINED = 100
BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
Place = tuple[Any, int, UUID]


def main(arguments: Sequence[str] | None = None) -> int:
    """This will measure each size and print the percentiles; the exit code says only whether it ran."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks backlog", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--proposals", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--pages", type=int, default=1_000, help="of each size")
    given = parser.parse_args(arguments)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {given.pages:,} pages of {ROWS} rows for each size")
    with ExitStack() as opened:
        url = opened.enter_context(server())
        sizes = []
        for count in given.proposals:
            own = opened.enter_context(database(url))
            migrate(own)
            sizes.append((count, own, fill(own, count)))
        times = asyncio.run(measure([(own, places) for _, own, places in sizes], given.pages))
        print(f"{'proposals':>12}{'p50 ms':>10}{'p99 ms':>10}{'blocks':>10}{'copied':>10}  index")
        for (count, own, places), taken in zip(sizes, times, strict=True):
            blocks, copied, indexes = asyncio.run(explained(own, places))
            cuts = quantiles(taken, n=100)
            figures = f"{cuts[49]:10.2f}{cuts[98]:10.2f}{blocks:10.1f}{copied:10.1f}"
            print(f"{count:12,}{figures}  {', '.join(sorted(indexes))}", flush=True)
    print(f"load {os.getloadavg()[0]:.1f} at the end")
    return 0


def fill(url: str, count: int) -> list[tuple[TeamId, Place]]:
    """This will make the view with so many pending proposals, and give a thousand places in their order."""
    random = Random(count)
    teams = [TeamId(UUID(int=random.getrandbits(128), version=4)) for _ in range(TEAMS)]
    pack = packer(CARDS)
    with psycopg.connect(url, autocommit=True) as connection:
        schema.ensure(connection, [projector.VIEW])
        cards = list(_cards(random, teams, count))
        places = [
            (card.team_id, (0.0 - card.score, card.submitted_position, card.id))
            for card in cards
            if random.random() < 1_000 / count and card.team_id is not None
        ]
        # A proposal has past versions too: an as-of query's index has them, and the page's own must not.
        past = ((2 * card.submitted_position, 2 * card.submitted_position + 1, card) for card in cards)
        standing = ((2 * card.submitted_position + 1, None, card) for card in sorted(cards, key=CARDS.order))
        for versions in (past, standing):
            while chunk := list(islice(versions, CHUNK)):
                copy(connection, CARDS, schema.LIVE, pack(chunk))
        connection.execute("VACUUM (ANALYZE) views.backlog")
    return sorted(places, key=itemgetter(1))[:-1]  # after the last one comes nothing


def _cards(random: Random, teams: list[TeamId], count: int) -> Iterator[Card]:
    for number in range(count):
        likely, drag = Decimal(random.randrange(1, 160)) / 4, Decimal(random.randrange(0, 400)) / 4
        team, days = random.choice(teams), float(likely)
        card = Card(
            ProposalId(UUID(int=random.getrandbits(128), version=4)),
            team,
            f"Pay the debt {number} in checkout",
            "component:default/checkout",
            "code",
            MemberId(UUID(int=number % 200)),
            submitted_at=BEGIN + timedelta(minutes=number),
            submitted_position=number + 1,
            estimate=EstimateShort(1, likely, likely, likely, EffortUnit.DAYS, None, None, None, days),
            impact=ImpactShort(1, MomentumLevel.M2, ImpactMethod.SURVEYED, 0.8, drag, Decimal(1), None, False),
            ranked_in=team,
        )
        yield replace(card, score=score(DEFAULT_FORMULA, card.item).total)


async def measure(sizes: Sequence[tuple[str, list[tuple[TeamId, Place]]]], pages: int) -> list[list[float]]:
    """This will read random pages, one of each size in turn, and give the milliseconds of each size's."""
    random = Random(1)
    times: list[list[float]] = [[] for _ in sizes]
    async with AsyncExitStack() as opened:
        connections = [
            await opened.enter_async_context(await psycopg.AsyncConnection.connect(url, autocommit=True))
            for url, _ in sizes
        ]
        for number in range(pages):
            for (_, places), connection, taken in zip(sizes, connections, times, strict=True):
                team, after = random.choice(places)
                wanted = Filter(teams=(team,)) if number % 2 else Filter()
                began = perf_counter()
                rows = await queries.backlog(connection, None, wanted, limit=ROWS + 1, after=after)
                taken.append(1_000 * (perf_counter() - began))
                if not rows and number % 2 == 0:
                    raise AssertionError("a page in the middle of the order is empty: this measures nothing")
    return [taken[pages // 10 :] for taken in times]


async def explained(url: str, places: list[tuple[TeamId, Place]]) -> tuple[float, float, set[str]]:
    """This will explain some pages, and give the blocks that one touches, how many of them the server had not, and the indexes."""
    random, blocks, copied, indexes = Random(2), [], [], set()
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        for number in range(EXPLAINED):
            team, after = random.choice(places)
            statement, values = queries.page_statement(
                None,
                Filter(teams=(team,)) if number % 2 else Filter(),
                limit=ROWS + 1,
                order=Order.SCORE,
                descending=True,
                after=after,
                as_of=None,
                ranked=False,
                explained=False,
            )
            query = f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {statement}".encode()
            ((found,),) = await (await connection.execute(query, values)).fetchall()
            plan = found[0]["Plan"]
            blocks.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
            copied.append(plan["Shared Read Blocks"])
            indexes |= set(re.findall(r"'Index Name': '(\w+)'", str(found)))
    return mean(blocks), mean(copied), indexes
