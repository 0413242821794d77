"""How fast single events are recorded, one transaction each as far as its writer can tell.

Four paths on one PostgreSQL, in turn and several times over, so that a busy moment of the machine does not fall on one of them alone;
the table shows the medians. All wait for the disk (fsync and synchronous_commit on) and write about as much:

pgbench     a single-row INSERT into a table with one index, by a C client: what the server can do with one row a transaction
library     eventsourcing's `save` with its default recorder and mapper, a thread a writer, a connection for each
threads     `Ledger.append`, a thread a writer: leaf hash, contiguity, command ids, and a receipt
tasks       `Ledger.append_async`, an asyncio task a writer, all in one thread, on the event loop that serves the API

Ids are drawn before the clock starts, for the library too: real ones come with a request.
"""

import argparse
import asyncio
import gc
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import getrandbits
from statistics import median
from threading import Barrier, Thread
from time import perf_counter
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit
from uuid import UUID, uuid4

import psycopg
import uvloop
from eventsourcing.application import Application
from psycopg import sql

from benchmarks.library import Estimated
from ledger.events import Event
from ledger.events.proposal import SourceNoted
from ledger.store.application import Ledger
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.embedded_install import find_install
from ledger.store.migrations import migrate
from ledger.values import Actor, MemberId, Role

WRITERS = (1, 8, 32)
#: What performance.md asks for: (ours, over, writers, at least).
REACH = (
    ("library", 8, 10.0),
    ("library", 32, 25.0),
    ("pgbench", 8, 0.8),
    ("pgbench", 32, 1.5),
)
TABLE = """CREATE TABLE pgbench_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stream_id uuid, version int, topic text, state bytea)"""
STATE_BYTES = 400
TEXT = "Checkout pays interest on its retry logic: every change touches four services. " * 2
IDS_PER_S = 120_000
REQUEST = b"\x00" * 32
ACTOR = Actor(MemberId(UUID(int=1)), Role.ENGINEER)

#: A path: how many events a number of writers recorded in so many seconds.
Path_ = Callable[[int, float], float]


def main(arguments: Sequence[str] | None = None) -> int:
    """This will measure all paths and print the table and the ratios; the exit code says only whether it ran."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks append", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="of all measurements")
    parser.add_argument("--writers", type=int, nargs="+", default=list(WRITERS))
    parser.add_argument("--only", nargs="+", choices=("pgbench", "library", "threads", "tasks"), help="some paths")
    given = parser.parse_args(arguments)
    with server() as url, database(url) as own:
        state = settings(own)
        if (state["fsync"], state["synchronous_commit"]) != ("on", "on"):
            print("this server does not wait for its disk (fsync or synchronous_commit is off): it measures nothing")
            return 2
        print(
            f"PostgreSQL {state['server_version']}, fsync and synchronous_commit on, {os.cpu_count()} cores, "
            f"load {os.getloadavg()[0]:.1f} at the start; median of {given.rounds} × {given.seconds:g} s",
            flush=True,
        )
        migrate(own)
        with psycopg.connect(own, autocommit=True) as connection:
            connection.execute(TABLE)
        with Ledger(own) as ledger:
            paths: dict[str, Path_] = {
                "pgbench": lambda writers, seconds: pgbench(own, writers, seconds),
                "library": lambda writers, seconds: library(own, writers, seconds),
                "threads": lambda writers, seconds: threads(ledger, writers, seconds),
                "tasks": lambda writers, seconds: uvloop.run(tasks(ledger, writers, seconds)),
            }
            chosen = {name: path for name, path in paths.items() if not given.only or name in given.only}
            rates = measured(chosen, given.writers, given.seconds, given.rounds)
            report(rates, given.writers, row_bytes(own))
            print(
                f"load {os.getloadavg()[0]:.1f} at the end; {ledger.head():,} events in the ledger, as many as were acknowledged"
            )
    return 0


def measured(
    paths: dict[str, Path_], writers: Sequence[int], seconds: float, rounds: int
) -> dict[tuple[str, int], list[float]]:
    """This will run each path with each number of writers, round after round, and give events a second."""
    rates: dict[tuple[str, int], list[float]] = {}
    for number in range(rounds):
        for count in writers:
            for name, path in paths.items():
                print(f"\rround {number + 1}: {name}, {count} writers    ", end="", file=sys.stderr, flush=True)
                rates.setdefault((name, count), []).append(path(count, seconds))
    print("\r" + " " * 40 + "\r", end="", file=sys.stderr, flush=True)
    return rates


def report(rates: dict[tuple[str, int], list[float]], writers: Sequence[int], sizes: dict[str, int]) -> None:
    """This will print the table of medians, and each ratio beside what it should reach."""
    medians = {key: median(found) for key, found in rates.items()}
    names = list(dict.fromkeys(name for name, _ in medians))
    print(f"\n{'events/s at':<12}" + "".join(f"{count:>10}" for count in writers) + f"{'bytes/row':>12}")
    for name in names:
        print(f"{name:<12}" + "".join(f"{medians[name, count]:>10,.0f}" for count in writers) + f"{sizes[name]:>12,}")
    print(f"\n{'ratio':<28}{'reach':>8}{'found':>8}   of each round")
    for ours in ("threads", "tasks"):
        for other, count, least in REACH:
            if (ours, count) in medians and (other, count) in medians:
                found = medians[ours, count] / medians[other, count]
                each = [mine / its for mine, its in zip(rates[ours, count], rates[other, count], strict=True)]
                print(
                    f"{f'{ours} ÷ {other} at {count}':<28}{least:>8.1f}{found:>8.2f}   {'reached' if found >= least else 'NOT reached':<12}"
                    + " ".join(f"{ratio:.2f}" for ratio in each)
                )


def pgbench(url: str, writers: int, seconds: float) -> float:
    """This will let pgbench insert, with a prepared statement, and read its rate."""
    script = (
        "INSERT INTO pgbench_events (stream_id, version, topic, state) "
        f"VALUES (gen_random_uuid(), 1, 'SourceNoted', '\\x{'ab' * STATE_BYTES}');\n"
    )
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        jobs = min(writers, os.cpu_count() or 1)
        command = [str(find_install().bin_dir / "pgbench"), "-n", "-M", "prepared", "-f", file.name]
        command += ["-c", str(writers), "-j", str(jobs), "-T", str(max(1, round(seconds))), url]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"tps = ([\d.]+)", ran.stdout)
    if ran.returncode or not found:
        raise RuntimeError(f"pgbench failed: {ran.stderr.strip()}")
    return float(found[1])


def library(url: str, writers: int, seconds: float) -> float:
    """This will let threads save events through eventsourcing's own application, each with a connection at hand."""
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    app: Application[UUID] = Application(
        {
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": parts.path.lstrip("/"),
            "POSTGRES_HOST": query.get("host") or parts.hostname or "",
            "POSTGRES_PORT": str(query.get("port") or parts.port or 5432),
            "POSTGRES_USER": parts.username or query.get("user", ""),
            "POSTGRES_PASSWORD": parts.password or "none",
            "POSTGRES_POOL_SIZE": str(writers),
        }
    )

    def save() -> None:
        stream = ids.pop()
        app.save(
            Estimated(
                originator_id=stream,
                originator_version=1,
                timestamp=datetime.now(UTC),
                team_id=stream,
                title="Pay the debt in checkout",
                area="component:default/checkout",
                likely=Decimal("2.5"),
                at=datetime.now(UTC),
                note=TEXT,
            )
        )

    try:
        with drawn(seconds) as ids:
            return in_threads(save, writers, seconds)
    finally:
        app.close()


def threads(ledger: Ledger, writers: int, seconds: float) -> float:
    """This will let threads append to the ledger."""

    def append() -> None:
        event = noted(ids)
        ledger.append([event], command_id=event.command_id, request_hash=REQUEST, at=event.occurred_at)

    with drawn(seconds) as ids:
        return counted(ledger, lambda: in_threads(append, writers, seconds), seconds)


async def tasks(ledger: Ledger, writers: int, seconds: float) -> float:
    """This will let tasks append to the ledger, all in this thread."""
    count = 0
    before = ledger.head()

    async def write() -> None:
        nonlocal count
        while perf_counter() - began < seconds:
            event = noted(ids)
            await ledger.append_async([event], command_id=event.command_id, request_hash=REQUEST, at=event.occurred_at)
            count += 1

    with drawn(seconds) as ids:
        began = perf_counter()
        await asyncio.gather(*(write() for _ in range(writers)))
        rate = count / (perf_counter() - began)
    if ledger.head() - before != count:
        raise RuntimeError(f"{count} appends were acknowledged, {ledger.head() - before} recorded")
    return rate


@contextmanager
def drawn(seconds: float) -> Iterator[list[UUID]]:
    """This will draw more ids than can be used up in so many seconds: at random, as those of real commands are."""
    ids = [UUID(int=getrandbits(128)) for _ in range(int(IDS_PER_S * (seconds + 1)))]
    gc.collect()
    gc.freeze()  # the collector need not go through them over and over
    try:
        yield ids
    finally:
        gc.unfreeze()


def noted(ids: list[UUID]) -> Event:
    """This will make an event of a stream of its own."""
    command_id, stream_id = ids.pop(), ids.pop()
    fact = SourceNoted("comment", TEXT)
    return Event(command_id, stream_id, 1, datetime.now(UTC), ACTOR, command_id, command_id, fact)


def in_threads(write: Callable[[], None], writers: int, seconds: float) -> float:
    """This will call `write` over and over in threads, and give calls a second once all had their first."""
    counts = [0] * writers
    ready = Barrier(writers + 1)
    failed: list[BaseException] = []

    def run(number: int) -> None:
        try:
            write()
            ready.wait()
            began = perf_counter()
            while perf_counter() - began < seconds:
                write()
                counts[number] += 1
        except BaseException as error:
            failed.append(error)
            ready.abort()

    started = [Thread(target=run, args=(number,)) for number in range(writers)]
    for thread in started:
        thread.start()
    try:
        ready.wait()
        began = perf_counter()
    finally:
        for thread in started:
            thread.join()
    if failed:
        raise failed[0]
    return sum(counts) / (perf_counter() - began)


def counted(ledger: Ledger, run: Callable[[], float], seconds: float) -> float:
    """This will check after a run that the ledger holds what was acknowledged, within the writers' first events."""
    before = ledger.head()
    rate = run()
    recorded = ledger.head() - before
    if recorded < rate * seconds * 0.99:
        raise RuntimeError(f"about {rate * seconds:.0f} appends were acknowledged, {recorded} recorded")
    return rate


def row_bytes(url: str) -> dict[str, int]:
    """This will give the mean size of a row in each path's table."""
    tables = {
        "pgbench": "pgbench_events",
        "library": "application_events",
        "threads": "ledger.events",
        "tasks": "ledger.events",
    }
    found = {}
    with psycopg.connect(url, autocommit=True) as connection:
        for name, table in tables.items():
            if connection.execute("SELECT to_regclass(%s)", [table]).fetchone() == (None,):
                continue
            name_parts = sql.SQL(".").join(sql.Identifier(part) for part in table.split("."))
            statement = sql.SQL("SELECT avg(pg_column_size(t.*)) FROM (SELECT * FROM {} LIMIT 1000) AS t").format(
                name_parts
            )
            row: Any = connection.execute(statement).fetchone()
            found[name] = round(row[0] or 0)
    return found


def settings(url: str) -> dict[str, str]:
    """This will read the server's settings that matter here."""
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'server_version')"
        )
        return dict(rows.fetchall())


@contextmanager
def server() -> Iterator[str]:
    """This will give the server that LEDGER_DATABASE_URL names, or an embedded one that is as durable."""
    if named := os.environ.get("LEDGER_DATABASE_URL"):
        yield named
        return
    with tempfile.TemporaryDirectory(prefix="ledger-benchmark-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL may run as another user than this process
        with EmbeddedPostgres.start(Path(folder) / "data") as embedded:
            yield embedded.url_of("postgres")


@contextmanager
def database(url: str) -> Iterator[str]:
    """This will make a database for the run and drop it afterwards."""
    name = f"benchmark_{uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield (
                urlunsplit(urlsplit(url)._replace(path=f"/{name}")) if urlsplit(url).netloc else _socket_url(url, name)
            )
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _socket_url(url: str, name: str) -> str:
    # urlunsplit drops the empty host of postgresql:///name?host=/folder
    parts = urlsplit(url)
    return f"{parts.scheme}:///{name}?{parts.query}"


if __name__ == "__main__":
    raise SystemExit(main())
