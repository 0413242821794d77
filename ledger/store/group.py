"""Group commit: one thread per process appends what all the others bring, many commands to a transaction.

Each command has an answer of its own, so that a bad one does not fail its neighbours. A reply that got lost is asked for again: the batch
is sent once more, and the command ids see to it that nothing is recorded twice. Only what cannot be known is answered OutcomeUnknown.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock, Thread
from time import monotonic, sleep

import psycopg

from ledger.store.appender import Appender, Lost, Refused
from ledger.store.batch import Answer, PackedCommand
from ledger.store.faults import AppendFault, LedgerBusy, LedgerUnavailable, OutcomeUnknown

log = logging.getLogger(__name__)

#: Most commands and bytes in one transaction, and most commands that may wait for theirs.
BATCH_COMMANDS = 256
BATCH_BYTES = 4 * 1024 * 1024
WAITING_COMMANDS = 20_000
#: How long a caller waits for its answer, and how long a batch whose reply got lost is asked after, in seconds.
ANSWER_TIMEOUT_S = 30.0
LOST_REPLY_TIMEOUT_S = 15.0
RECONNECT_PAUSE_S = 0.1

Outcome = Answer | OutcomeUnknown | psycopg.Error


class _Waiting:
    """A command and the place where its sender waits for the answer."""

    __slots__ = ("answered", "command", "outcome")

    def __init__(self, command: PackedCommand) -> None:
        self.command = command
        self.outcome: Outcome | None = None
        self.answered = Lock()
        self.answered.acquire()


class GroupCommit:
    """The queue of commands and the thread that appends them. `appended` is called with the new head after each batch."""

    def __init__(self, connect: Callable[[], psycopg.Connection], appended: Callable[[int], None]) -> None:
        self._appender = Appender(connect)
        self._appended = appended
        self._queue: deque[_Waiting] = deque()
        self._idle = False
        self._wake = Lock()
        self._wake.acquire()
        self._starting = Lock()
        self._thread: Thread | None = None
        self._closed = False

    def append(self, commands: Sequence[PackedCommand]) -> list[Outcome]:
        """This will hand the commands to the writer thread and wait for the answers, in order.

        A command that could not even be sent in time is LedgerBusy. Raises LedgerBusy at once if too many wait already.
        """
        if self._closed:
            raise LedgerUnavailable("the ledger is closed")
        if len(self._queue) + len(commands) > WAITING_COMMANDS and self._queue:
            raise LedgerBusy(f"{len(self._queue)} commands are waiting already")
        waiting = [_Waiting(command) for command in commands]
        self._queue.extend(waiting)
        if self._thread is None:
            self._start()
        elif self._idle:
            self._rouse()
        deadline = monotonic() + ANSWER_TIMEOUT_S
        return [self._answer(one, deadline) for one in waiting]

    def close(self) -> None:
        """This will append what is waiting, then end the thread and its connection."""
        self._closed = True
        if self._thread is not None:
            self._rouse()
            self._thread.join()
            self._thread = None

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
                self._thread = Thread(target=self._run, name="ledger-append", daemon=True)
                self._thread.start()
        self._rouse()

    def _rouse(self) -> None:
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
                self._idle = True
                if not self._queue and not self._closed:
                    self._wake.acquire()
                self._idle = False
                continue
            try:
                outcomes = self._outcomes([waiting.command for waiting in batch])
            except Exception as error:
                log.exception("appending %d commands failed", len(batch))
                outcomes = [psycopg.InterfaceError(f"appending failed: {error}")] * len(batch)
            for waiting, outcome in zip(batch, outcomes, strict=True):
                waiting.outcome = outcome
                waiting.answered.release()

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


def raised(outcome: Outcome) -> AppendFault | OutcomeUnknown | psycopg.Error | None:
    """This will pick the exception out of an outcome, None if there is none."""
    return outcome if isinstance(outcome, (AppendFault, OutcomeUnknown, psycopg.Error)) else None
