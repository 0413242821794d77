"""The batches that are on their way to the database, and what comes back of them: answers, refusals, or nothing."""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic, sleep

import psycopg

from ledger.store.appender import Appender, Lost, NotNew, Refused
from ledger.store.batch import PackedCommand
from ledger.store.faults import LedgerUnavailable, OutcomeUnknown
from ledger.store.waiting import Outcome, Waiting, deliver

log = logging.getLogger(__name__)

#: How long a batch whose reply got lost is asked after, in seconds.
LOST_REPLY_TIMEOUT_S = 15.0
RECONNECT_PAUSE_S = 0.1


class Flights:
    """One connection's batches, the oldest first. Not for several threads at once.

    `appended` is called with the new head after each batch, `landing` with the number of commands on their way before a
    batch leaves the line to be answered.
    """

    def __init__(
        self,
        connect: Callable[[], psycopg.Connection],
        appended: Callable[[int], None],
        landing: Callable[[int], None],
    ) -> None:
        self.appender = Appender(connect)
        self._appended = appended
        self._landing = landing
        self._batches: deque[list[Waiting]] = deque()
        #: What broke the connection, or why the oldest batch was refused. `mend` comes before anything else.
        self.trouble: Lost | NotNew | Refused | None = None

    def __len__(self) -> int:
        return len(self._batches)

    @property
    def commands(self) -> int:
        """This will say how many commands are on their way."""
        return sum(map(len, self._batches))

    @property
    def size_bytes(self) -> int:
        """This will say how many bytes are on their way."""
        return sum(one.command.size_bytes for batch in self._batches for one in batch)

    def send(self, batch: list[Waiting], *, new: bool) -> None:
        """This will send a batch. A series goes over streams in turn, which `append_new` would take for gaps."""
        self._batches.append(batch)
        try:
            self.appender.send([waiting.command for waiting in batch], new=new)
        except Lost as error:
            self.trouble = error
        except psycopg.OperationalError as error:
            # No connection, so no other batch was on its way, and nothing of this one is recorded.
            self._fail(LedgerUnavailable(f"the database cannot be reached: {error}"))
        except Exception as error:
            log.exception("appending %d commands failed", len(batch))
            self._fail(_as_outcome(error))

    def _fail(self, outcome: Outcome) -> None:
        """This will answer the last of the flights, which never left."""
        batch = self._batches.pop()
        deliver(batch, [outcome] * len(batch))

    def arrive_all(self) -> None:
        """This will take what has come in: answers, trouble, or word that the connection ended. It waits for nothing."""
        try:
            self.appender.look()
        except Lost as error:
            self.trouble = error
        while self._batches and self.trouble is None and self.appender.has_answer():
            self.arrive()
        if self._batches and self.trouble is None and monotonic() >= self.appender.deadline():
            self._lose("no answer came in time")

    def arrive(self) -> None:
        """This will wait for the answer to the oldest batch and deliver it, unless there is trouble."""
        try:
            answers, head = self.appender.receive()
        except (Lost, NotNew, Refused) as error:
            self.trouble = error
        except Exception as error:
            log.exception("the answer to %d commands can't be read", len(self._batches[0]))
            self._lose(str(error))
        else:
            self._appended(head)
            self._land(answers)

    def mend(self) -> None:
        """This will see to whatever is the matter, which may take long."""
        while (trouble := self.trouble) is not None:
            self.trouble = None
            if isinstance(trouble, Lost):
                self._recover(trouble)
            elif isinstance(trouble, NotNew):
                self.send(self._batches.popleft(), new=False)
            else:
                self._retry(trouble)

    def _lose(self, why: str) -> None:
        self.appender.close()
        self.trouble = Lost(why)

    def _land(self, outcomes: Sequence[Outcome]) -> None:
        self._landing(self.commands)
        deliver(self._batches.popleft(), outcomes)

    def _retry(self, refused: Refused) -> None:
        """A whole transaction failed. If the fault may lie in one command, each is tried alone, after what is on its way."""
        batch = self._batches.popleft()
        if refused.fault is not None:
            deliver(batch, [refused.fault] * len(batch))
        elif len(batch) == 1:
            deliver(batch, [refused.error])
        else:
            while self._batches:
                self.arrive()
                self.mend()
            for waiting in batch:
                deliver([waiting], self._asked([waiting.command], sent=False))

    def _recover(self, error: Lost) -> None:
        """This will send every batch on its way once more, in order, for the connection broke; the command ids tell what became of it."""
        log.warning("the reply to an append was lost (%s): asking again", error)
        while self._batches:
            batch = self._batches[0]
            self._land(self._asked([waiting.command for waiting in batch], sent=True))

    def _asked(self, commands: list[PackedCommand], *, sent: bool) -> Sequence[Outcome]:
        """This will append a batch by itself, over and over if it must; `sent` says that it may have been recorded before."""
        deadline = monotonic() + LOST_REPLY_TIMEOUT_S
        while True:
            try:
                answers, head = self.appender.append(commands)
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
