"""Group commit: one connection per process appends what all threads and tasks bring, many commands to a transaction, two on the way.

Whoever brings the last command of a batch sends it. Answers are heard by the loop whose tasks wait for them, or by a thread of its own,
which also does whatever may take long.

Each command has an answer of its own, so that a bad one does not fail its neighbours. A reply that got lost is asked for again: the batch
is sent once more, and the command ids see to it that nothing is recorded twice. Only what cannot be known is answered OutcomeUnknown.
"""

import asyncio
from collections.abc import Callable, Sequence
from threading import Lock, Thread
from time import monotonic

import psycopg

from ledger.store.batch import PackedCommand
from ledger.store.faults import LedgerBusy, LedgerUnavailable, OutcomeUnknown, StoreFault
from ledger.store.flights import Flights
from ledger.store.listening import Bell, Listener
from ledger.store.pacing import IDLE_S, Pace
from ledger.store.waiting import BATCH_BYTES, Outcome, Queue, Series, Waiting, deliver

#: Most commands that may wait to be sent.
WAITING_COMMANDS = 20_000
#: Most bytes that a sender may have on the wire when it sends itself: so much the network takes at once, whatever the server does.
OWN_BYTES = 64 * 1024
#: How long a loop waits for its turn before it leaves the answers to the thread, in seconds.
TURN_S = 0.001
#: How long a caller waits for its answer, in seconds.
ANSWER_TIMEOUT_S = 30.0

#: Says why nothing may be appended now; None: as far as it knows, it may.
Stop = Callable[[], StoreFault | None]


class GroupCommit:
    """The queue of commands and the thread that appends them. `appended` is called with the new head after each batch."""

    def __init__(
        self, connect: Callable[[], psycopg.Connection], appended: Callable[[int], None], stops: Sequence[Stop] = ()
    ) -> None:
        self._stops = stops
        self._queue = Queue()
        self._pace = Pace(self._queue)
        self._flights = Flights(connect, appended, self._pace.landing)
        #: Whoever holds it sends and receives, and moves commands from the queue to the flights and out of them.
        self._turn = Lock()
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
        try:
            self._send(waiting)
            return self.answers(waiting)
        finally:
            for one in waiting:  # an interrupt may have come before it waited
                one.leave()

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
        elif self._pace.is_enough():
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
        if self._pace.is_enough():
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
                    if not self._pace.is_enough() and self._flights.trouble is None:
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
                    self._aim()  # for another loop that brings something
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
            if self._queue and self._pace.has_room(self._flights):
                listener.depart_later()

    def _answer(self, waiting: Waiting, deadline: float) -> Outcome:
        if not waiting.hear(max(0.0, deadline - monotonic())):
            try:
                self._queue.remove(waiting)
            except ValueError:  # it is on its way, or answered this moment
                return waiting.outcome or OutcomeUnknown(waiting.command.command_id)
            else:
                if waiting.series is not None:
                    waiting.series.fault = LedgerBusy("a command before it waited too long for its turn")
                return LedgerBusy(f"the command waited {ANSWER_TIMEOUT_S:.0f} s for its turn")
        outcome = waiting.outcome
        assert outcome is not None  # noqa: S101  # set before it is heard
        return outcome

    def _start(self) -> None:
        with self._starting:
            if self._thread is None and not self._closed:
                thread = Thread(target=self._run, name="ledger-append", daemon=True)
                thread.start()
                self._thread = thread

    def _rouse(self) -> None:
        self._pace.wait_for_thread()  # one ring is enough
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
                if self._pace.is_enough():
                    continue
            is_here = self._wait(timeout_s)
        self._flights.appender.close()
        # What came between the last look at the queue and its end was never sent.
        late = list(self._queue)
        deliver(late, [LedgerUnavailable("the ledger is closed")] * len(late))

    def _depart_all(self, most_bytes: int) -> None:
        flights, pace, listens = self._flights, self._pace, self._listener is not None
        while pace.has_room(flights) and flights.trouble is None and pace.is_due(flights, listens=listens):
            batch = self._queue.next_batch(pace.share(flights), most_bytes)
            if not batch:
                break
            flights.send(batch, new=not batch[0].builds_on_last)

    def _aim(self) -> float | None:
        return self._pace.aim(self._flights, listens=self._listener is not None)

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
