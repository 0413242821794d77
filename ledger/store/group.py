"""Group commit: one thread per process appends what all the others bring, many commands to a transaction.

Each command has an answer of its own, so that a bad one does not fail its neighbours. A reply that got lost is asked for again: the batch
is sent once more, and the command ids see to it that nothing is recorded twice. Only what cannot be known is answered OutcomeUnknown.
"""

import asyncio
import logging
import sys
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Lock, Thread
from time import monotonic, sleep

import psycopg

from ledger.store.appender import Appender, Lost, Refused
from ledger.store.batch import Answer, PackedCommand
from ledger.store.faults import LedgerBusy, LedgerUnavailable, OutcomeUnknown

log = logging.getLogger(__name__)

#: Most commands and bytes in one transaction, and most commands that may wait for theirs.
BATCH_COMMANDS = 256
BATCH_BYTES = 4 * 1024 * 1024
WAITING_COMMANDS = 20_000
#: How long the writer waits for the senders of its last batch to come again, in seconds.
GATHER_S = 0.0005
#: How long a caller waits for its answer, and how long a batch whose reply got lost is asked after, in seconds.
ANSWER_TIMEOUT_S = 30.0
LOST_REPLY_TIMEOUT_S = 15.0
RECONNECT_PAUSE_S = 0.1

NEVER = sys.maxsize

Outcome = Answer | OutcomeUnknown | psycopg.Error


class _Waiting:
    """A command and the place where its sender waits for the answer: a thread at the lock, a task at the future of its loop."""

    __slots__ = ("answered", "command", "future", "outcome")

    def __init__(self, command: PackedCommand, future: asyncio.Future[Outcome] | None = None) -> None:
        self.command = command
        self.outcome: Outcome | None = None
        self.future = future
        if future is None:
            self.answered = Lock()
            self.answered.acquire()


class GroupCommit:
    """The queue of commands and the thread that appends them. `appended` is called with the new head after each batch."""

    def __init__(self, connect: Callable[[], psycopg.Connection], appended: Callable[[int], None]) -> None:
        self._appender = Appender(connect)
        self._appended = appended
        self._queue: deque[_Waiting] = deque()
        #: So many waiting commands wake the writer. A wake costs more than a command, so nobody wakes it for less.
        self._wanted = NEVER
        self._wake = Lock()
        self._wake.acquire()
        self._starting = Lock()
        self._thread: Thread | None = None
        self._closed = False

    def append(self, commands: Sequence[PackedCommand]) -> list[Outcome]:
        """This will hand the commands to the writer thread and wait for the answers, in order.

        A command that could not even be sent in time is LedgerBusy. Raises LedgerBusy at once if too many wait already.
        """
        waiting = [_Waiting(command) for command in commands]
        self._enqueue(waiting)
        deadline = monotonic() + ANSWER_TIMEOUT_S
        return [self._answer(one, deadline) for one in waiting]

    async def append_async(self, command: PackedCommand) -> Outcome:
        """This will do the same for a task: it waits in its loop, and its loop is woken once for all tasks of a batch."""
        waiting = _Waiting(command, asyncio.get_running_loop().create_future())
        self._enqueue([waiting])
        assert waiting.future is not None  # noqa: S101
        return await waiting.future

    def close(self) -> None:
        """This will append what is waiting, then end the thread and its connection."""
        self._closed = True
        if self._thread is not None:
            self._rouse()
            self._thread.join()
            self._thread = None

    def _enqueue(self, waiting: list[_Waiting]) -> None:
        if self._closed:
            raise LedgerUnavailable("the ledger is closed")
        if len(self._queue) + len(waiting) > WAITING_COMMANDS and self._queue:
            raise LedgerBusy(f"{len(self._queue)} commands are waiting already")
        self._queue.extend(waiting)
        if self._thread is None:
            self._start()
        elif len(self._queue) >= self._wanted:
            self._rouse()

    def _answer(self, waiting: _Waiting, deadline: float) -> Outcome:
        if not waiting.answered.acquire(timeout=max(0.0, deadline - monotonic())):
            try:
                self._queue.remove(waiting)
            except ValueError:  # it is on its way
                if not waiting.answered.acquire(timeout=0):
                    return OutcomeUnknown(waiting.command.command_id)
            else:
                return LedgerBusy(f"the command waited {ANSWER_TIMEOUT_S:.0f} s for its turn")
        outcome = waiting.outcome
        assert outcome is not None  # noqa: S101  # set before the lock is released
        return outcome

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                thread = Thread(target=self._run, name="ledger-append", daemon=True)
                thread.start()
                self._thread = thread
        self._rouse()

    def _rouse(self) -> None:
        self._wanted = NEVER
        try:
            self._wake.release()
        except RuntimeError:  # somebody else did
            return

    def _run(self) -> None:
        while True:
            batch = self._next_batch()
            if not batch:
                if self._closed and not self._queue:
                    self._appender.close()
                    return
                self._wait_for(1)
                continue
            try:
                outcomes = self._outcomes([waiting.command for waiting in batch])
            except Exception as error:
                log.exception("appending %d commands failed", len(batch))
                outcomes = [psycopg.InterfaceError(f"appending failed: {error}")] * len(batch)
            _deliver(batch, outcomes)
            if len(batch) > 1:
                # Those who were just answered often come right back: to wait for them makes batches of all instead of one half.
                self._wait_for(min(len(batch) + len(self._queue), BATCH_COMMANDS), GATHER_S)

    def _wait_for(self, count: int, timeout_s: float = -1) -> None:
        self._wanted = count
        if len(self._queue) < count and not self._closed:
            self._wake.acquire(timeout=timeout_s)
        self._wanted = NEVER

    def _next_batch(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size_bytes = 0
        while len(batch) < BATCH_COMMANDS and size_bytes < BATCH_BYTES:
            try:
                waiting = self._queue.popleft()
            except IndexError:
                break
            batch.append(waiting)
            size_bytes += waiting.command.size_bytes
        return batch

    def _outcomes(self, commands: list[PackedCommand]) -> Sequence[Outcome]:
        sent = False
        deadline = monotonic() + LOST_REPLY_TIMEOUT_S
        while True:
            try:
                answers, head = self._appender.append(commands)
            except psycopg.OperationalError as error:
                # No connection. What was not sent is known not to be recorded; what was sent may be.
                if not sent:
                    return [LedgerUnavailable(f"the database cannot be reached: {error}")] * len(commands)
            except psycopg.Error as error:  # the connection may not append
                return [OutcomeUnknown(c.command_id) if sent else error for c in commands]
            except Lost as error:
                log.warning("the reply to an append of %d commands was lost (%s): asking again", len(commands), error)
                sent = True
            except Refused as refused:
                return self._refused(commands, refused)
            else:
                self._appended(head)
                return answers
            if monotonic() > deadline:
                return [OutcomeUnknown(command.command_id) for command in commands]
            sleep(RECONNECT_PAUSE_S)

    def _refused(self, commands: list[PackedCommand], refused: Refused) -> Sequence[Outcome]:
        """The whole transaction failed. If the fault may lie in one command, each is tried alone."""
        if refused.fault is not None:
            return [refused.fault] * len(commands)
        if len(commands) == 1:
            return [refused.error]
        return [outcome for command in commands for outcome in self._outcomes([command])]


def _deliver(batch: Sequence[_Waiting], outcomes: Sequence[Outcome]) -> None:
    tasks: dict[asyncio.AbstractEventLoop, list[_Waiting]] = {}
    for waiting, outcome in zip(batch, outcomes, strict=True):
        waiting.outcome = outcome
        if waiting.future is None:
            waiting.answered.release()
        else:
            tasks.setdefault(waiting.future.get_loop(), []).append(waiting)
    for loop, answered in tasks.items():
        with suppress(RuntimeError):  # a loop that was closed waits for nothing
            loop.call_soon_threadsafe(_settle, answered)


def _settle(answered: Sequence[_Waiting]) -> None:
    for waiting in answered:
        if waiting.future is not None and not waiting.future.done():
            waiting.future.set_result(waiting.outcome)  # type: ignore[arg-type]
