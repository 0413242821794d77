"""How fast single events are recorded, one transaction each as far as its writer can tell.

Four paths on one PostgreSQL, in turn and several times over, so that a busy moment of the machine does not fall on one of them alone;
the table shows the medians. All wait for the disk (fsync and synchronous_commit on) and write about as much:

pgbench     a single-row INSERT into a table with one index, by a C client: what the server can do with one row a transaction
library     eventsourcing's `save` with its default recorder and mapper, a thread a writer, a connection for each
threads     `Ledger.append`, a thread a writer: leaf hash, contiguity, command ids, and a receipt
tasks       `Ledger.append_async`, an asyncio task a writer, all in one thread, on the event loop that serves the API

Before that the server makes enough files for its log (WAL): one that has run for some hours uses its old ones again, but a new one
makes each on the way, 16 MB that are written and flushed while everybody waits, on whichever path that falls.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import uvloop
from psycopg import sql

from benchmarks.append_paths import TABLE, library, pgbench, tasks, threads
from ledger.store.application import Ledger
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.migrations import migrate

WRITERS = (1, 8, 32)
#: What performance.md asks for: (ours, over, writers, at least).
REACH = (
    ("library", 8, 10.0),
    ("library", 32, 25.0),
    ("pgbench", 8, 0.8),
    ("pgbench", 32, 1.5),
)
#: Files of the server's log, of 16 MB, that are there when the clock starts.
LOG_FILES = 32
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
            print(f"{make_log_files(connection)} files of the server's log are there beforehand", flush=True)
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


def make_log_files(connection: psycopg.Connection) -> int:
    """This will let the server have files for its log, as far as this role may ask for that, and say how many it can use."""
    ahead = "SELECT count(*) FROM pg_ls_waldir() WHERE name > pg_walfile_name(pg_current_wal_lsn()) AND name ~ '^[0-9A-F]{24}$'"
    try:
        for _ in range(LOG_FILES):
            connection.execute("SELECT pg_logical_emit_message(true, 'benchmark', '')")  # an empty file is not switched
            connection.execute("SELECT pg_switch_wal()")
        connection.execute("CHECKPOINT")  # the files are free to be used again
        ((found,),) = connection.execute(ahead).fetchall()
    except psycopg.errors.InsufficientPrivilege:
        return 0
    return int(found)


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
