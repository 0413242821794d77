"""How long a search among the NOs takes, and finding precedents, at 10,000 and 100,000 declined proposals, now and as of a position.

The rows are put straight into the audit view's tables, as a rebuild stores them: titles, reasons and cases of about 120 words, drawn from
5,000 words as often as words are drawn in English (Zipf's law). A search is for one word, for two, for a phrase, or for a word that a
tenth of all have; each reads a page of 50. As of a position means half of the NOs.
"""

import argparse
import asyncio
import os
from bisect import bisect
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random
from statistics import quantiles
from time import perf_counter
from typing import Any
from uuid import UUID

import psycopg
from psycopg import AsyncConnection

from benchmarks.append import database, server
from ledger.store.migrations import migrate
from ledger.values import DecisionId, Disposition, MemberId, ProposalId, Reason, TeamId, Verdict
from projections import schema
from projections.audit import decisions, ground, precedents, projector
from projections.audit.structs import AuditedDecision, AuditedProposal, AuditedTeam
from projections.audit.tables import DECISIONS, PROPOSALS, TEAMS
from projections.audit.texts import CASES, TEXTS, CaseWords, NoWords
from projections.conditions import Connection
from projections.copying import copy, packer
from projections.table import Table

SIZES = (10_000, 100_000)
ROWS = 51
BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
CODES = ("OPPORTUNITY_COST", "COST_EXCEEDS_BENEFIT", "NO_COMPELLING_CASE", "BAD_TIMING", "DUPLICATE")
AREAS = tuple(f"component:default/part-{number}" for number in range(50))


class Words:
    """Made-up words, drawn as often as words are in English."""

    def __init__(self, random: Random, count: int = 5_000) -> None:
        syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
        self._random = random
        self.all = ["".join(random.choices(syllables, k=3)) for _ in range(count)]
        self._reach = list(accumulate(1 / rank for rank in range(10, count + 10)))

    def text(self, count: int) -> str:
        """This will draw so many words."""
        return " ".join(self.all[bisect(self._reach, self._random.random() * self._reach[-1])] for _ in range(count))


def fill(url: str, count: int) -> tuple[Words, list[ProposalId]]:
    """This will make the view with so many declined proposals, and give their words and their ids."""
    random = Random(count)
    words = Words(random)
    ids: list[ProposalId] = []
    teams = [TeamId(UUID(int=random.getrandbits(128), version=4)) for _ in range(20)]
    tables: tuple[Table[Any], ...] = (PROPOSALS, DECISIONS, CASES, TEXTS)
    with psycopg.connect(url, autocommit=True) as connection:
        schema.ensure(connection, [projector.VIEW])
        copy(connection, TEAMS, schema.LIVE, packer(TEAMS)([(1, None, AuditedTeam(team, "Team")) for team in teams]))
        chunk: dict[Table[Any], list[tuple[int, int | None, Any]]] = {table: [] for table in tables}
        for number in range(count):
            rows = _declined(random, words, random.choice(teams), number + 1)
            ids.append(rows[0].proposal_id)
            for table, row in zip(tables, rows, strict=True):
                chunk[table].append((number + 1, None, row))
            if number % 5_000 == 4_999 or number == count - 1:
                for table, versions in chunk.items():
                    copy(connection, table, schema.LIVE, packer(table)(versions))
                    versions.clear()
        for table in tables:
            connection.execute(f"VACUUM (ANALYZE) views.{table.name}".encode())
    return words, ids


def _declined(
    random: Random, words: Words, team: TeamId, number: int
) -> tuple[AuditedProposal, AuditedDecision, CaseWords, NoWords]:
    proposal = ProposalId(UUID(int=random.getrandbits(128), version=4))
    decision = DecisionId(UUID(int=random.getrandbits(128), version=4))
    at, area, title = BEGIN + timedelta(minutes=number), random.choice(AREAS), words.text(6)
    reasons, case = words.text(20), words.text(94)
    taken = AuditedDecision(
        decision, proposal, team, title, Verdict.NO, Disposition.DECLINE, at, at, number, 1, area,
        decider=MemberId(UUID(int=number % 40)), reasons=(Reason(random.choice(CODES), reasons),),
    )  # fmt: skip
    return (
        AuditedProposal(proposal, team, title, at, number, area=area, standing=decision, decisions=1),
        taken,
        CaseWords(proposal, case),
        NoWords(decision, proposal, team, Disposition.DECLINE, at, title, reasons, case),
    )


def questions(random: Random, words: Words, ids: Sequence[UUID]) -> Iterator[tuple[str, Callable[..., Awaitable[Any]]]]:
    """This will give one of each question, each about something else than the last time."""
    rare = words.all[200:2_000]
    first, second = random.choices(rare, k=2)
    begun = words.text(2)

    def search(text: str) -> Callable[[Connection, int | None], Awaitable[Any]]:
        return lambda c, at: decisions.declined(c, None, decisions.NoFilter(search=text), limit=ROWS, as_of=at)

    async def facets(c: Connection, at: int | None) -> Any:
        return await decisions.facets(c, None, decisions.NoFilter(search=first), as_of=at)

    async def alike(c: Connection, at: int | None) -> Any:
        question = await precedents.question_of(c, None, random.choice(ids[: len(ids) // 2]), as_of=at)
        return await precedents.precedents(c, None, question or ground.Question(), limit=10, as_of=at)

    yield "a word", search(first)
    yield "two words", search(f"{first} {second}")
    yield "a phrase", search(f'"{begun}"')
    yield "a word of many", search(words.all[random.randrange(3, 8)])
    yield "a word, all facets", facets
    yield "precedents", alike


async def measure(url: str, words: Words, ids: Sequence[UUID], rounds: int) -> dict[tuple[str, bool], list[float]]:
    """This will ask each question now and as of half of the NOs, in turns, and give the milliseconds of each."""
    random = Random(2)
    times: dict[tuple[str, bool], list[float]] = {}
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        for number in range(rounds + rounds // 10):
            for name, ask in questions(random, words, ids):
                for past in (bool(number % 2), not number % 2):
                    began = perf_counter()
                    await ask(connection, len(ids) // 2 if past else None)
                    if number >= rounds // 10:
                        times.setdefault((name, past), []).append(1_000 * (perf_counter() - began))
    return times


def main(arguments: Sequence[str] | None = None) -> int:
    """This will measure each size and print the percentiles; the exit code says only whether it ran."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks search", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--proposals", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=200, help="of each question")
    given = parser.parse_args(arguments)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; milliseconds of {given.rounds} rounds")
    with server() as url:
        for count in given.proposals:
            with database(url) as own:
                migrate(own)
                words, ids = fill(own, count)
                times = asyncio.run(measure(own, words, ids, given.rounds))
            print(f"\n{count:,} declined proposals\n{'':22}{'now p50     p99':>18}{'as of p50     p99':>20}")
            for name in dict.fromkeys(name for name, _ in times):
                now, then = (quantiles(times[name, past], n=100) for past in (False, True))
                print(f"{name:22}{now[49]:9.2f}{now[98]:9.2f}{then[49]:11.2f}{then[98]:9.2f}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
