"""A command that waits for its answer, and how the answer gets to whoever waits."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from threading import Lock

import psycopg

from ledger.store.batch import Answer, PackedCommand
from ledger.store.faults import LedgerBusy, LedgerUnavailable, OutcomeUnknown

Outcome = Answer | OutcomeUnknown | psycopg.Error
#: The database did not take a command, or did not say so: whatever builds on it must not be tried.
_UNTRIED = (LedgerBusy, LedgerUnavailable, OutcomeUnknown, psycopg.Error)


class Series:
    """Commands that one sender sends in order, the next before the last are answered.

    Once one could not be tried for want of the database, none after it is: all of them get the same fault.
    """

    fault: Outcome | None = None


class Waiting:
    """A command and the place where its sender waits for the answer: a thread at the lock, a task at the future of its loop."""

    __slots__ = ("answered", "builds_on_last", "command", "future", "outcome", "series")

    def __init__(
        self,
        command: PackedCommand,
        future: asyncio.Future[Outcome] | None = None,
        *,
        series: Series | None = None,
        builds_on_last: bool = False,
    ) -> None:
        self.command = command
        self.series = series
        #: Its sender sent another just before: it may not overtake that one when that one has to be sent again.
        self.builds_on_last = builds_on_last
        self.outcome: Outcome | None = None
        self.future = future
        if future is None:
            self.answered = Lock()
            self.answered.acquire()


def deliver(batch: Sequence[Waiting], outcomes: Sequence[Outcome]) -> None:
    """This will give each command its outcome, and wake each loop once."""
    tasks: dict[asyncio.AbstractEventLoop, list[Waiting]] = {}
    for waiting, outcome in zip(batch, outcomes, strict=True):
        waiting.outcome = outcome
        if waiting.series is not None and isinstance(outcome, _UNTRIED):
            waiting.series.fault = outcome
        if waiting.future is None:
            waiting.answered.release()
        else:
            tasks.setdefault(waiting.future.get_loop(), []).append(waiting)
    for loop, answered in tasks.items():
        with suppress(RuntimeError):  # a loop that was closed waits for nothing
            loop.call_soon_threadsafe(_settle, answered)


def _settle(answered: Sequence[Waiting]) -> None:
    for waiting in answered:
        if waiting.future is not None and not waiting.future.done():
            waiting.future.set_result(waiting.outcome)  # type: ignore[arg-type]
