"""Writers that go on whatever happens: each sends a command until it is acknowledged, always under the same id."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

from ledger.events.envelope import Event, event_id
from ledger.events.proposal import ProposalSubmitted, ProposalWithdrawn, SourceNoted
from ledger.store.application import Ledger
from ledger.store.faults import LedgerBusy, LedgerUnavailable, OutcomeUnknown
from ledger.values import SYSTEM, Actor, Role, TeamId
from tests.faults.oracle import Book

TEAM = TeamId(UUID(int=1))
BY_SYSTEM = Actor(SYSTEM, Role.STEWARD)
REQUEST = b"\x03" * 32
#: A proposal's life: it is submitted, noted upon twice in one command, and withdrawn.
LIFE = ((ProposalSubmitted(TEAM, "One price engine", None),), (SourceNoted("k", "a"), SourceNoted("k", "b")))
END = (ProposalWithdrawn(),)
#: All that was asked for must be answered within this, in seconds.
ANSWERED_S = 60
PAUSE_S = 0.01


class Writer(threading.Thread):
    """One writer with a ledger, and so a connection, of its own."""

    def __init__(self, ledger: Ledger, book: Book, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.ledger, self.book, self.stopping = ledger, book, stop
        self.acknowledged_at: list[float] = []
        self.unanswered = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.stopping.is_set():
                stream, version = uuid4(), 1
                for facts in (*LIFE, END):
                    command = uuid4()
                    events = [
                        Event(event_id(command, n), stream, version + n, now(), BY_SYSTEM, command, command, fact)
                        for n, fact in enumerate(facts)
                    ]
                    version += len(events)
                    self.send(command, events)
        except BaseException as error:
            self.error = error

    def send(self, command: UUID, events: list[Event]) -> None:
        """This will send a command until it is acknowledged, also when it is time to stop: what was asked for gets an answer."""
        self.book.ask(command, len(events))
        while True:
            try:
                receipt = self.ledger.append(events, command_id=command, request_hash=REQUEST, at=now())
            except (LedgerBusy, LedgerUnavailable, OutcomeUnknown):
                self.unanswered += 1
                time.sleep(PAUSE_S)
            else:
                self.book.acknowledge(command, receipt.first_position, receipt.last_position, receipt.leaves)
                self.acknowledged_at.append(time.monotonic())
                return


class Load:
    """Several writers at once."""

    def __init__(self, writers: list[Writer]) -> None:
        self.writers = writers

    @property
    def acknowledged(self) -> int:
        """How many commands were acknowledged so far."""
        return sum(len(writer.acknowledged_at) for writer in self.writers)

    @property
    def unanswered(self) -> int:
        """How often a writer was told that it has to ask again."""
        return sum(writer.unanswered for writer in self.writers)

    def first_after(self, instant: float) -> float | None:
        """When the first command after an instant was acknowledged; None: none was yet."""
        later = [at for writer in self.writers for at in list(writer.acknowledged_at) if at > instant]
        return min(later, default=None)


@contextmanager
def writing(url: str, book: Book, writers: int = 6) -> Iterator[Load]:
    """This will have so many writers at work inside the block; after it all that they asked for is answered."""
    stop = threading.Event()
    ledgers = [Ledger(url) for _ in range(writers)]
    load = Load([Writer(ledger, book, stop) for ledger in ledgers])
    for writer in load.writers:
        writer.start()
    try:
        yield load
    finally:
        stop.set()
        ends = time.monotonic() + ANSWERED_S
        for writer in load.writers:
            writer.join(max(0.0, ends - time.monotonic()))
        for ledger in ledgers:
            ledger.close()
    for writer in load.writers:
        assert not writer.is_alive(), "a writer got no answer"
        if writer.error is not None:
            raise writer.error


def now() -> datetime:
    return datetime.now(UTC)
