"""When a batch goes, and with how many commands: a flush costs the same for one as for many, so that waiting a little may be quicker."""

import sys
from collections import deque
from time import monotonic

from ledger.store.flights import Flights
from ledger.store.waiting import Queue

#: Most commands of several senders in one transaction.
BATCH_COMMANDS = 256
#: Batches on their way at once: while one is stored, the senders of the other are answered and come again.
IN_FLIGHT = 2
#: So many senders are worth two batches; fewer are served better by one, which costs the server half as much.
PIPELINED_SENDERS = 12
#: In so many batches each sender is most likely seen: of many threads some are always between their answer and their next command.
COUNTED_BATCHES = 8
#: How long a batch waits for the senders of the one just answered, in seconds.
GATHER_S = 0.0003
#: How often a connection on which nothing is expected is looked after, in seconds.
IDLE_S = 1.0

_NEVER = sys.maxsize


class Pace:
    """How many senders there are, and whether what they have brought is worth a batch.

    `listens`, wherever it is asked: a loop hears the answers, so that its tasks have come together already.
    """

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        #: So many waiting commands are worth a batch.
        self._wanted = 1
        self._gather_until = 0.0
        #: How many commands were waiting or on their way as each of the last batches was answered, and the most of them.
        self._counts = deque([0], maxlen=COUNTED_BATCHES)
        self._senders = 0

    def landing(self, commands: int) -> None:
        """This will note, before a batch is answered, how many senders there are, who will come again in a moment.

        `commands` are on their way, those of the batch included.
        """
        self._counts.append(len(self._queue) + commands)
        self._senders = max(self._counts)
        self._gather_until = monotonic() + GATHER_S

    def wait_for_thread(self) -> None:
        """This will let nobody set off until `aim` is asked again."""
        self._wanted = _NEVER

    def is_enough(self) -> bool:
        """Is so much waiting that whoever brought the last of it should send it?"""
        return len(self._queue) >= self._wanted

    def has_room(self, flights: Flights) -> bool:
        """May another batch be on its way?"""
        return len(flights) < IN_FLIGHT

    def is_due(self, flights: Flights, *, listens: bool) -> bool:
        """Has the next batch waited for enough others, or long enough?"""
        first = self._queue.first()
        if first is None:
            return False
        if first.builds_on_last:
            return not flights
        if not flights and (listens or self._senders >= PIPELINED_SENDERS):
            return True  # many threads bring enough meanwhile
        return len(self._queue) >= self.share(flights) or monotonic() >= self._gather_until

    def share(self, flights: Flights) -> int:
        """This will give half of the senders, so that two batches take turns; all of them while they are too few for that."""
        senders = max(self._senders, len(self._queue) + flights.commands)
        return min(senders if senders < PIPELINED_SENDERS else -(-senders // 2), BATCH_COMMANDS)

    def aim(self, flights: Flights, *, listens: bool) -> float | None:
        """This will settle how many commands are now worth a batch, and give how long to wait for them or for an answer, in seconds."""
        now = monotonic()
        if not flights:
            if not listens and 1 < self._senders < PIPELINED_SENDERS and now < self._gather_until:
                self._wanted = self.share(flights)
                return self._gather_until - now
            self._wanted = 1
            return IDLE_S if flights.appender.is_open() else None
        timeout_s = max(0.0, flights.appender.deadline() - now)
        first = self._queue.first()
        if not self.has_room(flights) or (first is not None and first.builds_on_last):
            self._wanted = _NEVER
        elif now < self._gather_until:
            self._wanted = self.share(flights)
            return timeout_s if first is None else min(timeout_s, self._gather_until - now)
        else:
            self._wanted = 1
        return timeout_s
