"""How fast a ledger is verified, beside reading the same rows and doing nothing with them, on one PostgreSQL in one run.

read      every column of every fact into Python, page by page
verify    the same, and: leaf, columns against the envelope, commitment of the payload, times, versions, the tree, and its root
proofs    inclusion and consistency from a tree that is at hand
"""

import argparse
import os
from collections.abc import Sequence
from random import Random
from time import perf_counter, process_time

from benchmarks.append import database, server
from benchmarks.facts import History, write
from ledger.store.integrity import reading
from ledger.store.integrity.checkpoint import Checkpoint
from ledger.store.integrity.logtree import LogTree
from ledger.store.integrity.tree import verify_consistency, verify_inclusion
from ledger.store.integrity.verifying import verify
from ledger.store.migrations import migrate

PROOFS = 1_000


def main(arguments: Sequence[str] | None = None) -> int:
    """This will measure and print the rates; the exit code says whether the ledger held."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks verify", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--facts", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=2, help="the best of each counts")
    given = parser.parse_args(arguments)
    cores = os.cpu_count() or 1
    best: dict[str, float] = {}

    def note(name: str, facts: int, seconds: float) -> None:
        best[name] = max(best.get(name, 0.0), facts / seconds)

    with server() as url, database(url) as own:
        migrate(own)
        total = write(own, History().events(facts=given.facts))
        print(f"{total:,} facts, {cores} cores, load {os.getloadavg()[0]:.1f}")
        for _ in range(given.rounds):
            with reading.reader(own) as connection:
                began, busy = perf_counter(), process_time()
                read = sum(len(page.position) for page in reading.pages(connection, 0, total))
                note("read", read, perf_counter() - began)
                print(f"read: {(process_time() - busy) / read * 1e6:.1f} µs of this process's CPU a fact")
            for processes in sorted({1, cores}):
                busy = process_time()
                found = verify(own, processes=processes)
                if processes == 1:
                    print(f"verify: {(process_time() - busy) / found.facts * 1e6:.1f} µs of this process's CPU a fact")
                if found.fault is not None or found.root is None:
                    print(f"it does not hold: {found.fault}")
                    return 1
                note(f"verify, {processes} process{'es' if processes > 1 else ''}", found.facts, found.seconds)
        _proofs(own, Checkpoint("log", total, found.root))
    for name, rate in best.items():
        print(f"{name:24}{rate:12,.0f} facts a second")
    return 0


def _proofs(url: str, checkpoint: Checkpoint) -> None:
    tree, random, size = LogTree(), Random(6962), checkpoint.size
    with reading.reader(url) as connection:
        began = perf_counter()
        assert tree.root(connection, size) == checkpoint.root
        print(f"the tree read and hashed from the stored leaves in {perf_counter() - began:.2f} s")
        began = perf_counter()
        for _ in range(PROOFS):
            position = random.randint(1, size)
            (leaf,) = reading.leaves(connection, position - 1, position)
            verify_inclusion(leaf, position - 1, size, tree.inclusion(connection, position, size), checkpoint.root)
        print(f"an inclusion proof made and verified in {(perf_counter() - began) / PROOFS * 1e6:,.0f} µs")
        began = perf_counter()
        for _ in range(PROOFS):
            first = random.randint(1, size)
            proof = tree.consistency(connection, first, size)
            verify_consistency(first, size, tree.root(connection, first), checkpoint.root, proof)
        print(f"a consistency proof made and verified in {(perf_counter() - began) / PROOFS * 1e6:,.0f} µs")
