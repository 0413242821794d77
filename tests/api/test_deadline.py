"""A bound on a part of a request: it ends what takes too long, and nothing else."""

import asyncio
from time import sleep

import pytest

from ledger.api.deadline import Deadline


def test_what_takes_too_long_is_ended_and_its_task_goes_on() -> None:
    async def run() -> str:
        with pytest.raises(TimeoutError), Deadline(0.01):
            await asyncio.sleep(60)
        await asyncio.sleep(0)
        return "done"

    assert asyncio.run(run()) == "done"


def test_what_ends_in_time_is_not_ended_later() -> None:
    async def run() -> None:
        with Deadline(0.01):
            await asyncio.sleep(0)
        await asyncio.sleep(0.03)

    asyncio.run(run())


def test_a_task_that_is_cancelled_for_another_reason_stays_cancelled() -> None:
    async def part(began: asyncio.Event) -> None:
        with Deadline(60):
            began.set()
            await asyncio.sleep(60)

    async def run() -> None:
        began = asyncio.Event()
        task = asyncio.create_task(part(began))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


def test_a_task_that_is_cancelled_when_its_time_is_over_stays_cancelled_too() -> None:
    async def part() -> None:
        task = asyncio.current_task()
        assert task is not None
        with Deadline(0.0):
            asyncio.get_running_loop().call_later(0.0, task.cancel)
            sleep(0.01)  # noqa: ASYNC251 - both are due when the loop looks again
            await asyncio.sleep(60)

    async def run() -> None:
        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(part())

    asyncio.run(run())


def test_a_bound_inside_of_another_ends_its_own_block_alone() -> None:
    async def run() -> None:
        with Deadline(60):
            with pytest.raises(TimeoutError), Deadline(0.01):
                await asyncio.sleep(60)
            await asyncio.sleep(0)
        with pytest.raises(TimeoutError), Deadline(0.01), Deadline(60):
            await asyncio.sleep(60)

    asyncio.run(run())


def test_an_error_of_the_block_is_given_on() -> None:
    async def run() -> None:
        with pytest.raises(ValueError, match="its own"), Deadline(60):
            raise ValueError("its own")

    asyncio.run(run())


def test_only_a_task_can_be_ended() -> None:
    with pytest.raises(RuntimeError), Deadline(1):
        pass
