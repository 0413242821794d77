"""Group commit: one connection per process appends what all threads and tasks bring, many commands to a transaction, two on the way.

Whoever brings the last command of a batch sends it. Answers are heard by the loop whose tasks wait for them, or by a thread of its own,
which also does whatever may take long.

Each command has an answer of its own, so that a bad one does not fail its neighbours. A reply that got lost is asked for again: the batch
is sent once more, and the command ids see to it that nothing is recorded twice. Only what cannot be known is answered OutcomeUnknown.
"""

import asyncio
import sys
from collections.abc import Callable, Sequence
from threading import Lock, Thread
from time import monotonic

import psycopg

from ledger.store.batch import PackedCommand
from ledger.store.faults import LedgerBusy, LedgerUnavailable, OutcomeUnknown, StoreFault
from ledger.store.flights import Flights
from ledger.store.listening import Bell, Listener
from ledger.store.waiting import BATCH_BYTES, Outcome, Queue, Series, Waiting, deliver

#: Most commands of several senders in one transaction, and most that may wait for theirs.
BATCH_COMMANDS = 256
WAITING_COMMANDS = 20_000
#: Batches on their way at once: while one is stored, the senders of the other are answered and come again.
IN_FLIGHT = 2
#: So many senders are worth two batches; fewer are served better by one, which costs the server half as much.
PIPELINED_SENDERS = 12
#: How long a batch waits for the senders of the one just answered, in seconds.
GATHER_S = 0.0003
#: Most bytes that a sender may have on the wire when it sends itself: so much the network takes at once, whatever the server does.
OWN_BYTES = 64 * 1024
#: How often the thread looks after a connection on which it expects nothing, in seconds.
IDLE_S = 1.0
#: How long a loop waits for its turn before it leaves the answers to the thread, in seconds.
TURN_S = 0.001
#: How long a caller waits for its answer, in seconds.
ANSWER_TIMEOUT_S = 30.0

NEVER = sys.maxsize

#: Says why nothing may be appended now; None: as far as it knows, it may.
Stop = Callable[[], StoreFault | None]


class GroupCommit:
    """The queue of commands and the thread that appends them. `appended` is called with the new head after each batch."""

    def __init__(
        self, connect: Callable[[], psycopg.Connection], appended: Callable[[int], None], stops: Sequence[Stop] = ()
    ) -> None:
        self._stops = stops
        self._flights = Flights(connect, appended, self._pace)
        self._queue = Queue()
        #: Whoever holds it sends and receives, and moves commands from the queue to the flights and out of them.
        self._turn = Lock()
        #: So many waiting commands are worth a batch; the sender that brings the last of them sends it.
        self._wanted = 1
        self._gather_until = 0.0
        #: How many commands were waiting or on their way when the last batch was answered.
        self._senders = 0
        #: The loop that hears the answers, while tasks are the only senders; otherwise the thread does.
        self._listener: Listener | None = None
        self._bell = Bell()
        self._starting = Lock()
        self._thread: Thread | None = None
        self._closed = False

    def append(self, commands: Sequence[PackedCommand]) -> list[Outcome]:
        """This will hand the commands to the writer thread and wait for the answers, in order.

        A command that could not even be sent in time is LedgerBusy. Raises LedgerBusy at once if too many wait already.
        """
        waiting = [Waiting(command, builds_on_last=index > 0) for index, command in enumerate(commands)]
        self._send(waiting)
        return self.answers(waiting)

    def send(self, commands: Sequence[PackedCommand], series: Series) -> list[Waiting]:
        """This will hand over the next commands of a series; `answers` waits for them. Raises LedgerBusy if too many wait already."""
        waiting = [Waiting(command, series=series, builds_on_last=True) for command in commands]
        self._send(waiting)
        return waiting

    def answers(self, waiting: Sequence[Waiting]) -> list[Outcome]:
        """This will wait for the answers to what was sent, in order."""
        deadline = monotonic() + ANSWER_TIMEOUT_S
        return [self._answer(one, deadline) for one in waiting]

    async def append_async(self, command: PackedCommand) -> Outcome:
        """This will do the same for a task. Its loop sends what its tasks bring together, and hears the answers.

        A task that is cancelled while it waits does not take its command back.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        self._enqueue([Waiting(command, future)])
        listener = self._listener
        if listener is not None and listener.loop is loop:
            listener.depart_soon()
        elif len(self._queue) >= self._wanted:
            self._set_off(loop)
        return await future

    def close(self) -> None:
        """This will append what is waiting, then end the thread and its connection."""
        with self._starting:
            self._closed = True
        self._stop_listening()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._bell.close()

    def _enqueue(self, waiting: list[Waiting]) -> None:
        for stop in self._stops:
            if (fault := stop()) is not None:
                raise fault
        if len(self._queue) + len(waiting) > WAITING_COMMANDS and self._queue:
            raise LedgerBusy(f"{len(self._queue)} commands are waiting already")
        if self._thread is None:
            self._start()
        if self._closed:
            raise LedgerUnavailable("the ledger is closed")
        self._queue.extend(waiting)

    def _send(self, waiting: list[Waiting]) -> None:
        """This will enqueue what a thread sends, which then waits: its answers may not depend on a loop that may be its own."""
        self._enqueue(waiting)
        if self._listener is not None:
            self._stop_listening()
        if len(self._queue) >= self._wanted:
            self._set_off()

    def _set_off(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """This will send what waits from the thread that brought the last of it: waking another would cost as much as a command.

        If that is a loop's, the loop is to hear the answer.

        Only the writer's own thread may be kept waiting, so that it opens connections, sends large batches, and mends what broke.
        """
        if self._turn.acquire(blocking=False):
            try:
                if self._flights.appender.is_open() and self._flights.trouble is None:
                    if loop is not None:
                        self._listen(loop)
                    self._depart_all(OWN_BYTES - self._flights.size_bytes)
                    self._aim()
                    if len(self._queue) < self._wanted and self._flights.trouble is None:
                        return
            finally:
                self._turn.release()
        self._rouse()

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        listener = self._listener
        if listener is not None:
            if listener.loop is loop and listener.is_current():
                return
            listener.end()
        if not self._closed:
            self._listener = Listener(loop, self._flights.appender, self._hear, self._depart)
            self._rouse()  # the thread listens no more

    def _stop_listening(self) -> None:
        """This will leave the answers, and whatever else there is to do, to the thread."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.end()
        self._rouse()

    def _hear(self, listener: Listener) -> None:
        """This will take what came in, in the loop that listens."""
        if self._listener is not listener:
            listener.end()
        elif not self._turn.acquire(timeout=TURN_S):
            self._stop_listening()
        else:
            try:
                if self._flights.trouble is None:
                    self._flights.arrive_all()
            finally:
                self._turn.release()
            if self._flights.trouble is not None or not listener.is_current():
                self._stop_listening()
            elif self._queue:
                listener.depart_soon()

    def _depart(self, listener: Listener) -> None:
        """This will send what waits, from the loop that listens."""
        if self._listener is not listener:
            self._rouse()
        elif self._queue:
            self._set_off(listener.loop)
            if self._queue and len(self._flights) < IN_FLIGHT:
                listener.depart_later()

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
        self._bell.ring()

    def _run(self) -> None:
        is_here = False
        while True:
            with self._turn:
                self._flights.mend()
                if is_here:
                    self._flights.arrive_all()
                is_here = False
                if self._flights.trouble is None:
                    self._depart_all(BATCH_BYTES)
                if self._flights.trouble is not None:
                    continue
                if not self._flights and self._closed and not self._queue:
                    break
                timeout_s = self._aim()
                if len(self._queue) >= self._wanted:
                    continue
            is_here = self._wait(timeout_s)
        self._flights.appender.close()
        # What came between the last look at the queue and its end was never sent.
        late = list(self._queue)
        deliver(late, [LedgerUnavailable("the ledger is closed")] * len(late))

    def _depart_all(self, most_bytes: int) -> None:
        while len(self._flights) < IN_FLIGHT and self._flights.trouble is None and self._due():
            batch = self._queue.next_batch(self._share(), most_bytes)
            if not batch:
                break
            self._flights.send(batch, new=not batch[0].builds_on_last)

    def _pace(self) -> None:
        """This will note, before a batch is answered, how many senders there are, who will come again in a moment."""
        self._senders = len(self._queue) + self._flights.commands
        self._gather_until = monotonic() + GATHER_S

    def _due(self) -> bool:
        """Has the next batch waited for enough others, or long enough?"""
        first = self._queue.first()
        if first is None:
            return False
        if first.builds_on_last:
            return not self._flights
        if not self._flights and (self._listener is not None or self._senders >= PIPELINED_SENDERS):
            return True  # a loop's tasks have come together already; many threads bring enough meanwhile
        return len(self._queue) >= self._share() or monotonic() >= self._gather_until

    def _share(self) -> int:
        """Half of the senders that are about, so that two batches take turns; all of them while they are too few for that."""
        senders = max(self._senders, len(self._queue) + self._flights.commands)
        return min(senders if senders < PIPELINED_SENDERS else -(-senders // 2), BATCH_COMMANDS)

    def _aim(self) -> float | None:
        """This will say how many commands are now worth a batch, and give how long to wait for them or for an answer, in seconds."""
        now = monotonic()
        if not self._flights:
            if self._listener is None and 1 < self._senders < PIPELINED_SENDERS and now < self._gather_until:
                self._wanted = self._share()
                return self._gather_until - now
            self._wanted = 1
            return IDLE_S if self._flights.appender.is_open() else None
        timeout_s = max(0.0, self._flights.appender.deadline() - now)
        first = self._queue.first()
        if len(self._flights) == IN_FLIGHT or (first is not None and first.builds_on_last):
            self._wanted = NEVER
        elif now < self._gather_until:
            self._wanted = self._share()
            return timeout_s if first is None else min(timeout_s, self._gather_until - now)
        else:
            self._wanted = 1
        return timeout_s

    def _wait(self, timeout_s: float | None) -> bool:
        """This will wait for something on the connection (true: or an answer is overdue), or for somebody who needs the thread.

        While a loop listens, it only looks from time to time whether the loop still does.
        """
        listener = self._listener
        is_heard = listener is not None and listener.is_current()
        if is_heard:
            timeout_s = IDLE_S if timeout_s is None else min(timeout_s, IDLE_S)
        found = self._bell.wait(-1 if is_heard else self._flights.appender.fileno(), timeout_s)
        if found is not None:
            return found
        return bool(self._flights) and (is_heard or monotonic() >= self._flights.appender.deadline())
