"""How long each question takes about the present and about a past position, side by side in one run, and which indexes serve the past.

The ledger is a seeded history of 20 teams, its views built as always. Each round asks every question twice, once now and once as of a
random position of the second half of the ledger, in turns, and reads the rows into structs; half of the rounds ask the past first.
"""

import argparse
import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from random import Random
from statistics import quantiles
from time import perf_counter
from typing import Any
from uuid import UUID

import psycopg
from psycopg import AsyncConnection

from benchmarks.append import database, server
from benchmarks.facts import START, History, write
from ledger.store.application import Ledger
from ledger.store.migrations import migrate
from projections.audit import decisions, matters, returning, story
from projections.backlog import queries as backlog
from projections.backlog.areas import areas
from projections.catalogue import VIEWS
from projections.conditions import Connection
from projections.rebuild import rebuild
from projections.reviews import queries as reviews
from projections.transparency import queries as transparency

ROWS = 51
LATER = START + timedelta(days=3_650)
Asked = Callable[[Connection, UUID, UUID, int | None], Awaitable[Any]]

#: What is asked, of a team, a proposal, and a position (None: now).
QUESTIONS: dict[str, Asked] = {
    "backlog, a team": lambda c, t, p, at: backlog.backlog(
        c, None, backlog.Filter(teams=(t,)), limit=ROWS, as_of=at, ranked=True, explained=True
    ),
    "backlog, all teams": lambda c, t, p, at: backlog.backlog(c, None, backlog.Filter(), limit=ROWS, as_of=at),
    "proposal": lambda c, t, p, at: backlog.proposals(c, None, [p], as_of=at, ranked=True, explained=True),
    "areas, a team": lambda c, t, p, at: areas(c, None, team_ids=[t], as_of=at),
    "areas, all teams": lambda c, t, p, at: areas(c, None, as_of=at),
    "whyNot": lambda c, t, p, at: story.proposal_story(c, None, p, LATER, as_of=at),
    "declined, a team": lambda c, t, p, at: decisions.declined(
        c, None, decisions.NoFilter(teams=(t,)), limit=ROWS, as_of=at
    ),
    "declined, all teams": lambda c, t, p, at: decisions.declined(c, None, decisions.NoFilter(), limit=ROWS, as_of=at),
    "unansweredNotices": lambda c, t, p, at: decisions.unanswered_notices(c, None, limit=ROWS, as_of=at),
    "revisits": lambda c, t, p, at: returning.revisits(c, None, LATER, limit=ROWS, as_of=at),
    "concerns, a team": lambda c, t, p, at: matters.concerns(c, None, limit=ROWS, team_ids=[t], as_of=at),
    "reviews, a team": lambda c, t, p, at: reviews.reviews(c, None, limit=ROWS, team_ids=[t], as_of=at),
    "transparency, a team": lambda c, t, p, at: transparency.transparency(
        c, None, transparency.Period(team_ids=(t,)), LATER, as_of=at
    ),
    "transparency, all": lambda c, t, p, at: transparency.transparency(c, None, transparency.Period(), LATER, as_of=at),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """This will measure and print the percentiles; the exit code says only whether it ran."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks asof", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--facts", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=200)
    given = parser.parse_args(arguments)
    with server() as url, database(url) as own:
        migrate(own)
        total = write(own, History().events(facts=given.facts))
        with Ledger(own) as ledger:
            rebuild(own, ledger, VIEWS, processes=os.cpu_count() or 1)
        print(
            f"{total:,} facts, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; milliseconds of {given.rounds} rounds"
        )
        asyncio.run(measure(own, total, given.rounds))
    return 0


async def measure(url: str, total: int, rounds: int) -> None:
    """This will ask, and print a line for each question."""
    random = Random(1)
    with psycopg.connect(url) as connection:
        teams = [row[0] for row in connection.execute("SELECT team_id FROM views.teams WHERE valid_to IS NULL")]
        known = connection.execute(
            "SELECT proposal_id FROM views.audit_decisions WHERE valid_to IS NULL ORDER BY position LIMIT 2000"
        ).fetchall()
    times: dict[tuple[str, bool], list[float]] = {(name, past): [] for name in QUESTIONS for past in (False, True)}
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        for number in range(rounds + rounds // 10):
            for name, ask in QUESTIONS.items():
                team, proposal, at = random.choice(teams), random.choice(known)[0], random.randrange(total // 2, total)
                for past in (bool(number % 2), not number % 2):
                    began = perf_counter()
                    await ask(connection, team, proposal, at if past else None)
                    times[name, past].append(1_000 * (perf_counter() - began))
        print(f"{'':22}{'now':>16}{'as of':>20}{'ratio':>9}\n{'':22}{'p50     p99':>16}{'p50     p99':>20}{'p50':>9}")
        for name, ask in QUESTIONS.items():
            now, then = (quantiles(times[name, past][rounds // 10 :], n=100) for past in (False, True))
            used = _named(await plan(url, ask, teams[0], known[0][0], total * 3 // 4))
            figures = f"{now[49]:8.2f}{now[98]:8.2f}{then[49]:12.2f}{then[98]:8.2f}{then[49] / now[49]:9.2f}"
            print(f"{name:22}{figures}  {used}", flush=True)


async def plan(url: str, ask: Asked, team: UUID, proposal: UUID, at: int, options: str = "") -> str:
    """This will give the plans of a question about a past position; `options` as the server takes them, such as `-c jit=off`."""
    async with await _Explaining.connect(url, autocommit=True, options=options) as connection:
        await ask(connection, team, proposal, at)
        return "\n".join(connection.plans)


def _named(plan: str) -> str:
    found = re.findall(r"(?:using|Index Scan on) (\w+)|(Seq Scan on \w+)", plan)
    return ", ".join(sorted({index or scan for index, scan in found}))


class _Explaining(AsyncConnection[Any]):
    """A connection that keeps the plan of each statement before it runs it."""

    plans: tuple[str, ...] = ()

    async def execute(self, query: Any, params: Any = None, **more: Any) -> Any:
        """This will run a statement, after its EXPLAIN if it reads."""
        if query.startswith((b"SELECT", b"WITH")):
            cursor = await super().execute(b"EXPLAIN " + query, params)
            self.plans += tuple(line for (line,) in await cursor.fetchall())
        return await super().execute(query, params, **more)


if __name__ == "__main__":
    raise SystemExit(main())
