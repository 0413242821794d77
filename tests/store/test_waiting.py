"""Threads whose commands are answered together wake one another: however many have left meanwhile, nobody else waits for ever."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import product
from uuid import uuid4

import pytest

from ledger.store.application import prepared
from ledger.store.faults import CommandReused
from ledger.store.waiting import Series, Waiting, deliver
from tests.store.examples import command

SOON_S = 3.0
SENDERS = 6


def waiting(series: Series | None = None) -> Waiting:
    return Waiting(prepared(command(uuid4(), 1)), series=series)


def answer(batch: list[Waiting]) -> None:
    deliver(batch, [CommandReused(one.command.command_id) for one in batch])


@pytest.fixture(scope="module")
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(SENDERS) as made:
        yield made


def heard(threads: ThreadPoolExecutor, batch: list[Waiting]) -> list[Future[bool]]:
    """This will let a thread wait for each, and return when all do."""
    up = threading.Barrier(len(batch) + 1)

    def hear(one: Waiting) -> bool:
        up.wait()
        return one.hear(SOON_S)

    found = [threads.submit(hear, one) for one in batch]
    up.wait()
    return found


@pytest.mark.parametrize("gone", [*product([False, True], repeat=SENDERS)])
def test_all_who_wait_are_woken_past_any_who_left(threads: ThreadPoolExecutor, gone: tuple[bool, ...]) -> None:
    batch = [waiting() for _ in range(SENDERS)]
    for one, has_left in zip(batch, gone, strict=True):
        if has_left:
            assert not one.hear(0)
    found = heard(threads, [one for one, has_left in zip(batch, gone, strict=True) if not has_left])
    answer(batch)
    assert all(future.result() for future in found)


def test_one_who_is_interrupted_before_it_waited_wakes_the_next(threads: ThreadPoolExecutor) -> None:
    batch = [waiting() for _ in range(SENDERS)]
    found = heard(threads, batch[2:])
    answer(batch)
    for interrupted in batch[:2]:
        interrupted.leave()
    assert all(future.result() for future in found)


def test_one_who_sends_a_series_and_does_not_wait_yet_keeps_nobody(threads: ThreadPoolExecutor) -> None:
    series = Series()
    batch = [*(waiting(series) for _ in range(3)), *(waiting() for _ in range(3))]
    found = heard(threads, batch[3:])
    answer(batch)
    assert all(future.result() for future in found)
    assert all(one.hear(0) for one in batch[:3])
