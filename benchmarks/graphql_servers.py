"""Servers that answer the same page, one process each: `python -m benchmarks.graphql_servers KIND PORT DATABASE_URL`.

ours      the ledger as `serve` serves it
stock     strawberry as its documentation shows it, on litestar: a type per table, dataloaders for members and decisions
bare      a litestar handler: one JOIN, its rows as msgspec structs, no GraphQL
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from uuid import UUID

import msgspec
import strawberry
import uvicorn
from litestar import Litestar, Response, post
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool
from strawberry.dataloader import DataLoader
from strawberry.litestar import make_graphql_controller

from benchmarks.graphql_tables import PEPPER
from ledger.app import create_app, server_config
from ledger.settings import Settings

POOL_SIZE = 4
PAGE_SQL = b"""
SELECT p.proposal_id, p.title, p.area, p.kind, p.status, p.submitted_at, p.score, p.carried_over, p.critical, p.paused,
       m.name, d.verdict, d.disposition, d.decided_at
  FROM bench.proposals AS p JOIN bench.members AS m ON m.member_id = p.proposer_id
  LEFT JOIN bench.decisions AS d ON d.decision_id = p.decision_id
 ORDER BY p.score DESC, p.proposal_id LIMIT %s
"""


def pool(url: str, **more: Any) -> AsyncConnectionPool:
    """This will make a pool as large as the ledger's."""
    return AsyncConnectionPool(
        url, min_size=POOL_SIZE, max_size=POOL_SIZE, open=False, kwargs={"autocommit": True, **more}
    )


def ours(url: str) -> Litestar:
    """This will make the ledger's own application; its views stand still."""
    settings = Settings(url, Path(mkdtemp(prefix="ledger-benchmark-")), token_pepper=PEPPER, pool_size=POOL_SIZE)
    return create_app(replace(settings, points_per_minute=100_000_000), follow=False)


@strawberry.type
class Member:
    """Who asked."""

    member_id: UUID
    name: str


@strawberry.type
class Decision:
    """The last decision."""

    decision_id: UUID
    verdict: str
    disposition: str
    decided_at: datetime


@strawberry.type
class Proposal:
    """One row of the page."""

    proposal_id: UUID
    title: str
    area: str | None
    kind: str | None
    status: str
    submitted_at: datetime
    score: float
    carried_over: int
    critical: bool
    paused: bool
    proposer_id: strawberry.Private[UUID]
    decision_id: strawberry.Private[UUID | None]

    @strawberry.field
    async def proposer(self, info: strawberry.Info) -> Member:
        """This will load who asked, with the others of the page."""
        return await info.context["members"].load(self.proposer_id)

    @strawberry.field
    async def decision(self, info: strawberry.Info) -> Decision | None:
        """This will load the decision, with the others of the page."""
        return None if self.decision_id is None else await info.context["decisions"].load(self.decision_id)


@strawberry.type
class Query:
    """The root."""

    @strawberry.field
    async def proposals(self, info: strawberry.Info, first: int = 50) -> list[Proposal]:
        """This will read the page."""
        async with info.context["pool"].connection() as connection:
            cursor = await connection.execute(
                "SELECT * FROM bench.proposals ORDER BY score DESC, proposal_id LIMIT %s", [first]
            )
            return [Proposal(**row) for row in await cursor.fetchall()]


def stock(url: str) -> Litestar:
    """This will make what the documentation shows."""
    connections = pool(url, row_factory=dict_row)

    def loader(kind: type, table: str, key: str) -> DataLoader[UUID, Any]:
        async def load(keys: list[UUID]) -> list[Any]:
            async with connections.connection() as connection:
                cursor = await connection.execute(f"SELECT * FROM bench.{table} WHERE {key} = ANY(%s)".encode(), [keys])
                found = {row[key]: kind(**row) for row in await cursor.fetchall()}
            return [found[one] for one in keys]

        return DataLoader(load_fn=load)

    async def context() -> dict[str, Any]:
        return {
            "pool": connections,
            "members": loader(Member, "members", "member_id"),
            "decisions": loader(Decision, "decisions", "decision_id"),
        }

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        async with connections:
            yield

    controller = make_graphql_controller(strawberry.Schema(Query), path="/graphql", context_getter=context)
    return Litestar([controller], lifespan=[lifespan], openapi_config=None, logging_config=None)


class Row(msgspec.Struct, frozen=True):
    """What the bare handler answers."""

    proposal_id: UUID
    title: str
    area: str | None
    kind: str | None
    status: str
    submitted_at: datetime
    score: float
    carried_over: int
    critical: bool
    paused: bool
    proposer: str
    verdict: str | None
    disposition: str | None
    decided_at: datetime | None


def bare(url: str) -> Litestar:
    """This will make a handler without GraphQL."""
    connections = pool(url)

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        async with connections:
            yield

    @post("/graphql", status_code=200)
    async def page() -> Response[bytes]:
        async with connections.connection() as connection:
            cursor = await connection.execute(PAGE_SQL, [50])
            rows = [Row(*row) for row in await cursor.fetchall()]
        return Response(msgspec.json.encode(rows), media_type="application/json")

    return Litestar([page], lifespan=[lifespan], openapi_config=None, logging_config=None)


KINDS = {"ours": ours, "stock": stock, "bare": bare}


def main(kind: str, port: int, url: str) -> None:
    """This will serve until a signal ends it."""
    settings = Settings(url, Path(mkdtemp(prefix="ledger-benchmark-")), port=port, token_pepper=PEPPER)
    uvicorn.Server(server_config(KINDS[kind](url), settings)).run()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
