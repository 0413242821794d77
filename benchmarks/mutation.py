"""How many mutations a worker takes over HTTP, beside a bare handler that only appends.

Each side is one worker of the same server (uvicorn with uvloop and httptools), in a process of its own and in turn, on one PostgreSQL that
waits for its disk. A third process sends requests over connections that stay open, each as soon as the last is answered, and looks into
every answer. Each request records one fact of about 400 bytes. Each worker is asked for 2 s before it is measured.

bare        a litestar handler: JSON in, `Ledger.append_async`, the position out; no question of who asks, what may be, or what was before
mutation    `raiseConcern` through GraphQL: a token and its roles, the document, the proposal's and the teams' streams, the domain, the
            append, the receipt. The views are followed elsewhere, as docker-compose.yml has it
following   the same, while the worker's own process follows the views too, as `decision-ledger serve` has it by itself
"""

import argparse
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from itertools import cycle
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import msgspec
import psycopg
import uvicorn
from litestar import Litestar, post
from msgspec import Struct

from benchmarks.append import database, server, settings
from benchmarks.append_paths import REQUEST
from benchmarks.load import FRESH, loaded
from ledger.app.lookups import ViewLookups
from ledger.app.serving import address, bound, serve, server_config
from ledger.commands.issued import Issued
from ledger.commands.proposal import BusinessCase, SubmitProposal
from ledger.commands.team import AddMember, FormTeam, GrantRole
from ledger.directory import members, tokens
from ledger.events import Event
from ledger.events.proposal import ConcernRaised
from ledger.handlers import Handlers, bootstrap
from ledger.settings import Settings
from ledger.store.application import Ledger
from ledger.store.migrations import migrate
from ledger.values import SYSTEM, Actor, Benefit, BenefitCode, ConcernId, MemberId, ProposalId, Risk, Role, TeamId
from projections.catalogue import VIEWS
from projections.follower import Follower

#: What performance.md asks for.
REACH = 0.5
CONNECTIONS = 16
#: What each fresh worker is asked before it is measured, in seconds: documents are compiled then, and connections opened.
WARM_UP_S = 2.0
PROPOSALS = 1_000
PEPPER = bytes(32)
START_S = 30.0
ACTOR = Actor(SYSTEM, Role.INTEGRATOR)
TEXT = "Every change to the retry logic touches four services, and one of them is forgotten every other time."
CASE = BusinessCase(
    TEXT,
    (Benefit(BenefitCode.EASES_CHANGE, "One place to change instead of four."),),
    (Risk("The next rule of taxation breaks it.", 0.5, Decimal(40), 26),),
    risks_of_fixing=("A wrong total for a day.",),
    no_benefits_of_ignoring="Nothing else is made easier by leaving it.",
)
DOCUMENT = (
    "mutation Raise($input: RaiseConcernInput!) { raiseConcern(input: $input) { userErrors { code message path } "
    "position version receipt { recordedAt facts { position leaf } } } }"
)


class Asked(Struct, rename="camel"):
    """What the bare handler takes."""

    command_id: UUID
    stream_id: UUID
    text: str


class World(Struct):
    """What the requests are about: proposals of one team, and a token for each of its engineers."""

    proposals: list[ProposalId]
    tokens: list[str]


def main(arguments: Sequence[str] | None = None) -> int:
    """This will measure the sides and print the rates and the ratio; the exit code says only whether it ran."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks mutation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="of all measurements")
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    given = parser.parse_args(arguments)
    with (
        server() as url,
        database(url) as own,
        database(url) as other,
        TemporaryDirectory(prefix="ledger-benchmark-") as folder,
    ):
        state = settings(own)
        if (state["fsync"], state["synchronous_commit"]) != ("on", "on"):
            print("this server does not wait for its disk (fsync or synchronous_commit is off): it measures nothing")
            return 2
        migrate(own)
        migrate(other)  # what the bare handler records makes no sense to the views
        world = made(own, given.connections)
        sides: dict[str, tuple[Callable[..., None], str, bool, Sequence[bytes]]] = {
            "bare": (serve_bare, other, False, bare_requests(world)),
            "mutation": (serve_ledger, own, False, mutations(world)),
            "following": (serve_ledger, own, True, mutations(world)),
        }
        print(
            f"PostgreSQL {state['server_version']}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start; "
            f"{given.connections} connections, one worker, median of {given.rounds} × {given.seconds:g} s",
            flush=True,
        )
        rates: dict[str, list[float]] = {name: [] for name in sides}
        cpus: dict[str, list[float]] = {name: [] for name in sides}
        for number in range(given.rounds):
            for name, (run, where, follow, requests) in sides.items():
                print(f"\rround {number + 1}: {name}    ", end="", file=sys.stderr, flush=True)
                with served(run, where, folder, follow) as (port, pid):
                    loaded(port, requests, given.connections, WARM_UP_S)
                    facts, cpu_ms = recorded(where), worked_ms(pid)
                    rates[name].append(loaded(port, requests, given.connections, given.seconds))
                    cpus[name].append((worked_ms(pid) - cpu_ms) / (recorded(where) - facts))
        print("\r" + " " * 40 + "\r", end="", file=sys.stderr, flush=True)
        report(rates, cpus)
        print(f"load {os.getloadavg()[0]:.1f} at the end")
    return 0


def report(rates: dict[str, list[float]], cpus: dict[str, list[float]]) -> None:
    """This will print each side's rate and the CPU of its worker for each request, with their ratios to the bare one's."""
    print(f"{'':<12}{'requests/s':>12}{'÷ bare':>9}{'reach':>8}{'CPU ms':>9}{'bare ÷':>9}   ÷ bare of each round")
    for name, found in rates.items():
        each = [mine / its for mine, its in zip(found, rates["bare"], strict=True)]
        ratio, cpu_ms = median(found) / median(rates["bare"]), median(cpus[name])
        reach = f"{REACH:.1f}" if name == "mutation" else ""
        print(
            f"{name:<12}{median(found):>12,.0f}{ratio:>9.2f}{reach:>8}{cpu_ms:>9.2f}{median(cpus['bare']) / cpu_ms:>9.2f}   "
            + " ".join(f"{one:.2f}" for one in each)
        )


def recorded(url: str) -> int:
    """This will count what a ledger has: each request recorded one fact."""
    with psycopg.connect(url) as connection:
        ((position,),) = connection.execute("SELECT position FROM ledger.head").fetchall()
    return int(position)


def worked_ms(pid: int) -> float:
    """This will give how much CPU a process has used, on Linux; 0 elsewhere."""
    try:
        times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    except OSError:
        return 0.0
    return sum(map(int, times)) * 1_000 / os.sysconf("SC_CLK_TCK")


def made(url: str, clients: int) -> World:
    """This will form a team with so many engineers and its proposals, and bring the views up to them."""
    now = datetime.now(UTC)
    team_id = TeamId(uuid4())
    engineers = [MemberId(uuid4()) for _ in range(clients)]
    found = World([ProposalId(uuid4()) for _ in range(PROPOSALS)], [])
    lookups = ViewLookups(url)
    with Ledger(url) as ledger:
        handlers = Handlers(ledger, lookups)

        def issue(command: Struct, by: MemberId = SYSTEM) -> None:
            handlers.handle(Issued(command=command, command_id=uuid4(), member_id=by, at=now))

        bootstrap(ledger, now, uuid4())
        issue(FormTeam(team_id, "Checkout"))
        for engineer in engineers:
            issue(AddMember(team_id, engineer))
            issue(GrantRole(team_id, engineer, Role.ENGINEER))
        for proposal_id in found.proposals:
            issue(SubmitProposal(proposal_id, team_id, "Pay the debt in checkout", CASE), engineers[0])
        with Follower(url, ledger, VIEWS) as follower:
            for view in VIEWS:
                follower.wait_for(view.name, ledger.head(), START_S)
    lookups.close()
    with psycopg.connect(url, autocommit=True) as connection:
        members.put(connection, [members.Person(engineer, "Ada") for engineer in engineers])
        found.tokens += [tokens.create(connection, PEPPER, engineer, "benchmark")[0] for engineer in engineers]
    return found


def bare_requests(world: World) -> list[bytes]:
    """This will give the requests to the bare handler, one for each proposal; a command's id goes where FRESH stands."""
    return [
        _request("/", "", msgspec.json.encode({"commandId": FRESH, "streamId": id_, "text": TEXT}))
        for id_ in world.proposals
    ]


def mutations(world: World) -> list[bytes]:
    """This will give the mutations, one for each proposal, each by the next of the engineers."""
    return [
        _request(
            "/graphql",
            f"Authorization: Bearer {token}\r\n",
            msgspec.json.encode(
                {
                    "query": DOCUMENT,
                    "variables": {"input": {"commandId": FRESH, "proposalId": id_, "text": TEXT}},
                }
            ),
        )
        for id_, token in zip(world.proposals, cycle(world.tokens), strict=False)
    ]


def _request(path: str, more: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{more}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@contextmanager
def served(run: Callable[..., None], url: str, folder: str, follow: bool) -> Iterator[tuple[int, int]]:
    """This will serve in a process of its own inside the block, and give the port and the process."""
    spawning = multiprocessing.get_context("spawn")
    ready, told = spawning.Pipe(duplex=False)
    process = spawning.Process(target=run, args=(url, folder, follow, told))
    process.start()
    try:
        if not ready.poll(START_S):
            raise RuntimeError("the server did not come up")
        port = urlsplit(ready.recv()).port
        assert port is not None
        assert process.pid is not None
        yield port, process.pid
    finally:
        process.terminate()
        process.join(START_S)


def serve_ledger(url: str, folder: str, follow: bool, told: Connection) -> None:
    """This will serve the ledger until it is ended."""
    found = Settings(url, Path(folder), port=0, pool_size=CONNECTIONS, token_pepper=PEPPER)
    serve(found, follow=follow, ready=told.send)


def serve_bare(url: str, folder: str, _: bool, told: Connection) -> None:
    """This will serve the bare handler until it is ended."""
    with Ledger(url) as ledger:

        @post("/")
        async def append(data: Asked) -> dict[str, int]:
            now = datetime.now(UTC)
            fact = ConcernRaised(ConcernId(data.command_id), ACTOR.member_id, data.text)
            # The version is 1 of a stream of its own: the handler looks at nothing that was before.
            event = Event(data.command_id, data.command_id, 1, now, ACTOR, data.command_id, data.stream_id, fact)
            receipt = await ledger.append_async([event], command_id=data.command_id, request_hash=REQUEST, at=now)
            return {"position": receipt.first_position}

        app = Litestar([append], openapi_config=None, logging_config=None)
        with bound("127.0.0.1", 0) as listening:
            told.send(address(listening))
            uvicorn.Server(server_config(app, Settings(url, Path(folder), port=0))).run(sockets=[listening])


if __name__ == "__main__":
    raise SystemExit(main())
