"""How fast all views are built again from the facts, beside the eventsourcing library's bare read-and-decode, on one PostgreSQL in one run.

library     `select_notifications` and the default mapper's `to_domain_event`, page by page, with nothing done to the events: one of about
            400 bytes of strings, and one with the UUID, Decimal and instant that a fact has
ours, read  `Ledger.read` of the whole log: the same without any view; placed: as the views read it
rebuild     all views: read, decode, fold, store every version of every row, index, analyse, switch in

Beside each rate stands the CPU time for one event, of this program's own processes and of the server's, which says more on a busy machine.
The library and the server take turns, so that one processor is at work at a time; a rebuild keeps all of them busy, and where two share
a core each then does less. How much less is measured as well, for a machine that has nothing else to do: without it the two sides' CPU
times can't be set beside each other.

Then the parts of a rebuild, each on one processor: facts folded into rows with nothing stored, and their versions packed for COPY. With
reading, and with what the server does to store and index them, they are beside what all processors together have for one fact at the
library's rate: that is what a rebuild as fast as the library could take.

The facts are a seeded history of 20 teams: submissions with case, estimate and impact, changes, reviews, answers, notices and work.
"""

import argparse
import gc
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from math import inf, nan
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import psycopg

from benchmarks import library
from benchmarks.append import database, server
from benchmarks.facts import History, write
from ledger.store.application import Ledger
from ledger.store.migrations import migrate
from projections.catalogue import VIEWS
from projections.copying import Pack, packer
from projections.log import commands
from projections.projector import Fold
from projections.rebuild import PACKED, Progress, rebuild
from projections.rows import Rows, Version

PAGE = 5_000
#: Facts folded to see what folding and packing take, a thousand at a time as in a rebuild.
FOLDED, FOLDED_AT_ONCE = 50_000, 1_000
SIZES = """
SELECT sum(pg_total_relation_size(c.oid)), sum(c.reltuples)::bigint
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = 'views' AND c.relkind = 'r'
"""
#: The CPU seconds that a Python loop takes.
LOOP = "from time import process_time as t; a = t(); sum(n * n for n in range(5_000_000)); print(t() - a)"


def main(arguments: Sequence[str] | None = None) -> int:
    """This will measure and print the rates and the ratio; the exit code says only whether it ran."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks rebuild", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--facts", type=int, default=100_000)
    parser.add_argument("--library-events", type=int, default=100_000, help="its rate does not depend on how many")
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count() or 1, help="that the rebuild shares the views among"
    )
    parser.add_argument("--rounds", type=int, default=2, help="of all measurements; the best of each counts")
    given = parser.parse_args(arguments)
    rates: dict[str, float] = {}
    cpu: dict[str, tuple[float, float]] = {}

    def measure(name: str, run: Callable[[], tuple[int, float]]) -> None:
        ours, servers = _cpu_s(), _server_cpu_s(url)
        count, seconds = run()
        rates[name] = max(rates.get(name, 0.0), count / seconds)
        used = ((_cpu_s() - ours) / count * 1e6, (_server_cpu_s(url) - servers) / count * 1e6)
        cpu[name] = min(cpu.get(name, (inf, inf)), used)

    with server() as url, database(url) as own, database(url) as strings, database(url) as values:
        migrate(own)
        began = perf_counter()
        total = write(own, History().events(facts=given.facts))
        print(
            f"{total:,} facts written in {perf_counter() - began:.0f} s; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
        )
        for place, event_type in ((strings, library.Noted), (values, library.Estimated)):
            with library.library(place) as app:
                library.fill(app, given.library_events, event_type)
        for _ in range(given.rounds):
            for place, name in ((strings, "library, strings"), (values, "library, values")):
                with library.library(place) as app:
                    measure(name, partial(library.read, app))
            with closing(Ledger(own)) as ledger:
                measure("ours, read", partial(_read, ledger.read))
                measure("ours, placed", partial(_read, ledger.placed))
                measure("rebuild", partial(_rebuild, own, ledger, given.processes))
        with closing(Ledger(own)) as ledger:
            fold_us, pack_us = map(min, zip(*(_fold(ledger) for _ in range(given.rounds)), strict=True))
        with psycopg.connect(own) as connection:
            size, versions = connection.execute(SIZES).fetchone() or (0, 0)
    print(f"\n{'':18}{'a second':>12}{'CPU µs each':>14}{'the server’s':>14}")
    for name, rate in rates.items():
        print(f"{name:18}{rate:12,.0f}{cpu[name][0]:14.1f}{cpu[name][1]:14.1f}")
    alone, together = (min(_loop_s(count) for _ in range(5)) for count in (1, 2))
    print(f"a processor does {alone / together:.2f} of its work while another is busy")
    print(
        f"{versions:,} versions of rows in {len(VIEWS)} views, {size / 2**20:,.0f} MiB with their indexes, "
        f"{size / total:,.0f} bytes a fact"
    )
    read_us, store_us = sum(cpu["ours, placed"]), cpu["rebuild"][1] - cpu["ours, placed"][1]
    print(
        f"CPU µs a fact: read {read_us:.1f}, fold {fold_us:.1f}, pack {pack_us:.1f}, store {store_us:.1f}; "
        f"together {read_us + fold_us + pack_us + store_us:.1f}"
    )
    for kind in ("strings", "values"):
        rate = rates[f"library, {kind}"]
        print(
            f"rebuild ÷ library, {kind}: {rates['rebuild'] / rate:.2f}; "
            f"at its rate {given.processes} processors have {given.processes / rate * 1e6:.1f} µs a fact"
        )
    print(f"load {os.getloadavg()[0]:.1f} at the end")
    return 0


def _read(read: Callable[[int, int], Sequence[Any]]) -> tuple[int, float]:
    began, position = perf_counter(), 0
    gc.disable()
    while page := read(position, PAGE):
        position = page[-1].position
    gc.enable()
    return position, perf_counter() - began


def _rebuild(url: str, ledger: Ledger, processes: int) -> tuple[int, float]:
    began = perf_counter()
    position = rebuild(url, ledger, VIEWS, processes=processes, progress=_bar)
    return position, perf_counter() - began


def _fold(ledger: Ledger) -> tuple[float, float]:
    """This will fold facts into the rows of all views and pack their versions, and give the CPU µs of each for one fact."""
    folds = [(view, Rows(view.tables)) for view in VIEWS]
    tables = [(packer(table), rows.tables[table]) for view, rows in folds for table in view.tables]
    fold_page, position, fold_s, pack_s = Fold(folds), 0, 0.0, 0.0
    gc.disable()
    while position < FOLDED and (page := commands(ledger, position, FOLDED_AT_ONCE)):
        position, began = page[-1].position, process_time()
        fold_page(page)
        folded = process_time()
        for pack, kept in tables:
            _pack(pack, kept.versions)
            kept.versions.clear()
        fold_s, pack_s = fold_s + folded - began, pack_s + process_time() - folded
    began = process_time()
    for pack, kept in tables:
        _pack(pack, kept.fresh())
    gc.enable()
    return fold_s / position * 1e6, (pack_s + process_time() - began) / position * 1e6


def _pack(pack: Pack, versions: Sequence[Version]) -> None:
    for start in range(0, len(versions), PACKED):
        pack(versions[start : start + PACKED])


def _cpu_s() -> float:
    """This will give the CPU time of this process and of those it has ended, in seconds."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _server_cpu_s(url: str) -> float:
    """This will give the CPU time of all processes of the server, in seconds; NaN where it runs elsewhere."""
    with psycopg.connect(url) as connection:
        (backend,) = connection.execute("SELECT pg_backend_pid()").fetchone() or (0,)
        stats = {path.parent.name: _stat(path) for path in Path("/proc").glob("[0-9]*/stat")}
    name, _, first, *_ = stats.get(str(backend)) or ("", "", "")
    if name != "postgres":
        return nan
    # What ended children took is in the two figures after a process's own two.
    ticks = sum(map(int, stats[first][12:16]))
    ticks += sum(sum(map(int, told[12:14])) for told in stats.values() if told[2:3] == [first])
    return ticks / os.sysconf("SC_CLK_TCK")


def _stat(path: Path) -> list[str]:
    """This will give what the system tells of a process: name, state, parent, …; nothing if it has ended."""
    try:
        name, _, rest = path.read_text().partition("(")[2].rpartition(")")
    except OSError:
        return []
    return [name, *rest.split()]


def _loop_s(count: int) -> float:
    """This will run a loop in some processes at once, and give the CPU seconds that the slowest took."""
    running = [subprocess.Popen([sys.executable, "-c", LOOP], stdout=subprocess.PIPE, text=True) for _ in range(count)]
    return max(float(process.communicate()[0]) for process in running)


def _bar(progress: Progress) -> None:
    if sys.stderr.isatty():
        print(f"\r{progress.step:9} {progress.done:,} of {progress.total:,}", end="", file=sys.stderr)
