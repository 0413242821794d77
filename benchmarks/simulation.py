"""How fast policies are replayed: the naive full sort in NumPy beside ours, on the same history in one run, and a sweep with its memory.

The history is made up and seeded: items arrive evenly over the cycles with five features, each review takes what fits of the best, and the
rest is carried over. Both sides choose the same items at each review, or the measurement ends with an error.
"""

import argparse
import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from uuid import UUID

import numpy as np
from rich.console import Console
from rich.progress import Progress

from benchmarks.append import database, server
from benchmarks.facts import History as Facts
from benchmarks.facts import write
from ledger.replay.backtest import lay_out
from ledger.replay.executing import executor
from ledger.replay.history import DAY_US, Floats, History, Ints, Names, instant, ordered
from ledger.replay.kinds import WIDTH, Kind
from ledger.replay.loading import load
from ledger.replay.quick import Quick
from ledger.replay.scenario import PolicyChoice, Scenario
from ledger.replay.sweep import sweep, weights
from ledger.store.migrations import migrate

CYCLE_DAYS = 7
START_US = 1_577_836_800_000_000
SCALE = {"drag": 40.0, "risk": 8.0, "level": 5.0, "benefits": 2.0}
FEATURES = ("drag", "risk", "level", "benefits", "smallness")


def made_up(items: int, cycles: int, chosen_share: float, seed: int) -> History:
    """This will make the columns of one team's history: `items` over `cycles` reviews with room for about a share of them."""
    random = np.random.default_rng(seed)
    arrival = np.sort(random.uniform(0, cycles * CYCLE_DAYS, items))
    days = random.integers(1, 81, items) / 4
    parts = [_rows(Kind.TEAM_FORMED, np.zeros(1), np.zeros(1, np.int64), {0: 8.0, 1: 4_000.0})]
    own = np.arange(items)
    parts.append(_rows(Kind.SUBMITTED, arrival, own, {0: 0.0, 1: 1.0}))
    parts.append(_rows(Kind.ESTIMATED, arrival, own, {0: 1.0, 1: days, 2: days, 3: days, 4: days}))
    drag = random.integers(0, 320, items) / 8
    level = np.minimum(drag // 8, 5)
    parts.append(
        _rows(Kind.IMPACT, arrival, own, {0: 1.0, 1: drag, 2: 1.0, 3: level, 4: random.uniform(0.5, 1, items), 5: 0.0})
    )
    count = random.integers(0, 5, items)
    parts.append(_rows(Kind.CASE, arrival, own, {0: 1.0, 1: random.uniform(0, 8, items), 2: np.log1p(count), 3: count}))
    at = np.arange(1, cycles + 1) * float(CYCLE_DAYS)
    capacity = np.floor(items / cycles * chosen_share * float(days.mean()) * 4) / 4
    parts.append(_rows(Kind.REVIEW_SCHEDULED, at, np.arange(cycles), {0: 0.0, 1: 1.0}))
    parts.append(_rows(Kind.REVIEW_OPENED, at, np.arange(cycles), {1: capacity, 2: -1.0, 3: 0.0}))
    kind, known, subject, figures = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(known, kind="stable")
    kind, known, subject, figures = kind[order], known[order], subject[order], figures[order]
    opened = np.flatnonzero(kind == Kind.REVIEW_OPENED)
    figures[opened, 0] = opened  # it knows all positions before its own, which count from 1
    ids = np.zeros((items, 16), np.uint8)
    ids[:, 8:] = np.arange(items, dtype=">u8").view(np.uint8).reshape(-1, 8)
    one = np.zeros((1, 16), np.uint8)
    reviews = np.zeros((cycles, 16), np.uint8)
    names = Names(ids, ("",) * items, one, ("Team",), reviews, np.empty((0, 16), np.uint8), ())
    positions = np.arange(1, len(kind) + 1)
    native = np.zeros(len(kind), dtype=bool)
    return ordered(
        UUID(int=seed), len(kind), kind, subject.astype(np.int32), positions, known, known, native, figures, names
    )


def _rows(
    kind: Kind, days: Floats, subject: Ints, figures: "dict[int, object]"
) -> "tuple[np.ndarray, Ints, Ints, Floats]":
    columns = np.full((len(subject), WIDTH), np.nan)
    for index, figure in figures.items():
        columns[:, index] = figure
    return np.full(len(subject), kind, np.uint8), START_US + (days * DAY_US).astype(np.int64), subject, columns


def naive(scores: Floats, arrives: Ints, cost: Ints, free: Sequence[int]) -> list[list[int]]:
    """This will sort all that is there at each review, and take what fits in that order."""
    taken = np.zeros(len(scores), dtype=bool)
    chosen = []
    for cycle, capacity in enumerate(free):
        there = np.flatnonzero((arrives <= cycle) & ~taken)
        order = there[np.argsort(-scores[there], kind="stable")]
        costs = cost[order]
        left, at, picked = capacity, 0, []
        while at < len(order):
            sums = np.cumsum(costs[at:])
            count = int(np.searchsorted(sums, left, side="right"))
            picked += order[at : at + count].tolist()
            left -= int(sums[count - 1]) if count else 0
            at += count
            fitting = np.flatnonzero(costs[at:] <= left)
            if not len(fitting):
                break
            at += int(fitting[0])
        taken[picked] = True
        chosen.append(picked)
    return chosen


def compare(items: int, cycles: int, policies: int, share: float, seed: int) -> None:
    """This will replay policies both ways, check that they choose the same, and print the rates."""
    history, scenario = made_up(items, cycles, share, seed), Scenario((PolicyChoice("FIFO"),))
    started = perf_counter()
    seen = lay_out(history, scenario)
    quick = Quick(seen, scenario)
    prepared = perf_counter() - started
    choices = weights(policies, seed, FEATURES, SCALE)
    submitted = history.of(Kind.SUBMITTED)
    cuts = np.array([review.cut for review in seen.reviews])
    arrives = np.searchsorted(cuts, submitted, side="right")
    table = quick.whole
    cost = np.empty(items, dtype=np.int64)
    cost[table.item] = table.cost
    free = [int(review.capacity * 4) for review in seen.reviews]
    scores = []
    for choice in choices:
        by_item = np.empty(items)
        by_item[table.item] = quick.scores(choice)
        scores.append(by_item)
    started = perf_counter()
    theirs = [naive(own, arrives, cost, free) for own in scores]
    slow = (perf_counter() - started) / policies
    by_row = [quick.scores(choice) for choice in choices]
    started = perf_counter()
    ours = [quick.replay(choice, own) for choice, own in zip(choices, by_row, strict=True)]
    fast = (perf_counter() - started) / policies
    for one, other in zip(theirs, ours, strict=True):
        if one != [step.chosen.tolist() for step in other.steps]:
            raise SystemExit("The two sides chose differently.")
    chosen = sum(len(step.chosen) for step in ours[0].steps)
    print(
        f"{items:>9,}{cycles:>7}{chosen:>9,}{prepared:>10.2f}{1 / slow:>11.1f}{1 / fast:>11.1f}{slow / fast:>8.1f} ×",
        flush=True,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """This will run the measurement and print its table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks simulation", description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--cycles", type=int, default=52)
    parser.add_argument("--policies", type=int, default=20, help="replayed both ways")
    parser.add_argument("--swept", type=int, default=1_000, help="policies of the sweep; 0: none")
    parser.add_argument("--share", type=float, default=0.03, help="of the arriving items that a review has room for")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--facts", type=int, default=0, help="also load a log of so many facts from PostgreSQL; 0: don't"
    )
    given = parser.parse_args(arguments)
    print("Replays without scoring, which both sides share. Prepared once: seconds to lay the history out and fold it.")
    print(f"{'items':>9}{'cycles':>7}{'chosen':>9}{'prepared':>10}{'naive/s':>11}{'ours/s':>11}{'ratio':>10}")
    for items, cycles in (
        (given.items // 10, given.cycles),
        (given.items, max(given.cycles // 4, 1)),
        (given.items, given.cycles),
    ):
        compare(items, cycles, given.policies, given.share, given.seed)
    if given.swept:
        _sweep(given)
    if given.facts:
        _load(given.facts)
    return 0


def _load(facts: int) -> None:
    """This will write a made-up log, and measure how long it takes to become columns: at first, extended by nothing, and in memory."""
    with server() as url, database(url) as own, TemporaryDirectory() as folder:
        migrate(own)
        total = write(own, Facts().events(facts=facts))
        for name, cache in (
            ("without a file", None),
            ("and keep a file", Path(folder)),
            ("from the file", Path(folder)),
        ):
            started, used = perf_counter(), process_time()
            history = load(own, cache)
            print(
                f"Load {total:,} facts {name:>15}: {perf_counter() - started:6.2f} s, {process_time() - used:6.2f} s of CPU here; "
                f"{len(history):,} rows in {history.size_bytes / 2**20:,.0f} MiB",
                flush=True,
            )
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"Peak memory {peak:,.0f} MiB; load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def _sweep(given: argparse.Namespace) -> None:
    history = made_up(given.items, given.cycles, given.share, given.seed)
    until = instant(START_US + given.cycles * CYCLE_DAYS * DAY_US // 2)
    choices = weights(given.swept, given.seed, FEATURES, SCALE)
    scenario = Scenario((PolicyChoice("FIFO"),))
    started, began = perf_counter(), sum(os.times()[:4])
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("Sweeping", total=given.swept)

        def move(done: int, total: int) -> None:
            bar.update(task, completed=done)

        if given.processes == 1:
            swept = sweep(history, scenario, choices, until, progress=move)
        else:
            with executor(given.processes) as pool:
                swept = sweep(history, scenario, choices, until, executor=pool, progress=move)
    seconds = perf_counter() - started
    used = sum(os.times()[:4]) - began
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
    print(
        f"Sweep: {swept.tried:,} policies over {given.items:,} items × {given.cycles} cycles, tuned on the first half, scored on the\n"
        f"second, in {seconds:.1f} s ({used:.1f} s of CPU) on {given.processes} process(es); "
        f"peak memory {peak:,.0f} MiB, of it the history {history.size_bytes / 2**20:,.0f} MiB"
    )


if __name__ == "__main__":
    raise SystemExit(main())
