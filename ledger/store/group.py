"""Group commit: one connection per process appends what all threads and tasks bring, many commands to a transaction, two on the way.

Whoever brings the last command of a batch sends it; a thread of its own receives the answers, and does whatever may take long.

Each command has an answer of its own, so that a bad one does not fail its neighbours. A reply that got lost is asked for again: the batch
is sent once more, and the command ids see to it that nothing is recorded twice. Only what cannot be known is answered OutcomeUnknown.
"""

import asyncio
import logging
import socket
import sys
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from select import POLLIN, poll
from threading import Lock, Thread
from time import monotonic, sleep

import psycopg

from ledger.store.appender import Appender, Lost, NotNew, Refused
from ledger.store.batch import Answer, PackedCommand
from ledger.store.disk import Disk
from ledger.store.faults import LedgerBusy, LedgerUnavailable, OutcomeUnknown

log = logging.getLogger(__name__)

#: Most commands of several senders and of one series, and most bytes, in one transaction; and most commands that may wait for theirs.
BATCH_COMMANDS = 256
SERIES_COMMANDS = 1_024
BATCH_BYTES = 4 * 1024 * 1024
WAITING_COMMANDS = 20_000
#: Batches on their way at once: while one is stored, the senders of the other are answered and come again.
IN_FLIGHT = 2
#: So many senders are worth two batches; fewer are served better by one.
PIPELINED_SENDERS = 8
#: How long a batch that is not full waits for more while another is on its way, in seconds.
GATHER_S = 0.0003
#: Most bytes that a sender may have on the wire when it sends itself: so much the network takes at once, whatever the server does.
OWN_BYTES = 64 * 1024
#: How often the thread looks after a connection on which it expects nothing, in seconds.
IDLE_S = 1.0
#: How long a caller waits for its answer, and how long a batch whose reply got lost is asked after, in seconds.
ANSWER_TIMEOUT_S = 30.0
LOST_REPLY_TIMEOUT_S = 15.0
RECONNECT_PAUSE_S = 0.1

NEVER = sys.maxsize

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


class GroupCommit:
    """The queue of commands and the thread that appends them. `appended` is called with the new head after each batch."""

    def __init__(
        self, connect: Callable[[], psycopg.Connection], appended: Callable[[int], None], disk: Disk | None = None
    ) -> None:
        self._disk = disk
        self._appender = Appender(connect)
        self._appended = appended
        self._queue: deque[Waiting] = deque()
        self._flights: deque[list[Waiting]] = deque()
        #: Whoever holds it sends and receives, and moves commands from the queue to the flights and out of them.
        self._turn = Lock()
        #: So many waiting commands are worth a batch; the sender that brings the last of them sends it.
        self._wanted = 1
        #: What broke the connection while a batch was sent.
        self._lost: Lost | None = None
        self._gather_until = 0.0
        #: How many commands were waiting or on their way when the last batch was answered.
        self._senders = 0
        self._wake, self._waker = socket.socketpair()
        self._wake.setblocking(False)
        self._waker.setblocking(False)
        self._starting = Lock()
        self._thread: Thread | None = None
        self._closed = False

    def append(self, commands: Sequence[PackedCommand]) -> list[Outcome]:
        """This will hand the commands to the writer thread and wait for the answers, in order.

        A command that could not even be sent in time is LedgerBusy. Raises LedgerBusy at once if too many wait already.
        """
        waiting = [Waiting(command, builds_on_last=index > 0) for index, command in enumerate(commands)]
        self._enqueue(waiting)
        return self.answers(waiting)

    def send(self, commands: Sequence[PackedCommand], series: Series) -> list[Waiting]:
        """This will hand over the next commands of a series; `answers` waits for them. Raises LedgerBusy if too many wait already."""
        waiting = [Waiting(command, series=series, builds_on_last=True) for command in commands]
        self._enqueue(waiting)
        return waiting

    def answers(self, waiting: Sequence[Waiting]) -> list[Outcome]:
        """This will wait for the answers to what was sent, in order."""
        deadline = monotonic() + ANSWER_TIMEOUT_S
        return [self._answer(one, deadline) for one in waiting]

    async def append_async(self, command: PackedCommand) -> Outcome:
        """This will do the same for a task: it waits in its loop, and its loop is woken once for all tasks of a batch.

        A task that is cancelled while it waits does not take its command back.
        """
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._enqueue([Waiting(command, future)])
        return await future

    def close(self) -> None:
        """This will append what is waiting, then end the thread and its connection."""
        with self._starting:
            self._closed = True
        if self._thread is not None:
            self._rouse()
            self._thread.join()
            self._thread = None
        self._wake.close()
        self._waker.close()

    def _enqueue(self, waiting: list[Waiting]) -> None:
        if self._disk is not None and (full := self._disk.fault()) is not None:
            raise full
        if len(self._queue) + len(waiting) > WAITING_COMMANDS and self._queue:
            raise LedgerBusy(f"{len(self._queue)} commands are waiting already")
        if self._thread is None:
            self._start()
        if self._closed:
            raise LedgerUnavailable("the ledger is closed")
        self._queue.extend(waiting)
        if len(self._queue) >= self._wanted:
            self._set_off()

    def _set_off(self) -> None:
        """This will send what waits from the thread that brought the last of it: waking another would cost as much as a command.

        Only the writer's own thread may be kept waiting, so that it opens connections, sends large batches, and mends what broke.
        """
        if self._turn.acquire(blocking=False):
            try:
                if self._appender.is_open() and self._lost is None:
                    self._depart_all(
                        OWN_BYTES - sum(one.command.size_bytes for flight in self._flights for one in flight)
                    )
                    self._aim()
                    if len(self._queue) < self._wanted and self._lost is None:
                        return
            finally:
                self._turn.release()
        self._rouse()

    def _answer(self, waiting: Waiting, deadline: float) -> Outcome:
        if not waiting.answered.acquire(timeout=max(0.0, deadline - monotonic())):
            try:
                self._queue.remove(waiting)
            except ValueError:  # it is on its way
                if not waiting.answered.acquire(timeout=0):
                    return OutcomeUnknown(waiting.command.command_id)
            else:
                if waiting.series is not None:
                    waiting.series.fault = LedgerBusy("a command before it waited too long for its turn")
                return LedgerBusy(f"the command waited {ANSWER_TIMEOUT_S:.0f} s for its turn")
        outcome = waiting.outcome
        assert outcome is not None  # noqa: S101  # set before the lock is released
        return outcome

    def _start(self) -> None:
        with self._starting:
            if self._thread is None and not self._closed:
                thread = Thread(target=self._run, name="ledger-append", daemon=True)
                thread.start()
                self._thread = thread

    def _rouse(self) -> None:
        self._wanted = NEVER  # once is enough
        with suppress(OSError):  # full of wakes already, or closed with the thread gone
            self._waker.send(b"!")

    def _run(self) -> None:
        is_here = False
        while True:
            with self._turn:
                if self._lost is not None:
                    self._recover(self._lost)
                if is_here:
                    self._arrive_all()
                self._depart_all(BATCH_BYTES)
                if self._lost is not None:
                    continue
                if not self._flights and self._closed and not self._queue:
                    break
                timeout_s = self._aim()
                if len(self._queue) >= self._wanted:
                    is_here = False
                    continue
            is_here = self._wait(timeout_s)
        self._appender.close()
        # What came between the last look at the queue and its end was never sent.
        late = list(self._queue)
        _deliver(late, [LedgerUnavailable("the ledger is closed")] * len(late))

    def _depart_all(self, most_bytes: int) -> None:
        while len(self._flights) < IN_FLIGHT and self._lost is None and self._due():
            batch = self._next_batch(most_bytes)
            if not batch:
                break
            self._flights.append(batch)
            self._send(batch, new=not batch[0].builds_on_last)

    def _arrive_all(self) -> None:
        if not self._flights:
            self._appender.look()
            return
        self._arrive(is_here=True)
        while self._flights and self._appender.has_answer():
            self._arrive()

    def _due(self) -> bool:
        """Has the next batch waited for enough others, or long enough?"""
        first = self._first()
        if first is None or not self._flights:
            return first is not None
        if first.builds_on_last:
            return False
        return len(self._queue) >= self._share() or monotonic() >= self._gather_until

    def _first(self) -> Waiting | None:
        """This will look at the head of the queue. A sender that waited too long may take its command out at any moment."""
        try:
            return self._queue[0]
        except IndexError:
            return None

    def _share(self) -> int:
        """Half of the senders that are about, so that two batches take turns; all of them while they are too few for that."""
        senders = max(self._senders, len(self._queue) + sum(map(len, self._flights)))
        return min(senders if senders < PIPELINED_SENDERS else -(-senders // 2), BATCH_COMMANDS)

    def _aim(self) -> float | None:
        """This will say how many commands are now worth a batch, and give how long to wait for them or for an answer, in seconds."""
        if not self._flights:
            self._wanted = 1
            return IDLE_S if self._appender.is_open() else None
        now = monotonic()
        timeout_s = max(0.0, self._appender.deadline() - now)
        first = self._first()
        if len(self._flights) == IN_FLIGHT or (first is not None and first.builds_on_last):
            self._wanted = NEVER
        elif now < self._gather_until:
            self._wanted = self._share()
            return timeout_s if first is None else min(timeout_s, self._gather_until - now)
        else:
            self._wanted = 1
        return timeout_s

    def _wait(self, timeout_s: float | None) -> bool:
        """This will wait for something on the connection (true: or an answer is overdue), or for somebody who needs the thread."""
        ready = poll()
        ready.register(self._wake, POLLIN)
        if (file := self._appender.fileno()) >= 0:
            ready.register(file, POLLIN)
        found = ready.poll(None if timeout_s is None else timeout_s * 1000)
        is_here = False
        for ready_file, _ in found:
            if ready_file == file:
                is_here = True
            else:
                self._wake.recv(4096)
        return is_here or (not found and bool(self._flights) and monotonic() >= self._appender.deadline())

    def _next_batch(self, most_bytes: int) -> list[Waiting]:
        """This will take a batch from the queue; [] if even its first command is too large."""
        batch: list[Waiting] = []
        size_bytes, most = 0, self._share()
        while (first := self._first()) is not None:
            size_bytes += first.command.size_bytes
            if len(batch) >= (SERIES_COMMANDS if first.builds_on_last else most) or (
                size_bytes > most_bytes and (batch or most_bytes < BATCH_BYTES)
            ):
                break
            try:
                waiting = self._queue.popleft()
            except IndexError:
                break
            if waiting.series is not None and waiting.series.fault is not None:
                _deliver([waiting], [waiting.series.fault])
                continue
            batch.append(waiting)
        return batch

    def _send(self, batch: list[Waiting], *, new: bool) -> None:
        """This will send the last of the flights. A series goes over streams in turn, which `append_new` would take for gaps."""
        try:
            self._appender.send([waiting.command for waiting in batch], new=new)
        except Lost as error:
            self._lost = error
        except psycopg.OperationalError as error:
            # No connection, so no other batch was on its way, and nothing of this one is recorded.
            self._fail(LedgerUnavailable(f"the database cannot be reached: {error}"))
        except Exception as error:
            log.exception("appending %d commands failed", len(batch))
            self._fail(_as_outcome(error))

    def _fail(self, outcome: Outcome) -> None:
        """This will answer the last of the flights, which never left."""
        batch = self._flights.pop()
        _deliver(batch, [outcome] * len(batch))

    def _arrive(self, *, is_here: bool = False) -> None:
        try:
            answers, head = self._appender.receive(is_here=is_here)
        except Lost as error:
            self._lost = error
            self._recover(error)
        except NotNew:
            batch = self._flights.popleft()
            self._flights.append(batch)
            self._send(batch, new=False)
        except Refused as refused:
            self._retry(refused)
        except Exception as error:
            log.exception("the answer to %d commands can't be read", len(self._flights[0]))
            self._appender.close()
            self._recover(Lost(str(error)))
        else:
            self._appended(head)
            self._land(answers)

    def _land(self, outcomes: Sequence[Outcome]) -> None:
        self._senders = len(self._queue) + sum(map(len, self._flights))
        batch = self._flights.popleft()
        self._gather_until = monotonic() + GATHER_S
        _deliver(batch, outcomes)

    def _retry(self, refused: Refused) -> None:
        """A whole transaction failed. If the fault may lie in one command, each is tried alone, after what is on its way."""
        batch = self._flights.popleft()
        if refused.fault is not None:
            _deliver(batch, [refused.fault] * len(batch))
        elif len(batch) == 1:
            _deliver(batch, [refused.error])
        else:
            while self._flights:
                self._arrive()
            for waiting in batch:
                _deliver([waiting], self._asked([waiting.command], sent=False))

    def _recover(self, error: Lost) -> None:
        """The connection broke: every batch on its way is sent once more, in order, and the command ids tell what became of it."""
        log.warning("the reply to an append was lost (%s): asking again", error)
        self._lost = None
        while self._flights:
            batch = self._flights[0]
            self._land(self._asked([waiting.command for waiting in batch], sent=True))

    def _asked(self, commands: list[PackedCommand], *, sent: bool) -> Sequence[Outcome]:
        """This will append a batch by itself, over and over if it must; `sent` says that it may have been recorded before."""
        deadline = monotonic() + LOST_REPLY_TIMEOUT_S
        while True:
            try:
                answers, head = self._appender.append(commands)
            except psycopg.OperationalError as error:
                if not sent:
                    return [LedgerUnavailable(f"the database cannot be reached: {error}")] * len(commands)
            except psycopg.Error as error:  # the connection may not append
                return [OutcomeUnknown(c.command_id) if sent else error for c in commands]
            except Lost:
                sent = True
            except Refused as refused:
                if refused.fault is not None:
                    return [refused.fault] * len(commands)
                if len(commands) == 1:
                    return [refused.error]
                return [outcome for command in commands for outcome in self._asked([command], sent=False)]
            else:
                self._appended(head)
                return answers
            if monotonic() > deadline:
                return [OutcomeUnknown(command.command_id) for command in commands]
            sleep(RECONNECT_PAUSE_S)


def _as_outcome(error: Exception) -> psycopg.Error:
    return error if isinstance(error, psycopg.Error) else psycopg.InterfaceError(f"appending failed: {error}")


def _deliver(batch: Sequence[Waiting], outcomes: Sequence[Outcome]) -> None:
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
