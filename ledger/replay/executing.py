"""Where the work of a replay is done: here, in processes of this machine, or on a Dask cluster, through one interface."""

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context


class SchedulerError(RuntimeError):
    """The Dask cluster can't be had; the message says why, and what to do."""


@contextmanager
def executor(processes: int | None = None, scheduler: str | None = None) -> Iterator[Executor]:
    """This will give an executor for the block: a Dask cluster's where a scheduler's address is given, else processes of this machine.

    Raises SchedulerError.
    """
    if scheduler is None:
        # Forked workers would share the parent's connections and threads.
        count = processes or os.cpu_count() or 1
        pool = ProcessPoolExecutor(count, mp_context=get_context("spawn"))
        with _uninterrupted():
            for _ in range(count):  # each brings up one worker, which leaves a Ctrl-C to its parent for good
                pool.submit(os.getpid)
        try:
            yield pool
        except BaseException:
            # What was asked for is not wanted any more: neither what waits nor what runs.
            workers = list((pool._processes or {}).values())
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in workers:
                worker.terminate()
            raise
        finally:
            pool.shutdown()
        return
    try:
        from distributed import Client  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise SchedulerError("Dask is not installed. Run: pip install 'decision-ledger[dask]'") from error
    try:
        client = Client(scheduler, timeout=10)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError) as error:
        raise SchedulerError(
            f"No Dask scheduler answers at {scheduler}: {error}. Start one, or leave --scheduler out."
        ) from error
    with client, client.get_executor(pure=False) as cluster:  # type: ignore[no-untyped-call]
        try:
            yield cluster
        except BaseException:
            cluster.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """This will ignore a Ctrl-C, which reaches every process of a terminal, in the block and in all that is started there."""
    if threading.current_thread() is not threading.main_thread():  # only there can signals be set
        yield
        return
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)
