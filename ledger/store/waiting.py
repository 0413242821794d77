"""Commands that wait to be sent and for their answers, and how an answer gets to whoever waits."""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from threading import Lock

import psycopg

from ledger.store.batch import Answer, PackedCommand
from ledger.store.faults import LedgerBusy, LedgerUnavailable, OutcomeUnknown

#: Most commands of one series, and most bytes, in one transaction.
SERIES_COMMANDS = 1_024
BATCH_BYTES = 4 * 1024 * 1024
#: Threads of a batch that are woken at a time: one that goes on, and one that is up by the time that this one waits again.
WOKEN_THREADS = 2

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

    __slots__ = ("_is_gone", "answered", "builds_on_last", "command", "future", "line", "outcome", "series")

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
        #: The threads that are to be woken after this one, once it is answered.
        self.line: deque[Waiting] | None = None
        self._is_gone = False
        if future is None:
            self.answered = Lock()
            self.answered.acquire()

    def hear(self, timeout_s: float) -> bool:
        """This will wait for the answer in its sender's thread; False if that took too long."""
        try:
            return self.answered.acquire(timeout=timeout_s)
        finally:
            self.leave()

    def leave(self) -> None:
        """This will say that its sender waits no more, for whatever reason, and wake the next in line."""
        self._is_gone = True
        line, self.line = self.line, None
        if line is not None:
            wake_next(line)

    def wake(self) -> bool:
        """This will wake its sender; False if that may be gone, so that another has to be woken."""
        self.answered.release()
        return not self._is_gone


class Queue:
    """The commands that wait to be sent, the oldest first. For any thread: a sender that waited too long takes its own out."""

    def __init__(self) -> None:
        self._commands: deque[Waiting] = deque()
        self.extend, self.remove = self._commands.extend, self._commands.remove

    def __len__(self) -> int:
        return len(self._commands)

    def __iter__(self) -> Iterator[Waiting]:
        return iter(tuple(self._commands))

    def first(self) -> Waiting | None:
        """This will look at the oldest, which may be gone the next moment."""
        try:
            return self._commands[0]
        except IndexError:
            return None

    def next_batch(self, most: int, most_bytes: int) -> list[Waiting]:
        """This will take out up to `most` commands, or more of a series; [] if even the first is too large."""
        batch: list[Waiting] = []
        size_bytes = 0
        while (first := self.first()) is not None:
            size_bytes += first.command.size_bytes
            if len(batch) >= (SERIES_COMMANDS if first.builds_on_last else most) or (
                size_bytes > most_bytes and (batch or most_bytes < BATCH_BYTES)
            ):
                break
            try:
                waiting = self._commands.popleft()
            except IndexError:
                break
            if waiting.series is not None and waiting.series.fault is not None:
                deliver([waiting], [waiting.series.fault])
                continue
            batch.append(waiting)
        return batch


def wake_next(line: deque[Waiting]) -> None:
    """This will wake the first in line who still waits; that one wakes the next.

    Nobody is left out: a sender says that it is gone before it looks whether it is in line, and is put in line before it is woken.
    """
    with suppress(IndexError):  # that was the last
        while not line.popleft().wake():
            pass


def deliver(batch: Sequence[Waiting], outcomes: Sequence[Outcome]) -> None:
    """This will give each command its outcome, wake each loop once, and the threads in line: all at once, they would
    wait for each other for the interpreter, and each be woken twice.
    """
    tasks: dict[asyncio.AbstractEventLoop, list[Waiting]] = {}
    line: deque[Waiting] = deque()
    for waiting, outcome in zip(batch, outcomes, strict=True):
        waiting.outcome = outcome
        if waiting.series is not None and isinstance(outcome, _UNTRIED):
            waiting.series.fault = outcome
        if waiting.future is not None:
            tasks.setdefault(waiting.future.get_loop(), []).append(waiting)
        elif waiting.series is not None:
            waiting.answered.release()  # its sender may have better to do than to wait
        else:
            waiting.line = line
            line.append(waiting)
    for _ in range(WOKEN_THREADS):
        wake_next(line)
    if not tasks:
        return
    try:
        here = asyncio.get_running_loop()
    except RuntimeError:
        here = None
    for loop, answered in tasks.items():
        if loop is here:
            _settle(answered)
            continue
        with suppress(RuntimeError):  # a loop that was closed waits for nothing
            loop.call_soon_threadsafe(_settle, answered)


def _settle(answered: Sequence[Waiting]) -> None:
    for waiting in answered:
        if waiting.future is not None and not waiting.future.done():
            waiting.future.set_result(waiting.outcome)  # type: ignore[arg-type]
