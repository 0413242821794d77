"""The four ways of recording single events that `benchmarks.append` measures; each gives events a second.

Ids are drawn before the clock starts, for the library too: real ones come with a request.
"""

import asyncio
import gc
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from random import getrandbits
from threading import Barrier, Thread
from time import perf_counter
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from eventsourcing.application import Application

from benchmarks.library import Estimated
from ledger.events import Event
from ledger.events.proposal import SourceNoted
from ledger.store.application import Ledger
from ledger.store.embedded_install import find_install
from ledger.values import Actor, MemberId, Role

TABLE = """CREATE TABLE pgbench_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stream_id uuid, version int, topic text, state bytea)"""
STATE_BYTES = 400
TEXT = "Checkout pays interest on its retry logic: every change touches four services. " * 2
IDS_PER_S = 120_000
REQUEST = b"\x00" * 32
ACTOR = Actor(MemberId(UUID(int=1)), Role.ENGINEER)


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
