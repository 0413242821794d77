"""Everything recomputed from the stored bytes: each fact by itself, their order, the tree, and its root against a checkpoint."""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
from os import cpu_count
from time import perf_counter

from msgspec import Struct

from ledger.collector import without_collector
from ledger.store.connections import Connection
from ledger.store.integrity import reading
from ledger.store.integrity.checking import Fault, Joined, Kind, Stretch, checked
from ledger.store.integrity.checkpoint import Checkpoint
from ledger.store.integrity.tiles import Tiles
from ledger.store.integrity.tree import EMPTY_ROOT

#: Facts checked together, a power of two; and how many there must be until more than one process pays.
STRETCH = 32_768
PARALLEL_FROM = 150_000

#: Told how many facts are checked, of how many.
Progress = Callable[[int, int], None]


class Verified(Struct, frozen=True):
    """What a verification found. `fault` None: all of it holds."""

    #: How many facts were checked and hold.
    facts: int
    #: The root over them; None where a fault came before.
    root: bytes | None
    fault: Fault | None
    checkpoint: Checkpoint | None
    #: Positions that a redaction names, and whose words are still there.
    unfinished: tuple[int, ...]
    redacted: int
    seconds: float

    @property
    def holds(self) -> bool:
        """This will say whether nothing is wrong."""
        return self.fault is None

    @property
    def facts_per_s(self) -> float:
        """This will give the rate."""
        return self.facts / self.seconds if self.seconds else 0.0


def verify(
    url: str,
    *,
    checkpoint: Checkpoint | None = None,
    kept: Tiles | None = None,
    processes: int | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Verified:
    """This will check the whole log of a database, and that it begins with what the checkpoint was signed over.

    `kept`: the tiles that go with the checkpoint, by which a rewritten fact is named. `processes` None: as many as pay.
    """
    started = perf_counter()
    with reading.reader(url) as connection:
        head = reading.head(connection)
        end = max(head, reading.last(connection))
        mark = checkpoint.size if checkpoint else 0
        joined = Joined()
        with without_collector():
            for stretch in _stretches(url, connection, end, mark, processes, progress):
                if joined.add(stretch):
                    break
        fault = joined.fault or _unsaid(connection, joined, end) or _end(joined, head, end)
        leaves = partial(reading.leaves, connection)
        fault = sooner(fault or against(joined, checkpoint, kept, leaves), checkpoint, kept, leaves)
        if fault is None and (at := reading.command_at_fault(connection, head)):
            fault = Fault(Kind.COMMAND, *at)
    return verified(joined, fault, checkpoint, started)


def verified(joined: Joined, fault: Fault | None, checkpoint: Checkpoint | None, started: float) -> Verified:
    """This will put together what was found."""
    return Verified(
        joined.next - 1,
        None if joined.fault else joined.frontier.root(),
        fault,
        checkpoint,
        tuple(joined.unfinished),
        len(joined.emptied),
        perf_counter() - started,
    )


def against(
    joined: Joined,
    checkpoint: Checkpoint | None,
    kept: Tiles | None = None,
    leaves: Callable[[int, int], list[bytes]] = lambda _after, _to: [],
) -> Fault | None:
    """This will say what is wrong with good facts beside a checkpoint. `leaves`: theirs, after a position and up to another."""
    if checkpoint is None:
        return None
    there = joined.next - 1
    if there < checkpoint.size:
        return Fault(
            Kind.TAIL,
            there + 1,
            f"the ledger ends at {there}, and the checkpoint covers {checkpoint.size} facts: the tail is cut off",
        )
    root = joined.root_at_mark if checkpoint.size else EMPTY_ROOT
    if root == checkpoint.root:
        return None
    position = None if kept is None else first_other(kept, 0, checkpoint.size, leaves)
    if position is None:
        return Fault(
            Kind.REWRITTEN, 0, f"the first {checkpoint.size} facts are not those that the checkpoint was signed over"
        )
    return Fault(Kind.REWRITTEN, position, "it is not the fact that the checkpoint was signed over")


def sooner(
    fault: Fault | None, checkpoint: Checkpoint | None, kept: Tiles | None, leaves: Callable[[int, int], list[bytes]]
) -> Fault | None:
    """This will name the fact before a fault that is not the one that was signed: what was renumbered shows late by itself."""
    if fault is None or checkpoint is None or kept is None:
        return fault
    position = first_other(kept, 0, min(checkpoint.size, fault.position - 1), leaves)
    if position is None or position >= fault.position:
        return fault
    return Fault(
        Kind.REWRITTEN,
        position,
        f"it is not the fact that the checkpoint was signed over; further on, at {fault.position}, {fault.message}",
    )


def first_other(kept: Tiles, after: int, to: int, leaves: Callable[[int, int], list[bytes]]) -> int | None:
    """This will give the first position whose leaf is not the one that is kept, None if all are or the tiles can't say."""
    for start in range(after, to, STRETCH):
        end = min(to, start + STRETCH)
        try:
            wanted = kept.leaves(start, end)
        except (FileNotFoundError, ValueError):
            return None
        found = leaves(start, end)
        for index, leaf in enumerate(wanted):
            if index >= len(found) or found[index] != leaf:
                return start + index + 1
    return None


def _stretches(
    url: str, connection: Connection, end: int, mark: int, processes: int | None, progress: Progress
) -> Iterator[Stretch]:
    done = 0

    def moved(facts: int) -> None:
        nonlocal done
        done += facts
        progress(done, end)

    starts = range(1, end + 1, STRETCH)
    wanted = processes or (min(cpu_count() or 1, len(starts)) if end >= PARALLEL_FROM else 1)
    progress(0, end)
    if wanted == 1:
        for first in starts:
            last = min(end, first + STRETCH - 1)
            yield _checked(connection, first, last, mark, moved)
        return
    # A fresh interpreter each: this one has threads.
    with ProcessPoolExecutor(wanted, mp_context=get_context("spawn")) as pool:
        tasks = {pool.submit(stretch_of, url, first, min(end, first + STRETCH - 1), mark): first for first in starts}
        arrived: dict[int, Stretch] = {}
        due = iter(starts)
        first = next(due)
        try:
            for task in as_completed(tasks):
                found = task.result()
                moved(found.next - found.first)
                arrived[tasks[task]] = found
                while first in arrived:
                    yield arrived.pop(first)
                    first = next(due, 0)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def stretch_of(url: str, first: int, last: int, mark: int) -> Stretch:
    """This will check a run of facts in a process of its own."""
    with reading.reader(url) as connection, without_collector():
        return _checked(connection, first, last, mark, lambda _: None)


def _checked(connection: Connection, first: int, last: int, mark: int, moved: Callable[[int], None]) -> Stretch:
    found = checked(first, reading.pages(connection, first - 1, last, moved), mark)
    if found.fault is None and found.next <= last:
        missing = "the fact is missing" if found.next == last else f"the facts up to {last} are missing"
        found.fault = Fault(Kind.MISSING, found.next, missing)
    return found


def _unsaid(connection: Connection, joined: Joined, end: int) -> Fault | None:
    """This will look for words that are gone without a redaction; one that was recorded since the beginning of the check counts."""
    if joined.emptied - joined.redacted.keys():
        later = checked(end + 1, reading.pages(connection, end, reading.head(connection)))
        joined.redacted = later.redacted | joined.redacted
    return joined.finish()


def _end(joined: Joined, head: int, end: int) -> Fault | None:
    if end > head:
        return Fault(Kind.HEAD, head + 1, f"the ledger says that it ends at {head}, and there are facts up to {end}")
    return None
