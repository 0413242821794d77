"""An appender that takes a lost or late reply for none: what the faults of the network would find, at a scale of moments."""

import time
from collections.abc import Callable, Sequence
from threading import Timer
from uuid import uuid4

import pytest
from msgspec.structs import replace

from ledger.store import appender
from ledger.store.application import Ledger
from ledger.store.batch import PackedCommand
from ledger.store.faults import VersionConflict
from ledger.store.flights import Flights
from ledger.store.waiting import Outcome
from tests.faults.figures import Figures
from tests.faults.oracle import Book, Found, examine
from tests.faults.test_oracle import remember
from tests.faults.wire import Wire, wired

#: After so long an answer is taken for lost, a second later at most; and so long it is kept, in seconds.
REPLY_S, KEPT_S = 0.3, 2.0


def drop(wire: Wire) -> None:
    wire.drop_replies = 1


def delay(wire: Wire) -> None:
    wire.latency_s = KEPT_S / 2
    Timer(KEPT_S, lambda: setattr(wire, "latency_s", 0.0)).start()


def hold_back(wire: Wire) -> None:
    wire.begin_hole()
    Timer(KEPT_S, wire.end_hole).start()


def swallow(wire: Wire) -> None:
    wire.begin_hole(forget=True)
    Timer(KEPT_S, wire.end_hole).start()


FAULTS: dict[str, Callable[[Wire], None]] = {
    "a reply that is dropped": drop,
    "a reply that is late": delay,
    "a hole whose bytes arrive late": hold_back,
    "a hole that forgets": swallow,
}


def found_after(database_url: str, book: Book, fault: Callable[[Wire], None]) -> Found:
    """What the oracle finds after a fault under a writer, who is told of no conflict where there can be none."""
    with wired(database_url) as wire, Ledger(wire.url) as remote:
        remember(book, remote)
        fault(wire)
        try:
            remember(book, remote)
        except VersionConflict as error:
            return Found(1, 0, 0, 0, 0, (f"once: a writer was told of a conflict with itself: {error}",))
        finally:
            time.sleep(KEPT_S / 2)  # what was held back arrives
        remember(book, remote)
    return examine(database_url, book)


def renamed(command: PackedCommand) -> PackedCommand:
    """The same command under another id."""
    new = uuid4()
    packed, request_hash = command.per_command
    return replace(command, command_id=new, per_command=(packed[:-16] + new.bytes, request_hash))


@pytest.mark.parametrize(
    "fault", [fault if FAULTS[fault] is drop else pytest.param(fault, marks=pytest.mark.faults) for fault in FAULTS]
)
def test_an_appender_that_sends_again_under_new_ids_is_found_out(
    database_url: str, figures: Figures, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(appender, "REPLY_TIMEOUT_S", REPLY_S)
    book = Book()
    assert found_after(database_url, book, FAULTS[fault]).faults == ()
    whole = Flights._asked

    def again(self: Flights, commands: list[PackedCommand], *, sent: bool) -> Sequence[Outcome]:
        return whole(self, [*map(renamed, commands)] if sent else commands, sent=sent)

    monkeypatch.setattr(Flights, "_asked", again)
    seen = found_after(database_url, book, FAULTS[fault])
    figures.caught("once", f"an appender that sends again under a new id after {fault}", seen)
